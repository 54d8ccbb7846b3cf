"""One browser that calls: a FarLine whose media is a memory link of the core.

offer ─► ringing ─► connect(): sockets, answer, ICE, DTLS ─► leg ─► gone
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from mediacore._core import Engine, Leg
from mediacore.call.live import LiveModel
from mediacore.call.record import TransportFacts
from mediacore.errors import MediacoreError, MediaError, QueueFullError
from mediacore.media import LegConfig, RtcpMode
from mediacore.slots.gateway import LineEnd, LineFailedError, Party
from mediacore.transports.webrtc.config import WebRtcConfig
from mediacore.transports.webrtc.link import Ears, MakeLink
from mediacore.transports.webrtc.offer import AgreedMedia, Offer, write_answer
from mediacore.transports.webrtc.pump import LinkPump, take
from mediacore.transports.webrtc.transcript import Transcript, encode

SESSION_HEADER: Final = "x-webrtc-session"
"""Header of the party by which `WebRtcServer.show` knows the call. Not a secret."""
HANG_UP: Final = "hangup"
"""Message of the page over the data channel."""
_CLOSE_S: Final = 1.5
_LAST_WORDS_S: Final = 0.15
"""What a browser's jitter buffer may hold when our last packet is out; closing drops that."""
_FROM: Final = "browser"


class WebRtcLine:
    """A browser's call from its offer on. One event loop.

    ref: names the call to the application. leg: template of the leg. headers: of the request,
    for the call's facts.
    """

    def __init__(
        self,
        ref: str,
        offer: Offer,
        agreed: AgreedMedia,
        config: WebRtcConfig,
        *,
        engine: Engine,
        leg: LegConfig,
        seed: int,
        pump: LinkPump,
        make_link: MakeLink,
        headers: Mapping[str, str],
    ) -> None:
        loop = asyncio.get_running_loop()
        self.ref = ref
        self._offer = offer
        self._agreed = agreed
        self._config = config
        self._engine = engine
        self._template = leg
        self._seed = seed
        self._pump = pump
        self._party = Party(
            "webrtc", "inbound", _FROM, config.to_number, {**headers, SESSION_HEADER: ref}
        )
        self._link = make_link(Ears(self._packet, self._text, self._left))
        self._push: Callable[[bytes], None] | None = None
        self._leg: Leg | None = None
        self._transcript = Transcript()
        self._closing: asyncio.Task[None] | None = None
        self.answer: asyncio.Future[str] = loop.create_future()
        """Our SDP, or LineFailedError."""
        self.over: asyncio.Future[LineEnd] = loop.create_future()
        """Why the call is over, once it is."""
        self.dropped = 0
        """Packets that came when the core had no room for them."""

    # -- FarLine

    @property
    def party(self) -> Party:
        """See FarLine."""
        return self._party

    @property
    def transport(self) -> TransportFacts:
        """See FarLine."""
        payload = self._agreed.payload
        return TransportFacts(
            "webrtc",
            payload.name,
            payload.type,
            local=self._link.local,
            remote=self._link.remote,
        )

    def far_delay_ms(self) -> int | None:
        """The browser's jitter buffer is not known to us; its RTCP reports serve."""
        return None

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        """Answer, and wait until media can flow."""
        if self.over.done():
            raise LineFailedError(self.over.result())
        connecting = asyncio.ensure_future(self._connect())
        try:
            waiting: set[asyncio.Future[object]] = {connecting, self.over}  # type: ignore[arg-type]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if self.over.done():
                raise LineFailedError(self.over.result())
            connecting.result()
            return self._open()
        except (TimeoutError, MediacoreError, OSError) as error:
            self.end(LineEnd.ERROR)
            if isinstance(error, LineFailedError):
                raise
            raise LineFailedError(LineEnd.ERROR, str(error) or "no connection in time") from error
        finally:
            connecting.cancel()
            with suppress(asyncio.CancelledError, TimeoutError, MediacoreError, OSError):
                await connecting

    async def _connect(self) -> None:
        agreed = self._agreed
        async with asyncio.timeout(self._config.connect_ms / 1000):
            local = await self._link.gather()
            if not self.answer.done():
                text = write_answer(self._offer, agreed, local, self._seed >> 1)
                self.answer.set_result(text)
            data = agreed.data
            await self._link.connect(agreed.tagged.peer, data.sctp_port if data else None)

    def _open(self) -> Leg:
        payload = self._agreed.payload
        leg = self._engine.open_leg(
            replace(
                self._template,
                codec=payload.name,
                srate_hz=self._config.srate_hz if payload.name.lower() == "opus" else 0,
                payload_type=payload.type,
                event_payload_type=self._agreed.event_payload_type,
                rtcp=RtcpMode.MUX,
                remote=None,
                fd=-1,
                rtcp_fd=-1,
                seed=self._seed,
            )
        )
        self._leg, self._push = leg, leg.push_packet
        self._pump.attach(leg, self._link.send)
        return leg

    async def hangup(self, reason: LineEnd) -> None:
        """See FarLine."""
        try:
            if reason is LineEnd.HANGUP and self.connected:
                await asyncio.wait([self.over], timeout=_LAST_WORDS_S)
        finally:
            first = not self.over.done()
            self.end(reason)
        if first:
            self._link.tell(encode({"t": "ended", "reason": reason.value}))
        await self._close()

    async def wait_gone(self) -> LineEnd:
        """See FarLine."""
        await asyncio.wait([self.over])
        return self.over.result()

    # -- the server

    def end(self, reason: LineEnd) -> None:
        """The call is over; idempotent, the first reason stays."""
        if self.over.done():
            return
        self.over.set_result(reason)
        if not self.answer.done():
            self.answer.set_exception(LineFailedError(reason))
            self.answer.exception()  # nobody has to ask
        leg, self._push = self._leg, None
        if leg is not None:
            self._pump.detach(leg)
            self._link.send(take(leg) or ())

    async def aclose(self) -> None:
        """End the call, should nobody else have done so, and close the connection."""
        await self.hangup(LineEnd.HANGUP)

    async def _close(self) -> None:
        """Once, for everybody who waits for it, and in bounded time."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._link.close())
        await asyncio.wait([self._closing], timeout=_CLOSE_S)
        if not self._closing.done():
            self._closing.cancel()
        elif not self._closing.cancelled():
            self._closing.exception()  # the connection is gone one way or the other

    def show(self, model: LiveModel) -> None:
        """Bring the page up to date."""
        if not self.over.done():
            self._transcript.update(model, self._link.tell)

    @property
    def received(self) -> int:
        """Packets that came so far; stands still when the browser is gone."""
        return self._link.received

    @property
    def connected(self) -> bool:
        """Media flows."""
        return self._leg is not None and not self.over.done()

    # -- the link

    def _packet(self, packet: bytes) -> None:
        push = self._push
        if push is None:
            return
        try:
            push(packet)
        except QueueFullError:
            self.dropped += 1
        except MediaError:  # closed by its own limit, or no packet at all
            self.dropped += 1

    def _text(self, text: str) -> None:
        if text == HANG_UP:
            self.end(LineEnd.HANGUP)

    def _left(self, reason: str) -> None:
        self.end(LineEnd.HANGUP if reason == "closed" else LineEnd.ERROR)
