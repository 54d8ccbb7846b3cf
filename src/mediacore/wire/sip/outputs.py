"""What the transaction layer tells: messages to send, and news for its user. tx: the handle."""

from __future__ import annotations

from dataclasses import dataclass

from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.message import Request, Response


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes. When that fails: Transactions.failed(now, flow)."""

    flow: Flow
    data: bytes
    tx: int = 0


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A request that began a server transaction; never ACK or CANCEL. An INVITE has had its 100.
    local_tag: the To tag that responses get."""

    tx: int
    request: Request
    flow: Flow
    local_tag: str


@dataclass(frozen=True, slots=True)
class AckReceived:
    """An ACK of a 2xx: belongs to a dialog, or to nothing."""

    request: Request
    flow: Flow


@dataclass(frozen=True, slots=True)
class CancelReceived:
    """The INVITE `tx` is cancelled; the CANCEL has had its 200. Respond 487 to `tx`."""

    tx: int
    request: Request


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """A response to a client transaction. 2xx of an INVITE come as often as they are received:
    the To tag tells repetitions from forks (RFC 6026 §7.2). 3xx-6xx come once, ACKed already."""

    tx: int
    response: Response
    flow: Flow


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No final response came: as if 408 had (§8.1.3.1)."""

    tx: int


@dataclass(frozen=True, slots=True)
class TransportFailed:
    """The message cannot be sent: as if 503 had come (§8.1.3.1)."""

    tx: int


@dataclass(frozen=True, slots=True)
class AckMissing:
    """The INVITE was refused, and the refusal never acknowledged."""

    tx: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The transaction is over; the last that is told of it."""

    tx: int


Output = (
    Send
    | RequestReceived
    | AckReceived
    | CancelReceived
    | ResponseReceived
    | TimedOut
    | TransportFailed
    | AckMissing
    | Ended
)
