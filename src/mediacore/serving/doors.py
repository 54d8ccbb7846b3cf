"""The listeners of a configuration, made but not started. Imported when one is configured."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from mediacore import _core
from mediacore.policy.dialing import DialPolicy
from mediacore.runtime.state import RunState
from mediacore.serving.gateways import Media, Opened, Pages
from mediacore.serving.ways import Gateways
from mediacore.slots.gateway import Gateway
from mediacore.transports.asterisk.audiosocket import AudioSocketServer
from mediacore.transports.pump import StreamPump
from mediacore.transports.rtp_ports import RtpPorts
from mediacore.transports.sip.agent import SipAgent
from mediacore.transports.sip.settings import SipTrunk
from mediacore.transports.streams.server import StreamServer
from mediacore.transports.webrtc import SESSION_HEADER, WebRtcServer
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.uri import SipUri


class Doors:
    """Makes the listeners of a configuration. pages: what shows calls to browsers. dialer: what
    places calls through the network."""

    def __init__(self, config: Gateways, media: Media) -> None:
        self._config = config
        self._media = media
        self.pump = StreamPump(media.engine)
        self.pages: Pages | None = None
        self.dialer: Gateway | None = None
        self.all = self._doors()

    def _doors(self) -> list[Opened]:
        config = self._config
        found: list[Opened] = []
        if config.sip is not None:
            found.append(self._sip(config))
        if config.streams is not None:
            found.append(self._streams(config))
        if config.audiosocket is not None:
            found.append(self._audiosocket(config))
        if config.rtp is not None:
            found.append(self._rtp(config))
        if config.webrtc is not None:
            found.append(self._webrtc(config))
        return found

    def _sip(self, config: Gateways) -> Opened:
        assert config.sip is not None
        media = self._media
        agent = SipAgent(
            config.sip,
            media.engine,
            media.leg,
            on_incoming=media.on_incoming,
            seed=_seed,
            allow_refer=refer_judge(config.dialing, config.sip.trunk),
        )
        self.dialer = agent

        def tell() -> list[str]:
            return [
                f"sip: {transport} {_host_port((host, port))}"
                for transport, host, port in agent.addresses
            ]

        return Opened("sip", agent, tell)

    def _streams(self, config: Gateways) -> Opened:
        assert config.streams is not None
        settings = config.streams.config()
        media = self._media
        server = StreamServer(
            settings,
            media.engine,
            media.leg,
            self.pump,
            on_incoming=media.on_incoming,
            seed=_seed,
            clock=_core.now_us,
        )
        scheme = "ws" if settings.tls_cert is None else "wss"

        def tell() -> list[str]:
            base = f"{scheme}://{_host_port(server.address)}"
            return [f"streams: {base}{each.route} ({each.dialect})" for each in settings.endpoints]

        return Opened("streams", server, tell)

    def _audiosocket(self, config: Gateways) -> Opened:
        assert config.audiosocket is not None
        media = self._media
        server = AudioSocketServer(
            config.audiosocket,
            media.engine,
            media.leg,
            pump=self.pump,
            on_incoming=media.on_incoming,
            seed=_seed,
            clock_us=_core.now_us,
        )
        return Opened("audiosocket", server, lambda: [f"audiosocket: {_host_port(server.address)}"])

    def _rtp(self, config: Gateways) -> Opened:
        assert config.rtp is not None
        media = self._media
        ports = RtpPorts(
            config.rtp, media.engine, media.leg, on_incoming=media.on_incoming, seed=_seed
        )
        codec = config.rtp.codec

        def tell() -> list[str]:
            return [f"rtp: {_host_port(address)} ({codec})" for address in ports.addresses]

        return Opened("rtp", ports, tell)

    def _webrtc(self, config: Gateways) -> Opened:
        assert config.webrtc is not None
        media = self._media
        server = WebRtcServer(
            config.webrtc,
            media.engine,
            media.leg,
            on_incoming=media.on_incoming,
            seed=_seed,
        )
        self.pages = Pages(_page_of, server.show)
        given = bool(config.webrtc.token)  # who chose the secret knows it

        def tell() -> list[str]:
            return [f"webrtc: {server.url.partition('#')[0] if given else server.url}"]

        return Opened("webrtc", server, tell)


def refer_judge(policy: DialPolicy, trunk: SipTrunk | None) -> Callable[[str], bool]:
    """Whether a party may be transferred to a URI: a call on our account, so the dial policy says.
    Through the trunk it is a call to a number, as one of our own would be."""

    def allowed(uri: str) -> bool:
        try:
            parsed = SipUri.parse(uri)
        except SipError:
            return False
        if trunk is not None and parsed.host == trunk.host.lower():
            return policy.refusal(parsed.user) is None
        return policy.refusal(uri) is None

    return allowed


def _page_of(state: RunState) -> str:
    """Which page a call belongs to, "" = none."""
    line = state.lines.get(state.main)
    return "" if line is None else line.headers.get(SESSION_HEADER, "")


def _seed() -> int:
    return secrets.randbits(62)


def _host_port(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
