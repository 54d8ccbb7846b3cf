"""One transaction, and how messages find theirs (RFC 3261 §17.1.3, §17.2.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mediacore.wire.sip.fields import MAGIC_BRANCH, Via
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.headers import Headers
from mediacore.wire.sip.machines import Event, Kind, State
from mediacore.wire.sip.message import Request, Response
from mediacore.wire.sip.uri import DEFAULT_PORT

Key = tuple[str, ...]


@dataclass(slots=True)
class Transaction:
    """sent: the last message, for repetitions. flow: where it goes. request: of a client.
    intervals: last interval of repeating timers, ms. ack: what repeated refusals get. cancel: extra
    headers of a CANCEL that waits for a provisional response. internal: nobody is told of it."""

    tx: int
    kind: Kind
    key: Key
    flow: Flow
    request: Request | None
    state: State = State.TERMINATED
    local_tag: str = ""
    merge_key: Key = ()
    sent: bytes = b""
    ack: bytes = b""
    cancel: tuple[tuple[str, str], ...] | None = None
    cancel_sent: bool = False
    internal: bool = False
    intervals: dict[Event, int] = field(default_factory=dict)

    @property
    def client(self) -> bool:
        """Whether this side asked."""
        return self.kind in (Kind.INVITE_CLIENT, Kind.CLIENT)


def server_key(request: Request, via: Via, method: str) -> Key:
    """The key of a server transaction; RFC 2543 senders have no unique branch (§17.2.3)."""
    branch = via.branch
    if branch.startswith(MAGIC_BRANCH) and len(branch) > len(MAGIC_BRANCH):
        return (branch, via.sent_by, method)
    number = (request.headers.get("CSeq") or "").split(maxsplit=1)[:1]
    top = (via.sent_by, branch, via.transport)
    return ("2543", request.uri, request.from_tag, request.call_id, *number, *top, method)


def client_key(branch: str, method: str) -> Key:
    """The key of a client transaction (§17.1.3)."""
    return (branch, method)


def merge_key(request: Request) -> Key:
    """What a request has in common with its copies that came another way (§8.2.2.2)."""
    return (request.from_tag, request.call_id, request.headers.get("CSeq") or "")


def reply_flow(via: Via, flow: Flow) -> Flow:
    """Where responses go (§18.2.2, RFC 3581 §4): the source address always, whatever the Via
    claims; its port when rport was asked for, else the port of the Via."""
    if flow.reliable or via.rport_asked:
        return flow
    remote = (flow.remote[0], via.port or DEFAULT_PORT)
    return Flow(flow.transport, flow.local, remote, flow.sent_by)


def follow_up(
    request: Request, method: str, to: str, headers: Iterable[tuple[str, str]] = ()
) -> Request:
    """The ACK of a refusal or a CANCEL: the request's Via, From, Call-ID, CSeq number and Route
    (§17.1.1.3, §9.1)."""
    old = request.headers
    made = Headers((("Via", old.items_of("Via")[0]), ("Max-Forwards", "70")))
    for value in old.all("Route"):
        made.add("Route", value)
    made.add("From", old.get("From") or "")
    made.add("To", to)
    made.add("Call-ID", request.call_id)
    made.add("CSeq", f"{request.cseq.number} {method}")
    for name, value in headers:
        made.add(name, value)
    return Request(made, method=method, uri=request.uri, latin1=request.latin1)


def event_of(response: Response) -> Event:
    """The event that a response is."""
    if response.status < 200:
        return Event.PROVISIONAL
    return Event.SUCCESS if response.status < 300 else Event.FAILURE
