"""One leg in virtual time, all that can go wrong with an utterance, and what was on the wire.

The speech is coded (`sound.Code`), so the capture alone tells which samples went out: each audible
stretch is looked up in the code, without the core's word for anything.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from mediacore._core import Engine
from mediacore.bench.rtp import build, parse
from mediacore.bench.sound import FRAME, SILENT_CODE, SRATE_HZ, Code, audible
from mediacore.events import (
    MediaEvent,
    PlayoutCut,
    PlayoutEvent,
    UtteranceFinished,
    UtteranceRefused,
)
from mediacore.media import BargeIn, LegConfig

TICK_US: Final = 20_000
CODE: Final = Code(60 * SRATE_HZ)
_WINDOW: Final = 16  # samples that find their place in the code
_SIGN_WINDOW: Final = 24
_QUIET_TICKS: Final = 3  # after the end, to see that nothing follows
_LIMIT_TICKS: Final = 3000


@dataclass(frozen=True, slots=True)
class Piece:
    """Audio given to the core in the tick: the utterance's samples up to `end`."""

    tick: int
    end: int


@dataclass(frozen=True, slots=True)
class Step:
    """A command in the tick. what: "pause", "resume", "resume_mark", "cut"."""

    tick: int
    what: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One utterance. samples: its length; code_at: where in the code it is taken from. pieces: how
    the audio comes. marks: positions. steps: commands. policy: armed. speech: ticks in which the
    caller speaks."""

    samples: int
    code_at: int
    pieces: tuple[Piece, ...]
    marks: tuple[int, ...] = ()
    steps: tuple[Step, ...] = ()
    policy: BargeIn = field(default_factory=BargeIn)
    speech: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Truth:
    """From the capture. wire: audible samples. position: the furthest sample of the utterance,
    holes: samples before it that never went out. last_at: sample of the leg's clock behind the
    last audible one. unknown: audible samples of stretches too short to be found in the code
    (fewer than 24 samples, all faded)."""

    wire: int
    position: int
    holes: int
    last_at: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Played:
    """One utterance: what the core said and what the wire says."""

    plan: Plan
    events: tuple[PlayoutEvent, ...]
    end: PlayoutCut | UtteranceFinished | None
    truth: Truth


class Network:
    """The caller's packets on their way to the leg: lost, doubled, late, out of order."""

    def __init__(self, rng: Random, speech: bytes) -> None:
        self._rng = rng
        self._speech = speech
        self._at = 0
        self._seq = 0
        self._waiting: list[tuple[int, int, bytes]] = []

    def arrive(self, tick: int, speaks: bool) -> list[bytes]:
        """What comes in in this tick."""
        rng = self._rng
        payload = bytes([SILENT_CODE]) * FRAME
        if speaks:
            payload = self._speech[self._at : self._at + FRAME]
            self._at = (self._at + FRAME) % (len(self._speech) - FRAME)
        packet = build(0, self._seq, self._seq * FRAME, payload)
        self._seq += 1
        if rng.random() >= 0.03:
            for _ in range(2 if rng.random() < 0.02 else 1):
                due = tick + (rng.randrange(1, 4) if rng.random() < 0.05 else 0)
                heapq.heappush(self._waiting, (due, self._seq, packet))
        out: list[bytes] = []
        while self._waiting and self._waiting[0][0] <= tick:
            out.append(heapq.heappop(self._waiting)[2])
        return out


class Stage:
    """An engine with one leg, utterance after utterance."""

    def __init__(self, rng: Random, caller: bytes) -> None:
        """caller: µ-law speech of the far end."""
        self._engine = Engine()
        self._leg = self._engine.open_leg(LegConfig(seed=rng.randrange(1, 1 << 30)))
        self._network = Network(rng, caller)
        self._tick = 0
        self._sent = bytearray()
        self._utterance = 0
        self._generation = 1

    def close(self) -> None:
        """Free everything."""
        self._engine.close()

    def play(self, plan: Plan, on_piece: Callable[[Piece], None] | None = None) -> Played:
        """Run one utterance to its end. on_piece: told of each piece as it is given."""
        leg, start = self._leg, self._tick
        pcm = CODE.pcm[2 * plan.code_at : 2 * (plan.code_at + plan.samples)]
        pieces, steps, marks = list(plan.pieces), list(plan.steps), list(plan.marks)
        captured = len(self._sent)
        self._utterance += 1
        leg.arm(plan.policy)
        leg.begin(self._utterance, self._generation)
        made = given = mark = quiet = 0
        ended = False
        events: list[PlayoutEvent] = []
        end: PlayoutCut | UtteranceFinished | None = None
        over = False
        while quiet < _QUIET_TICKS:
            now = self._tick - start
            if now > _LIMIT_TICKS:
                raise RuntimeError("not a measurement: an utterance does not end")
            while pieces and pieces[0].tick <= now and not over:
                if on_piece is not None:
                    on_piece(pieces[0])
                made = pieces.pop(0).end
            if not over and not ended:
                given += leg.say(pcm[2 * given : 2 * made])
                while marks and marks[0] <= given:
                    mark += 1
                    leg.mark(mark, marks.pop(0))
            if not ended and (over or given == plan.samples):
                leg.end()
                ended = True
            while steps and steps[0].tick <= now:
                self._command(steps.pop(0).what)
            for event in self._advance(plan.speech[0] <= now < plan.speech[1]):
                if isinstance(event, PlayoutCut):
                    self._generation = event.next_generation
                if not isinstance(event, PlayoutEvent) or event.utterance != self._utterance:
                    continue
                events.append(event)
                over = over or isinstance(event, UtteranceRefused)
                if isinstance(event, PlayoutCut | UtteranceFinished):
                    end, over = event, True
            quiet = quiet + 1 if over and ended else 0
        truth = judge(bytes(self._sent[captured:]), CODE.wire, plan, captured)
        return Played(plan, tuple(events), end, truth)

    def _command(self, what: str) -> None:
        match what:
            case "pause":
                self._leg.pause()
            case "resume":
                self._leg.resume()
            case "resume_mark":
                self._leg.resume(from_mark=True)
            case "cut":
                self._leg.cut(self._generation)

    def _advance(self, speaks: bool) -> list[MediaEvent]:
        for packet in self._network.arrive(self._tick, speaks):
            self._leg.push_packet(packet)
        self._engine.tick(1_000_000 + self._tick * TICK_US)
        self._tick += 1
        frame = bytes([SILENT_CODE]) * FRAME
        while (datagram := self._leg.pull_packet()) is not None:
            sent = parse(datagram)
            if sent is not None:
                frame = sent.payload
        self._sent += frame
        return self._engine.poll()


def judge(sent: bytes, code: bytes, plan: Plan, captured_at: int) -> Truth:
    """Read a capture. captured_at: of its first sample, on the leg's clock."""
    heard = audible(sent)
    source = code[plan.code_at : plan.code_at + plan.samples]
    covered: list[tuple[int, int]] = []
    wire = unknown = last = at = 0
    while (start := heard.find(1, at)) >= 0:
        at = heard.find(0, start)
        at = len(heard) if at < 0 else at
        wire += at - start
        last = at
        begin = _place(sent[start:at], source)
        if begin is None:
            unknown += at - start
        else:
            covered.append((begin, begin + at - start))
    position = holes = 0
    for begin, end in sorted(covered):
        holes += max(begin - position, 0)
        position = max(position, end)
    return Truth(wire, position, holes, captured_at + last, unknown)


def _place(run: bytes, source: bytes) -> int | None:
    """Which sample of the utterance a stretch on the wire begins with; its ends may be faded.

    A fade changes the levels but not the signs, which place a stretch that is nothing but fades.
    """
    for offset in range(max(len(run) - _WINDOW + 1, 0)):
        found = source.find(run[offset : offset + _WINDOW])
        if found >= offset:
            return found - offset
    if len(run) < _SIGN_WINDOW:
        return None
    found = source.translate(_SIGNS).find(run.translate(_SIGNS))
    return found if found >= 0 else None


_SIGNS: Final = bytes(code >> 7 for code in range(256))
