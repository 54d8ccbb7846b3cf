"""Digits in INFO: the two bodies that phones send."""

from __future__ import annotations

from typing import Final

from mediacore.wire.sip.message import Request

RELAY: Final = "application/dtmf-relay"
PLAIN: Final = "application/dtmf"
TYPES: Final = (RELAY, PLAIN)
_DIGITS: Final = frozenset("0123456789*#ABCD")
_EVENTS: Final = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}
_USUAL_MS: Final = 100
_MAX_MS: Final = 10_000
_MAX_BODY: Final = 256


def read_digit(request: Request) -> tuple[str, int] | None:
    """(digit, ms) of an INFO; None when its body is none."""
    if len(request.body) > _MAX_BODY:
        return None
    text = request.body.decode("ascii", "replace")
    if request.content_type == PLAIN:
        return _digit(text, _USUAL_MS)
    if request.content_type != RELAY:
        return None
    named = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        named[name.strip().lower()] = value.strip()
    length = named.get("duration", "")
    duration_ms = int(length) if length.isdigit() and len(length) < 6 else _USUAL_MS
    return _digit(named.get("signal", ""), min(duration_ms, _MAX_MS))


def _digit(text: str, duration_ms: int) -> tuple[str, int] | None:
    word = text.strip().upper()
    digit = _EVENTS.get(word, word)
    return (digit, duration_ms) if digit in _DIGITS else None


def digit_body(digit: str, duration_ms: int) -> bytes:
    """Body of an INFO of ours, type RELAY."""
    return f"Signal={digit}\r\nDuration={duration_ms}\r\n".encode()
