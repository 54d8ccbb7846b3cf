"""JSON objects found in text that a model wrote: fenced, surrounded by prose, or broken."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

_MAX_CHARS: Final = 262_144
_MAX_TRIES: Final = 64
_MAX_DEPTH: Final = 64


@dataclass(frozen=True, slots=True)
class FoundJson:
    """objects: in order of appearance. rest: the text without them and without code fences."""

    objects: tuple[dict[str, object], ...]
    rest: str


def find_objects(text: str) -> FoundJson:
    """All outermost JSON objects in the first 256 Ki characters; broken ones are left as text."""
    text = text[:_MAX_CHARS]
    decoder = json.JSONDecoder(parse_constant=_refuse)
    objects: list[dict[str, object]] = []
    rest: list[str] = []
    at = done = 0
    for _ in range(_MAX_TRIES):
        at = text.find("{", at)
        if at < 0:
            break
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if not isinstance(value, dict) or not _shallow(value):
            at = end
            continue
        objects.append(value)
        rest.append(text[done:at])
        at = done = end
    rest.append(text[done:])
    left = "".join(rest).replace("```json", "").replace("```", "") if objects else text
    return FoundJson(tuple(objects), left.strip())


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _shallow(value: object) -> bool:
    """Whether the value is nested at most `_MAX_DEPTH` deep."""
    layer = [value]
    for _ in range(_MAX_DEPTH):
        inner: list[object] = []
        for item in layer:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        if not inner:
            return True
        layer = inner
    return False
