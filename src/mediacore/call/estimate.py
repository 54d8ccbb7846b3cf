"""Word times of synthesised speech when the synthesiser gives none.

Words are weighted by syllables (digits, symbols and initials expanded as they are read out) and
laid out over the utterance's active time, with pauses at punctuation. While the total length is
not known yet, the rate measured on the call's earlier utterances is used, stretched to what is
already queued. Positions are samples of the utterance, so stalls and pauses do not matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from mediacore.call.record import WordTime

_TOKEN: Final = re.compile(r"\S+")
_VOWELS: Final = re.compile(r"[aeiouy]+")
_SILENT_END: Final = re.compile(r"[^leioy]e$|[aeiouy]le$|[^tde]ed$|[^sxzcge]es$")
_PIECE: Final = re.compile(r"\d[\d,]*(?:\.\d+)?|[A-Za-zÀ-ÿ'’]+|[^\w\s]", re.UNICODE)
_DIGIT_UNITS: Final = (2, 1, 1, 1, 1, 1, 1, 2, 1, 1)
_TEEN_UNITS: Final = (1, 3, 1, 2, 2, 2, 2, 3, 2, 2)
_SYMBOL_UNITS: Final = {"$": 2, "€": 2, "£": 1, "%": 2, "@": 1, "&": 1, "+": 1, "#": 2, "=": 2}
_SHORT_PAUSE: Final = 0.8
_LONG_PAUSE: Final = 2.0
_DEFAULT_US: Final = 210_000
_MAX_OBSERVED: Final = 4


@dataclass(frozen=True, slots=True)
class SpeechRate:
    """Microseconds of speech per unit (about a syllable), measured on `observed` utterances."""

    us_per_unit: int = _DEFAULT_US
    observed: int = 0


@dataclass(frozen=True, slots=True)
class WeightedWord:
    """Characters start..end, how long it sounds and how long the pause after it is, in units."""

    start: int
    end: int
    units: float
    pause: float


@dataclass(frozen=True, slots=True)
class Extent:
    """What is known of an utterance's length, in samples.

    total: None while it is still being made; queued: at least so much exists.
    """

    srate_hz: int
    total: int | None = None
    queued: int = 0
    lead: int = 0
    tail: int = 0


def weigh(text: str) -> tuple[WeightedWord, ...]:
    """The words of a text with their weights."""
    out: list[WeightedWord] = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        size = token_units(token)
        if not size and out:
            out[-1] = replace(out[-1], pause=max(out[-1].pause, _SHORT_PAUSE))
            continue
        out.append(WeightedWord(match.start(), match.end(), max(size, 0.5), _pause_after(token)))
    if out:
        out[-1] = replace(out[-1], pause=0.0)
    return tuple(out)


def estimate_words(text: str, rate: SpeechRate, extent: Extent) -> tuple[WordTime, ...]:
    """Word times laid out over the utterance."""
    words = weigh(text)
    units = sum(w.units + w.pause for w in words)
    if not units:
        return ()
    guessed = units * rate.us_per_unit * extent.srate_hz / 1e6
    if extent.total is not None:
        active = float(max(extent.total - extent.lead - extent.tail, 1))
    else:
        active = max(guessed, extent.queued - extent.lead)
    per_unit = active / units
    at = float(extent.lead)
    out: list[WordTime] = []
    for word in words:
        until = at + word.units * per_unit
        out.append(WordTime(word.start, word.end, round(at), round(until), measured=False))
        at = until + word.pause * per_unit
    return tuple(out)


def observe_rate(rate: SpeechRate, text: str, extent: Extent) -> SpeechRate:
    """The rate after one more utterance of known length."""
    units = sum(w.units + w.pause for w in weigh(text))
    if extent.total is None or units < 4:
        return rate
    active = extent.total - extent.lead - extent.tail
    measured = active * 1_000_000 / extent.srate_hz / units
    if not _DEFAULT_US / 4 < measured < _DEFAULT_US * 4:
        return rate
    seen = min(rate.observed, _MAX_OBSERVED)
    mean = (rate.us_per_unit * seen + measured) / (seen + 1)
    return SpeechRate(round(mean), rate.observed + 1)


def token_units(token: str) -> float:
    """Units of one written word, expanded as it is read out. 0 when it is not spoken."""
    total = 0.0
    pieces = _PIECE.findall(token)
    spelled = any(c.isdigit() for c in token) and any(c.isalpha() for c in token)
    for i, piece in enumerate(pieces):
        if piece[0].isdigit():
            total += number_units(piece)
        elif piece[0].isalpha():
            letters = piece.replace("'", "").replace("’", "")
            total += _letter_units(letters) if _is_initials(letters, spelled) else syllables(piece)
        elif piece == ".":
            inner = 0 < i < len(pieces) - 1
            total += 1 if inner and max(len(pieces[i - 1]), len(pieces[i + 1])) > 1 else 0
        else:
            total += _SYMBOL_UNITS.get(piece, 0)
    return total


def syllables(word: str) -> int:
    """Syllables of an English word, by its vowel groups. At least 1."""
    word = word.lower()
    count = len(_VOWELS.findall(word))
    if count > 1 and _SILENT_END.search(word):
        count -= 1
    for pattern in ("ia", "io", "iu", "eo", "ua", "uo"):
        if pattern in word and not re.search("[tscg]i[aou]|qu|gu", word):
            count += 1
            break
    return max(count, 1)


def number_units(number: str) -> int:
    """Syllables of a figure as it is read out: quantities in words, long ones digit by digit."""
    whole, _, fraction = number.replace(",", "").partition(".")
    spelled = len(whole) > 4 and "," not in number
    if spelled or (len(whole) > 1 and whole.startswith("0")):
        units = sum(_DIGIT_UNITS[int(d)] for d in whole)
    else:
        units = _quantity_units(int(whole[:12] or "0"))
    if fraction:
        units += 1 + sum(_DIGIT_UNITS[int(d)] for d in fraction)
    return units


def _quantity_units(value: int) -> int:
    if value < 10:
        return _DIGIT_UNITS[value]
    if value < 20:
        return _TEEN_UNITS[value - 10]
    if value < 100:
        tens = 3 if value // 10 == 7 else 2
        return tens + (_DIGIT_UNITS[value % 10] if value % 10 else 0)
    if value < 1000:
        rest = value % 100
        return _DIGIT_UNITS[value // 100] + 2 + (_quantity_units(rest) if rest else 0)
    if 1100 <= value < 2100 and value % 100 and value % 1000 >= 10:
        return _quantity_units(value // 100) + _quantity_units(value % 100)
    group, rest = (1_000_000, value % 1_000_000) if value >= 1_000_000 else (1000, value % 1000)
    return _quantity_units(value // group) + 2 + (_quantity_units(rest) if rest else 0)


def _is_initials(letters: str, spelled: bool) -> bool:
    if len(letters) == 1:
        return letters.isupper() or spelled
    return letters.isupper() and (len(letters) <= 4 or not _VOWELS.search(letters.lower()))


def _letter_units(letters: str) -> int:
    return sum(3 if c in "wW" else 1 for c in letters)


def _pause_after(token: str) -> float:
    bare = token.rstrip("\"'”’)]")
    if bare.endswith((".", "?", "!", "…")):
        return _LONG_PAUSE
    return _SHORT_PAUSE if bare.endswith((",", ";", ":", "—", "–")) else 0.0
