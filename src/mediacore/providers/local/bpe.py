"""Text of byte-level BPE tokens, as GPT-2's vocabulary writes them: one printable character a byte.

Bytes that print as themselves in Latin-1 stand for themselves; the other 68 are numbered from
U+0100 in order, so a space is "Ġ" and a line feed "Ċ".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

_ITSELF: Final = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))


def _table() -> dict[str, int]:
    table = {chr(byte): byte for byte in _ITSELF}
    others = (byte for byte in range(256) if byte not in _ITSELF)
    table.update({chr(0x100 + i): byte for i, byte in enumerate(others)})
    return table


BYTE_OF: Final[Mapping[str, int]] = MappingProxyType(_table())


def is_special(token: str) -> bool:
    """Whether a token is a control or timestamp token such as "<|0.00|>"."""
    return token.startswith("<|") and token.endswith("|>")


def decode(tokens: Iterable[str]) -> str:
    """The text of a token sequence; special tokens are left out, broken UTF-8 is replaced."""
    raw = bytearray()
    for token in tokens:
        if not is_special(token):
            raw.extend(BYTE_OF[char] for char in token if char in BYTE_OF)
    return raw.decode("utf-8", "replace").strip()
