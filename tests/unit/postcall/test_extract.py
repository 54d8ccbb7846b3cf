import json

import pytest

from mediacore.policy.ending import FieldType
from mediacore.postcall.extract import (
    ExtractDecision,
    ExtractReason,
    FieldSpec,
    Proposal,
    accept,
    build_request,
    parse_proposals,
    supports,
)

SAID = (
    "Hi, uh, my name is John Smith.",
    "It's five five five, one two three four.",
    "I do not want the premium plan, I want the basic plan",
)
NAME = FieldSpec("name", hint="full name")
PHONE = FieldSpec("phone", FieldType.PHONE)
PLAN = FieldSpec("plan")


def reason(spec: FieldSpec, value: object, quote: object, **data: object) -> ExtractReason:
    out, (decision,) = accept((spec,), data, {spec.key: Proposal(value, quote)}, SAID)
    assert (out.get(spec.key) == value and out != data) == decision.written
    return decision.reason


def test_written_with_its_place() -> None:
    data = {"other": 1}
    out, decisions = accept(
        (NAME,), data, {"name": Proposal("john smith", "NAME IS john  Smith")}, SAID
    )
    assert out == {"other": 1, "name": "john smith"} and data == {"other": 1}
    assert decisions == (ExtractDecision("name", ExtractReason.WRITTEN, 0, 11, 29),)
    assert SAID[0][11:29] == "name is John Smith"
    assert accept((NAME,), out, {"name": Proposal("Eve", "john")}, SAID)[0] == out


@pytest.mark.parametrize(
    ("spec", "value", "quote", "expected"),
    [
        (PHONE, "555-1234", "five five five one two three four", ExtractReason.WRITTEN),
        (PHONE, "5551234", "one two three four", ExtractReason.NOT_SUPPORTED),
        (PHONE, "5551235", "five five five, one two three four", ExtractReason.NOT_SUPPORTED),
        (PHONE, "12", "five", ExtractReason.BAD_VALUE),
        (NAME, "John Smith", "my name is John", ExtractReason.NOT_SUPPORTED),
        (NAME, "Smith John", "John Smith", ExtractReason.NOT_SUPPORTED),
        (NAME, "John", "name is Joh", ExtractReason.QUOTE_NOT_FOUND),
        (NAME, "John", "John Smith It's five", ExtractReason.QUOTE_NOT_FOUND),
        (NAME, "John", "", ExtractReason.NO_QUOTE),
        (NAME, "John", "...", ExtractReason.NO_QUOTE),
        (NAME, "John", None, ExtractReason.NO_QUOTE),
        (NAME, "John", ["John"], ExtractReason.NO_QUOTE),
        (NAME, "John", "John " * 500, ExtractReason.NO_QUOTE),
        (NAME, None, "John", ExtractReason.BAD_VALUE),
        (NAME, {"x": 1}, "John", ExtractReason.BAD_VALUE),
        (NAME, "x" * 501, "John", ExtractReason.BAD_VALUE),
        (PLAN, "premium plan", "want the premium plan", ExtractReason.NEGATED),
        (PLAN, "basic plan", "want the basic plan", ExtractReason.WRITTEN),
        (FieldSpec("opt", required=False), "John", "John", ExtractReason.NOT_REQUIRED),
    ],
)
def test_reasons(spec: FieldSpec, value: object, quote: object, expected: ExtractReason) -> None:
    assert reason(spec, value, quote) is expected


@pytest.mark.parametrize("held", ["Ann", 0, False, "unknown", ["x"]])
def test_nothing_is_overwritten(held: object) -> None:
    assert reason(NAME, "John", "John", name=held) is ExtractReason.ALREADY_FILLED


@pytest.mark.parametrize("held", [None, "", "  ", [], {}])
def test_empty_is_filled(held: object) -> None:
    assert reason(NAME, "John", "John", name=held) is ExtractReason.WRITTEN


def test_missing_and_stray_proposals() -> None:
    _, decisions = accept((NAME,), {}, {"x": Proposal(1, "one")}, SAID)
    assert [d.reason for d in decisions] == [
        ExtractReason.NO_PROPOSAL,
        ExtractReason.UNKNOWN_FIELD,
    ]


def test_negation_with_apostrophe_ends_with_its_clause() -> None:
    spec = (PLAN,)
    quote = {"plan": Proposal("gold", "want gold")}
    assert accept(spec, {}, quote, ["I don’t want gold"])[0] == {}
    assert accept(spec, {}, quote, ["I wouldn't want gold"])[0] == {}
    assert accept(spec, {}, quote, ["I do not. I want gold"])[0] == {"plan": "gold"}
    assert accept(spec, {}, quote, ["I don't want gold", "well I want gold"])[0] == {"plan": "gold"}


@pytest.mark.parametrize(
    ("kind", "value", "quote", "good"),
    [
        (FieldType.NUMBER, 205, "two hundred and five", True),
        (FieldType.NUMBER, "1,250.50", "it is $1,250.50", True),
        (FieldType.NUMBER, 1250, "it is $12.50", False),
        (FieldType.NUMBER, 5, "twenty five", False),
        (FieldType.NUMBER, "many", "many", False),
        (FieldType.NUMBER, float("inf"), "five", False),
        (FieldType.DIGITS, "0042", "double oh four two", True),
        (FieldType.DIGITS, "x", "x", False),
        (FieldType.TEXT, "12 Main Street", "twelve, uh, main street", True),
        (FieldType.TEXT, "...", "one", False),
        (FieldType.EMAIL, "john@x.com", "john at x dot com", True),
        (FieldType.EMAIL, "jon@x.com", "john at x dot com", False),
        (FieldType.YES_NO, True, "yes please", True),
        (FieldType.YES_NO, True, "no thanks", False),
        (FieldType.YES_NO, "no", "no thanks", True),
        (FieldType.YES_NO, False, "well", False),
    ],
)
def test_supports(kind: FieldType, value: object, quote: str, good: bool) -> None:
    assert supports(kind, value, quote) is good


def test_request_names_only_what_is_missing() -> None:
    text = build_request((NAME, PHONE, FieldSpec("opt", required=False)), {"phone": "1"}, SAID)
    fields = json.loads(text.split("Fields: ")[1].split("\n")[0])
    assert fields == [{"key": "name", "type": "text", "meaning": "full name"}]
    said = json.loads(text.split("Utterances: ")[1])
    assert [row["text"] for row in said] == list(SAID)
    assert build_request((PHONE,), {"phone": "1"}, SAID) == ""


def test_parsing_is_tolerant() -> None:
    text = 'Here: {"name": {"value": "J", "quote": "q"}, "x": 1, "y": {"value": 2}, "z": {}}'
    assert parse_proposals(text) == {"name": Proposal("J", "q"), "y": Proposal(2, None)}
    for garbage in ("", "sorry", "[]", "{", '{"a": [', "null"):
        assert parse_proposals(garbage) == {}
