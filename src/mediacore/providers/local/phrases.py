"""Cuts a request's text into the pieces that are synthesised one after another.

Sentences; and a long first sentence again at a clause end, so that its first audio comes earlier.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

FIRST_MAX: Final = 110  # characters of a first sentence that is not worth cutting
PIECE_MAX: Final = 240  # characters that the model is given at once
_CLAUSE_MIN: Final = 35
_END: Final = re.compile(r"[.!?…]+[\"”’')\]]*(?=\s)|\n+")
_CLAUSE: Final = re.compile(r"[,;:—](?=\s)")
_BLANK: Final = re.compile(r"\s(?=\S)")
_OPENERS: Final = "dr mr mrs ms prof st vs no nos approx dept est ext mt e.g i.e"
_TITLES: Final = frozenset(_OPENERS.split())  # a full stop after these never ends a sentence


def _ends(text: str, start: int, end: int) -> bool:
    """Whether the mark text[start:end] ends a sentence."""
    following = text[end:].lstrip()
    if not following or text[start] == "\n":
        return True
    if following[0].islower():
        return False
    if text[start:end] != ".":
        return True
    words = text[:start].rsplit(maxsplit=1)
    word = words[-1].lstrip("(\"“'‘[") if words else ""
    initial = len(word) == 1 and word.isupper()
    return not initial and word.lower() not in _TITLES


def _cut(text: str, start: int, end: int, limit: int) -> Iterator[tuple[int, int]]:
    """Pieces of text[start:end] of at most about `limit` characters."""
    while end - start > limit:
        window = range(start + _CLAUSE_MIN, start + limit)
        marks = [m.end() for m in _CLAUSE.finditer(text, start, end) if m.end() in window]
        blanks = [m.end() for m in _BLANK.finditer(text, start, end) if m.end() in window]
        if marks:
            at = marks[0]
        elif blanks and end - start > PIECE_MAX:
            at = blanks[-1]
        else:
            break
        yield start, at
        start, limit = at, PIECE_MAX
    yield start, end


def phrases(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each piece, in order; only blanks are in none."""
    start, limit = 0, FIRST_MAX
    ends = [m.end() for m in _END.finditer(text) if _ends(text, m.start(), m.end())]
    for end in [*ends, len(text)]:
        if text[start:end].strip():
            yield from _cut(text, start, end, limit)
            limit = PIECE_MAX
        start = end
