from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacore.providers.local.say_as import spell_digits, spoken


def say(text: str) -> str:
    return " ".join(token.text for token in spoken(text) if token.text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Order 471925.", "Order four seven one, nine two five."),
        ("It's 4 7 1 9 2 5.", "It's four seven one nine two five."),
        ("4, 7, 1, right?", "four, seven, one, right?"),
        ("471 925", "four seven one nine two five"),
        ("#471925", "number four seven one, nine two five"),
        ("A17-B92", "A. one seven, bee nine two"),
        ("code A 1 7, B 9", "code A. one seven, bee nine"),
        ("A 17 is", "A 17 is"),
        ("a 5 star", "a five star"),
        ("jane.doe@example.com.", "jane dot doe at example dot com."),
        ("j_d+x9@a-b.co.uk", "jay underscore dee plus ex nine at A. dash bee dot co dot uk"),
        ("www.foo.com/help", "double-u double-u double-u dot foo dot com slash help"),
        ("https://foo.org", "foo dot org"),
        ("+1 555 123 4567", "plus one five five five one two three four five six seven"),
        ("555-123-4567", "five five five, one two three, four five six seven"),
        ("(555) 123-4567", "(five five five) 123-4567"),
        ("$42.15 at 7:30 pm on March 3rd", "$42.15 at 7:30 pm on March 3rd"),
        ("2026-11-21 12/4/2026 24/7", "2026-11-21 12/4/2026 24/7"),
        ("March 10, 2024 and 47 19 25", "March 10, 2024 and 47 19 25"),
        ("16GB 42ND 2,500 80% 10 2024", "16GB 42ND 2,500 80% 10 2024"),
        ("— [hm] …", "— hm] …"),
        ("", ""),
    ],
)
def test_readings(text: str, words: str) -> None:
    assert say(text) == words


def test_offsets_are_those_of_the_token_without_punctuation() -> None:
    text = 'He said: "A17-B92", (jane@x.com).'
    found = [text[t.start : t.end] for t in spoken(text)]
    assert found == ["He", "said", "A17-B92", "jane@x.com"]


@pytest.mark.parametrize(
    ("digits", "groups"),
    [
        ("12345", [5]),
        ("123456", [3, 3]),
        ("1234567", [3, 4]),
        ("12345678", [4, 4]),
        ("1234567890", [3, 3, 4]),
        ("12345678901", [3, 3, 5]),
        ("123456789", [3, 3, 3]),
    ],
)
def test_long_numbers_are_read_in_groups(digits: str, groups: list[int]) -> None:
    assert [len(part.split()) for part in spell_digits(digits).split(", ")] == groups


@given(st.text(max_size=60))
def test_any_text_gives_ordered_tokens_inside_it(text: str) -> None:
    last = 0
    for token in spoken(text):
        assert last <= token.start <= token.end <= len(text)
        last = token.end
