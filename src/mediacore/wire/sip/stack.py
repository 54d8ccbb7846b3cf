"""What sessions are built on: requests with their answers, credentials, timers, one outbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from mediacore.wire.sip.deadlines import Deadlines
from mediacore.wire.sip.digest import DigestClient
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.message import Request, Response, make_request, make_response
from mediacore.wire.sip.outputs import (
    Ended,
    Output,
    ResponseReceived,
    Send,
    TimedOut,
    TransportFailed,
)
from mediacore.wire.sip.resend import Resend
from mediacore.wire.sip.session_timer import TimerConfig
from mediacore.wire.sip.signals import Signal
from mediacore.wire.sip.transaction_config import TransactionConfig
from mediacore.wire.sip.transactions import Transactions

SDP: Final = "application/sdp"
MAX_TRIES: Final = 3

Route = Callable[[str, Flow | None], Flow | None]
"""(URI of the next hop, the flow that the peer was last heard on) -> where to send; None = there
is no way."""


@dataclass(frozen=True, slots=True)
class UaConfig:
    """rel100: reliable provisional answers (RFC 3262) are understood; they are sent when the
    caller requires them, or supports them and early media is sent. refer_ms: how long a REFER of
    ours may take after its 202. retry_after_s: told when there is no room."""

    allow: tuple[str, ...] = (
        "INVITE",
        "ACK",
        "CANCEL",
        "BYE",
        "OPTIONS",
        "PRACK",
        "UPDATE",
        "INFO",
        "REFER",
        "NOTIFY",
    )
    user: str = "mediacore"
    rel100: bool = True
    timer: TimerConfig = field(default_factory=TimerConfig)
    refer_ms: int = 60_000
    retry_after_s: int = 30
    transactions: TransactionConfig = field(default_factory=TransactionConfig)

    @property
    def supported(self) -> tuple[str, ...]:
        """Option tags."""
        tags = ["replaces", "norefersub"]
        if self.rel100:
            tags.append("100rel")
        if self.timer.expires_s:
            tags.append("timer")
        return tuple(tags)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response to a request of ours; response None: none came (408), or no way (503)."""

    status: int
    response: Response | None = None
    flow: Flow | None = None

    @property
    def final(self) -> bool:
        """Nothing else follows, 2xx of an INVITE excepted."""
        return self.status >= 200

    @property
    def good(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300 and self.response is not None


class Asking:
    """A request of ours that waits for its answer; `tx`, `request` change when it is repeated with
    credentials. stopped: do not repeat it any more."""

    __slots__ = (
        "digest",
        "flow",
        "number",
        "on_answer",
        "owner",
        "request",
        "stopped",
        "tries",
        "tx",
    )

    def __init__(
        self,
        owner: int,
        request: Request,
        flow: Flow,
        on_answer: Callable[[Answer], None],
        number: Callable[[], int],
        digest: DigestClient | None,
    ) -> None:
        self.owner = owner
        self.tx = 0
        self.request = request
        self.flow = flow
        self.on_answer = on_answer
        self.number = number
        self.digest = digest
        self.tries = 0
        self.stopped = False


class Stack:
    """One per user agent. `now_ms` is set at every entry; what is to be sent or told collects in
    `out`."""

    def __init__(
        self,
        config: UaConfig,
        transactions: Transactions,
        ids: SipIds,
        route: Route,
        random_ms: Callable[[int, int], int],
    ) -> None:
        self.config = config
        self.transactions = transactions
        self.ids = ids
        self.route = route
        self.random_ms = random_ms
        self.now_ms = 0
        self.out: list[Send | Signal] = []
        self.pending: list[Output] = []
        self.timers = Deadlines()
        self.illegal = 0  # cues that a state has no row for
        self._asked: dict[int, Asking] = {}
        self._busy: dict[int, int] = {}
        self.on_idle: Callable[[int], None] = lambda owner: None

    # -- towards the host and the clock

    def emit(self, signal: Signal) -> None:
        """Tell the host."""
        self.out.append(signal)

    def after(self, owner: int, name: str, delay_ms: int, action: Callable[[], None]) -> None:
        """Set the owner's timer of this name."""
        self.timers.set((owner, name), self.now_ms + delay_ms, action)

    def resend(self, *, capped: bool = True) -> Resend:
        """The timer of a 2xx; not capped: of a reliable 1xx."""
        return Resend(self.now_ms, self.config.transactions.times, capped=capped)

    # -- requests

    def ask(
        self,
        owner: int,
        request: Request,
        flow: Flow | None,
        on_answer: Callable[[Answer], None],
        number: Callable[[], int],
        digest: DigestClient | None = None,
    ) -> Asking | None:
        """Send; `on_answer` gets every response, and exactly one final one. None: it could not be
        sent and `on_answer` has been told so."""
        if flow is None:
            on_answer(Answer(503))
            return None
        asking = Asking(owner, request, flow, on_answer, number, digest)
        for name, value in digest.next_for(request) if digest is not None else ():
            request.headers.set(name, value)
        return asking if self._start(asking) else None

    def _start(self, asking: Asking) -> bool:
        try:
            tx, outputs = self.transactions.request(self.now_ms, asking.request, asking.flow)
        except SipError:  # SipBusyError included
            asking.on_answer(Answer(503))
            return False
        asking.tx = tx
        self._asked[tx] = asking
        self._busy[asking.owner] = self._busy.get(asking.owner, 0) + 1
        self.pending.extend(outputs)
        return True

    def cancel(self, asking: Asking, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Give up an INVITE."""
        asking.stopped = True
        if asking.tx in self._asked:
            outputs = self.transactions.cancel(self.now_ms, asking.tx, tuple(headers))
            self.pending.extend(outputs)

    def busy(self, owner: int) -> bool:
        """Whether requests of this owner wait."""
        return bool(self._busy.get(owner))

    def ack(self, request: Request, flow: Flow | None) -> list[Output]:
        """Send the ACK of a 2xx; what is returned can be repeated with `again`."""
        outputs = self.transactions.send_ack(request, flow) if flow is not None else []
        self.pending.extend(outputs)
        return outputs

    def again(self, outputs: list[Output]) -> None:
        """Repeat an ACK."""
        self.pending.extend(outputs)

    # -- answers

    def respond(self, tx: int, response: Response) -> None:
        """Answer; a transaction that is gone needs none any more."""
        try:
            self.pending.extend(self.transactions.respond(self.now_ms, tx, response))
        except SipError:
            return

    def reply(
        self,
        tx: int,
        request: Request,
        status: int,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "",
        *,
        to_tag: str = "",
    ) -> Response:
        """Make an answer and send it."""
        response = make_response(
            request,
            status,
            to_tag=to_tag,
            headers=tuple(headers),
            body=body,
            content_type=content_type,
        )
        self.respond(tx, response)
        return response

    def retry_after(self) -> tuple[str, str]:
        """Header of a 500 for requests that came too early (RFC 3261 §14.2)."""
        return "Retry-After", str(self.random_ms(0, 10))

    # -- from the transactions

    def client_event(self, event: ResponseReceived | TimedOut | TransportFailed | Ended) -> None:
        """Something about a request of ours; others are none of ours."""
        asking = self._asked.get(event.tx)
        if asking is None:
            return
        if isinstance(event, Ended):
            self._forget(asking)
        elif isinstance(event, TimedOut):
            asking.on_answer(Answer(408))
        elif isinstance(event, TransportFailed):
            asking.on_answer(Answer(503))
        elif not self._repeated(asking, event.response):
            asking.on_answer(Answer(event.response.status, event.response, event.flow))

    def _forget(self, asking: Asking) -> None:
        del self._asked[asking.tx]
        left = self._busy[asking.owner] - 1
        if left:
            self._busy[asking.owner] = left
            return
        del self._busy[asking.owner]
        self.on_idle(asking.owner)

    def _repeated(self, asking: Asking, response: Response) -> bool:
        """A challenge that can be answered: the request goes out again (RFC 3261 §22.2)."""
        if response.status not in (401, 407) or asking.digest is None or asking.stopped:
            return False
        if asking.tries >= MAX_TRIES:
            return False
        header = asking.digest.answer(response, asking.request)
        if header is None:
            return False
        old = asking.request
        headers = old.headers.copy()
        headers.set("CSeq", f"{asking.number()} {old.method}")
        headers.set(header[0], header[1])
        spent = Asking(asking.owner, old, asking.flow, lambda answer: None, asking.number, None)
        spent.tx = asking.tx  # runs out alone; the caller's handle becomes the new request
        self._asked[spent.tx] = spent
        asking.request = make_request(old.method, old.uri, headers, old.body)
        asking.tries += 1
        self._start(asking)
        return True


def sdp_of(message: Request | Response) -> bytes | None:
    """The session description in the body, alone or as a part of a multipart; None = none."""
    if not message.body:
        return None
    if message.content_type == SDP:
        return message.body
    if message.content_type != "multipart/mixed":
        return None
    _, _, boundary = (message.headers.get("Content-Type") or "").partition("boundary=")
    boundary = boundary.split(";")[0].strip().strip('"')
    if not boundary:
        return None
    for part in message.body.split(b"--" + boundary.encode("utf-8", "replace")):
        head, _, body = part.partition(b"\r\n\r\n")
        if SDP.encode() in head.lower():
            text = body.removesuffix(b"\r\n")  # belongs to the boundary
            return text if text.endswith(b"\n") else text + b"\r\n"
    return None
