"""How calls come into a process and go out of it, as configured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mediacore.policy.dialing import DialPolicy
from mediacore.serving.listeners import Listener

if TYPE_CHECKING:  # nobody who runs without them imports the gateways
    from mediacore.serving.sections import StreamsSection
    from mediacore.transports.asterisk.config import AudioSocketConfig
    from mediacore.transports.rtp_ports import RtpPortsConfig
    from mediacore.transports.sip.settings import SipConfig
    from mediacore.transports.webrtc.config import WebRtcConfig


@dataclass(frozen=True, slots=True)
class Gateways:
    """How calls come in and go out; None = not that way. open: sections that may serve anybody."""

    sip: SipConfig | None = None
    streams: StreamsSection | None = None
    audiosocket: AudioSocketConfig | None = None
    rtp: RtpPortsConfig | None = None
    webrtc: WebRtcConfig | None = None
    dialing: DialPolicy = field(default_factory=DialPolicy)
    open: frozenset[str] = frozenset()

    @property
    def any(self) -> bool:
        """Whether there is any way."""
        ways = (self.sip, self.streams, self.audiosocket, self.rtp, self.webrtc)
        return any(way is not None for way in ways)

    def listeners(self) -> list[Listener]:
        """What would be opened."""
        found: list[Listener] = []
        if self.sip is not None:
            found += self._sip(self.sip)
        if self.streams is not None:
            found.append(self._streams(self.streams))
        if self.audiosocket is not None:
            found.append(self._audiosocket(self.audiosocket))
        if self.rtp is not None:
            found += self._rtp(self.rtp)
        if self.webrtc is not None:
            web = self.webrtc
            found.append(
                Listener("webrtc", "TCP", web.host, web.port, web.needs_token, "set token")
            )
        return found

    def _sip(self, config: SipConfig) -> list[Listener]:
        known, advice = config.authenticated, "set sources or users"
        return [
            Listener(
                "sip",
                "UDP" if bind.transport == "UDP" else "TCP",
                bind.host,
                bind.port,
                known,
                advice,
                config.open,
            )
            for bind in config.binds
        ]

    def _streams(self, streams: StreamsSection) -> Listener:
        endpoints = streams.config().endpoints
        proved = all(each.auth for each in endpoints)
        meant = all(each.auth or each.open for each in endpoints)
        advice = "give every endpoint a proof, such as bearer"
        return Listener("streams", "TCP", streams.host, streams.port, proved, advice, meant)

    def _audiosocket(self, config: AudioSocketConfig) -> Listener:
        name, known = "audiosocket", config.authenticated
        advice = "set expected or uuids"
        return Listener(name, "TCP", config.host, config.port, known, advice, name in self.open)

    def _rtp(self, config: RtpPortsConfig) -> list[Listener]:
        name, known, meant = "rtp", config.authenticated, "rtp" in self.open
        return [
            Listener(name, "UDP", config.host, port, known, "set expected", meant)
            for port in config.ports
        ]
