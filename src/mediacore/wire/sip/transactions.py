"""The transaction layer (RFC 3261 §17): every request in or out passes here, ACKs of 2xx excepted.

What does it do? Repeats what is lost, absorbs what comes twice, matches responses and CANCELs,
and refuses what no user of it needs to see: malformed and unserved requests, merged ones, floods.
How does it work? machines.TABLES say what happens; this module holds the table of transactions,
one heap of timers, and no clock: `now_ms` (monotonic) comes with every call.
How do I use it? Feed receive(), call tick() at next_ms, carry out the outputs in their order.

Memory: at most max_transactions; beyond that new requests are refused with 503.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from mediacore.wire.sip.admission import Admission, Verdict
from mediacore.wire.sip.errors import SipBusyError, SipError
from mediacore.wire.sip.fields import Via
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.machines import TABLES, Event, Kind, State
from mediacore.wire.sip.message import Request, Response, make_response
from mediacore.wire.sip.outputs import AckReceived, CancelReceived, Output, Send
from mediacore.wire.sip.runner import Runner
from mediacore.wire.sip.transaction import (
    Key,
    client_key,
    event_of,
    merge_key,
    reply_flow,
    server_key,
)
from mediacore.wire.sip.transaction_config import TransactionConfig, TransactionStats
from mediacore.wire.sip.validate import Policy, Refusal, check_response, validate

Admit = Callable[[int, Request, Flow], Refusal | None]
"""(now_ms, a request outside any dialog, where it came from) -> None: it may come in."""


class Transactions:
    """All transactions of one user agent. draining: True refuses new calls with 503. admit: judges
    requests outside dialogs; a refusal goes out once and is not kept (RFC 3261 §26.3.2.4)."""

    def __init__(
        self,
        config: TransactionConfig,
        policy: Policy,
        ids: SipIds,
        admit: Admit = lambda now_ms, request, flow: None,
    ) -> None:
        self.draining = False
        self._admit = admit
        self._config = config
        self._policy = policy
        self._ids = ids
        self._admission = Admission(config.admission)
        self._runner = Runner(config)
        self._count = self._runner.count

    # -- what comes in

    def receive(self, now_ms: int, message: Request | Response, flow: Flow) -> list[Output]:
        """Take one parsed message from the wire."""
        if isinstance(message, Response):
            return self._receive_response(now_ms, message, flow)
        self._count.requests += 1
        try:
            via = message.via
        except SipError:
            self._count.malformed += 1
            return []
        if message.method == "ACK":
            return self._receive_ack(now_ms, message, via, flow)
        known = self._runner.servers.get(server_key(message, via, message.method))
        if known is not None:
            self._count.absorbed += 1
            return self._runner.fire(now_ms, known, Event.REQUEST)
        return self._receive_new(now_ms, message, via, flow)

    def _receive_new(self, now_ms: int, request: Request, via: Via, flow: Flow) -> list[Output]:
        verdict = self._admission.admit(now_ms, flow.remote[0])
        if verdict is Verdict.DROP:
            self._count.dropped += 1
            return []
        key = server_key(request, via, request.method)
        _mark(request, via, flow)
        back = reply_flow(via, flow)
        if verdict is Verdict.REFUSE:
            return self._refuse(request, back, 503, "", self._retry_after())
        refusal = validate(request, self._policy)
        if refusal is not None and refusal.status == 0:
            self._count.malformed += 1
            return []
        if refusal is not None:
            return self._refuse(request, back, refusal.status, refusal.reason, refusal.headers)
        if request.method == "CANCEL":
            return self._receive_cancel(request, via, back)
        merging = () if request.to_tag else merge_key(request)
        if merging and merging in self._runner.merging:
            self._count.merged += 1
            return self._refuse(request, back, 482)
        if self.draining and request.method == "INVITE" and not request.to_tag:
            return self._refuse(request, back, 503, "", self._retry_after())
        if self._runner.full:
            self._count.full += 1
            return self._refuse(request, back, 503, "", self._retry_after())
        refusal = None if request.to_tag else self._admit(now_ms, request, flow)
        if refusal is not None:
            return self._refuse(request, back, refusal.status, refusal.reason, refusal.headers)
        return self._open_server(now_ms, request, key, merging, back)

    def _open_server(
        self, now_ms: int, request: Request, key: Key, merging: Key, back: Flow
    ) -> list[Output]:
        kind = Kind.INVITE_SERVER if request.method == "INVITE" else Kind.SERVER
        made = self._runner.add(kind, key, back, None)
        made.local_tag = request.to_tag or self._ids.tag()
        if merging:
            made.merge_key = merging
            self._runner.merging[merging] = made
        outputs: list[Output] = []
        if kind is Kind.INVITE_SERVER and self._config.trying:
            made.sent = make_response(request, 100).encode()
            outputs.append(Send(back, made.sent, made.tx))
        return outputs + self._runner.begin(now_ms, made, request)

    def _receive_ack(self, now_ms: int, request: Request, via: Via, flow: Flow) -> list[Output]:
        known = self._runner.servers.get(server_key(request, via, "INVITE"))
        if known is not None and known.state in (State.COMPLETED, State.CONFIRMED):
            return self._runner.fire(now_ms, known, Event.ACK, request, flow)
        if validate(request, self._policy) is not None:
            self._count.malformed += 1
            return []
        _mark(request, via, flow)
        if request.to_tag == _stateless_tag(request):
            self._count.absorbed += 1
            return []
        return [AckReceived(request, flow)]

    def _receive_cancel(self, request: Request, via: Via, back: Flow) -> list[Output]:
        """Answered at once and without a transaction of its own: a repeated one finds the same
        INVITE (§9.2)."""
        known = self._runner.servers.get(server_key(request, via, "INVITE"))
        if known is None:
            self._count.stray_cancels += 1
            return self._refuse(request, back, 481)
        answer = make_response(request, 200, to_tag=known.local_tag)
        outputs: list[Output] = [Send(back, self._runner.encoded(answer))]
        if known.state is State.PROCEEDING:
            outputs.append(CancelReceived(known.tx, request))
        return outputs

    def _receive_response(self, now_ms: int, response: Response, flow: Flow) -> list[Output]:
        self._count.responses += 1
        if check_response(response) is not None:
            self._count.malformed += 1
            return []
        via = response.via
        known = self._runner.clients.get(client_key(via.branch, response.cseq.method))
        if known is None or via.sent_by != known.flow.sent_by.lower():
            self._count.stray_responses += 1
            return []
        return self._runner.fire(now_ms, known, event_of(response), response, flow)

    # -- what goes out

    def request(self, now_ms: int, request: Request, flow: Flow) -> tuple[int, list[Output]]:
        """Send a request as a new transaction. It gets a Via and, when it has none, Max-Forwards;
        the caller's own object stays as it is. Raises SipBusyError when the table is full, SipError
        for ACK and CANCEL."""
        if request.method in ("ACK", "CANCEL"):
            raise SipError("ACK and CANCEL are no requests of their own")
        if self._runner.full:
            self._count.full += 1
            raise SipBusyError("the table of SIP transactions is full")
        return self._runner.open_client(now_ms, self._with_via(request, flow), flow)

    def send_ack(self, request: Request, flow: Flow) -> list[Output]:
        """Send the ACK of a 2xx (§13.2.2.4). The caller sends the same output again for every
        repeated 2xx."""
        return [Send(flow, self._with_via(request, flow).encode())]

    def cancel(self, now_ms: int, tx: int, headers: Iterable[tuple[str, str]] = ()) -> list[Output]:
        """Cancel an INVITE (§9.1): at once when a provisional response has come, else with the
        first one. After a final response, and for unknown handles, nothing happens."""
        known = self._runner.all.get(tx)
        if known is None or known.kind is not Kind.INVITE_CLIENT or known.cancel is not None:
            return []
        if known.state not in (State.CALLING, State.PROCEEDING):
            return []
        known.cancel = tuple(headers)
        return self._runner.send_cancel(now_ms, known) if known.state is State.PROCEEDING else []

    def respond(self, now_ms: int, tx: int, response: Response) -> list[Output]:
        """Answer a server transaction. To gets the local tag unless the status is 100 or it has
        one. Raises SipError for an unknown handle and for a second final answer; the same 2xx to
        an INVITE may be given again."""
        known = self._runner.all.get(tx)
        if known is None or known.client:
            raise SipError("no such server transaction")
        event = event_of(response)
        if event not in TABLES[known.kind][known.state]:
            raise SipError(f"{response.status} in state {known.state}")
        if response.status > 100 and not response.to_tag:
            to = response.headers.get("To") or ""
            response.headers.set("To", f"{to};tag={known.local_tag}")
        return self._runner.fire(now_ms, known, event, response)

    # -- time and transport

    @property
    def next_ms(self) -> int | None:
        """When tick() is due; None: nothing waits."""
        return self._runner.next_ms

    def tick(self, now_ms: int) -> list[Output]:
        """Fire what is due."""
        return self._runner.tick(now_ms)

    def failed(self, now_ms: int, flow: Flow) -> list[Output]:
        """Sending on `flow` failed, or its connection is gone."""
        return self._runner.failed(now_ms, flow)

    def snapshot(self) -> TransactionStats:
        """Counters and sizes."""
        clients = len(self._runner.clients)
        return TransactionStats(
            replace(self._count),
            clients,
            len(self._runner.all) - clients,
            len(self._admission),
            self._runner.waiting,
        )

    # -- small things

    def _refuse(
        self,
        request: Request,
        back: Flow,
        status: int,
        reason: str = "",
        headers: Iterable[tuple[str, str]] = (),
    ) -> list[Output]:
        """Answer without a transaction (§8.2.7): the same request gets the same To tag."""
        self._count.refused += 1
        tag = _stateless_tag(request)
        answer = make_response(request, status, reason, to_tag=tag, headers=headers)
        return [Send(back, self._runner.encoded(answer))]

    def _retry_after(self) -> tuple[tuple[str, str], ...]:
        return (("Retry-After", str(self._config.retry_after_s)),)

    def _with_via(self, request: Request, flow: Flow) -> Request:
        headers = request.headers.copy()
        branch = self._ids.branch()
        headers.prepend("Via", f"SIP/2.0/{flow.transport} {flow.sent_by};rport;branch={branch}")
        if "Max-Forwards" not in headers:
            headers.add("Max-Forwards", "70")
        if self._config.server and "User-Agent" not in headers:
            headers.add("User-Agent", self._config.server)
        return replace(request, headers=headers)


def _stateless_tag(request: Request) -> str:
    """The same for a marked request, its repetitions and its ACK."""
    first = next(iter(request.headers.items_of("Via")), "")
    seed = f"{first}{request.call_id}".encode("utf-8", "replace")
    return hashlib.blake2b(seed, digest_size=8).hexdigest()


def _mark(request: Request, via: Via, flow: Flow) -> None:
    """Write what the server saw into the topmost Via (§18.2.1)."""
    rest = request.headers.items_of("Via")[1:]
    request.headers.set_all("Via", [via.marked(flow.remote), *rest])
