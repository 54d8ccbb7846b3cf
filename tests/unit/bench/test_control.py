from __future__ import annotations

import pytest

from mediacore.app_options import BenchOptions
from mediacore.bench import control


@pytest.mark.realtime
@pytest.mark.timeout(90)
def test_figures() -> None:
    figures = control.run(BenchOptions(quick=True))
    assert figures["calls_run"] == 20
    assert figures["commands_refused"] == 0
    assert figures["decisions_per_call_second"] > 2  # the agents speak and listen
    assert figures["events_lost"] == 0
    assert 0 < figures["decision_p50_us"] <= figures["decision_p99_us"] < 10_000
    assert 0 < figures["control_cpu_percent_per_call"] < figures["loop_cpu_percent_per_call"] < 5
    assert 0 < figures["document_step_us"] < 1_000
