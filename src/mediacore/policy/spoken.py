"""Digits as people say and recognisers write them: "double four", "oh", "forty one", "4 1-1".

Language tables are data (`ENGLISH`). A *run* is a sequence of digit words and figures in which
only separators, fillers ("uh", "dash") and few of them stand between; its digits are joined as
spoken: "forty one eleven" is 4111, "four hundred" is 400.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

_TOKEN: Final = re.compile(r"\d+|[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class NumberWords:
    """The number words of a language. repeats: words that repeat the digit after them.

    fillers: words that may stand inside a number. scales: powers of ten that multiply.
    """

    digits: Mapping[str, str]
    teens: Mapping[str, str]
    tens: Mapping[str, str]
    repeats: Mapping[str, int]
    scales: Mapping[str, int]
    fillers: frozenset[str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _table(words: str, first: int, step: int = 1) -> dict[str, str]:
    return {word: str(first + at * step) for at, word in enumerate(words.split())}


ENGLISH: Final = NumberWords(
    digits=MappingProxyType(
        _table("zero one two three four five six seven eight nine", 0)
        | {"oh": "0", "o": "0", "nought": "0", "naught": "0", "nil": "0", "niner": "9"}
    ),
    teens=MappingProxyType(
        _table(
            "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen", 10
        )
    ),
    tens=MappingProxyType(
        _table("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10) | {"fourty": "40"}
    ),
    repeats=MappingProxyType({"double": 2, "triple": 3, "treble": 3, "quadruple": 4}),
    scales=MappingProxyType({"hundred": 100, "thousand": 1000, "million": 1_000_000}),
    fillers=_words(
        "uh um er erm eh hm hmm mm and then dash hyphen space dot point slash comma stroke to too "
        "for won ate like well so okay ok next followed by"
    ),
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a row of figures: characters `start`..`end` of the text, end exclusive."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DigitRun:
    """Tokens `first`..`last` (inclusive) that spell `digits`; characters `start`..`end`.

    groups: number of digits in each token that has some, in order.
    """

    digits: str
    first: int
    last: int
    start: int
    end: int
    groups: tuple[int, ...]


def tokenise(text: str) -> list[Token]:
    """Words and rows of figures, lower-case; everything else separates."""
    return [Token(m[0].casefold(), m.start(), m.end()) for m in _TOKEN.finditer(text)]


def figures(word: str) -> str | None:
    """ASCII digits of a row of figures in any script, else None."""
    out = [unicodedata.digit(c, -1) for c in word]
    return "".join(map(str, out)) if out and min(out) >= 0 else None


def _digits_at(tokens: Sequence[Token], at: int, words: NumberWords) -> tuple[str, int]:
    """Digits that begin at token `at`, and how many tokens they take; ("", 0) for none."""
    word = tokens[at].text
    following = tokens[at + 1].text if at + 1 < len(tokens) else ""
    if word in words.repeats:
        count = words.repeats[word]
        digit = words.digits.get(following) or figures(following) or ""
        return (digit * count, 2) if len(digit) == 1 else ("", 0)
    if word in words.tens:
        unit = words.digits.get(following, "0")
        if unit != "0":
            return words.tens[word][0] + unit, 2
        return words.tens[word], 1
    spoken = words.digits.get(word) or words.teens.get(word) or figures(word)
    return (spoken, 1) if spoken else ("", 0)


def _scale_at(tokens: Sequence[Token], at: int, words: NumberWords) -> str:
    """The zeros that a scale word at token `at` stands for."""
    scale = words.scales.get(tokens[at].text) if at < len(tokens) else None
    return str(scale)[1:] if scale else ""


def digit_runs(
    text: str, words: NumberWords = ENGLISH, *, max_fillers: int = 4
) -> tuple[DigitRun, ...]:
    """All runs of `text`, in order; at most `max_fillers` fillers in a row inside one."""
    return runs_of(tokenise(text), words, max_fillers=max_fillers)


def runs_of(
    tokens: Sequence[Token], words: NumberWords = ENGLISH, *, max_fillers: int = 4
) -> tuple[DigitRun, ...]:
    """All runs of a row of tokens."""
    out: list[DigitRun] = []
    digits = ""
    groups: list[int] = []
    first = last = -1
    fillers = at = 0

    def close() -> None:
        if digits:
            start, end = tokens[first].start, tokens[last].end
            out.append(DigitRun(digits, first, last, start, end, tuple(groups)))

    while at < len(tokens):
        spoken, size = _digits_at(tokens, at, words)
        zeros = _scale_at(tokens, at, words) if digits and not size else ""
        if zeros:
            spoken, size = zeros, 1
        if size:
            if not digits:
                first = at
            digits += spoken
            groups.append(len(spoken))
            last, fillers = at + size - 1, 0
            at += size
            continue
        fillers += 1
        if tokens[at].text not in words.fillers or fillers > max_fillers:
            close()
            digits, groups = "", []
        at += 1
    close()
    return tuple(out)


def all_digits(text: str, words: NumberWords = ENGLISH) -> str:
    """Every digit said or written in `text`, joined."""
    return "".join(run.digits for run in digit_runs(text, words))


_LITERAL: Final = re.compile(r"(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\w)")


def quantities(text: str, words: NumberWords = ENGLISH) -> tuple[Decimal, ...]:
    """Amounts that `text` states: figures ("1,250.50") and cardinals ("two hundred and five")."""
    found = [Decimal(m[0].replace(",", "")) for m in _LITERAL.finditer(text) if m[0].isascii()]
    tokens = tokenise(text)
    at = 0
    while at < len(tokens):
        value, size = _cardinal_at(tokens, at, words)
        if size:
            found.append(value)
        at += size or 1
    return tuple(found)


def _cardinal_at(tokens: Sequence[Token], at: int, words: NumberWords) -> tuple[Decimal, int]:
    """A cardinal in number words that begins at token `at`; digit lists are not cardinals."""
    total = part = 0
    size = 0
    room = 0  # what may still be added below the last word: 100 after "hundred", 10 after "forty"
    while at + size < len(tokens):
        word = tokens[at + size].text
        if word in words.scales and size:
            scale = words.scales[word]
            if scale == 100:
                part, room = max(part, 1) * 100, 100
            else:
                total, part, room = total + max(part, 1) * scale, 0, scale
        elif word == "and" and size and room >= 100:
            nxt = tokens[at + size + 1].text if at + size + 1 < len(tokens) else ""
            if nxt not in words.digits and nxt not in words.teens and nxt not in words.tens:
                break
        else:
            spoken = words.tens.get(word) or words.teens.get(word) or words.digits.get(word)
            if spoken is None or (size and int(spoken) >= room):
                break
            part += int(spoken)
            room = 10 if word in words.tens else 1
        size += 1
    if size and at + size < len(tokens):
        following = tokens[at + size].text
        if following == "point":
            return _decimal(total + part, tokens, at, size, words)
        if following in words.digits or following in words.teens or following in words.tens:
            return _list_end(tokens, at, size, words)
    return Decimal(total + part), size


def _decimal(
    whole: int, tokens: Sequence[Token], at: int, size: int, words: NumberWords
) -> tuple[Decimal, int]:
    """A cardinal followed by "point" and single digits."""
    digits, end = "", at + size + 1
    while end < len(tokens) and tokens[end].text in words.digits:
        digits += words.digits[tokens[end].text]
        end += 1
    return (Decimal(f"{whole}.{digits}"), end - at) if digits else (Decimal(whole), size)


def _list_end(
    tokens: Sequence[Token], at: int, size: int, words: NumberWords
) -> tuple[Decimal, int]:
    """A list like "twelve fifty" states no amount: step over it as one run of digits."""
    end = at + size
    while end < len(tokens) and _digits_at(tokens, end, words)[1]:
        end += _digits_at(tokens, end, words)[1]
    joined = runs_of(tokens[at:end], words)
    return Decimal(joined[0].digits if joined else 0), end - at
