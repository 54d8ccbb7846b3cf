"""The upgrade of RFC 6455 §4.2, after which the bytes bypass aiohttp.

aiohttp speaks HTTP and TLS and hands over the connection: a reader set with `set_parser`, which
is what its own WebSocket response does, gets the bytes as they come. A media message then costs
what the event loop takes to read it, and well under a microsecond for the core.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from aiohttp import hdrs, web

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


class Wire:
    """The connection after the upgrade: bytes out."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        """Send, unless it is closed already."""
        if not self._transport.is_closing():
            self._transport.write(data)

    @property
    def unsent_bytes(self) -> int:
        """What the far side has not taken yet."""
        return self._transport.get_write_buffer_size()

    def close(self) -> None:
        """Close once everything was sent."""
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()


class Session(Protocol):
    """Whoever speaks WebSocket on the connection. Called from the event loop."""

    def feed(self, data: bytes) -> None:
        """Bytes came. Must not raise."""
        ...

    def lost(self) -> None:
        """The connection is gone."""
        ...

    async def wait_over(self) -> None:
        """Wait until nothing will be read or written any more."""
        ...


class _Reader:
    """What aiohttp feeds."""

    def __init__(self, session: Session) -> None:
        self._feed = session.feed
        self._lost = session.lost

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._feed(data)
        return False, b""

    def feed_eof(self) -> None:
        self._lost()


async def serve(
    request: web.Request, subprotocols: Iterable[str], make: Callable[[Wire], Session]
) -> web.StreamResponse:
    """Upgrade and let the session that `make` gives have the connection until it is over.

    subprotocols: in order of preference; none is chosen when the client asks for none of them.
    Raises HTTPBadRequest, HTTPUpgradeRequired.
    """
    headers = upgrade_headers(request, subprotocols)
    response = web.StreamResponse(status=101, headers=headers)
    response.force_close()
    await response.prepare(request)
    transport = request.transport
    if transport is None:
        return response
    session = make(Wire(transport))
    protocol: Any = request.protocol
    protocol.keep_alive(False)
    protocol.set_parser(_Reader(session))
    if request.transport is None:  # gone before it was ours
        session.lost()
    await session.wait_over()
    return response


def upgrade_headers(request: web.Request, subprotocols: Iterable[str]) -> dict[str, str]:
    """Headers of the 101."""
    headers = request.headers
    if headers.get(hdrs.UPGRADE, "").lower().strip() != "websocket":
        raise web.HTTPUpgradeRequired(headers={hdrs.UPGRADE: "websocket"})
    if headers.get(hdrs.SEC_WEBSOCKET_VERSION) != "13":
        raise web.HTTPUpgradeRequired(headers={hdrs.SEC_WEBSOCKET_VERSION: "13"})
    tokens = {part.strip().lower() for part in headers.get(hdrs.CONNECTION, "").split(",")}
    key = headers.get(hdrs.SEC_WEBSOCKET_KEY, "").strip()
    if "upgrade" not in tokens or not _usable(key):
        raise web.HTTPBadRequest
    accept = base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest())
    answer: dict[str, str] = {
        hdrs.UPGRADE: "websocket",
        hdrs.CONNECTION: "upgrade",
        hdrs.SEC_WEBSOCKET_ACCEPT: accept.decode(),
    }
    asked = {part.strip() for part in headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")}
    chosen = next((each for each in subprotocols if each in asked), None)
    if chosen is not None:
        answer[hdrs.SEC_WEBSOCKET_PROTOCOL] = chosen
    return answer


def _usable(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
