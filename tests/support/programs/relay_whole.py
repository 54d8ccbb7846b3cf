"""Controllers of whole calls, by the published SDKs; both run it unchanged.

    python relay_whole.py SCENE HOST:PORT [JSON]

Says what happened as one JSON object per line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

try:
    from signalwire.relay import RelayClient, RelayError
except ImportError:
    from signalwire_agents.relay import RelayClient, RelayError

WAIT_S = 20


def say(event: str, **more: Any) -> None:
    print(json.dumps({"event": event, **more}), flush=True)


def tts(text: str) -> dict[str, Any]:
    return {"type": "tts", "params": {"text": text}}


def phone(number: str, **more: Any) -> dict[str, Any]:
    return {"type": "phone", "params": {"to_number": number, "from_number": "+15550002", **more}}


def params(event: Any) -> Any:
    return event.params if event is not None else None


def watch(call: Any, *kinds: str) -> None:
    for kind in kinds:
        call.on(kind, lambda event: say("told", kind=event.event_type, params=event.params))


async def done(name: str, action: Any) -> Any:
    event = await action.wait(WAIT_S)
    say(name, params=params(event))
    return event


async def voice(call: Any, given: dict[str, Any]) -> None:
    """Play, ask for digits, collect digits."""
    await call.answer()
    media = [
        tts("Hello there"),
        {"type": "audio", "params": {"url": given["audio"]}},
        {"type": "silence", "params": {"duration": 0.3}},
    ]
    await done("play", await call.play(media))
    digits = {"max": 3, "digit_timeout": 2.0, "terminators": "#"}
    await done("asked", await call.play_and_collect([tts("Press two keys")], {"digits": digits}))
    await done("collect", await call.collect(digits={"max": 2}, initial_timeout=10.0))
    await call.hangup()
    say("ended", params=params(await call.wait_for_ended(WAIT_S)))


async def media(call: Any, given: dict[str, Any]) -> None:
    """Record, detect, send digits, tap, hold."""
    await call.answer()
    detect = await call.detect({"type": "machine", "params": {}}, timeout=10.0)
    say("detecting")
    await done("detect", detect)
    record = await call.record({"format": "wav", "direction": "speak", "end_silence_timeout": 1.0})
    say("recording")
    await done("record", record)
    device = {"type": "rtp", "params": {"addr": "127.0.0.1", "port": given["port"]}}
    tap = await call.tap({"type": "audio", "params": {"direction": "speak"}}, device)
    say("tapping")
    await asyncio.sleep(1.5)
    await tap.stop()
    await done("tap", tap)
    watch(call, "calling.call.send_digits")
    await call.send_digits("159")
    await call.wait_for("calling.call.send_digits", lambda event: True, WAIT_S)
    say("sent")
    await call.hold()
    await asyncio.sleep(1.0)
    say("held")
    await call.unhold()
    await done("play", await call.play([tts("Back again")]))
    await call.hangup()
    say("ended", params=params(await call.wait_for_ended(WAIT_S)))


async def connect(call: Any, given: dict[str, Any]) -> None:
    await call.answer()
    watch(call, "calling.call.connect")
    await call.connect([[phone(given["to"], timeout=10)]], ringback=[tts("Please wait")])
    say("ended", params=params(await call.wait_for_ended(WAIT_S)))


async def agent(call: Any, given: dict[str, Any]) -> None:
    await call.answer()
    ai = await call.ai(
        prompt={"text": "You sell tickets."},
        ai_params={"static_greeting": "Welcome", "end_of_speech_timeout": 400},
    )
    say("ai")
    await asyncio.sleep(given.get("pause", 1.5))
    await call.ai_message(role="system", message_text=given["whisper"])
    say("whispered")
    await asyncio.sleep(given.get("pause", 1.5))
    await ai.stop()
    await done("ai_over", ai)
    await done("play", await call.play([tts("The agent is gone")]))
    await call.transfer(given["dest"])
    say("ended", params=params(await call.wait_for_ended(WAIT_S)))


async def open_actions(call: Any, given: dict[str, Any]) -> None:
    """Everything is open when the far party hangs up; nothing may wait for ever."""
    await call.answer()
    actions = {
        "play": await call.play([{"type": "silence", "params": {"duration": 60}}]),
        "collect": await call.collect(digits={"max": 4}, initial_timeout=60.0),
        "record": await call.record({"format": "wav", "end_silence_timeout": 0}),
        "detect": await call.detect({"type": "digit", "params": {}}, timeout=60.0),
        "tap": await call.tap(
            {"type": "audio", "params": {"direction": "both"}},
            {"type": "rtp", "params": {"addr": "127.0.0.1", "port": given["port"]}},
        ),
    }
    say("open")
    for name, action in actions.items():
        await done(name, action)
    say("ended", params=params(await call.wait_for_ended(WAIT_S)))


async def stay(call: Any, given: dict[str, Any]) -> None:
    """Play something long, and wait to be killed."""
    await call.answer()
    action = await call.play([tts("This is a very long text. " * given.get("times", 20))])
    say("playing")
    await action.wait()


async def inbound(scene: Any, host: str, given: dict[str, Any]) -> None:
    client = RelayClient(project="p1", token="t1", host=host, contexts=["office"])
    over = asyncio.Event()

    @client.on_call
    async def handle(call: Any) -> None:
        try:
            await scene(call, given)
        except Exception as error:
            say("failed", why=f"{type(error).__name__}: {error}")
            raise
        finally:
            over.set()

    await client.connect()
    say("connected")
    await over.wait()
    await client.disconnect()


async def dial(host: str, given: dict[str, Any]) -> None:
    """Dial groups of numbers; speak to who answers."""
    client = RelayClient(project="p1", token="t1", host=host, contexts=["office"])
    await client.connect()
    say("connected")
    limit_s = given.get("timeout", 10)
    devices = [[phone(number, timeout=limit_s) for number in group] for group in given["to"]]
    try:
        call = await client.dial(devices, dial_timeout=WAIT_S)
    except (TimeoutError, RelayError) as error:
        say("refused", why=f"{type(error).__name__}: {error}")
    else:
        say("dialled", call_id=call.call_id, state=call.state, device=call.device)
        await done("play", await call.play([tts("Hello from the machine")]))
        await call.hangup()
        say("ended", params=params(await call.wait_for_ended(WAIT_S)))
    await client.disconnect()


SCENES = {each.__name__: each for each in (voice, media, connect, agent, open_actions, stay)}

if __name__ == "__main__":
    name, place = sys.argv[1:3]
    data = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    if name == "dial":
        asyncio.run(dial(place, data))
    else:
        asyncio.run(inbound(SCENES[name], place, data))
