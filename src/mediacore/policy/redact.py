"""Card, phone, social-security and other long numbers found in what was said, and masked.

What does it do? Finds runs of digits however they are spoken or written ("4111 1111…", "four one
one one", "double four", "forty one eleven", with "uh" and "dash" between) and gives their place in
the text, or by word times in samples. A run of at least `min_digits` is always masked, whatever it
is: telling a card from an order number is a label, not a condition.

`scrub` takes planted secrets out of a text in the same way: written, spaced, or spoken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mediacore.policy.spoken import ENGLISH, DigitRun, NumberWords, Token, digit_runs, tokenise

MASK: Final = "[redacted]"
_LEAST_SECRET: Final = 3


class SpanKind(StrEnum):
    """What a masked run looks like."""

    CARD = "card"
    SSN = "ssn"
    PHONE = "phone"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class RedactRules:
    """min_digits: shortest run to mask. margin_samples: added at both ends of audio spans."""

    min_digits: int = 6
    max_fillers: int = 4
    margin_samples: int = 0
    words: NumberWords = ENGLISH


@dataclass(frozen=True, slots=True)
class TextMask:
    """Characters `start`..`end`, end exclusive."""

    start: int
    end: int
    kind: SpanKind


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A recognised word, sounding from sample `at` to `until` of the leg's receive clock."""

    text: str
    at: int
    until: int


@dataclass(frozen=True, slots=True)
class AudioMask:
    """Samples `at`..`until` to write as silence."""

    at: int
    until: int
    kind: SpanKind


def find(text: str, rules: RedactRules | None = None) -> tuple[TextMask, ...]:
    """Runs to mask, in order, without overlaps."""
    rules = rules or RedactRules()
    runs = digit_runs(text, rules.words, max_fillers=rules.max_fillers)
    return tuple(
        TextMask(run.start, run.end, _kind(run))
        for run in runs
        if len(run.digits) >= rules.min_digits
    )


def redact(text: str, rules: RedactRules | None = None, mask: str = MASK) -> str:
    """`text` with every run replaced by `mask`, which should hold no digits or number words."""
    return _replace(text, ((m.start, m.end) for m in find(text, rules)), mask)


def find_in_words(
    words: Sequence[TimedWord], rules: RedactRules | None = None
) -> tuple[AudioMask, ...]:
    """Stretches of audio to mute, from recognised words with times; overlaps are joined."""
    rules = rules or RedactRules()
    starts: list[int] = []
    size = 0
    for word in words:
        starts.append(size)
        size += len(word.text) + 1
    text = " ".join(word.text for word in words)
    out: list[AudioMask] = []
    for mask in find(text, rules):
        inside = [
            w
            for w, start in zip(words, starts, strict=True)
            if start < mask.end and start + len(w.text) > mask.start
        ]
        at = max(min(w.at for w in inside) - rules.margin_samples, 0)
        until = max(w.until for w in inside) + rules.margin_samples
        if out and at <= out[-1].until:
            last = out.pop()
            at, until = min(at, last.at), max(until, last.until)
        out.append(AudioMask(at, until, mask.kind))
    return tuple(out)


def luhn(digits: str) -> bool:
    """Whether the check digit of ISO/IEC 7812-1 is right."""
    total = 0
    for at, char in enumerate(reversed(digits)):
        value = int(char) * (1 + at % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _kind(run: DigitRun) -> SpanKind:
    digits = run.digits
    if len(digits) >= 13 and _holds_card(digits):
        return SpanKind.CARD
    if len(digits) == 9 and (run.groups in ((3, 2, 4), (9,)) or set(run.groups) == {1}):
        return SpanKind.SSN
    if len(digits) in (7, 10) or (len(digits) == 11 and digits[0] == "1"):
        return SpanKind.PHONE
    return SpanKind.NUMBER


def _holds_card(digits: str) -> bool:
    """Whether the number passes the check, or 13 to 19 digits in a row of a longer one do."""
    if len(digits) <= 19:
        return luhn(digits)
    digits = digits[:64]
    return any(
        luhn(digits[at : at + size])
        for size in range(13, 20)
        for at in range(len(digits) - size + 1)
    )


def secret_texts(value: object) -> tuple[str, ...]:
    """All leaves of nested data as texts worth hiding: at least three characters, no booleans."""
    out: list[str] = []
    stack: list[object] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            stack.extend(item.values())
        elif isinstance(item, list | tuple | set | frozenset):
            stack.extend(item)
        elif isinstance(item, str | int | float) and not isinstance(item, bool):
            text = str(item).strip()
            if len(text) >= _LEAST_SECRET:
                out.append(text)
    return tuple(dict.fromkeys(out))


def scrub(text: str, secrets: Iterable[str], mask: str = MASK) -> str:
    """`text` without any of `secrets`: in any case and spacing, and numbers however spoken.

    Secrets shorter than three letters or digits are not looked for.
    """
    return _replace(text, _leaks(text, tuple(secrets)), mask)


def leaks(text: str, secrets: Iterable[str]) -> bool:
    """Whether any secret is in `text`, as `scrub` looks for it."""
    return bool(_leaks(text, tuple(secrets)))


def _leaks(text: str, secrets: tuple[str, ...]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    tokens = tokenise(text)
    runs = digit_runs(text)
    for secret in secrets:
        parts = [t.text for t in tokenise(secret)]
        if sum(map(len, parts)) < _LEAST_SECRET:
            continue
        joined = r"[\W_]*".join(re.escape(part) for part in parts)
        found += [m.span() for m in re.finditer(joined, text, re.IGNORECASE) if m[0]]
        digits = "".join(parts)
        if digits.isdecimal() and digits.isascii():
            found += [(r.start, r.end) for r in runs if digits in r.digits]
        else:
            found += _folded(tokens, parts)
    return found


def _folded(tokens: Sequence[Token], parts: list[str]) -> list[tuple[int, int]]:
    """Places where the case-folded words of a secret stand in a row."""
    size = len(parts)
    words = [token.text for token in tokens]
    return [
        (tokens[at].start, tokens[at + size - 1].end)
        for at in range(len(words) - size + 1)
        if words[at : at + size] == parts
    ]


def _replace(text: str, spans: Iterable[tuple[int, int]], mask: str) -> str:
    out: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if end <= at:
            continue
        if start >= at:
            out += [text[at:start], mask]
        at = max(at, end)
    out.append(text[at:])
    return "".join(out)
