"""How to read what a synthesiser's own rules get wrong: codes, long digit strings, addresses.

Every token of the text (a run without blanks) becomes the words to speak, with the token's place
in the text, so that what was heard can be mapped back. Amounts, dates, times and ordinary numbers
are left as they are written; the synthesiser reads those well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NAMES: Final = (
    "A. bee see dee ee eff gee aitch eye jay kay ell em en oh pee cue R. ess tee you vee double-u "
    "ex why zee"
)
LETTERS: Final = MappingProxyType(
    dict(zip("abcdefghijklmnopqrstuvwxyz", _NAMES.split(), strict=True))
)
_SYMBOLS: Final = MappingProxyType(
    {".": "dot", "@": "at", "-": "dash", "_": "underscore", "/": "slash", "+": "plus", ":": "colon"}
)
_TOKEN: Final = re.compile(r"\S+")
_CORE: Final = re.compile(r"^([\"'“‘(\[#]*)(.*?)([.,;:!?…\"'”’)\]]*)$", re.DOTALL)
_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL: Final = re.compile(r"(?:https?://)?((?:www\.)?(?:[\w-]+\.)+[a-z]{2,}(?:/[\w./-]*)?)", re.I)
_HOST_END: Final = re.compile(r"\.(?:com|org|net|edu|gov|io|co|uk|de|fr|info|app|dev)\b", re.I)
_LONG_NUMBER: Final = re.compile(r"\d{5,}")
_PHONE: Final = re.compile(r"\+?\d[\d.\-()]*\d")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_DIGIT_RUN: Final = re.compile(r"(?<!\S)\+?\d{1,4}(?:,?\s+\d{1,4})+(?![^\s.,;:!?])")
_RUN_MIN: Final = 5
_CODE: Final = re.compile(r"(?=.*\d)(?=.*[A-Z])[A-Z0-9]+(?:[-/][A-Z0-9]+)*")
_ORDINARY: Final = re.compile(r"\d+(?:st|nd|rd|th|s|[ap]m)", re.I)
_UNIT: Final = re.compile(r"\d+(?:\.\d+)?(?:GB|MB|KB|TB|KM|KG|MM|CM|HZ|AM|PM|K|M|B|V|W|X)")
_ADDRESS_PART: Final = re.compile(r"[^\W\d_]+|\d+|.")


@dataclass(frozen=True, slots=True)
class Spoken:
    """One token. text: words to speak, with the token's punctuation; empty if it is silent.

    start, end: its place in the source, without the punctuation around it.
    """

    text: str
    start: int
    end: int


def spell_digits(digits: str) -> str:
    """Digit by digit, in groups of three or four with a comma between."""
    words, at = [], 0
    for size in _group_sizes(len(digits)):
        words.append(" ".join(DIGITS[int(d)] for d in digits[at : at + size]))
        at += size
    return ", ".join(words)


def _group_sizes(count: int) -> list[int]:
    if count <= 5:
        return [count]
    if count % 3 == 0:
        return [3] * (count // 3)
    if count % 4 == 0:
        return [4] * (count // 4)
    return [3] * ((count - 4) // 3) + _group_sizes(count - 3 * ((count - 4) // 3))


def spell_code(code: str) -> str:
    """Letters by name and digits one by one; a hyphen is a short pause."""
    parts = []
    for part in re.split(r"[-/]", code):
        names = [DIGITS[int(c)] if c.isdigit() else LETTERS[c.lower()] for c in part]
        parts.append(" ".join(names))
    return ", ".join(parts)


def spell_address(address: str) -> str:
    """An e-mail or web address: words as words, dots and signs by name."""
    words: list[str] = []
    for piece in _ADDRESS_PART.findall(address):
        if piece.lower() == "www":
            words += [LETTERS["w"]] * 3
        elif piece.isdigit():
            words += [DIGITS[int(digit)] for digit in piece]
        elif piece.isalpha():
            words.append(LETTERS[piece.lower()] if len(piece) == 1 else piece.lower())
        else:
            words.append(_SYMBOLS.get(piece, ""))
    return " ".join(filter(None, words))


def _phone(core: str) -> str | None:
    digits = re.sub(r"\D", "", core)
    grouped = [part for part in re.split(r"\D+", core) if part]
    if not _PHONE.fullmatch(core) or _DATE.fullmatch(core) or len(digits) < 7 or len(grouped) < 3:
        return None
    words = ", ".join(" ".join(DIGITS[int(d)] for d in part) for part in grouped)
    return f"plus {words}" if core.startswith("+") else words


def _say(core: str) -> str:
    if _EMAIL.fullmatch(core):
        return spell_address(core)
    if (url := _URL.fullmatch(core)) and _HOST_END.search(core):
        return spell_address(url.group(1))
    if (phone := _phone(core)) is not None:
        return phone
    if _LONG_NUMBER.fullmatch(core):
        return spell_digits(core)
    if len(core) == 1 and core.isdecimal() and core.isascii():
        return DIGITS[int(core)]
    if _CODE.fullmatch(core) and not _ORDINARY.fullmatch(core) and not _UNIT.fullmatch(core):
        return spell_code(core)
    return core


def _single_letter(text: str, start: int) -> bool:
    """Whether the letter at `start` is spelled out among digits: "A 1 7"."""
    rest = text[start + 1 :].lstrip()
    return rest[:1].isdigit() and (len(rest) == 1 or not rest[1].isalnum())


def _is_area_code(lead: str, core: str, tail: str) -> bool:
    return lead.endswith("(") and tail.startswith(")") and len(core) == 3 and core.isdecimal()


def _digit_runs(text: str) -> Iterator[int]:
    """Starts of number tokens that together are one number read in parts: "+1 555 123 4567"."""
    for run in _DIGIT_RUN.finditer(text):
        parts = [(m.group(), run.start() + m.start()) for m in _TOKEN.finditer(run.group())]
        digits = [sum(map(str.isdigit, part)) for part, _ in parts]
        together = min(digits) >= 3 if len(digits) == 2 else sum(digits) > 2 * len(digits)
        if sum(digits) >= _RUN_MIN and together:
            yield from (start for _, start in parts)


def spoken(text: str) -> Iterator[Spoken]:
    """The tokens of `text` in order."""
    read_out = set(_digit_runs(text))
    for match in _TOKEN.finditer(text):
        parts = _CORE.match(match.group())
        assert parts is not None
        lead, core, tail = parts.groups()
        start = match.start() + len(lead)
        if not any(char.isalnum() for char in core):
            yield Spoken(_quiet(match.group()), match.start(), match.end())
            continue
        if len(core) == 1 and core.isupper() and core.isascii() and _single_letter(text, start):
            words = LETTERS[core.lower()]
        elif match.start() in read_out or _is_area_code(lead, core, tail):
            words = " ".join(DIGITS[int(d)] for d in core.lstrip("+"))
            words = f"plus {words}" if core.startswith("+") else words
        else:
            words = _say(core)
        head = "number " if "#" in lead and core[0].isdigit() else ""
        yield Spoken(head + _quiet(lead) + words + tail, start, start + len(core))


def _quiet(mark: str) -> str:
    """Punctuation as the synthesiser may see it; brackets would be read as its own markup."""
    return mark.translate({ord(c): None for c in "[]#"})
