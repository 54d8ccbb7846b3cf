"""Where a message came from, and where messages go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flow:
    """One path to one peer.

    transport: "UDP", "TCP" or "TLS". local, remote: numeric (host, port). sent_by: what our Via
    says on this path. connection: number of the stream connection, 0 = any open one to `remote`,
    or a new one. server_name: whose certificate TLS expects, "" = the host of `remote`.
    """

    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    sent_by: str
    connection: int = 0
    server_name: str = ""

    @property
    def reliable(self) -> bool:
        """Whether the transport itself repeats what is lost."""
        return self.transport != "UDP"
