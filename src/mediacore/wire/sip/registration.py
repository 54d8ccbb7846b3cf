"""Telling a registrar where we are, and staying known. RFC 3261 §10, RFC 5626 §4.4.1.

IDLE ─► ASKING ─► KNOWN ─► ASKING …  at half the expiry; a refusal waits longer each time.
                    └─► LEAVING ─► IDLE
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from mediacore.wire.sip.digest import Credentials, DigestClient
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.fields import NameAddr
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.message import Response, make_request
from mediacore.wire.sip.outputs import Send
from mediacore.wire.sip.signals import Registered, RegistrationFailed, Unregistered
from mediacore.wire.sip.stack import Answer, Stack

_PING: Final = b"\r\n\r\n"
_FIRST_RETRY_MS: Final = 5_000
_LAST_RETRY_MS: Final = 600_000
_SHORTEST_S: Final = 10
_LONGEST_S: Final = 86_400


class RegState(Enum):
    """How the registrar sees us."""

    IDLE = "idle"
    ASKING = "asking"
    KNOWN = "known"
    WAITING = "waiting"  # refused; tried again later
    LEAVING = "leaving"


class RegCue(Enum):
    """What can happen."""

    START = "start"
    TAKEN = "taken"
    REFUSED = "refused"
    DUE = "due"
    STOP = "stop"
    GONE = "gone"


_S = RegState
REG_TABLE: Final[Mapping[tuple[RegState, RegCue], RegState]] = {
    (_S.IDLE, RegCue.START): _S.ASKING,
    (_S.ASKING, RegCue.TAKEN): _S.KNOWN,
    (_S.ASKING, RegCue.REFUSED): _S.WAITING,
    (_S.ASKING, RegCue.STOP): _S.LEAVING,
    (_S.KNOWN, RegCue.DUE): _S.ASKING,
    (_S.KNOWN, RegCue.STOP): _S.LEAVING,
    (_S.WAITING, RegCue.DUE): _S.ASKING,
    (_S.WAITING, RegCue.STOP): _S.IDLE,
    (_S.LEAVING, RegCue.GONE): _S.IDLE,
}
"""Absent: the cue changes nothing in that state."""


@dataclass(frozen=True, slots=True)
class RegistrationPlan:
    """aor: the address to be known by, as a URI. registrar: URI without user. keepalive_ms: CRLF on
    the way there each so often, 0 = never."""

    name: str
    aor: str
    registrar: str
    username: str
    password: str = field(repr=False)
    expires_s: int = 300
    keepalive_ms: int = 25_000
    realms: tuple[str, ...] = ()


class Registration:
    """One address at one registrar. owner: its number among the owners of requests."""

    def __init__(self, stack: Stack, owner: int, plan: RegistrationPlan) -> None:
        self.state = RegState.IDLE
        self.plan = plan
        self._stack = stack
        self._owner = owner
        self._flow: Flow | None = None
        self._call_id = stack.ids.call_id()
        self._tag = stack.ids.tag()
        self._cseq = 0
        self._expires_s = plan.expires_s
        self._retry_ms = _FIRST_RETRY_MS
        credentials = Credentials(plan.username, plan.password, plan.realms)
        self._digest = DigestClient(credentials, stack.ids)

    def _move(self, cue: RegCue) -> bool:
        to = REG_TABLE.get((self.state, cue))
        if to is None:
            return False
        self.state = to
        return True

    def start(self, flow: Flow) -> None:
        """Register by this way."""
        self._flow = flow
        if self._move(RegCue.START):
            self._register(self._expires_s)

    def stop(self) -> None:
        """Take the address away; Unregistered follows."""
        was = self.state
        self._stack.timers.drop_owner(self._owner)
        if not self._move(RegCue.STOP) or self.state is RegState.IDLE:
            if was is not RegState.LEAVING:
                self._stack.emit(Unregistered(self.plan.name))
            return
        self._register(0)

    def _register(self, expires_s: int) -> None:
        assert self._flow is not None
        contact = self._contact(self._flow)
        lines = [
            ("Max-Forwards", "70"),
            ("From", f"<{self.plan.aor}>;tag={self._tag}"),
            ("To", f"<{self.plan.aor}>"),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._number()} REGISTER"),
            ("Contact", f"<{contact}>;expires={expires_s}"),
            ("Expires", str(expires_s)),
            ("Allow", ", ".join(self._stack.config.allow)),
        ]
        request = make_request("REGISTER", self.plan.registrar, lines)
        left = self.state is RegState.LEAVING

        def answered(answer: Answer) -> None:
            if answer.final:
                self._gone() if left else self._answered(answer)

        self._stack.ask(self._owner, request, self._flow, answered, self._number, self._digest)

    def _contact(self, flow: Flow) -> str:
        user = self.plan.aor.partition(":")[2].partition("@")[0] or self._stack.config.user
        transport = "" if flow.transport == "UDP" else f";transport={flow.transport.lower()}"
        return f"sip:{user}@{flow.sent_by}{transport}"

    def _number(self) -> int:
        self._cseq += 1
        return self._cseq

    def _gone(self) -> None:
        if self._move(RegCue.GONE):
            self._stack.emit(Unregistered(self.plan.name))

    def _answered(self, answer: Answer) -> None:
        response = answer.response
        if self.state is RegState.LEAVING:
            return
        if answer.good and response is not None:
            self._taken(response)
            return
        if response is not None and response.status == 423:
            least = _seconds(response.headers.get("Min-Expires"))
            if self._expires_s < least <= _LONGEST_S:
                self._expires_s = least
                self._register(least)
                return
        if self._move(RegCue.REFUSED):
            delay = self._retry_ms + self._stack.random_ms(0, self._retry_ms // 2)
            self._retry_ms = min(self._retry_ms * 2, _LAST_RETRY_MS)
            self._stack.timers.drop((self._owner, "ping"))
            self._stack.after(self._owner, "due", delay, self._due)
            self._stack.emit(RegistrationFailed(self.plan.name, answer.status, delay))

    def _taken(self, response: Response) -> None:
        if not self._move(RegCue.TAKEN):
            return
        self._retry_ms = _FIRST_RETRY_MS
        expires_s = min(max(self._granted(response), _SHORTEST_S), _LONGEST_S)
        self._stack.after(self._owner, "due", expires_s * 1000 // 2, self._due)
        self._stack.emit(Registered(self.plan.name, expires_s))
        self._ping(first=True)

    def _granted(self, response: Response) -> int:
        """What the registrar made of our wish (§10.2.4)."""
        assert self._flow is not None
        ours = self._contact(self._flow)
        for value in response.headers.items_of("Contact"):
            try:
                contact = NameAddr.parse(value)
            except SipError:
                continue
            if contact.uri == ours and "expires" in contact.params:
                return _seconds(contact.params["expires"])
        return _seconds(response.headers.get("Expires")) or self._expires_s

    def _due(self) -> None:
        if self._move(RegCue.DUE):
            self._register(self._expires_s)

    def _ping(self, *, first: bool) -> None:
        """Keep the way through a NAT, or the connection, open."""
        if not self.plan.keepalive_ms or self._flow is None:
            return
        if not first:
            self._stack.pending.append(Send(self._flow, _PING))
        delay = self.plan.keepalive_ms
        self._stack.after(self._owner, "ping", delay, lambda: self._ping(first=False))

    def failed(self, flow: Flow) -> None:
        """The connection to the registrar is gone: register again soon."""
        if self._flow is None or flow.remote != self._flow.remote:
            return
        if self.state is RegState.KNOWN:
            delay = self._stack.random_ms(500, _FIRST_RETRY_MS)
            self._stack.after(self._owner, "due", delay, self._due)


def _seconds(value: str | None) -> int:
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
