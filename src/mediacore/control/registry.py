"""Sessions of controllers, found by id, by protocol, by context and by call; kept for a resume."""

from __future__ import annotations

import hmac
from collections.abc import Iterator

from mediacore.wire.methods import READ
from mediacore.wire.relay_session import Grant, RelaySession


class Registry:
    """All sessions of a server. A session without a socket is detached and expires."""

    def __init__(self, max_sessions: int, keep_us: int) -> None:
        self._max = max_sessions
        self._keep_us = keep_us
        self._by_id: dict[str, RelaySession] = {}
        self._by_protocol: dict[str, RelaySession] = {}
        self._told: dict[str, dict[str, RelaySession]] = {}
        self._passed: dict[str, set[str]] = {}
        self._detached_us: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[RelaySession]:
        return iter(tuple(self._by_id.values()))

    @property
    def kept(self) -> int:
        """Sessions without a socket."""
        return len(self._detached_us)

    def get(self, session_id: str) -> RelaySession | None:
        """A session by its id."""
        return self._by_id.get(session_id)

    def full(self) -> bool:
        """Whether a new session does not fit; the oldest detached one would have to go."""
        return len(self._by_id) >= self._max

    def oldest_detached(self) -> RelaySession | None:
        """The session that has been without a socket for longest."""
        session_id = next(iter(self._detached_us), None)
        return None if session_id is None else self._by_id[session_id]

    def add(self, session: RelaySession) -> None:
        """Take in a new session."""
        self._by_id[session.id] = session
        self._by_protocol[session.protocol] = session

    def remove(self, session: RelaySession) -> None:
        """A session is over for good; idempotent."""
        if self._by_id.pop(session.id, None) is None:
            return
        del self._by_protocol[session.protocol]
        self._detached_us.pop(session.id, None)
        for call_id in tuple(session.told):
            self.untell(session, call_id)
        for passed in self._passed.values():
            passed.discard(session.id)

    def resumable(self, protocol: str, secret: str, grant: Grant) -> RelaySession | None:
        """The session to go on with, if the client proves that it is its own."""
        session = self._by_protocol.get(protocol) if protocol else None
        if session is None:
            return None
        proved = hmac.compare_digest(
            session.resume_secret.encode(), secret.encode(errors="replace")
        )
        same = (session.grant.project, session.grant.credential) == (
            grant.project,
            grant.credential,
        )
        return session if proved and same else None

    def attach(self, session: RelaySession) -> None:
        """The session has a socket again."""
        self._detached_us.pop(session.id, None)

    def detach(self, session: RelaySession, now_us: int) -> None:
        """The session's socket is gone; keep it for a while."""
        if session.id in self._by_id:
            self._detached_us[session.id] = now_us

    def expired(self, now_us: int) -> tuple[RelaySession, ...]:
        """Sessions that have been without a socket for too long."""
        return tuple(
            self._by_id[session_id]
            for session_id, since_us in self._detached_us.items()
            if now_us - since_us >= self._keep_us
        )

    def tell(self, session: RelaySession, call_id: str) -> None:
        """The session hears of this call from now on."""
        session.told.add(call_id)
        self._told.setdefault(call_id, {})[session.id] = session

    def untell(self, session: RelaySession, call_id: str) -> None:
        """The session hears nothing of this call any more; idempotent."""
        session.told.discard(call_id)
        told = self._told.get(call_id)
        if told is not None:
            told.pop(session.id, None)
            if not told:
                del self._told[call_id]

    def passed_on(self, session: RelaySession, call_id: str) -> None:
        """The session declined the call: it is not offered to it again."""
        self.untell(session, call_id)
        self._passed.setdefault(call_id, set()).add(session.id)

    def call_over(self, call_id: str) -> None:
        """Nobody will be offered this call again."""
        self._passed.pop(call_id, None)

    def told(self, call_id: str) -> tuple[RelaySession, ...]:
        """Sessions that hear of this call."""
        return tuple(self._told.get(call_id, {}).values())

    def subscribed(self, context: str, project: str, call_id: str) -> tuple[RelaySession, ...]:
        """Sessions to offer an incoming call to. project: empty for all."""
        passed = self._passed.get(call_id, ())
        return tuple(
            session
            for session in self._by_id.values()
            if context in session.contexts
            and session.may(READ)
            and project in ("", session.grant.project)
            and session.id not in passed
        )
