"""What a line needs of its connection; `peerlink.PeerLink` is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mediacore.errors import MediacoreError
from mediacore.transports.webrtc.offer import Peer


class LinkError(MediacoreError):
    """The connection could not be made, or is gone."""


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told what comes over a connection. gone: once, why the far side is away."""

    packet: Callable[[bytes], None]
    text: Callable[[str], None]
    gone: Callable[[str], None]


class Link(Protocol):
    """One connection: `gather`, `connect`, then `send` and `tell` until `close`."""

    received: int
    """Packets of media and reports so far."""

    @property
    def local(self) -> str:
        """Our address in use."""
        ...

    @property
    def remote(self) -> str:
        """The far side's address in use."""
        ...

    async def gather(self) -> Peer:
        """Open the sockets; what the far side is to be told."""
        ...

    async def connect(self, remote: Peer, sctp_port: int | None) -> None:
        """Raises LinkError; may wait for ever."""
        ...

    def send(self, packets: Sequence[bytes]) -> None:
        """Send RTP or RTCP; never waits, never raises."""
        ...

    def tell(self, text: str) -> bool:
        """Send a message; False when it cannot be taken now."""
        ...

    async def close(self) -> None:
        """Idempotent; `gone` is not told of it."""
        ...


MakeLink = Callable[[Ears], Link]
