"""JSON with places: the standard library decodes, a scanner finds places only when asked.

Accepts what RFC 8259 defines; duplicate keys and the numbers NaN and Infinity are refused.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Any, Final, NoReturn

from mediacore.flow.findings import Code
from mediacore.flow.parsed import MAX_DEPTH, DocumentError, Source, check_limits
from mediacore.flow.place import NOWHERE, Path, Place, shown

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_NEWLINE: Final = re.compile(r"\n")


class _DuplicateError(Exception):
    """A map with the same key twice; the scanner finds which."""


def _map(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _DuplicateError
    return made


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def json_source(text: str, name: str) -> Source:
    """Decode. Raises DocumentError with line and column."""

    def refuse(place: Place, path: Path, code: Code, why: str) -> NoReturn:
        raise DocumentError(name, place, path, code, why) from None

    try:
        value = json.loads(text, object_pairs_hook=_map, parse_constant=_constant)
    except json.JSONDecodeError as error:
        where = Place(error.lineno, error.colno)
        refuse(where, (), Code.PARSE_ERROR, f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}")
    except RecursionError:
        refuse(NOWHERE, (), Code.NESTED_TOO_DEEP, f"nested more than {MAX_DEPTH} deep")
    except _DuplicateError:
        path, first, second = _duplicate(text)
        why = f"key '{shown(str(path[-1]))}' stands twice in one map; first in line {first.line}"
        refuse(second, path, Code.ELEMENT_DUPLICATED, why)
    except ValueError as error:
        refuse(NOWHERE, (), Code.PARSE_ERROR, f"not JSON: {str(error).partition(';')[0]}")
    source = Source(name, value, JsonPlaces(text))
    check_limits(source)
    return source


class JsonPlaces:
    """Places of the values of a JSON text, computed when the first one is asked for."""

    __slots__ = ("_lines", "_offsets", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._offsets: dict[Path, int] | None = None
        self._lines: list[int] = []

    def get(self, path: Path, /) -> Place | None:
        """The place of exactly this path."""
        if self._offsets is None:
            self._lines = _lines(self._text)
            self._offsets = {}
            _scan(self._text, self._offsets)
        offset = self._offsets.get(path)
        return None if offset is None else _place(self._lines, offset)


def _lines(text: str) -> list[int]:
    """Offsets at which the lines begin."""
    return [0, *(found.end() for found in _NEWLINE.finditer(text))]


def _place(lines: list[int], offset: int) -> Place:
    line = bisect_right(lines, offset)
    return Place(line, offset - lines[line - 1] + 1)


def _duplicate(text: str) -> tuple[Path, Place, Place]:
    """Path of the first repeated key, and its two places."""
    offsets: dict[Path, int] = {}
    found = _scan(text, offsets)
    assert found is not None
    path, second = found
    lines = _lines(text)
    return path, _place(lines, offsets[path]), _place(lines, second)


def _scan(text: str, offsets: dict[Path, int]) -> tuple[Path, int] | None:
    """Note the offset of every value of a text that the decoder takes, up to a duplicate key.

    A value in a map is noted by its key. Returns path and offset of the duplicate. Linear.
    """
    above: list[tuple[Path, bool, int]] = []
    path: Path = ()  # of the container that is open
    slot: Path = ()  # of the value that comes next
    in_map, index, key_next = False, 0, False
    for found in _TOKEN.finditer(text):
        token = found.group()
        first = token[0]
        if first == ":":
            key_next = False
        elif first == ",":
            if in_map:
                key_next = True
            else:
                index += 1
                slot = (*path, index)
        elif first in "}]":
            path, in_map, index = above.pop()
            key_next = False
        elif key_next:
            key = json.loads(token) if "\\" in token else token[1:-1]
            slot = (*path, key)
            if slot in offsets:
                return slot, found.start()
            offsets[slot] = found.start()
        else:
            if not in_map:
                offsets[slot] = found.start()
            if first in "{[":
                above.append((path, in_map, index))
                path, index = slot, 0
                in_map = key_next = first == "{"
                if not in_map:
                    slot = (*path, 0)
    return None
