"""AudioSocket of Asterisk, without I/O: messages out of a byte stream, and back.

Every message is kind (1 byte), length (2 bytes, big-endian), payload. The first one a connection
carries is the id. Audio is signed 16-bit little-endian mono; its kind tells the rate.

     0x00 hang-up | 0x01 id (16 bytes) | 0x03 digit (ASCII) | 0x10..0x18 audio | 0xff error
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from mediacore.errors import MediacoreError

HEADER_BYTES: Final = 3
MAX_PAYLOAD: Final = 0xFFFF
_ID_BYTES: Final = 16
_HEADER: Final = struct.Struct("!BH")
_DIGITS: Final = frozenset("0123456789*#ABCD")


class Kind(IntEnum):
    """Messages that are not audio."""

    HANGUP = 0x00
    ID = 0x01
    DIGIT = 0x03
    ERROR = 0xFF


RATES: Final[Mapping[int, int]] = MappingProxyType(
    {
        0x10: 8_000,
        0x11: 12_000,
        0x12: 16_000,
        0x13: 24_000,
        0x14: 32_000,
        0x15: 44_100,
        0x16: 48_000,
        0x17: 96_000,
        0x18: 192_000,
    }
)
"""Audio kinds and their rates in Hz."""
_KINDS: Final[Mapping[int, int]] = MappingProxyType({rate: kind for kind, rate in RATES.items()})


_KNOWN: Final = frozenset(RATES) | frozenset(kind.value for kind in Kind)


class AudioSocketError(MediacoreError):
    """The peer does not speak AudioSocket: the connection is of no use."""


@dataclass(frozen=True, slots=True)
class Identified:
    """The first message: which call this is."""

    uuid: UUID


@dataclass(frozen=True, slots=True)
class Audio:
    """Little-endian int16 mono at `srate_hz`."""

    srate_hz: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """One of "0-9*#A-D"."""

    digit: str


@dataclass(frozen=True, slots=True)
class HungUp:
    """The peer ends the call."""


@dataclass(frozen=True, slots=True)
class PeerError:
    """The peer's code for what went wrong on its side; 0 = none given."""

    code: int


Message = Identified | Audio | DigitPressed | HungUp | PeerError


@dataclass(frozen=True, slots=True)
class ReaderStats:
    """messages: understood. malformed: of a known kind with an impossible payload. unknown: of a
    kind that is not defined. Both of the latter are skipped."""

    messages: int
    malformed: int
    unknown: int


class AudioSocketReader:
    """Takes the stream in pieces of any size. Holds at most one unfinished message, 64 KiB."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._identified = False
        self._messages = self._malformed = self._unknown = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete now. Raises AudioSocketError when the stream does not
        begin with an id."""
        buffer = self._buffer
        buffer += data
        found: list[Message] = []
        at = 0
        while len(buffer) - at >= HEADER_BYTES:
            kind, length = _HEADER.unpack_from(buffer, at)
            if not self._identified and (kind != Kind.ID or length != _ID_BYTES):
                raise AudioSocketError("the stream does not begin with an id")
            end = at + HEADER_BYTES + length
            if len(buffer) < end:
                break
            self._take(kind, bytes(buffer[at + HEADER_BYTES : end]), found)
            at = end
        del buffer[:at]
        return found

    def _take(self, kind: int, payload: bytes, found: list[Message]) -> None:
        message = _parse(kind, payload)
        if isinstance(message, Identified) and self._identified:
            message = None  # a call does not change its id
        if message is not None:
            self._identified = True
            self._messages += 1
            found.append(message)
        elif kind in _KNOWN:
            self._malformed += 1
        else:
            self._unknown += 1

    def snapshot(self) -> ReaderStats:
        """Counters since the start."""
        return ReaderStats(self._messages, self._malformed, self._unknown)


def _parse(kind: int, payload: bytes) -> Message | None:
    """None when it cannot be one."""
    rate = RATES.get(kind)
    if rate is not None:
        return Audio(rate, payload) if payload and len(payload) % 2 == 0 else None
    match kind:
        case Kind.HANGUP:
            return HungUp()
        case Kind.ID if len(payload) == _ID_BYTES:
            return Identified(UUID(bytes=payload))
        case Kind.DIGIT if len(payload) == 1:
            digit = chr(payload[0]).upper()
            return DigitPressed(digit) if digit in _DIGITS else None
        case Kind.ERROR:
            return PeerError(payload[0] if payload else 0)
    return None


def audio(srate_hz: int, pcm: bytes) -> bytes:
    """Messages with little-endian int16 mono; more than one when it is longer than one can be.
    Raises AudioSocketError for a rate that has no kind, or half a sample."""
    kind = _KINDS.get(srate_hz)
    if kind is None or len(pcm) % 2:
        raise AudioSocketError(f"no audio message for {len(pcm)} bytes at {srate_hz} Hz")
    step = MAX_PAYLOAD - 1
    if len(pcm) <= step:
        return _HEADER.pack(kind, len(pcm)) + pcm
    parts = (pcm[at : at + step] for at in range(0, len(pcm), step))
    return b"".join(_HEADER.pack(kind, len(part)) + part for part in parts)


def identify(uuid: UUID) -> bytes:
    """The id, as the calling side sends it."""
    return _HEADER.pack(Kind.ID, _ID_BYTES) + uuid.bytes


def digit(value: str) -> bytes:
    """A digit, as the calling side sends it. Raises AudioSocketError for anything else."""
    if value not in _DIGITS:
        raise AudioSocketError(f"not a digit: {value!r}")
    return _HEADER.pack(Kind.DIGIT, 1) + value.encode("ascii")


def hangup() -> bytes:
    """The end of the call."""
    return _HEADER.pack(Kind.HANGUP, 0)


def error(code: int) -> bytes:
    """Something went wrong on this side; code 0..255."""
    return _HEADER.pack(Kind.ERROR, 1) + bytes((code,))
