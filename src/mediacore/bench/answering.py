"""The engine's own share of the answer's latency: a real call owner, scripted providers, real time.

Response: from the tick in which the caller sends the last frame with speech in it to the tick that
sends the agent's first sample. Both legs are opened in one tick of one engine, so their clocks are
one. The endpointing wait is subtracted; the providers' chain is shorter than that and runs inside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from mediacore import _core
from mediacore._core import Engine
from mediacore.bench.figures import percentile
from mediacore.bench.sound import FRAME, SRATE_HZ, Recording, shipped_callers
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
_SHORT: Final = SRATE_HZ  # recordings up to so long
_LIMIT_S: Final = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """wire_ms: last speech frame to first agent sample, endpointing wait taken off. owner_ms: the
    same from the end of speech as the detector saw it, behind the jitter buffer."""

    wire_ms: float
    owner_ms: float


def measure_answers(turns: int) -> dict[str, float]:
    """So many turns, in several calls at once when there are enough."""
    calls = _CALLS if turns >= 2 * _CALLS else 1
    answers = asyncio.run(_measure(calls, turns // calls))
    wire = [a.wire_ms for a in answers]
    return {
        "engine_response_p50_ms": percentile(wire, 50),
        "engine_response_p95_ms": percentile(wire, 95),
        "engine_response_max_ms": max(wire),
        "engine_response_after_jitter_buffer_p95_ms": percentile([a.owner_ms for a in answers], 95),
        "engine_response_turns": len(wire),
    }


async def _measure(calls: int, turns: int) -> list[Answer]:
    short = [r for r in shipped_callers() if r.end - r.onset <= _SHORT]
    lines = [short[n % len(short)] for n in range(turns)]
    with MediaHub(Engine()) as hub:
        pairs = [_open(hub, n, lines) for n in range(calls)]
        hub.start(realtime=True)
        async with asyncio.timeout(_LIMIT_S), asyncio.TaskGroup() as group:
            tasks = []
            for owner, caller in pairs:
                tasks.append(group.create_task(owner.run()))
                group.create_task(caller.run())
                await asyncio.sleep(0.013)
    answers: list[Answer] = []
    for task, (_, caller) in zip(tasks, pairs, strict=True):
        answers += _judge(task.result(), caller.spoken, lines)
    return answers


def _open(hub: MediaHub, n: int, lines: Sequence[Recording]) -> tuple[CallOwner, ScriptedCaller]:
    agent = bind_rtp(RtpTransport(leg=LegConfig(taps=Tap.RX)), seed=2 * n + 1)
    transport = RtpTransport(remote=agent.local, leg=caller_leg(LegConfig()))
    far = bind_rtp(transport, seed=2 * n + 2)
    leg, caller_side = hub.engine.open_leg(agent.config), hub.engine.open_leg(far.config)
    options = CallOptions(f"bench{n}", datetime.now(UTC), TransportFacts("rtp", "PCMU"))
    owner = CallOwner(hub, leg, _parts(len(lines)), options, _core.now_us)
    spoken = [Line(AudioFile(r.pcm, SRATE_HZ)) for r in lines]
    spoken[0] = replace(spoken[0], wait_s=0.5)
    return owner, ScriptedCaller(hub, caller_side, spoken)


def _parts(turns: int) -> CallParts:
    replies: list[Sequence[Part]] = [(Say(_ANSWER),) for _ in range(turns - 1)]
    replies.append((Say(_ANSWER), End()))
    clock = _core.now_us
    return CallParts(
        SttDriver([ScriptedStt([Heard(_QUESTION)] * turns)], clock),
        LlmDriver([ScriptedLlm(replies)], clock),
        TtsDriver([ScriptedTts((Voice(),))], clock),
        settings=_SETTINGS,
    )


def _judge(record: CallRecord, spoken: Sequence[int], lines: Sequence[Recording]) -> list[Answer]:
    turns = [t for t in record.turns if t.speaker is Speaker.AGENT and t.latency is not None]
    if len(turns) != len(lines) or len(spoken) != len(lines):
        raise RuntimeError(f"not a measurement: {len(turns)} answers to {len(lines)} lines")
    wait_ms = _SETTINGS.turn.complete_ms
    out: list[Answer] = []
    for turn, began, rec in zip(turns, spoken, lines, strict=True):
        first = turn.utterances[0].playout[0].start
        last_frame = (began + rec.end - 1) // FRAME
        seen = turn.latency.caller_end if turn.latency is not None else 0
        out.append(
            Answer(
                wire_ms=(first // FRAME - last_frame) * TICK_MS - wait_ms,
                owner_ms=(first - seen) * 1000 / SRATE_HZ - wait_ms,
            )
        )
    return out
