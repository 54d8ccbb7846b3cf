"""The media of one line: its ports, what was agreed, and the leg that follows it.

offer()/answer() bind the ports ─► accept()/answer() agree ─► open() makes the leg
re-offers, holds, transfers ─► the same leg is told by `retarget` and `direction`
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from mediacore._core import Engine, Leg
from mediacore.call.record import TransportFacts
from mediacore.errors import ConfigError, MediaError, QueueFullError, StaleError
from mediacore.media import LegConfig, RtcpMode
from mediacore.transports.rtp import BoundRtp, RtpTransport, bind_rtp
from mediacore.transports.sip.settings import SipConfig
from mediacore.wire.sdp import (
    SUITES,
    Agreed,
    Direction,
    Negotiation,
    Session,
    SrtpPolicy,
    Terms,
    make_keys,
    parse,
)

_SESSION_BITS: Final = 61
_STALE_DATAGRAMS: Final = 4096
_ALTERNATIVES: Final = {"PCMU": ("PCMA",), "PCMA": ("PCMU",)}
"""Codecs that a leg can change to: those of its own rate."""


class RtpPool:
    """Ports for RTP, even ones of a range in turn. host: numeric."""

    def __init__(self, config: SipConfig, seed: Callable[[], int]) -> None:
        self._config = config
        self._seed = seed
        self._next = 0

    def bind(self, leg: LegConfig) -> BoundRtp:
        """Open the sockets of one line. Raises ConfigError when no port is free."""
        config = self._config
        first, last = config.rtp_ports
        transport = RtpTransport(rtcp=config.rtcp, leg=leg)
        if not first:
            local = (config.media_host, 0)
            return bind_rtp(replace(transport, local=local), seed=self._seed())
        first += first % 2
        count = max(1, (last - first + 1) // 2)
        for _ in range(count):
            port = first + 2 * (self._next % count)
            self._next += 1
            with suppress(ConfigError):
                local = (config.media_host, port)
                return bind_rtp(replace(transport, local=local), seed=self._seed())
        raise ConfigError("every RTP port is in use")


@dataclass(frozen=True, slots=True)
class MediaKit:
    """What every line of an agent makes its media from. seed: new numbers. token_bytes: keys."""

    config: SipConfig
    engine: Engine
    leg: LegConfig
    pool: RtpPool
    seed: Callable[[], int]
    token_bytes: Callable[[int], bytes]


class LineMedia:
    """One line's. Methods that take SDP raise SdpError, those that bind ConfigError."""

    def __init__(self, kit: MediaKit, codecs: tuple[str, ...] = ()) -> None:
        self._kit = kit
        self._codecs = codecs or kit.config.codecs
        self._bound: BoundRtp | None = None
        self._taken = False  # the core has the sockets
        self._negotiation: Negotiation | None = None
        self._applied: Agreed | None = None
        self._remote: tuple[str, int] | None = None
        self.leg: Leg | None = None

    # -- before the leg

    def negotiation(self) -> Negotiation:
        """The current one; binds the ports when they are not."""
        if self._negotiation is None:
            if self._bound is None:
                self._bound = self._kit.pool.bind(self._kit.leg)
            self._negotiation = self.another()
        elif self.leg is not None:
            terms = self._negotiation.terms
            self._negotiation.terms = replace(terms, codecs=self.able())
        return self._negotiation

    def another(self) -> Negotiation:
        """A negotiation for another dialog on the same ports."""
        kit, bound = self._kit, self._bound
        assert bound is not None
        config = kit.config
        srtp = config.srtp
        terms = Terms(
            config.media_advertise or config.media_host,
            bound.local[1],
            codecs=self.able(),
            ptime_ms=config.ptime_ms,
            rtcp=config.rtcp,
            srtp=srtp,
            keys=() if srtp is SrtpPolicy.OFF else make_keys(SUITES, kit.token_bytes),
        )
        return Negotiation(terms, kit.seed() >> 2 & ((1 << _SESSION_BITS) - 1))

    def able(self) -> tuple[str, ...]:
        """Codecs that may be agreed on: all, or those the leg can change to."""
        if self._applied is None or self.leg is None:
            return self._codecs
        now = self._applied.codec
        return (now, *(codec for codec in _ALTERNATIVES.get(now, ()) if codec in self._codecs))

    def offer(self) -> bytes:
        """Ours, of what we can do now."""
        return _bytes(self.negotiation().offer(Direction.SENDRECV))

    def answer(self, offer: bytes) -> bytes:
        """Ours to theirs."""
        session, _ = self.negotiation().answer(parse(offer))
        return _bytes(session)

    def accept(self, answer: bytes) -> None:
        """Theirs to ours; the leg follows."""
        self.negotiation().accept(parse(answer))
        self.follow()

    def abandon(self) -> None:
        """Our offer was refused."""
        self.negotiation().abandon()

    # -- the leg

    def open(self) -> Leg:
        """The leg for what was agreed; it owns the sockets from now on. Raises MediacoreError."""
        agreed = self.negotiation().agreed
        bound = self._bound
        assert agreed is not None and bound is not None and self.leg is None
        config = replace(bound.config, latch=self._kit.config.latch, **_wire(agreed))
        others = tuple(c for c in _ALTERNATIVES.get(agreed.codec, ()) if c in self._codecs)
        config = replace(config, codecs=others, rtcp=agreed.rtcp, srate_hz=agreed.srate_hz)
        if agreed.rtcp is not RtcpMode.PAIR and config.rtcp_fd >= 0:
            os.close(config.rtcp_fd)
            config = replace(config, rtcp_fd=-1)
            self._bound = replace(bound, config=config)
        _forget_waiting(config.fd)
        self._taken = True  # even when it fails
        self.leg = self._kit.engine.open_leg(config)
        self._remote = agreed.remote
        self._applied = agreed
        if not (agreed.send and agreed.receive):
            self.leg.direction(agreed.send, agreed.receive)
        return self.leg

    def follow(self) -> None:
        """Tell the leg what was agreed anew; nothing without a leg, or when nothing changed."""
        agreed = self.negotiation().agreed
        before, leg = self._applied, self.leg
        if agreed is None or before is None or leg is None or leg.closed:
            return
        remote = agreed.remote or self._remote  # hold by 0.0.0.0 moves nothing
        if remote != self._remote or _coding(agreed) != _coding(before):
            leg.retarget(remote, **_target(agreed, before))
        if agreed.srtp is None and before.srtp is not None:
            leg.rekey(None)
        if (agreed.send, agreed.receive) != (before.send, before.receive):
            leg.direction(agreed.send, agreed.receive)
        self._remote = remote
        self._applied = agreed

    def adopt(self, negotiation: Negotiation) -> None:
        """Another dialog has the media from now on. Raises MediaError."""
        agreed = negotiation.agreed
        before, leg = self._applied, self.leg
        if agreed is not None and before is not None and leg is not None:
            leg.retarget(agreed.remote, **_target(agreed, before))
            if agreed.srtp is None and before.srtp is not None:
                leg.rekey(None)
            leg.direction(agreed.send, agreed.receive)
            self._remote = agreed.remote
            self._applied = agreed
        self._negotiation = negotiation  # only once the leg has followed

    def push_digit(self, digit: str, duration_ms: int) -> None:
        """A key that came by signalling."""
        if self.leg is not None and not self.leg.closed:
            with suppress(MediaError):
                self.leg.push_digit(digit, duration_ms)

    def close(self) -> None:
        """Give back what nobody has taken over: the leg, or the sockets. Idempotent."""
        if self.leg is not None:
            with suppress(QueueFullError, StaleError):
                self.leg.close()
            self.leg = None  # the engine frees it once nobody holds it
        elif self._bound is not None and not self._taken:
            self._bound.close()
        self._bound = None

    @property
    def facts(self) -> TransportFacts | None:
        """How the media travels; None before it does."""
        agreed, bound = self._applied, self._bound
        if agreed is None or bound is None:
            return None
        remote = f"{self._remote[0]}:{self._remote[1]}" if self._remote is not None else ""
        return TransportFacts(
            "sip",
            agreed.codec,
            agreed.payload_type,
            agreed.ptime_ms,
            f"{bound.local[0]}:{bound.local[1]}",
            remote,
        )


def _bytes(session: Session) -> bytes:
    return session.encode().encode()


def _wire(agreed: Agreed) -> dict[str, Any]:
    """Fields of LegConfig. The keys of SRTP only where there are some."""
    fields: dict[str, Any] = {
        "codec": agreed.codec,
        "payload_type": agreed.payload_type,
        "tx_payload_type": agreed.tx_payload_type,
        "event_payload_type": agreed.event_payload_type,
        "cn_payload_type": agreed.cn_payload_type,
        "ptime_ms": agreed.ptime_ms,
        "remote": agreed.remote,
    }
    if agreed.srtp is not None:
        fields["srtp"] = agreed.srtp
    return fields


def _target(agreed: Agreed, before: Agreed) -> dict[str, Any]:
    """Arguments of Leg.retarget beside the address."""
    fields = _wire(agreed)
    del fields["remote"]
    if agreed.codec == before.codec:
        del fields["codec"]
    if agreed.srtp == before.srtp:
        fields.pop("srtp", None)
    return fields


def _coding(agreed: Agreed) -> tuple[object, ...]:
    return (
        agreed.codec,
        agreed.payload_type,
        agreed.tx_payload_type,
        agreed.event_payload_type,
        agreed.cn_payload_type,
        agreed.ptime_ms,
        agreed.srtp,
    )


def _forget_waiting(fd: int) -> None:
    """Drop early media that nobody listened to, so that the call begins with what is said now."""
    for _ in range(_STALE_DATAGRAMS):
        try:
            os.read(fd, 2048)
        except OSError:
            return
