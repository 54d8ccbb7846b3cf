"""What a control connection asks of its owner. Imperative, frozen; carried out in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mediacore.wire.frames import RequestId
from mediacore.wire.methods import CloseCode


@dataclass(frozen=True, slots=True)
class Send:
    """Send one text message."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket. flush: what waits goes out first. last: a message that goes out last,
    even when what waits does not."""

    code: CloseCode
    reason: str
    flush: bool = True
    last: bytes = b""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Check the credentials, then call `accept` or `reject` of the connection.

    protocol, resume_secret: of the session to go on with; empty for a new one.
    acks: whether the client acknowledges events.
    """

    request_id: RequestId
    credentials: Mapping[str, object]
    protocol: str
    resume_secret: str
    contexts: tuple[str, ...]
    acks: bool


@dataclass(frozen=True, slots=True)
class Submit:
    """Give a command to the calls, then call `answer` of the connection with its request id."""

    request_id: RequestId
    method: str
    call_id: str
    params: Mapping[str, object]
    version: int | None


@dataclass(frozen=True, slots=True)
class Forget:
    """The client has the last event of this call."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Count:
    """Something worth counting happened. what: name of a counter."""

    what: str


RelayAction = Send | Close | Authenticate | Submit | Forget | Count
