"""Gateway slot: lines to and from the outside. One object per far party."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from mediacore._core import Leg
from mediacore.call.record import TransportFacts
from mediacore.errors import MediacoreError


class LineEnd(StrEnum):
    """Why a line ended or did not come to be; the published words."""

    HANGUP = "hangup"
    CANCEL = "cancel"
    BUSY = "busy"
    NO_ANSWER = "noAnswer"
    DECLINE = "decline"
    ERROR = "error"
    ABANDONED = "abandoned"
    MAX_DURATION = "max_duration"
    NOT_FOUND = "not_found"


class LineFailedError(MediacoreError):
    """The line could not be set up."""

    def __init__(self, reason: LineEnd, detail: str = "") -> None:
        super().__init__(detail or reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Party:
    """A far party. kind: "phone" | "sip" | "webrtc". number: of the party itself."""

    kind: str
    direction: Literal["inbound", "outbound"]
    from_number: str
    to_number: str
    headers: Mapping[str, str] = field(default_factory=dict)


class FarLine(Protocol):
    """Signalling of one line. Used by one call; cancelling a method is allowed at any time."""

    @property
    def party(self) -> Party:
        """Who it is."""
        ...

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        """Inbound: answer. Outbound: dial, until the party answers.

        The leg carries the media from now on and belongs to the caller of this method, who
        closes and frees it. Raises LineFailedError.
        """
        ...

    @property
    def transport(self) -> TransportFacts:
        """How the media travels; valid once connected."""
        ...

    def far_delay_ms(self) -> int | None:
        """How far the party's ear is behind what the leg has put out, as the transport measures
        it (echoed marks, the state of the far queue). None = not known; RTCP serves."""
        ...

    async def hangup(self, reason: LineEnd) -> None:
        """End the signalling in whatever state it is; idempotent. Inbound and not connected:
        refuse with this reason."""
        ...

    async def wait_gone(self) -> LineEnd:
        """Wait until the far party hangs up (or, inbound and not answered, gives up)."""
        ...


@dataclass(frozen=True, slots=True)
class Referral:
    """What became of sending a party elsewhere: SIP status codes, 0 = none came.

    response: of the party to the request. notify: of the new address, as the party reports it.
    """

    response: int
    notify: int = 0


@runtime_checkable
class Referable(Protocol):
    """A FarLine whose party can be sent elsewhere by its own signalling."""

    async def refer(self, to_uri: str) -> Referral:
        """Ask the party to call another address (RFC 3515) and wait for what it reports.

        The line stays as it is; a party that was served elsewhere hangs up by itself.
        """
        ...


@dataclass(frozen=True, slots=True)
class DialOut:
    """A destination. codecs: in order of preference, empty = the gateway's."""

    kind: str
    to_number: str
    from_number: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    codecs: tuple[str, ...] = ()
    timeout_ms: int = 60_000
    username: str = ""
    password: str = field(default="", repr=False)


class Gateway(Protocol):
    """Sets up outbound lines. Inbound ones are handed to the host by whoever receives them."""

    def dial(self, destination: DialOut) -> FarLine:
        """A line that is not dialled yet; `connect` dials."""
        ...
