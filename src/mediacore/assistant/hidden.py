"""Placeholders in text that a model reads or a voice speaks.

Only what the engine declares visible is filled in: facts of the call such as the caller's number.
`global_data` and `meta_data` are hidden data: tools get them, the model does not, so a placeholder
for them becomes empty text and is reported. The same goes for every name that is not visible.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DEEPEST = 8
LONGEST_VALUE = 200
VISIBLE_NAMES = frozenset(
    {
        "call_direction",
        "caller_id_name",
        "caller_id_number",
        "local_date",
        "local_time",
        "time_of_day",
        "supported_languages",
        "default_language",
    }
)
"""Names that the engine fills in when a run begins."""
_OPEN = re.compile(r"[$%]\{")


@dataclass(frozen=True, slots=True)
class Expanded:
    """Text with its placeholders filled in, and the names that were refused."""

    text: str
    refused: tuple[str, ...] = ()


def expand_visible(text: str, visible: Mapping[str, str]) -> Expanded:
    """Fill in `${name}` and `%{name}` from `visible`; all else becomes empty and is refused.

    Placeholders may nest eight deep. Values are not expanded again.
    """
    if "{" not in text:
        return Expanded(text)
    refused: list[str] = []
    return Expanded(_expand(text, visible, refused, 0), tuple(refused))


def _expand(text: str, visible: Mapping[str, str], refused: list[str], depth: int) -> str:
    parts: list[str] = []
    at = 0
    while (opened := _OPEN.search(text, at)) is not None:
        end = _closing(text, opened.end())
        if end < 0:
            break
        parts.append(text[at : opened.start()])
        inner = text[opened.end() : end]
        if depth < DEEPEST:
            parts.append(_look_up(_expand(inner, visible, refused, depth + 1), visible, refused))
        at = end + 1
    parts.append(text[at:])
    return "".join(parts)


def _closing(text: str, start: int) -> int:
    depth = 1
    for at in range(start, len(text)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
    return -1


def _look_up(name: str, visible: Mapping[str, str], refused: list[str]) -> str:
    name = name.strip()
    lower = name.startswith("lc:")
    value = visible.get(name.removeprefix("lc:"))
    if value is None:
        refused.append(name)
        return ""
    return value.lower() if lower else value


def placeholders(text: str) -> tuple[str, ...]:
    """The names that `text` asks for and that are not visible names, each once."""
    known = dict.fromkeys(VISIBLE_NAMES, "")
    return tuple(dict.fromkeys(expand_visible(text, known).refused))


def clean_visible(values: Mapping[str, object]) -> Mapping[str, str]:
    """Values fit for a prompt: one line, at most 200 characters. Callers choose some of them."""
    return {
        name: " ".join(str(value).split())[:LONGEST_VALUE]
        for name, value in values.items()
        if isinstance(value, str | int | float)
    }


def is_hidden(name: str, data_keys: Sequence[str]) -> bool:
    """Whether a placeholder name means hidden data, by prefix or by a key of global_data."""
    path = name.rsplit(":", maxsplit=1)[-1]
    root = re.split(r"[.\[]", path, maxsplit=1)[0]
    return "global_data" in name or "meta_data" in name or root in data_keys
