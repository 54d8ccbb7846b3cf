"""Lengths of time as documents and actions write them."""

from __future__ import annotations

import re

from mediacore.assistant.notes import Notes, read_float

HOLD_SECONDS = 300
LONGEST_HOLD = 900
LONGEST_TIME = 32
_CLOCK = re.compile(r"\d+(?::\d{1,2}){1,2}")
_UNITS = re.compile(r"(?=.)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def hold_seconds(value: object, path: str, notes: Notes) -> int:
    """Seconds of a hold; what is no time, negative or over 900 becomes 300."""
    seconds = parse_time(value)
    if seconds is None or not 0 <= seconds <= LONGEST_HOLD:
        notes.add(path, "clamped", f"is not 0 to {LONGEST_HOLD} s; {HOLD_SECONDS} s is used")
        return HOLD_SECONDS
    return seconds


def parse_time(value: object) -> int | None:
    """Seconds from a number, "90", "1:30", "1:00:00", "5m" or "1h2m3s"; None for anything else."""
    number = read_float(value)
    if number is not None:
        return int(number) if abs(number) < 10**9 else None
    if not isinstance(value, str) or len(value) > LONGEST_TIME:
        return None
    text = value.strip().lower()
    if _CLOCK.fullmatch(text):
        seconds = 0
        for part in text.split(":"):
            seconds = seconds * 60 + int(part)
        return seconds
    match = _UNITS.fullmatch(text)
    if match is None:
        return None
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest
