"""Word times of synthesised speech when the synthesiser gives none.

Words are weighted by syllables and letters (digits, symbols and initials expanded as they are read
out, unstressed words shortened, words before a pause drawn out) and laid out over the utterance's
active time, with pauses at punctuation. While the total length is not known yet, the rate measured
on the call's earlier utterances is used, stretched to what is already queued. Positions are samples
of the utterance, so stalls and pauses do not matter.
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
_DIGIT_SYLLABLES: Final = (2, 1, 1, 1, 1, 1, 1, 2, 1, 1)
_TEEN_SYLLABLES: Final = (1, 3, 1, 2, 2, 2, 2, 3, 2, 2)
_SYMBOL_SYLLABLES: Final = {"$": 2, "€": 2, "£": 1, "%": 2, "@": 1, "&": 1, "+": 1, "#": 2, "=": 2}
_LETTER: Final = 0.25  # of a unit; a syllable of three letters makes one unit
_SYLLABLE: Final = 0.25
_FIGURE: Final = 1.3  # a syllable of a figure: they are spoken with care
_SPELLED: Final = 2.2  # a digit by itself
_WORD_GAP: Final = 0.25
_REDUCED: Final = 0.6  # an unstressed function word
_DRAWN_OUT: Final = 1.2  # the last word before a pause
_SHORT_PAUSE: Final = 1.0
_LONG_PAUSE: Final = 1.9
_DEFAULT_US: Final = 165_000
_MAX_OBSERVED: Final = 4
_UNSTRESSED: Final = frozenset(
    {"a", "an", "the", "to", "of", "and", "or", "in", "on", "at", "for", "from", "is", "are"}
    | {"was", "it", "that", "you", "your", "i", "we", "my", "have", "has", "can", "will", "as"}
    | {"would"}
)


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
        pause = _pause_after(token)
        if token.lower() in _UNSTRESSED:
            size *= _REDUCED
        elif pause > _WORD_GAP:
            size *= _DRAWN_OUT
        out.append(WeightedWord(match.start(), match.end(), max(size, 0.3), pause))
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
    money = any(c in "$€£" for c in pieces)
    for i, piece in enumerate(pieces):
        if piece[0].isdigit():
            total += number_units(piece, money)
        elif piece[0].isalpha():
            letters = piece.replace("'", "").replace("’", "")
            if _is_initials(letters, spelled):
                total += _FIGURE * _letter_names(letters)
            else:
                total += _SYLLABLE * syllables(piece) + _LETTER * len(letters)
        elif piece == ".":
            inner = 0 < i < len(pieces) - 1
            if inner and max(len(pieces[i - 1]), len(pieces[i + 1])) > 1:
                total += _FIGURE
        else:
            total += _FIGURE * _SYMBOL_SYLLABLES.get(piece, 0)
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


def number_units(number: str, money: bool = False) -> float:
    """Units of a figure as it is read out: quantities in words, long ones digit by digit."""
    whole, _, fraction = number.rstrip(",").partition(".")
    grouped, whole = "," in whole, whole.replace(",", "")
    if (len(whole) > 4 and not grouped) or (len(whole) > 1 and whole.startswith("0")):
        units = _SPELLED * len(whole)
    else:
        units = _FIGURE * _quantity_syllables(int(whole[:12] or "0"), year=not grouped)
    if fraction and money:
        units += _FIGURE * (2 + _quantity_syllables(int(fraction[:4]), year=False))
    elif fraction:
        units += _FIGURE + _SPELLED * len(fraction)
    return units


def _quantity_syllables(value: int, *, year: bool) -> int:
    if value < 10:
        return _DIGIT_SYLLABLES[value]
    if value < 20:
        return _TEEN_SYLLABLES[value - 10]
    if value < 100:
        tens = 3 if value // 10 == 7 else 2
        return tens + (_DIGIT_SYLLABLES[value % 10] if value % 10 else 0)
    if value < 1000:
        size, name, rest = _DIGIT_SYLLABLES[value // 100], 2, value % 100
    elif year and 1100 <= value < 2100 and value % 1000 >= 10:
        size, name, rest = _quantity_syllables(value // 100, year=False), 0, value % 100
    else:
        group = 1_000_000 if value >= 1_000_000 else 1000
        size, name, rest = _quantity_syllables(value // group, year=False), 2, value % group
    return size + name + (_quantity_syllables(rest, year=False) if rest else 0)


def _is_initials(letters: str, spelled: bool) -> bool:
    if len(letters) == 1:
        return letters.isupper() or spelled
    return letters.isupper() and (len(letters) <= 4 or not _VOWELS.search(letters.lower()))


def _letter_names(letters: str) -> int:
    return sum(3 if c in "wW" else 1 for c in letters)


def _pause_after(token: str) -> float:
    bare = token.rstrip("\"'”’)]")
    if bare.endswith((".", "?", "!", "…")):
        return _LONG_PAUSE
    return _SHORT_PAUSE if bare.endswith((",", ";", ":", "—", "–")) else _WORD_GAP
