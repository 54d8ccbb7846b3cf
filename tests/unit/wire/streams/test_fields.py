"""Tolerant reading of provider messages."""

import pytest

from mediacore.wire.streams import fields


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        ("3", 3),
        (3.0, 3),
        ("0", 0),
        (True, -1),
        (3.5, -1),
        ("3.5", -1),
        (-1, -1),
        ("-1", -1),
        ("٣", -1),
        ("9" * 17, -1),
        (1 << 60, -1),
        (float("inf"), -1),
        (None, -1),
        ([3], -1),
    ],
)
def test_numbers_may_be_text(value: object, expected: int) -> None:
    assert fields.number_of({"n": value}, "n", default=-1) == expected


def test_the_first_number_that_is_there_counts() -> None:
    assert fields.number_of({"b": "x", "c": "7"}, "a", "b", "c") == 7
    assert fields.number_of({}, "a") == 0


def test_texts_are_cut_and_numbers_become_texts() -> None:
    assert fields.text_of({"a": "", "b": 12}, "a", "b") == "12"
    assert len(fields.text_of({"a": "x" * 10_000}, "a")) == fields.MAX_VALUE
    assert fields.text_of({"a": {}}, "a", "b") == ""


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("audio/x-mulaw", "PCMU", 0),
        ("PCMU@8000h", "PCMU", 8000),
        ("audio/x-mulaw;rate=8000", "PCMU", 8000),
        ("PCMA", "PCMA", 0),
        ("audio/l16;rate=16000", "L16LE", 16000),
        ("audio/l16; rate=16000", "L16LE", 16000),
        ("L16@24000h", "L16LE", 24000),
        ("audio/x-raw", "L16LE", 0),
        ("OPUS", "opus", 0),
        ("G722", "G722", 0),
        ("AMR-WB", "", 0),
        ("audio/l16;rate=many", "L16LE", 0),
        ("audio/l16;rate=" + "9" * 30, "L16LE", 0),
    ],
)
def test_codecs_are_known_by_all_their_names(name: str, codec: str, rate: int) -> None:
    assert fields.codec_of(name) == codec
    assert fields.rate_of(name) == rate


def test_parameters_are_bounded_and_texts() -> None:
    many = {f"k{n}": str(n) for n in range(200)}
    assert len(fields.parameters_of(many)) == fields.MAX_PARAMETERS
    given = {"a": "b", "n": 1, "o": {"x": [1]}, "": "no", "l" * 999: "no", "v": "x" * 9999}
    assert fields.parameters_of(given) == {"a": "b", "n": "1", "o": '{"x":[1]}'}
    assert fields.parameters_of(["no"]) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1;b=2", {"a": "1", "b": "2"}),
        ("a=1, b=2,c", {"a": "1", "b": "2"}),
        ('{"a":"1"}', {"a": "1"}),
        ("{a=1}", {"a": "1"}),
        ("", {}),
    ],
)
def test_pairs(text: str, expected: dict[str, str]) -> None:
    assert fields.pairs_of(text) == expected


def test_party_numbers_by_the_customers_names() -> None:
    assert fields.party_numbers({"From": "+1", "called": "+2"}) == ("+1", "+2")
    assert fields.party_numbers({}) == ("", "")


@pytest.mark.parametrize("text", ["", "[]", '"x"', "{", "null", "[" * 100_000, "\ud800"])
def test_what_is_no_object_is_none(text: str) -> None:
    assert fields.decode(text) is None


@pytest.mark.parametrize(("digit", "expected"), [("5", "5"), (5, "5"), ("a", "A"), ("55", "")])
def test_digits(digit: object, expected: str) -> None:
    assert fields.digit_of({"digit": digit}, "digit") == expected
