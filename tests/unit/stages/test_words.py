import pytest

from mediacore.stages.words import contains, digits, same_word, spoken_digits, words


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Sure. It's four seven one nine two five.", "471925"),
        ("Sure, it's 4 7 1 9 2 5.", "471925"),
        ("471925", "471925"),
        ("4719-25", "471925"),
        ("forty seven nineteen twenty five", "471925"),
        ("double four, triple one, zero", "441110"),
        ("oh five", "05"),
        ("ten twenty", "1020"),
        ("no number here", ""),
    ],
)
def test_digits_however_they_are_said(text, number):
    assert digits(text) == number


def test_words_are_compared_without_case_and_punctuation():
    assert words("No, that's ALL — thank you!") == ("no", "that's", "all", "thank", "you")


def test_long_words_may_be_misheard_short_ones_not():
    assert same_word("apointment", "appointment")
    assert not same_word("now", "no")
    assert not same_word("fitting", "feeling")


def test_a_phrase_must_occur_in_a_row():
    said = words("I want to book a fitting")
    assert contains(said, ("book", "a"))
    assert not contains(said, ("book", "fitting"))
    assert not contains(said, ())


def test_digits_are_read_one_by_one():
    assert spoken_digits("471") == "4, 7, 1"
