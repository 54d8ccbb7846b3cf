"""The bare C loop beside which the core is measured, compiled on the spot."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_SOURCE: Final = Path(__file__).parents[3] / "benchmarks" / "bare_udp.c"
_TIMEOUT_S: Final = 120


@contextmanager
def bare_udp() -> Iterator[Path | None]:
    """The compiled loop; None without a compiler, without the source (it is in the repository, not
    in the wheel), or where it does not compile."""
    compiler = shutil.which("cc")
    if compiler is None or not _SOURCE.exists():
        yield None
        return
    with TemporaryDirectory(prefix="mediacore-bench-") as directory:
        program = Path(directory) / "bare_udp"
        command = [compiler, "-O3", "-std=gnu11", "-o", str(program), str(_SOURCE)]
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
        yield program if done.returncode == 0 else None


@dataclass(frozen=True, slots=True)
class BareCost:
    """CPU nanoseconds per socket and tick."""

    total: float
    user: float
    kernel: float


def bare_pairs(program: Path, pairs: int, ticks: int) -> BareCost:
    """The loop over sockets joined in pairs, back to back."""
    done = subprocess.run(
        [str(program), "pairs", str(pairs), str(ticks)],
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=True,
        text=True,
    )
    total, user, kernel = (float(x) for x in done.stdout.split())
    return BareCost(total, user, kernel)
