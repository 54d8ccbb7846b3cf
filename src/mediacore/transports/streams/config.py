"""Settings of the stream server."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mediacore.errors import ConfigError
from mediacore.transports.streams.auth import Auth, PlivoSignature, TwilioSignature
from mediacore.web.hosts import is_loopback
from mediacore.wire.streams.catalog import DIALECTS
from mediacore.wire.streams.model import StreamOptions

_CODECS: Final = ("", "PCMU", "PCMA", "G722", "L16", "L16LE", "opus")
MAX_AHEAD_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class StreamEndpoint:
    """One path. dialect: a name of the catalogue. path: "" = "/" and the dialect's name.

    auth: any of them admits. open: no proof is asked for, even from other machines. public_url:
    what the provider dials, as signatures cover it. codec, srate_hz, two_way: see StreamOptions.
    ahead_ms: audio that the far side holds, a multiple of 20: what a flush may leave behind when
    the far side does not obey, against gaps when the network stutters. origins: of browsers that
    may connect; others that send an Origin are refused.
    """

    dialect: str
    path: str = ""
    auth: tuple[Auth, ...] = ()
    open: bool = False
    public_url: str = ""
    codec: str = ""
    srate_hz: int = 0
    two_way: bool = True
    ahead_ms: int = 60
    origins: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.dialect not in DIALECTS:
            names = ", ".join(DIALECTS)
            raise ConfigError(f"unknown stream dialect {self.dialect!r}; there are {names}")
        if self.path and (not self.path.startswith("/") or set(self.path) & set("{}?#")):
            raise ConfigError(f"a stream's path must begin with / and be plain: {self.path!r}")
        if self.codec not in _CODECS:
            raise ConfigError(f"unknown codec {self.codec!r}; there are {', '.join(_CODECS[1:])}")
        if not 0 <= self.ahead_ms <= MAX_AHEAD_MS or self.ahead_ms % 20:
            raise ConfigError(f"ahead_ms must be a multiple of 20 up to {MAX_AHEAD_MS}")
        signed = any(isinstance(each, TwilioSignature | PlivoSignature) for each in self.auth)
        if signed and not self.public_url:
            raise ConfigError(f"signatures cover the URL: set public_url of {self.route}")

    @property
    def route(self) -> str:
        """The path, by default after the dialect."""
        return self.path.rstrip("/") or f"/{self.dialect}"

    @property
    def options(self) -> StreamOptions:
        """What the dialect is told."""
        return StreamOptions(self.codec, self.srate_hz, self.two_way)


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """connections: at a time. start_ms: from the connection to the provider's start message.
    message_bytes: of a message that comes. bad_messages: of one stream, then it is closed.
    ping_ms: between pings; after three without any sign of life the stream is over. unsent_bytes:
    waiting for a far side that does not read, then the stream is over. linger_ms: for the far
    side's close."""

    connections: int = 512
    start_ms: int = 10_000
    message_bytes: int = 1 << 20
    bad_messages: int = 16
    ping_ms: int = 5_000
    unsent_bytes: int = 128 << 10
    linger_ms: int = 1_000

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0")


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """Where to listen, and for whom. port 0: any free one. tls_cert, tls_key: PEM files.
    plain_network: serve other machines without TLS, as behind a proxy that ends it, or in a
    network of one's own. Raises ConfigError when it cannot work, or would let anybody in."""

    endpoints: tuple[StreamEndpoint, ...]
    host: str = "127.0.0.1"
    port: int = 0
    tls_cert: Path | None = None
    tls_key: Path | None = None
    plain_network: bool = False
    limits: StreamLimits = field(default_factory=StreamLimits)

    def __post_init__(self) -> None:
        routes = [each.route for each in self.endpoints]
        if not routes:
            raise ConfigError("no stream endpoint")
        if len(set(routes)) != len(routes):
            raise ConfigError("two stream endpoints have the same path")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigError("tls_cert and tls_key belong together")
        if is_loopback(self.host):
            return
        for each in self.endpoints:
            if not each.auth and not each.open:
                raise ConfigError(
                    f"{each.route} on {self.host} would take calls from anybody: set its auth, "
                    "or open if that is meant"
                )
        if self.tls_cert is None and not self.plain_network:
            raise ConfigError(
                f"calls would cross the network in the clear on {self.host}: set tls_cert and "
                "tls_key, or plain_network if a proxy in front ends TLS"
            )
