"""Figures drawn from a record: latency stages, percentiles, words on the time line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mediacore.call.record import (
    CallRecord,
    LatencyStamps,
    MarkKind,
    Speaker,
    Turn,
    UtteranceRecord,
)
from mediacore.units import samples_to_ms

STAGES: Final = (
    ("endpoint", "Endpointing", "the turn is decided to be over"),
    ("stt", "Recognition", "its text is final"),
    ("model", "First token", "the model's first text"),
    ("phrase", "First phrase", "enough text to speak"),
    ("tts", "First audio", "first audio of the phrase"),
    ("wire", "On the wire", "first agent sample sent"),
)
"""Name, label and meaning of each stage, in order."""


@dataclass(frozen=True, slots=True)
class StageBar:
    """One stage of an answer, µs after the caller's last sample. known: it has a stamp."""

    name: str
    label: str
    start_us: int
    end_us: int
    known: bool

    @property
    def length_us(self) -> int:
        """How much the stage added to the whole."""
        return self.end_us - self.start_us


def stage_bars(stamps: LatencyStamps) -> tuple[StageBar, ...]:
    """All stages end to end. A stage done before its predecessor added nothing: length 0."""
    ends = (
        stamps.endpoint_us,
        stamps.stt_final_us,
        stamps.reply_first_token_us,
        stamps.first_phrase_us,
        stamps.tts_first_audio_us,
        stamps.first_frame_out_us,
    )
    out: list[StageBar] = []
    at = 0
    for (name, label, _), end in zip(STAGES, ends, strict=True):
        until = at if end is None else max(at, end)
        out.append(StageBar(name, label, at, until, end is not None))
        at = until
    return tuple(out)


@dataclass(frozen=True, slots=True)
class Answer:
    """An agent turn that answered the caller."""

    turn: Turn
    bars: tuple[StageBar, ...]
    total_us: int
    gap_ms: int | None
    """Caller's last sample to the agent's first one, read off the recording's clock."""


def answers(record: CallRecord) -> tuple[Answer, ...]:
    """Every agent turn with latency stamps, in order."""
    out: list[Answer] = []
    for turn in record.turns:
        if turn.speaker is not Speaker.AGENT or turn.latency is None:
            continue
        bars = stage_bars(turn.latency)
        first = first_sample(turn)
        gap = (
            None
            if first is None
            else samples_to_ms(first - turn.latency.caller_end, record.srate_hz)
        )
        out.append(Answer(turn, bars, bars[-1].end_us, gap))
    return tuple(out)


def first_sample(turn: Turn) -> int | None:
    """First sample of an agent turn on the wire, None when nothing was played."""
    starts = [band.start for u in turn.utterances for band in u.playout]
    return min(starts, default=None)


def response_times_us(record: CallRecord) -> tuple[int, ...]:
    """Caller's last sample to the agent's first one, of every answer that reached the wire."""
    return tuple(a.total_us for a in answers(record) if a.bars[-1].known)


def percentile(values: Sequence[int], percent: int) -> int | None:
    """Nearest-rank percentile; None of nothing."""
    if not values:
        return None
    rank = max(1, -(-percent * len(values) // 100))
    return sorted(values)[rank - 1]


def cut_times_ms(record: CallRecord) -> tuple[int, ...]:
    """Caller's onset to silence, of every cut and pause that carries it."""
    kinds = (MarkKind.CUT, MarkKind.PAUSE)
    return tuple(m.took_ms for m in record.marks if m.kind in kinds and m.took_ms is not None)


def on_wire(utterance: UtteranceRecord, position: int) -> int | None:
    """Where sample `position` of an utterance was on the transmit clock; None: never sent.

    Exact when nothing was replayed after a pause.
    """
    left = position
    for band in utterance.playout:
        if left < band.end - band.start:
            return band.start + left
        left -= band.end - band.start
    return None


def clock(samples: int, srate_hz: int) -> str:
    """A position as m:ss.mmm."""
    ms = samples_to_ms(max(samples, 0), srate_hz)
    return f"{ms // 60000}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"


def length(ms: int) -> str:
    """A length of time in the unit that reads best."""
    if ms < 1000:
        return f"{ms} ms"
    if ms < 60000:
        return f"{ms / 1000:.1f} s"
    return f"{ms // 60000} min {ms // 1000 % 60:02d} s"
