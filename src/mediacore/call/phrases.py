"""A streamed reply cut into phrases that can be spoken as they come.

The first phrase ends as early as possible, at a sentence or clause end, so that its audio can
start; later ones end at sentence ends. Abbreviations, decimals, initials and addresses do not end
a sentence. Markdown is taken out: nobody can hear it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ABBREVIATIONS: Final = _word_set(
    "mr mrs ms dr prof sr jr st mt ave blvd rd apt dept no nos vs etc approx e.g i.e cf ext tel "
    "inc ltd co corp gen col sgt capt lt rev hon jan feb mar apr jun jul aug sep sept oct nov dec "
    "mon tue tues wed thu thur thurs fri sat sun u.s u.k p.o"
)
_ENDING_ABBREVIATIONS: Final = frozenset({"a.m", "p.m", "etc", "inc", "ltd", "co", "u.s", "u.k"})
"""They may close a sentence: a capital after them says so."""

_STOP: Final = re.compile(r"([.?!…]+)([\"'”’)\]*_]*)(\s+|$)")
_CLAUSE: Final = re.compile(r"[,;:—–]\s+|\s[—–-]\s+")
_WORD_BEFORE: Final = re.compile(r"([^\s\"'“‘(\[*_]+)$")
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_LINE_MARK: Final = re.compile(r"^\s*(?:#{1,6}\s+|>\s+|[-*+•]\s+|\|)", re.MULTILINE)
_LIST_NUMBER: Final = re.compile(r"^\s*(\d{1,2})[.)]\s+", re.MULTILINE)
_RULE: Final = re.compile(r"^\s*(?:[-*_]\s*){3,}$", re.MULTILINE)
_EMPHASIS: Final = re.compile(r"\*+|~~|`+|(?<![^\W_])_+|_+(?![^\W_])")
_LINE_BREAK: Final = re.compile(r"[^\S\n]*\n\s*")
_SPACES: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class PhraseRules:
    """first_chars, chars: shortest first and later phrase. limit_chars: longest one."""

    first_chars: int = 12
    chars: int = 24
    limit_chars: int = 220


@dataclass(frozen=True, slots=True)
class PhraseBuffer:
    """Text that was not given out yet. first: nothing was given out."""

    rules: PhraseRules = PhraseRules()
    pending: str = ""
    first: bool = True


def push(buffer: PhraseBuffer, text: str) -> tuple[PhraseBuffer, tuple[str, ...]]:
    """Add streamed text. Returns the buffer and the phrases that are complete."""
    buffer = replace(buffer, pending=buffer.pending + text)
    out: list[str] = []
    while (end := _phrase_end(buffer)) is not None:
        phrase = clean(buffer.pending[:end])
        buffer = replace(
            buffer, pending=buffer.pending[end:].lstrip(), first=buffer.first and not phrase
        )
        if phrase:
            out.append(phrase)
    return buffer, tuple(out)


def flush(buffer: PhraseBuffer) -> tuple[PhraseBuffer, tuple[str, ...]]:
    """The stream has ended: give out the rest."""
    buffer, out = push(buffer, "\n")
    rest = clean(buffer.pending)
    done = replace(buffer, pending="", first=buffer.first and not (rest or out))
    return done, (*out, rest) if rest else out


def clean(text: str) -> str:
    """Text as it is to be spoken: markdown out, lines joined. Empty when nothing is speakable."""
    text = _RULE.sub("", text)
    text = _LINK.sub(r"\1", text)
    text = _LINE_MARK.sub("", text)
    text = _LIST_NUMBER.sub(r"\1: ", text)
    text = _EMPHASIS.sub("", text).replace("|", " ")
    text = _LINE_BREAK.sub(_join_lines, text.strip())
    text = _SPACES.sub(" ", text).strip()
    return text if any(c.isalnum() for c in text) else ""


def _join_lines(match: re.Match[str]) -> str:
    before = match.string[match.start() - 1]
    return ", " if before.isalnum() else " "


def _phrase_end(buffer: PhraseBuffer) -> int | None:
    """Where the first complete phrase ends, or None while it does not."""
    text, rules = buffer.pending, buffer.rules
    least = rules.first_chars if buffer.first else rules.chars
    for end in _sentence_ends(text):
        if len(clean(text[:end])) >= least:
            return end
    if buffer.first:
        for match in _CLAUSE.finditer(text):
            if len(clean(text[: match.end()])) >= least and not _open_link(text[: match.end()]):
                return match.end()
    if len(text) > rules.limit_chars:
        return _forced_end(text, rules.limit_chars)
    return None


def _sentence_ends(text: str) -> list[int]:
    """Ends of sentences and lines that nothing still to come can undo, ascending."""
    ends = [m.end() for m in re.finditer(r"\n", text) if not _open_link(text[: m.end()])]
    for match in _STOP.finditer(text):
        if match.group(3) and _ends_sentence(text, match):
            ends.append(match.end())
    return sorted(ends)


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    if _open_link(text[: match.end()]):
        return False
    if match.group(1) != ".":
        return True
    word = _WORD_BEFORE.search(text[: match.start()])
    if word is None:
        return True
    before = word.group(1).lower().rstrip(".")
    after = text[match.end() : match.end() + 1]
    if before in _ENDING_ABBREVIATIONS:
        return after.isupper() and before != "u.s"
    if before in _ABBREVIATIONS or (len(before) == 1 and before.isalpha() and before != "i"):
        return False
    starts_line = not text[: match.start() - len(before)].strip(" \t") or text[
        : match.start() - len(before)
    ].rstrip(" \t").endswith("\n")
    return not (before.isdigit() and len(before) <= 2 and starts_line)


def _open_link(text: str) -> bool:
    """Whether a markdown link began and has not ended."""
    opened = text.rfind("[")
    if opened < 0 or len(text) - opened > 200:
        return False
    closed = text.find("]", opened)
    if closed < 0:
        return True
    return text[closed + 1 : closed + 2] == "(" and ")" not in text[closed:]


def _forced_end(text: str, limit: int) -> int:
    """A place to break a text that never ends: a clause end, else a space, else anywhere."""
    clauses = [m.end() for m in _CLAUSE.finditer(text, 0, limit)]
    if clauses and clauses[-1] > limit // 3:
        return clauses[-1]
    space = text.rfind(" ", 1, limit)
    return space + 1 if space > 0 else limit
