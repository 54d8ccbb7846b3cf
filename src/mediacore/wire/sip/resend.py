"""The timer of responses that the user of a transaction repeats itself: the 2xx to an INVITE until
its ACK (RFC 3261 §13.3.1.4), a reliable provisional until its PRACK (RFC 3262 §3)."""

from __future__ import annotations

from enum import Enum, auto

from mediacore.wire.sip.machines import Times


class Due(Enum):
    """What the moment asks for."""

    WAIT = auto()
    SEND = auto()
    OVER = auto()
    """64 T1 have passed: give up."""


class Resend:
    """Begins when the response was sent the first time. capped: intervals end at T2 (2xx), else
    they double to the end (reliable provisional)."""

    __slots__ = ("_cap_ms", "_end_ms", "_interval_ms", "next_ms")

    def __init__(self, now_ms: int, times: Times, *, capped: bool = True) -> None:
        self._cap_ms = times.t2 if capped else times.give_up
        self._end_ms = now_ms + times.give_up
        self._interval_ms = times.t1
        self.next_ms = now_ms + times.t1

    def due(self, now_ms: int) -> Due:
        """Whether to send again now; sets next_ms."""
        if now_ms >= self._end_ms:
            return Due.OVER
        if now_ms < self.next_ms:
            return Due.WAIT
        self._interval_ms = min(2 * self._interval_ms, self._cap_ms)
        self.next_ms = min(now_ms + self._interval_ms, self._end_ms)
        return Due.SEND
