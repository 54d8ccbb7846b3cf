"""What this side wants (`Terms`) and what both sides settled on (`Agreed`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from mediacore.errors import ConfigError
from mediacore.media import RtcpMode, Srtp
from mediacore.wire.sdp.crypto import SrtpKey
from mediacore.wire.sdp.payloads import Codec, codec_named


class SrtpPolicy(StrEnum):
    """OFF: RTP/SAVP is refused. OPTIONAL: both are taken, RTP/AVP with keys is offered.

    REQUIRED: only streams with keys are taken, RTP/SAVP is offered.
    """

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Terms:
    """What this side offers and accepts for its one audio stream. Raises ConfigError.

    host, port: numeric address where the peer shall send. codecs: names of `CODECS`, the order is
    our preference in offers. events: RFC 4733. ptime_ms: what we ask for, and send to a peer
    without a wish. packets_ms: sizes that the leg can send. rtcp: PAIR also muxes with a peer that
    can; MUX has one socket only. keys: in order of preference, for `srtp` other than OFF.
    """

    host: str
    port: int
    codecs: tuple[str, ...] = ("opus", "G722", "PCMU", "PCMA")
    events: bool = True
    comfort_noise: bool = True
    ptime_ms: int = 20
    maxptime_ms: int = 60
    packets_ms: tuple[int, ...] = (10, 20, 30, 40, 60)
    rtcp: RtcpMode = RtcpMode.MUX
    srtp: SrtpPolicy = SrtpPolicy.OFF
    keys: tuple[SrtpKey, ...] = ()

    def __post_init__(self) -> None:
        try:
            address = ip_address(self.host)
        except ValueError:
            raise ConfigError(f"{self.host!r} is not a numeric address") from None
        if address.is_unspecified or address.is_multicast:
            raise ConfigError(f"nobody can send to {self.host}: advertise an address of this host")
        if not 0 < self.port < 65_536:
            raise ConfigError(f"port {self.port} is not in 1..65535")
        if not self.codecs:
            raise ConfigError("at least one codec is needed")
        for name in self.codecs:
            codec_named(name)
        if not self.packets_ms or not all(10 <= size <= 60 for size in self.packets_ms):
            raise ConfigError("packets_ms holds sizes of 10 to 60 ms")
        if self.ptime_ms not in self.packets_ms or not self.ptime_ms <= self.maxptime_ms <= 60:
            raise ConfigError("ptime_ms is one of packets_ms, and maxptime_ms not below it")
        if (self.srtp is SrtpPolicy.OFF) != (not self.keys):
            raise ConfigError("SRTP needs keys, and keys need an srtp policy")

    @property
    def ipv6(self) -> bool:
        """Which kind of address the stream has."""
        return ":" in self.host

    def packet_ms(self, codec: Codec, wish_ms: int | None, most_ms: int | None) -> int:
        """Size of our packets: the peer's wish (or ours), bounded by the peer's maximum."""
        able = [ms for ms in self.packets_ms if not codec.packets_ms or ms in codec.packets_ms]
        able = able or list(codec.packets_ms)
        bound = min(wish_ms or self.ptime_ms, most_ms or 60)
        return max((ms for ms in able if ms <= bound), default=min(able))


@dataclass(frozen=True, slots=True)
class Agreed:
    """The outcome of an offer and its answer, in the words of `LegConfig`.

    payload_type, event_payload_type, cn_payload_type: what comes in. tx_payload_type,
    tx_event_payload_type: what goes out. 0 = no events, no comfort noise. srate_hz: 0 = the
    codec's own. ptime_ms: of our packets. remote: None while the peer's address is 0.0.0.0 or ::
    (hold), or a host name. rtcp_remote: with RtcpMode.PAIR only. fmtp: the peer's parameters of
    the codec, as written.
    """

    codec: str
    srate_hz: int
    payload_type: int
    tx_payload_type: int
    event_payload_type: int
    tx_event_payload_type: int
    cn_payload_type: int
    ptime_ms: int
    remote: tuple[str, int] | None
    rtcp_remote: tuple[str, int] | None
    send: bool
    receive: bool
    rtcp: RtcpMode
    srtp: Srtp | None
    fmtp: str = ""

    @property
    def held(self) -> bool:
        """We may not send: the peer holds, or both sides do."""
        return not self.send
