import pytest

from mediacore.policy.ending import (
    FieldType,
    RequiredField,
    Verdict,
    can_end_call,
    is_blank,
    is_missing,
    is_valid,
)
from mediacore.policy.readback import ReadBack

NAME = RequiredField("name")
PHONE = RequiredField("phone", FieldType.PHONE, ReadBack.PHONE)


def test_everything_there_and_confirmed() -> None:
    data = {"name": "Ann", "phone": "(555) 010-1234"}
    assert can_end_call((NAME, PHONE), data, {"phone": "5550101234"}) == Verdict(True)
    assert can_end_call((), {}, {}) == Verdict(True)


def test_claims_count_for_nothing() -> None:
    claim = {"done": True, "complete": "yes", "name_confirmed": True}
    assert can_end_call((NAME,), claim, {"name": "Ann"}) == Verdict(False, missing=("name",))


@pytest.mark.parametrize("value", [None, "", "  ", [], {}, "unknown", " N/A ", "TBD", "?", "..."])
def test_missing(value: object) -> None:
    assert can_end_call((NAME,), {"name": value}, {}) == Verdict(False, missing=("name",))


@pytest.mark.parametrize("value", [0, False, 0.0, "0", "nancy"])
def test_not_missing(value: object) -> None:
    assert not is_missing(value)


def test_blank_is_stricter_than_missing() -> None:
    assert not is_blank("unknown") and is_blank(" ") and is_blank(())


@pytest.mark.parametrize("confirmed", [{}, {"phone": ""}, {"phone": "5550109999"}])
def test_read_back_must_be_of_this_value(confirmed: dict[str, object]) -> None:
    verdict = can_end_call((PHONE,), {"phone": "555 010 1234"}, confirmed)
    assert verdict == Verdict(False, needs_read_back=("phone",))


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (RequiredField("x"), ["a", 5], [True, ["a"], 1.5]),
        (RequiredField("x", FieldType.NUMBER), [1, 2.5, "1,250.50", "-3"], ["five", True, "1,2"]),
        (RequiredField("x", FieldType.DIGITS, least=4, most=4), ["1234", 1234], ["123", "12a4"]),
        (RequiredField("x", FieldType.DIGITS), ["1", "12-34"], ["", "x"]),
        (RequiredField("x", FieldType.PHONE), ["+1 555 010 1234", 5550101234], ["12345", "x" * 9]),
        (RequiredField("x", FieldType.EMAIL), ["a@b.co"], ["a@b", "a b@c.de", 5]),
        (RequiredField("x", FieldType.YES_NO), [True, False, "Yes"], ["maybe", 1]),
    ],
)
def test_types(field: RequiredField, good: list[object], bad: list[object]) -> None:
    assert [v for v in good if not is_valid(field, v)] == []
    assert [v for v in bad if is_valid(field, v)] == []


def test_invalid_is_told_apart() -> None:
    verdict = can_end_call((PHONE, NAME), {"phone": "123"}, {})
    assert verdict == Verdict(False, missing=("name",), invalid=("phone",))
