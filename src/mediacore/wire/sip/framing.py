"""Messages out of a byte stream, by Content-Length (RFC 3261 §18.3), and keep-alives (RFC 5626)."""

from __future__ import annotations

import re
from typing import Final

from mediacore.wire.sip.errors import SipError

PING: Final = b"\r\n\r\n"
PONG: Final = b"\r\n"

_END: Final = b"\r\n\r\n"
_LENGTH = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(?:\r\n[ \t]+)?([^\r\n]*?)[ \t]*(?=\r\n)",
    re.IGNORECASE,
)
_NUMBER = re.compile(rb"[0-9]{1,9}")


class StreamFramer:
    """Cuts one connection's bytes into messages. header_bytes, body_bytes: longest ones taken."""

    __slots__ = ("_body_bytes", "_buffer", "_header_bytes", "_need", "_scanned")

    def __init__(self, header_bytes: int, body_bytes: int) -> None:
        self._header_bytes = header_bytes
        self._body_bytes = body_bytes
        self._buffer = bytearray()
        self._need = 0
        self._scanned = 0

    @property
    def partial(self) -> bool:
        """Whether a message has begun and is not complete."""
        return self._need > 0 or bool(self._buffer.strip(b"\r\n"))

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; the messages that are complete now, b"" for a ping that wants a pong. Raises
        SipError when the stream cannot be cut any more: close it."""
        self._buffer += data
        found = []
        while (message := self._next()) is not None:
            found.append(message)
        return found

    def _next(self) -> bytes | None:
        buffer = self._buffer
        if not self._need:
            if buffer.startswith(PING):
                del buffer[: len(PING)]
                return b""
            if len(buffer) > 2 and buffer.startswith(b"\r\n") and buffer[2] != ord("\r"):
                del buffer[:2]
            if not self._measure():
                return None
        if len(buffer) < self._need:
            return None
        message = bytes(buffer[: self._need])
        del buffer[: self._need]
        self._need = self._scanned = 0
        return message

    def _measure(self) -> bool:
        """Find out how long the message is; False while its header is not complete."""
        buffer = self._buffer
        if buffer[:2] == b"\r\n" and len(buffer) < len(PING):
            return False
        end = buffer.find(_END, max(0, self._scanned - len(_END)))
        if max(end, len(buffer) if end < 0 else 0) > self._header_bytes:
            raise SipError("header too long")
        if end < 0:
            self._scanned = len(buffer)
            return False
        lengths = {found[1] for found in _LENGTH.finditer(buffer, 0, end + 2)}
        if len(lengths) != 1 or (number := _NUMBER.fullmatch(lengths.pop())) is None:
            raise SipError("no usable Content-Length")
        length = int(number[0])
        if length > self._body_bytes:
            raise SipError("body too long")
        self._need = end + len(_END) + length
        return True
