from __future__ import annotations

import pytest

from mediacore.app_options import BenchOptions
from mediacore.bench import heard
from mediacore.bench.heard import Spoken, measure_samples, measure_words
from mediacore.call.record import WordTime


def test_the_ledger_is_exact() -> None:
    figures = measure_samples(60)
    assert figures["ledger_sample_error_max"] == 0
    assert figures["ledger_end_error_max"] == 0
    assert figures["ledger_holes_max"] == 0
    assert figures["ledger_cuts"] and figures["ledger_underruns"] and figures["ledger_resumes"]


def test_words_with_times_are_exact() -> None:
    text = "One two three four five."
    words = []
    for n, word in enumerate(text.split()):
        start = text.index(word)
        words.append(WordTime(start, start + len(word), 4000 * n + 200, 4000 * n + 3600))
    figures = measure_words([Spoken(text, 20_000, tuple(words), 200, 400)], 8)
    assert figures["words_off_max_with_times"] == 0
    assert figures["words_cuts"] == 8 * len(heard.FAULTS)


@pytest.mark.local
@pytest.mark.timeout(120)
def test_figures() -> None:
    pytest.importorskip("hibari")
    figures = heard.run(BenchOptions(quick=True))
    assert figures["ledger_sample_error_max"] == 0
    assert figures["words_off_max_with_times"] == 0
    assert {"words_off_max_without_times", "words_exact_share_without_times"} <= figures.keys()
