"""Two or more SIP user agents on a simulated network in virtual time: no sockets, no sleeping."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from random import Random

from mediacore.wire.sip.controls import Out
from mediacore.wire.sip.digest import DigestClient
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.message import Request, Response, parse
from mediacore.wire.sip.outputs import Send
from mediacore.wire.sip.signals import Incoming, Over, Signal
from mediacore.wire.sip.stack import UaConfig
from mediacore.wire.sip.uri import SipUri
from mediacore.wire.sip.user_agent import Admit, OutgoingCall, UserAgent

OFFER = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\n"
ANSWER = b"v=0\r\no=- 2 1 IN IP4 10.0.0.2\r\ns=-\r\n"


@dataclass
class Net:
    """Chances per message; delay in ms."""

    rng: Random
    loss: float = 0.0
    duplicate: float = 0.0
    delay: tuple[int, int] = (5, 5)


@dataclass
class Ua:
    """One user agent with its address; `signals` collects what it told."""

    name: str
    agent: UserAgent
    host: str
    transport: str = "UDP"
    signals: list[Signal] = field(default_factory=list)
    sent: list[Request | Response] = field(default_factory=list)
    on_signal: Callable[[Signal], None] = lambda signal: None

    def flow_to(self, other: str) -> Flow:
        me = (self.host, 5060)
        return Flow(self.transport, me, (other, 5060), f"{self.host}:5060")

    def of(self, kind: type) -> list:
        return [signal for signal in self.signals if isinstance(signal, kind)]


class World:
    """`run` moves time on; messages between known hosts travel, others vanish."""

    def __init__(self, seed: int = 1, net: Net | None = None) -> None:
        self.rng = Random(seed)
        self.net = net or Net(Random(seed + 1))
        self.now_ms = 0
        self.uas: dict[str, Ua] = {}
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._serial = itertools.count()
        self.drop: Callable[[str, Request | Response], bool] = lambda host, message: False

    def add(
        self,
        name: str,
        config: UaConfig | None = None,
        transport: str = "UDP",
        admit: Admit | None = None,
    ) -> Ua:
        host = f"10.0.0.{len(self.uas) + 1}"

        def route(uri: str, near: Flow | None) -> Flow | None:
            return ua.flow_to(SipUri.parse(uri).address[0])

        extra = {} if admit is None else {"admit": admit}
        agent = UserAgent(
            config or UaConfig(),
            SipIds(lambda n: self.rng.randbytes(n).hex()),
            route=route,
            random_ms=self.rng.randint,
            **extra,
        )
        ua = Ua(name, agent, host, transport)
        self.uas[host] = ua
        return ua

    def at(self, ms: int, action: Callable[[], None]) -> None:
        heappush(self._due, (ms, next(self._serial), action))

    def do(self, ua: Ua, out: Out) -> None:
        """Carry out what a user agent returned."""
        for output in out:
            if isinstance(output, Send):
                self._send(ua, output)
            else:
                ua.signals.append(output)
                ua.on_signal(output)

    def _send(self, ua: Ua, send: Send) -> None:
        if not send.data.strip():
            return
        message = parse(send.data)
        ua.sent.append(message)
        there = self.uas.get(send.flow.remote[0])
        if there is None or self.drop(there.host, message):
            return
        net = self.net
        copies = 1 + (net.rng.random() < net.duplicate)
        for _ in range(copies):
            if net.rng.random() < net.loss:
                continue
            delay = net.rng.randint(*net.delay)
            flow = there.flow_to(ua.host)
            self.at(self.now_ms + delay, partial(self._arrive, there, send.data, flow))

    def _arrive(self, ua: Ua, data: bytes, flow: Flow) -> None:
        self.do(ua, ua.agent.receive(self.now_ms, parse(data), flow))

    def run(self, ms: int) -> None:
        """So many milliseconds of the world."""
        end = self.now_ms + ms
        while True:
            moments = [ua.agent.next_ms for ua in self.uas.values()]
            moments.append(self._due[0][0] if self._due else None)
            known = [at for at in moments if at is not None]
            at = min(known, default=end + 1)
            if at > end:
                break
            self.now_ms = max(self.now_ms, at)
            while self._due and self._due[0][0] <= self.now_ms:
                heappop(self._due)[2]()
            for ua in self.uas.values():
                due = ua.agent.next_ms
                if due is not None and due <= self.now_ms:
                    self.do(ua, ua.agent.tick(self.now_ms))
        self.now_ms = end

    def dial(
        self,
        ua: Ua,
        to: Ua | str,
        *,
        sdp: bytes | None = OFFER,
        headers: tuple[tuple[str, str], ...] = (),
        digest: DigestClient | None = None,
    ) -> int:
        host = to if isinstance(to, str) else to.host
        call, out = ua.agent.dial(
            self.now_ms,
            OutgoingCall(
                f"sip:b@{host}",
                f"<sip:a@{ua.host}>",
                f"<sip:b@{host}>",
                sdp,
                ua.flow_to(host),
                headers,
                digest,
            ),
        )
        self.do(ua, out)
        return call

    def call(self, ua: Ua, method: str, call: int, *args: object, **named: object) -> None:
        """A method of the user agent, carried out."""
        self.do(ua, getattr(ua.agent, method)(self.now_ms, call, *args, **named))

    def connect(self, a: Ua, b: Ua) -> tuple[int, int]:
        """A call from a to b that is up. Returns both numbers."""
        first = self.dial(a, b)
        self.run(20)
        second = b.of(Incoming)[-1].call
        self.call(b, "answer", second, ANSWER)
        self.run(40)
        return first, second


def overs(ua: Ua) -> dict[int, Over]:
    """How each call ended; every call at most once."""
    ended = [signal for signal in ua.signals if isinstance(signal, Over)]
    assert len({over.call for over in ended}) == len(ended), ended
    return {over.call: over for over in ended}
