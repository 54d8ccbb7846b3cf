"""Phrase patterns: `(check|track) order`, `when <arrive>`, `that is all !not`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mediacore.dialogue.text import FUZZY_MIN_LEN, FUZZY_RATIO, likeness, plain_words, same_word

_PART: Final = re.compile(r"(!?)(?:\(([^()]*)\)|<([\w-]+)>|([^\s()<>!]+))")

Phrase = tuple[str, ...]


class PatternError(ValueError):
    """The pattern cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Element:
    """One place of a pattern: any of `phrases` (words in a row)."""

    phrases: tuple[Phrase, ...]
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """Elements that must come in this order, with any words between; absent ones not at all."""

    elements: tuple[Element, ...]

    def matches(self, words: Sequence[str], fuzzy: bool) -> bool:
        """Whether the words hold the pattern. fuzzy: long words may be a little off."""
        at = 0
        for element in self.elements:
            if element.absent:
                if _find(element, words, 0, fuzzy=False) is not None:
                    return False
                continue
            end = _find(element, words, at, fuzzy)
            if end is None:
                return False
            at = end
        return True


def _find(element: Element, words: Sequence[str], start: int, fuzzy: bool) -> int | None:
    """Where the first of the element's phrases ends, at or after `start`."""
    for at in range(start, len(words)):
        for phrase in element.phrases:
            end = at + len(phrase)
            said = words[at:end]
            if len(said) == len(phrase) and all(
                same_word(s, w, fuzzy) for s, w in zip(said, phrase, strict=True)
            ):
                return end
    return None


def compile_pattern(text: str, synonyms: Mapping[str, Sequence[str]]) -> Pattern:
    """Read a pattern. Raises PatternError."""
    if _PART.sub("", text).strip():
        raise PatternError(f"cannot read the pattern {text!r}")
    elements: list[Element] = []
    for part in _PART.finditer(text):
        negative, group, synonym, word = part.groups()
        if synonym is not None:
            if synonym not in synonyms:
                raise PatternError(f"pattern {text!r}: no synonyms named {synonym!r}")
            choices = tuple(synonyms[synonym])
        else:
            choices = tuple((group if group is not None else word).split("|"))
        phrases = tuple(plain_words(choice) for choice in choices)
        if not all(phrases):
            raise PatternError(f"pattern {text!r}: an alternative has no word")
        # A contraction such as "that's" is two words, which must stand next to each other.
        elements.append(Element(phrases, absent=bool(negative)))
    if not any(not element.absent for element in elements):
        raise PatternError(f"pattern {text!r} has nothing to look for")
    return Pattern(tuple(elements))


def find_value(words: Sequence[str], values: Mapping[str, tuple[Pattern, ...]]) -> str | None:
    """Which of a list's values was said. The likest wins when none was said exactly."""
    for value, patterns in values.items():
        if any(pattern.matches(words, fuzzy=False) for pattern in patterns):
            return value
    best, best_likeness = None, FUZZY_RATIO
    for value, patterns in values.items():
        for wanted in _single_words(patterns):
            for said in words:
                if min(len(said), len(wanted)) >= FUZZY_MIN_LEN:
                    found = likeness(said, wanted)
                    if found > best_likeness:
                        best, best_likeness = value, found
    return best


def _single_words(patterns: tuple[Pattern, ...]) -> list[str]:
    single = [p.elements[0].phrases for p in patterns if len(p.elements) == 1]
    return [phrase[0] for phrases in single for phrase in phrases if len(phrase) == 1]
