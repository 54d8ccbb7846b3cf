"""One AudioSocket connection: bytes to messages to a leg, and back. It is the FarLine."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import socket
import struct
import termios
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol
from uuid import UUID

from mediacore._core import Leg, Resampler
from mediacore.call.record import Accuracy, TransportFacts
from mediacore.errors import MediacoreError, MediaError
from mediacore.media import LegConfig, MediaOut
from mediacore.slots.gateway import LineEnd, LineFailedError, Party
from mediacore.units import TICK_MS
from mediacore.wire import audiosocket as wire

log = logging.getLogger("mediacore.transports.audiosocket")
LEG_RATES: Final = (8000, 16000, 24000, 48000)
_RESAMPLE_TO: Final = (16000, 48000, 24000, 8000)
_SEND_BUFFER: Final = 16_384
_LINGER_S: Final = 2.0
_LAST_WORDS_S: Final = 0.15
_NO_ID: Final = UUID(int=0)


class Pump(Protocol):
    """What takes the audio out of stream legs."""

    def attach(self, leg: Leg, sink: Callable[[list[Any]], None]) -> None:
        """Call `sink` with what the leg puts out."""
        ...

    def detach(self, leg: Leg) -> None:
        """No more; idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """See AudioSocketConfig."""

    srate_hz: int
    identify_ms: int
    first_audio_ms: int
    idle_ms: int
    backlog_ms: int


@dataclass(slots=True)
class Counters:
    """See AudioSocketStats."""

    calls: int = 0
    refused_address: int = 0
    refused_full: int = 0
    refused_id: int = 0
    refused_draining: int = 0
    broken: int = 0
    malformed: int = 0
    unknown: int = 0
    wrong_rate: int = 0
    peer_errors: int = 0
    unheard_us: int = 0
    dropped_us: int = 0
    idle: int = 0


class Connection(asyncio.Protocol):
    """A call from Asterisk, from the connection to its end."""

    def __init__(
        self,
        limits: ConnectionLimits,
        counters: Counters,
        *,
        allow: Callable[[Connection, str], bool],
        admit: Callable[[Connection], bool],
        identified: Callable[[Connection], None],
        over: Callable[[Connection], None],
        open_leg: Callable[[LegConfig], Leg],
        leg: LegConfig,
        pump: Pump,
        seed: Callable[[], int],
    ) -> None:
        loop = asyncio.get_running_loop()
        self._limits = limits
        self._counters = counters
        self._allow = allow
        self._admit = admit
        self._identified = identified
        self._on_over = over
        self._open_leg = open_leg
        self._config = leg
        self._pump = pump
        self._seed = seed
        self._loop = loop
        self._reader = wire.AudioSocketReader()
        self._transport: asyncio.Transport | None = None
        self._rate: asyncio.Future[int] = loop.create_future()
        self._over: asyncio.Future[LineEnd] = loop.create_future()
        self._lost = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._received_s = loop.time()
        self._srate_hz = limits.srate_hz  # on the wire
        self._leg: Leg | None = None
        self._into: Resampler | None = None
        self._out_of: Resampler | None = None
        self._facts: TransportFacts | None = None
        self._addresses = ("", "")
        self.uuid = _NO_ID
        self.headers: Mapping[str, str] = {}

    # -- FarLine

    @property
    def party(self) -> Party:
        """See FarLine. The id is the number that was called, unless the headers say more."""
        headers = {**self.headers, "audiosocket_uuid": str(self.uuid)}
        caller, called = headers.get("from", ""), headers.get("to", str(self.uuid))
        return Party("phone", "inbound", caller, called, headers)

    @property
    def transport(self) -> TransportFacts:
        """See FarLine."""
        if self._facts is None:
            raise LineFailedError(LineEnd.ERROR, "the line is not connected")
        return self._facts

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        """Open the leg at the rate of the first audio. Asterisk has answered already, or does so
        by its dialplan."""
        waiting: list[asyncio.Future[Any]] = [self._rate, self._over]
        await asyncio.wait(
            waiting,
            timeout=self._limits.first_audio_ms / 1000,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if self._over.done():
            raise LineFailedError(self._over.result())
        if self._facts is not None:
            raise LineFailedError(LineEnd.ERROR, "the call is answered already")
        if not self._rate.done():
            self._rate.set_result(self._srate_hz)
        try:
            leg = self._open(self._rate.result())
        except MediacoreError as error:
            self.end(LineEnd.ERROR)
            raise LineFailedError(LineEnd.ERROR, str(error)) from error
        self._counters.calls += 1
        return leg

    async def hangup(self, reason: LineEnd) -> None:
        """See FarLine. What was said last is let pass the jitter buffer of Asterisk's caller."""
        try:
            if reason is LineEnd.HANGUP and self._leg is not None:
                await asyncio.wait([self._over], timeout=_LAST_WORDS_S)
        finally:
            self.end(reason)

    async def wait_gone(self) -> LineEnd:
        """See FarLine."""
        await asyncio.wait([self._over])
        return self._over.result()

    def far_delay_ms(self) -> int | None:
        """What the far side has not acknowledged, and one frame: Asterisk passes on at once."""
        if self._transport is None or self._facts is None:
            return None
        waiting = self._transport.get_write_buffer_size() + _unacknowledged(self._transport)
        return waiting * 1000 // (2 * self._srate_hz) + TICK_MS

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername") or ("", 0)
        own = transport.get_extra_info("sockname") or ("", 0)
        self._addresses = (f"{own[0]}:{own[1]}", f"{peer[0]}:{peer[1]}")
        if not self._allow(self, str(peer[0])):
            transport.abort()
            return
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._timer = self._loop.call_later(self._limits.identify_ms / 1000, self._unidentified)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._received_s = self._loop.time()
        before = self._reader.snapshot()
        try:
            messages = self._reader.feed(data)
        except wire.AudioSocketError:
            self._counters.broken += 1
            self.abort()
            return
        after = self._reader.snapshot()
        self._counters.malformed += after.malformed - before.malformed
        self._counters.unknown += after.unknown - before.unknown
        for message in messages:
            if self._over.done():
                return
            self._take(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._lost.set()
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self.end(LineEnd.HANGUP if exc is None else LineEnd.ERROR)
        self._on_over(self)

    # -- the end

    def end(self, reason: LineEnd) -> None:
        """Tell the far side and close; the first reason stays."""
        if self._over.done():
            return
        self._over.set_result(reason)
        if self._timer is not None:
            self._timer.cancel()
        if self._leg is not None:
            self._pump.detach(self._leg)
            self._leg = None
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.write(wire.hangup())
            transport.close()
            # A peer that does not read would keep the connection for ever.
            self._timer = self._loop.call_later(_LINGER_S, transport.abort)

    async def shut(self) -> None:
        """End, and wait until the connection is gone."""
        self.end(LineEnd.HANGUP)
        await self._lost.wait()

    def abort(self) -> None:
        """Drop the connection."""
        self.end(LineEnd.ERROR)
        if self._transport is not None:
            self._transport.abort()

    def _unidentified(self) -> None:
        self._counters.refused_id += 1
        self.abort()

    def _watch(self) -> None:
        """Runs every `idle_ms`, and ends what has been silent since."""
        idle_s = self._limits.idle_ms / 1000
        left_s = self._received_s + idle_s - self._loop.time()
        if left_s <= 0:
            self._counters.idle += 1
            self.abort()
            return
        self._timer = self._loop.call_later(left_s, self._watch)

    # -- messages

    def _take(self, message: wire.Message) -> None:
        match message:
            case wire.Audio(rate, payload):
                self._heard(rate, payload)
            case wire.Identified(uuid):
                self._identify(uuid)
            case wire.DigitPressed(digit):
                if self._leg is not None:
                    with suppress(MediacoreError):  # closed under our hands, or too many
                        self._leg.push_digit(digit)
            case wire.HungUp():
                self.end(LineEnd.HANGUP)
            case wire.PeerError():
                self._counters.peer_errors += 1

    def _identify(self, uuid: UUID) -> None:
        self.uuid = uuid
        if self._timer is not None:
            self._timer.cancel()
        if not self._admit(self):
            self.end(LineEnd.DECLINE)
            return
        if self._limits.idle_ms:
            self._timer = self._loop.call_later(self._limits.idle_ms / 1000, self._watch)
        self._identified(self)

    def _heard(self, rate: int, payload: bytes) -> None:
        if not self._rate.done():
            self._rate.set_result(rate)
        if rate != self._rate.result():
            self._counters.wrong_rate += 1
            return
        leg = self._leg
        if leg is None:
            self._counters.unheard_us += _us(len(payload), rate)
            return
        pcm = payload if self._into is None else self._into.run(payload)
        try:
            dropped = leg.push_media(pcm)
        except MediacoreError:  # closed under our hands
            dropped = len(pcm)
        self._counters.unheard_us += _us(dropped, leg.srate_hz)

    def _open(self, rate: int) -> Leg:
        srate_hz = rate
        if rate not in LEG_RATES:
            srate_hz, self._into, self._out_of = _resamplers(rate)
        config = replace(
            self._config,
            codec="L16LE",
            srate_hz=srate_hz,
            stream=True,
            stream_always=True,
            ahead_ms=0,
            seed=self._seed(),
        )
        self._srate_hz = rate
        self._leg = leg = self._open_leg(config)
        local, remote = self._addresses
        self._facts = TransportFacts(
            "audiosocket", "L16", local=local, remote=remote, accuracy=Accuracy.EXACT
        )
        self._pump.attach(leg, self._send)
        return leg

    def _send(self, items: list[Any]) -> None:
        """What the leg puts out: its audio, one frame per tick."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        pcm = b"".join(item[1] for item in items if item[0] == MediaOut.AUDIO)
        if not pcm:
            return
        if self._out_of is not None:
            pcm = self._out_of.run(pcm)
        waiting_ms = transport.get_write_buffer_size() * 1000 // (2 * self._srate_hz)
        if waiting_ms > self._limits.backlog_ms:
            self._counters.dropped_us += _us(len(pcm), self._srate_hz)
            return
        transport.write(wire.audio(self._srate_hz, pcm))


def _us(n_bytes: int, srate_hz: int) -> int:
    return n_bytes * 500_000 // srate_hz


def _resamplers(rate: int) -> tuple[int, Resampler, Resampler]:
    """A rate that legs have, and the ways there and back. Raises MediaError."""
    for srate_hz in _RESAMPLE_TO:
        try:
            return srate_hz, Resampler(rate, srate_hz), Resampler(srate_hz, rate)
        except MediaError:
            continue
    raise MediaError(f"audio at {rate} Hz cannot be resampled for a leg", -1)


def _unacknowledged(transport: asyncio.Transport) -> int:
    """Bytes that the system sent or holds and the far side has not confirmed (SIOCOUTQ)."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return 0
    try:
        held = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0
    return int(struct.unpack("i", held)[0])
