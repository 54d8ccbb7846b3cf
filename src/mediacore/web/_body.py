"""Reading a reply's body under a cap, compressed or not."""

from __future__ import annotations

import zlib
from typing import Final

import aiohttp

from mediacore.errors import MediacoreError

_GZIP_WBITS: Final = 16 + zlib.MAX_WBITS


class BodyError(MediacoreError):
    """A body cannot be used. `reason`: too_large | bad_encoding."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the body cannot be used: {reason}")
        self.reason = reason


async def read_body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The decoded body; raw and decoded size are capped by `max_bytes`. Raises BodyError.

    Only gzip was asked for, once; any other content coding is refused unread. Memory stays under
    the cap and one network read, whatever the body would decode to.
    """
    if (response.content_length or 0) > max_bytes:
        raise BodyError("too_large")
    decoder = _decoder(response.headers.get("content-encoding", ""))
    body = bytearray()
    raw_bytes = 0
    async for chunk in response.content.iter_any():
        raw_bytes += len(chunk)
        if raw_bytes > max_bytes:
            raise BodyError("too_large")
        body += decoder.decode(chunk, max_bytes + 1 - len(body))
        if len(body) > max_bytes:
            raise BodyError("too_large")
    if not decoder.complete(raw_bytes):
        raise BodyError("bad_encoding")
    return bytes(body)


def _decoder(coding: str) -> _Plain | _Gunzip:
    name = coding.strip().lower()
    if name in ("", "identity"):
        return _Plain()
    if name == "gzip":
        return _Gunzip()
    raise BodyError("bad_encoding")


class _Plain:
    def decode(self, chunk: bytes, room: int) -> bytes:
        return chunk

    def complete(self, raw_bytes: int) -> bool:
        return True


class _Gunzip:
    """One gzip member (RFC 1952); anything after it is refused."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP_WBITS)

    def decode(self, chunk: bytes, room: int) -> bytes:
        """At most `room` bytes; the caller stops when that many came."""
        if self._inflate.eof:
            raise BodyError("bad_encoding")
        try:
            made = self._inflate.decompress(chunk, room)
        except zlib.error:
            raise BodyError("bad_encoding") from None
        if self._inflate.unused_data:
            raise BodyError("bad_encoding")
        return made

    def complete(self, raw_bytes: int) -> bool:
        return self._inflate.eof or raw_bytes == 0
