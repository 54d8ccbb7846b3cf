import pytest

from mediacore.dialogue.match import PatternError, compile_pattern, find_value
from mediacore.dialogue.text import plain_words

SYNONYMS = {"arrive": ("arrive", "get here")}


def matches(pattern, said, fuzzy=False):
    return compile_pattern(pattern, SYNONYMS).matches(plain_words(said), fuzzy)


@pytest.mark.parametrize(
    ("pattern", "said", "expected"),
    [
        ("when arrive", "When does it arrive?", True),
        ("when arrive", "It arrives when?", False),
        ("when <arrive>", "when will it get here", True),
        ("<arrive>", "get it here", False),
        ("(check|track) order", "I'd like to check on an order", True),
        ("(check on|track) order", "check my order", False),
        ("that's all", "No, that is all", True),
        ("right !not", "that's right", True),
        ("right !not", "not right", False),
        ("right !(not|never)", "never right", False),
        ("bye", "", False),
    ],
)
def test_patterns(pattern, said, expected):
    assert matches(pattern, said) is expected


def test_fuzzy():
    assert matches("appointment", "a pointment", fuzzy=True)
    assert matches("order", "a border", fuzzy=True)
    assert not matches("order", "a border")


@pytest.mark.parametrize("pattern", ["", "(a", "a)", "<none>", "!a", "()", "(a||b)", "<>", "..."])
def test_bad_patterns(pattern):
    with pytest.raises(PatternError):
        compile_pattern(pattern, SYNONYMS)


DAYS = {
    day.title(): (compile_pattern(day, {}),) for day in ("monday", "tuesday", "thursday", "sunday")
}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Tuesday morning", "Tuesday"),
        ("Thursday", "Thursday"),
        ("on tuesdey", "Tuesday"),
        ("to thirsday", "Thursday"),
        ("never", None),
    ],
)
def test_values(said, expected):
    assert find_value(plain_words(said), DAYS) == expected
