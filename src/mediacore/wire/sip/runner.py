"""Runs transactions through their tables: state, timers, and what is sent or told."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.machines import FIRST, TABLES, TIMER_OF, Event, Kind, Op, State, Step
from mediacore.wire.sip.message import Message, Request, Response
from mediacore.wire.sip.outputs import (
    AckMissing,
    Ended,
    Output,
    RequestReceived,
    ResponseReceived,
    Send,
    TimedOut,
    TransportFailed,
)
from mediacore.wire.sip.transaction import Key, Transaction, client_key, follow_up
from mediacore.wire.sip.transaction_config import Counters, TransactionConfig

_NEWS: Final[Mapping[Op, Callable[[int], Output]]] = MappingProxyType(
    {
        Op.TIMED_OUT: TimedOut,
        Op.FAILED: TransportFailed,
        Op.ACK_MISSING: AckMissing,
    }
)


class Runner:
    """The transactions and their timers. `all` by handle, the others by key."""

    def __init__(self, config: TransactionConfig) -> None:
        self.all: dict[int, Transaction] = {}
        self.servers: dict[Key, Transaction] = {}
        self.clients: dict[Key, Transaction] = {}
        self.merging: dict[Key, Transaction] = {}
        self.count = Counters()
        self._config = config
        self._last = 0
        self._serial = 0
        self._timers: list[tuple[int, int, int, Event]] = []

    @property
    def full(self) -> bool:
        """Whether no transaction may begin."""
        return len(self.all) >= self._config.max_transactions

    @property
    def waiting(self) -> int:
        """Timers set, void ones included."""
        return len(self._timers)

    @property
    def next_ms(self) -> int | None:
        """When tick() is due; None: nothing waits."""
        while self._timers:
            due_ms, _, tx, timer = self._timers[0]
            known = self.all.get(tx)
            if known is not None and timer in TABLES[known.kind][known.state]:
                return due_ms
            heapq.heappop(self._timers)
        return None

    def tick(self, now_ms: int) -> list[Output]:
        """Fire what is due."""
        outputs: list[Output] = []
        while self._timers and self._timers[0][0] <= now_ms:
            _, _, tx, timer = heapq.heappop(self._timers)
            known = self.all.get(tx)
            if known is not None:
                outputs += self.fire(now_ms, known, timer)
        return outputs

    def failed(self, now_ms: int, flow: Flow) -> list[Output]:
        """Sending on `flow` failed, or its connection is gone."""
        hit = [known for known in self.all.values() if _same_path(known.flow, flow)]
        outputs: list[Output] = []
        for known in hit:
            outputs += self.fire(now_ms, known, Event.ERROR)
        return outputs

    def open_client(
        self, now_ms: int, sent: Request, flow: Flow, *, internal: bool = False
    ) -> tuple[int, list[Output]]:
        """Begin a client transaction with a request that has its Via."""
        kind = Kind.INVITE_CLIENT if sent.method == "INVITE" else Kind.CLIENT
        made = self.add(kind, client_key(sent.branch, sent.method), flow, sent)
        made.internal = internal
        made.sent = sent.encode()
        return made.tx, self.begin(now_ms, made)

    def add(self, kind: Kind, key: Key, flow: Flow, request: Request | None) -> Transaction:
        """A transaction in the tables that has not begun."""
        self._last += 1
        made = Transaction(self._last, kind, key, flow, request)
        self.all[made.tx] = made
        (self.clients if made.client else self.servers)[key] = made
        return made

    def begin(self, now_ms: int, made: Transaction, message: Message | None = None) -> list[Output]:
        """Take the first step."""
        return self._enter(now_ms, made, FIRST[made.kind], message, made.flow)

    def fire(
        self,
        now_ms: int,
        known: Transaction,
        event: Event,
        message: Message | None = None,
        flow: Flow | None = None,
    ) -> list[Output]:
        """One event. What the state does not name is void."""
        step = TABLES[known.kind].get(known.state, {}).get(event)
        if step is None:
            if isinstance(message, Response) and known.client:
                self.count.absorbed += 1
            return []
        if event is Event.ABANDONED:
            self.count.abandoned += 1
        return self._enter(now_ms, known, step, message, flow)

    def _enter(
        self,
        now_ms: int,
        known: Transaction,
        step: Step,
        message: Message | None = None,
        flow: Flow | None = None,
    ) -> list[Output]:
        known.state = step.to
        outputs: list[Output] = []
        at_once: Event | None = None
        for op in step.do:
            timer = TIMER_OF.get(op)
            if timer is None:
                outputs += self._do(now_ms, known, op, message, flow or known.flow)
            elif self._start(now_ms, known, timer):
                at_once = timer
        if at_once is not None:
            return outputs + self.fire(now_ms, known, at_once)
        if known.state is State.TERMINATED:
            outputs += self._remove(known)
        return outputs

    def _do(
        self, now_ms: int, known: Transaction, op: Op, message: Message | None, flow: Flow
    ) -> list[Output]:
        match op:
            case Op.SEND:
                if isinstance(message, Response):
                    known.sent = self.encoded(message)
                return [Send(known.flow, known.sent, known.tx)]
            case Op.REPEAT:
                self.count.repeated += bool(known.sent)
                return [Send(known.flow, known.sent, known.tx)] if known.sent else []
            case Op.ACK:
                return [self._ack(known, message)]
            case Op.SEND_CANCEL:
                return [] if known.cancel is None else self.send_cancel(now_ms, known)
            case Op.PASS:
                return self._pass(known, message, flow)
        if op is Op.TIMED_OUT:
            self.count.timed_out += 1
        if op is Op.FAILED:
            self.count.failed += 1
        return [] if known.internal else [_NEWS[op](known.tx)]

    def _pass(self, known: Transaction, message: Message | None, flow: Flow) -> list[Output]:
        if known.internal:
            return []
        if isinstance(message, Response):
            return [ResponseReceived(known.tx, message, flow)]
        assert isinstance(message, Request)
        return [RequestReceived(known.tx, message, flow, known.local_tag)]

    def _ack(self, known: Transaction, message: Message | None) -> Output:
        if isinstance(message, Response) and not known.ack:
            assert known.request is not None
            to = message.headers.get("To") or ""
            known.ack = follow_up(known.request, "ACK", to).encode()
        return Send(known.flow, known.ack, known.tx)

    def send_cancel(self, now_ms: int, known: Transaction) -> list[Output]:
        """RFC 3261 §9.1: 64 T1 after the CANCEL the INVITE is given up, whatever its peer does."""
        if known.cancel_sent:
            return []
        assert known.request is not None
        known.cancel_sent = True
        to = known.request.headers.get("To") or ""
        made = follow_up(known.request, "CANCEL", to, known.cancel or ())
        self._push(now_ms + self._config.times.give_up, known.tx, Event.CANCELLED)
        return self.open_client(now_ms, made, known.flow, internal=True)[1]

    def _start(self, now_ms: int, known: Transaction, timer: Event) -> bool:
        """Start or go on with a timer; True when it is over at once."""
        times = self._config.times
        last = known.intervals.get(timer)
        if last is None:
            first = times.first(timer, known.flow.reliable)
            if first is None:
                return False
            interval = first
        else:
            interval = times.again(timer, last, known.state)
        if interval == 0:
            return True
        known.intervals[timer] = interval
        self._push(now_ms + interval, known.tx, timer)
        return False

    def _push(self, due_ms: int, tx: int, timer: Event) -> None:
        self._serial += 1
        heapq.heappush(self._timers, (due_ms, self._serial, tx, timer))

    def _remove(self, known: Transaction) -> list[Output]:
        del self.all[known.tx]
        del (self.clients if known.client else self.servers)[known.key]
        if known.merge_key:
            self.merging.pop(known.merge_key, None)
        return [] if known.internal else [Ended(known.tx)]

    def encoded(self, response: Response) -> bytes:
        """The bytes of a response, with the header Server."""
        if self._config.server and response.status > 100 and "Server" not in response.headers:
            response.headers.add("Server", self._config.server)
        return response.encode()


def _same_path(known: Flow, failed: Flow) -> bool:
    if known.transport != failed.transport or known.remote != failed.remote:
        return False
    return 0 in (known.connection, failed.connection) or known.connection == failed.connection
