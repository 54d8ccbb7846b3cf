"""Rules on words: hints for the recogniser, pronunciation, telephone numbers, fillers.

Pure text functions. Expressions come from the application's document; those that could make the
matcher run for minutes (a repeated group that itself repeats) are refused with a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mediacore.assistant.notes import Notes, as_bool, as_map, as_text, is_list, join, read_names

LONGEST_PATTERN = 512
LONGEST_TEXT = 600
MOST_UNBOUNDED = 2
_GROUP = r"\((?:\?(?::|P<\w+>)|(?!\?))"
_NESTED = re.compile(rf"{_GROUP}[^()]*[*+}}?|][^()]*\)[*+{{]|[*+}}?]\)+[*+{{]")
_UNBOUNDED = re.compile(r"(?<!\\)[*+]|\{\d*,\}")
_PHONE = re.compile(r"(?<![\w+])\+(\d{8,15})(?!\w)")

Fillers = Mapping[str, tuple[str, ...]]
"""Phrases by language code; "default" is used when no code fits."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A word to expect. With `pattern`, recognised text that matches becomes `replace`."""

    text: str
    pattern: str = ""
    replace: str = ""
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Pronounce:
    """Speak `spoken` where the text says `replace`."""

    replace: str
    spoken: str
    ignore_case: bool = True


def read_hints(raw: object, path: str, notes: Notes) -> tuple[Hint, ...]:
    """Hints from a list of texts and objects."""
    items: Sequence[object] = (raw,) if isinstance(raw, str | Mapping) else ()
    if is_list(raw):
        items = raw
    elif raw is not None and not items:
        notes.wrong(path, "a list")
    hints = (_hint(item, f"{path}[{index}]", notes) for index, item in enumerate(items))
    return tuple(hint for hint in hints if hint is not None)


def _hint(item: object, path: str, notes: Notes) -> Hint | None:
    if isinstance(item, str):
        return Hint(item) if item.strip() else None
    if not isinstance(item, Mapping):
        notes.wrong(path, "text or an object")
        return None
    fields = as_map(item, path, notes)
    pattern = as_text(fields.get("pattern"), join(path, "pattern"), notes)
    if pattern and not usable_pattern(pattern):
        notes.add(join(path, "pattern"), "refused", "is not a usable expression; not used")
        pattern = ""
    replace = as_text(fields.get("replace"), join(path, "replace"), notes)
    text = as_text(fields.get("hint"), join(path, "hint"), notes) or replace
    if not text:
        notes.add(path, "missing", "has no hint; not used")
        return None
    ignore_case = as_bool(fields.get("ignore_case"), join(path, "ignore_case"), notes)
    return Hint(text, pattern, replace, ignore_case)


def usable_pattern(pattern: str) -> bool:
    """Whether an expression compiles, is short, and cannot run long.

    Refused: a repeated group that repeats or branches inside, and more than two unbounded repeats.
    """
    if len(pattern) > LONGEST_PATTERN or _NESTED.search(pattern):
        return False
    if len(_UNBOUNDED.findall(pattern)) > MOST_UNBOUNDED:
        return False
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def hint_words(hints: Sequence[Hint]) -> tuple[str, ...]:
    """The words to give to the recogniser, each once, in order."""
    return tuple(dict.fromkeys(hint.text for hint in hints))


def apply_hints(text: str, hints: Sequence[Hint]) -> str:
    """Recognised text with the replacements of the hints, in order.

    Text of more than 600 characters is returned as it is.
    """
    if len(text) > LONGEST_TEXT:
        return text
    for hint in hints:
        if hint.pattern:
            flags = re.IGNORECASE if hint.ignore_case else 0
            text = re.sub(hint.pattern, lambda _, new=hint.replace: new, text, flags=flags)
            text = text[:LONGEST_TEXT]
    return text


def read_pronounce(raw: object, path: str, notes: Notes) -> tuple[Pronounce, ...]:
    """Pronunciation rules from a list of {replace, with, ignore_case}."""
    rules: list[Pronounce] = []
    if raw is not None and not is_list(raw):
        notes.wrong(path, "a list")
    for index, item in enumerate(raw if is_list(raw) else ()):
        where = f"{path}[{index}]"
        fields = as_map(item, where, notes)
        replace = as_text(fields.get("replace"), join(where, "replace"), notes)
        if not replace or "with" not in fields:
            notes.add(where, "missing", "needs replace and with; not used")
            continue
        spoken = as_text(fields.get("with"), join(where, "with"), notes)
        ignore = as_bool(fields.get("ignore_case"), join(where, "ignore_case"), notes, True)
        rules.append(Pronounce(replace, spoken, ignore))
    return tuple(rules)


def apply_pronounce(text: str, rules: Sequence[Pronounce]) -> str:
    """Text as it is to be spoken: whole words are replaced; no rule sees another one's result."""
    if not rules or not text:
        return text
    by_length = sorted(rules, key=lambda rule: -len(rule.replace))
    found = [_whole(rule) for rule in by_length]
    matcher = re.compile("|".join(f"({part})" for part in found))
    return matcher.sub(lambda match: by_length[(match.lastindex or 1) - 1].spoken, text)


def _whole(rule: Pronounce) -> str:
    head = r"(?<!\w)" if rule.replace[0].isalnum() else ""
    tail = r"(?!\w)" if rule.replace[-1].isalnum() else ""
    word = re.escape(rule.replace)
    return f"{head}(?i:{word}){tail}" if rule.ignore_case else f"{head}{word}{tail}"


def format_numbers(text: str, style: str) -> str:
    """Telephone numbers in E.164 form (ITU-T E.164) written so that a voice reads them in groups.

    "national" leaves out +1 of the North American plan; other countries keep their code.
    """
    return _PHONE.sub(lambda match: _phone(match.group(1), style), text)


def _phone(digits: str, style: str) -> str:
    if digits.startswith("1") and len(digits) == 11:
        grouped = f"{digits[1:4]} {digits[4:7]} {digits[7:]}"
        return grouped if style == "national" else f"+1 {grouped}"
    groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    if len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return "+" + " ".join(groups)


def read_fillers(raw: object, path: str, notes: Notes) -> Fillers:
    """Fillers from {language: [phrase]}, a list of such objects, or a plain list of phrases."""
    found: dict[str, tuple[str, ...]] = {}
    if raw is None:
        return found
    entries: Sequence[object] = (raw,) if isinstance(raw, Mapping) else ()
    if is_list(raw):
        phrases = tuple(item for item in raw if isinstance(item, str))
        if phrases:
            found["default"] = phrases
        entries = tuple(item for item in raw if isinstance(item, Mapping))
    elif not entries:
        notes.wrong(path, "an object of phrases")
    for entry in entries:
        for language, value in as_map(entry, path, notes).items():
            names = read_names(value)
            if names:
                found[language] = names
            else:
                notes.wrong(join(path, language), "a list of phrases")
    return found


def pick_filler(fillers: Fillers, language: str, turn: int) -> str:
    """The phrase for the `turn`-th use, so that one does not come twice in a row; "" for none."""
    base = language.split("-", maxsplit=1)[0]
    for code in (language, base, "default", "auto"):
        if fillers.get(code):
            phrases = fillers[code]
            return phrases[turn % len(phrases)]
    for code, phrases in fillers.items():
        if code.split("-")[0] == base and phrases:
            return phrases[turn % len(phrases)]
    return ""
