"""Messages between the event loop and a worker process: a JSON head and a binary body.

    uint32 head length │ uint32 body length │ head: UTF-8 JSON object │ body

Both lengths little-endian. A message above `MAX_BYTES` means that the stream is out of step.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

MAX_BYTES: Final = 64 << 20
_LENGTHS: Final = struct.Struct("<II")

Head = dict[str, Any]


class FrameError(ValueError):
    """The bytes are not a message."""


def encode(head: Mapping[str, Any], body: bytes = b"") -> bytes:
    """One message as bytes."""
    text = json.dumps(head, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(text), len(body)) + text + body


def _lengths(raw: bytes | bytearray) -> tuple[int, int]:
    head_len, body_len = _LENGTHS.unpack_from(raw)
    if head_len + body_len > MAX_BYTES:
        raise FrameError("message too long")
    return head_len, body_len


def _head(raw: bytes | bytearray) -> Head:
    try:
        head = json.loads(raw)
    except ValueError:
        raise FrameError("head is not JSON") from None
    if not isinstance(head, dict):
        raise FrameError("head is not an object")
    return head


class Decoder:
    """Cuts a byte stream into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Head, bytes]]:
        """Add bytes; yield every message that is now complete."""
        self._buffer += data
        while len(self._buffer) >= _LENGTHS.size:
            head_len, body_len = _lengths(self._buffer)
            end = _LENGTHS.size + head_len + body_len
            if len(self._buffer) < end:
                return
            split = _LENGTHS.size + head_len
            head = _head(self._buffer[_LENGTHS.size : split])
            body = bytes(self._buffer[split:end])
            del self._buffer[:end]
            yield head, body


def read(stream: BinaryIO) -> tuple[Head, bytes] | None:
    """One message from a blocking stream; None at its end, also in the middle of a message."""
    raw = stream.read(_LENGTHS.size)
    if len(raw) < _LENGTHS.size:
        return None
    head_len, body_len = _lengths(raw)
    head = stream.read(head_len)
    body = stream.read(body_len)
    if len(head) < head_len or len(body) < body_len:
        return None
    return _head(head), body
