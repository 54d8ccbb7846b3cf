"""Whole calls on this machine: an agent, and a caller that speaks recordings, over real RTP."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from mediacore.agent import Agent
from mediacore.app_options import CallResult, DemoOptions, Watch, WavCallOptions
from mediacore.call.record import CallRecord
from mediacore.engine import Engine
from mediacore.evals.caller import Line, ScriptedCaller, caller_leg
from mediacore.transports.files import read_audio
from mediacore.transports.rtp import RtpTransport, open_rtp

DYNAMIC_PAYLOAD_TYPE: Final = 96
LONGEST_CALL_S: Final = 600

DEMO_LINES: Final[tuple[tuple[str, float | None], ...]] = (
    ("01_check_order", None),
    ("02_order_number", None),
    ("04_confirm", None),
    ("03_interruption", 3.9),  # seconds into the long answer, in the middle of a word
    ("05_appointment", None),
    ("06_tuesday", None),
    ("07_goodbye", None),
)
"""The demo's caller: recording, and when it interrupts."""


def run_demo(options: DemoOptions) -> CallResult:
    """Hold the conversation that comes with the program. Blocks for its real time."""
    folder = Path(str(files("mediacore") / "demo" / "caller"))
    lines = [
        Line(read_audio(folder / f"{name}.wav"), barge_in_after_s=after)
        for name, after in DEMO_LINES
    ]
    return _run(lines, Agent.default(), RtpTransport(), options.out, options.watch)


def run_wav_call(options: WavCallOptions) -> CallResult:
    """Call an agent with recordings as the caller. Blocks for the call's real time."""
    lines = [
        Line(read_audio(path), barge_in_after_s=options.barge_in_after_s) for path in options.wavs
    ]
    transport = RtpTransport(codec=options.codec)
    if options.codec.upper() in ("L16", "OPUS"):
        transport = RtpTransport(
            codec=options.codec,
            payload_type=DYNAMIC_PAYLOAD_TYPE,
            srate_hz=16000,
        )
    agent = Agent.default(options.agent)
    return _run(lines, agent, transport, options.out, options.watch)


def _run(
    lines: Sequence[Line], agent: Agent, transport: RtpTransport, out: Path, watch: Watch
) -> CallResult:
    record = asyncio.run(_call(lines, agent, transport, out, watch))
    return CallResult(record, out)


async def _call(
    lines: Sequence[Line], agent: Agent, transport: RtpTransport, out: Path, watch: Watch
) -> CallRecord:
    try:
        await agent.prewarm()
        async with Engine(max_calls=2) as engine:
            call = await engine.call(transport, agent, directory=out, on_live=watch)
            far = RtpTransport(
                remote=call.local,
                codec=transport.codec,
                srate_hz=transport.srate_hz,
                payload_type=transport.payload_type,
                leg=caller_leg(transport.leg),
            )
            leg, _ = open_rtp(engine.hub.engine, far, seed=secrets.randbits(63))
            caller = ScriptedCaller(engine.hub, leg, lines)
            try:
                async with asyncio.timeout(LONGEST_CALL_S), asyncio.TaskGroup() as group:
                    talking = group.create_task(caller.run())
                    record = await call.wait_ended()
                    talking.cancel()
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None
        return record
    finally:
        await agent.aclose()
