"""The socket's side of a connection, with a socket that blocks as it is told; virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from mediacore.control.port import WebSocketPort
from virtual import run_virtual

LINGER_S = 2.0


class FakeTransport:
    aborted_s: float | None = None

    def abort(self) -> None:
        self.aborted_s = asyncio.get_running_loop().time()


class FakeSocket:
    """Takes `room` messages, then blocks for good; closing blocks when `deaf`."""

    def __init__(self, room: int = 1000, *, deaf: bool = False) -> None:
        self.room = room
        self.deaf = deaf
        self.sent: list[bytes] = []
        self.closed: tuple[int, bytes] | None = None
        self.gone = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        await self.gone.wait()
        raise StopAsyncIteration

    async def send_frame(self, frame: bytes, _kind: object) -> None:
        self.sent.append(frame)
        if len(self.sent) >= self.room:
            await asyncio.Event().wait()

    async def close(self, *, code: int, message: bytes) -> None:
        if self.deaf:
            await asyncio.Event().wait()
        self.closed = (code, message)
        self.gone.set()


def make(socket: FakeSocket, max_bytes: int = 100) -> tuple[WebSocketPort, FakeTransport]:
    transport = FakeTransport()
    request: Any = SimpleNamespace(transport=transport)
    given: Any = socket
    return WebSocketPort(request, given, max_bytes, LINGER_S), transport


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_waits_goes_out_before_the_close() -> None:
    async def main() -> None:
        socket = FakeSocket()
        port, transport = make(socket)
        running = asyncio.create_task(port.run(lambda _data: None))
        port.send(b"1")
        await settle()
        port.send(b"2")
        port.close(4001, "why", flush=True)
        port.close(4002, "too late", flush=True)
        assert port.send(b"3")
        await running
        assert socket.sent == [b"1", b"2"]
        assert socket.closed == (4001, b"why") and transport.aborted_s is None

    run_virtual(main())


def test_without_flush_only_the_last_word_goes_out() -> None:
    async def main() -> None:
        socket = FakeSocket()
        port, _transport = make(socket)
        port.send(b"1")
        port.close(4003, "slow", flush=False, last=b"bye")
        await port.run(lambda _data: None)
        assert socket.sent == [b"bye"] and socket.closed == (4003, b"slow")

    run_virtual(main())


def test_the_queue_is_bounded_in_bytes() -> None:
    async def main() -> None:
        socket = FakeSocket(room=1)
        port, _transport = make(socket, max_bytes=10)
        assert port.send(b"x" * 10)
        assert not port.send(b"x")
        running = asyncio.create_task(port.run(lambda _data: None))
        await settle()
        assert port.send(b"x" * 10)
        assert not port.send(b"x")
        socket.gone.set()
        await running

    run_virtual(main())


def test_a_client_that_takes_nothing_is_cut_after_a_while() -> None:
    async def main(flush: bool) -> None:
        socket = FakeSocket(room=1, deaf=True)
        port, transport = make(socket)
        running = asyncio.create_task(port.run(lambda _data: None))
        port.send(b"1")
        await settle()
        port.close(4003, "slow", flush=flush)
        await running
        assert transport.aborted_s == LINGER_S

    for flush in (True, False):
        run_virtual(main(flush))


def test_the_client_goes() -> None:
    async def main() -> None:
        socket = FakeSocket()
        port, transport = make(socket)
        running = asyncio.create_task(port.run(lambda _data: None))
        await settle()
        socket.gone.set()
        await running
        assert transport.aborted_s is None

    run_virtual(main())
