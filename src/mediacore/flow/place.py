"""Where something stands in a document: its path and its line and column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

Path = tuple[str | int, ...]
"""Keys and indexes from the top of the document to a value; () is the document itself."""

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
LONGEST_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column in the text, from 1. 0: the value does not come from a text."""

    line: int = 0
    column: int = 0


NOWHERE: Final = Place()


def shown(text: str) -> str:
    """A piece of a document as it may appear in a message: short, no control characters."""
    cut = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in cut)


def format_path(path: Path) -> str:
    """`$.sections.main[2].play`; keys that are not plain words are quoted in brackets."""
    parts = ["$"]
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _PLAIN.fullmatch(step) and len(step) <= LONGEST_SHOWN:
            parts.append(f".{step}")
        else:
            parts.append(f'["{shown(step)}"]')
    return "".join(parts)
