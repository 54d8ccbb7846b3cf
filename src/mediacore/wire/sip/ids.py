"""Names that SIP needs to be new: branches, tags, Call-IDs, client nonces."""

from __future__ import annotations

from collections.abc import Callable

from mediacore.wire.sip.fields import MAGIC_BRANCH


class SipIds:
    """hexdigits(n): n unpredictable bytes as 2n hex digits (`secrets.token_hex` in production)."""

    __slots__ = ("_hexdigits",)

    def __init__(self, hexdigits: Callable[[int], str]) -> None:
        self._hexdigits = hexdigits

    def branch(self) -> str:
        """A branch that is unique in space and time (§8.1.1.7)."""
        return MAGIC_BRANCH + self._hexdigits(12)

    def tag(self) -> str:
        """A tag: at least 32 bits of randomness (§19.3)."""
        return self._hexdigits(8)

    def call_id(self) -> str:
        """A Call-ID without the host's name."""
        return self._hexdigits(16)

    def cnonce(self) -> str:
        """A client nonce."""
        return self._hexdigits(8)
