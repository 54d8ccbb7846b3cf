"""What was read, and what was made of it: notes, the error, and lenient readers of single values.

Documents come from applications and are read leniently: a value of the wrong type or out of range
is replaced and noted. A note names the key, so that nothing is dropped in silence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeGuard

from mediacore.errors import MediacoreError

NoteKind = Literal[
    "unknown", "ignored", "clamped", "wrong_type", "refused", "moved", "duplicate", "missing"
]
LONGEST_NUMBER = 64
LONGEST_PATH = 200
MOST_NOTES = 200
"""Kept of one document or reply; one more says how many there were."""


@dataclass(frozen=True, slots=True)
class ParamNote:
    """One key that was not taken as written. `text` says what happens instead."""

    path: str
    kind: NoteKind
    text: str


class AiError(MediacoreError):
    """The `ai` parameters cannot be run at all. `code` is fixed, `path` names the key."""

    def __init__(self, code: str, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.code = code
        self.path = path
        self.text = text


class Notes:
    """Collects notes while one document is read; never shared."""

    def __init__(self) -> None:
        self._items: list[ParamNote] = []
        self._more = 0

    def add(self, path: str, kind: NoteKind, text: str) -> None:
        """Add one note."""
        if len(self._items) < MOST_NOTES:
            self._items.append(ParamNote(path[:LONGEST_PATH], kind, text))
        else:
            self._more += 1

    def wrong(self, path: str, wanted: str) -> None:
        """Note a value of the wrong type."""
        self.add(path, "wrong_type", f"is not {wanted}; not used")

    def unknown(self, path: str, given: Mapping[str, object], known: frozenset[str]) -> None:
        """Note every key of `given` that is not in `known`."""
        for key in given:
            if key not in known:
                self.add(join(path, str(key)), "unknown", "is not a known key; not used")

    def extend(self, notes: tuple[ParamNote, ...]) -> None:
        """Add notes made elsewhere."""
        for note in notes:
            self.add(note.path, note.kind, note.text)

    def freeze(self) -> tuple[ParamNote, ...]:
        """All notes in the order they were made."""
        if not self._more:
            return tuple(self._items)
        return (*self._items, ParamNote("", "ignored", f"{self._more} more notes are left out"))


def join(path: str, key: str) -> str:
    """The dotted path of `key` below `path`."""
    return f"{path}.{key}" if path else key


def read_bool(value: object) -> bool | None:
    """A truth value, also as text or 0/1; None when it is none."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
            value.strip().lower()
        )
    return None


def read_float(value: object) -> float | None:
    """A finite number, also as text; None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if len(value) > LONGEST_NUMBER:
            return None
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def read_int(value: object) -> int | None:
    """A whole number, also as text or as a float without fraction; None when it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = read_float(value)
    return int(number) if number is not None and number == int(number) else None


def read_text(value: object) -> str | None:
    """Text; numbers are written out; None when it is neither."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def read_names(value: object) -> tuple[str, ...] | None:
    """A list of names, or one name; entries that are no text are left out. None: neither."""
    if isinstance(value, str):
        return (value,)
    if is_list(value):
        return tuple(item for item in value if isinstance(item, str))
    return None


def is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Whether `value` is a list of values and not text."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def as_map(value: object, path: str, notes: Notes) -> Mapping[str, object]:
    """`value` as an object with text keys; anything else is noted and read as empty."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        notes.wrong(path, "an object")
        return {}
    return {str(key): item for key, item in value.items()}


def as_list(value: object, path: str, notes: Notes) -> Sequence[object]:
    """`value` as a list; anything else is noted and read as empty."""
    if value is None:
        return ()
    if not is_list(value):
        notes.wrong(path, "a list")
        return ()
    return value


def as_text(value: object, path: str, notes: Notes, default: str = "") -> str:
    """`value` as text; anything else is noted and replaced by `default`."""
    if value is None:
        return default
    text = read_text(value)
    if text is None:
        notes.wrong(path, "text")
        return default
    return text


def as_bool(value: object, path: str, notes: Notes, default: bool = False) -> bool:
    """`value` as a truth value; anything else is noted and replaced by `default`."""
    if value is None:
        return default
    truth = read_bool(value)
    if truth is None:
        notes.wrong(path, "true or false")
        return default
    return truth


def as_names(value: object, path: str, notes: Notes) -> tuple[str, ...]:
    """`value` as a list of names; anything else is noted and read as empty."""
    if value is None:
        return ()
    names = read_names(value)
    if names is None:
        notes.wrong(path, "a list of names")
        return ()
    return names
