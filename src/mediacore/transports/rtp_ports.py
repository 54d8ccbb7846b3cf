"""RTP without signalling: ports that each take one call after another.

For far sides that are told where to send by other means, like an external media channel of
Asterisk. A call begins with the first RTP on a port and ends when no more comes, for nothing else
says so. After a call that ended on our side its stream often goes on for a while: the port rests
until it has been silent, so that the rest of an old call is not taken for a new one.

    waiting ─ RTP, twice from one source ─► ringing ─ connect ─► busy ─ over ─► resting ─► waiting
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from mediacore import _core
from mediacore._core import Engine, Leg
from mediacore.call.record import TransportFacts
from mediacore.errors import ConfigError, MediacoreError, MediaError
from mediacore.media import LegConfig, RtcpMode
from mediacore.slots.gateway import FarLine, LineEnd, LineFailedError, Party
from mediacore.transports.networks import LOOPBACK, everybody, is_expected, parse_networks

log = logging.getLogger("mediacore.transports.rtp")
_HEADER: Final = struct.Struct("!BBHII")
_LOOK_S: Final = 0.5
_MAX_PACKET: Final = 2048
_MAX_READS: Final = 64
Source = tuple[str, int, int]
"""Host, port and SSRC."""


@dataclass(frozen=True, slots=True)
class RtpPortsConfig:
    """Ports on which RTP comes without signalling. Raises ConfigError when it cannot work.

    host: address of the ports. ports: each holds one call at a time; 0 = any. codec: what is
    spoken, "PCMU", "PCMA", "G722", "L16" or "opus". srate_hz: rate of the legs; 0 = the codec's
    own. payload_type: needed for codecs without a static one. event_payload_type: digits by
    RFC 4733; 0 = none. expected: addresses and networks that calls may come from. gone_ms:
    silence after which a call is over. quiet_ms: silence after a call before the next may begin.
    """

    host: str = "127.0.0.1"
    ports: tuple[int, ...] = ()
    codec: str = "PCMU"
    srate_hz: int = 0
    payload_type: int | None = None
    event_payload_type: int = 101
    expected: tuple[str, ...] = LOOPBACK
    gone_ms: int = 5_000
    quiet_ms: int = 2_000

    def __post_init__(self) -> None:
        if any(not 0 <= port <= 65535 for port in self.ports):
            raise ConfigError("ports must be 0 to 65535")
        if len(set(self.ports) - {0}) != len([port for port in self.ports if port]):
            raise ConfigError("a port is given twice")
        parse_networks(self.expected)
        for name in ("payload_type", "event_payload_type"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 127:
                raise ConfigError(f"{name} must be 0 to 127")
        if self.gone_ms <= 0 or self.quiet_ms <= 0:
            raise ConfigError("gone_ms and quiet_ms must be above 0")

    @property
    def authenticated(self) -> bool:
        """Whether not just anybody who reaches a port gets through."""
        return not everybody(parse_networks(self.expected))


@dataclass(frozen=True, slots=True)
class RtpPortsStats:
    """busy: ports with a call. calls: begun since the start. refused_draining: calls turned away.
    strangers: packets from addresses that are not expected. not_rtp: packets that are something
    else, or another payload type. leftovers: packets of calls that were over."""

    busy: int
    calls: int
    refused_draining: int
    strangers: int
    not_rtp: int
    leftovers: int


class RtpPorts:
    """Listens on the ports. on_incoming: called on the loop with each line. seed: a new number
    for each leg."""

    def __init__(
        self,
        config: RtpPortsConfig,
        engine: Engine,
        leg: LegConfig,
        *,
        on_incoming: Callable[[FarLine], None],
        seed: Callable[[], int],
    ) -> None:
        self.config = config
        self.engine = engine
        self.leg = leg
        self.seed = seed
        self.on_incoming = on_incoming
        self.counts = _Counts()
        self.draining = False
        self.payload_type = -1
        self._networks = parse_networks(config.expected)
        self._ports: list[_Port] = []

    async def start(self) -> None:
        """Bind the ports. Raises ConfigError."""
        config = self.config
        static = _core.Codec(config.codec, config.srate_hz).static_payload_type
        known = config.payload_type if config.payload_type is not None else static
        if known is None:
            raise ConfigError(f"payload_type is needed for {config.codec}")
        self.payload_type = known
        try:
            for port in config.ports:
                self._ports.append(_Port(self, port))
        except ConfigError:
            await self.aclose()
            raise

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where RTP may be sent."""
        return [port.address for port in self._ports]

    def drain(self) -> None:
        """No new calls from now on."""
        self.draining = True

    async def aclose(self) -> None:
        """End every call and give the ports back. Idempotent."""
        ports, self._ports = self._ports, []
        for port in ports:
            port.close()

    def snapshot(self) -> RtpPortsStats:
        """Counters."""
        counts = self.counts
        return RtpPortsStats(
            busy=sum(port.busy for port in self._ports),
            calls=counts.calls,
            refused_draining=counts.refused_draining,
            strangers=counts.strangers,
            not_rtp=counts.not_rtp,
            leftovers=counts.leftovers,
        )

    def expects(self, host: str) -> bool:
        """Whether calls may come from this numeric address."""
        return is_expected(host, self._networks)


@dataclass(slots=True)
class _Counts:
    calls: int = 0
    refused_draining: int = 0
    strangers: int = 0
    not_rtp: int = 0
    leftovers: int = 0


class _State(Enum):
    WAITING = "waiting"
    RINGING = "ringing"
    BUSY = "busy"
    RESTING = "resting"


class _Port:
    """One port. The leg of a call takes the socket over; after it the port is bound anew."""

    def __init__(self, owner: RtpPorts, port: int) -> None:
        self.address = (owner.config.host, port)
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None  # None: a leg has it
        self._state = _State.WAITING
        self._first: Source | None = None  # seen once
        self._heard_s = 0.0
        self._line: _Line | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._bind()

    @property
    def busy(self) -> bool:
        """Whether there is a call."""
        return self._state in (_State.RINGING, _State.BUSY)

    def close(self) -> None:
        """End the call, give the port back."""
        if self._line is not None:
            self._line.end(LineEnd.HANGUP)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _bind(self) -> None:
        """Raises ConfigError."""
        host, port = self.address
        try:
            fd, bound = _core.udp_open(host, port)
        except (MediaError, OverflowError) as error:
            raise ConfigError(f"cannot bind UDP {host}:{port}: {error}") from None
        self.address = (host, bound)
        self._socket = socket.socket(fileno=fd)
        self._loop.add_reader(fd, self._read)

    def open_leg(self, source: Source) -> Leg:
        """The leg of the call that rings. Raises MediacoreError."""
        owner, config = self._owner, self._owner.config
        assert self._socket is not None
        self._loop.remove_reader(self._socket.fileno())
        fd = self._socket.detach()
        self._socket = None
        leg_config = replace(
            owner.leg,
            codec=config.codec,
            srate_hz=config.srate_hz,
            payload_type=owner.payload_type,
            event_payload_type=config.event_payload_type,
            remote=source[:2],
            rtcp=RtcpMode.NONE,
            seed=owner.seed(),
            fd=fd,
        )
        try:
            leg = owner.engine.open_leg(leg_config)
        except MediacoreError:  # the core has closed the socket
            self._bind()
            raise
        self._state = _State.BUSY
        return leg

    def _read(self) -> None:
        for _ in range(_MAX_READS):
            if self._socket is None:
                return
            try:
                packet, address = self._socket.recvfrom(_MAX_PACKET)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # an ICMP error of an earlier packet
            self._take(packet, address)

    def _take(self, packet: bytes, address: tuple[str, int]) -> None:
        owner = self._owner
        if not owner.expects(address[0]):
            owner.counts.strangers += 1
            return
        ssrc = _ssrc(packet, owner.payload_type)
        if ssrc is None:
            owner.counts.not_rtp += 1
            return
        source = (address[0], address[1], ssrc)
        match self._state:
            case _State.WAITING if self._first == source:
                self._ring(source)
            case _State.WAITING:
                self._first = source
            case _State.RESTING:
                owner.counts.leftovers += 1
                self._heard_s = self._loop.time()
            case _ if self._line is not None and self._line.source == source:
                self._heard_s = self._loop.time()

    def _ring(self, source: Source) -> None:
        owner = self._owner
        self._first = None
        self._heard_s = self._loop.time()
        if owner.draining:
            owner.counts.refused_draining += 1
            self._state = _State.RESTING
        else:
            owner.counts.calls += 1
            self._state = _State.RINGING
            self._line = _Line(self, source, owner.config, owner.payload_type)
        self._timer = self._loop.call_later(_LOOK_S, self._look)
        if self._line is not None:
            owner.on_incoming(self._line)

    def _look(self) -> None:
        """Every half second while there is a call or the rest of one."""
        config, line, now_s = self._owner.config, self._line, self._loop.time()
        if line is not None:
            if line.received():
                self._heard_s = now_s
            if now_s - self._heard_s >= config.gone_ms / 1000:
                line.end(LineEnd.HANGUP if self._state is _State.BUSY else LineEnd.CANCEL)
            if line.over and line.leg_closed and self._bound():
                self._state, self._line, self._heard_s = _State.RESTING, None, now_s
        elif now_s - self._heard_s >= config.quiet_ms / 1000:
            self._state = _State.WAITING
            return
        self._timer = self._loop.call_later(_LOOK_S, self._look)

    def _bound(self) -> bool:
        """Whether the port is ours again; the core gives it back with the leg."""
        if self._socket is None:
            try:
                self._bind()
            except ConfigError:
                return False
        return True


class _Line:
    """See FarLine."""

    def __init__(
        self, port: _Port, source: Source, config: RtpPortsConfig, payload_type: int
    ) -> None:
        self._port = port
        self.source = source
        self._config = config
        self._payload_type = payload_type
        self._leg: Leg | None = None
        self._packets = 0
        self._gone: asyncio.Future[LineEnd] = asyncio.get_running_loop().create_future()

    @property
    def party(self) -> Party:
        """See FarLine: the addresses stand for the numbers."""
        host, port = self._port.address
        caller = f"{self.source[0]}:{self.source[1]}"
        return Party("phone", "inbound", caller, f"{host}:{port}", {"rtp_port": str(port)})

    @property
    def transport(self) -> TransportFacts:
        """See FarLine."""
        if self._leg is None:
            raise LineFailedError(LineEnd.ERROR, "the line is not connected")
        host, port = self._port.address
        return TransportFacts(
            "rtp",
            self._config.codec,
            self._payload_type,
            local=f"{host}:{port}",
            remote=f"{self.source[0]}:{self.source[1]}",
        )

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        """See FarLine."""
        if self._gone.done():
            raise LineFailedError(self._gone.result())
        if self._leg is not None:
            raise LineFailedError(LineEnd.ERROR, "the call is answered already")
        try:
            self._leg = leg = self._port.open_leg(self.source)
        except MediacoreError as error:
            self.end(LineEnd.ERROR)
            raise LineFailedError(LineEnd.ERROR, str(error)) from error
        return leg

    async def hangup(self, reason: LineEnd) -> None:
        """See FarLine. The far side is not told: it has to notice that nothing comes."""
        self.end(reason)

    async def wait_gone(self) -> LineEnd:
        """See FarLine."""
        await asyncio.wait([self._gone])
        return self._gone.result()

    def far_delay_ms(self) -> int | None:
        """See FarLine."""
        return None

    def end(self, reason: LineEnd) -> None:
        """Idempotent: the first reason stays."""
        if not self._gone.done():
            self._gone.set_result(reason)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._gone.done()

    @property
    def leg_closed(self) -> bool:
        """Whether the leg, if there was one, has let go of the socket."""
        return self._leg is None or self._leg.closed

    def received(self) -> bool:
        """Whether packets came since the last look."""
        if self._leg is None or self._leg.closed:
            return False
        packets = self._leg.stats().rx_packets
        changed = packets != self._packets
        self._packets = packets
        return changed


def _ssrc(packet: bytes, payload_type: int) -> int | None:
    """SSRC of an RTP packet (RFC 3550 §5.1) of this payload type, None = it is none."""
    if len(packet) < _HEADER.size:
        return None
    first, second, _, _, ssrc = _HEADER.unpack_from(packet)
    if first >> 6 != 2 or second & 0x7F != payload_type:
        return None
    return int(ssrc)
