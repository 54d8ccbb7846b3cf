"""The functions of templates: `@{name argument}` and the phone and URL helpers.

Everything here is total: bad input gives empty text or the input itself, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

MAX_SLEEP_MS: Final = 30_000
MAX_EXPRESSION: Final = 256
MAX_NESTING: Final = 32
MAX_FORMAT: Final = 128

_TOKEN = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+|[-+*/()])")
_DIRECTIVE = re.compile(r"%[-_0^#]?[A-Za-z%]")
_PHONE_FORMAT = re.compile(r"(?i)(national|international|rfc3966|e164)?(?::sep:(\S*))?(?:\s+|$)")
_SECONDS = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{0,6})?)\s*")
_UPPER_HEX = frozenset(b"0123456789ABCDEF")
_URL_UNSAFE = frozenset(b' #%&+:;<=>?@[\\]^`{|}"')


@dataclass(frozen=True, slots=True)
class TemplateClock:
    """The time that templates see.

    `wallclock` is an aware UTC time; `zone` gives a zone by its IANA name and raises for an
    unknown one (the default reads the zone database, once per zone).
    """

    wallclock: datetime
    zone: Callable[[str], tzinfo] = ZoneInfo


def call_function(name: str, argument: str, clock: TemplateClock) -> tuple[str, int] | None:
    """Run a function: (text, delay in ms), or None for a name that is not one."""
    match name.lower():
        case "echo":
            return argument, 0
        case "separate":
            return " ".join(argument.replace(" ", "")), 0
        case "expr":
            return calculate(argument), 0
        case "fmt_ph":
            return _phone_function(argument), 0
        case "strftime_tz":
            return _time_text(argument, clock), 0
        case "sleep":
            return "", _sleep_ms(argument)
    return None


def _sleep_ms(argument: str) -> int:
    match = _SECONDS.fullmatch(argument)
    return min(int(float(match[1]) * 1000), MAX_SLEEP_MS) if match else 0


def _time_text(argument: str, clock: TemplateClock) -> str:
    zone_name, _, layout = argument.strip().partition(" ")
    try:
        local = clock.wallclock.astimezone(clock.zone(zone_name))
    except (KeyError, ValueError, OSError):
        return ""
    return _DIRECTIVE.sub(lambda found: local.strftime(found[0]), layout.strip()[:MAX_FORMAT])


def calculate(expression: str) -> str:
    """Numbers, + - * / and parentheses. Empty text for anything else and for a division by 0."""
    if len(expression) > MAX_EXPRESSION:
        return ""
    try:
        return _number_text(_Sum(expression).value())
    except (ValueError, ZeroDivisionError, OverflowError):
        return ""


def _number_text(number: float) -> str:
    if number.is_integer():
        return str(int(number))
    return f"{number:.6f}".rstrip("0").rstrip(".")


class _Sum:
    """Recursive descent over at most MAX_EXPRESSION characters, MAX_NESTING deep."""

    def __init__(self, expression: str) -> None:
        self._tokens = _tokens(expression)
        self._depth = 0

    def value(self) -> float:
        result = self._sum()
        if self._tokens:
            raise ValueError("text after the expression")
        return result

    def _sum(self) -> float:
        result = self._product()
        while self._next_is("+-"):
            sign = 1.0 if self._tokens.pop() == "+" else -1.0
            result += sign * self._product()
        return result

    def _product(self) -> float:
        result = self._factor()
        while self._next_is("*/"):
            if self._tokens.pop() == "*":
                result *= self._factor()
            else:
                result /= self._factor()
        return result

    def _factor(self) -> float:
        if not self._tokens:
            raise ValueError("a number is missing")
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise ValueError("nested too deeply")
        token = self._tokens.pop()
        if token in "+-":
            result = self._factor() if token == "+" else -self._factor()
        elif token == "(":
            result = self._sum()
            if not self._tokens or self._tokens.pop() != ")":
                raise ValueError("a parenthesis is not closed")
        else:
            result = float(token)
        self._depth -= 1
        return result

    def _next_is(self, operators: str) -> bool:
        return bool(self._tokens) and self._tokens[-1] in operators


def _tokens(expression: str) -> list[str]:
    """Tokens in reverse, so that the next one is popped from the end."""
    found: list[str] = []
    position = 0
    text = expression.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError("not a number or operator")
        found.append(match[1])
        position = match.end()
    return found[::-1]


def _phone_function(argument: str) -> str:
    text = argument.strip()
    match = _PHONE_FORMAT.match(text)
    layout, separator = (match[1], match[2]) if match else (None, None)
    number = text[match.end() :] if match else text
    return phone_text(number, (layout or "national").lower(), separator)


def phone_text(number: str, layout: str = "national", separator: str | None = None) -> str:
    """A North American number in a layout (national, international, rfc3966, e164).

    `separator` goes between the digit groups instead of the layout's own signs. Any other number
    is returned as given: other numbering plans need tables that are not part of this project.
    """
    digits = re.sub(r"[^0-9]", "", number)
    if len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    if len(digits) != 10 or digits[0] in "01" or digits[3] in "01":
        return number
    area, exchange, line = digits[:3], digits[3:6], digits[6:]
    if separator is not None:
        country = () if layout == "national" else ("+1",)
        return separator.join((*country, area, exchange, line))
    if layout == "e164":
        return f"+1{digits}"
    if layout == "rfc3966":
        return f"tel:+1-{area}-{exchange}-{line}"
    if layout == "international":
        return f"+1 {area}-{exchange}-{line}"
    return f"({area}) {exchange}-{line}"


def url_text(value: str) -> str:
    """Percent-encode for a URL, as documents expect of `enc:`.

    Encoded are everything outside printable ASCII, the space and the signs in `_URL_UNSAFE`;
    a slash and a comma stay. A percent sign before two upper-case hex digits stays, so that
    encoding twice is harmless.
    """
    raw = value.encode("utf-8", "replace")
    return "".join(_url_byte(raw, index) for index in range(len(raw)))


def _url_byte(raw: bytes, index: int) -> str:
    byte = raw[index]
    if byte == 0x25 and len(raw) - index > 2 and _UPPER_HEX.issuperset(raw[index + 1 : index + 3]):
        return "%"
    if 0x20 <= byte <= 0x7E and byte not in _URL_UNSAFE:
        return chr(byte)
    return f"%{byte:02X}"
