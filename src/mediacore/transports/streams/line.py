"""A call that came by a media stream, as the host sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from mediacore._core import Engine, Leg
from mediacore.call.record import TransportFacts
from mediacore.errors import MediacoreError
from mediacore.media import LegConfig, RtcpMode
from mediacore.slots.gateway import LineEnd, LineFailedError, Party
from mediacore.transports.pump import StreamPump
from mediacore.transports.streams.connection import StreamConnection
from mediacore.units import TICK_MS
from mediacore.wire.streams.marks import MarkBounds
from mediacore.wire.streams.model import MediaFormat, Opened

_MAX_LINGER_US: Final = 500_000
_RATED: Final = frozenset({"L16", "L16LE"})


@dataclass(frozen=True, slots=True)
class Media:
    """Where legs are opened. leg: the template."""

    engine: Engine
    pump: StreamPump
    leg: LegConfig
    seed: Callable[[], int]


class StreamLine:
    """FarLine of one stream. peer: address of the far side, for the record."""

    def __init__(
        self,
        connection: StreamConnection,
        opened: Opened,
        media: Media,
        *,
        ahead_ms: int,
        peer: str = "",
    ) -> None:
        traits = connection.dialect.traits
        self._connection = connection
        self._media = media
        self._format = opened.format
        # The core fills a message of several frames before it goes out: so much more is needed
        # ahead for the next one to be there in time.
        self._ahead_ms = ahead_ms + (traits.media.frames - 1) * TICK_MS
        self._least_ms = 0 if traits.poll_ms else self._ahead_ms
        self._leg: Leg | None = None
        self._party = Party(
            "phone", "inbound", opened.from_number, opened.to_number, opened.headers
        )
        self._facts = TransportFacts(
            traits.kind, opened.format.codec, remote=peer, accuracy=traits.accuracy
        )

    @property
    def party(self) -> Party:
        """See FarLine. headers: call_id, stream_id and what the customer gave along."""
        return self._party

    @property
    def transport(self) -> TransportFacts:
        """See FarLine."""
        return self._facts

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        """Answer."""
        connection = self._connection
        if connection.ended is not None:
            raise LineFailedError(LineEnd.CANCEL)
        if self._leg is not None:
            raise LineFailedError(LineEnd.ERROR, "the line is connected already")
        media = self._media
        config = stream_leg(media.leg, self._format, self._ahead_ms, media.seed())
        if connection.dialect.traits.digits:
            config = replace(config, detect_dtmf=False)
        try:
            leg = self._leg = media.engine.open_leg(config)
        except MediacoreError as error:
            connection.bye(LineEnd.ERROR)
            raise LineFailedError(LineEnd.ERROR, str(error)) from error
        connection.start(leg)
        media.pump.attach(leg, connection.drained, pull=connection.socket.drain)
        return leg

    async def hangup(self, reason: LineEnd) -> None:
        """See FarLine. What is on its way to the ear is let arrive, for half a second at most."""
        if self._leg is not None and reason is LineEnd.HANGUP:
            await self._linger()
        self.release()
        self._connection.bye(reason)

    async def wait_gone(self) -> LineEnd:
        """See FarLine."""
        reason = await self._connection.wait_end()
        if self._leg is None and reason is LineEnd.HANGUP:
            return LineEnd.CANCEL
        return reason

    def far_delay_ms(self) -> int | None:
        """See FarLine. Before a mark came back: what the far side was given ahead, which it is
        behind in any case."""
        measured_us = self._connection.far_delay_us
        if measured_us is None:
            return self._ahead_ms + self._connection.way_us // 1000
        return max(measured_us // 1000, self._least_ms)

    @property
    def bounds(self) -> MarkBounds:
        """Between which marks the far ear is."""
        return self._connection.book.bounds

    def release(self) -> None:
        """The connection is over, or about to be: the leg gets and gives nothing any more."""
        if self._leg is not None:
            self._media.pump.detach(self._leg)

    async def _linger(self) -> None:
        connection = self._connection
        since_us = connection.since_audio_us
        if connection.ended is not None or since_us is None:
            return
        left_us = (self.far_delay_ms() or 0) * 1000 - since_us
        if left_us > 0:
            await asyncio.sleep(min(left_us, _MAX_LINGER_US) / 1e6)


def stream_leg(template: LegConfig, form: MediaFormat, ahead_ms: int, seed: int) -> LegConfig:
    """The leg of a stream: encoded audio by push_media and pull_media."""
    return replace(
        template,
        codec=form.codec,
        srate_hz=form.srate_hz if form.codec in _RATED else 0,
        payload_type=None,
        event_payload_type=0,
        ptime_ms=TICK_MS,
        seed=seed,
        fd=-1,
        rtcp_fd=-1,
        remote=None,
        rtcp=RtcpMode.NONE,
        stream=True,
        ahead_ms=ahead_ms,
    )
