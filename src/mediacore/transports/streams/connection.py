"""One stream connection: WebSocket messages to dialect events and back, marks, pings, its end.

bytes ─► MediaSocket ─► audio: straight into the leg
                     └► other messages ─► dialect ─► line
leg ─► pump ─► drained(): audio as it is, marks and flushes in the dialect's words ─► bytes
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from mediacore._core import Leg, MediaSocket
from mediacore.errors import MediacoreError
from mediacore.media import MediaOut, SocketIn
from mediacore.slots.gateway import LineEnd
from mediacore.transports.streams.config import StreamLimits
from mediacore.transports.streams.handshake import Wire
from mediacore.transports.streams.stats import Counters
from mediacore.units import TICK_MS
from mediacore.wire.streams.marks import MarkBook
from mediacore.wire.streams.model import (
    Backlog,
    Cleared,
    Dialect,
    DigitPressed,
    Ended,
    Held,
    Malformed,
    MarkPlayed,
    MediaCame,
    Opened,
    PeerError,
    Reply,
    StreamEvent,
)

log = logging.getLogger("mediacore.streams")
_QUIET_PINGS: Final = 3
_NORMAL: Final = 1000  # close codes of RFC 6455 §7.4.1
_UNSUPPORTED: Final = 1003
_POLICY: Final = 1008
_INTERNAL: Final = 1011
_PING: Final = b"mediacore"


class Owner(Protocol):
    """Who hears of a connection."""

    def opened(self, connection: StreamConnection, opened: Opened) -> None:
        """The far side named the call."""
        ...

    def over(self, connection: StreamConnection) -> None:
        """The connection is gone; once."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all connections share. clock_us: monotonic."""

    limits: StreamLimits
    counters: Counters
    clock_us: Callable[[], int]


class StreamConnection:
    """A Session of the handshake. Needs a running event loop; methods return at once."""

    def __init__(self, wire: Wire, dialect: Dialect, around: Surroundings, owner: Owner) -> None:
        loop = asyncio.get_running_loop()
        limits = around.limits
        self.dialect = dialect
        self.book = MarkBook()
        self.socket = MediaSocket(
            dialect.traits.media, max_text=limits.message_bytes, max_binary=limits.message_bytes
        )
        self._loop = loop
        self._wire = wire
        self._limits = limits
        self._count = around.counters.count
        self._clock_us = around.clock_us
        self._owner = owner
        self._leg: Leg | None = None
        self._opened = False
        self._bad = 0
        self._heard_from = True
        self._quiet = 0
        self._pinged_us = 0
        self._rtt_us: int | None = None
        self._sent_us: int | None = None
        self._polled_us = 0
        self._backlog_us: int | None = None
        self._lost = asyncio.Event()
        self._end: asyncio.Future[LineEnd] = loop.create_future()
        self._timer = loop.call_later(limits.start_ms / 1000, self._no_start)
        self._pinger = loop.call_later(limits.ping_ms / 1000, self._ping)

    # -- the connection

    def feed(self, data: bytes) -> None:
        """See Session."""
        self._heard_from = True
        try:
            for item in self.socket.feed(data):
                self._take(item)
        except Exception as error:
            log.error("stream failed", extra={"error": type(error).__name__})
            self._count("internal")
            self.fail(_INTERNAL, LineEnd.ERROR)
        self._bound_unsent()

    def lost(self) -> None:
        """See Session."""
        if self._lost.is_set():
            return
        self._lost.set()
        if not self.socket.closed and not self._end.done():
            self._count("cut_off")
        self._finish(LineEnd.HANGUP)
        self._timer.cancel()
        self._pinger.cancel()
        self._count("unknown_marks", self.book.unknown)
        self._count("early_media", self.socket.stats().unheard)
        self._owner.over(self)

    async def wait_over(self) -> None:
        """See Session."""
        await self._lost.wait()

    async def wait_end(self) -> LineEnd:
        """Wait until the stream is over for the call; why."""
        await asyncio.wait([self._end])
        return self._end.result()

    @property
    def ended(self) -> LineEnd | None:
        """Why it is over, None = it is not."""
        return self._end.result() if self._end.done() else None

    # -- what the line does

    def start(self, leg: Leg) -> None:
        """Carry the leg's audio from now on."""
        self._leg = leg
        self.socket.set_wrap(*self.dialect.wrap())
        self.socket.attach(leg)
        self._texts(self.dialect.answer())

    def drained(self, items: list[bytes | tuple[int, ...]]) -> None:
        """Put on the wire what the leg gave: a sink of the pump."""
        if self._end.done():
            return
        now_us = self._clock_us()
        parts: list[bytes] = []
        for item in items:
            if isinstance(item, bytes):
                self._sent_us = now_us
                parts.append(item)
                self._mark(parts, self.book.audio(now_us))
            elif item[0] == MediaOut.MARK:
                self._mark(parts, self.book.mark(item[1], item[2], now_us))
            elif item[0] == MediaOut.FLUSH:
                self.book.flush()
                self._sent_us = None
                parts.extend(map(self.socket.text, self.dialect.clear()))
            else:
                self.book.idle()
        if parts:
            self._poll(parts, now_us)
            self._wire.write(b"".join(parts))
            self._bound_unsent()

    @property
    def far_delay_us(self) -> int | None:
        """How far the far ear is behind what was put on the wire, by its own account or by
        mark echoes."""
        if self._backlog_us is not None:
            return self._backlog_us + self.way_us
        lag_us = self.book.lag_us
        if lag_us is None:
            return None
        # A mark waits for the rest of its message: half of it on the average.
        waits_us = (self.dialect.traits.media.frames - 1) * TICK_MS * 500
        return max(lag_us + waits_us - self.way_us, 0)

    @property
    def way_us(self) -> int:
        """One way of the network, half the round trip of a ping; 0 = not measured yet."""
        return (self._rtt_us or 0) // 2

    @property
    def since_audio_us(self) -> int | None:
        """Since audio went out last that was not flushed."""
        return None if self._sent_us is None else self._clock_us() - self._sent_us

    def bye(self, reason: LineEnd) -> None:
        """End the stream from our side; idempotent."""
        if self._end.done():
            return
        failed = reason is LineEnd.ERROR
        self._texts(self.dialect.bye(failed))
        self._finish(reason)
        if self.dialect.traits.close_by_peer and self._opened:
            self._timer.cancel()
            self._timer = self._loop.call_later(self._limits.linger_ms / 1000, self._shut, _NORMAL)
        else:
            self._shut(_NORMAL)

    def go_away(self, code: int) -> None:
        """The server stops."""
        if self._end.done():
            self._wire.abort()
            return
        self._texts(self.dialect.bye(failed=False))
        self.fail(code, LineEnd.HANGUP)

    def fail(self, code: int, reason: LineEnd, detail: str = "") -> None:
        """Close with an error. detail: static text."""
        self._finish(reason)
        self._shut(code, detail)

    # -- inside

    def _bound_unsent(self) -> None:
        """Give up a far side that does not read: its audio, or the answers to its pings."""
        if self._wire.unsent_bytes <= self._limits.unsent_bytes:
            return
        if self._end.done():
            self._wire.abort()
            return
        self._count("slow")
        self.fail(_POLICY, LineEnd.ERROR)

    def _take(self, item: tuple[object, ...]) -> None:
        kind, value = item[0], item[1]
        if kind == SocketIn.TEXT and isinstance(value, str):
            if not self._lost.is_set():
                for event in self.dialect.receive(value):
                    self._event(event)
        elif kind == SocketIn.SEND and isinstance(value, bytes):
            self._wire.write(value)
        elif kind == SocketIn.PONG:
            if value == _PING and self._pinged_us:
                self._rtt_us = self._clock_us() - self._pinged_us
                self._pinged_us = 0
        elif kind == SocketIn.BINARY:
            self._malformed("binary where text is due")
        elif kind == SocketIn.FAILED:
            self._count("protocol_errors")
            self._finish(LineEnd.ERROR)
            self._wire.close()
        elif kind == SocketIn.CLOSED:
            self._finish(LineEnd.HANGUP)
            self._wire.close()

    def _event(self, event: StreamEvent) -> None:
        match event:
            case Opened():
                self._open(event)
            case MediaCame(payload, seq):
                if self._leg is not None and not self._leg.closed:
                    self._leg.push_media(payload, seq)
            case MarkPlayed(name, cleared):
                self.book.echo(name, self._clock_us(), cleared=cleared)
            case DigitPressed(digit, duration_ms):
                self._push_digit(digit, duration_ms)
            case Backlog(ms):
                self._backlog_us = ms * 1000
            case Reply(text):
                self._texts((text,))
            case Ended():
                self._finish(LineEnd.HANGUP)
                self._shut(_NORMAL)
            case Held(on):
                if self._leg is not None and not self._leg.closed:
                    self._leg.direction(not on, not on)
            case PeerError(code):
                self._count("peer_errors")
                extra = {"dialect": self.dialect.traits.kind, "code": code[:32]}
                log.warning("stream peer reports an error", extra=extra)
            case Malformed(detail):
                self._malformed(detail)
            case Cleared():
                pass

    def _open(self, opened: Opened) -> None:
        if self._end.done():  # too late: the connection is about to close
            return
        self._opened = True
        self._timer.cancel()
        self._count("opened")
        self._owner.opened(self, opened)

    def _push_digit(self, digit: str, duration_ms: int) -> None:
        if self._leg is None or self._leg.closed:
            return
        try:
            self._leg.push_digit(digit, duration_ms)
        except MediacoreError:
            self._count("internal")

    def _malformed(self, detail: str) -> None:
        self._count("bad_messages")
        self._bad += 1
        if self._end.done():
            return
        if not self._opened:
            self._count("bad_start")
            self.fail(_UNSUPPORTED, LineEnd.ERROR, detail)
        elif self._bad >= self._limits.bad_messages:
            self._count("bad_stream")
            self.fail(_UNSUPPORTED, LineEnd.ERROR, detail)

    def _mark(self, parts: list[bytes], name: str | None) -> None:
        if name is not None and self.dialect.traits.marks:
            parts.extend(map(self.socket.text, self.dialect.mark(name)))

    def _poll(self, parts: list[bytes], now_us: int) -> None:
        every_ms = self.dialect.traits.poll_ms
        if every_ms and now_us - self._polled_us >= every_ms * 1000:
            self._polled_us = now_us
            parts.extend(map(self.socket.text, self.dialect.poll()))

    def _texts(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._wire.write(self.socket.text(text))

    def _finish(self, reason: LineEnd) -> None:
        """For the call it is over; the connection may go on for the farewell."""
        if not self._end.done():
            self._end.set_result(reason)
        self.socket.attach(None)
        self._leg = None

    def _shut(self, code: int, detail: str = "") -> None:
        """Close the WebSocket; the connection follows when the far side answers, or after a
        while."""
        self._wire.write(self.socket.close(code, detail))
        self._timer.cancel()
        self._pinger.cancel()
        self._timer = self._loop.call_later(self._limits.linger_ms / 1000, self._wire.abort)

    def _no_start(self) -> None:
        self._count("no_start")
        self.fail(_POLICY, LineEnd.ERROR, "no start message")

    def _ping(self) -> None:
        self._quiet = 0 if self._heard_from else self._quiet + 1
        if self._quiet >= _QUIET_PINGS:
            self._count("silent")
            self._finish(LineEnd.ERROR)
            self._wire.abort()
            return
        self._heard_from = False
        self._pinged_us = self._clock_us()
        self._wire.write(self.socket.ping(_PING))
        self._pinger = self._loop.call_later(self._limits.ping_ms / 1000, self._ping)
