"""How fast the agent falls silent: the caller's onset to silence, decision to last sample.

Three runs. Interruptions in virtual time over a memory link: many recordings, phases and both
policies. In real time over UDP while Python is blocked. And a real call owner with scripted
providers, for the engine's own share of the answer's latency (`answering`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from mediacore._core import Codec, Engine, Leg
from mediacore.app_options import BenchOptions
from mediacore.bench.answering import measure_answers
from mediacore.bench.blocked import measure_blocked
from mediacore.bench.figures import percentile
from mediacore.bench.rtp import build, parse
from mediacore.bench.sound import (
    FRAME,
    NOISE_SHARE,
    SILENT_CODE,
    SRATE_HZ,
    Code,
    Recording,
    add,
    audible,
    human_prompts,
    noise,
    shipped_callers,
    speech_level,
)
from mediacore.call.settings import INTERRUPTIBLE
from mediacore.events import (
    MediaEvent,
    PlayoutCut,
    PlayoutPaused,
    SpeechStarted,
)
from mediacore.media import BargeAction, BargeIn, LegConfig

CUT: Final = BargeIn(action=BargeAction.CUT)
POLICIES: Final = {"pause": INTERRUPTIBLE, "cut": CUT}
TICK_MS: Final = 20
TICK_US: Final = 20_000
_PRE_ROLL: Final = SRATE_HZ * 3 // 2  # noise only, before the recording
_SPEECH: Final = 3 * SRATE_HZ  # so much of a recording, from its onset
_TALK_TICK: Final = 10  # the agent begins


@dataclass(frozen=True, slots=True)
class Case:
    """One interruption. wire: the caller's µ-law stream; onset: sample of it where speech begins.
    arrival_us: how long before its tick a packet comes in."""

    wire: bytes
    onset: int
    arrival_us: int
    policy: BargeIn


@dataclass(frozen=True, slots=True)
class Outcome:
    """onset_to_silence_ms: None when the agent was not stopped. decision_to_last_ms: from the
    tick in which speech was detected to the end of the last audible sample. early: the agent was
    stopped before the onset by energy, which a soft consonant may precede; no time is taken."""

    onset_to_silence_ms: float | None
    decision_to_last_ms: float | None
    early: bool = False


def run(options: BenchOptions) -> dict[str, float]:
    """Measure. See benchmarks/README.md for the figures."""
    rng = Random(7)
    phases, human_limit = (3, 12) if options.quick else (20, 80)
    shipped, human = shipped_callers(), human_prompts(human_limit)
    figures: dict[str, float] = {}
    everything: list[Outcome] = []
    for name, recs in (("synthetic", shipped), ("human", human)):
        options.progress(f"{len(recs)} {name} recordings, {phases} phases, pause and cut")
        outcomes = [
            interrupt(case)
            for rec in recs
            for _ in range(phases)
            for policy in POLICIES.values()
            for case in (make_case(rec, policy, rng),)
        ]
        everything += outcomes
        if recs:
            figures |= _onset_figures(f"{name}_", outcomes)
    decisions = [o.decision_to_last_ms for o in everything if o.decision_to_last_ms is not None]
    figures = {
        **_onset_figures("", everything),
        "decision_to_last_sample_max_ms": max(decisions),
        "interruptions": len(everything),
        "missed": sum(o.onset_to_silence_ms is None and not o.early for o in everything),
        "stopped_before_energy_onset": sum(o.early for o in everything),
        "false_stops_in_noise": false_stops(rng, 3 if options.quick else 30),
        "synthetic_recordings": len(shipped),
        "human_prompts": len(human),
        **figures,
    }
    blocked = 2 if options.quick else 6
    options.progress(f"{blocked} interruptions in real time while Python is blocked")
    figures |= measure_blocked(shipped, blocked)
    turns = 3 if options.quick else 12
    options.progress(f"{turns} turns in real time through the call owner")
    return figures | measure_answers(turns)


def _onset_figures(prefix: str, outcomes: list[Outcome]) -> dict[str, float]:
    times = [o.onset_to_silence_ms for o in outcomes if o.onset_to_silence_ms is not None]
    return {
        f"{prefix}onset_to_silence_p50_ms": percentile(times, 50),
        f"{prefix}onset_to_silence_p95_ms": percentile(times, 95),
        f"{prefix}onset_to_silence_max_ms": max(times, default=math.nan),
    }


def make_case(rec: Recording, policy: BargeIn, rng: Random) -> Case:
    """The recording over a noise floor, at a random place in the frame and in the tick."""
    shift = rng.randrange(FRAME)
    samples = _PRE_ROLL + rec.onset + _SPEECH
    samples += -samples % FRAME
    clean = (bytes(2 * (_PRE_ROLL + shift)) + rec.pcm)[: 2 * samples].ljust(2 * samples, b"\0")
    pcm = add(clean, noise(rng, samples, NOISE_SHARE * speech_level(rec)))
    codec = Codec("PCMU")
    wire = b"".join(codec.encode(pcm[i : i + 8000]) for i in range(0, len(pcm), 8000))
    return Case(wire, _PRE_ROLL + shift + rec.onset, rng.randrange(TICK_US), policy)


def false_stops(rng: Random, runs: int) -> int:
    """How often stationary noise at several levels stops the agent, in so many runs of 20 s."""
    codec = Codec("PCMU")
    stops = 0
    for n in range(runs):
        rms = 32768 * 10 ** (-(30 + 10 * (n % 3)) / 20)
        samples = 20 * SRATE_HZ
        pcm = noise(rng, samples, rms).tobytes()
        wire = b"".join(codec.encode(pcm[i : i + 8000]) for i in range(0, len(pcm), 8000))
        stops += interrupt(Case(wire, samples, 0, CUT)).early
    return stops


def interrupt(case: Case) -> Outcome:
    """Run one call in virtual time."""
    with Engine() as engine:
        leg = engine.open_leg(LegConfig(seed=1))
        leg.arm(case.policy)
        sent, events = bytearray(), list[MediaEvent]()
        for tick, packet in enumerate(_packets(case.wire)):
            if tick == _TALK_TICK:
                leg.begin(1, 1)
            if tick >= _TALK_TICK:
                _feed(leg, tick - _TALK_TICK)
            leg.push_packet(packet)
            engine.tick(1_000_000 + tick * TICK_US)
            datagram = leg.pull_packet()
            answer = parse(datagram) if datagram is not None else None
            sent += answer.payload if answer is not None else bytes([SILENT_CODE]) * FRAME
            events += engine.poll()
    return judge(case, bytes(sent), events)


def judge(case: Case, sent: bytes, events: list[MediaEvent]) -> Outcome:
    """Times from the capture. Packet k of the caller comes in `arrival_us` before tick k and holds
    the 20 ms before that; packet k of the agent goes out in tick k and is heard from then on."""
    heard = audible(sent)
    start = heard.find(1)
    silence = heard.find(0, start)
    onset_ms = case.onset * 1000 / SRATE_HZ - TICK_MS - case.arrival_us / 1000
    stops = [e for e in events if isinstance(e, PlayoutPaused | PlayoutCut)]
    if silence < 0 or not stops:
        return Outcome(None, None)
    silence_ms = silence * 1000 / SRATE_HZ
    decision = next(e.tick for e in events if isinstance(e, SpeechStarted))
    opened = events[0].tick
    return Outcome(
        onset_to_silence_ms=None if silence_ms < onset_ms else silence_ms - onset_ms,
        decision_to_last_ms=silence_ms - (decision - opened) * TICK_MS,
        early=silence_ms < onset_ms,
    )


def _packets(wire: bytes) -> Iterator[bytes]:
    for n in range(len(wire) // FRAME):
        yield build(0, n, n * FRAME, wire[n * FRAME : (n + 1) * FRAME])


_CODE: Final = Code(30 * SRATE_HZ)


def _feed(leg: Leg, tick: int) -> None:
    """Keep half a second of audio ahead."""
    ahead = 25
    start = 0 if tick == 0 else (tick + ahead) * FRAME
    end = (tick + ahead + 1) * FRAME
    leg.say(_CODE.pcm[2 * start : 2 * end])
