"""One service behind every listener: phones, streams, Asterisk and a browser get the same call.

All callers call at once. Each hears the greeting, asks, interrupts the long answer by speech,
presses a key and hangs up; then each calls again and is hung up on. What the ledger says they
heard is compared with what reached their ears.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import correlate

pytest.importorskip("aiortc")  # one of the callers is a browser

from mediacore.call.record import Accuracy, CallRecord, MarkKind, Speaker, Turn
from mediacore.providers.scripted import End, Say
from support.callers import CALLERS, TRACK_HZ, AudioSocketCaller, Caller
from support.house_stage import MS_PER_CHAR, CarpetTts, EachStt, HouseStage, carpet
from support.peers.sipp import Result, Sipp, call_with_audio
from support.peers.speech import Samples, padded, prompt, similarity
from support.sip_stage import blocking

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]

GREETING = "Hello this is the box office"
ANSWER = (
    "We have seats in the stalls and in the circle and also in the upper balcony tonight and some "
    "more of them in the boxes at both sides of the stage for those who come early"
)
SORRY = "Of course"
BYE = "Goodbye then"
TOML = """
[[sip.binds]]
transport = "UDP"
port = 0
[streams]
port = 0
[[streams.endpoint]]
dialect = "twilio"
[[streams.endpoint]]
dialect = "telnyx"
[[streams.endpoint]]
dialect = "vonage"
[[streams.endpoint]]
dialect = "chan_websocket"
path = "/asterisk"
[audiosocket]
port = 0
[webrtc]
port = 0
"""
WHERE = {
    "sip": "sip",
    "twilio": "streams /twilio",
    "telnyx": "streams /telnyx",
    "vonage": "streams /vonage",
    "audiosocket": "audiosocket",
    "chan_websocket": "streams /asterisk",
    "webrtc": "webrtc",
}
FACTS = {
    "sip": ("PCMU", Accuracy.EXACT),
    "twilio": ("PCMU", Accuracy.MARK_BOUNDED),
    "telnyx": ("L16LE", Accuracy.MARK_BOUNDED),
    "vonage": ("L16LE", Accuracy.MARK_BOUNDED),
    "audiosocket": ("L16", Accuracy.EXACT),
    "chan_websocket": ("L16LE", Accuracy.EXACT),
    "webrtc": ("opus", Accuracy.EXACT),
}
AI = {
    "prompt": {"text": "You sell seats."},
    "params": {
        "static_greeting": GREETING,
        "end_of_speech_timeout": 400,
        "attention_timeout": 0,
    },
}
TELL = {"event": {"headers": "%{call.headers}", "from": "%{call.from}", "to": "%{call.to}"}}
DOCUMENT = {
    "version": "1.0.0",
    "sections": {"main": [{"answer": {}}, {"user_event": TELL}, {"ai": AI}, {"hangup": {}}]},
}
NUMBERS = ("+15550100", "+15550199")
PARTIES = {
    "audiosocket": ("", str(AudioSocketCaller.uuid)),
    "chan_websocket": ("", ""),
    "webrtc": ("browser", "webrtc"),
}
"""From and to, where they are not NUMBERS."""
TOLD = {
    "sip": {},
    "twilio": {"tier": "gold", "call_id": "CA1", "stream_id": "MZ1"},
    "telnyx": {"tier": "gold", "call_id": "CA1", "stream_id": "MZ1"},
    "vonage": {"tier": "gold", "call_id": "CA1"},
    "audiosocket": {"audiosocket_uuid": str(AudioSocketCaller.uuid)},
    "chan_websocket": {"channel_id": "1.1", "connection_id": "c-1"},
    "webrtc": {},
}
FRAME_MS = 20
MARK_MS = 320
"""Marks go out every 240 ms at most, and the network takes 40 ms."""


@dataclass
class Run:
    """What came of all calls, by kind. told: what the document knew. left: sockets that nobody
    closed."""

    interrupted: dict[str, CallRecord] = field(default_factory=dict)
    ears: dict[str, Samples] = field(default_factory=dict)
    left_by_agent: dict[str, CallRecord] = field(default_factory=dict)
    last_heard: dict[str, Samples] = field(default_factory=dict)
    told: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    left: int = 0


def track(*pieces: Samples | float) -> Samples:
    """What a caller says. The greeting takes its first 1.6 s."""
    return padded(2.2, *pieces, srate_hz=TRACK_HZ)


def sockets() -> set[str]:
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            continue
    return {name for name in found if name.startswith("socket:")}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    before = sockets()
    result = Run()
    asyncio.run(_calls(tmp_path_factory.mktemp("house"), result))
    result.left = len(sockets() - before)
    return result


async def _calls(path: Path, result: Run) -> None:
    question = prompt("vm-msginstruct")[: int(1.2 * TRACK_HZ)]
    interruption = prompt("vm-msgsaved")[: int(1.2 * TRACK_HZ)]
    ears = EachStt(["which seats", "stop please"])
    stage = HouseStage(
        path,
        DOCUMENT,
        [("which", ANSWER), ("stop", SORRY), ("goodbye", [Say(BYE), End()])],
        toml=TOML,
        ears=ears,
        mouth=CarpetTts(),
    )
    async with stage, AsyncExitStack() as stack:
        asked = track(question, 3.2, interruption, 0.5)
        said_bye = track(prompt("goodbye"), 0.5)
        first = await _ready(stack, stage, path / "first", asked)
        second = await _ready(stack, stage, path / "second", said_bye)
        await asyncio.gather(*(_interrupt(caller, len(asked) / TRACK_HZ) for caller in first))
        await stage.until(lambda: len(stage.records) == len(first))
        result.interrupted = {record.transport.kind: record for record in stage.records}
        result.ears = {caller.kind: caller.heard() for caller in first}
        result.told = {
            kind: stage.of("user_event", record.call_id)[0]["event"]
            for kind, record in result.interrupted.items()
        }
        ears.script = ("goodbye",)
        await asyncio.gather(*(_be_left(caller) for caller in second))
        await stage.until(lambda: len(stage.records) == len(first) + len(second))
        result.last_heard = {caller.kind: caller.heard() for caller in second}
        result.left_by_agent = {r.transport.kind: r for r in stage.records[len(first) :]}


async def _ready(
    stack: AsyncExitStack, stage: HouseStage, folder: Path, said: Samples
) -> list[Caller]:
    folder.mkdir()
    callers = [
        each(stage.where[WHERE[kind]], said, folder / kind) for kind, each in CALLERS.items()
    ]
    return [await stack.enter_async_context(caller) for caller in callers]


async def _interrupt(caller: Caller, speaks_s: float) -> None:
    await caller.call()
    await asyncio.sleep(speaks_s + 2.0)
    if caller.keys:
        await caller.press("7")
        await asyncio.sleep(0.6)
    await caller.hang_up()


async def _be_left(caller: Caller) -> None:
    await caller.call()
    async with asyncio.timeout(20):
        await caller.gone()


def the_cut(record: CallRecord) -> Turn:
    (turn,) = (turn for turn in record.turns if turn.was_cut)
    return turn


def reached_ms(heard: Samples) -> float:
    """How much of the answer reached the ear before it broke off."""
    spoken = carpet(ANSWER)
    start = int(np.argmax(correlate(heard, spoken[:TRACK_HZ], mode="valid", method="fft")))
    rest = np.abs(heard[start : start + len(spoken)])
    loud = np.flatnonzero(rest[: len(rest) // 10 * 10].reshape(-1, 10).max(axis=1) > 0.01)
    breaks = np.flatnonzero(np.diff(loud) > 100)  # 125 ms of silence
    last = loud[breaks[0]] if len(breaks) else loud[-1]
    return float((last + 1) * 10_000 / TRACK_HZ)


@pytest.mark.parametrize("kind", CALLERS)
def test_the_caller_hears_the_voice_and_interrupts_it(run: Run, kind: str) -> None:
    record, heard = run.interrupted[kind], run.ears[kind]
    least = 0.6 if kind == "webrtc" else 0.98  # noise by opus
    assert similarity(carpet(GREETING), heard) > least
    assert similarity(carpet(ANSWER)[:TRACK_HZ], heard) > least
    assert similarity(carpet(SORRY), heard) > least
    said = [(turn.speaker, turn.heard_text) for turn in record.turns if turn.heard_text]
    agent, caller = Speaker.AGENT, Speaker.CALLER
    assert [speaker for speaker, _ in said[:5]] == [agent, caller, agent, caller, agent]
    assert said[5:] == ([(caller, "7")] if CALLERS[kind].keys else [])
    texts = [text for _, text in said]
    assert texts[:2] == [GREETING, "which seats"]
    assert texts[3:5] == ["stop please", SORRY]
    assert 10 < len(texts[2]) < len(ANSWER) - 10 and ANSWER.startswith(texts[2])
    cut = next(mark for mark in record.marks if mark.kind is MarkKind.PAUSE)
    assert cut.took_ms is not None and cut.took_ms < 200


@pytest.mark.parametrize("kind", CALLERS)
def test_the_ledger_knows_what_reached_the_ear(run: Run, kind: str) -> None:
    record, ms = run.interrupted[kind], reached_ms(run.ears[kind])
    turn = the_cut(record)
    sent_ms = sum(u.wire_samples for u in turn.utterances) * 1000 / record.srate_hz
    if record.transport.accuracy is Accuracy.EXACT:
        assert abs(ms - sent_ms) <= FRAME_MS + (FRAME_MS if kind == "webrtc" else 0)
    else:
        assert -MARK_MS <= ms - sent_ms <= FRAME_MS
    reached = len(ANSWER[: round(ms / MS_PER_CHAR)].split())
    assert abs(len(turn.heard_text.split()) - reached) <= 1, (ms, turn.heard_text)


@pytest.mark.parametrize("kind", CALLERS)
def test_the_record_says_how_the_call_travelled(run: Run, kind: str) -> None:
    for record in (run.interrupted[kind], run.left_by_agent[kind]):
        facts = record.transport
        assert (facts.codec, facts.accuracy) == FACTS[kind]
        assert record.end_reason == "hangup"
        assert record.errors == ()
    digits = [m.label for m in run.interrupted[kind].marks if m.kind is MarkKind.DIGIT]
    assert digits == (["7"] if CALLERS[kind].keys else [])


@pytest.mark.parametrize("kind", CALLERS)
def test_the_document_knows_who_calls(run: Run, kind: str) -> None:
    told = run.told[kind]
    assert (told["from"], told["to"]) == PARTIES.get(kind, NUMBERS)
    headers = {each["name"].lower(): each["value"] for each in told["headers"]}
    expected = {name.lower(): value for name, value in TOLD[kind].items()}
    assert expected.items() <= headers.items()


@pytest.mark.parametrize("kind", CALLERS)
def test_the_agent_hangs_up_after_its_last_word(run: Run, kind: str) -> None:
    said = [turn.heard_text for turn in run.left_by_agent[kind].turns if turn.heard_text]
    assert said == [GREETING, "goodbye", BYE]
    least = 0.6 if kind == "webrtc" else 0.98
    assert similarity(carpet(BYE), run.last_heard[kind]) > least


@pytest.mark.parametrize("kind", ["audiosocket", "webrtc"])
def test_there_is_time_for_the_last_word(run: Run, kind: str) -> None:
    """What was said last must not be lost in a jitter buffer that we do not see."""
    heard = run.last_heard[kind]
    last = np.flatnonzero(np.abs(heard) > 0.02)[-1]
    assert len(heard) - last > TRACK_HZ // 10


SIP_HEADERS = {
    "P-Asserted-Identity": '"Ann" <sip:+15550100@example.com>',
    "Diversion": "<sip:+15550177@example.com>;reason=unconditional",
    "X-Tier": "gold",
}


def test_a_document_reads_the_headers_of_an_invite(tmp_path: Path) -> None:
    more = "".join(f"{name}: {value}\n" for name, value in SIP_HEADERS.items())
    more += "Authorization-Info: not for documents\n"
    scenario = call_with_audio(None, 500).replace("Max-Forwards: 70\n", "Max-Forwards: 70\n" + more)
    document = {
        "version": "1.0.0",
        "sections": {"main": [{"answer": {}}, {"user_event": TELL}, {"sleep": -1}]},
    }

    async def main() -> None:
        async with HouseStage(tmp_path, document, toml=TOML) as stage:

            def work() -> Result:
                with Sipp(stage.where["sip"], scenario, tmp_path / "sipp") as sipp:
                    return sipp.wait(20)

            assert (await blocking(work)).successful == 1
            (event,) = stage.of("user_event")
            await stage.record()
        told = {each["name"]: each["value"] for each in event["event"]["headers"]}
        assert told == SIP_HEADERS

    asyncio.run(main())


def test_nothing_is_left(run: Run) -> None:
    assert run.left == 0
