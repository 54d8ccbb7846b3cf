"""What can be understood of a caller's words without a model: words, digits, yes and no. English.

Recognisers write the same speech in many ways ("four seven one", "471", "4-7-1", "$4.71") and err;
everything here is tolerant of that and reads nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from types import MappingProxyType
from typing import Final

_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+")
_TOKEN: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+|\S")
_CONTRACTIONS: Final = (
    (re.compile(r"\bcan't\b|\bcannot\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"'s\b"), " is"),
    (re.compile(r"'d\b"), " would"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
)


def _numbered(words: str, first: int = 0) -> MappingProxyType[str, int]:
    return MappingProxyType({word: n for n, word in enumerate(words.split(), start=first)})


_UNITS: Final = _numbered("zero one two three four five six seven eight nine")
_TEENS: Final = _numbered(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen", 10
)
_TENS: Final = _numbered("twenty thirty forty fifty sixty seventy eighty ninety", 2)
_SOUNDALIKES: Final = MappingProxyType(
    {
        "oh": "0", "o": "0", "won": "1", "to": "2", "too": "2", "tree": "3", "free": "3",
        "for": "4", "fore": "4", "fife": "5", "sex": "6", "sicks": "6", "ate": "8",
        "nein": "9", "niner": "9",
    }
)  # fmt: skip
_BETWEEN_DIGITS: Final = frozenset(
    ["uh", "um", "er", "erm", "hmm", "and", "then", "dash", "hyphen", "space"]
)
_TIMES: Final = MappingProxyType({"double": 2, "triple": 3})

_YES: Final = frozenset(
    [
        "yes",
        "yeah",
        "yep",
        "yup",
        "ya",
        "sure",
        "correct",
        "right",
        "exactly",
        "absolutely",
        "affirmative",
        "indeed",
        "ok",
        "okay",
        "certainly",
        "definitely",
        "fine",
        "please",
    ]
)
_NO: Final = frozenset(["no", "nope", "nah", "negative"])
_NEGATIONS: Final = frozenset(["not", "wrong", "incorrect", "never"])

FUZZY_MIN_LEN: Final = 5
FUZZY_RATIO: Final = 0.8
_ENDINGS: Final = ("s", "es", "d", "ed", "ing")


def plain_words(text: str) -> tuple[str, ...]:
    """Lower-case words and figures; contractions written out."""
    lowered = text.lower().replace("’", "'")
    for pattern, written_out in _CONTRACTIONS:
        lowered = pattern.sub(written_out, lowered)
    return tuple(_WORD.findall(lowered))


def same_word(said: str, wanted: str, fuzzy: bool) -> bool:
    """Whether `said` is `wanted`, an inflection of it, or (fuzzy) nearly it."""
    if said == wanted or any(said == wanted + end for end in _ENDINGS):
        return True
    if not fuzzy or min(len(said), len(wanted)) < FUZZY_MIN_LEN:
        return False
    return likeness(said, wanted) >= FUZZY_RATIO


def likeness(said: str, wanted: str) -> float:
    """0 … 1."""
    return SequenceMatcher(None, said, wanted, autojunk=False).ratio()


def yes_or_no(text: str) -> str | None:
    """`yes`, `no`, or None when it is neither."""
    words = plain_words(text)
    meaningful = [w for w in words if w in _YES or w in _NO or w in _NEGATIONS]
    if not meaningful:
        return None
    if meaningful[0] in _NO or any(w in _NEGATIONS for w in meaningful):
        first_is_yes = words[0] in _YES and words[0] not in ("please", "right", "correct")
        return "yes" if first_is_yes else "no"
    return "yes"


@dataclass(frozen=True, slots=True)
class _Digit:
    """One or more figures. sure: False for a word that only sounds like a number."""

    figures: str
    sure: bool = True


def find_digits(text: str, shortest: int, longest: int) -> str:
    """The spoken number that has `shortest` … `longest` digits; else the longest there is, or "".

    When several fit, the last one wins: callers correct themselves. Words that only sound like
    digits ("for", "to") count between digits, and at an end where the number needs them.
    """
    runs = list(_digit_runs(text))
    for run in reversed(runs):
        for digit in reversed(run):
            if shortest <= len(digit.figures) <= longest and len(digit.figures) > 1:
                return digit.figures
        for figures in _readings(run):
            if shortest <= len(figures) <= longest:
                return figures
            half = len(figures) // 2
            if shortest <= half <= longest and figures[:half] * 2 == figures:
                return figures[:half]
    cores = [next(_readings(run)) for run in runs]
    joined = "".join(cores)
    if shortest <= len(joined) <= longest:
        return joined
    return max(cores, key=len, default="")


def _readings(run: list[_Digit]) -> Iterator[str]:
    """Without unsure digits at the ends, then with them."""
    sure = [i for i, digit in enumerate(run) if digit.sure]
    first, last = sure[0], sure[-1] + 1
    for start, end in ((first, last), (0, last), (first, len(run)), (0, len(run))):
        yield "".join(digit.figures for digit in run[start:end])


def _digit_runs(text: str) -> Iterator[list[_Digit]]:
    run: list[_Digit] = []
    for item in _digit_items(_TOKEN.findall(text.lower().replace("’", "'"))):
        if item is not None:
            run.append(item)
            continue
        if any(digit.sure for digit in run):
            yield run
        run = []
    if any(digit.sure for digit in run):
        yield run


def _digit_items(tokens: list[str]) -> Iterator[_Digit | None]:
    """Digits in order; None where other words stand between them."""
    at = 0
    while at < len(tokens):
        token = tokens[at]
        figures, used = _number_at(tokens, at)
        if figures:
            yield _Digit(figures)
            at += used
            continue
        at += 1
        if token in _SOUNDALIKES:
            yield _Digit(_SOUNDALIKES[token], sure=False)
        elif token[0].isalnum() and token not in _BETWEEN_DIGITS:
            yield None


def _number_at(tokens: list[str], at: int) -> tuple[str, int]:
    """Figures of the number that begins here and how many tokens it takes; ("", 0) if none."""
    token = tokens[at]
    if token.isdecimal():
        return token, 1
    if token in _TIMES and at + 1 < len(tokens):
        figures, used = _number_at(tokens, at + 1)
        return (figures * _TIMES[token], used + 1) if len(figures) == 1 else ("", 0)
    value, used = _below_hundred(tokens, at)
    if value is None:
        return "", 0
    after = at + used
    if after < len(tokens) and tokens[after] == "hundred":
        rest_at = after + 2 if tokens[after + 1 : after + 2] == ["and"] else after + 1
        rest, more = _below_hundred(tokens, rest_at)
        if rest is None:
            return f"{value}00", used + 1
        return f"{value}{rest:02d}", rest_at + more - at
    return str(value), used


def _below_hundred(tokens: list[str], at: int) -> tuple[int | None, int]:
    token = tokens[at] if at < len(tokens) else ""
    if token in _UNITS:
        return _UNITS[token], 1
    if token in _TEENS:
        return _TEENS[token], 1
    if token not in _TENS:
        return None, 0
    unit_at = at + 2 if tokens[at + 1 : at + 2] == ["-"] else at + 1
    unit = _UNITS.get(tokens[unit_at], 0) if unit_at < len(tokens) else 0
    if unit:
        return _TENS[token] * 10 + unit, unit_at + 1 - at
    return _TENS[token] * 10, 1
