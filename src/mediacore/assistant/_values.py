"""JSON values as templates read them: paths, text form, lenient parsing, and a meter of the work.

Member names match without regard to ASCII case and the first match wins, as in the C library
whose behaviour published documents rely on. Numbers are doubles: whole ones print without a
point, others with six decimal places.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final

from mediacore.errors import MediacoreError

MAX_WORK: Final = 500_000
"""Units of work of one run: about one per object member visited or character written."""
MAX_OUTPUT: Final = 262_144
"""Characters that one run may write."""
MAX_DEPTH: Final = 128
"""Levels of nesting of a value that is printed, and names in a path."""
MAX_PATH_BYTES: Final = 1024
MAX_INDEX: Final = 2**31 - 1

_INDEX = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+")
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_LEADING_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]{1,18})")
_SIGNED_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_UPPER_TO_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_TRUE_WORDS = frozenset({"yes", "on", "true", "t", "enabled", "active", "allow"})
_SHORT_ESCAPES = {
    ord('"'): '\\"',
    ord("\\"): "\\\\",
    8: "\\b",
    9: "\\t",
    10: "\\n",
    12: "\\f",
    13: "\\r",
}
_ESCAPES = {code: _SHORT_ESCAPES.get(code, f"\\u{code:04x}") for code in (*range(32), 34, 92)}
_SKIPPED = "".join(chr(code) for code in range(33))


class Missing(Enum):
    """The one value for `nothing there`, apart from JSON null."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


class TemplateLimitError(MediacoreError):
    """A template or value passed a limit. `reason`: too_large | too_costly | too_deep."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"template limit reached: {reason}")
        self.reason = reason


class Meter:
    """What one run may still do. Spending more raises `TemplateLimitError`."""

    __slots__ = ("output", "work")

    def __init__(self, work: int = MAX_WORK, output: int = MAX_OUTPUT) -> None:
        self.work = work
        self.output = output

    def spend(self, units: int) -> None:
        """Count work done."""
        self.work -= units
        if self.work < 0:
            raise TemplateLimitError("too_costly")

    def write(self, chars: int) -> None:
        """Count characters about to be written."""
        self.output -= chars
        if self.output < 0:
            raise TemplateLimitError("too_large")


def ascii_lower(text: str) -> str:
    """Lower-case A–Z only."""
    return text.lower() if text.isascii() else text.translate(_UPPER_TO_LOWER)


def member(container: object, name: str, meter: Meter | None = None) -> object:
    """The first member of an object called `name` in any ASCII case, or MISSING."""
    key = _key_of(container, name, meter) if isinstance(container, Mapping) else None
    return MISSING if key is None else container[key]  # type: ignore[index]


def has_member(container: object, name: str) -> bool:
    """Whether `member` finds anything."""
    return member(container, name) is not MISSING


def text_member(container: object, name: str) -> str | None:
    """A member that is a string."""
    value = member(container, name)
    return value if isinstance(value, str) else None


def put(container: dict[str, object], name: str, value: object, meter: Meter | None = None) -> None:
    """Set a member in place of the first one of that name in any case."""
    drop(container, name, meter)
    container[name] = value


def overlay(container: dict[str, object], source: Mapping[str, object]) -> None:
    """`put` every member of `source`; linear, for a container that was filled this way."""
    known = {ascii_lower(key): key for key in container}
    for key, value in source.items():
        lowered = ascii_lower(str(key))
        if lowered in known:
            del container[known[lowered]]
        container[key] = value
        known[lowered] = key


def put_if_absent(container: dict[str, object], name: str, value: object) -> None:
    """Set a member unless one of that name exists in any case."""
    if not has_member(container, name):
        container[name] = value


def drop(container: dict[str, object], name: str, meter: Meter | None = None) -> None:
    """Remove the first member of that name in any case."""
    key = _key_of(container, name, meter)
    if key is not None:
        del container[key]


def _key_of(container: Mapping[str, object], name: str, meter: Meter | None) -> str | None:
    if meter is not None:
        meter.spend(len(container))
    wanted = ascii_lower(name)
    return next((key for key in container if ascii_lower(str(key)) == wanted), None)


def lookup(data: object, path: str, meter: Meter) -> object:
    """The value at a path such as `results[-1].title`, or MISSING.

    Dots separate names; one `[n]` may follow a name, a negative n counts from the end. An empty
    path is the whole of `data`; a path that ends in a dot finds nothing.
    """
    if len(path.encode("utf-8", "surrogatepass")) > MAX_PATH_BYTES or path.endswith("."):
        return MISSING
    names = [name for name in path.split(".") if name]
    if len(names) > MAX_DEPTH:
        return MISSING
    current = data
    for name in names:
        current = _step(current, name, meter)
        if current is MISSING:
            return MISSING
    return current


def _step(current: object, name: str, meter: Meter) -> object:
    plain, bracket, rest = name.partition("[")
    if not bracket:
        return member(current, name, meter)
    index_text, bracket, after = rest.partition("]")
    if not bracket or after or not _INDEX.fullmatch(index_text):
        return MISSING
    index = int(index_text)
    items = member(current, plain, meter)
    if not isinstance(items, list) or index > MAX_INDEX:
        return MISSING
    position = index + len(items) if index < 0 else index
    return items[position] if 0 <= position < len(items) else MISSING


def json_string(text: str) -> str:
    """A string as JSON text; only quotes, backslashes and control characters are escaped."""
    return f'"{text.translate(_ESCAPES)}"'


def json_text(value: object, meter: Meter, depth: int = 0) -> str:
    """A value as JSON text: arrays on one line, objects with one tab-indented line per member."""
    if depth > MAX_DEPTH:
        raise TemplateLimitError("too_deep")
    meter.spend(1)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int | float):
        return _number_text(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(json_text(item, meter, depth + 1) for item in value) + "]"
    if isinstance(value, Mapping):
        return json_object(_members(value, meter, depth + 1), depth)
    meter.spend(len(str(value)) // 16)
    return json_string(str(value))


def _members(value: Mapping[str, object], meter: Meter, depth: int) -> Iterator[tuple[str, str]]:
    for name, item in value.items():
        yield str(name), json_text(item, meter, depth)


def json_object(members: Iterator[tuple[str, str]], depth: int = 0) -> str:
    """JSON text of an object from its names and the JSON text of its values."""
    pad = "\t" * (depth + 1)
    lines = [f"{pad}{json_string(name)}:\t{text}" for name, text in members]
    return "{\n" + ",\n".join(lines) + ("\n" if lines else "") + "\t" * depth + "}"


def _number_text(value: float) -> str:
    try:
        number = float(value)
    except OverflowError:
        return "null"
    if not math.isfinite(number):
        return "null"
    return str(int(number)) if number.is_integer() else f"{number:f}"


def json_value(text: str) -> object:
    """The first JSON value in a text, or MISSING.

    A byte order mark, leading blanks, raw control characters in strings and anything after the
    value are let pass; NaN and Infinity are not JSON.
    """
    start = text.lstrip("\ufeff").lstrip(_SKIPPED)
    decoder = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)
    try:
        value: object = decoder.raw_decode(start)[0]
        if _HALF_PAIR.search(text):
            value = json.loads(_repaired(json.dumps(value, ensure_ascii=False)))
    except (ValueError, RecursionError):
        return MISSING
    return value


def _repaired(text: str) -> str:
    """Text that can leave as UTF-8: half of a surrogate pair becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def leading_integer(text: str) -> int:
    """The integer a text begins with, or 0."""
    match = _LEADING_INTEGER.match(text)
    return int(match[1]) if match else 0


def is_true(value: object) -> bool:
    """JSON true, a word for it, or a string with a number whose integer part is not 0."""
    if not isinstance(value, str):
        return value is True
    if value.lower() in _TRUE_WORDS:
        return True
    number = value.strip()
    return bool(_SIGNED_NUMBER.fullmatch(number)) and leading_integer(number) != 0
