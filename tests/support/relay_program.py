"""A controller's program, run by an interpreter that has one of the published SDKs.

    python relay_program.py SCENE HOST:PORT TOKEN

Says what happened as one JSON object per line. Knows nothing of mediacore; both SDKs run it
unchanged.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

try:
    from signalwire.relay import RelayClient, RelayError
except ImportError:
    from signalwire_agents.relay import RelayClient, RelayError

TTS = [{"type": "tts", "params": {"text": "Hello"}}]


def say(event: str, **more: Any) -> None:
    print(json.dumps({"event": event, **more}), flush=True)


def new_client(host: str, token: str) -> RelayClient:
    return RelayClient(project="p1", token=token, host=host, contexts=["office"])


def outcome(event: Any) -> Any:
    return event.params.get("state") if event is not None else None


def is_answered(event: Any) -> bool:
    return bool(event.params["call_state"] == "answered")


async def until_answered(call: Any) -> None:
    if call.state != "answered":
        await call.wait_for("calling.call.state", is_answered, 5)


async def bad_auth(host: str, token: str) -> None:
    client = new_client(host, token)
    started = time.monotonic()
    try:
        await client.connect()
    except RelayError as error:
        say("refused", message=error.message, seconds=time.monotonic() - started)
    await client.disconnect()


async def inbound(host: str, token: str) -> None:
    client = new_client(host, token)
    over = asyncio.Event()

    @client.on_call
    async def handle(call: Any) -> None:
        say("offered", call_id=call.call_id, node_id=call.node_id, state=call.state)
        await call.answer()
        await until_answered(call)
        play = await call.play(TTS)
        say("play", state=outcome(await play.wait(5)))
        asked = await call.play_and_collect(TTS, {"digits": {"max": 2}})
        say("asked", result=(await asked.wait(5)).params["result"])
        collect = await call.collect(digits={"max": 2})
        say("collect", result=(await collect.wait(5)).params["result"])
        record = await call.record({"format": "wav"})
        say("record", state=outcome(await record.wait(5)), url=record.result.params["url"])
        await call.hangup()
        await call.wait_for_ended(5)
        say("ended", state=call.state)
        over.set()

    await client.connect()
    say("connected")
    await asyncio.wait_for(over.wait(), 15)
    await client.disconnect()


async def dial(host: str, token: str) -> None:
    client = new_client(host, token)
    await client.connect()
    device = {"type": "phone", "params": {"to_number": "+1557", "from_number": "+1555"}}
    call = await client.dial([[device]], tag="t1", dial_timeout=5)
    say("dialled", call_id=call.call_id, node_id=call.node_id, state=call.state)
    # As the bundled example does: wait for the state after dial() has returned.
    await call.wait_for("calling.call.state", is_answered, 5)
    play = await call.play(TTS)
    say("play", state=outcome(await play.wait(5)))
    await client.disconnect()


async def unsupported(host: str, token: str) -> None:
    client = new_client(host, token)
    over = asyncio.Event()

    @client.on_call
    async def handle(call: Any) -> None:
        try:
            fax = await call.send_fax("https://example.org/a.pdf")
        except RelayError as error:
            say("fax", code=error.code, message=error.message)
        else:
            say("fax", code=None, done=fax.is_done)
        gone = await call.play(TTS)
        say("gone", done=gone.is_done)
        over.set()

    await client.connect()
    say("connected")
    await asyncio.wait_for(over.wait(), 15)
    await client.disconnect()


async def stay(host: str, token: str) -> None:
    """Stays connected, over broken connections too, until its call has ended."""
    client = new_client(host, token)

    @client.on_call
    async def handle(call: Any) -> None:
        say("offered", call_id=call.call_id)
        await call.answer()
        play = await call.play(TTS)
        say("playing")
        say("play", state=outcome(await play.wait(30)))
        await call.hangup()
        await call.wait_for_ended(5)
        say("ended")
        await client._shutdown()

    running = asyncio.ensure_future(client._run_forever())
    known = ""
    while not running.done():
        if client.relay_protocol and client.relay_protocol != known:
            known = client.relay_protocol
            say("session", first=known)
        await asyncio.sleep(0.01)
    await running


SCENES = {
    "bad_auth": bad_auth,
    "inbound": inbound,
    "dial": dial,
    "unsupported": unsupported,
    "stay": stay,
}

if __name__ == "__main__":
    asyncio.run(SCENES[sys.argv[1]](sys.argv[2], sys.argv[3]))
