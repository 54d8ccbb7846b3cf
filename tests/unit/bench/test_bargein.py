from __future__ import annotations

from random import Random

import pytest

from mediacore._core import Codec
from mediacore.app_options import BenchOptions
from mediacore.bench import bargein
from mediacore.bench.bargein import POLICIES, Case, interrupt, make_case
from mediacore.bench.sound import SRATE_HZ, noise, shipped_callers


@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_the_agent_falls_silent(policy) -> None:
    rec = max(shipped_callers(), key=lambda r: r.end - r.onset)
    outcome = interrupt(make_case(rec, policy, Random(1)))
    assert not outcome.early
    assert outcome.decision_to_last_ms is not None and outcome.decision_to_last_ms <= 20
    assert outcome.onset_to_silence_ms is not None and 0 < outcome.onset_to_silence_ms < 300


def test_silence_interrupts_nobody() -> None:
    silence = b"\xff" * 16_000
    outcome = interrupt(Case(silence, 8000, 0, POLICIES["cut"]))
    assert outcome.onset_to_silence_ms is None and not outcome.early


@pytest.mark.realtime
@pytest.mark.timeout(90)
def test_figures() -> None:
    lines: list[str] = []
    figures = bargein.run(BenchOptions(quick=True, progress=lines.append))
    assert lines
    assert figures["decision_to_last_sample_max_ms"] <= 20
    assert figures["blocked_python_decision_to_last_sample_max_ms"] <= 20
    assert figures["blocked_python_s"] >= 1
    assert figures["false_stops_in_noise"] == figures["missed"] == 0
    assert figures["onset_to_silence_p95_ms"] < 300
    assert figures["engine_response_turns"] == 3


def test_a_noisy_line_interrupts_nobody() -> None:
    """The leg's silence before the first packet must not count as the line's noise floor."""
    rng, codec = Random(7), Codec("PCMU")
    for _ in range(20):
        pcm = noise(rng, 4 * SRATE_HZ, 1000).tobytes()
        wire = b"".join(codec.encode(pcm[i : i + 8000]) for i in range(0, len(pcm), 8000))
        assert not interrupt(Case(wire, 4 * SRATE_HZ, 0, POLICIES["cut"])).early
