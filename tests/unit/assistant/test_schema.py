"""The check of tool arguments."""

import pytest

from mediacore.assistant.schema import problem

ORDER = {
    "type": "object",
    "properties": {
        "size": {"type": "string", "enum": ["s", "m"]},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "price": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 5},
        "extra": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "note": {"type": ["string", "null"], "maxLength": 3, "minLength": 1},
        "gift": {"type": "boolean"},
        "kind": {"const": 1},
        "maybe": {"type": "string", "nullable": True},
        "odd": {"type": "colour"},
        "sub": {"type": "object", "required": ["x"], "additionalProperties": False},
    },
    "required": ["size"],
}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"size": "s"}, ""),
        ({"size": "s", "count": 2.0, "price": 1, "gift": True, "note": None, "maybe": None}, ""),
        ({"size": "s", "other": object()}, ""),
        ({"size": "s", "odd": 1, "kind": 1}, ""),
        ({}, "arguments needs size"),
        ([], "arguments must be object"),
        ({"size": "x"}, "arguments.size must be one of: s, m"),
        ({"size": "s", "count": 0}, "arguments.count must be at least 1"),
        ({"size": "s", "count": 10}, "arguments.count must be at most 9"),
        ({"size": "s", "count": True}, "arguments.count must be integer"),
        ({"size": "s", "count": 1.5}, "arguments.count must be integer"),
        ({"size": "s", "price": 0}, "arguments.price must be more than 0"),
        ({"size": "s", "price": 5}, "arguments.price must be less than 5"),
        ({"size": "s", "extra": ["a", 1]}, "arguments.extra[1] must be string"),
        ({"size": "s", "extra": ["a"] * 3}, "arguments.extra must have at most 2 entries"),
        ({"size": "s", "note": "long"}, "arguments.note must have at most 3 characters"),
        ({"size": "s", "note": ""}, "arguments.note must have at least 1 characters"),
        ({"size": "s", "gift": 1}, "arguments.gift must be boolean"),
        ({"size": "s", "kind": True}, "arguments.kind must be 1"),
        ({"size": "s", "sub": {"x": 1, "y": 2}}, "arguments.sub has no x"),
        ({"size": "s", "sub": {}}, "arguments.sub needs x"),
    ],
)
def test_problem(value, text):
    assert problem(value, ORDER) == text


def test_no_schema_fits_everything():
    assert problem(3, None) == ""
    assert problem(None, {}) == ""
