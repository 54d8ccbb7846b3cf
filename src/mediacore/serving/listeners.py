"""Which listeners a process opens, and the rule for those that other machines reach.

A listener beyond loopback has to know whom it serves: by a secret, a certificate, a list of
addresses. One that takes anybody is refused unless its section says `open = true`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mediacore.errors import ConfigError
from mediacore.web.hosts import is_loopback


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket to be opened. section: of the configuration. authenticated: it does not take just
    anybody. open: anybody is meant. advice: what would authenticate it."""

    section: str
    protocol: Literal["TCP", "UDP"]
    host: str
    port: int
    authenticated: bool
    advice: str
    open: bool = False

    @property
    def where(self) -> str:
        """Address as text."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else f"{host}, any free port"


def check_listeners(listeners: Iterable[Listener]) -> None:
    """Raises ConfigError for one that would take calls from anybody on the network."""
    for listener in listeners:
        if is_loopback(listener.host) or listener.authenticated or listener.open:
            continue
        raise ConfigError(
            f"[{listener.section}] on {listener.where} would take calls from anybody: "
            f"{listener.advice}; or set open = true if that is meant"
        )


def unusable(listener: Listener) -> str:
    """Why the listener could not be opened now, '' = it could. Opens and closes the port."""
    kind = socket.SOCK_STREAM if listener.protocol == "TCP" else socket.SOCK_DGRAM
    try:
        found = socket.getaddrinfo(listener.host, listener.port, type=kind, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        with socket.socket(family, kind) as tried:
            if listener.protocol == "TCP":
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return ""
