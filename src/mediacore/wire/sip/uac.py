"""An INVITE of ours, until its final answer is acknowledged. RFC 3261 §13.2, RFC 3262 §4.

CALLING ─► PROCEEDING ─► UP                    ACCEPTED: the 2xx carried an offer; its ACK waits for
   └────────┴─► LEAVING ─► OVER  ACCEPTED ─► UP  the host. LEAVING: given up; a 2xx that crosses
the CANCEL is acknowledged and gets BYE, so no call can be left that only the other side knows of.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final

from mediacore.wire.sip.dialog import Dialog
from mediacore.wire.sip.digest import DigestClient
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.fields import NameAddr
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.message import Response, make_request
from mediacore.wire.sip.outputs import Output
from mediacore.wire.sip.reliable import Given, RseqOrder
from mediacore.wire.sip.signals import Accepted, Cause, Progressed
from mediacore.wire.sip.stack import SDP, Answer, Asking, sdp_of

if TYPE_CHECKING:
    from mediacore.wire.sip.session import Session

MAX_FORKS: Final = 16
_MAX_RETRY_S: Final = 86_400


class UacState(Enum):
    """How far the INVITE is."""

    CALLING = "calling"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    LEAVING = "leaving"
    UP = "up"
    OVER = "over"


class UacCue(Enum):
    """What can happen to it."""

    PROVISIONAL = "provisional"
    SUCCESS = "success"
    OFFER = "offer"  # success that carries an offer
    FAILURE = "failure"
    CONFIRM = "confirm"
    HANGUP = "hangup"


_S = UacState
UAC_TABLE: Final[Mapping[tuple[UacState, UacCue], UacState]] = {
    (_S.CALLING, UacCue.PROVISIONAL): _S.PROCEEDING,
    (_S.CALLING, UacCue.SUCCESS): _S.UP,
    (_S.CALLING, UacCue.OFFER): _S.ACCEPTED,
    (_S.CALLING, UacCue.FAILURE): _S.OVER,
    (_S.CALLING, UacCue.HANGUP): _S.LEAVING,
    (_S.PROCEEDING, UacCue.PROVISIONAL): _S.PROCEEDING,
    (_S.PROCEEDING, UacCue.SUCCESS): _S.UP,
    (_S.PROCEEDING, UacCue.OFFER): _S.ACCEPTED,
    (_S.PROCEEDING, UacCue.FAILURE): _S.OVER,
    (_S.PROCEEDING, UacCue.HANGUP): _S.LEAVING,
    (_S.ACCEPTED, UacCue.CONFIRM): _S.UP,
    (_S.ACCEPTED, UacCue.HANGUP): _S.OVER,
    (_S.LEAVING, UacCue.SUCCESS): _S.OVER,
    (_S.LEAVING, UacCue.OFFER): _S.OVER,
    (_S.LEAVING, UacCue.FAILURE): _S.OVER,
}
"""Absent: the cue changes nothing in that state, and is counted."""


class ClientInvite:
    """The first INVITE of a session, as the calling side.

    uri: whom to call. local, remote: From without tag, and To. sdp None: the 2xx is to carry the
    offer.
    """

    def __init__(
        self,
        session: Session,
        uri: str,
        local: str,
        remote: str,
        sdp: bytes | None,
        headers: tuple[tuple[str, str], ...],
        flow: Flow,
        digest: DigestClient | None,
    ) -> None:
        self.state = UacState.CALLING
        self.flow = flow
        self.offered = sdp is not None
        self._session = session
        self._stack = session.stack
        self._uri = uri
        self._local = f"{local};tag={session.local_tag}"
        self._remote = remote
        self._sdp = sdp or b""
        self._headers = headers
        self._digest = digest
        self._cseq = 0
        self._asking: Asking | None = None
        self._early: dict[str, tuple[Dialog, RseqOrder]] = {}
        self._early_sdp: dict[str, bytes] = {}  # answers in reliable 1xx
        self._acks: dict[str, list[Output]] = {}
        self._accepted: tuple[Response, Flow] | None = None

    @property
    def settled(self) -> bool:
        """Whether offer and answer are exchanged: UPDATE may bring another (RFC 3311 §5.1)."""
        dialog = self._session.dialog
        return self.state is UacState.UP or (
            dialog is not None and dialog.remote_tag in self._early_sdp
        )

    def _move(self, cue: UacCue) -> bool:
        to = UAC_TABLE.get((self.state, cue))
        if to is None:
            self._stack.illegal += 1
            return False
        self.state = to
        return True

    # -- the host decides

    def start(self) -> None:
        """Send it."""
        clock = self._session.clock
        rel100 = [] if self.offered else ["100rel"]  # its 1xx would have to carry the offer
        lines = [
            ("Max-Forwards", "70"),
            ("From", self._local),
            ("To", self._remote),
            ("Call-ID", self._session.call_id),
            ("CSeq", f"{self._number()} INVITE"),
            *self._session.headers(self.flow, without=rel100),
            *clock.ask(),
            *self._headers,
        ]
        request = make_request("INVITE", self._uri, lines, self._sdp, SDP if self._sdp else "")
        self._asking = self._stack.ask(
            self._session.call, request, self.flow, self._answered, self._number, self._digest
        )

    def hangup(self, reason: tuple[tuple[str, str], ...] = ()) -> None:
        """Give up. CANCEL goes out once the peer has shown that it has the INVITE (§9.1)."""
        accepted = self._accepted if self.state is UacState.ACCEPTED else None
        if not self._move(UacCue.HANGUP):
            return
        self._session.tell_over(Cause.LOCAL)
        if accepted is not None:
            self._drop(*accepted)
            self._session.finish(Cause.LOCAL)
        elif self._asking is not None:
            self._stack.cancel(self._asking, reason)

    def confirm(self, sdp: bytes) -> None:
        """The answer to the offer in the 2xx, with the ACK."""
        accepted = self._accepted
        if accepted is None or not self._move(UacCue.CONFIRM):
            return
        response, flow = accepted
        self._ack(self._dialog_of(response), response, flow, sdp)
        self._session.clock.answered(response)
        self._session.up()

    # -- the peer

    def _answered(self, answer: Answer) -> None:
        response = answer.response
        if response is not None and response.status < 200:
            self._provisional(response, answer.flow)
        elif answer.good:
            assert response is not None and answer.flow is not None
            self._success(response, answer.flow)
        else:
            self._failed(answer)

    def _provisional(self, response: Response, flow: Flow | None) -> None:
        if self.state is UacState.LEAVING:
            return
        if not self._move(UacCue.PROVISIONAL) or response.status == 100:
            return
        sdp = sdp_of(response)
        if response.to_tag and len(self._early) < MAX_FORKS:
            try:
                given = self._early_answer(response, flow, sdp)
            except SipError:
                return
            if given is Given.OLD:
                return
        self._stack.emit(Progressed(self._session.call, response.status, sdp))

    def _early_answer(self, response: Response, flow: Flow | None, sdp: bytes | None) -> Given:
        """Note the early dialog, and acknowledge a reliable one."""
        known = self._early.get(response.to_tag)
        if known is None:
            known = (self._dialog_of(response), RseqOrder())
            self._early[response.to_tag] = known
            self._session.dialog = self._session.dialog or known[0]
        dialog, order = known
        given = order.take(response)
        if given is not Given.NEW:
            return given
        if sdp is not None and self.offered:
            self._early_sdp.setdefault(response.to_tag, sdp)
        rack = ("RAck", f"{order.last} {response.cseq.number} INVITE")
        self._session.ask(dialog.request("PRACK", [rack]), lambda answer: None, dialog=dialog)
        return given

    def _success(self, response: Response, flow: Flow) -> None:
        tag = response.to_tag
        if tag in self._acks:  # a repetition: our ACK was lost (§13.2.2.4)
            self._stack.again(self._acks[tag])
            return
        if self._accepted is not None:
            if tag != self._accepted[0].to_tag:
                self._drop(response, flow)  # another branch of a fork
            return
        sdp = sdp_of(response) or self._early_sdp.get(tag)
        leaving = self.state is UacState.LEAVING
        if not self._move(UacCue.SUCCESS if self.offered else UacCue.OFFER):
            self._drop(response, flow)
            return
        try:
            dialog = self._dialog_of(response)
        except SipError:
            self.state = UacState.OVER
            self._session.finish(Cause.REFUSED, status=500)
            return
        self._accepted = (response, flow)
        if leaving or sdp is None:
            self.state = UacState.OVER
            self._drop(response, flow)
            self._session.finish(Cause.LOCAL if leaving else Cause.NO_ANSWER_SDP)
            return
        known = self._early.get(tag)
        if known is not None:  # PRACKs were numbered there
            dialog.local_cseq = max(dialog.local_cseq, known[0].local_cseq)
            dialog.remote_cseq = known[0].remote_cseq
        self._session.dialog = dialog
        self._session.heard(response, flow)
        if self.offered:
            self._ack(dialog, response, flow, b"")
            self._session.clock.answered(response)
            self._session.up()
        self._stack.emit(Accepted(self._session.call, sdp, offer=not self.offered))

    def _failed(self, answer: Answer) -> None:
        response = answer.response
        if self._accepted is not None or self.state is UacState.OVER:
            return
        leaving = self.state is UacState.LEAVING
        too_short = response is not None and response.status == 422 and not leaving
        if too_short and response is not None and self._session.clock.refused(response):
            self.state = UacState.CALLING
            self.start()
            return
        if self._move(UacCue.FAILURE):
            cause = Cause.LOCAL if leaving else Cause.REFUSED
            self._session.finish(
                cause,
                status=answer.status,
                reason=_header(response, "Reason"),
                retry_after_s=_retry_after(response),
                contacts=_contacts(response),
            )

    # -- helpers

    def _dialog_of(self, response: Response) -> Dialog:
        assert self._asking is not None
        return Dialog.uac(self._asking.request, response)

    def _ack(self, dialog: Dialog, response: Response, flow: Flow, sdp: bytes) -> None:
        if len(self._acks) >= MAX_FORKS:
            return
        request = dialog.request("ACK", (), sdp, SDP, cseq=response.cseq.number)
        way = self._stack.route(dialog.next_hop, flow)
        self._acks[response.to_tag] = self._stack.ack(request, way)

    def _drop(self, response: Response, flow: Flow) -> None:
        """ACK and BYE: a call that is not wanted (§13.2.2.4)."""
        try:
            dialog = self._dialog_of(response)
        except SipError:
            return
        self._ack(dialog, response, flow, b"")
        self._session.ask(dialog.request("BYE"), lambda answer: None, dialog=dialog, near=flow)

    def _number(self) -> int:
        self._cseq += 1
        return self._cseq


def _header(response: Response | None, name: str) -> str:
    return (response.headers.get(name) or "") if response is not None else ""


def _retry_after(response: Response | None) -> int:
    text = _header(response, "Retry-After").split("(")[0].split(";")[0].strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    return min(number, _MAX_RETRY_S)


def _contacts(response: Response | None) -> tuple[str, ...]:
    """Where a 3xx points to, in its order."""
    if response is None or not 300 <= response.status < 400:
        return ()
    found = []
    for value in response.headers.items_of("Contact")[:MAX_FORKS]:
        try:
            found.append(NameAddr.parse(value).uri)
        except SipError:
            continue
    return tuple(found)
