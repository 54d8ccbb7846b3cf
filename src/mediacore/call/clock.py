"""Media time to monotonic time.

The core's ticks are the better clock: an event is handled a little after its tick, or much later
when the process was busy. The smallest delay seen is taken for the truth; it may grow slowly, so
that ticks which the core had to give up do not put the clock wrong for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mediacore.units import TICK_MS

_GROWTH: Final = 100  # the offset may grow by 1 µs per so many µs


@dataclass(frozen=True, slots=True)
class MediaClock:
    """origin_us: monotonic time of the leg's sample 0, None until the leg was opened.

    origin_tick: engine tick of sample 0. seen_us: last time it was adjusted.
    """

    srate_hz: int = 8000
    origin_tick: int = 0
    origin_us: int | None = None
    seen_us: int = 0

    def opened(self, tick: int, at: int, now: int) -> MediaClock:
        """The leg is at sample `at` in this tick."""
        return replace(
            self,
            origin_tick=tick - at * 1000 // (self.srate_hz * TICK_MS),
            origin_us=now - at * 1_000_000 // self.srate_hz,
            seen_us=now,
        )

    def seen(self, tick: int, now: int) -> MediaClock:
        """An event of this tick is handled now."""
        if self.origin_us is None:
            return self
        origin = now - (tick - self.origin_tick) * TICK_MS * 1000
        grown = self.origin_us + max(now - self.seen_us, 0) // _GROWTH
        return replace(self, origin_us=min(origin, grown), seen_us=max(now, self.seen_us))

    def us(self, at: int, now: int) -> int:
        """Monotonic time of sample `at`, not later than now; now when nothing is known."""
        if self.origin_us is None:
            return now
        return min(self.origin_us + at * 1_000_000 // self.srate_hz, now)

    def at(self, now: int) -> int:
        """Sample position at `now`."""
        if self.origin_us is None:
            return 0
        return max(now - self.origin_us, 0) * self.srate_hz // 1_000_000
