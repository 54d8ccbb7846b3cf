"""Where SIP is spoken, and what one peer may use."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from mediacore.errors import ConfigError
from mediacore.wire.sip.flow import Flow

TRANSPORTS: Final = ("UDP", "TCP", "TLS")


@dataclass(frozen=True, slots=True)
class SipBind:
    """One listener. host: numeric. port: 0 = any. advertise: `host` or `host:port` that peers are
    told in Via; needed when host is a wildcard."""

    transport: str
    host: str = "127.0.0.1"
    port: int = 5060
    advertise: str = ""

    def __post_init__(self) -> None:
        if self.transport not in TRANSPORTS:
            raise ConfigError(f"SIP transport must be one of {', '.join(TRANSPORTS)}")
        if not 0 <= self.port <= 0xFFFF:
            raise ConfigError("SIP port must be 0 to 65535")
        try:
            wildcard = ipaddress.ip_address(self.host).is_unspecified
        except ValueError:
            raise ConfigError(f"SIP host {self.host!r} must be a numeric address") from None
        if wildcard and not self.advertise:
            raise ConfigError(f"SIP on {self.host} needs `advertise`: the address peers reach")

    def sent_by(self, port: int) -> str:
        """What Via says; port: the one bound."""
        if self.advertise:
            bare = self.advertise.rpartition("]")[2]
            return self.advertise if ":" in bare else f"{self.advertise}:{port}"
        return f"[{self.host}]:{port}" if ":" in self.host else f"{self.host}:{port}"


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Of TCP and TLS.

    header_bytes, body_bytes: longest message. connections, per_source: open at once, in all and
    from one address. handshake_ms: TLS. first_message_ms: from accepting to the first whole
    message. message_ms: from a message's first byte to its last. idle_ms: without a message or a
    keep-alive. connect_ms: for connections to peers. write_bytes: not taken by the peer; beyond
    that it is cut off. waiting: messages that wait for one connection to open.
    """

    header_bytes: int = 16_384
    body_bytes: int = 65_536
    connections: int = 1024
    per_source: int = 64
    handshake_ms: int = 5_000
    first_message_ms: int = 10_000
    message_ms: int = 5_000
    idle_ms: int = 900_000
    connect_ms: int = 5_000
    write_bytes: int = 262_144
    waiting: int = 64

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0")


@dataclass(slots=True)
class SocketCounters:
    """messages: taken in. keepalives: answered or ignored. sent. send_failed. refused_connections:
    over a limit. unframeable: streams closed for what came. timed_out: streams closed for what did
    not come. overflowed: streams cut off, and datagrams dropped, because nothing was taken."""

    messages: int = 0
    keepalives: int = 0
    sent: int = 0
    send_failed: int = 0
    refused_connections: int = 0
    unframeable: int = 0
    timed_out: int = 0
    overflowed: int = 0


@dataclass(frozen=True, slots=True)
class SocketStats:
    """counters: so far. connections: open streams now, both ways. connecting: being opened."""

    counters: SocketCounters
    connections: int
    connecting: int


def flow_to(bind: SipBind, local: tuple[str, int], remote: tuple[str, int], name: str = "") -> Flow:
    """The flow from a listener to a peer; any connection."""
    return Flow(bind.transport, local, remote, bind.sent_by(local[1]), 0, name)
