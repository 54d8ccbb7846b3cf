"""A call of ours: dialled once, redirected as often as the settings allow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mediacore._core import Leg
from mediacore.errors import MediacoreError
from mediacore.slots.gateway import DialOut, LineEnd, LineFailedError, Party
from mediacore.transports.sip.desk import Desk
from mediacore.transports.sip.ends import end_of_status
from mediacore.transports.sip.identity import outgoing_headers
from mediacore.transports.sip.line import SipLine
from mediacore.transports.sip.media import LineMedia
from mediacore.wire.sip.signals import Accepted, Over, Progressed, Signal
from mediacore.wire.sip.user_agent import OutgoingCall


class OutboundLine(SipLine):
    """We call somebody."""

    def __init__(self, desk: Desk, destination: DialOut) -> None:
        party = Party(
            destination.kind,
            "outbound",
            destination.from_number,
            destination.to_number,
            destination.headers,
        )
        super().__init__(desk, party, LineMedia(desk.kit, destination.codecs))
        self._destination = destination
        self._accepted: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._redirected: asyncio.Future[str] | None = None
        self._ringing: Callable[[], None] | None = None
        self._dialled = False

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        """Dial."""
        if self._over.done():
            raise LineFailedError(self._over.result())
        if self._dialled:
            raise LineFailedError(LineEnd.ERROR, "the line is dialled already")
        self._dialled = True
        self._ringing = on_ringing
        try:
            async with asyncio.timeout(self._destination.timeout_ms / 1000):
                return await self._connect()
        except TimeoutError:
            self.leave(LineEnd.NO_ANSWER)
            raise LineFailedError(LineEnd.NO_ANSWER) from None
        except LineFailedError as error:
            self.leave(error.reason)
            raise
        except MediacoreError as error:
            self.leave(LineEnd.ERROR)
            raise LineFailedError(LineEnd.ERROR, str(error)) from error
        except BaseException:
            self.leave(LineEnd.CANCEL)
            raise

    async def _connect(self) -> Leg:
        desk = self.desk
        headers = outgoing_headers(self._destination.headers)
        target = await desk.target(self._destination)
        sdp = self.media.offer()
        for left in range(desk.config.redirects, -1, -1):
            outgoing = OutgoingCall(
                target.uri, target.local, target.remote, sdp, target.flow, headers, target.digest
            )
            moved: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self._redirected = moved if left else None
            self.call = desk.call_out(outgoing, self)
            await self._first(self._accepted, moved)
            if self._accepted.done():
                return self._answered()
            if not desk.may_send(moved.result()):
                raise LineFailedError(LineEnd.DECLINE, "redirected to where calls may not go")
            target = await desk.target_of(moved.result(), target.local)
        raise LineFailedError(end_of_status(302))

    def _answered(self) -> Leg:
        accepted = self._accepted.result()
        self.media.accept(accepted.sdp)
        leg = self.media.open()
        self._connected = True
        return leg

    def _setting_up(self, signal: Signal) -> None:
        if isinstance(signal, Progressed):
            ringing, self._ringing = self._ringing, None
            if ringing is not None:
                ringing()
        elif isinstance(signal, Accepted) and not self._accepted.done():
            self._accepted.set_result(signal)

    def _gone(self, over: Over) -> None:
        moved = self._redirected
        if over.call == self.call and over.contacts and moved is not None and not moved.done():
            moved.set_result(over.contacts[0])
            return
        super()._gone(over)
