"""The engine's own share of the answer's latency: a real call owner, scripted providers, real time.

Two beginnings. The owner's: the end of speech as the detector sees it, on the receive clock. The
wire's: the frame in which the caller's speech sinks below the noise floor, as the caller sends it;
packet transit, jitter buffer and the detector's error come on top. Both end with the tick that
sends the agent's first sample, and both legs are opened in one tick of one engine, so that their
clocks are one. Subtracted: the endpointing wait, in which recognition and reply run, and the time
that the synthesiser is told to take, which comes after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Final

from mediacore import _core
from mediacore._core import Engine
from mediacore.bench.figures import percentile
from mediacore.bench.sound import (
    FRAME,
    NOISE_SHARE,
    SRATE_HZ,
    Recording,
    add,
    end_over,
    noise,
    shipped_callers,
    speech_level,
)
from mediacore.call import CallSettings
from mediacore.call.record import CallRecord, Speaker, TransportFacts
from mediacore.evals.caller import Line, ScriptedCaller, caller_leg
from mediacore.media import LegConfig, Tap
from mediacore.providers.scripted import (
    End,
    Heard,
    Part,
    Say,
    ScriptedLlm,
    ScriptedStt,
    ScriptedTts,
    Voice,
)
from mediacore.session.hub import MediaHub
from mediacore.session.owner import CallOptions, CallOwner
from mediacore.session.parts import CallParts
from mediacore.slots.driver import LlmDriver, SttDriver, TtsDriver
from mediacore.transports.files import AudioFile
from mediacore.transports.rtp import RtpTransport, bind_rtp
from mediacore.units import TICK_MS

_CALLS: Final = 4
_SETTINGS: Final = CallSettings()
_QUESTION: Final = "Where is my order?"  # looks complete: the wait is complete_ms
_ANSWER: Final = "On its way now."
_TTS_MS: Final = 20
_SHORT: Final = SRATE_HZ  # recordings up to so long
_AFTER: Final = SRATE_HZ * 3 // 5  # noise behind a line
_LIMIT_S: Final = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """The engine's share, ms. end_error_ms: how much later the detector puts the end of speech
    than the energy does, jitter buffer and transit included."""

    wire_ms: float
    owner_ms: float
    end_error_ms: float


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A line as the caller sends it. end: sample behind its last speech."""

    pcm: bytes
    end: int


def measure_answers(turns: int) -> dict[str, float]:
    """So many turns, in several calls at once when there are enough."""
    calls = _CALLS if turns >= 2 * _CALLS else 1
    answers = asyncio.run(_measure(calls, turns // calls))
    owner = [a.owner_ms for a in answers]
    wire = [a.wire_ms for a in answers]
    return {
        "engine_response_p50_ms": percentile(owner, 50),
        "engine_response_p95_ms": percentile(owner, 95),
        "engine_response_max_ms": max(owner),
        "engine_response_wire_p50_ms": percentile(wire, 50),
        "engine_response_wire_p95_ms": percentile(wire, 95),
        "speech_end_seen_p50_ms": percentile([a.end_error_ms for a in answers], 50),
        "engine_response_turns": len(owner),
    }


async def _measure(calls: int, turns: int) -> list[Answer]:
    short = [r for r in shipped_callers() if r.end - r.onset <= _SHORT]
    rng = Random(5)
    lines = [
        [_spoken(short[(n + call) % len(short)], rng) for n in range(turns)]
        for call in range(calls)
    ]
    with MediaHub(Engine()) as hub:
        pairs = [_open(hub, n, lines[n]) for n in range(calls)]
        async with asyncio.timeout(_LIMIT_S), asyncio.TaskGroup() as group:
            tasks = [group.create_task(owner.run()) for owner, _ in pairs]
            for _, caller in pairs:
                group.create_task(caller.run())
            await asyncio.sleep(0)  # all listen to their legs
            hub.start(realtime=True)
    answers: list[Answer] = []
    for task, (_, caller), said in zip(tasks, pairs, lines, strict=True):
        answers += _judge(task.result(), caller.spoken, said)
    return answers


def _spoken(rec: Recording, rng: Random) -> _Spoken:
    shift = rng.randrange(FRAME)
    clean = bytes(2 * shift) + rec.pcm + bytes(2 * _AFTER)
    rms = NOISE_SHARE * speech_level(rec)
    return _Spoken(add(clean, noise(rng, len(clean) // 2, rms)), shift + end_over(rec, rms))


def _open(hub: MediaHub, n: int, lines: Sequence[_Spoken]) -> tuple[CallOwner, ScriptedCaller]:
    agent = bind_rtp(RtpTransport(leg=LegConfig(taps=Tap.RX)), seed=2 * n + 1)
    transport = RtpTransport(remote=agent.local, leg=caller_leg(LegConfig()))
    far = bind_rtp(transport, seed=2 * n + 2)
    leg, caller_side = hub.engine.open_leg(agent.config), hub.engine.open_leg(far.config)
    options = CallOptions(f"bench{n}", datetime.now(UTC), TransportFacts("rtp", "PCMU"))
    owner = CallOwner(hub, leg, _parts(len(lines)), options, _core.now_us)
    spoken = [Line(AudioFile(r.pcm, SRATE_HZ)) for r in lines]
    spoken[0] = replace(spoken[0], wait_s=0.5 + 0.013 * n)
    return owner, ScriptedCaller(hub, caller_side, spoken)


def _parts(turns: int) -> CallParts:
    replies: list[Sequence[Part]] = [(Say(_ANSWER),) for _ in range(turns - 1)]
    replies.append((Say(_ANSWER), End()))
    clock = _core.now_us
    return CallParts(
        SttDriver([ScriptedStt([Heard(_QUESTION, final_delay_ms=40)] * turns)], clock),
        LlmDriver([ScriptedLlm(replies, first_delay_ms=20, word_delay_ms=2)], clock),
        TtsDriver([ScriptedTts((Voice(first_delay_ms=_TTS_MS),))], clock),
        settings=_SETTINGS,
    )


def _judge(record: CallRecord, spoken: Sequence[int], lines: Sequence[_Spoken]) -> list[Answer]:
    turns = [t for t in record.turns if t.speaker is Speaker.AGENT and t.latency is not None]
    if len(turns) != len(lines) or len(spoken) != len(lines):
        raise RuntimeError(f"not a measurement: {len(turns)} answers to {len(lines)} lines")
    wait_ms = _SETTINGS.turn.complete_ms + _TTS_MS
    out: list[Answer] = []
    for turn, began, line in zip(turns, spoken, lines, strict=True):
        first = turn.utterances[0].playout[0].start
        end = began + line.end
        seen = turn.latency.caller_end if turn.latency is not None else 0
        out.append(
            Answer(
                wire_ms=(first // FRAME - (end - 1) // FRAME) * TICK_MS - wait_ms,
                owner_ms=(first - seen) * 1000 / SRATE_HZ - wait_ms,
                end_error_ms=(seen - end) * 1000 / SRATE_HZ,
            )
        )
    return out
