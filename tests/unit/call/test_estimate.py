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
    ("token", "like"),
    [
        ("12", "8"),
        ("42", "24"),
        ("2026", "2021"),
        ("471925", "830416"),
        ("007", "443"),
        ("80%", "90%"),
        ("USB", "PIN"),
        ("a.m.", "p.m."),
    ],
)
def test_tokens_that_sound_alike_weigh_about_the_same(token, like):
    assert token_units(token) == pytest.approx(token_units(like), rel=0.35)


@pytest.mark.parametrize(
    ("longer", "shorter"),
    [
        ("42", "9"),
        ("345", "42"),
        ("1,250", "1250"),
        ("2,000,001", "2,000"),
        ("471925", "4,719"),
        ("$42.15", "42.15"),
        ("77", "44"),
        ("WWW", "USB"),
        ("jane@x.com", "janexcom"),
        ("appointment", "point"),
        ("B92", "92"),
    ],
)
def test_figures_and_initials_are_expanded(longer, shorter):
    assert token_units(longer) > token_units(shorter) > 0


def test_what_is_not_spoken_weighs_nothing():
    assert token_units("—") == 0


def test_function_words_are_short_and_last_words_long():
    the, cat, end = weigh("the cat, end")
    assert the.units < weigh("thx cat")[0].units
    assert cat.units > weigh("cat end")[0].units
    assert (the.pause < cat.pause, end.pause) == (True, 0.0)


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
    units = sum(w.units + w.pause for w in weigh(text))
    guessed = estimate_words(text, rate, Extent(8000))
    assert guessed[-1].until == round(units * 1600)
    stretched = estimate_words(text, rate, Extent(8000, queued=16000))
    assert stretched[-1].until == 16000


def test_texts_without_words():
    assert estimate_words("", SpeechRate(), Extent(8000)) == ()
    assert weigh("— one — two")[0].pause > 0
    assert [w.start for w in weigh("— one")] == [0, 2]


def test_the_rate_follows_what_was_measured():
    text = "one two three four five"
    units = sum(w.units + w.pause for w in weigh(text))
    rate = observe_rate(SpeechRate(), text, Extent(8000, total=round(units * 2400)))
    assert (rate.us_per_unit, rate.observed) == (pytest.approx(300_000, rel=0.01), 1)
    rate = observe_rate(rate, text, Extent(8000, total=round(units * 800)))
    assert (rate.us_per_unit, rate.observed) == (pytest.approx(200_000, rel=0.01), 2)


@pytest.mark.parametrize("total", [None, 10, 10_000_000])
def test_absurd_lengths_teach_nothing(total):
    rate = SpeechRate()
    assert observe_rate(rate, "one two three four five", Extent(8000, total=total)) == rate
    assert observe_rate(rate, "one", Extent(8000, total=4000)) == rate
