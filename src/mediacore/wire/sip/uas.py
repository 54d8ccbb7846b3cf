"""An INVITE that came in, until its final answer is acknowledged. RFC 3261 §13.3, RFC 3262 §3.

TRYING ─► RINGING ─► ANSWERED ─► UP          LEAVING: hung up before the ACK; the 2xx goes on until
   └─────────┴─► OVER   └─► LEAVING ─► OVER  the ACK or 64*T1, only then BYE may be sent (§15)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final

from mediacore.wire.sip.message import Request, Response, make_response
from mediacore.wire.sip.reliable import TAG, RseqCounter, required, supported
from mediacore.wire.sip.resend import Due, Resend
from mediacore.wire.sip.signals import Cause, Confirmed
from mediacore.wire.sip.stack import SDP, sdp_of

if TYPE_CHECKING:
    from mediacore.wire.sip.session import Session

_REMIND_MS: Final = 60_000  # §13.3.1.1: proxies forget an INVITE without news
_MAX_RSEQ: Final = 1 << 30


class UasState(Enum):
    """How far the INVITE is."""

    TRYING = "trying"
    RINGING = "ringing"
    ANSWERED = "answered"
    LEAVING = "leaving"
    UP = "up"
    OVER = "over"


class UasCue(Enum):
    """What can happen to it."""

    RING = "ring"
    ANSWER = "answer"
    REFUSE = "refuse"
    CANCEL = "cancel"
    ACK = "ack"
    NO_ACK = "no_ack"
    HANGUP = "hangup"
    BYE = "bye"
    LOST = "lost"


_S = UasState
UAS_TABLE: Final[Mapping[tuple[UasState, UasCue], UasState]] = {
    (_S.TRYING, UasCue.RING): _S.RINGING,
    (_S.TRYING, UasCue.ANSWER): _S.ANSWERED,
    (_S.TRYING, UasCue.REFUSE): _S.OVER,
    (_S.TRYING, UasCue.CANCEL): _S.OVER,
    (_S.TRYING, UasCue.BYE): _S.OVER,
    (_S.TRYING, UasCue.LOST): _S.OVER,
    (_S.RINGING, UasCue.RING): _S.RINGING,
    (_S.RINGING, UasCue.ANSWER): _S.ANSWERED,
    (_S.RINGING, UasCue.REFUSE): _S.OVER,
    (_S.RINGING, UasCue.CANCEL): _S.OVER,
    (_S.RINGING, UasCue.BYE): _S.OVER,
    (_S.RINGING, UasCue.LOST): _S.OVER,
    (_S.ANSWERED, UasCue.ACK): _S.UP,
    (_S.ANSWERED, UasCue.HANGUP): _S.LEAVING,
    (_S.ANSWERED, UasCue.NO_ACK): _S.OVER,
    (_S.ANSWERED, UasCue.BYE): _S.OVER,
    (_S.ANSWERED, UasCue.LOST): _S.OVER,
    (_S.LEAVING, UasCue.ACK): _S.OVER,
    (_S.LEAVING, UasCue.NO_ACK): _S.OVER,
    (_S.LEAVING, UasCue.BYE): _S.OVER,
    (_S.LEAVING, UasCue.LOST): _S.OVER,
}
"""Absent: the cue changes nothing in that state, and is counted."""


class ServerInvite:
    """The first INVITE of a session, as the called side."""

    def __init__(self, session: Session, tx: int, request: Request) -> None:
        self.state = UasState.TRYING
        self.tx = tx
        self.request = request
        self.offered = sdp_of(request) is not None
        self._session = session
        self._stack = session.stack
        self._rseq = RseqCounter(self._stack.random_ms(1, _MAX_RSEQ), request.cseq.number)
        self._sdp_settled = False  # a reliable 1xx carried the answer
        self._held: bytes | None = None  # the answer waits for a PRACK (RFC 3262 §3)
        self._final: Response | None = None

    @property
    def settled(self) -> bool:
        """Whether offer and answer are exchanged: UPDATE may bring another (RFC 3311 §5.1)."""
        return self.state is UasState.UP or (self._sdp_settled and not self._rseq.waiting)

    def _move(self, cue: UasCue) -> bool:
        to = UAS_TABLE.get((self.state, cue))
        if to is None:
            self._stack.illegal += 1
            return False
        self.state = to
        return True

    # -- the host decides

    def ring(self, sdp: bytes | None) -> None:
        """180, or 183 with early media."""
        if self._rseq.waiting or not self._move(UasCue.RING):
            return
        status = 180 if sdp is None else 183
        reliable = self._stack.config.rel100 and (
            required(self.request) or (sdp is not None and supported(self.request))
        )
        if reliable and sdp is None and not self.offered:
            return  # RFC 3262 §5: it would have to carry an offer; the caller waits for the 2xx
        headers = self._session.headers()
        body = sdp or b""
        if reliable:
            self._sdp_settled = sdp is not None
            headers += [("Require", TAG), ("RSeq", str(self._rseq.number()))]
        response = self._make(status, headers, body)
        self._stack.respond(self.tx, response)
        if reliable:
            self._repeat("rel1xx", response, self._stack.resend(capped=False))
        else:
            self._remind(response)

    def answer(self, sdp: bytes) -> None:
        """200 with the answer, or with an offer when the INVITE had none."""
        if self._rseq.waiting and self.state is UasState.RINGING:
            self._held = sdp
            return
        if not self._move(UasCue.ANSWER):
            return
        self._quiet()
        headers = self._session.headers() + self._session.clock.taken(self.request)
        self._final = self._make(200, headers, b"" if self._sdp_settled else sdp)
        self._stack.respond(self.tx, self._final)
        self._repeat("2xx", self._final, self._stack.resend())

    def refuse(self, status: int, headers: Iterable[tuple[str, str]] = ()) -> None:
        """A final answer that ends it."""
        if self._move(UasCue.REFUSE):
            self._end(status, headers)
            self._session.finish(Cause.LOCAL)

    def hangup(self) -> None:
        """After the 2xx, before its ACK."""
        if self._move(UasCue.HANGUP):
            self._session.tell_over(Cause.LOCAL)

    # -- the peer

    def cancelled(self, reason: str) -> None:
        """CANCEL; after a final answer it has no effect (§9.2)."""
        if self._move(UasCue.CANCEL):
            self._end(487)
            self._session.finish(Cause.CANCEL, reason=reason)

    def acked(self, request: Request) -> None:
        """The ACK of the 2xx; repetitions change nothing."""
        leaving = self.state is UasState.LEAVING
        if not self._move(UasCue.ACK):
            return
        self._quiet()
        if leaving:
            self._session.bye()
            return
        sdp = sdp_of(request)
        if not self.offered and sdp is None:
            self.state = UasState.OVER
            self._session.end(Cause.NO_ANSWER_SDP)
            return
        self._session.up()
        self._stack.emit(Confirmed(self._session.call, None if self.offered else sdp))

    def bye(self) -> None:
        """The caller ends the early dialog, or does not wait for its own ACK."""
        early = self.state in (UasState.TRYING, UasState.RINGING)
        if self._move(UasCue.BYE) and early:
            self._end(487)
        self._quiet()

    def prack(self, tx: int, request: Request) -> None:
        """PRACK; its offer, if any, is answered like an UPDATE's."""
        if not self._rseq.acknowledged(request):
            self._stack.reply(tx, request, 481)
            return
        self._quiet()
        if sdp_of(request) is not None:
            self._session.offers.asked(tx, request)
        else:
            self._stack.reply(tx, request, 200)
        if self._held is not None:
            held, self._held = self._held, None
            self.answer(held)

    def lost(self) -> None:
        """The transaction cannot reach the caller any more."""
        if self._move(UasCue.LOST):
            self._quiet()
            self._session.finish(Cause.LOST)

    # -- timers

    def _repeat(self, name: str, response: Response, resend: Resend) -> None:
        def due() -> None:
            verdict = resend.due(self._stack.now_ms)
            if verdict is Due.OVER:
                self._unheard(name)
                return
            if verdict is Due.SEND:
                self._stack.respond(self.tx, response)
            self._repeat(name, response, resend)

        at = resend.next_ms
        self._stack.after(self._session.call, name, max(0, at - self._stack.now_ms), due)

    def _unheard(self, name: str) -> None:
        """64*T1 without PRACK or ACK."""
        if name == "rel1xx":
            if self._move(UasCue.REFUSE):
                self._end(504)
                self._session.finish(Cause.SILENT)
            return
        told = self.state is UasState.LEAVING
        if self._move(UasCue.NO_ACK):
            if not told:
                self._session.tell_over(Cause.SILENT)
            self._session.bye()

    def _remind(self, response: Response) -> None:
        def due() -> None:
            if self.state is UasState.RINGING:
                self._stack.respond(self.tx, response)
                self._remind(response)

        self._stack.after(self._session.call, "remind", _REMIND_MS, due)

    def _quiet(self) -> None:
        for name in ("rel1xx", "2xx", "remind"):
            self._stack.timers.drop((self._session.call, name))

    def _end(self, status: int, headers: Iterable[tuple[str, str]] = ()) -> None:
        self._quiet()
        self._stack.reply(self.tx, self.request, status, headers, to_tag=self._session.local_tag)

    def _make(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Response:
        return make_response(
            self.request,
            status,
            to_tag=self._session.local_tag,
            headers=headers,
            body=body,
            content_type=SDP if body else "",
        )
