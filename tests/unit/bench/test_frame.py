from __future__ import annotations

import pytest

from mediacore.app_options import BenchOptions
from mediacore.bench import frame


@pytest.mark.timeout(60)
def test_figures() -> None:
    figures = frame.run(BenchOptions(quick=True))
    assert figures["ns_per_frame"] > 0
    whole = figures["ns_per_frame_user"] + figures["ns_per_frame_kernel"]
    assert whole == pytest.approx(figures["ns_per_frame"])
    for stage in frame.STAGES:
        assert f"{stage}_ns" in figures
    assert figures["g711_encode_ns"] > 0
    assert figures.get("bytes_per_leg", 0) <= 64 * 1024
