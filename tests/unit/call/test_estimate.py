from itertools import pairwise

import pytest

from mediacore.call.estimate import (
    Extent,
    SpeechRate,
    estimate_words,
    observe_rate,
    syllables,
    token_units,
    weigh,
)


@pytest.mark.parametrize(
    ("word", "count"),
    [("the", 1), ("hello", 2), ("appointment", 3), ("delivered", 3), ("please", 1), ("boxes", 2),
     ("likes", 1), ("table", 2), ("whole", 1), ("video", 3), ("question", 2), ("tsk", 1)],
)  # fmt: skip
def test_syllables(word, count):
    assert syllables(word) == count


@pytest.mark.parametrize(
    ("token", "units"),
    [
        ("9", 1),
        ("7", 2),
        ("12", 1),
        ("42", 3),
        ("70", 3),
        ("100", 3),
        ("345", 6),
        ("2026", 5),
        ("1,000", 3),
        ("2,000,000", 3),
        ("471925", 7),
        ("007", 6),
        ("$42.15", 8),
        ("80%", 4),
        ("USB", 3),
        ("WWW", 9),
        ("a.m.", 2),
        ("jane@x.com", 5),
        ("—", 0),
    ],
)
def test_figures_and_initials_are_expanded(token, units):
    assert token_units(token) == units


def test_words_fill_the_active_time_in_order():
    text = "Hello there, your order 42 is ready. Goodbye!"
    words = estimate_words(text, SpeechRate(), Extent(8000, total=24000, lead=800, tail=1600))
    assert [text[w.start : w.end] for w in words] == text.split()
    assert words[0].at == 800
    assert words[-1].until == 24000 - 1600
    assert all(a.until <= b.at for a, b in pairwise(words))
    assert not words[0].measured
    pause_comma = words[2].at - words[1].until
    pause_stop = words[7].at - words[6].until
    assert 0 < pause_comma < pause_stop


def test_without_a_length_the_rate_counts_and_what_is_queued():
    text = "one two three four"
    rate = SpeechRate(us_per_unit=200_000)
    guessed = estimate_words(text, rate, Extent(8000))
    assert guessed[-1].until == 4 * 1600
    stretched = estimate_words(text, rate, Extent(8000, queued=16000))
    assert stretched[-1].until == 16000


def test_texts_without_words():
    assert estimate_words("", SpeechRate(), Extent(8000)) == ()
    assert weigh("— one — two")[0].pause > 0
    assert [w.start for w in weigh("— one")] == [0, 2]


def test_the_rate_follows_what_was_measured():
    text = "one two three four five"
    rate = observe_rate(SpeechRate(), text, Extent(8000, total=5 * 2400))
    assert rate == SpeechRate(300_000, 1)
    rate = observe_rate(rate, text, Extent(8000, total=5 * 800))
    assert rate == SpeechRate(200_000, 2)


@pytest.mark.parametrize("total", [None, 10, 10_000_000])
def test_absurd_lengths_teach_nothing(total):
    rate = SpeechRate()
    assert observe_rate(rate, "one two three four five", Extent(8000, total=total)) == rate
    assert observe_rate(rate, "one", Extent(8000, total=4000)) == rate
