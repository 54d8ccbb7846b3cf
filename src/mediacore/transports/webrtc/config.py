"""Settings of the WebRTC listener."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from mediacore.errors import ConfigError
from mediacore.web.hosts import is_loopback

CODECS: Final = ("opus", "PCMU", "PCMA")
_SCHEMES: Final = ("stun:", "turn:", "turns:")
_SRATES: Final = (8000, 12000, 16000, 24000, 48000)


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server, for us and for the page. url: "stun:HOST:PORT", "turn:…" or
    "turns:…" as in RFC 7064 and RFC 7065."""

    url: str
    username: str = ""
    credential: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.url.startswith(_SCHEMES):
            raise ConfigError(f"ICE server {self.url!r}: expected stun:…, turn:… or turns:…")


@dataclass(frozen=True, slots=True)
class WebRtcConfig:
    """Where browsers call. Raises ConfigError when it cannot work.

    host, port: of the page and the signalling; port 0 = any. token: what callers must know, in
    the page's address after "#token=" or as a bearer; "" = none on loopback, a random one
    elsewhere. media_hosts: numeric addresses for media, empty = `host`. ice_servers: at most one
    STUN and one TURN server are used by this side. origins: other origins that may call, such as
    "https://example.com". tls_cert, tls_key: PEM files. plain_network: serve other machines
    without TLS, as behind a proxy that ends it (browsers give the microphone to https only).
    codecs: in order of preference. srate_hz: rate of opus legs. to_number: what is called, in the
    call's facts. max_calls: at once. answer_ms: how long a call may ring. connect_ms: ICE and
    DTLS together. lost_ms: silence on the wire, RTCP included, after which the browser is gone.
    calls_per_s, call_burst: requests of one address.
    """

    host: str = "127.0.0.1"
    port: int = 0
    token: str = field(default="", repr=False)
    media_hosts: tuple[str, ...] = ()
    ice_servers: tuple[IceServer, ...] = ()
    origins: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    plain_network: bool = False
    codecs: tuple[str, ...] = CODECS
    srate_hz: int = 16000
    to_number: str = "webrtc"
    max_calls: int = 32
    answer_ms: int = 60_000
    connect_ms: int = 15_000
    lost_ms: int = 12_000
    calls_per_s: int = 2
    call_burst: int = 10

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ConfigError("webrtc: tls_cert and tls_key belong together")
        if self.tls_cert is None and not self.plain_network and not is_loopback(self.host):
            raise ConfigError(
                f"webrtc: browsers give the microphone to https only; set tls_cert and tls_key for "
                f"{self.host}, or plain_network if a proxy in front ends TLS"
            )
        if not self.addresses:
            raise ConfigError(f"webrtc: {self.host} is no address for media; set media_hosts")
        if not self.codecs or set(self.codecs) - set(CODECS):
            raise ConfigError(f"webrtc: codecs are some of {', '.join(CODECS)}")
        if self.srate_hz not in _SRATES:
            raise ConfigError(f"webrtc: srate_hz is one of {', '.join(map(str, _SRATES))}")
        if not 0 <= self.port <= 65535:
            raise ConfigError("webrtc: port is 0 to 65535")
        for name in (
            *("max_calls", "answer_ms", "connect_ms", "lost_ms"),
            *("calls_per_s", "call_burst"),
        ):
            if getattr(self, name) <= 0:
                raise ConfigError(f"webrtc: {name} must be above 0")

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where media is received."""
        given = self.media_hosts or (("127.0.0.1",) if self.host == "localhost" else (self.host,))
        return tuple(host for host in given if _is_concrete(host))

    @property
    def needs_token(self) -> bool:
        """Callers must know a secret."""
        return bool(self.token) or not is_loopback(self.host)


def _is_concrete(host: str) -> bool:
    try:
        return not ip_address(host).is_unspecified
    except ValueError:
        return False
