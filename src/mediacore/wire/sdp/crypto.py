"""Keys in the description: a=crypto lines (RFC 4568; suites of RFC 7714 too)."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from mediacore.errors import ConfigError
from mediacore.wire.sdp.model import Attribute, Media

KEY_BYTES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "AES_CM_128_HMAC_SHA1_80": 30,
        "AES_CM_128_HMAC_SHA1_32": 30,
        "AEAD_AES_128_GCM": 28,
        "AEAD_AES_256_GCM": 44,
    }
)
"""Length of master key and salt by suite."""
SUITES: Final = tuple(KEY_BYTES)
MAX_LINES: Final = 16
"""Lines of one stream that are looked at."""
_MAX_TAG: Final = 999_999_999  # RFC 4568 §4.1: nine digits
_HARMLESS: Final = ("WSH=",)


@dataclass(frozen=True, slots=True)
class SrtpKey:
    """A master key of ours. key: key and salt joined, as long as the suite asks for."""

    suite: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        wanted = KEY_BYTES.get(self.suite)
        if wanted is None:
            raise ConfigError(f"unknown SRTP suite {self.suite!r} (there are {', '.join(SUITES)})")
        if len(self.key) != wanted:
            raise ConfigError(f"a key of {self.suite} has {wanted} bytes, not {len(self.key)}")


@dataclass(frozen=True, slots=True)
class Crypto:
    """One a=crypto line. lifetime: packets, 0 = not told. mki: (value, bytes) or None.

    usable: the core can do what the line asks for: one key, no MKI in the packets, everything
    encrypted and authenticated.
    """

    tag: int
    suite: str
    key: bytes = field(repr=False)
    lifetime: int = 0
    mki: tuple[int, int] | None = None
    usable: bool = True

    def attribute(self) -> Attribute:
        """The line as we write it."""
        return Attribute("crypto", f"{self.tag} {self.suite} inline:{b64encode(self.key).decode()}")


def make_keys(suites: Sequence[str], token_bytes: Callable[[int], bytes]) -> tuple[SrtpKey, ...]:
    """A fresh key for each suite. token_bytes: source of randomness. Raises ConfigError."""
    unknown = [suite for suite in suites if suite not in KEY_BYTES]
    if unknown:
        raise ConfigError(f"unknown SRTP suite {unknown[0]!r} (there are {', '.join(SUITES)})")
    return tuple(SrtpKey(suite, token_bytes(KEY_BYTES[suite])) for suite in suites)


def crypto_lines(media: Media) -> list[Crypto]:
    """The lines that can be read, in their order. Unknown suites and broken lines are left out."""
    values = (a.value for a in media.attributes if a.name.lower() == "crypto" and a.value)
    return [line for line in map(read_crypto, list(values)[:MAX_LINES]) if line is not None]


def our_lines(keys: Sequence[SrtpKey]) -> Iterator[Crypto]:
    """Our keys as lines of an offer, tags from 1."""
    for tag, key in enumerate(keys, start=1):
        yield Crypto(tag, key.suite, key.key)


def read_crypto(value: str) -> Crypto | None:
    """`tag suite key-params [session-params]`, or None when it cannot be used by anyone."""
    tag, _, rest = value.strip().partition(" ")
    fields = rest.split()
    if not _is_number(tag, _MAX_TAG) or len(fields) < 2 or fields[0] not in KEY_BYTES:
        return None
    suite, params, *extras = fields
    first, *others = params.split(";")
    method, _, info = first.partition(":")
    if method.lower() != "inline":
        return None
    text, *parts = info.split("|")
    key = _key(text)
    if key is None or len(key) != KEY_BYTES[suite]:
        return None
    lifetime, mki = _lifetime_and_mki(parts)
    usable = not others and mki is None and all(_ignorable(extra) for extra in extras)
    return Crypto(int(tag), suite, key, lifetime, mki, usable)


def _ignorable(extra: str) -> bool:
    # RFC 4568 §6.3.7: a parameter with a dash in front may be ignored, any other may not.
    return extra.startswith("-") or extra.upper().startswith(_HARMLESS)


def _key(text: str) -> bytes | None:
    padded = text + "=" * (-len(text) % 4)  # some peers leave the padding out
    try:
        return b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        return None


def _lifetime_and_mki(parts: Sequence[str]) -> tuple[int, tuple[int, int] | None]:
    lifetime, mki = 0, None
    for part in parts:
        value, colon, length = part.partition(":")
        if colon:
            if _is_number(value, 2**31) and _is_number(length, 128):
                mki = (int(value), int(length))
            else:
                mki = (0, 128)  # present, and not what anyone can follow
        elif value.startswith("2^") and _is_number(value[2:], 48):
            lifetime = 2 ** int(value[2:])
        elif _is_number(value, 2**48):
            lifetime = int(value)
    return lifetime, mki


def _is_number(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15 and int(text) <= most
