"""One call's dialog usage: requests inside it, its timers, and its one end.

What does it do? Holds the INVITE (uas, uac), the offers, the session timer and the transfers of
one call together, and answers every request of the dialog.
How does it work? `tell_over` tells the host once; `finish` ends it without a word on the wire,
`end` with BYE. A session is forgotten when it is over and no request of its own waits any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from mediacore.wire.sip.dialog import Dialog
from mediacore.wire.sip.digest import DigestClient
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.info import RELAY, TYPES, digit_body, read_digit
from mediacore.wire.sip.message import Request, Response
from mediacore.wire.sip.offers import Offers
from mediacore.wire.sip.refers import Refers
from mediacore.wire.sip.session_timer import SessionTimer
from mediacore.wire.sip.signals import Cause, DigitSent, Over
from mediacore.wire.sip.stack import Answer, Asking, Stack
from mediacore.wire.sip.uac import ClientInvite, UacState
from mediacore.wire.sip.uas import ServerInvite, UasState

_NO_DIALOG: Final = 481


class Session:
    """`call` is its number towards the host. Made by the user agent, which sets `invite`."""

    invite: ServerInvite | ClientInvite

    def __init__(
        self,
        stack: Stack,
        call: int,
        call_id: str,
        local_tag: str,
        *,
        owns_call_id: bool,
        near: Flow,
        digest: DigestClient | None = None,
    ) -> None:
        self.stack = stack
        self.call = call
        self.call_id = call_id
        self.local_tag = local_tag
        self.owns_call_id = owns_call_id
        self.dialog: Dialog | None = None
        self.clock = SessionTimer(stack.config.timer)
        self.offers = Offers(self)
        self.refers = Refers(self)
        self.peer_allows: frozenset[str] = frozenset()
        self.over = False  # nothing is owed to the peer any more
        self.leaving = False  # BYE was sent
        self.is_up = False
        self._told = False
        self.near = near
        self._digest = digest

    # -- state

    @property
    def settled(self) -> bool:
        """Whether the first offer and its answer are exchanged."""
        return self.invite.settled

    @property
    def early(self) -> bool:
        """Not answered yet."""
        return not self.is_up and not self._told

    def heard(self, message: Request | Response, flow: Flow) -> None:
        """Note where the peer is, and what it can do."""
        self.near = flow
        allowed = message.headers.tokens("Allow")
        if allowed:
            self.peer_allows = frozenset(method.upper() for method in allowed)

    def up(self) -> None:
        """The first INVITE is acknowledged."""
        self.is_up = True
        self.watch()

    def refreshed(self, request: Request) -> None:
        """The peer's INVITE or UPDATE was taken: its Contact counts."""
        if self.dialog is not None:
            self.dialog.retarget(request)

    def watch(self) -> None:
        """Begin the session interval anew."""
        timers = (("refresh", self.clock.refresh_ms), ("expire", self.clock.expire_ms))
        for name, delay in timers:
            if delay is None or self.over:
                self.stack.timers.drop((self.call, name))
            elif name == "refresh":
                self.stack.after(self.call, name, delay, self._refresh)
            else:
                self.stack.after(self.call, name, delay, lambda: self.end(Cause.EXPIRED))

    def _refresh(self) -> None:
        if not self.over and not self.leaving:
            self.offers.refresh()

    # -- the end

    def tell_over(
        self,
        cause: Cause,
        *,
        status: int = 0,
        reason: str = "",
        retry_after_s: int = 0,
        contacts: tuple[str, ...] = (),
    ) -> None:
        """Tell the host, once."""
        if not self._told:
            self._told = True
            over = Over(self.call, cause, status, reason, retry_after_s, contacts)
            self.stack.emit(over)

    def finish(
        self,
        cause: Cause,
        *,
        status: int = 0,
        reason: str = "",
        retry_after_s: int = 0,
        contacts: tuple[str, ...] = (),
    ) -> None:
        """Over, and nothing more to send."""
        self.tell_over(
            cause, status=status, reason=reason, retry_after_s=retry_after_s, contacts=contacts
        )
        self.over = True
        self.is_up = False
        self.offers.stop()
        self.stack.timers.drop_owner(self.call)
        if not self.stack.busy(self.call):
            self.stack.on_idle(self.call)

    def end(self, cause: Cause, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Over, and the peer is told by BYE."""
        self.tell_over(cause)
        self.bye(headers)

    def bye(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Leave the dialog; idempotent."""
        if self.over or self.leaving:
            return
        self.leaving = True
        self.is_up = False
        self.stack.timers.drop_owner(self.call)
        if self.dialog is None:
            self.finish(Cause.LOCAL)
        else:
            self.ask(self.dialog.request("BYE", headers), self._left)

    def _left(self, answer: Answer) -> None:
        if answer.final:
            self.finish(Cause.LOCAL)

    def hangup(self, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """In whatever state; idempotent."""
        invite = self.invite
        if self.over or self.leaving:
            return
        if isinstance(invite, ServerInvite):
            if invite.state in (UasState.TRYING, UasState.RINGING):
                invite.refuse(480, headers)
            elif invite.state is UasState.UP:
                self.end(Cause.LOCAL, headers)
            else:
                invite.hangup()
        elif invite.state is UacState.UP:
            self.end(Cause.LOCAL, headers)
        else:
            invite.hangup(headers)

    # -- requests of ours

    def headers(
        self, flow: Flow | None = None, without: Iterable[str] = ()
    ) -> list[tuple[str, str]]:
        """Contact, Allow and Supported, as INVITE, UPDATE and their answers carry them."""
        config = self.stack.config
        tags = [tag for tag in config.supported if tag not in tuple(without)]
        return [
            ("Contact", f"<{self.contact(flow or self.near)}>"),
            ("Allow", ", ".join(config.allow)),
            ("Supported", ", ".join(tags)),
        ]

    def contact(self, flow: Flow) -> str:
        """Our URI on a flow."""
        transport = "" if flow.transport == "UDP" else f";transport={flow.transport.lower()}"
        return f"sip:{self.stack.config.user}@{flow.sent_by}{transport}"

    def way(self, dialog: Dialog, near: Flow | None = None) -> Flow | None:
        """Where requests of the dialog go."""
        return self.stack.route(dialog.next_hop, near or self.near)

    def ask(
        self,
        request: Request,
        on_answer: Callable[[Answer], None],
        *,
        dialog: Dialog | None = None,
        near: Flow | None = None,
    ) -> Asking | None:
        """Send a request of `dialog`, by default the session's."""
        dialog = dialog or self.dialog
        assert dialog is not None
        way = self.way(dialog, near)
        return self.stack.ask(self.call, request, way, on_answer, dialog.number, self._digest)

    def send_digit(self, digit: str, duration_ms: int) -> None:
        """INFO; nothing follows from its answer."""
        if self.is_up and self.dialog is not None:
            body = digit_body(digit, duration_ms)
            self.ask(self.dialog.request("INFO", (), body, RELAY), lambda answer: None)

    # -- requests of the peer

    def request(self, tx: int, request: Request, flow: Flow) -> None:
        """A request of this dialog."""
        dialog = self.dialog
        if self.over or dialog is None:
            self.stack.reply(tx, request, _NO_DIALOG)
            return
        if not dialog.in_order(request.cseq.number):
            self.stack.reply(tx, request, 500, [("Retry-After", "0")])
            return
        self.heard(request, flow)
        method = request.method
        if method == "BYE":
            self._bye(tx, request)
        elif self.leaving:
            self.stack.reply(tx, request, _NO_DIALOG)
        elif method in ("INVITE", "UPDATE"):
            self.offers.asked(tx, request)
        elif method == "PRACK" and isinstance(self.invite, ServerInvite):
            self.invite.prack(tx, request)
        elif method == "INFO":
            self._info(tx, request)
        elif method == "REFER":
            self.refers.asked(tx, request)
        elif method == "NOTIFY":
            self.refers.notified(tx, request)
        elif method == "OPTIONS":
            self.stack.reply(tx, request, 200, self.headers())
        else:
            self.stack.reply(tx, request, _NO_DIALOG)

    def _bye(self, tx: int, request: Request) -> None:
        self.stack.reply(tx, request, 200)
        invite = self.invite
        if isinstance(invite, ServerInvite) and invite.state is not UasState.UP:
            invite.bye()
        reason = request.headers.get("Reason") or ""
        self.finish(Cause.BYE, reason=reason)

    def _info(self, tx: int, request: Request) -> None:
        if not request.body:
            self.stack.reply(tx, request, 200)
            return
        pressed = read_digit(request)
        if pressed is not None:
            self.stack.reply(tx, request, 200)
            self.stack.emit(DigitSent(self.call, *pressed))
        elif request.content_type in TYPES:
            self.stack.reply(tx, request, 400)
        else:
            self.stack.reply(tx, request, 415, [("Accept", ", ".join(TYPES))])

    def acked(self, request: Request, flow: Flow) -> None:
        """The ACK of a 2xx of ours: the first INVITE's, or a later one's."""
        try:
            number = request.cseq.number
        except SipError:
            return
        invite = self.invite
        if isinstance(invite, ServerInvite) and number == invite.request.cseq.number:
            invite.acked(request)
        else:
            self.offers.acked(request)
