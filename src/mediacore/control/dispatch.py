"""Between the sockets of controllers and the calls: commands one way, events the other.

No sockets here: a `Port` is where frames of one connection go. Everything runs on one event loop;
nothing waits.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mediacore.control.auth import Authenticator
from mediacore.control.config import ControlConfig
from mediacore.control.errors import AuthError
from mediacore.control.registry import Registry
from mediacore.control.stats import ControlSnapshot, snapshot
from mediacore.runtime.ports import Answer, CallHost, Command, Published
from mediacore.wire.frames import UnencodableError
from mediacore.wire.methods import CloseCode
from mediacore.wire.relay_actions import (
    Authenticate,
    Close,
    Count,
    Forget,
    RelayAction,
    Send,
    Submit,
)
from mediacore.wire.relay_connection import RelayConnection
from mediacore.wire.relay_events import event_entry, event_params
from mediacore.wire.relay_session import RelaySession

log = logging.getLogger("mediacore.control")

_SLOW = "events were not taken fast enough"
_MAX_RINGING = 1000  # calls offered to controllers that come later


class Port(Protocol):
    """Where the frames of one connection go; never blocks."""

    def send(self, frame: bytes) -> bool:
        """Queue a text message; False when the queue is full."""
        ...

    def close(self, code: int, reason: str, *, flush: bool, last: bytes = b"") -> None:
        """Close the socket. Not flush: what waits is thrown away. last: still goes out."""
        ...


@dataclass(slots=True, eq=False)
class Peer:
    """One open connection and where its frames go."""

    connection: RelayConnection
    port: Port


@dataclass(frozen=True, slots=True)
class Sources:
    """What the dispatcher takes from outside.

    clock_us: monotonic. wallclock: UTC seconds. ids: unique names. secret: unguessable text.
    defer: calls a function soon, from the loop.
    """

    clock_us: Callable[[], int]
    wallclock: Callable[[], float]
    ids: Callable[[], str]
    secret: Callable[[], str]
    defer: Callable[[Callable[[], None]], object]


def _contexts(peer: Peer) -> frozenset[str]:
    session = peer.connection.session
    return session.contexts if session is not None else frozenset()


class Dispatcher:
    """All connections and sessions of one control server."""

    def __init__(self, config: ControlConfig, host: CallHost, sources: Sources) -> None:
        self.node_id = config.node_id or f"node-{sources.ids()}"
        self._config = config
        self._host = host
        self._sources = sources
        self._authenticator = Authenticator(config, sources.wallclock)
        self._registry = Registry(config.server.sessions, config.limits.keep_us)
        self._peers: set[Peer] = set()
        self._attached: dict[str, Peer] = {}
        self._counts: Counter[str] = Counter()
        self._ringing: dict[str, Published] = {}

    # -- sockets

    def open(self, port: Port) -> Peer:
        """A socket came up."""
        connection = RelayConnection(
            self._config.limits, self._sources.clock_us(), self._config.commands
        )
        peer = Peer(connection, port)
        self._peers.add(peer)
        return peer

    def received(self, peer: Peer, data: str | bytes) -> None:
        """A text message came in."""
        before = _contexts(peer)
        self._carry_out(peer, peer.connection.receive(data, self._sources.clock_us()))
        if _contexts(peer) - before:
            self._offer_ringing(peer)

    def _offer_ringing(self, peer: Peer) -> None:
        """Calls that rang before this controller asked for their context."""
        session = peer.connection.session
        for offer in tuple(self._ringing.values()):
            told = self._registry.told(offer.call_id)
            open_to = self._registry.subscribed(offer.context, offer.project, offer.call_id)
            if session is not None and session in open_to and session not in told:
                self._registry.tell(session, offer.call_id)
                self._hand(offer, [session], "")

    def lost(self, peer: Peer) -> None:
        """The socket is gone; its session waits to be resumed. Idempotent."""
        self._peers.discard(peer)
        session = peer.connection.session
        if session is not None and self._attached.get(session.id) is peer:
            del self._attached[session.id]
            self._registry.detach(session, self._sources.clock_us())

    @property
    def connections(self) -> int:
        """Open sockets."""
        return len(self._peers)

    def refused(self) -> None:
        """A connection was turned away before it became one."""
        self._counts["refused"] += 1

    def sweep(self) -> None:
        """Time passed: pings, deadlines, kept sessions that nobody came back for."""
        now_us = self._sources.clock_us()
        for peer in tuple(self._peers):
            self._carry_out(peer, peer.connection.tick(now_us))
        for session in self._registry.expired(now_us):
            self._counts["expired"] += 1
            self._end(session, "expired")

    def drain(self) -> None:
        """Tell all clients to come back later."""
        for peer in tuple(self._peers):
            self._carry_out(peer, peer.connection.drain(restart=True, reason="going away"))

    @property
    def drained(self) -> bool:
        """Whether every client has confirmed the goodbye and has all its answers."""
        return all(peer.connection.drained for peer in self._peers)

    def shut(self) -> None:
        """Close all sockets and end all sessions."""
        for peer in tuple(self._peers):
            actions = peer.connection.close(CloseCode.GOING_AWAY, "the server is going away")
            self._carry_out(peer, actions)
        for session in self._registry:
            self._registry.remove(session)
            self._host.gone(session.id)
        self._attached.clear()

    def snapshot(self) -> ControlSnapshot:
        """Counters and what there is now."""
        return snapshot(
            self._counts,
            connections=len(self._peers),
            sessions=len(self._registry),
            kept=self._registry.kept,
            unacked=sum(len(session.outbox) for session in self._registry),
        )

    # -- events of the calls

    def deliver(self, published: Published) -> None:
        """Hand an event to every session that is to hear of it. Never raises."""
        self._note_ringing(published)
        receivers = self._receivers(published)
        ends = self._ends(published)
        if ends:
            self._registry.call_over(ends)
        if not receivers:
            self._counts["unrouted"] += 1
            return
        self._hand(published, receivers, ends)

    def _note_ringing(self, published: Published) -> None:
        if published.context and published.event_type == "calling.call.receive":
            if len(self._ringing) < _MAX_RINGING:
                self._ringing[published.call_id] = published
        elif published.params.get("call_state") in ("answered", "ending", "ended"):
            self._ringing.pop(published.call_id, None)

    def _hand(self, published: Published, receivers: list[RelaySession], ends: str) -> None:
        try:
            params = event_params(published.params, published.call_id, self.node_id)
            entry_type = published.event_type
            timestamp = self._sources.wallclock()
            entries = [
                (each, event_entry(each, entry_type, params, timestamp=timestamp, ends=ends))
                for each in receivers
            ]
        except UnencodableError:
            self._counts["unencodable"] += 1
            log.error(
                "event cannot be written",
                extra={"event_type": published.event_type, "call_id": published.call_id},
            )
            return
        for session, entry in entries:
            self._counts["events"] += 1
            if not session.queue(entry):
                self._too_slow(session)
                continue
            peer = self._attached.get(session.id)
            if peer is not None:
                self._carry_out(peer, peer.connection.event(entry.frame))
            if ends and not session.acks:
                self._registry.untell(session, ends)

    def _receivers(self, published: Published) -> list[RelaySession]:
        found: dict[str, RelaySession] = {}
        call_id = published.call_id
        if call_id:
            found.update((each.id, each) for each in self._registry.told(call_id))
        issuer = self._registry.get(published.issuer) if published.issuer else None
        if issuer is not None:
            found[issuer.id] = issuer
        if published.context:
            subscribed = self._registry.subscribed(published.context, published.project, call_id)
            found.update((each.id, each) for each in subscribed)
        if call_id:
            for session in found.values():
                self._registry.tell(session, call_id)
        return list(found.values())

    def _ends(self, published: Published) -> str:
        ended = published.params.get("call_state") == "ended"
        return published.call_id if published.event_type == "calling.call.state" and ended else ""

    def _too_slow(self, session: RelaySession) -> None:
        self._counts["dropped"] += 1
        waiting = len(session.outbox)
        log.warning(
            "subscriber dropped",
            extra={"session": session.id, "reason": "slow", "unacked": waiting},
        )
        peer = self._attached.get(session.id)
        self._end(session, "slow")
        if peer is not None:
            self._carry_out(peer, peer.connection.drop(CloseCode.SLOW, _SLOW))

    def _end(self, session: RelaySession, reason: str) -> None:
        """A session is over for good. The host hears of it from the loop, not from inside a
        delivery of its own."""
        self._registry.remove(session)
        self._attached.pop(session.id, None)
        log.info("session over", extra={"session": session.id, "reason": reason})
        self._sources.defer(lambda: self._host.gone(session.id))

    # -- actions of connections

    def _carry_out(self, peer: Peer, actions: list[RelayAction]) -> None:
        for action in actions:
            match action:
                case Send():
                    if not peer.port.send(action.frame):
                        self._overflowed(peer)
                        return
                case Close():
                    self._closed(peer, action)
                case Submit():
                    self._submit(peer, action)
                case Authenticate():
                    self._authenticate(peer, action)
                case Forget():
                    if peer.connection.session is not None:
                        self._registry.untell(peer.connection.session, action.call_id)
                case Count():
                    self._counts[action.what] += 1

    def _overflowed(self, peer: Peer) -> None:
        """The socket takes nothing any more although frames for it pile up."""
        session = peer.connection.session
        if session is not None and self._attached.get(session.id) is peer:
            self._too_slow(session)
            return
        self._carry_out(peer, peer.connection.drop(CloseCode.SLOW, _SLOW))

    def _closed(self, peer: Peer, action: Close) -> None:
        peer.port.close(action.code, action.reason, flush=action.flush, last=action.last)
        self.lost(peer)

    def _authenticate(self, peer: Peer, asked: Authenticate) -> None:
        connection = peer.connection
        try:
            grant = self._authenticator.check(asked.credentials)
        except AuthError as error:
            log.warning("controller refused", extra={"reason": str(error)})
            self._carry_out(peer, connection.reject(asked.request_id, str(error)))
            return
        session = self._registry.resumable(asked.protocol, asked.resume_secret, grant)
        restored = session is not None
        if session is None:
            session = RelaySession(
                self._sources.ids(),
                f"signalwire_{self._sources.ids()}",
                self._sources.secret(),
                grant,
                self._config.limits,
                acks=asked.acks,
            )
        else:
            session.grant = grant
        why = session.refusal(asked.contexts)
        if why:
            self._carry_out(peer, connection.reject(asked.request_id, why, "FORBIDDEN"))
            return
        if not restored and not self._room():
            text = "too many sessions"
            self._carry_out(peer, connection.reject(asked.request_id, text, "UNAVAILABLE"))
            return
        self._welcome(peer, asked, session, restored=restored)

    def _room(self) -> bool:
        """Whether a new session fits, if need be in the place of the oldest kept one."""
        if not self._registry.full():
            return True
        oldest = self._registry.oldest_detached()
        if oldest is None:
            return False
        self._counts["expired"] += 1
        self._end(oldest, "displaced")
        return True

    def _welcome(
        self, peer: Peer, asked: Authenticate, session: RelaySession, *, restored: bool
    ) -> None:
        if restored:
            self._counts["resumed"] += 1
            before = self._attached.pop(session.id, None)
            if before is not None:
                text = "the session goes on over another connection"
                self._carry_out(before, before.connection.close(CloseCode.REPLACED, text))
            self._registry.attach(session)
        else:
            self._registry.add(session)
        self._attached[session.id] = peer
        log.info("controller connected", extra={"session": session.id, "restored": restored})
        actions = peer.connection.accept(
            asked.request_id,
            session,
            asked.contexts,
            self._sources.clock_us(),
            restored=restored,
            timestamp=self._sources.wallclock(),
        )
        self._carry_out(peer, actions)

    def _submit(self, peer: Peer, asked: Submit) -> None:
        session = peer.connection.session
        if session is None:
            return
        command = Command(
            issuer=session.id,
            project=session.grant.project,
            permissions=session.grant.permissions,
            method=asked.method,
            call_id=asked.call_id,
            params=asked.params,
            version=asked.version,
        )
        self._counts["commands"] += 1

        def reply(answer: Answer) -> None:
            self._answered(peer, session, asked, answer)

        try:
            self._host.submit(command, reply)
        except Exception:
            log.exception("command failed", extra={"method": asked.method})
            reply(Answer("500", "the command failed inside the server"))

    def _answered(self, peer: Peer, session: RelaySession, asked: Submit, answer: Answer) -> None:
        if asked.method == "pass" and answer.code.startswith("2"):
            self._registry.passed_on(session, asked.call_id)
        if peer not in self._peers:
            self._counts["late_answers"] += 1
            return
        data: dict[str, object] = {}
        if asked.call_id:
            data = {"call_id": asked.call_id, "node_id": self.node_id}
        control_id = asked.params.get("control_id")
        if isinstance(control_id, str):
            data["control_id"] = control_id
        data.update(answer.data)
        actions = peer.connection.answer(asked.request_id, answer.code, answer.message, data)
        self._carry_out(peer, actions)
