"""A token bucket: so many things per second, with a burst."""

from __future__ import annotations


class TokenBucket:
    """Whole-number token bucket; `now_us` never runs backwards."""

    __slots__ = ("_burst_us", "_cost_us", "_level_us", "_then_us")

    def __init__(self, per_s: int, burst: int, now_us: int) -> None:
        self._cost_us = max(1, 1_000_000 // per_s)
        self._burst_us = self._cost_us * burst
        self._level_us = self._burst_us
        self._then_us = now_us

    def take(self, now_us: int) -> bool:
        """Take one token; False when there is none."""
        self._refill(now_us)
        if self._level_us < self._cost_us:
            return False
        self._level_us -= self._cost_us
        return True

    def full(self, now_us: int) -> bool:
        """Whether nothing has been taken for a while: the bucket may be forgotten."""
        self._refill(now_us)
        return self._level_us == self._burst_us

    def _refill(self, now_us: int) -> None:
        self._level_us = min(self._burst_us, self._level_us + max(0, now_us - self._then_us))
        self._then_us = max(self._then_us, now_us)
