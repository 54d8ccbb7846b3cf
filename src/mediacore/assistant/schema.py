"""A small check of tool arguments against the JSON schema of the tool.

The subset that tool descriptions use: type, properties, required, enum, const, minimum, maximum,
exclusive bounds, minLength, maxLength, items, minItems, maxItems, additionalProperties false.
Other keywords are not enforced.
"""

from __future__ import annotations

from collections.abc import Mapping

from mediacore.assistant.notes import is_list, read_float

DEEPEST = 16


def problem(value: object, schema: object, path: str = "arguments", depth: int = 0) -> str:
    """The first thing in `value` that does not fit, as text for the model; "" when all fits."""
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return ""
    kinds = _kinds(schema)
    if kinds and not any(_is_kind(value, kind) for kind in kinds):
        return f"{path} must be {' or '.join(kinds)}"
    allowed = schema.get("enum")
    if is_list(allowed) and not any(_same(value, item) for item in allowed):
        return f"{path} must be one of: {', '.join(str(item) for item in allowed)}"
    if "const" in schema and not _same(value, schema["const"]):
        return f"{path} must be {schema['const']}"
    if isinstance(value, bool):
        return ""
    if isinstance(value, int | float):
        return _bounds(value, schema, path)
    if isinstance(value, str):
        return _length(len(value), schema, path, "minLength", "maxLength", "characters")
    if isinstance(value, Mapping):
        return _members(value, schema, path, depth)
    if is_list(value):
        wrong = _length(len(value), schema, path, "minItems", "maxItems", "entries")
        found = (
            problem(item, schema.get("items"), f"{path}[{at}]", depth + 1)
            for at, item in enumerate(value)
        )
        return wrong or next((text for text in found if text), "")
    return ""


def _kinds(schema: Mapping[object, object]) -> tuple[str, ...]:
    kind = schema.get("type")
    names = [kind] if isinstance(kind, str) else list(kind) if is_list(kind) else []
    kinds = tuple(name for name in names if isinstance(name, str))
    return (*kinds, "null") if kinds and schema.get("nullable") is True else kinds


def _is_kind(value: object, kind: str) -> bool:
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        whole = isinstance(value, float) and value.is_integer()
        return (isinstance(value, int) and not isinstance(value, bool)) or whole
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "string":
        return isinstance(value, str)
    if kind == "object":
        return isinstance(value, Mapping)
    if kind == "array":
        return is_list(value)
    if kind == "null":
        return value is None
    return True


def _same(value: object, item: object) -> bool:
    return value == item and isinstance(value, bool) == isinstance(item, bool)


def _bounds(value: int | float, schema: Mapping[object, object], path: str) -> str:
    words = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "more than",
        "exclusiveMaximum": "less than",
    }
    for key, text in words.items():
        bound = read_float(schema.get(key))
        if bound is not None and not _within(value, key, bound):
            return f"{path} must be {text} {bound:g}"
    return ""


def _within(value: int | float, key: str, bound: float) -> bool:
    if key == "minimum":
        return value >= bound
    if key == "maximum":
        return value <= bound
    return value > bound if key == "exclusiveMinimum" else value < bound


def _length(
    length: int, schema: Mapping[object, object], path: str, low: str, high: str, unit: str
) -> str:
    least, most = read_float(schema.get(low)), read_float(schema.get(high))
    if least is not None and length < least:
        return f"{path} must have at least {least:g} {unit}"
    if most is not None and length > most:
        return f"{path} must have at most {most:g} {unit}"
    return ""


def _members(
    value: Mapping[object, object], schema: Mapping[object, object], path: str, depth: int
) -> str:
    required = schema.get("required")
    for name in required if is_list(required) else ():
        if name not in value:
            return f"{path} needs {name}"
    properties = schema.get("properties")
    known: Mapping[object, object] = properties if isinstance(properties, Mapping) else {}
    for name, item in value.items():
        if name in known:
            wrong = problem(item, known[name], f"{path}.{name}", depth + 1)
            if wrong:
                return wrong
        elif schema.get("additionalProperties") is False:
            return f"{path} has no {name}"
    return ""
