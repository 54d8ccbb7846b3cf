"""Skip a provider that keeps failing."""

from __future__ import annotations

from mediacore.slots.report import Clock


class Breaker:
    """Open after `failures` in a row, for `rest_ms`; then one more failure opens it again."""

    __slots__ = ("_clock_us", "_failures", "_in_row", "_open_until_us", "_rest_us")

    def __init__(self, clock_us: Clock, failures: int, rest_ms: int) -> None:
        self._clock_us = clock_us
        self._failures = failures
        self._rest_us = rest_ms * 1000
        self._in_row = 0
        self._open_until_us = 0

    @property
    def is_open(self) -> bool:
        """Whether the provider should be skipped now."""
        return self._in_row >= self._failures and self._clock_us() < self._open_until_us

    @property
    def open_until_us(self) -> int:
        """When the rest ends; in the past when it is not resting."""
        return self._open_until_us

    def succeeded(self) -> None:
        """The provider gave useful output."""
        self._in_row = 0

    def failed(self) -> None:
        """The provider failed."""
        self._in_row += 1
        if self._in_row >= self._failures:
            self._open_until_us = self._clock_us() + self._rest_us
