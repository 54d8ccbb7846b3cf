"""SIP's sockets: UDP, TCP and TLS listeners, and every connection, behind one `send`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace

from mediacore.errors import ConfigError
from mediacore.transports.sip.config import (
    SipBind,
    SocketCounters,
    SocketStats,
    StreamLimits,
    flow_to,
)
from mediacore.transports.sip.streams import StreamPool
from mediacore.transports.sip.udp import UdpListener
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.flow import Flow


class SipSockets:
    """Everything SIP listens on and sends through.

    on_message(data, flow): one framed message; keep-alives are answered here. on_lost(flow): a send
    failed or a connection is gone; never called from within send(). Both are called on the loop
    and must not raise. server_tls, client_tls: contexts for accepted and opened TLS connections.
    """

    def __init__(
        self,
        binds: Sequence[SipBind],
        *,
        on_message: Callable[[bytes, Flow], None],
        on_lost: Callable[[Flow], None],
        limits: StreamLimits | None = None,
        server_tls: ssl.SSLContext | None = None,
        client_tls: ssl.SSLContext | None = None,
    ) -> None:
        self._binds = tuple(binds)
        self._count = SocketCounters()
        self._on_message = on_message
        self._on_lost = on_lost
        self._udp: list[UdpListener] = []
        self._streams = StreamPool(
            limits or StreamLimits(),
            self._count,
            on_message,
            on_lost,
            server_tls=server_tls,
            client_tls=client_tls,
        )
        self._bound: list[tuple[SipBind, tuple[str, int]]] = []

    async def start(self) -> None:
        """Bind all; raises ConfigError, and then nothing stays bound."""
        try:
            for bind in self._binds:
                await self._start(bind)
        except ConfigError:
            await self.aclose()
            raise

    async def _start(self, bind: SipBind) -> None:
        if bind.transport == "UDP":
            listener = UdpListener(bind, self._count, self._on_message, self._on_lost)
            await listener.start()
            self._udp.append(listener)
            self._bound.append((bind, listener.local))
        else:
            self._bound.append((bind, await self._streams.listen(bind)))

    @property
    def addresses(self) -> list[tuple[str, str, int]]:
        """(transport, host, port) of every listener, in the order of the binds."""
        return [(bind.transport, *local) for bind, local in self._bound]

    def flow(self, transport: str, remote: tuple[str, int], server_name: str = "") -> Flow:
        """The way to a peer. remote: numeric. server_name: whose certificate TLS expects. Raises
        ConfigError when nothing is bound for the transport and the kind of address."""
        for bind, local in self._bound:
            if bind.transport == transport and (":" in local[0]) == (":" in remote[0]):
                return flow_to(bind, local, remote, server_name)
        raise ConfigError(f"nothing is bound that reaches {remote[0]} over {transport}")

    async def resolve(self, host: str, port: int, transport: str) -> tuple[str, int]:
        """A numeric address of a host that a bound listener can reach. Raises SipError."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port)
        except (OSError, UnicodeError):
            raise SipError("the host of the URI is unknown") from None
        families = {":" in local[0] for bind, local in self._bound if bind.transport == transport}
        for *_, address in found:
            numeric = str(address[0])
            if (":" in numeric) in families:
                return numeric, port
        raise SipError(f"the host of the URI cannot be reached over {transport}")

    def send(self, flow: Flow, data: bytes) -> None:
        """Send one message; never blocks, never raises. A failure comes through on_lost."""
        if flow.reliable:
            self._streams.send(flow, data)
            return
        for listener in self._udp:
            if listener.local == flow.local:
                listener.send(flow, data)
                return
        self._count.send_failed += 1
        asyncio.get_running_loop().call_soon(self._on_lost, flow)

    async def aclose(self) -> None:
        """Close all sockets."""
        for listener in self._udp:
            listener.close()
        await self._streams.aclose()

    def snapshot(self) -> SocketStats:
        """Counters and sizes."""
        return SocketStats(replace(self._count), self._streams.open, self._streams.opening)
