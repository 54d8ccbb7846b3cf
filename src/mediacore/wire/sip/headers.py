"""Header fields: ordered, names case-insensitive, compact names expanded (RFC 3261 §7.3).

Values stay raw text. Lines are held in the order in which they came; what a header means is read
where it is needed, and only then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from mediacore.wire.sip.errors import SipError

COMPACT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "a": "Accept-Contact",
        "b": "Referred-By",
        "c": "Content-Type",
        "d": "Request-Disposition",
        "e": "Content-Encoding",
        "f": "From",
        "i": "Call-ID",
        "j": "Reject-Contact",
        "k": "Supported",
        "l": "Content-Length",
        "m": "Contact",
        "o": "Event",
        "r": "Refer-To",
        "s": "Subject",
        "t": "To",
        "u": "Allow-Events",
        "v": "Via",
        "x": "Session-Expires",
        "y": "Identity",
    }
)

_COMPACT_KEYS: Final = {short: name.lower() for short, name in COMPACT.items()}
_BREAKS = re.compile(r"[\r\n\0]")
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|<[^<>]*>|(,)')


def split_list(value: str) -> list[str]:
    """The parts of a comma-separated value; commas in quotes or angle brackets do not count."""
    if "," not in value:
        return [value.strip()]
    parts = []
    begin = 0
    for found in _PIECE.finditer(value):
        if found[1]:
            parts.append(value[begin : found.start()].strip())
            begin = found.end()
    parts.append(value[begin:].strip())
    return parts


class Headers:
    """The header fields of one message."""

    __slots__ = ("_lines",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._lines: list[tuple[str, str, str]] = []
        for name, value in items:
            self.add(name, value)

    def add(self, name: str, value: str) -> None:
        """Append a line. Raises SipError for a value that would break out of its line."""
        self._lines.append(_line(name, value))

    def prepend(self, name: str, value: str) -> None:
        """Put a line before all others."""
        self._lines.insert(0, _line(name, value))

    def get(self, name: str) -> str | None:
        """The first value."""
        key = _key(name)
        for line in self._lines:
            if line[0] == key:
                return line[2]
        return None

    def all(self, name: str) -> list[str]:
        """All values, one per line."""
        key = _key(name)
        return [line[2] for line in self._lines if line[0] == key]

    def items_of(self, name: str) -> list[str]:
        """The elements of a header that is a list, over all its lines."""
        return [item for value in self.all(name) for item in split_list(value)]

    def tokens(self, name: str) -> list[str]:
        """Like items_of for option tags and methods: empty elements are left out."""
        return [token for token in self.items_of(name) if token]

    def set(self, name: str, value: str) -> None:
        """One line instead of all that bear the name; stays where the first of them was."""
        self.set_all(name, [value])

    def set_all(self, name: str, values: Iterable[str]) -> None:
        """These lines instead of all that bear the name; they stay where the first of them was."""
        key = _key(name)
        fresh = [_line(name, value) for value in values]
        at = next((n for n, line in enumerate(self._lines) if line[0] == key), len(self._lines))
        rest = [line for line in self._lines if line[0] != key]
        self._lines = [*rest[:at], *fresh, *rest[at:]]

    def remove(self, name: str) -> None:
        """Drop all lines that bear the name."""
        key = _key(name)
        self._lines = [line for line in self._lines if line[0] != key]

    def copy(self) -> Headers:
        """An independent copy."""
        made = Headers()
        made._lines = self._lines.copy()
        return made

    def text(self) -> str:
        """The lines as they go out, Content-Length left out."""
        return "".join(
            [f"{name}: {value}\r\n" for key, name, value in self._lines if key != "content-length"]
        )

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, value) for _, name, value in self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"


def _key(name: str) -> str:
    key = name.lower()
    return _COMPACT_KEYS.get(key, key)


def _line(name: str, value: str) -> tuple[str, str, str]:
    if _BREAKS.search(value) or _BREAKS.search(name):
        raise SipError(f"header {name!r} holds a line break")
    key = name.lower()
    full = COMPACT.get(key)
    if full is None:
        return key, name, value
    return full.lower(), full, value
