"""Time and size units shared by every layer. Integers everywhere; floats only for display.

Three times exist and no others: *media time* (samples of a leg's clock), *now* (monotonic
microseconds) and *wallclock* (UTC, for logs and records only).
"""

from __future__ import annotations

from typing import Final, NewType

Samples = NewType("Samples", int)
"""A position or length on a leg's sample clock, at that leg's rate."""

NowUs = NewType("NowUs", int)
"""Monotonic microseconds, as the media clock and the event loop agree on them."""

TICK_MS: Final = 20
TICKS_PER_S: Final = 50
LEG_RATES_HZ: Final = (8000, 16000, 24000, 48000)


def ms_to_samples(ms: int, srate_hz: int) -> int:
    """Whole samples in `ms` milliseconds at `srate_hz`."""
    return ms * srate_hz // 1000


def samples_to_ms(samples: int, srate_hz: int) -> int:
    """Whole milliseconds in `samples` at `srate_hz`, rounded to nearest."""
    return (samples * 1000 + srate_hz // 2) // srate_hz


def pcm_ms(pcm: bytes, srate_hz: int) -> int:
    """Milliseconds of int16 mono PCM."""
    return samples_to_ms(len(pcm) // 2, srate_hz)
