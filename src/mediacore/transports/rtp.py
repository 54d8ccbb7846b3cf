"""RTP over UDP without signalling: both sides know, or learn, each other's address."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from mediacore import _core
from mediacore.errors import ConfigError, MediaError
from mediacore.media import LegConfig, RtcpMode

PAIR_ATTEMPTS = 32


@dataclass(frozen=True, slots=True)
class RtpTransport:
    """Where and how one leg speaks RTP.

    local: numeric (host, port) to bind, port 0 = any. remote: numeric (host, port), None = the
    first source that sends valid RTP. codec: "PCMU", "PCMA", "G722", "L16", "opus". srate_hz: rate
    of the leg, 0 = the codec's own. payload_type: None = the codec's static one; codecs without
    one need it. event_payload_type: RFC 4733 digits, 0 = none. ptime_ms: audio per sent packet.
    rtcp: where reports travel. leg: every other setting of the leg; its fields named here and its
    sockets are replaced.
    """

    local: tuple[str, int] = ("127.0.0.1", 0)
    remote: tuple[str, int] | None = None
    codec: str = "PCMU"
    srate_hz: int = 0
    payload_type: int | None = None
    event_payload_type: int = 101
    ptime_ms: int = 20
    rtcp: RtcpMode = RtcpMode.MUX
    leg: LegConfig = field(default_factory=LegConfig)


@dataclass(frozen=True, slots=True)
class BoundRtp:
    """Open sockets, ready for Engine.open_leg(bound.config), which takes them over.

    local: the address bound, with the real port. config: the leg's configuration.
    """

    local: tuple[str, int]
    config: LegConfig

    def close(self) -> None:
        """Close the sockets. Only when no leg was opened with them."""
        for fd in (self.config.fd, self.config.rtcp_fd):
            if fd >= 0:
                os.close(fd)


def bind_rtp(transport: RtpTransport, *, seed: int) -> BoundRtp:
    """Open the sockets and give the leg's configuration.

    seed: first sequence number, timestamp and SSRC; unpredictable in production (RFC 3550 §5.1).
    Raises ConfigError when the address cannot be bound.
    """
    host, port = transport.local
    try:
        if transport.rtcp is RtcpMode.PAIR:
            fd, rtcp_fd, bound_port = _open_pair(host, port)
        else:
            fd, bound_port = _core.udp_open(host, port)
            rtcp_fd = -1
    except (MediaError, OverflowError) as error:
        raise ConfigError(f"cannot bind UDP {host}:{port}: {error}") from None
    config = replace(
        transport.leg,
        codec=transport.codec,
        srate_hz=transport.srate_hz,
        payload_type=transport.payload_type,
        event_payload_type=transport.event_payload_type,
        ptime_ms=transport.ptime_ms,
        rtcp=transport.rtcp,
        remote=transport.remote,
        seed=seed,
        fd=fd,
        rtcp_fd=rtcp_fd,
    )
    return BoundRtp((host, bound_port), config)


def _open_pair(host: str, port: int) -> tuple[int, int, int]:
    """RTP on an even port, RTCP on the next (RFC 3550 §11). Returns (fd, rtcp_fd, port)."""
    if port % 2:
        raise ConfigError(f"RTP with RTCP on the next port needs an even port, not {port}")
    for attempt in range(PAIR_ATTEMPTS):
        fd, bound = _core.udp_open(host, port)
        try:
            if bound % 2 == 0:
                return fd, _core.udp_open(host, bound + 1)[0], bound
        except MediaError:
            if port or attempt == PAIR_ATTEMPTS - 1:
                os.close(fd)
                raise
        os.close(fd)
    raise ConfigError(f"no free pair of UDP ports on {host}")


def open_rtp(
    engine: _core.Engine, transport: RtpTransport, *, seed: int
) -> tuple[_core.Leg, tuple[str, int]]:
    """Bind and open the leg. Returns it and its local address."""
    bound = bind_rtp(transport, seed=seed)
    return engine.open_leg(bound.config), bound.local
