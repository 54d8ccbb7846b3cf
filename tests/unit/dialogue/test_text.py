import pytest

from mediacore.dialogue.text import find_digits, plain_words, same_word, yes_or_no


@pytest.mark.parametrize(
    "said",
    [
        "It's four seven one nine two five.",
        "Sure. It's 471925.",
        "471-925",
        "4719-25",
        "4 7 1 9 2 5",
        "4-7-1-9-2-5",
        "$4,719.25",
        "4, 7, 1, uh, 9, 2, 5.",
        "forty-seven nineteen twenty-five",
        "forty seven nineteen twenty five",
        "four hundred seventy one nine hundred and twenty five",
        "for seven one nine two five",
        "four seven won nine to five",
        "order 12 sorry it's 471925",
        "471925, 471925",
        "4 7 1 9 2 5, 4 7 1 9 2 5",
        "471 I think and then 925",
        "It's 471925 for Tuesday",
        "no not 471926, 471925",
    ],
)
def test_six_digits(said):
    assert find_digits(said, 6, 6) == "471925"


@pytest.mark.parametrize(
    ("said", "figures"),
    [
        ("double five triple oh", "55"),
        ("double five, triple zero, one", "550001"),
        ("double trouble", ""),
        ("nineteen hundred", "1900"),
        ("twenty", "20"),
        ("twenty oh five seven", "20057"),
        ("to for", ""),
        ("four seven one", "471"),
        ("nothing at all", ""),
        ("", ""),
        ("twelve thirteen", "1213"),
        ("double", ""),
    ],
)
def test_what_there_is(said, figures):
    assert find_digits(said, 6, 6) == figures


def test_homophones_fill_up_at_the_ends_only_when_needed():
    assert find_digits("471925 to", 6, 6) == "471925"
    assert find_digits("4 7 1 9 2 to", 6, 6) == "471922"
    assert find_digits("o 4 7 1 9 2", 6, 6) == "047192"
    assert find_digits("for 4 7 1 9 to", 6, 6) == "447192"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Yes, that's right.", "yes"),
        ("Yeah.", "yes"),
        ("That is correct", "yes"),
        ("Sure, yes please", "yes"),
        ("Yes, that's not a problem", "yes"),
        ("No.", "no"),
        ("No, that's right out", "no"),
        ("That's not right", "no"),
        ("It isn't correct", "no"),
        ("Wrong number", "no"),
        ("Right, that's wrong", "no"),
        ("Tuesday", None),
        ("", None),
    ],
)
def test_yes_or_no(said, expected):
    assert yes_or_no(said) == expected


def test_words():
    assert plain_words("I’d like it, can't wait - that's 2x!") == (
        *("i", "would", "like", "it", "can", "not", "wait"),
        *("that", "is", "2", "x"),
    )


def test_same_word():
    assert same_word("orders", "order", fuzzy=False)
    assert not same_word("older", "order", fuzzy=False)
    assert same_word("older", "order", fuzzy=True)
    assert not same_word("by", "bye", fuzzy=True)
