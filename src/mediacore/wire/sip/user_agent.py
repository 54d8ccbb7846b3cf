"""The user agent: which session a message belongs to, and what happens where there is none.

What does it do? Puts transactions, sessions and registrations together into one object that
takes messages, time and the host's decisions, and gives back what to send and what to tell.
How does it work? Every method returns a list of `Send` and `Signal` values in order; nothing is
kept back. Sessions are found by Call-ID and our tag (§12.2.2); without a tag an INVITE makes one.
How do I use it? Carry out every Send, act on every Signal, call `tick` at `next_ms`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from mediacore.wire.sip.controls import CallControls, Out
from mediacore.wire.sip.dialog import Dialog
from mediacore.wire.sip.digest import DigestClient
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.info import TYPES
from mediacore.wire.sip.message import Request, Response
from mediacore.wire.sip.outputs import (
    AckMissing,
    AckReceived,
    CancelReceived,
    Ended,
    Output,
    RequestReceived,
    ResponseReceived,
    Send,
    TimedOut,
    TransportFailed,
)
from mediacore.wire.sip.refer import SIPFRAG, read_replaces
from mediacore.wire.sip.registration import Registration, RegistrationPlan
from mediacore.wire.sip.session import Session
from mediacore.wire.sip.signals import Incoming
from mediacore.wire.sip.stack import SDP, Route, Stack, UaConfig, sdp_of
from mediacore.wire.sip.transactions import Admit, Transactions
from mediacore.wire.sip.uac import ClientInvite
from mediacore.wire.sip.uas import ServerInvite
from mediacore.wire.sip.validate import Policy, Refusal


@dataclass(frozen=True, slots=True)
class OutgoingCall:
    """uri: request URI. local: From value without tag. remote: To value. sdp None: the callee is to
    offer. headers: added to the INVITE."""

    uri: str
    local: str
    remote: str
    sdp: bytes | None
    flow: Flow
    headers: tuple[tuple[str, str], ...] = ()
    digest: DigestClient | None = None


@dataclass(frozen=True, slots=True)
class UaStats:
    """refused: by the admission. strangers: requests and ACKs of no dialog. illegal: things that
    came in a state where they mean nothing."""

    sessions: int
    incoming: int
    outgoing: int
    refused: int
    strangers: int
    illegal: int


class UserAgent(CallControls):
    """See the module. ids, random_ms (both bounds included): unpredictable in production."""

    def __init__(
        self,
        config: UaConfig,
        ids: SipIds,
        *,
        route: Route,
        random_ms: Callable[[int, int], int],
        admit: Admit = lambda now_ms, request, flow: None,
    ) -> None:
        policy = Policy(
            config.allow,
            (*config.supported, "100rel"),
            content_types=(SDP, "multipart/mixed", SIPFRAG, *TYPES),
        )
        self.draining = False
        self.transactions = Transactions(config.transactions, policy, ids, self._judge)
        self._config = config
        super().__init__(Stack(config, self.transactions, ids, route, random_ms))
        self._stack.on_idle = self._idle
        self._admit = admit
        self._numbers = count(1)
        self._by_tag: dict[tuple[str, str], Session] = {}
        self._by_tx: dict[int, Session] = {}  # server INVITE transactions
        self._registrations: dict[int, Registration] = {}
        self._incoming = self._outgoing = self._refused = self._strangers = 0

    def drain(self) -> None:
        """No new calls from now on; OPTIONS says so."""
        self.draining = self.transactions.draining = True

    # -- the wire and the clock

    def receive(self, now_ms: int, message: Request | Response, flow: Flow) -> Out:
        """One message that came."""
        self._stack.now_ms = now_ms
        return self._run(self.transactions.receive(now_ms, message, flow))

    def failed(self, now_ms: int, flow: Flow) -> Out:
        """A flow is broken, or a Send failed."""
        self._stack.now_ms = now_ms
        for registration in self._registrations.values():
            registration.failed(flow)
        return self._run(self.transactions.failed(now_ms, flow))

    def tick(self, now_ms: int) -> Out:
        """Everything that is due."""
        stack = self._stack
        stack.now_ms = now_ms
        out = self._run(self.transactions.tick(now_ms))
        while (action := stack.timers.pop_due(now_ms)) is not None:
            action()
            out += self._run([])
        return out

    @property
    def next_ms(self) -> int | None:
        """When `tick` is wanted."""
        moments = (self.transactions.next_ms, self._stack.timers.next_ms)
        return min((at for at in moments if at is not None), default=None)

    def snapshot(self) -> UaStats:
        """Counters."""
        return UaStats(
            len(self._sessions),
            self._incoming,
            self._outgoing,
            self._refused,
            self._strangers,
            self._stack.illegal,
        )

    @property
    def sessions(self) -> int:
        """Sessions that still owe or await something."""
        return len(self._sessions)

    @property
    def unsettled(self) -> int:
        """Sessions whose peer has not been told, or has not said that it knows."""
        return sum(not session.over for session in self._sessions.values())

    def _run(self, outputs: list[Output]) -> Out:
        pending = self._stack.pending
        pending.extend(outputs)
        while pending:
            batch = pending[:]
            pending.clear()
            for output in batch:
                self._take(output)
        out, self._stack.out = self._stack.out, []
        return out

    def _take(self, output: Output) -> None:
        if isinstance(output, Send):
            self._stack.out.append(output)
        elif isinstance(output, RequestReceived):
            self._request(output)
        elif isinstance(output, AckReceived):
            self._ack(output)
        elif isinstance(output, CancelReceived):
            self._cancel(output)
        elif not isinstance(output, AckMissing):
            self._transaction(output)

    def _transaction(self, output: ResponseReceived | TimedOut | TransportFailed | Ended) -> None:
        self._stack.client_event(output)
        session = self._by_tx.get(output.tx)
        if session is None:
            return
        if isinstance(output, TransportFailed) and isinstance(session.invite, ServerInvite):
            session.invite.lost()
        elif isinstance(output, Ended):
            del self._by_tx[output.tx]

    def _idle(self, owner: int) -> None:
        """Forget a session that owes nothing any more."""
        session = self._sessions.get(owner)
        if session is not None and session.over:
            del self._sessions[owner]
            self._by_tag.pop((session.call_id, session.local_tag), None)

    # -- requests

    def _request(self, got: RequestReceived) -> None:
        request = got.request
        if request.to_tag:
            session = self._by_tag.get((request.call_id, request.to_tag))
            if session is None or not _is_peer(session, request):
                self._strangers += 1
                self._stack.reply(got.tx, request, 481)
                return
            if request.method == "INVITE":
                self._by_tx[got.tx] = session
            session.request(got.tx, request, got.flow)
        elif request.method in ("INVITE", "OPTIONS", "REFER"):
            if request.method == "INVITE":
                self._invite(got)
            elif request.method == "OPTIONS":
                self._options(got)
            else:
                self._stack.reply(got.tx, request, 403)
        else:
            self._strangers += 1
            self._stack.reply(got.tx, request, 481)

    def _judge(self, now_ms: int, request: Request, flow: Flow) -> Refusal | None:
        """Whether what would begin something may."""
        if request.method not in ("INVITE", "OPTIONS", "REFER"):
            return None
        refusal = self._admit(now_ms, request, flow)
        self._refused += refusal is not None
        return refusal

    def _options(self, got: RequestReceived) -> None:
        """As an INVITE would be answered (§11.2)."""
        headers = [
            ("Allow", ", ".join(self._config.allow)),
            ("Accept", SDP),
            ("Accept-Encoding", "identity"),
            ("Supported", ", ".join(self._config.supported)),
        ]
        if self.draining:
            headers.append(("Retry-After", str(self._config.retry_after_s)))
        self._stack.reply(got.tx, got.request, 503 if self.draining else 200, headers)

    def _invite(self, got: RequestReceived) -> None:
        request, stack = got.request, self._stack
        try:
            dialog = Dialog.uas(request, got.local_tag)
            status, replaced = self._replaced(request)
        except SipError:
            stack.reply(got.tx, request, 400)
            return
        session = Session(
            stack,
            next(self._numbers),
            request.call_id,
            got.local_tag,
            owns_call_id=False,
            near=got.flow,
        )
        if not status and session.clock.too_small(request):
            status = 422
        if status:
            extra = [session.clock.min_se] if status == 422 else []
            stack.reply(got.tx, request, status, extra)
            return
        session.dialog = dialog
        session.invite = ServerInvite(session, got.tx, request)
        session.heard(request, got.flow)
        self._by_tx[got.tx] = session
        self._add(session)
        self._incoming += 1
        stack.emit(Incoming(session.call, request, got.flow, sdp_of(request), replaced))

    def _replaced(self, request: Request) -> tuple[int, int | None]:
        """(status to refuse with or 0, the session that is replaced). RFC 3891 §3."""
        values = request.headers.all("Replaces")
        if not values:
            return 0, None
        wanted = read_replaces(values)
        session = self._by_tag.get((wanted.call_id, wanted.to_tag))
        dialog = session.dialog if session is not None else None
        if session is None or dialog is None or dialog.remote_tag != wanted.from_tag:
            return 481, None
        if session.over or session.leaving:
            return 603, None
        if session.is_up:
            return (486, None) if wanted.early_only else (0, session.call)
        return (0, session.call) if isinstance(session.invite, ClientInvite) else (481, None)

    def _ack(self, got: AckReceived) -> None:
        session = self._by_tag.get((got.request.call_id, got.request.to_tag))
        if session is None or not _is_peer(session, got.request):
            self._strangers += 1
            return
        session.acked(got.request, got.flow)

    def _cancel(self, got: CancelReceived) -> None:
        session = self._by_tx.get(got.tx)
        if session is None:
            return
        invite = session.invite
        if isinstance(invite, ServerInvite) and invite.tx == got.tx:
            invite.cancelled(got.request.headers.get("Reason") or "")
        else:
            session.offers.cancelled(got.tx)

    # -- the host

    def _add(self, session: Session) -> None:
        self._sessions[session.call] = session
        self._by_tag[session.call_id, session.local_tag] = session

    def dial(self, now_ms: int, outgoing: OutgoingCall) -> tuple[int, Out]:
        """Call somebody. Returns the call's number. Raises SipError for what cannot be written
        into a request; then there is no call."""
        stack = self._stack
        stack.now_ms = now_ms
        session = Session(
            stack,
            next(self._numbers),
            stack.ids.call_id(),
            stack.ids.tag(),
            owns_call_id=True,
            near=outgoing.flow,
            digest=outgoing.digest,
        )
        invite = ClientInvite(
            session,
            outgoing.uri,
            outgoing.local,
            outgoing.remote,
            outgoing.sdp,
            outgoing.headers,
            outgoing.flow,
            outgoing.digest,
        )
        session.invite = invite
        self._add(session)
        try:
            invite.start()
        except SipError:
            del self._sessions[session.call], self._by_tag[session.call_id, session.local_tag]
            raise
        self._outgoing += 1
        return session.call, self._run([])

    def register(self, now_ms: int, plan: RegistrationPlan, flow: Flow) -> tuple[int, Out]:
        """Register and stay registered. Returns its number."""
        self._stack.now_ms = now_ms
        owner = next(self._numbers)
        registration = Registration(self._stack, owner, plan)
        self._registrations[owner] = registration
        registration.start(flow)
        return owner, self._run([])

    def unregister(self, now_ms: int) -> Out:
        """Take all addresses away; an Unregistered for each follows."""
        self._stack.now_ms = now_ms
        for registration in self._registrations.values():
            registration.stop()
        return self._run([])


def _is_peer(session: Session, request: Request) -> bool:
    """Whether the request comes from the session's peer."""
    return session.dialog is not None and session.dialog.remote_tag == request.from_tag
