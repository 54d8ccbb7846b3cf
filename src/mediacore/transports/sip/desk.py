"""What lines and transfers need of the agent that they belong to."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from mediacore.slots.gateway import DialOut
from mediacore.transports.sip.media import MediaKit
from mediacore.transports.sip.settings import SipConfig
from mediacore.wire.sip.controls import Out
from mediacore.wire.sip.digest import DigestClient
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.signals import Signal
from mediacore.wire.sip.user_agent import OutgoingCall, UserAgent


class Listener(Protocol):
    """Takes the signals of calls."""

    def signal(self, signal: Signal) -> None:
        """Something happened to a call of this listener."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to call, and as whom. local, remote: From without tag, To."""

    uri: str
    local: str
    remote: str
    flow: Flow
    digest: DigestClient | None = field(default=None, repr=False)


class Desk(Protocol):
    """The agent, as seen from its lines. One event loop."""

    config: SipConfig
    kit: MediaKit
    ua: UserAgent

    def now_ms(self) -> int:
        """The loop's clock."""
        ...

    def do(self, out: Out) -> None:
        """Carry out what a method of `ua` returned."""
        ...

    def call_out(self, outgoing: OutgoingCall, listener: Listener) -> int:
        """A new call whose signals `listener` gets."""
        ...

    def attach(self, call: int, listener: Listener) -> None:
        """`listener` gets the signals of this call from now on."""
        ...

    async def target(self, destination: DialOut) -> Target:
        """Where a destination is. Raises LineFailedError."""
        ...

    async def target_of(self, uri: str, local: str) -> Target:
        """Where a URI is; `local`: From. Raises LineFailedError."""
        ...

    def may_refer(self, uri: str, host: str, party_host: str) -> bool:
        """Whether a party that is heard from `party_host` may be sent to `uri`, which is at the
        numeric `host`; a refusal is counted."""
        ...

    def may_send(self, uri: str) -> bool:
        """Whether we may ask a party to call `uri`; a refusal is counted."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run to its end, or to the agent's."""
        ...
