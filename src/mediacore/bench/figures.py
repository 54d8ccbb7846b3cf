"""Numbers out of measurements: percentiles, CPU time, memory."""

from __future__ import annotations

import ctypes
import math
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_STATM: Final = Path("/proc/self/statm")


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of 100 do not exceed (nearest rank). NaN without values."""
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[max(math.ceil(percent / 100 * len(ranked)) - 1, 0)]


def share(part: int, whole: int) -> float:
    """The quotient; 0 of nothing is 0."""
    return part / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds. total by the CPU clock; user and kernel as the system divides it, which some
    kernels only sample."""

    total: float
    user: float
    kernel: float

    def since(self, before: Cpu) -> Cpu:
        """What was used from `before` to here."""
        total = self.total - before.total
        user, kernel = self.user - before.user, self.kernel - before.kernel
        both = user + kernel
        part = user / both if both else 1.0
        return Cpu(total, total * part, total * (1 - part))


def process_cpu() -> Cpu:
    """CPU of all threads of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Cpu(time.process_time(), used.ru_utime, used.ru_stime)


def rss_bytes() -> int:
    """Resident memory of this process now; its maximum so far where the system tells no more."""
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    except OSError:
        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return largest if sys.platform == "darwin" else largest * 1024


def heap_bytes() -> int | None:
    """Bytes allocated through malloc now, None when the C library does not tell.

    Python's own objects up to 512 bytes are not in it, the audio core's memory is.
    """
    libc: Any = ctypes.CDLL(None)
    try:
        mallinfo2 = libc.mallinfo2
    except AttributeError:
        return None
    mallinfo2.restype = _MallInfo
    info = mallinfo2()
    return int(info.uordblks) + int(info.hblkhd)


class _MallInfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]
