"""What a host may do with its calls. Unknown calls are ignored: they may have just ended."""

from __future__ import annotations

from collections.abc import Iterable

from mediacore.wire.sip.outputs import Output, Send
from mediacore.wire.sip.refer import Replaces
from mediacore.wire.sip.session import Session
from mediacore.wire.sip.signals import Cause, Signal
from mediacore.wire.sip.stack import Stack
from mediacore.wire.sip.uac import ClientInvite
from mediacore.wire.sip.uas import ServerInvite

Out = list[Send | Signal]


class CallControls:
    """The part of the user agent that acts on calls. Every method returns what is to be done."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._sessions: dict[int, Session] = {}

    def _run(self, outputs: list[Output]) -> Out:
        """Carry out what waits in the stack."""
        raise NotImplementedError

    def _for(self, now_ms: int, call: int) -> Session | None:
        self._stack.now_ms = now_ms
        return self._sessions.get(call)

    def _incoming_invite(self, now_ms: int, call: int) -> ServerInvite | None:
        session = self._for(now_ms, call)
        invite = session.invite if session is not None else None
        return invite if isinstance(invite, ServerInvite) else None

    def ring(self, now_ms: int, call: int, sdp: bytes | None = None) -> Out:
        """180; with sdp 183 and early media."""
        invite = self._incoming_invite(now_ms, call)
        if invite is not None:
            invite.ring(sdp)
        return self._run([])

    def answer(self, now_ms: int, call: int, sdp: bytes) -> Out:
        """200: sdp is the answer, or the offer when Incoming had none. Confirmed follows."""
        invite = self._incoming_invite(now_ms, call)
        if invite is not None:
            invite.answer(sdp)
        return self._run([])

    def refuse(
        self, now_ms: int, call: int, status: int, headers: Iterable[tuple[str, str]] = ()
    ) -> Out:
        """Do not take an incoming call."""
        invite = self._incoming_invite(now_ms, call)
        if invite is not None:
            invite.refuse(status, headers)
        return self._run([])

    def confirm(self, now_ms: int, call: int, sdp: bytes) -> Out:
        """The answer to the offer that Accepted brought."""
        session = self._for(now_ms, call)
        if session is not None and isinstance(session.invite, ClientInvite):
            session.invite.confirm(sdp)
        return self._run([])

    def hangup(self, now_ms: int, call: int, reason: str = "") -> Out:
        """End it in whatever state it is; idempotent. reason: value of a Reason header."""
        session = self._for(now_ms, call)
        if session is not None:
            session.hangup((("Reason", reason),) if reason else ())
        return self._run([])

    def replace(self, now_ms: int, call: int) -> Out:
        """Another dialog took the place of this one."""
        session = self._for(now_ms, call)
        if session is not None:
            session.tell_over(Cause.REPLACED)
            session.hangup()
        return self._run([])

    # -- the host: inside a call

    def reoffer(self, now_ms: int, call: int, sdp: bytes) -> Out:
        """A re-INVITE with this offer. OfferAnswered or OfferRefused follows."""
        session = self._for(now_ms, call)
        if session is not None and not session.leaving:
            session.offers.offer(sdp)
        return self._run([])

    def accept(self, now_ms: int, call: int, sdp: bytes) -> Out:
        """Answer what Offered brought; an offer when it wanted one, OfferAnswered follows."""
        session = self._for(now_ms, call)
        if session is not None and not session.over:
            session.offers.accept(sdp)
        return self._run([])

    def refuse_offer(self, now_ms: int, call: int, status: int = 488) -> Out:
        """Refuse what Offered brought; the call goes on as it was."""
        session = self._for(now_ms, call)
        if session is not None:
            session.offers.refuse(status)
        return self._run([])

    def send_digit(self, now_ms: int, call: int, digit: str, duration_ms: int = 100) -> Out:
        """A key by INFO."""
        session = self._for(now_ms, call)
        if session is not None:
            session.send_digit(digit, duration_ms)
        return self._run([])

    def refer(self, now_ms: int, call: int, target: str, replaces: int | None = None) -> Out:
        """Ask the peer to call `target`, a URI; replaces: a call of ours whose place it is to take
        there. ReferProgressed follows."""
        session = self._for(now_ms, call)
        if session is not None and session.dialog is not None:
            named = self.replaces_of(replaces) if replaces is not None else None
            refer_to = named.in_uri(target) if named is not None else f"<{target}>"
            local = session.dialog.local.partition(";tag=")[0]
            session.refers.refer(refer_to, local if "<" in local else f"<{local}>")
        return self._run([])

    def replaces_of(self, call: int) -> Replaces | None:
        """How the far side of a call of ours is told to find its dialog."""
        session = self._sessions.get(call)
        dialog = session.dialog if session is not None else None
        if dialog is None:
            return None
        return Replaces(dialog.call_id, dialog.remote_tag, dialog.local_tag)

    def is_up(self, call: int) -> bool:
        """Whether the call is answered, acknowledged and not over."""
        session = self._sessions.get(call)
        return session is not None and session.is_up

    def local_of(self, call: int) -> str:
        """Our From or To value in the call without its tag, "" when there is no dialog yet."""
        session = self._sessions.get(call)
        dialog = session.dialog if session is not None else None
        return dialog.local.partition(";tag=")[0] if dialog is not None else ""

    def host_of(self, call: int) -> str:
        """The numeric address that the peer was last heard from."""
        session = self._sessions.get(call)
        return session.near.remote[0] if session is not None else ""

    def accept_refer(self, now_ms: int, call: int) -> Out:
        """202 to what ReferAsked brought."""
        session = self._for(now_ms, call)
        if session is not None:
            session.refers.accept()
        return self._run([])

    def refuse_refer(self, now_ms: int, call: int, status: int = 603) -> Out:
        """Not to this target."""
        session = self._for(now_ms, call)
        if session is not None:
            session.refers.refuse(status)
        return self._run([])

    def report_refer(self, now_ms: int, call: int, status: int, *, then_bye: bool = False) -> Out:
        """How the call to the target fares; then_bye: and end this one when that was told."""
        session = self._for(now_ms, call)
        if session is not None:
            session.refers.report(status, then_bye=then_bye)
        return self._run([])
