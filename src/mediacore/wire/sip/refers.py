"""Transfers inside a session: REFER and the reports about it, both ways. RFC 3515, 4488."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.message import Request
from mediacore.wire.sip.refer import (
    SIPFRAG,
    fragment,
    read_fragment,
    read_refer,
    wants_no_reports,
)
from mediacore.wire.sip.signals import Cause, ReferAsked, ReferProgressed
from mediacore.wire.sip.stack import Answer

if TYPE_CHECKING:
    from mediacore.wire.sip.session import Session

_BYE_GUARD_MS: Final = 4_000
_EXPIRES_S: Final = 180


class Refers:
    """At most one transfer of each direction at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stack = session.stack
        self._asked: tuple[int, Request] | None = None  # undecided: transaction and REFER
        self._reporting: int | None = None  # CSeq of the REFER that we report on
        self._silent = False
        self._outgoing: int | None = None  # CSeq of our REFER

    # -- the peer refers us

    def asked(self, tx: int, request: Request) -> None:
        """A REFER in order; `accept` or `refuse` answers it."""
        if self._asked is not None or self._reporting is not None or not self._session.is_up:
            self._stack.reply(tx, request, 491)
            return
        try:
            wanted = read_refer(request)
        except SipError:
            self._stack.reply(tx, request, 400)
            return
        self._asked = (tx, request)
        self._silent = wanted.silent
        number = request.cseq.number
        self._stack.emit(
            ReferAsked(
                self._session.call, number, wanted.target, wanted.replaces, wanted.referred_by
            )
        )

    def accept(self) -> None:
        """202, and the report that it is tried."""
        if self._asked is None:
            return
        (tx, request), self._asked = self._asked, None
        headers = self._session.headers()[:1]
        if self._silent:
            headers.append(("Refer-Sub", "false"))
        self._stack.reply(tx, request, 202, headers)
        self._reporting = request.cseq.number
        self.report(100)

    def refuse(self, status: int) -> None:
        """Not this target."""
        if self._asked is not None:
            (tx, request), self._asked = self._asked, None
            self._stack.reply(tx, request, status)

    def report(self, status: int, *, then_bye: bool = False) -> None:
        """How far the new call is. A final status ends the reports; then_bye: and this call, once
        the peer has the report."""
        session = self._session
        number = self._reporting
        dialog = session.dialog
        if number is None or dialog is None or not session.is_up:
            return
        final = status >= 200
        if final:
            self._reporting = None
        if then_bye:
            self._stack.after(session.call, "referred", _BYE_GUARD_MS, self._leave)
        if self._silent:
            if then_bye:
                self._leave()
            return
        state = "terminated;reason=noresource" if final else f"active;expires={_EXPIRES_S}"
        headers = [
            ("Event", f"refer;id={number}"),
            ("Subscription-State", state),
            *session.headers()[:1],
        ]
        notify = dialog.request("NOTIFY", headers, fragment(status), f"{SIPFRAG};version=2.0")

        def told(answer: Answer) -> None:
            if not answer.final:
                return
            if then_bye:
                self._leave()
            elif answer.status == 481:
                self._reporting = None

        session.ask(notify, told)

    def _leave(self) -> None:
        self._session.end(Cause.LOCAL)

    # -- we refer the peer

    def refer(self, refer_to: str, referred_by: str) -> None:
        """Ask the peer to call somebody else. ReferProgressed follows."""
        session = self._session
        if self._outgoing is not None or not session.is_up or session.dialog is None:
            self._stack.emit(ReferProgressed(session.call, 491, final=True))
            return
        headers = [("Refer-To", refer_to), *session.headers()[:1]]
        if referred_by:
            headers.append(("Referred-By", referred_by))
        request = session.dialog.request("REFER", headers)
        self._outgoing = request.cseq.number
        session.ask(request, self._referred)

    def _referred(self, answer: Answer) -> None:
        if self._outgoing is None or not answer.final:
            return
        if not answer.good or answer.response is None:
            self._done(answer.status)
        elif wants_no_reports(answer.response):
            self._done(202)
        else:
            self._stack.emit(ReferProgressed(self._session.call, answer.status, final=False))
            wait_ms = self._stack.config.refer_ms
            self._stack.after(self._session.call, "refer", wait_ms, lambda: self._done(408))

    def _done(self, status: int) -> None:
        self._outgoing = None
        self._stack.timers.drop((self._session.call, "refer"))
        self._stack.emit(ReferProgressed(self._session.call, status, final=True))

    def notified(self, tx: int, request: Request) -> None:
        """A report on our REFER; anything else is refused (RFC 6665 §4.1.3)."""
        event = (request.headers.get("Event") or "").split(";")[0].strip().lower()
        if event != "refer":
            self._stack.reply(tx, request, 489, [("Allow-Events", "refer")])
            return
        if self._outgoing is None:
            self._stack.reply(tx, request, 481)
            return
        try:
            status, final = read_fragment(request)
        except SipError:
            self._stack.reply(tx, request, 400)
            return
        self._stack.reply(tx, request, 200)
        if final:
            self._done(status)
        else:
            self._stack.emit(ReferProgressed(self._session.call, status, final=False))
