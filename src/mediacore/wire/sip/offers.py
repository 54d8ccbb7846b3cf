"""Offers inside a running session: re-INVITE and UPDATE, both ways. RFC 3261 §14, RFC 3311."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mediacore.wire.sip.message import Request, Response, make_response
from mediacore.wire.sip.outputs import Output
from mediacore.wire.sip.resend import Due, Resend
from mediacore.wire.sip.signals import (
    Cause,
    OfferAnswered,
    Offered,
    OfferRefused,
    OfferWanted,
)
from mediacore.wire.sip.stack import SDP, Answer, Asking, sdp_of

if TYPE_CHECKING:
    from mediacore.wire.sip.session import Session

_OWNER_MS: Final = (2100, 4000)  # §14.1: who owns the Call-ID waits longer
_OTHER_MS: Final = (0, 2000)
_MAX_GLARES: Final = 8
_LONGEST_MS: Final = 32_000  # for a final answer to a re-INVITE: nobody has to decide anything


@dataclass(slots=True)
class _Asked:
    """The peer's offer, or its wish for one."""

    tx: int
    request: Request
    wants_offer: bool


@dataclass(slots=True)
class _Unacked:
    """Our 2xx to a re-INVITE. wants_answer: the ACK must carry the answer."""

    tx: int
    cseq: int
    response: Response
    resend: Resend
    wants_answer: bool


class Offers:
    """One offer at a time, in either direction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stack = session.stack
        self._asked: _Asked | None = None
        self._unacked: _Unacked | None = None
        self._out: Asking | None = None
        self._out_sdp = b""
        self._waiting: bytes | None = None  # to be offered when it is our turn
        self._glares = 0
        self._acks: dict[int, list[Output]] = {}

    @property
    def _owed(self) -> bool:
        """Whether the peer still owes an answer to an offer in a 2xx of ours."""
        return self._unacked is not None and self._unacked.wants_answer

    # -- the peer offers

    def asked(self, tx: int, request: Request) -> None:
        """A re-INVITE or UPDATE in order; its answer follows when the host has decided."""
        sdp = sdp_of(request)
        session = self._session
        invite = request.method == "INVITE"
        if session.clock.too_small(request):
            self._stack.reply(tx, request, 422, [session.clock.min_se])
        elif not invite and sdp is None:
            self._refreshed(tx, request)
        elif self._out is not None:
            self._stack.reply(tx, request, 491)
        elif self._too_early(invite):
            self._stack.reply(tx, request, 500, [self._stack.retry_after()])
        else:
            self._asked = _Asked(tx, request, wants_offer=sdp is None)
            self._stack.emit(Offered(session.call, sdp))

    def _too_early(self, invite: bool) -> bool:
        """Whether something of the peer's is still open (§14.2, RFC 3311 §5.2)."""
        session = self._session
        if self._asked is not None or self._owed:
            return True
        return not (session.is_up if invite else session.settled)

    def _refreshed(self, tx: int, request: Request) -> None:
        """UPDATE without an offer: the session goes on."""
        session = self._session
        session.refreshed(request)
        self._stack.reply(tx, request, 200, session.headers() + session.clock.taken(request))
        session.watch()

    def accept(self, sdp: bytes) -> None:
        """The answer, or the offer that was wanted."""
        asked, self._asked = self._asked, None
        if asked is None:
            return
        session = self._session
        session.refreshed(asked.request)
        headers = session.headers()
        if asked.request.method != "PRACK":
            headers += session.clock.taken(asked.request)
        response = make_response(asked.request, 200, headers=headers, body=sdp, content_type=SDP)
        self._stack.respond(asked.tx, response)
        session.watch()
        if asked.request.method == "INVITE":
            number = asked.request.cseq.number
            resend = self._stack.resend()
            self._unacked = _Unacked(asked.tx, number, response, resend, asked.wants_offer)
            self._repeat(self._unacked)
        else:
            self._next()

    def refuse(self, status: int) -> None:
        """Not acceptable; what was agreed before holds."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self._stack.reply(asked.tx, asked.request, status)
            self._next()

    def cancelled(self, tx: int) -> None:
        """CANCEL of a re-INVITE that waits for the host."""
        if self._asked is not None and self._asked.tx == tx:
            self.refuse(487)

    def acked(self, request: Request) -> None:
        """The ACK of a re-INVITE's 2xx; repetitions change nothing."""
        unacked = self._unacked
        if unacked is None or request.cseq.number != unacked.cseq:
            return
        self._unacked = None
        self._stack.timers.drop((self._session.call, "re2xx"))
        sdp = sdp_of(request)
        if unacked.wants_answer:
            if sdp is None:
                self._session.end(Cause.NO_ANSWER_SDP)
                return
            self._stack.emit(OfferAnswered(self._session.call, sdp))
        self._next()

    def _repeat(self, unacked: _Unacked) -> None:
        def due() -> None:
            verdict = unacked.resend.due(self._stack.now_ms)
            if verdict is Due.OVER:
                self._session.end(Cause.SILENT)
                return
            if verdict is Due.SEND:
                self._stack.respond(unacked.tx, unacked.response)
            self._repeat(unacked)

        delay = max(0, unacked.resend.next_ms - self._stack.now_ms)
        self._stack.after(self._session.call, "re2xx", delay, due)

    # -- we offer

    def offer(self, sdp: bytes) -> None:
        """Send a re-INVITE as soon as nothing else is open; the latest offer wins."""
        self._waiting = sdp
        self._next()

    def refresh(self) -> None:
        """Keep the session alive (RFC 4028 §7.4): UPDATE where the peer knows it."""
        if self._out is not None or self._asked is not None:
            return  # any of these refreshes too
        if "UPDATE" in self._session.peer_allows:
            self._ask("UPDATE", b"")
        else:
            self._stack.emit(OfferWanted(self._session.call))

    def _next(self) -> None:
        free = self._out is None and self._asked is None and self._unacked is None
        if self._waiting is None or not free or not self._session.is_up:
            return
        if self._stack.timers.has((self._session.call, "glare")):
            return
        sdp, self._waiting = self._waiting, None
        self._ask("INVITE", sdp)

    def _ask(self, method: str, sdp: bytes) -> None:
        session = self._session
        dialog = session.dialog
        assert dialog is not None
        self._out_sdp = sdp
        headers = session.headers() + session.clock.ask()
        request = dialog.request(method, headers, sdp, SDP)
        self._out = session.ask(request, self._answered)
        if self._out is None:
            session.end(Cause.LOST)
        elif method == "INVITE":
            self._stack.after(session.call, "offer", _LONGEST_MS, self.stop)

    def stop(self) -> None:
        """Do not wait for an answer any more; a 2xx that comes after all is still acknowledged."""
        if self._out is not None and self._out.request.method == "INVITE":
            self._stack.cancel(self._out)

    def _answered(self, answer: Answer) -> None:
        out = self._out
        if not answer.final or (out is None and not answer.good):
            return
        if answer.good and answer.response is not None:
            self._taken(answer, answer.response)
            return
        self._out = None
        self._failed(answer, out)
        self._next()

    def _taken(self, answer: Answer, response: Response) -> None:
        session = self._session
        invite = response.cseq.method == "INVITE"
        if invite and self._ack(response):
            return
        asked, self._out = self._out, None
        self._glares = 0
        if asked is None or session.over:
            return
        assert session.dialog is not None
        session.dialog.retarget(response)
        session.clock.answered(response)
        session.watch()
        sdp = sdp_of(response)
        if sdp is not None and self._out_sdp:
            self._stack.emit(OfferAnswered(session.call, sdp))
        elif self._out_sdp:
            session.end(Cause.NO_ANSWER_SDP)
        self._next()

    def _ack(self, response: Response) -> bool:
        """Acknowledge the 2xx of a re-INVITE; True when it was a repetition."""
        number = response.cseq.number
        known = self._acks.get(number)
        if known is not None:
            self._stack.again(known)
            return True
        dialog = self._session.dialog
        assert dialog is not None
        request = dialog.request("ACK", cseq=number)
        self._acks = {number: self._stack.ack(request, self._session.way(dialog))}
        return False

    def _failed(self, answer: Answer, asked: Asking | None) -> None:
        session = self._session
        if session.over or asked is None:
            return
        sdp = self._out_sdp
        if answer.status in (408, 481, 503) and (answer.status == 481 or answer.response is None):
            session.end(Cause.SILENT)  # §12.2.1.2
        elif answer.status == 491 and self._glares < _MAX_GLARES:
            self._glares += 1
            low, high = _OWNER_MS if session.owns_call_id else _OTHER_MS
            delay = self._stack.random_ms(low, high)
            self._stack.after(session.call, "glare", delay, lambda: self._again(sdp))
        elif answer.status == 422 and answer.response and session.clock.refused(answer.response):
            self._again(sdp)
        elif sdp:
            self._stack.emit(OfferRefused(session.call, answer.status))

    def _again(self, sdp: bytes) -> None:
        """After a glare, or a 422."""
        if not sdp:
            self.refresh()
        elif self._waiting is None:
            self.offer(sdp)
        else:
            self._next()
