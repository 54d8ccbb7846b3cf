"""A party sends its call elsewhere (REFER, RFC 3515, 5589): we dial the target, and the leg moves.

The old session stays until the target has answered: a transfer that fails changes nothing. The
target is looked up before the REFER is answered, so that what counts is where the request would
really go.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from mediacore.errors import MediacoreError
from mediacore.slots.gateway import LineFailedError
from mediacore.transports.sip.desk import Desk, Target
from mediacore.wire.sdp import Negotiation, parse
from mediacore.wire.sip.signals import Accepted, Over, Progressed, ReferAsked, Signal
from mediacore.wire.sip.user_agent import OutgoingCall

if TYPE_CHECKING:
    from mediacore.transports.sip.line import SipLine

log = logging.getLogger("mediacore.transports.sip")


class Transfer:
    """One transfer of one line. `run` ends it, however it ends."""

    def __init__(self, desk: Desk, line: SipLine, asked: ReferAsked) -> None:
        self._desk = desk
        self._line = line
        self._asked = asked
        self._old = asked.call
        self._call = 0  # the session with the target, 0 = none yet
        self._reported = 100
        self._negotiation: Negotiation | None = None
        self._done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Look the target up, ask the policy, dial, and wait."""
        desk = self._desk
        status = 500
        try:
            async with asyncio.timeout(desk.config.refer_ms / 1000):
                target = await desk.target_of(self._asked.target, desk.ua.local_of(self._old))
                party_host = desk.ua.host_of(self._old)
                if not desk.may_refer(self._asked.target, target.flow.remote[0], party_host):
                    self._refused(603)
                    return
                desk.do(desk.ua.accept_refer(desk.now_ms(), self._old))
                self._dial(target)
                status = await self._done
        except TimeoutError:
            status = 408
        except LineFailedError:
            self._refused(404)
            return
        except MediacoreError as error:
            log.error("transfer failed", extra={"error": type(error).__name__})
        finally:
            self._close(status)

    def _refused(self, status: int) -> None:
        if not self._done.done():
            self._done.set_result(status)
            self._desk.do(self._desk.ua.refuse_refer(self._desk.now_ms(), self._old, status))

    def _dial(self, target: Target) -> None:
        headers = []
        if self._asked.referred_by:
            headers.append(("Referred-By", self._asked.referred_by))
        if self._asked.replaces:
            headers.append(("Replaces", self._asked.replaces))
            headers.append(("Require", "replaces"))
        self._negotiation = self._line.media.another()
        sdp = self._negotiation.offer().encode().encode()
        outgoing = OutgoingCall(
            target.uri,
            target.local,
            target.remote,
            sdp,
            target.flow,
            tuple(headers),
            target.digest,
        )
        self._call = self._desk.call_out(outgoing, self)

    def signal(self, signal: Signal) -> None:
        """Of the session with the target."""
        if self._done.done():
            return
        if isinstance(signal, Progressed):
            self._report(signal.status)
        elif isinstance(signal, Accepted):
            self._accepted(signal)
        elif isinstance(signal, Over):
            self._done.set_result(signal.status if signal.status >= 300 else 480)

    def _report(self, status: int) -> None:
        if status != self._reported:
            self._reported = status
            self._desk.do(self._desk.ua.report_refer(self._desk.now_ms(), self._old, status))

    def _accepted(self, accepted: Accepted) -> None:
        negotiation = self._negotiation
        assert negotiation is not None
        try:
            negotiation.accept(parse(accepted.sdp))
            self._line.media.adopt(negotiation)
        except MediacoreError:
            self._done.set_result(488)
            return
        desk = self._desk
        call, self._call = self._call, 0
        self._line.transferred(call)
        desk.do(desk.ua.report_refer(desk.now_ms(), self._old, 200, then_bye=True))
        self._done.set_result(200)

    def give_up(self) -> None:
        """The line ends."""
        if not self._done.done():
            self._done.set_result(487)

    def _close(self, status: int) -> None:
        """Whatever is not taken over ends."""
        if self._done.done():
            status = self._done.result()
        else:
            self._done.set_result(status)
        if status == 200:
            return
        desk, now = self._desk, self._desk.now_ms()
        if self._call:
            desk.do(desk.ua.hangup(now, self._call))
        desk.do(desk.ua.report_refer(now, self._old, max(status, 300)))
        self._line.not_transferred()
