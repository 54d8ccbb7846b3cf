"""Reliable provisional answers: PRACK, both sides. RFC 3262."""

from __future__ import annotations

from enum import Enum
from typing import Final

from mediacore.wire.sip.message import Request, Response

TAG: Final = "100rel"
_MAX_SEQ: Final = (1 << 31) - 1


class Given(Enum):
    """What a reliable 1xx from the peer is."""

    PLAIN = "plain"  # not reliable
    NEW = "new"  # wants a PRACK
    OLD = "old"  # a repetition, or out of order: ignore


def required(message: Request | Response) -> bool:
    """Whether the message demands 100rel."""
    return _has(message, "Require")


def supported(request: Request) -> bool:
    """Whether the caller can do 100rel."""
    return _has(request, "Supported") or _has(request, "Require")


def _has(message: Request | Response, name: str) -> bool:
    return any(tag.lower() == TAG for tag in message.headers.tokens(name))


class RseqOrder:
    """The order of the reliable 1xx of one early dialog, as the caller sees it (§4)."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = 0

    def take(self, response: Response) -> Given:
        """Judge a 1xx; a NEW one is remembered."""
        text = (response.headers.get("RSeq") or "").strip()
        if not required(response) or not text.isascii() or not text.isdigit():
            return Given.PLAIN
        number = int(text[:12])
        if self._last and number != self._last + 1:
            return Given.OLD
        self._last = number
        return Given.NEW

    @property
    def last(self) -> int:
        """RSeq of the last NEW one."""
        return self._last


class RseqCounter:
    """Numbers of our own reliable 1xx, one unacknowledged at a time (§3)."""

    __slots__ = ("_cseq", "_next", "waiting")

    def __init__(self, first: int, cseq: int) -> None:
        self._next = min(max(first, 1), _MAX_SEQ - (1 << 16))
        self._cseq = cseq
        self.waiting = 0  # RSeq without PRACK, 0 = none

    def number(self) -> int:
        """The next RSeq."""
        self.waiting = self._next
        self._next += 1
        return self.waiting

    def acknowledged(self, prack: Request) -> bool:
        """Whether the PRACK belongs to what waits; then nothing waits any more."""
        parts = (prack.headers.get("RAck") or "").split()
        matches = bool(self.waiting) and parts == [str(self.waiting), str(self._cseq), "INVITE"]
        if matches:
            self.waiting = 0
        return matches
