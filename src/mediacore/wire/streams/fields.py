"""Tolerant reading of provider messages: numbers may be text, anything may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

MAX_PARAMETERS: Final = 64
MAX_NAME: Final = 128
MAX_VALUE: Final = 4096
_DIGITS: Final = frozenset("0123456789*#ABCD")
_MAX_NUMBER: Final = 1 << 53
_CODECS: Final = {
    "mulaw": "PCMU",
    "ulaw": "PCMU",
    "pcmu": "PCMU",
    "alaw": "PCMA",
    "pcma": "PCMA",
    "g722": "G722",
    "opus": "opus",
    "l16": "L16LE",
    "linear16": "L16LE",
    "raw": "L16LE",
    "slin": "L16LE",
    "base64": "L16LE",
}


def decode(text: str) -> dict[str, Any] | None:
    """The JSON object, or None when it is not one."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def encode(message: Mapping[str, object]) -> str:
    """Compact JSON."""
    return msgspec.json.encode(message).decode()


def text_of(holder: Mapping[str, Any], *names: str) -> str:
    """The first of these that is there, as text of at most MAX_VALUE characters."""
    for name in names:
        value = holder.get(name)
        if isinstance(value, str) and value:
            return value[:MAX_VALUE]
        if type(value) in (int, float):
            return str(value)
    return ""


def number_of(holder: Mapping[str, Any], *names: str, default: int = 0) -> int:
    """The first of these that is a whole number, or text that is one."""
    for name in names:
        value = holder.get(name)
        if isinstance(value, str):
            value = int(value) if len(value) <= 16 and _numeric(value) else None
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is int and 0 <= value < _MAX_NUMBER:
            return value
    return default


def _numeric(text: str) -> bool:
    return text.isascii() and text.isdigit()


def object_of(holder: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object of this name; empty when there is none."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def digit_of(holder: Mapping[str, Any], *names: str) -> str:
    """A key of the telephone, "" = none."""
    digit = text_of(holder, *names).upper()
    return digit if digit in _DIGITS else ""


def codec_of(name: str) -> str:
    """The core's name of "audio/x-mulaw", "PCMU", "L16@16000h" …; "" = not known."""
    short = name.lower().split("@")[0].split(";")[0].strip()
    return _CODECS.get(short.removeprefix("audio/").removeprefix("x-"), "")


def rate_of(name: str) -> int:
    """The rate in "audio/l16;rate=16000" or "L16@16000h", 0 = none."""
    for part in name.lower().replace(" ", "").replace("@", ";rate=").split(";")[1:]:
        digits = part.removeprefix("rate=").removesuffix("h")
        if part.startswith("rate=") and len(digits) <= 6 and _numeric(digits):
            return int(digits)
    return 0


def parameters_of(value: object) -> dict[str, str]:
    """Names and texts of an object; nested values as JSON, what is too much left out."""
    found: dict[str, str] = {}
    if not isinstance(value, dict):
        return found
    for name, each in value.items():
        if len(found) == MAX_PARAMETERS:
            break
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
            continue
        text = each if isinstance(each, str) else encode_value(each)
        if len(text) <= MAX_VALUE:
            found[name] = text
    return found


def encode_value(value: object) -> str:
    """A decoded JSON value as JSON."""
    return msgspec.json.encode(value).decode()


def pairs_of(text: str) -> dict[str, str]:
    """Parameters written "a=1;b=2", "a=1,b=2" or as a JSON object."""
    text = text.strip()
    if text.startswith("{"):
        found = decode(text)
        if found is not None:
            return parameters_of(found)
        text = text.strip("{}")
    pairs = (part.partition("=") for part in text.replace(",", ";").split(";"))
    return parameters_of({name.strip(): value.strip() for name, eq, value in pairs if eq})


def party_numbers(headers: Mapping[str, str]) -> tuple[str, str]:
    """Caller and called number among parameters that the customer chose the names of."""
    lower = {name.lower(): value for name, value in headers.items()}
    caller = next(
        (lower[name] for name in ("from", "from_number", "caller") if lower.get(name)), ""
    )
    called = next((lower[name] for name in ("to", "to_number", "called") if lower.get(name)), "")
    return caller, called
