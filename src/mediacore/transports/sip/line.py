"""One line over SIP: what a call sees of a session, and the session's media.

The session tells signals, the line answers them at once; only `connect`, `refer` and `wait_gone`
wait. Whatever ends a wait early (a cancelled task, a deadline, the far side) leaves no session, no
leg and no socket behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from mediacore.call.record import TransportFacts
from mediacore.errors import MediacoreError
from mediacore.slots.gateway import LineEnd, LineFailedError, Party, Referral
from mediacore.transports.sip.desk import Desk
from mediacore.transports.sip.ends import end_of, reason_header, status_of
from mediacore.transports.sip.media import LineMedia
from mediacore.transports.sip.transfer import Transfer
from mediacore.wire.sdp import parse
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.signals import (
    Cause,
    DigitSent,
    Incoming,
    OfferAnswered,
    Offered,
    OfferRefused,
    OfferWanted,
    Over,
    ReferAsked,
    ReferProgressed,
    Signal,
)
from mediacore.wire.sip.uri import SipUri

log = logging.getLogger("mediacore.transports.sip")
_LAST_WORDS_S: Final = 0.15
"""What a phone's jitter buffer may hold when our last packet is out; its BYE drops that."""


class SipLine:
    """See FarLine and Referable."""

    def __init__(self, desk: Desk, party: Party, media: LineMedia) -> None:
        self.desk = desk
        self.media = media
        self.call = 0
        self.reason = ""
        """The far side's Reason header (RFC 3326) at the end, "" = none."""
        self._party = party
        self._over: asyncio.Future[LineEnd] = asyncio.get_running_loop().create_future()
        self._transfer: Transfer | None = None
        self._referral: asyncio.Future[Referral] | None = None
        self._response = 0
        self._connected = False
        self.on_over: Callable[[], None] = lambda: None

    # -- FarLine

    @property
    def party(self) -> Party:
        """Who it is."""
        return self._party

    @property
    def transport(self) -> TransportFacts:
        """How the media travels; valid once connected."""
        facts = self.media.facts
        if facts is None or not self._connected:
            raise LineFailedError(LineEnd.ERROR, "the line is not connected")
        return facts

    def far_delay_ms(self) -> int | None:
        """RTCP serves."""
        return None

    async def wait_gone(self) -> LineEnd:
        """See FarLine."""
        await asyncio.wait([self._over])
        return self._over.result()

    async def hangup(self, reason: LineEnd) -> None:
        """See FarLine; never waits for the far side, but lets it hear what was said last."""
        try:
            if reason is LineEnd.HANGUP and self._connected and not self._over.done():
                await asyncio.wait([self._over], timeout=_LAST_WORDS_S)
        finally:
            self.leave(reason)

    def leave(self, reason: LineEnd) -> None:
        """End the signalling; idempotent. Media of a line that is not connected goes too."""
        if self._over.done():
            return
        desk, ua, now = self.desk, self.desk.ua, self.desk.now_ms()
        if self._transfer is not None:
            self._transfer.give_up()
        self._end(reason)
        if not self._connected and self.party.direction == "inbound":
            desk.do(ua.refuse(now, self.call, status_of(reason)))
        desk.do(ua.hangup(now, self.call, reason_header(reason)))

    # -- Referable

    async def refer(self, to_uri: str, replaces: SipLine | None = None) -> Referral:
        """See Referable. replaces: a line of the same agent whose place it takes there."""
        try:
            target = SipUri.parse(to_uri).bare
        except SipError:
            raise LineFailedError(LineEnd.ERROR, "the address to refer to is not a URI") from None
        if self._referral is not None or self._over.done() or not self._connected:
            return Referral(491)
        if not self.desk.may_send(target):
            return Referral(603)
        self._response = 0
        self._referral = asyncio.get_running_loop().create_future()
        other = replaces.call if replaces is not None else None
        try:
            now = self.desk.now_ms()
            self.desk.do(self.desk.ua.refer(now, self.call, target, other))
            waiting: list[asyncio.Future[Any]] = [self._referral, self._over]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if self._referral.done():
                return self._referral.result()
            return Referral(self._response)  # the party went before it said more
        finally:
            self._referral = None

    # -- signals

    def signal(self, signal: Signal) -> None:
        """From the agent."""
        if isinstance(signal, Over):
            self._gone(signal)
        elif self._over.done():
            return
        elif isinstance(signal, Offered):
            self._offered(signal.sdp)
        elif isinstance(signal, OfferAnswered):
            self._guard(lambda: self.media.accept(signal.sdp))
        elif isinstance(signal, OfferRefused):
            self.media.abandon()
        elif isinstance(signal, OfferWanted):
            self._reoffer()
        elif isinstance(signal, DigitSent):
            self.media.push_digit(signal.digit, signal.duration_ms)
        elif isinstance(signal, ReferAsked):
            self._asked_to_refer(signal)
        elif isinstance(signal, ReferProgressed):
            self._refer_progressed(signal)
        else:
            self._setting_up(signal)

    def _setting_up(self, signal: Signal) -> None:
        """What only a line that is not connected gets."""

    def _offered(self, sdp: bytes | None) -> None:
        desk, now = self.desk, self.desk.now_ms()
        try:
            ours = self.media.offer() if sdp is None else self.media.answer(sdp)
            self.media.follow()
        except (MediacoreError, RuntimeError):
            desk.do(desk.ua.refuse_offer(now, self.call, 488))
            return
        desk.do(desk.ua.accept(now, self.call, ours))

    def _reoffer(self) -> None:
        try:
            ours = self.media.offer()
        except RuntimeError:
            return  # one is on its way, and refreshes too
        self.desk.do(self.desk.ua.reoffer(self.desk.now_ms(), self.call, ours))

    def _guard(self, step: Callable[[], None]) -> bool:
        """Do something that the far side's SDP may make impossible; then the line ends."""
        try:
            step()
        except MediacoreError as error:
            log.warning("media not agreed", extra={"error": type(error).__name__})
            self.leave(LineEnd.ERROR)
            return False
        return True

    # -- transfers

    def _asked_to_refer(self, asked: ReferAsked) -> None:
        desk, now = self.desk, self.desk.now_ms()
        if self._transfer is not None or not self._connected:
            desk.do(desk.ua.refuse_refer(now, self.call, 491))
            return
        self._transfer = Transfer(desk, self, asked)
        desk.spawn(self._transfer.run())

    def transferred(self, call: int) -> None:
        """The transfer came to be: `call` is our session from now on. Its own media was adopted."""
        self._transfer = None
        self.call = call
        self.desk.attach(call, self)

    def not_transferred(self) -> None:
        """The transfer failed; the call goes on, unless its party did not wait."""
        self._transfer = None
        if not self.desk.ua.is_up(self.call):
            self._end(LineEnd.HANGUP)

    def taken_over(self, incoming: Incoming) -> None:
        """A new INVITE takes the place of our session (RFC 3891)."""
        desk, now = self.desk, self.desk.now_ms()
        if not self._connected or self._transfer is not None or self._over.done():
            desk.do(desk.ua.refuse(now, incoming.call, 486))
            return
        if incoming.sdp is None:
            desk.do(desk.ua.refuse(now, incoming.call, 488))
            return
        try:
            negotiation = self.media.another()
            answer, _ = negotiation.answer(parse(incoming.sdp))
            self.media.adopt(negotiation)
        except MediacoreError:
            desk.do(desk.ua.refuse(now, incoming.call, 488))
            return
        old, self.call = self.call, incoming.call
        desk.attach(incoming.call, self)
        desk.do(desk.ua.answer(now, incoming.call, answer.encode().encode()))
        desk.do(desk.ua.replace(now, old))

    def _refer_progressed(self, signal: ReferProgressed) -> None:
        waiting = self._referral
        if waiting is None or waiting.done():
            return
        if not self._response:
            self._response = signal.status
            if signal.final:
                waiting.set_result(Referral(signal.status))
        elif signal.final:
            waiting.set_result(Referral(self._response, signal.status))

    # -- the end

    def _gone(self, over: Over) -> None:
        if over.call != self.call:
            return  # a session that was left for another
        self.reason = over.reason
        if self._transfer is not None and over.cause is Cause.BYE:
            return  # it does not wait for the target; we do
        if self._transfer is not None:
            self._transfer.give_up()
        self._end(end_of(over))

    def _end(self, reason: LineEnd) -> None:
        if self._over.done():
            return
        self._over.set_result(reason)
        if not self._connected:
            self.media.close()
        self.on_over()

    async def _first(self, *waiting: asyncio.Future[Any]) -> None:
        """Wait for one of these. Raises LineFailedError when the line ends instead."""
        await asyncio.wait([self._over, *waiting], return_when=asyncio.FIRST_COMPLETED)
        if self._over.done():
            raise LineFailedError(self._over.result())
