"""Numbers: how they are written, whose they are, what costs extra."""

from __future__ import annotations

import pytest

from mediacore.policy.numbering import (
    CALLING_CODES,
    PREMIUM,
    countries_of,
    is_number,
    is_premium,
    plain_number,
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("+1 (212) 555-0100", "+12125550100"),
        ("tel:+49-30-1234;ext=5", "+49301234"),
        (" 0049 30/1234 ", "0049301234"),
        ("*21#", "*21#"),
    ],
)
def test_what_helps_the_eye_is_taken_out(text: str, plain: str) -> None:
    assert plain_number(text) == plain
    assert is_number(plain)


@pytest.mark.parametrize("text", ["", "+", "12a", "sip:x@y", "+1+2", "١٢٣"])
def test_no_numbers(text: str) -> None:
    assert not is_number(text)


@pytest.mark.parametrize(
    ("number", "countries"),
    [
        ("+12125550100", {"US", "CA"}),
        ("+18765550100", {"JM"}),  # within +1, but not at home
        ("+49301234", {"DE"}),
        ("+37060000000", {"LT"}),
        ("+999123", set()),
        ("0049301234", set()),
    ],
)
def test_countries(number: str, countries: set[str]) -> None:
    assert countries_of(number) == countries


def test_the_tables_are_sound() -> None:
    assert all(code.isdigit() and len(code) <= 4 for code in CALLING_CODES)
    assert all(len(c) == 2 for found in CALLING_CODES.values() for c in found)
    assert len(set(PREMIUM)) == len(PREMIUM)
    codes = [code for code in CALLING_CODES if code not in PREMIUM]
    assert not [c for c in codes if is_premium(f"+{c}")]  # no whole country is premium


@pytest.mark.parametrize(
    ("number", "premium"),
    [
        ("+19005550100", True),
        ("+449012345678", True),
        ("+442012345678", False),
        ("+882161234", True),
        ("+12125550100", False),
        ("900", False),
    ],
)
def test_premium(number: str, premium: bool) -> None:
    assert is_premium(number) is premium
