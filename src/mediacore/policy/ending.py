"""The one gate at the end of a call: may it end now?

Required fields are checked against the data that the call holds. That a model or a caller says
something is done counts for nothing. Hang-ups and tripped limits do not ask this gate; they end
the call whatever is missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mediacore.policy.readback import ReadBack, canonical


class FieldType(StrEnum):
    """What a value must look like."""

    TEXT = "text"
    NUMBER = "number"
    DIGITS = "digits"
    PHONE = "phone"
    EMAIL = "email"
    YES_NO = "yes_no"


_PLACEHOLDER: Final = re.compile(
    r"unknown|unspecified|undefined|none|nil|null|n/?a|tb[da]|pending|to be determined"
    r"|not (?:provided|given|specified|known)|[?.…-]+"
)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?", re.ASCII)
_DIGITS: Final = re.compile(r"\d(?:[ -]?\d)*", re.ASCII)
_PHONE: Final = re.compile(r"\+?[\d\s().-]{7,24}", re.ASCII)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")


@dataclass(frozen=True, slots=True)
class RequiredField:
    """A field without which the call may not end. read_back: how it must have been confirmed.

    least, most: number of digits, for `DIGITS` and `PHONE`; 0 = any.
    """

    key: str
    type: FieldType = FieldType.TEXT
    read_back: ReadBack | None = None
    least: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Keys in the order of the required fields. invalid: there, but not of its type."""

    allowed: bool
    missing: tuple[str, ...] = ()
    needs_read_back: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()


def can_end_call(
    required: tuple[RequiredField, ...],
    data: Mapping[str, object],
    confirmed: Mapping[str, object],
) -> Verdict:
    """Whether everything required is there, valid, and confirmed where it must be.

    confirmed: key -> the value that the caller affirmed. A value changed since then must be read
    back again.
    """
    missing: list[str] = []
    invalid: list[str] = []
    unread: list[str] = []
    for field in required:
        value = data.get(field.key)
        if is_missing(value):
            missing.append(field.key)
        elif not is_valid(field, value):
            invalid.append(field.key)
        elif field.read_back is not None and not _affirmed(field, value, confirmed):
            unread.append(field.key)
    return Verdict(
        not (missing or invalid or unread), tuple(missing), tuple(unread), tuple(invalid)
    )


def is_blank(value: object) -> bool:
    """Nothing at all: None, empty or white text, an empty list or mapping."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, list | tuple | dict | set) and not value)


def is_missing(value: object) -> bool:
    """Blank, or a word that stands for nothing ("unknown", "n/a"). False and 0 are values."""
    if is_blank(value):
        return True
    return isinstance(value, str) and bool(_PLACEHOLDER.fullmatch(value.strip().casefold()))


def is_valid(field: RequiredField, value: object) -> bool:
    """Whether a value that is there has the field's type and number of digits."""
    if field.type is FieldType.YES_NO:
        return isinstance(value, bool) or str(value).strip().casefold() in ("yes", "no")
    if isinstance(value, bool):
        return False
    if field.type is FieldType.NUMBER:
        return isinstance(value, int | float) or bool(_NUMBER.fullmatch(_text(value)))
    if not isinstance(value, str | int):
        return False
    if field.type is FieldType.TEXT:
        return True
    if field.type is FieldType.EMAIL:
        return bool(_EMAIL.fullmatch(_text(value)))
    shape = _PHONE if field.type is FieldType.PHONE else _DIGITS
    count = sum(c.isdigit() for c in _text(value))
    least = field.least or (7 if field.type is FieldType.PHONE else 1)
    most = field.most or (15 if field.type is FieldType.PHONE else count)
    return bool(shape.fullmatch(_text(value))) and least <= count <= most


def _text(value: object) -> str:
    return str(value).strip()


def _affirmed(field: RequiredField, value: object, confirmed: Mapping[str, object]) -> bool:
    if field.read_back is None or is_blank(confirmed.get(field.key)):
        return False
    return canonical(_text(confirmed[field.key]), field.read_back) == canonical(
        _text(value), field.read_back
    )
