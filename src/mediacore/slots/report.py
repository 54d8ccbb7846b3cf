"""What a driver says about each attempt on a provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from mediacore.errors import ErrorClass


class Outcome(StrEnum):
    """How an attempt ended."""

    OK = "ok"
    FAILED = "failed"
    CLOSED = "closed"  # by whoever was reading
    SKIPPED = "skipped"  # the provider rests after failures


class NextStep(StrEnum):
    """What the driver did after an attempt."""

    NOTHING = "nothing"
    RETRY = "retry"
    FALLBACK = "fallback"
    RAISE = "raise"


@dataclass(frozen=True, slots=True)
class CallTiming:
    """Stamps of one attempt, on the driver's clock. first_us: first useful output, None if none."""

    started_us: int
    first_us: int | None
    ended_us: int

    @property
    def first_ms(self) -> int | None:
        """Milliseconds until the first useful output (TTFB)."""
        return None if self.first_us is None else (self.first_us - self.started_us) // 1000

    @property
    def total_ms(self) -> int:
        """Milliseconds from start to end; time the reader took is included."""
        return (self.ended_us - self.started_us) // 1000


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """One attempt on one provider. Holds nothing that a caller said.

    slot: `stt`, `llm`, `tts` or `turn`. number: 1 for the run's first attempt. error, detail: set
    when it failed. events: events handed on. clean: the provider closed in time and without error.
    """

    slot: str
    provider: str
    number: int
    outcome: Outcome
    timing: CallTiming
    events: int = 0
    error: ErrorClass | None = None
    detail: str = ""
    then: NextStep = NextStep.NOTHING
    clean: bool = True


OnReport = Callable[[AttemptReport], None]
Clock = Callable[[], int]
"""Monotonic microseconds."""


def no_report(_: AttemptReport) -> None:
    """For those who do not want reports."""
