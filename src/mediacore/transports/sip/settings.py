"""How a SIP user agent is reached, who may call and be called, and what is spoken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from mediacore.errors import ConfigError
from mediacore.media import Latch, RtcpMode
from mediacore.transports.networks import everybody, parse_networks
from mediacore.transports.sip.config import TRANSPORTS, SipBind, StreamLimits
from mediacore.wire.sdp import SrtpPolicy
from mediacore.wire.sip.admission import AdmissionLimits
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.session_timer import MIN_SE_S
from mediacore.wire.sip.uri import SipUri

DIGESTS: Final = ("SHA-256", "MD5")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Transfers(StrEnum):
    """Where a party in a call may send it (REFER). Others are refused with 603."""

    REFUSE = "refuse"
    SAME_HOST = "same_host"  # the party's own host, and numbers of our trunk
    ANY = "any"  # anywhere: toll fraud is then the host's care


class Rel100(StrEnum):
    """Reliable provisional answers (RFC 3262)."""

    OFF = "off"
    SUPPORTED = "supported"


@dataclass(frozen=True, slots=True)
class SipTrunk:
    """A provider or PBX that takes calls to numbers. port 0 = the usual one. from_domain: of our
    From, "" = host. realms: those that get our password, () = any."""

    host: str
    name: str = "trunk"
    port: int = 0
    transport: str = "UDP"
    user: str = ""
    password: str = field(default="", repr=False)
    from_domain: str = ""
    realms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError("a trunk's name is made of letters, digits, - and _")
        if self.transport not in TRANSPORTS or not 0 <= self.port <= 0xFFFF:
            raise ConfigError(f"trunk {self.name}: transport or port is not usable")
        _uri(f"sip:{self.host}", f"trunk {self.name}: host")


@dataclass(frozen=True, slots=True)
class SipRegistration:
    """An address to be known by at a registrar. registrar: "sip:host[:port][;transport=…]"."""

    user: str
    registrar: str
    password: str = field(default="", repr=False)
    name: str = "registration"
    domain: str = ""
    auth_user: str = ""
    expires_s: int = 300
    keepalive_ms: int = 25_000
    realms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _uri(self.registrar, f"registration {self.name}: registrar")
        if self.expires_s < 30 or self.keepalive_ms < 0:
            raise ConfigError(f"registration {self.name}: expires_s must be at least 30")


@dataclass(frozen=True, slots=True)
class SipConfig:
    """A SIP user agent. Raises ConfigError when it cannot work or would be open to everybody.

    binds: where it listens; what is bound is also what it can call by. certificate, key: of the
    TLS listener. ca_file: who may sign the certificates of TLS peers, None = the system's list.
    media_host: numeric address for RTP; media_advertise: the one that peers are told, "" = the
    same. rtp_ports: first and last, (0, 0) = any. latch: whose RTP is taken. early_media: 183 with
    an open way instead of 180.

    sources: networks that calls may come from without credentials. users: names and passwords for
    everybody else, by digest for `realm`. digests: the algorithms they are asked for, the preferred
    one first; phones that give up at one they do not know need ("MD5",). With neither anybody may
    call, which needs `open` on an address that is not loopback. max_calls, max_calls_per_source:
    at a time, inbound.

    session_expires_s: RFC 4028, 0 = no session timers. refer: see Transfers. refer_ms: how long
    the target of a transfer may ring. redirects: how many 3xx of one call are followed. symmetric:
    requests inside a call go where its last message came from, for phones behind NAT.
    """

    binds: tuple[SipBind, ...] = (SipBind("UDP"),)
    certificate: Path | None = None
    key: Path | None = None
    ca_file: Path | None = None
    user: str = "mediacore"
    media_host: str = "127.0.0.1"
    media_advertise: str = ""
    rtp_ports: tuple[int, int] = (0, 0)
    codecs: tuple[str, ...] = ("PCMU", "PCMA", "G722")
    ptime_ms: int = 20
    rtcp: RtcpMode = RtcpMode.PAIR
    srtp: SrtpPolicy = SrtpPolicy.OFF
    latch: Latch = Latch.LEARN
    early_media: bool = False
    sources: tuple[str, ...] = ()
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    realm: str = "mediacore"
    digests: tuple[str, ...] = DIGESTS
    open: bool = False
    max_calls: int = 256
    max_calls_per_source: int = 64
    retry_after_s: int = 30
    rel100: Rel100 = Rel100.SUPPORTED
    session_expires_s: int = 1800
    min_se_s: int = MIN_SE_S
    transfers: Transfers = Transfers.SAME_HOST
    refer_ms: int = 60_000
    redirects: int = 0
    symmetric: bool = False
    trunk: SipTrunk | None = None
    registrations: tuple[SipRegistration, ...] = ()
    admission: AdmissionLimits = field(default_factory=AdmissionLimits)
    streams: StreamLimits = field(default_factory=StreamLimits)
    t1_ms: int = 500

    def __post_init__(self) -> None:
        if not self.binds:
            raise ConfigError("SIP needs at least one listener in `binds`")
        if not _NAME.fullmatch(self.user):
            raise ConfigError("SIP `user` is made of letters, digits, - and _")
        parse_networks(self.sources, "SIP sources")
        tls = any(bind.transport == "TLS" for bind in self.binds)
        if tls and (self.certificate is None or self.key is None):
            raise ConfigError("SIP over TLS needs `certificate` and `key`")
        first, last = self.rtp_ports
        if (first, last) != (0, 0) and not 1024 <= first < last <= 0xFFFF:
            raise ConfigError("rtp_ports are a first and a last port from 1024 to 65535")
        for name in ("max_calls", "max_calls_per_source", "retry_after_s", "refer_ms", "t1_ms"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"SIP {name} must be above 0")
        if self.session_expires_s and not MIN_SE_S <= self.min_se_s <= self.session_expires_s:
            raise ConfigError(
                f"SIP session timers need {MIN_SE_S} <= min_se_s <= session_expires_s"
            )
        if not self.digests or not set(self.digests) <= set(DIGESTS):
            raise ConfigError(f"SIP digests are {' and '.join(DIGESTS)}")
        if not self.codecs or self.redirects < 0:
            raise ConfigError("SIP needs codecs, and redirects of at least 0")
        self._check_open()

    def _check_open(self) -> None:
        """Fails closed: a listener that the world reaches says who may call."""
        try:
            public = not all(ip_address(bind.host).is_loopback for bind in self.binds)
            ip_address(self.media_host)
        except ValueError:
            raise ConfigError("SIP listeners and media_host are numeric addresses") from None
        if public and not self.authenticated and not self.open:
            raise ConfigError(
                "a SIP listener that is not on loopback needs `sources`, `users`, or open = true"
            )

    @property
    def authenticated(self) -> bool:
        """Whether not just anybody who reaches a port gets through."""
        if everybody(parse_networks(self.sources)):
            return False
        return bool(self.users or self.sources)


def _uri(text: str, what: str) -> None:
    try:
        SipUri.parse(text)
    except SipError as error:
        raise ConfigError(f"{what}: {error}") from None
