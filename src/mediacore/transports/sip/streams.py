"""All TCP and TLS connections: listeners, limits, reuse, and connections opened to peers."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Final

from mediacore.errors import ConfigError
from mediacore.transports.sip.config import SipBind, SocketCounters, StreamLimits
from mediacore.transports.sip.tcp import Connection, Securing
from mediacore.wire.sip.flow import Flow

CLOSE_S: Final = 1.0
"""How long peers may take to read the last messages."""

Peer = tuple[str, tuple[str, int], str]
"""Transport, remote address, verified name."""


@dataclass(slots=True)
class _Opening:
    """A connection that is being opened, and what waits for it."""

    flow: Flow
    waiting: list[bytes] = field(default_factory=list)


class _Streams:
    """The connections of one listener."""

    def __init__(self, pool: StreamPool, bind: SipBind) -> None:
        self.limits = pool.limits
        self.count = pool.count
        self.bind = bind
        self.local = (bind.host, bind.port)
        self._pool = pool

    def flow_of(
        self, connection: Connection, local: tuple[str, int], peer: tuple[str, int]
    ) -> Flow:
        number = self._pool.register(connection, self.bind.transport, peer)
        sent_by = self.bind.sent_by(self.local[1])
        return Flow(self.bind.transport, local, peer, sent_by, number, connection.server_name)

    def message(self, data: bytes, flow: Flow) -> None:
        self._pool.message(data, flow)

    def closed(self, connection: Connection) -> None:
        self._pool.closed(connection)


class StreamPool:
    """Streams over every listener. on_message and on_lost as in SipSockets."""

    def __init__(
        self,
        limits: StreamLimits,
        counters: SocketCounters,
        on_message: Callable[[bytes, Flow], None],
        on_lost: Callable[[Flow], None],
        *,
        server_tls: ssl.SSLContext | None,
        client_tls: ssl.SSLContext | None,
    ) -> None:
        self.limits = limits
        self.count = counters
        self._on_message = on_message
        self._on_lost = on_lost
        self._server_tls = server_tls
        self._client_tls = client_tls
        self._servers: list[asyncio.Server] = []
        self._streams: dict[str, _Streams] = {}
        self._numbered: dict[int, Connection] = {}
        self._peers: dict[Peer, Connection] = {}
        self._sources: Counter[str] = Counter()
        self._opening: dict[Peer, _Opening] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._last = 0
        self._closing = False
        self._drained = asyncio.Event()

    @property
    def open(self) -> int:
        """Connections that count, those in their handshake included."""
        return self._sources.total()

    @property
    def opening(self) -> int:
        """Connections to peers that are not open yet."""
        return len(self._opening)

    async def listen(self, bind: SipBind) -> tuple[str, int]:
        """Bind one listener; its address. Raises ConfigError."""
        if bind.transport == "TLS" and self._server_tls is None:
            raise ConfigError("SIP over TLS needs a certificate")
        streams = _Streams(self, bind)
        loop = asyncio.get_running_loop()

        def accept() -> asyncio.Protocol:
            if bind.transport == "TCP":
                return _Accepted(self, streams)
            return Securing(lambda transport: self._accept_tls(streams, transport))

        try:
            server = await loop.create_server(accept, bind.host, bind.port)
        except OSError as error:
            where = f"{bind.host}:{bind.port}"
            raise ConfigError(
                f"cannot bind SIP over {bind.transport} to {where}: {error.strerror}"
            ) from None
        self._servers.append(server)
        streams.local = server.sockets[0].getsockname()[:2]
        self._streams.setdefault(bind.transport, streams)
        return streams.local

    def send(self, flow: Flow, data: bytes) -> None:
        """Write to the flow's connection; flows without one share or open one."""
        if flow.connection:
            self._write(self._numbered.get(flow.connection), flow, data)
            return
        peer = (flow.transport, flow.remote, flow.server_name)
        known = self._peers.get(peer)
        if known is not None and known.open:
            known.write(data)
            return
        opening = self._opening.get(peer)
        if opening is None:
            if self._closing or flow.transport not in self._streams:
                self._lose(flow)
                return
            opening = self._opening[peer] = _Opening(flow)
            self._spawn(self._connect(peer, opening))
        if len(opening.waiting) < self.limits.waiting:
            opening.waiting.append(data)
        else:
            self._lose(flow)

    async def aclose(self) -> None:
        """Close everything; what was written gets a moment to leave."""
        self._closing = True
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for connection in list(self._numbered.values()):
            connection.close()
        if self._numbered:
            self._drained.clear()
            try:
                async with asyncio.timeout(CLOSE_S):
                    await self._drained.wait()
            except TimeoutError:
                for connection in list(self._numbered.values()):
                    connection.abort()
                await self._drained.wait()
        for server in self._servers:
            await server.wait_closed()

    # -- for connections

    def admit(self, source: str) -> bool:
        """Whether one more connection from an address may be; it counts from now on."""
        over = self.open >= self.limits.connections
        if self._closing or over or self._sources[source] >= self.limits.per_source:
            self.count.refused_connections += 1
            return False
        self._sources[source] += 1
        return True

    def release(self, source: str) -> None:
        """It is gone."""
        self._sources[source] -= 1
        if self._sources[source] <= 0:
            del self._sources[source]

    def register(self, connection: Connection, transport: str, peer: tuple[str, int]) -> int:
        """Number an open connection."""
        self._last += 1
        self._numbered[self._last] = connection
        self._peers[transport, peer, connection.server_name] = connection
        return self._last

    def message(self, data: bytes, flow: Flow) -> None:
        """Pass a message on."""
        self.count.messages += 1
        self._on_message(data, flow)

    def closed(self, connection: Connection) -> None:
        """Forget a connection and say so."""
        flow = connection.flow
        if flow is None:
            return
        self._numbered.pop(flow.connection, None)
        peer = (flow.transport, flow.remote, flow.server_name)
        if self._peers.get(peer) is connection:
            del self._peers[peer]
        self.release(connection.source)
        if not self._numbered:
            self._drained.set()
        if not self._closing:
            self._on_lost(flow)

    # -- opening

    def _accept_tls(self, streams: _Streams, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        if not peer or not self.admit(peer[0]):
            transport.abort()
            return
        self._spawn(self._handshake(streams, transport, peer[0]))

    async def _handshake(
        self, streams: _Streams, transport: asyncio.Transport, source: str
    ) -> None:
        connection = Connection(streams)
        assert self._server_tls is not None
        secured: asyncio.Transport | None = None
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport,
                connection,
                self._server_tls,
                server_side=True,
                ssl_handshake_timeout=self.limits.handshake_ms / 1000,
            )
        except OSError:
            self.count.refused_connections += 1
        finally:
            if secured is None:
                transport.abort()
            else:
                connection.connection_made(secured)
            if connection.flow is None:
                self.release(source)

    async def _connect(self, peer: Peer, opening: _Opening) -> None:
        flow = opening.flow
        connection = Connection(self._streams[flow.transport], flow.server_name)
        counted = self.admit(flow.remote[0])
        try:
            if counted:
                async with asyncio.timeout(self.limits.connect_ms / 1000):
                    await self._open(flow, connection)
        except (OSError, ValueError):
            connection.abort()
        finally:
            del self._opening[peer]
            if counted and connection.flow is None:
                self.release(flow.remote[0])
        if not connection.open:
            self._lose(flow)
            return
        connection.spoke()
        for data in opening.waiting:
            connection.write(data)

    async def _open(self, flow: Flow, connection: Connection) -> None:
        """Raises OSError (time-outs and TLS errors among them) and ValueError."""
        loop = asyncio.get_running_loop()
        if flow.transport == "TCP":
            await loop.create_connection(lambda: connection, *flow.remote)
            return
        if self._client_tls is None:
            raise ConnectionError("no TLS settings for connections to peers")
        await loop.create_connection(
            lambda: connection,
            *flow.remote,
            ssl=self._client_tls,
            server_hostname=flow.server_name or flow.remote[0],
        )

    def _write(self, connection: Connection | None, flow: Flow, data: bytes) -> None:
        if connection is None or not connection.open:
            self._lose(flow)
        else:
            connection.write(data)

    def _lose(self, flow: Flow) -> None:
        self.count.send_failed += 1
        asyncio.get_running_loop().call_soon(self._on_lost, flow)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Accepted(Connection):
    """A plain connection that somebody opened to us: only within the limits."""

    def __init__(self, pool: StreamPool, streams: _Streams) -> None:
        super().__init__(streams)
        self._pool = pool

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        assert isinstance(transport, asyncio.Transport)
        if not peer or not self._pool.admit(peer[0]):
            transport.abort()
            return
        super().connection_made(transport)
        if self.flow is None:
            self._pool.release(peer[0])
