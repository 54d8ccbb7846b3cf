"""One WebSocket of a controller as a state machine: bytes and time in, actions out.

    NEW ──signalwire.connect──▶ CHECKING ──accept──▶ READY ──drain──▶ DRAINING
     │                              │ reject           │                  │
     └── late, Blade …              ▼                  ▼ silent, flood…   ▼
     └────────────────────────▶  CLOSED ◀──────────────┴──────────────────┘

The owner feeds `receive` and `tick` and carries out what they return; `Authenticate` is answered
with `accept` or `reject`, `Submit` with `answer`. Events come in through `event`. Every request
gets exactly one answer, at once or after `answer_within_us`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from mediacore.wire import frames
from mediacore.wire.bucket import TokenBucket
from mediacore.wire.frames import FrameError, Request, RequestId, Response
from mediacore.wire.limits import RelayLimits
from mediacore.wire.methods import (
    COMMANDS,
    PREFIX,
    SUPPORTED_CLIENTS,
    UNSUPPORTED,
    CloseCode,
    permission_of,
)
from mediacore.wire.relay_actions import (
    Authenticate,
    Close,
    Count,
    Forget,
    RelayAction,
    Send,
    Submit,
)
from mediacore.wire.relay_session import RelaySession

AUTH_REQUIRED = "AUTH_REQUIRED"
_PING = "p"
_GOODBYE = "d1"
_STATE_EVENT = "s1"
_VERSION_PARAM = "state_version"

Handler = Callable[["RelayConnection", Request, int], list[RelayAction]]


class Phase(Enum):
    """Where a connection stands."""

    NEW = "new"
    CHECKING = "checking"
    READY = "ready"
    DRAINING = "draining"
    CLOSED = "closed"


class RelayConnection:
    """One socket. Not thread-safe; `now_us` never runs backwards."""

    def __init__(
        self, limits: RelayLimits, now_us: int, commands: frozenset[str] = COMMANDS
    ) -> None:
        self.phase = Phase.NEW
        self.session: RelaySession | None = None
        self._limits = limits
        self._commands = commands
        self._bucket = TokenBucket(limits.requests_per_s, limits.request_burst, now_us)
        self._over_rate = 0
        self._opened_us = now_us
        self._open: dict[RequestId, int] = {}
        self._pings = 0
        self._ping_due_us = 0
        self._unanswered_since_us: int | None = None
        self._control: set[str] = set()

    @property
    def drained(self) -> bool:
        """Whether the client has confirmed the goodbye and no command waits for its answer."""
        return _GOODBYE not in self._control and not self._open

    # -- what comes from the client

    def receive(self, data: str | bytes, now_us: int) -> list[RelayAction]:
        """Take one message."""
        if self.phase is Phase.CLOSED:
            return []
        try:
            frame = frames.parse(data, self._limits.message_bytes)
        except FrameError as error:
            answer = frames.error_frame(error.request_id, error.code, error.message)
            return self._charged(now_us, [Count("malformed"), Send(answer)])
        if isinstance(frame, Response):
            return self._response(frame, now_us)
        if not self._bucket.take(now_us):
            return self._over(self._too_many(frame))
        self._over_rate = max(0, self._over_rate - 1)
        return self._request(frame, now_us)

    def tick(self, now_us: int) -> list[RelayAction]:
        """Time passed: pings, deadlines."""
        if self.phase is Phase.CLOSED:
            return []
        if self.phase in (Phase.NEW, Phase.CHECKING):
            if now_us - self._opened_us >= self._limits.auth_within_us:
                return [Count("refused"), *self._close(CloseCode.AUTH_LATE, "not authenticated")]
            return []
        return self._overdue_answers(now_us) + self._ping(now_us)

    # -- what comes from the owner

    def accept(
        self,
        request_id: RequestId,
        session: RelaySession,
        contexts: tuple[str, ...],
        now_us: int,
        *,
        restored: bool,
        timestamp: float,
    ) -> list[RelayAction]:
        """The credentials are good: the connection now carries `session`."""
        if self.phase is not Phase.CHECKING:
            return []
        why = session.subscribe(contexts)
        if why:
            return self.reject(request_id, why, "CONTEXT_FORBIDDEN")
        self.phase = Phase.READY
        self.session = session
        self._ping_due_us = now_us + self._limits.ping_every_us
        grant = session.grant
        result: dict[str, object] = {
            "protocol": session.protocol,
            "identity": session.id,
            "sessionid": session.id,
            "session_restored": restored,
            "contexts": sorted(session.contexts),
            "authorization": {
                "project": grant.project,
                "scope": sorted(grant.permissions),
            },
        }
        state = {
            "event_type": "signalwire.authorization.state",
            "event_channel": session.protocol,
            "timestamp": timestamp,
            "project_id": grant.project,
            "space_id": "",
            "params": {"authorization_state": session.resume_secret},
        }
        self._control.add(_STATE_EVENT)
        return [
            Send(frames.result_frame(request_id, result)),
            Send(frames.request_frame(_STATE_EVENT, "signalwire.event", state)),
            *(Send(frame) for frame in session.unacked()),
        ]

    def reject(
        self, request_id: RequestId, message: str, reason: str = AUTH_REQUIRED
    ) -> list[RelayAction]:
        """The client may not come in. reason: the word in data.signalwire_error_code."""
        answer = frames.error_frame(request_id, frames.AUTH_REQUIRED, message, reason)
        return [
            Count("refused"),
            Send(answer),
            *self._close(CloseCode.AUTH_FAILED, "authentication failed"),
        ]

    def answer(
        self, request_id: RequestId, code: str, message: str, data: Mapping[str, object]
    ) -> list[RelayAction]:
        """What became of a submitted command. An answer nobody waits for is counted."""
        if self._open.pop(request_id, None) is None:
            return [Count("late_answers")]
        try:
            frame = frames.result_frame(request_id, {**data, "code": code, "message": message})
        except frames.UnencodableError:
            return [Count("unencodable"), *self._say(request_id, "500", "no usable answer")]
        return [Send(frame)]

    def event(self, frame: bytes) -> list[RelayAction]:
        """An event that the session has queued."""
        return [Send(frame)] if self.phase in (Phase.READY, Phase.DRAINING) else []

    def drain(self, *, restart: bool, reason: str) -> list[RelayAction]:
        """Say goodbye; the socket stays open until `drained` or until the owner closes it."""
        if self.phase is not Phase.READY:
            return []
        self.phase = Phase.DRAINING
        return [Send(self._goodbye(restart=restart, reason=reason))]

    def drop(self, code: CloseCode, reason: str) -> list[RelayAction]:
        """Close on a client that breaks its caps. It is told why; what waits is not sent."""
        if self.phase is Phase.CLOSED:
            return []
        self.phase = Phase.CLOSED
        return [Close(code, reason, False, self._goodbye(restart=False, reason=reason))]

    def close(self, code: CloseCode, reason: str) -> list[RelayAction]:
        """Close the socket after what is still to be sent."""
        return [] if self.phase is Phase.CLOSED else self._close(code, reason)

    # -- responses

    def _response(self, frame: Response, now_us: int) -> list[RelayAction]:
        if frame.id in self._control:
            self._control.discard(str(frame.id))
            if str(frame.id).startswith(_PING):
                self._unanswered_since_us = None
                self._control = {each for each in self._control if not each.startswith(_PING)}
            return []
        entry = self.session.outbox.ack(frame.id) if self.session is not None else None
        if entry is None:
            return self._charged(now_us, [])
        if entry.ends:
            return [Count("acked"), Forget(entry.ends)]
        return [Count("acked")]

    # -- requests

    def _request(self, frame: Request, now_us: int) -> list[RelayAction]:
        if frame.method == "blade.connect":
            return self._blade(frame)
        if self.phase is not Phase.READY and self.phase is not Phase.DRAINING:
            if frame.method == "signalwire.connect" and self.phase is Phase.NEW:
                return self._connect(frame)
            return [
                Send(
                    frames.error_frame(
                        frame.id,
                        frames.AUTH_REQUIRED,
                        "signalwire.connect comes first",
                        AUTH_REQUIRED,
                    )
                )
            ]
        handler = _HANDLERS.get(frame.method)
        if handler is not None:
            return handler(self, frame, now_us)
        if frame.method.startswith(PREFIX):
            return self._calling(frame, now_us)
        if frame.method.startswith("messaging."):
            return self._unsupported(frame, "messaging")
        return self._error(frame, frames.METHOD_NOT_FOUND, "no such method")

    def _connect(self, frame: Request) -> list[RelayAction]:
        params = frame.params
        credentials = params.get("authentication")
        contexts = self._context_names(params.get("contexts") or [])
        protocol = params.get("protocol") or ""
        secret = params.get("authorization_state") or ""
        if not isinstance(credentials, dict):
            return self.reject(frame.id, "the authentication is missing")
        if contexts is None or not isinstance(protocol, str) or not isinstance(secret, str):
            return self._error(frame, frames.INVALID_PARAMS, "the parameters are not usable")
        if not _version_known(params.get("version")):
            return self._error(frame, frames.INVALID_PARAMS, "protocol version 2 or 3 is needed")
        self.phase = Phase.CHECKING
        acks = params.get("event_acks", True) is not False
        return [Authenticate(frame.id, credentials, protocol, secret, contexts, acks)]

    def _connect_again(self, frame: Request, _now_us: int) -> list[RelayAction]:
        return self._error(frame, frames.INVALID_REQUEST, "already connected")

    def _pinged(self, frame: Request, _now_us: int) -> list[RelayAction]:
        return [Send(frames.result_frame(frame.id, {}))]

    def _leave(self, frame: Request, _now_us: int) -> list[RelayAction]:
        answer = Send(frames.result_frame(frame.id, {}))
        return [answer, *self._close(CloseCode.NORMAL, "as asked")]

    def _receive_contexts(self, frame: Request, _now_us: int) -> list[RelayAction]:
        contexts = self._context_names(frame.params.get("contexts"))
        if contexts is None or self.session is None:
            return self._say(frame.id, "400", "contexts is not a list of names")
        why = self.session.subscribe(contexts)
        if why:
            return self._say(frame.id, "403", why)
        return self._say(frame.id, "200", "incoming calls of these contexts will be offered")

    def _unreceive_contexts(self, frame: Request, _now_us: int) -> list[RelayAction]:
        contexts = self._context_names(frame.params.get("contexts"))
        if contexts is None or self.session is None:
            return self._say(frame.id, "400", "contexts is not a list of names")
        self.session.unsubscribe(contexts)
        return self._say(frame.id, "200", "incoming calls of these contexts are not offered")

    def _calling(self, frame: Request, now_us: int) -> list[RelayAction]:
        method = frame.method.removeprefix(PREFIX)
        if method in UNSUPPORTED:
            return self._unsupported(frame, UNSUPPORTED[method])
        if method not in self._commands:
            return self._unsupported(frame, "this method")
        if self.phase is Phase.DRAINING:
            return self._say(frame.id, "503", "the server is going away")
        permission = permission_of(method)
        if self.session is None or not self.session.may(permission):
            return [
                Count("forbidden"),
                *self._say(frame.id, "403", f'the token lacks the permission "{permission}"'),
            ]
        call_id = frame.params.get("call_id", "")
        version = frame.params.get(_VERSION_PARAM)
        if not isinstance(call_id, str) or bool(call_id) is (method == "dial"):
            return self._say(frame.id, "400", "call_id is missing or not text")
        if version is not None and (type(version) is not int or version < 0):
            return self._say(frame.id, "400", f"{_VERSION_PARAM} is not a whole number")
        if frame.id in self._open:
            return self._error(frame, frames.INVALID_REQUEST, "this id is already in use")
        if len(self._open) >= self._limits.open_requests:
            return [Count("limited"), *self._say(frame.id, "429", "too many open commands")]
        self._open[frame.id] = now_us + self._limits.answer_within_us
        own = ("node_id", "call_id", _VERSION_PARAM)
        params = {key: value for key, value in frame.params.items() if key not in own}
        return [Submit(frame.id, method, call_id, params, version)]

    # -- pieces

    def _blade(self, frame: Request) -> list[RelayAction]:
        text = f"Blade clients are not supported; supported are {SUPPORTED_CLIENTS}"
        return [Count("unsupported"), *self._error(frame, frames.METHOD_NOT_FOUND, text)]

    def _unsupported(self, frame: Request, what: str) -> list[RelayAction]:
        text = f"{frame.method}: {what} is not supported by this server"
        return [Count("unsupported"), *self._say(frame.id, "501", text)]

    def _say(self, request_id: RequestId, code: str, message: str) -> list[RelayAction]:
        return [Send(frames.result_frame(request_id, {"code": code, "message": message}))]

    def _error(self, frame: Request, code: int, message: str) -> list[RelayAction]:
        return [Send(frames.error_frame(frame.id, code, message))]

    def _too_many(self, frame: Request) -> list[RelayAction]:
        if frame.method.startswith(PREFIX):
            return self._say(frame.id, "429", "too many requests")
        return self._error(frame, frames.TOO_MANY_REQUESTS, "too many requests")

    def _charged(self, now_us: int, actions: list[RelayAction]) -> list[RelayAction]:
        return actions if self._bucket.take(now_us) else self._over(actions)

    def _over(self, actions: list[RelayAction]) -> list[RelayAction]:
        self._over_rate += 1
        if self._over_rate > self._limits.request_burst:
            return [Count("flooded"), *self.drop(CloseCode.FLOOD, "too many requests")]
        return [Count("limited"), *actions]

    def _context_names(self, value: Any) -> tuple[str, ...] | None:
        if not isinstance(value, list) or len(value) > self._limits.contexts:
            return None
        for name in value:
            if not isinstance(name, str) or not 0 < len(name) <= self._limits.context_chars:
                return None
        return tuple(value)

    def _overdue_answers(self, now_us: int) -> list[RelayAction]:
        actions: list[RelayAction] = []
        for request_id in [key for key, due_us in self._open.items() if due_us <= now_us]:
            del self._open[request_id]
            actions.append(Count("unanswered"))
            actions += self._say(request_id, "504", "the call has not answered in time")
        return actions

    def _ping(self, now_us: int) -> list[RelayAction]:
        since_us = self._unanswered_since_us
        if since_us is not None and now_us - since_us >= self._limits.pong_within_us:
            reason = "no answer to our pings"
            return [Count("silent"), *self._close(CloseCode.SILENT, reason, flush=False)]
        if now_us < self._ping_due_us:
            return []
        self._ping_due_us = now_us + self._limits.ping_every_us
        self._pings += 1
        ping_id = f"{_PING}{self._pings}"
        self._control.add(ping_id)
        if since_us is None:
            self._unanswered_since_us = now_us
        return [Send(frames.request_frame(ping_id, "signalwire.ping", {}))]

    def _goodbye(self, *, restart: bool, reason: str) -> bytes:
        self._control.add(_GOODBYE)
        params = {"restart": restart, "reason": reason}
        return frames.request_frame(_GOODBYE, "signalwire.disconnect", params)

    def _close(self, code: CloseCode, reason: str, *, flush: bool = True) -> list[RelayAction]:
        self.phase = Phase.CLOSED
        return [Close(code, reason, flush)]


def _version_known(version: object) -> bool:
    """Python clients say {major 2}, Node {major 3}; none at all is taken as 2."""
    return version is None or (isinstance(version, dict) and version.get("major") in (2, 3))


_HANDLERS: Mapping[str, Handler] = {
    "signalwire.connect": RelayConnection._connect_again,
    "signalwire.ping": RelayConnection._pinged,
    "signalwire.disconnect": RelayConnection._leave,
    "signalwire.receive": RelayConnection._receive_contexts,
    "signalwire.unreceive": RelayConnection._unreceive_contexts,
}
