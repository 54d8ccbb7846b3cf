"""National ringing tones, ITU-T E.180 Supplement 2 (frequencies in Hz, cadence in ms)."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import Final

_PEAK: Final = 4600  # of each tone: two of them have -17 dBov, in the range of E.180 §4


@dataclass(frozen=True, slots=True)
class Ringback:
    """Tones sounding together, and how long they are on and off, in turn."""

    tones_hz: tuple[int, ...]
    cadence_ms: tuple[int, ...]


_BRITISH: Final = Ringback((400, 450), (400, 200, 400, 2000))
_NORTH_AMERICAN: Final = Ringback((440, 480), (2000, 4000))
_ONE_FOUR: Final = Ringback((425,), (1000, 4000))
_ONE_FIVE: Final = Ringback((425,), (1000, 5000))

RINGBACKS: Final = {
    "at": Ringback((420,), (1000, 5000)),
    "be": Ringback((425,), (1000, 3000)),
    "br": _ONE_FOUR,
    "ca": _NORTH_AMERICAN,
    "ch": _ONE_FOUR,
    "cn": Ringback((450,), (1000, 4000)),
    "de": _ONE_FOUR,
    "dk": _ONE_FOUR,
    "es": Ringback((425,), (1500, 3000)),
    "fi": _ONE_FOUR,
    "fr": Ringback((440,), (1500, 3500)),
    "gb": _BRITISH,
    "ie": _BRITISH,
    "it": _ONE_FOUR,
    "jp": Ringback((384, 416), (1000, 2000)),  # 400 Hz modulated by 16 Hz
    "mx": _ONE_FOUR,
    "nl": _ONE_FOUR,
    "no": _ONE_FOUR,
    "nz": _BRITISH,
    "pl": _ONE_FOUR,
    "pt": _ONE_FIVE,
    "se": _ONE_FIVE,
    "uk": _BRITISH,
    "us": _NORTH_AMERICAN,
}


def ring_cycle(ringback: Ringback, srate_hz: int) -> bytes:
    """One cycle of the cadence: int16 mono at srate_hz."""
    n = srate_hz // math.gcd(srate_hz, *ringback.tones_hz)  # samples after which it repeats
    steps = [2 * math.pi * hz / srate_hz for hz in ringback.tones_hz]
    period = array("h", [round(_PEAK * sum(math.sin(s * i) for s in steps)) for i in range(n)])
    pcm = bytearray()
    for index, ms in enumerate(ringback.cadence_ms):
        samples = srate_hz * ms // 1000
        on = index % 2 == 0
        pcm += (period * (samples // n + 1))[:samples].tobytes() if on else bytes(2 * samples)
    return bytes(pcm)
