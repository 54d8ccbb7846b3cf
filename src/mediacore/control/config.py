"""Settings of the control server."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from mediacore.errors import ConfigError
from mediacore.web.hosts import is_loopback
from mediacore.wire.limits import RelayLimits
from mediacore.wire.methods import COMMANDS, PERMISSIONS

_SHA256_HEX = re.compile(r"[0-9a-f]{64}")
MIN_JWT_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of the server's certificate (chain) and key."""

    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Token:
    """One secret of a project; only its SHA-256 (hex) is kept.

    Tokens are long random texts, so a fast hash is enough. permissions: "read" (be offered calls
    of contexts), "control" (command calls), "dial" (start calls). contexts: shell patterns.
    """

    sha256: str = field(repr=False)
    permissions: frozenset[str] = PERMISSIONS
    contexts: tuple[str, ...] = ("*",)

    def __post_init__(self) -> None:
        if not _SHA256_HEX.fullmatch(self.sha256):
            raise ConfigError("a token's sha256 must be 64 lower-case hex digits")
        unknown = self.permissions - PERMISSIONS
        if unknown:
            raise ConfigError(
                f"unknown permission {min(unknown)!r}; there are {', '.join(sorted(PERMISSIONS))}"
            )

    @classmethod
    def plain(
        cls,
        secret: str,
        permissions: frozenset[str] = PERMISSIONS,
        contexts: tuple[str, ...] = ("*",),
    ) -> Token:
        """A token given as text."""
        if not secret:
            raise ConfigError("a token must not be empty")
        return cls(hashlib.sha256(secret.encode()).hexdigest(), permissions, contexts)


@dataclass(frozen=True, slots=True)
class Project:
    """A tenant: its controllers see and steer only its own calls."""

    id: str
    tokens: tuple[Token, ...]

    def __post_init__(self) -> None:
        if not self.id:
            raise ConfigError("a project needs an id")


@dataclass(frozen=True, slots=True)
class ControlLimits:
    """Caps of the whole server. accepts_per_s, accept_burst: new connections of one address."""

    connections: int = 256
    sessions: int = 1024
    accepts_per_s: int = 10
    accept_burst: int = 50
    sweep_us: int = 250_000
    drain_us: int = 2_000_000
    linger_us: int = 2_000_000

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0")


@dataclass(frozen=True, slots=True)
class ControlConfig:
    """What the control server needs to know. Raises ConfigError when it cannot work.

    port 0: any free one. plain_network: serve without TLS to other machines too, as behind a
    proxy that ends TLS. jwt_secret: of HS256 tokens, at least 32 bytes; empty: none are taken.
    jwt tokens may name only projects given here. origins: browser origins that may connect.
    node_id: names this process to controllers; empty: made up at start. commands: methods that
    reach the calls, without "calling."; more than the published ones if the host knows more.
    """

    projects: tuple[Project, ...]
    host: str = "127.0.0.1"
    port: int = 0
    tls: TlsFiles | None = None
    plain_network: bool = False
    jwt_secret: str = field(default="", repr=False)
    origins: frozenset[str] = frozenset()
    node_id: str = ""
    commands: frozenset[str] = COMMANDS
    limits: RelayLimits = field(default_factory=RelayLimits)
    server: ControlLimits = field(default_factory=ControlLimits)

    def __post_init__(self) -> None:
        names = [project.id for project in self.projects]
        if not names:
            raise ConfigError("no project: nobody could connect")
        if len(set(names)) != len(names):
            raise ConfigError("two projects have the same id")
        if not self.jwt_secret and not any(project.tokens for project in self.projects):
            raise ConfigError("no project has a token and there is no jwt_secret")
        if self.jwt_secret and len(self.jwt_secret.encode()) < MIN_JWT_SECRET_BYTES:
            raise ConfigError(f"jwt_secret must have at least {MIN_JWT_SECRET_BYTES} bytes")
        if self.tls is None and not self.plain_network and not is_loopback(self.host):
            raise ConfigError(
                f"tokens would cross the network in the clear on {self.host}: set tls, or "
                "plain_network if a proxy in front ends TLS"
            )
