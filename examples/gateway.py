"""Embed mediacore in a gateway: a caller's RTP comes in, the agent answers, a record comes out.

python examples/gateway.py 127.0.0.1 40000        # the caller's RTP address
"""

import asyncio
import sys
from pathlib import Path

from mediacore import Agent, CallRecord, Engine, RtpTransport


async def answer(caller: tuple[str, int], agent: Agent, directory: Path) -> CallRecord:
    """Let `agent` talk to whoever sends RTP from `caller`, until one of the two hangs up."""
    async with Engine() as engine:
        transport = RtpTransport(local=("127.0.0.1", 0), remote=caller, codec="PCMU")
        call = await engine.call(transport, agent, directory=directory)
        print(f"send RTP to {call.local[0]}:{call.local[1]}", flush=True)
        return await call.wait_ended()


async def main(host: str, port: int) -> None:
    """One call with the embedded agent."""
    agent = Agent.default()
    try:
        await agent.prewarm()
        record = await answer((host, port), agent, Path("calls"))
    finally:
        await agent.aclose()
    for turn in record.turns:
        print(f"{turn.speaker.value:>6}: {turn.heard_text}")
    print(f"ended: {record.end_reason}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
