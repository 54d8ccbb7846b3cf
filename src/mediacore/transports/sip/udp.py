"""SIP over UDP: one socket, a datagram is a message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mediacore.errors import ConfigError
from mediacore.transports.sip.config import SipBind, SocketCounters, flow_to
from mediacore.wire.sip.flow import Flow


class UdpListener(asyncio.DatagramProtocol):
    """One bound socket. on_message and on_lost as in SipSockets."""

    def __init__(
        self,
        bind: SipBind,
        counters: SocketCounters,
        on_message: Callable[[bytes, Flow], None],
        on_lost: Callable[[Flow], None],
    ) -> None:
        self.bind = bind
        self.local = (bind.host, bind.port)
        self._count = counters
        self._on_message = on_message
        self._on_lost = on_lost
        self._transport: asyncio.DatagramTransport | None = None
        self._sending: Flow | None = None
        self._full = False

    async def start(self) -> None:
        """Bind. Raises ConfigError."""
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: self, local_addr=(self.bind.host, self.bind.port)
            )
        except OSError as error:
            where = f"{self.bind.host}:{self.bind.port}"
            raise ConfigError(f"cannot bind SIP over UDP to {where}: {error.strerror}") from None
        self.local = self._transport.get_extra_info("sockname")[:2]

    def send(self, flow: Flow, data: bytes) -> None:
        """Send one datagram; what the socket cannot take is dropped and counted."""
        transport = self._transport
        if transport is None or transport.is_closing():
            self._count.send_failed += 1
            return
        if self._full:
            self._count.overflowed += 1
            return
        self._sending = flow
        try:
            transport.sendto(data, flow.remote)
            self._count.sent += 1
        except (OSError, ValueError, OverflowError):
            self._failed(flow)
        finally:
            self._sending = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """A datagram: keep-alives of whatever kind are shorter than any message."""
        if not data.strip(b"\r\n\0"):
            self._count.keepalives += 1
            return
        self._count.messages += 1
        self._on_message(data, flow_to(self.bind, self.local, addr[:2]))

    def pause_writing(self) -> None:
        """The socket takes no more: what comes now is dropped; UDP's own repetitions serve."""
        self._full = True

    def resume_writing(self) -> None:
        """It takes more."""
        self._full = False

    def error_received(self, exc: Exception) -> None:
        """The send that is under way failed."""
        if self._sending is not None:
            self._failed(self._sending)

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.abort()

    def _failed(self, flow: Flow) -> None:
        """Told later: whoever sends is not called back from within."""
        self._count.send_failed += 1
        asyncio.get_running_loop().call_soon(self._on_lost, flow)
