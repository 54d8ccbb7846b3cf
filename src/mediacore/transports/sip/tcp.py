"""SIP over TCP and TLS: one connection, framed, with deadlines for a peer that dawdles."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

from mediacore.transports.sip.config import SocketCounters, StreamLimits
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.framing import PONG, StreamFramer


class Owner(Protocol):
    """Who holds the connections."""

    limits: StreamLimits
    count: SocketCounters

    def flow_of(
        self, connection: Connection, local: tuple[str, int], peer: tuple[str, int]
    ) -> Flow:
        """Register an open connection; its flow."""
        ...

    def message(self, data: bytes, flow: Flow) -> None:
        """A whole message came."""
        ...

    def closed(self, connection: Connection) -> None:
        """The connection is gone."""
        ...


class Connection(asyncio.Protocol):
    """One stream. server_name: of the certificate that was verified, "" = none was."""

    def __init__(self, owner: Owner, server_name: str = "") -> None:
        self.flow: Flow | None = None
        self.source = ""
        self.server_name = server_name
        self._owner = owner
        self._framer = StreamFramer(owner.limits.header_bytes, owner.limits.body_bytes)
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._active_s = self._began_s
        self._partial_s: float | None = None
        self._spoken = False
        self._early = b""
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The stream is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        local = transport.get_extra_info("sockname")
        if not peer or not local:
            transport.abort()
            return
        _keep_alive(transport.get_extra_info("socket"))
        self.source = peer[0]
        transport.set_write_buffer_limits(high=self._owner.limits.write_bytes)
        self.flow = self._owner.flow_of(self, local[:2], peer[:2])
        self._arm()
        if self._early:
            self.data_received(self._early)
            self._early = b""

    def data_received(self, data: bytes) -> None:
        """Bytes came. A TLS handshake may bring the first ones before connection_made."""
        if self.flow is None:
            self._early += data
            return
        try:
            messages = self._framer.feed(data)
        except SipError:
            self._owner.count.unframeable += 1
            self.abort()
            return
        now_s = self._loop.time()
        if messages:
            self._active_s = now_s
            self._partial_s = None
        for message in messages:
            if message:
                self._spoken = True
                self._owner.message(message, self.flow)
            else:
                self._owner.count.keepalives += 1
                self.write(PONG)
        if not self._framer.partial:
            self._partial_s = None
        elif self._partial_s is None:
            self._partial_s = now_s
            self._arm()

    def write(self, data: bytes) -> None:
        """Send; the peer is cut off when it does not take what it is sent."""
        if self._transport is None or self._transport.is_closing():
            self._owner.count.send_failed += 1
            return
        self._transport.write(data)
        self._owner.count.sent += 1

    def pause_writing(self) -> None:
        """More is unsent than the limit allows."""
        self._owner.count.overflowed += 1
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The stream is closed, by whichever side."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._transport = None
        self._owner.closed(self)

    @property
    def open(self) -> bool:
        """Whether messages can be written."""
        return self._transport is not None and not self._transport.is_closing()

    def spoke(self) -> None:
        """Note that our side began: the peer owes no first message."""
        self._spoken = True

    def close(self) -> None:
        """Close once everything written has left."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once; connection_lost follows."""
        if self._transport is not None:
            self._transport.abort()

    def _deadline_s(self) -> float:
        limits = self._owner.limits
        due_s = self._active_s + limits.idle_ms / 1000
        if not self._spoken:
            due_s = min(due_s, self._began_s + limits.first_message_ms / 1000)
        if self._partial_s is not None:
            due_s = min(due_s, self._partial_s + limits.message_ms / 1000)
        return due_s

    def _arm(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self._loop.call_at(self._deadline_s(), self._look)

    def _look(self) -> None:
        self._watch = None
        if self._deadline_s() > self._loop.time():
            self._arm()
            return
        self._owner.count.timed_out += 1
        self.abort()


class Securing(asyncio.Protocol):
    """An accepted TCP connection whose TLS handshake has yet to begin: it counts already."""

    def __init__(self, secure: Callable[[asyncio.Transport], None]) -> None:
        self._secure = secure

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is read before the handshake does it."""
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        _keep_alive(transport.get_extra_info("socket"))
        self._secure(transport)


def _keep_alive(sock: object) -> None:
    """A peer that died is noticed by the kernel, too."""
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
