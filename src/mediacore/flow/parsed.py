"""A document as plain values with their places, its errors and its limits."""

from __future__ import annotations

import math
from typing import Final, NoReturn, Protocol

from mediacore.errors import MediacoreError
from mediacore.flow.findings import Code
from mediacore.flow.place import NOWHERE, Path, Place, format_path, shown

MAX_BYTES: Final = 1 << 20
"""Of the text."""
MAX_DEPTH: Final = 100
"""Of lists and maps within each other; statements have a limit of their own."""
MAX_NODES: Final = 100_000
"""Values in one document, keys not counted."""


class DocumentError(MediacoreError):
    """A document cannot be used. Says which, where and why; `code` is a findings.Code."""

    def __init__(self, name: str, place: Place, path: Path, code: str, text: str) -> None:
        where = f":{place.line}:{place.column}" if place.line else ""
        super().__init__(f"{name}{where}: {format_path(path)}: {text}")
        self.name = name
        self.place = place
        self.path = path
        self.code = code
        self.text = text


class Places(Protocol):
    """Knows where values stand; a dict is one."""

    def get(self, path: Path, /) -> Place | None:
        """The place of exactly this path."""


class Source:
    """Plain values (dict, list, str, int, float, bool, None) and where they stood in the text.

    Not to be changed by those who read it.
    """

    __slots__ = ("_places", "name", "value")

    def __init__(self, name: str, value: object, places: Places | None = None) -> None:
        self.name = name
        self.value = value
        self._places = places

    def place(self, path: Path) -> Place:
        """Where `path` stands: a key's place for a value under a key, else the value's own.

        The nearest known ancestor's place when there is none, for instance for a missing key.
        """
        places = self._places
        if places is None:
            return NOWHERE
        for length in range(len(path), -1, -1):
            found = places.get(path[:length])
            if found is not None:
                return found
        return NOWHERE


def check_limits(source: Source) -> None:
    """Raise DocumentError when the values are too deep, too many, or not what JSON can hold.

    Values that contain themselves are too deep. Visits at most MAX_NODES values.
    """

    def refuse(path: Path, code: Code, text: str) -> NoReturn:
        raise DocumentError(source.name, source.place(path), path, code, text)

    def too_many() -> NoReturn:
        text = f"more than {MAX_NODES} values"
        raise DocumentError(source.name, NOWHERE, (), Code.DOCUMENT_TOO_LARGE, text)

    waiting: list[tuple[object, Path]] = [(source.value, ())]
    seen = 0
    while waiting:
        value, path = waiting.pop()
        seen += 1
        if isinstance(value, (dict, list)):
            if len(path) >= MAX_DEPTH:
                refuse(path[:8], Code.NESTED_TOO_DEEP, f"nested more than {MAX_DEPTH} deep")
            if seen + len(waiting) + len(value) > MAX_NODES:
                too_many()
            if isinstance(value, list):
                waiting.extend((item, (*path, i)) for i, item in enumerate(value))
                continue
            for key, item in value.items():
                if not isinstance(key, str) or not _encodable(key):
                    refuse(path, Code.PARSE_ERROR, "a key is not text")
                waiting.append((item, (*path, key)))
        elif isinstance(value, str):
            if not _encodable(value):
                refuse(path, Code.PARSE_ERROR, "half of a surrogate pair is not text")
        elif isinstance(value, float):
            if not math.isfinite(value):
                refuse(path, Code.PARSE_ERROR, "the number is beyond what a number can hold")
        elif value is not None and not isinstance(value, int):
            kind = shown(type(value).__name__)
            refuse(path, Code.PARSE_ERROR, f"a {kind} cannot stand in a document")


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
