from __future__ import annotations

import math

from mediacore.bench.figures import Cpu, heap_bytes, percentile, process_cpu, rss_bytes, share


def test_percentile_is_the_nearest_rank() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert percentile(values, 50) == 3.0
    assert percentile(values, 95) == 5.0
    assert percentile(values, 0) == 1.0
    assert math.isnan(percentile([], 50))


def test_share_of_nothing_is_nothing() -> None:
    assert share(0, 0) == 0.0
    assert share(1, 4) == 0.25


def test_user_and_kernel_make_up_the_total() -> None:
    used = Cpu(2.0, 0.5, 1.5).since(Cpu(1.0, 0.25, 0.75))
    assert used == Cpu(1.0, 0.25, 0.75)
    assert Cpu(1.0, 0.0, 0.0).since(Cpu(0.0, 0.0, 0.0)).user == 1.0  # too short to be divided


def test_what_the_system_tells() -> None:
    assert process_cpu().total > 0
    assert rss_bytes() > 1 << 20
    heap = heap_bytes()
    assert heap is None or heap > 0
