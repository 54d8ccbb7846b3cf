import re
import time
import warnings
from contextlib import suppress

import pytest

from mediacore.assistant._pattern import PatternError, occurs

TEXTS = [
    "",
    "a",
    "ab",
    "Sales",
    "sales team",
    "yes please",
    "12",
    "abc\ndef",
    "x-1",
    "é ü",
    "aaa\n",
]


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "a",
        "ab|12",
        "^$",
        "^a",
        "a$",
        "sales",
        "^(yes|yeah)\\b",
        "\\d+",
        "\\d{2}",
        "^\\w{1,3}$",
        "a{2,}",
        "a{,2}b",
        "(?:a|b)*c",
        "(?P<name>x)-\\d",
        "[a-c]+",
        "[^a-z]",
        "[]a]",
        "[\\d-]",
        "[a\\]]",
        "[[&|~-]",
        "a.*f",
        "a+?b??",
        "\\Bb",
        "\\Aa",
        "\\n\\Z",
        "\\.|\\*",
        "\\x61\\u0062",
        "x{",
        "{}",
        "(a|(b|(c)))d",
        "(a*)*b",
        "\\s",
        "é",
    ],
)
@pytest.mark.parametrize("flags", ["", "i", "s", "is"])
def test_a_pattern_means_what_the_standard_library_says(pattern, flags):
    known = {"": re.NOFLAG, "i": re.I, "s": re.S, "is": re.I | re.S}[flags]
    expected = [_search(pattern, text, known) for text in TEXTS]
    assert [occurs(f"/{pattern}/{flags}", text) for text in TEXTS] == expected


def _search(pattern, text, flags):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return re.search(pattern, text, flags) is not None


def test_a_bare_pattern_matches_in_any_case():
    assert occurs("SALES", "sales")
    assert not occurs("/SALES/", "sales")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("/open", "no_closing_slash"),
        ("(", "unbalanced_parenthesis"),
        (")", "unbalanced_parenthesis"),
        ("[a", "unclosed_class"),
        ("[a-", "unclosed_class"),
        ("[z-a]", "bad_class"),
        ("*", "nothing_to_repeat"),
        ("^*", "nothing_to_repeat"),
        ("a|{2}", "nothing_to_repeat"),
        ("a**", "multiple_repeat"),
        ("a{2}{3}", "multiple_repeat"),
        ("a*+", "multiple_repeat"),
        ("a{2,1}", "bad_repeat"),
        ("(?=a)", "unsupported_group"),
        ("(?<!a)b", "unsupported_group"),
        ("(?i)a", "unsupported_group"),
        ("(a)\\1", "unsupported_escape"),
        ("\\p", "unsupported_escape"),
        ("\\", "unsupported_escape"),
        ("a" * 513, "pattern_too_long"),
        ("(" * 40 + ")" * 40, "nested_too_deeply"),
        ("a{9999}", "pattern_too_large"),
        ("((a{99}){99}){99}", "pattern_too_large"),
        ("((((a?){99}){99}){99}){99}", "pattern_too_large"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_named(pattern, reason):
    with pytest.raises(PatternError) as caught:
        occurs(pattern, "a")
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)*$",
        "(a*)*b",
        "(.*)*x",
        ".*.*.*.*.*=",
        "(a?){300}a{300}",
        "(x+x+)+y",
        "a{0,900}b",
    ],
)
def test_a_hostile_pattern_ends_soon(pattern):
    began_s = time.process_time()
    with suppress(PatternError):
        occurs(pattern, "a" * 5000 + "!")
    assert time.process_time() - began_s < 2


def test_only_the_first_part_of_a_text_is_looked_at():
    assert occurs("end", "x" * 4000 + "end")
    assert not occurs("end", "x" * 4096 + "end")


def test_a_pattern_that_costs_too_much_is_refused():
    with pytest.raises(PatternError) as caught:
        occurs("(a?){300}b", "a" * 4000)
    assert caught.value.reason == "pattern_too_costly"
