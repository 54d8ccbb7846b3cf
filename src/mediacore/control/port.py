"""One WebSocket: a bounded queue out, messages in, and a close that cannot hang."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from aiohttp import WSMsgType, web

from mediacore.wire.methods import CloseCode


class WebSocketPort:
    """Carries frames of one connection.

    Ends when the client goes, or when `close` was called; a client that reads nothing is given
    `linger_s` for the last messages, then its transport is cut.
    """

    def __init__(
        self, request: web.Request, socket: web.WebSocketResponse, max_bytes: int, linger_s: float
    ) -> None:
        self._request = request
        self._socket = socket
        self._max_bytes = max_bytes
        self._linger_s = linger_s
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        self._farewell: tuple[int, str] | None = None
        self._flush = True

    def send(self, frame: bytes) -> bool:
        """Queue a text message; False when too much waits already."""
        if self._farewell is not None:
            return True
        if self._bytes + len(frame) > self._max_bytes:
            return False
        self._queue.append(frame)
        self._bytes += len(frame)
        self._wake.set()
        return True

    def close(self, code: int, reason: str, *, flush: bool, last: bytes = b"") -> None:
        """Close the socket; the first call counts. Not flush: what waits is thrown away.
        last: a message that still goes out."""
        if self._farewell is not None:
            return
        if not flush:
            self._queue.clear()
        if last:
            self._queue.append(last)
        self._flush = flush
        self._farewell = (code, reason)
        self._over.set()
        self._wake.set()

    async def run(self, take: Callable[[str], None]) -> None:
        """Carry messages until the socket is over. `take` gets every text message."""
        reader = asyncio.create_task(self._read(take))
        writer = asyncio.create_task(self._write())
        try:
            await self._over.wait()
        finally:
            try:
                async with asyncio.timeout(self._linger_s):
                    await self._say_goodbye(writer)
            except (TimeoutError, ConnectionError):
                self._cut()
            finally:
                await _end(writer)
                await _end(reader)

    async def _say_goodbye(self, writer: asyncio.Task[None]) -> None:
        code, reason = self._farewell or (CloseCode.NORMAL, "")
        if self._farewell is not None and self._flush:
            await asyncio.wait({writer})
        await _end(writer)
        while self._queue:
            await self._socket.send_frame(self._queue.popleft(), WSMsgType.TEXT)
        await self._socket.close(code=code, message=reason.encode())

    async def _read(self, take: Callable[[str], None]) -> None:
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    take(message.data)
                elif message.type is WSMsgType.BINARY:
                    self.close(CloseCode.UNSUPPORTED_DATA, "text messages only", flush=True)
        finally:
            self._over.set()

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                while self._queue:
                    frame = self._queue.popleft()
                    self._bytes -= len(frame)
                    await self._socket.send_frame(frame, WSMsgType.TEXT)
                if self._farewell is not None:
                    return
                self._wake.clear()
                await self._wake.wait()

    def _cut(self) -> None:
        transport = self._request.transport
        if transport is not None:
            transport.abort()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()
