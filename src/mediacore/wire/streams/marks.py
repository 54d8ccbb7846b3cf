"""Which marks are put on the wire, and what their echoes tell.

The leg reports a mark when its audio goes out. Not each becomes a wire mark: word marks come up
to several a second, so those that follow the last one too closely are left out, and where no
mark is due for a while one is made up. The name holds what was played: the utterance, the mark,
and a number that makes it unique. What is known of a word is bounded by the marks around it.

sent ──────── lag ────────► echo          lag = far buffer + the way there and back
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

MAX_PENDING: Final = 64
MAX_LAG_US: Final = 10_000_000
_WEIGHT: Final = 4  # of the old estimate, against 1 of the new lag


@dataclass(frozen=True, slots=True)
class HeardMark:
    """A mark of an utterance; mark 0 = its end."""

    utterance: int
    mark: int


@dataclass(frozen=True, slots=True)
class MarkBounds:
    """heard: the last mark known to be played. next: the first on the wire that is not; None =
    nothing is pending."""

    heard: HeardMark | None
    next: HeardMark | None


@dataclass(slots=True)
class _Pending:
    point: HeardMark | None  # None = made up
    sent_us: int


class MarkBook:
    """The marks of one stream. gap_us: between two word marks at least. pace_us: audio goes out
    without a mark for no longer. Times are monotonic microseconds; audio goes out in real time."""

    def __init__(self, gap_us: int = 240_000, pace_us: int = 800_000) -> None:
        self._gap_us = gap_us
        self._pace_us = pace_us
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._last_us: int | None = None  # of the last wire mark
        self._quiet_us: int | None = None  # since when audio goes out without a mark
        self._number = 0
        self._heard: HeardMark | None = None
        self._lag_us: int | None = None
        self.unknown = 0
        """Echoes of marks that were never sent, or came back before."""

    @property
    def bounds(self) -> MarkBounds:
        """What is known now."""
        points = (each.point for each in self._pending.values() if each.point is not None)
        return MarkBounds(self._heard, next(points, None))

    @property
    def lag_us(self) -> int | None:
        """From putting a mark on the wire to its echo; None = none came back yet."""
        return self._lag_us

    def audio(self, now_us: int) -> str | None:
        """Audio went out. Returns a made-up mark to send after it."""
        if self._quiet_us is None:
            self._quiet_us = now_us
        if now_us - self._quiet_us < self._pace_us:
            return None
        return self._send(None, now_us)

    def mark(self, utterance: int, mark: int, now_us: int) -> str | None:
        """The leg reached a mark, 0 = the end. Returns the name to send, None = none is due."""
        if mark and self._last_us is not None and now_us - self._last_us < self._gap_us:
            return None
        return self._send(HeardMark(utterance, mark), now_us)

    def idle(self) -> None:
        """Nothing goes out any more: the pace begins anew with the next audio."""
        self._quiet_us = None

    def echo(self, name: str, now_us: int, *, cleared: bool = False) -> None:
        """A mark came back. cleared: the far side says that it was dropped."""
        pending = self._pending.pop(name, None)
        if pending is None:
            self.unknown += 1
            return
        if cleared:
            return
        for older in [
            each for each, other in self._pending.items() if self._before(other, pending)
        ]:
            del self._pending[older]  # marks come back in order: this one got lost
        self._hear(pending.point)
        lag_us = min(max(now_us - pending.sent_us, 0), MAX_LAG_US)
        if self._lag_us is None:
            self._lag_us = lag_us
        else:
            self._lag_us += (lag_us - self._lag_us) // _WEIGHT

    def flush(self) -> None:
        """We make the far side drop its audio: marks that still come back were not heard."""
        self._pending.clear()
        self._last_us = self._quiet_us = None

    def _hear(self, point: HeardMark | None) -> None:
        last = self._heard
        over = last is not None and last.mark == 0
        if point is not None and not (over and last and point.utterance == last.utterance):
            self._heard = point

    @staticmethod
    def _before(one: _Pending, other: _Pending) -> bool:
        return one.sent_us < other.sent_us

    def _send(self, point: HeardMark | None, now_us: int) -> str | None:
        self._last_us = self._quiet_us = now_us
        if len(self._pending) >= MAX_PENDING:
            return None
        self._number += 1
        where = f"u{point.utterance}.{point.mark}" if point is not None else "p"
        name = f"{where}#{self._number}"
        self._pending[name] = _Pending(point, now_us)
        return name
