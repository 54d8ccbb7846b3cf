"""A call that comes in: rings until the host answers or refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mediacore._core import Leg
from mediacore.errors import MediacoreError
from mediacore.slots.gateway import LineEnd, LineFailedError, Party
from mediacore.transports.sip.desk import Desk
from mediacore.transports.sip.line import SipLine
from mediacore.transports.sip.media import LineMedia
from mediacore.wire.sip.signals import Confirmed, Incoming, Signal


class InboundLine(SipLine):
    """Somebody calls."""

    def __init__(self, desk: Desk, party: Party, media: LineMedia, incoming: Incoming) -> None:
        super().__init__(desk, party, media)
        self.call = incoming.call
        self._confirmed: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._asked = False
        self._answer: bytes | None = None  # None: the INVITE had no offer

    def prepare(self, offer: bytes | None) -> None:
        """Agree on the media, or find out that there is nothing to agree on. Raises SdpError,
        ConfigError."""
        if offer is not None:
            self._answer = self.media.answer(offer)

    def ring(self) -> None:
        """Tell the caller that its call is being decided on. Raises MediacoreError when there is
        no room for early media."""
        desk = self.desk
        early = self._answer if desk.config.early_media else None
        if early is not None:
            self.media.open()
        desk.do(desk.ua.ring(desk.now_ms(), self.call, early))

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        """Answer. Returns once the caller knows."""
        if self._over.done():
            raise LineFailedError(self._over.result())
        if self._asked:
            raise LineFailedError(LineEnd.ERROR, "the line is answered already")
        self._asked = True
        try:
            return await self._connect()
        except LineFailedError:
            self._give_up(LineEnd.ERROR)
            raise
        except MediacoreError as error:
            self._give_up(LineEnd.ERROR)
            raise LineFailedError(LineEnd.ERROR, str(error)) from error
        except BaseException:
            self._give_up(LineEnd.CANCEL)
            raise

    def _give_up(self, reason: LineEnd) -> None:
        """Nobody takes the leg."""
        self.leave(reason)
        self.media.close()

    async def _connect(self) -> Leg:
        desk = self.desk
        ours = self._answer
        if ours is None:
            ours = self.media.offer()
        elif self.media.leg is None:
            self.media.open()
        desk.do(desk.ua.answer(desk.now_ms(), self.call, ours))
        waiting: list[asyncio.Future[Any]] = [self._over, self._confirmed]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not self._confirmed.done():
            raise LineFailedError(self._over.result())
        theirs = self._confirmed.result()
        if theirs is not None:
            if self._over.done():  # it hung up in the same breath
                raise LineFailedError(self._over.result())
            self.media.accept(theirs)
            self.media.open()
        leg = self.media.leg
        assert leg is not None
        self._connected = True
        return leg

    def _setting_up(self, signal: Signal) -> None:
        if isinstance(signal, Confirmed) and not self._confirmed.done():
            self._confirmed.set_result(signal.sdp)
            if signal.sdp is None:  # the leg is `connect`'s, also when the caller goes at once
                self._connected = True
