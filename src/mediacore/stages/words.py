"""What a caller said, as words that can be compared: recognisers spell and mishear."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from types import MappingProxyType
from typing import Final

_DIGITS: Final = MappingProxyType(
    {
        "zero": "0",
        "oh": "0",
        "o": "0",
        "one": "1",
        "two": "2",
        "three": "3",
        "four": "4",
        "five": "5",
        "six": "6",
        "seven": "7",
        "eight": "8",
        "nine": "9",
    }
)
_TENS: Final = MappingProxyType(
    {
        "ten": "10",
        "eleven": "11",
        "twelve": "12",
        "thirteen": "13",
        "fourteen": "14",
        "fifteen": "15",
        "sixteen": "16",
        "seventeen": "17",
        "eighteen": "18",
        "nineteen": "19",
        "twenty": "20",
        "thirty": "30",
        "forty": "40",
        "fifty": "50",
        "sixty": "60",
        "seventy": "70",
        "eighty": "80",
        "ninety": "90",
    }
)
_REPEATS: Final = MappingProxyType({"double": 2, "triple": 3})
_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+")
_FUZZY_FROM: Final = 5  # letters: shorter words must match exactly
_FUZZY_RATIO: Final = 0.8


def words(text: str) -> tuple[str, ...]:
    """Lower-case words and figures of a text, punctuation left out."""
    return tuple(_WORD.findall(text.lower().replace("’", "'")))


def digits(text: str) -> str:
    """All digits said, in order: figures, number words, "double three", "forty seven"."""
    out = ""
    times = 1
    tens = ""  # "forty" waits for a unit
    for word in words(text):
        if word in _REPEATS:
            times = _REPEATS[word]
            continue
        if word in _DIGITS:
            digit = _DIGITS[word]
            out += tens[0] + digit if tens else digit * times
            tens, times = "", 1
            continue
        out += tens
        tens = ""
        if word.isdigit():
            out += word
        elif word in _TENS:
            value = _TENS[word]
            if value.endswith("0") and value != "10":
                tens = value
            else:
                out += value
        times = 1
    return out + tens


def same_word(said: str, expected: str) -> bool:
    """Whether a recognised word is the expected one, small mishearings included."""
    if said == expected:
        return True
    if min(len(said), len(expected)) < _FUZZY_FROM:
        return False
    return SequenceMatcher(None, said, expected).ratio() >= _FUZZY_RATIO


def contains(said: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether the words of a phrase occur in a row."""
    n = len(phrase)
    return n > 0 and any(
        all(same_word(a, b) for a, b in zip(said[i : i + n], phrase, strict=True))
        for i in range(len(said) - n + 1)
    )


def spoken_digits(number: str) -> str:
    """A number to be read digit by digit: "471925" becomes "4, 7, 1, 9, 2, 5"."""
    return ", ".join(number)
