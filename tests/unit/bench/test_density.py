from __future__ import annotations

import pytest

from mediacore.app_options import BenchOptions
from mediacore.bench import density


@pytest.mark.realtime
@pytest.mark.timeout(90)
def test_figures() -> None:
    figures = density.run(BenchOptions(quick=True))
    assert figures["calls_run"] == 100
    assert figures["calls_per_core"] > 150
    assert figures["interruptions"] > 0 and figures["cuts"] > 0
    assert 0.4 < figures["agent_talk_share"] < 0.75
    assert {"late_frames", "rss_kb_per_call"} <= figures.keys()
