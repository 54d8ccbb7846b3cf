"""A SIP user agent on real sockets: takes calls, makes calls, keeps itself registered.

What does it do? Lines of calls that come in go to the host; `dial` makes a Gateway of it.
How does it work? wire.sip.UserAgent decides everything; here its messages travel, its signals find
their line, and one timer of the loop wakes it. Nothing here blocks.
How do I use it? start(), then drain() before a planned end, then aclose().
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from mediacore._core import Engine, opus_load, srtp_load
from mediacore.errors import MediacoreError, MissingDependencyError
from mediacore.media import LegConfig
from mediacore.slots.gateway import DialOut, FarLine, LineEnd, LineFailedError
from mediacore.transports.sip.assembly import tls_contexts, ua_config
from mediacore.transports.sip.config import SocketCounters, SocketStats
from mediacore.transports.sip.desk import Listener, Target
from mediacore.transports.sip.gate import Gate, GateCounts
from mediacore.transports.sip.identity import caller_of
from mediacore.transports.sip.inbound import InboundLine
from mediacore.transports.sip.line import SipLine
from mediacore.transports.sip.media import LineMedia, MediaKit, RtpPool
from mediacore.transports.sip.outbound import OutboundLine
from mediacore.transports.sip.settings import SipConfig, SipRegistration, Transfers
from mediacore.transports.sip.sockets import SipSockets
from mediacore.transports.sip.targets import Targets
from mediacore.wire.sdp import SdpError, SrtpPolicy
from mediacore.wire.sip.controls import Out
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.message import parse
from mediacore.wire.sip.outputs import Send
from mediacore.wire.sip.registration import RegistrationPlan
from mediacore.wire.sip.signals import (
    Incoming,
    Over,
    Registered,
    RegistrationFailed,
    Signal,
    Unregistered,
)
from mediacore.wire.sip.transaction_config import TransactionStats
from mediacore.wire.sip.uri import SipUri, make_uri
from mediacore.wire.sip.user_agent import OutgoingCall, UaStats, UserAgent

log = logging.getLogger("mediacore.transports.sip")
_CLOSE_S: Final = 2.0
_LOOKUP_RETRY_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class SipStats:
    """malformed: messages nothing could be made of. no_media: calls refused for their SDP.
    referrals_refused: transfers that the policy did not allow. registered: now. calls: lines."""

    calls: int
    malformed: int
    no_media: int
    referrals_refused: int
    registered: int
    gate: GateCounts
    agent: UaStats
    transactions: TransactionStats
    sockets: SocketStats


class SipAgent:
    """See the module. leg: template of every leg. on_incoming: called on the loop with each line.
    seed: a new number for each leg. allow_refer: judges the target of a transfer that
    config.transfers lets leave the party's own host. The other arguments are the sources of what
    must be unpredictable."""

    def __init__(
        self,
        config: SipConfig,
        engine: Engine,
        leg: LegConfig,
        *,
        on_incoming: Callable[[FarLine], None],
        seed: Callable[[], int],
        allow_refer: Callable[[str], bool] | None = None,
        token_hex: Callable[[int], str] = secrets.token_hex,
        token_bytes: Callable[[int], bytes] = secrets.token_bytes,
        randbelow: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        self.config = config
        self.kit = MediaKit(config, engine, leg, RtpPool(config, seed), seed, token_bytes)
        self._on_incoming = on_incoming
        self._allow_refer = allow_refer
        self._ids = SipIds(token_hex)
        self._gate = Gate(config, token_hex)
        self.ua = UserAgent(
            ua_config(config),
            self._ids,
            route=self._route,
            random_ms=lambda low, high: low + randbelow(high - low + 1),
            admit=self._gate.admit,
        )
        self._sockets: SipSockets | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._queue: deque[Send | Signal] = deque()
        self._busy = False
        self._lines: dict[int, Listener] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._targets: Targets | None = None
        self._settled: asyncio.Event | None = None  # closing, and nobody is waited for
        self._registered: set[str] = set()
        self._leaving: set[str] = set()
        self._malformed = self._no_media = self._referrals_refused = 0

    # -- life

    async def start(self) -> None:
        """Bind, and register. Raises ConfigError, MissingDependencyError."""
        self._loop = asyncio.get_running_loop()
        config = self.config
        if config.srtp is not SrtpPolicy.OFF and srtp_load() is None:
            raise MissingDependencyError("libsrtp2", "apt-get install libsrtp2-1")
        if any(c.lower() == "opus" for c in config.codecs) and opus_load() is None:
            raise MissingDependencyError("libopus", "apt-get install libopus0")
        server_tls, client_tls = tls_contexts(config)
        sockets = SipSockets(
            config.binds,
            on_message=self._on_message,
            on_lost=self._on_lost,
            limits=config.streams,
            server_tls=server_tls,
            client_tls=client_tls,
        )
        await sockets.start()
        self._sockets = sockets
        self._targets = Targets(config, sockets, self._ids)
        for registration in config.registrations:
            self.spawn(self._register(registration))

    @property
    def addresses(self) -> list[tuple[str, str, int]]:
        """(transport, host, port) of every listener."""
        return self._sockets.addresses if self._sockets is not None else []

    def drain(self) -> None:
        """No new calls; OPTIONS answers 503. Running calls go on."""
        self.ua.drain()

    async def aclose(self) -> None:
        """Hang up, unregister, close. Waits a little for the far sides. Idempotent."""
        sockets = self._sockets
        if sockets is None:
            return
        self.drain()
        for listener in list(self._lines.values()):
            if isinstance(listener, SipLine):
                listener.leave(LineEnd.HANGUP)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._leaving = set(self._registered)
        self._settled = asyncio.Event()
        self.do(self.ua.unregister(self.now_ms()))
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._settled.wait()
        except TimeoutError:
            log.warning("far sides did not answer", extra={"sessions": self.ua.unsettled})
        self._sockets = self._targets = None
        if self._timer is not None:
            self._timer.cancel()
        await sockets.aclose()

    def snapshot(self) -> SipStats:
        """Counters."""
        sockets = self._sockets
        return SipStats(
            len(self._lines),
            self._malformed,
            self._no_media,
            self._referrals_refused,
            len(self._registered),
            self._gate.counts,
            self.ua.snapshot(),
            self.ua.transactions.snapshot(),
            sockets.snapshot() if sockets is not None else SocketStats(SocketCounters(), 0, 0),
        )

    # -- the wire

    def now_ms(self) -> int:
        """See Desk."""
        assert self._loop is not None
        return int(self._loop.time() * 1000)

    def _on_message(self, data: bytes, flow: Flow) -> None:
        try:
            message = parse(data)
        except SipError:
            self._malformed += 1
            return
        self.do(self.ua.receive(self.now_ms(), message, flow))

    def _on_lost(self, flow: Flow) -> None:
        if self._targets is not None:
            self._targets.lost(flow)
        self.do(self.ua.failed(self.now_ms(), flow))

    def _wake(self) -> None:
        self._timer = None
        self.do(self.ua.tick(self.now_ms()))

    def do(self, out: Out) -> None:
        """See Desk. What a signal leads to comes after what was decided before it."""
        self._queue.extend(out)
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                output = self._queue.popleft()
                if not isinstance(output, Send):
                    self._signal(output)
                elif self._sockets is not None:
                    self._sockets.send(output.flow, output.data)
        finally:
            self._busy = False
            self._arm()
        if self._settled is not None and not self.ua.unsettled and not self._leaving:
            self._settled.set()

    def _arm(self) -> None:
        if self._loop is None or self._sockets is None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self.ua.next_ms
        if at is not None:
            self._timer = self._loop.call_at((at + 1) / 1000, self._wake)

    def _route(self, uri: str, near: Flow | None) -> Flow | None:
        """See stack.Route."""
        return self._targets.route(uri, near) if self._targets is not None else None

    # -- signals

    def _signal(self, signal: Signal) -> None:
        if isinstance(signal, Incoming):
            self._incoming(signal)
        elif isinstance(signal, Registered):
            self._registered.add(signal.name)
        elif isinstance(signal, RegistrationFailed):
            self._registered.discard(signal.name)
            extra = {"registration": signal.name, "status": signal.status}
            log.warning("registration failed", extra=extra)
        elif isinstance(signal, Unregistered):
            self._registered.discard(signal.name)
            self._leaving.discard(signal.name)
        else:
            listener = self._lines.get(signal.call)
            if isinstance(signal, Over):
                self._lines.pop(signal.call, None)
            if listener is not None:
                listener.signal(signal)

    def _incoming(self, incoming: Incoming) -> None:
        call, now = incoming.call, self.now_ms()
        if incoming.replaces is not None:
            line = self._lines.get(incoming.replaces)
            if isinstance(line, SipLine):
                line.taken_over(incoming)
            else:
                self.do(self.ua.refuse(now, call, 481))
            return
        media = LineMedia(self.kit)
        try:
            line = InboundLine(self, caller_of(incoming.request), media, incoming)
            line.prepare(incoming.sdp)
        except SdpError:
            self._no_media += 1
            self._refuse(call, media, 488)
            return
        except MediacoreError as error:
            log.error("call not taken", extra={"error": type(error).__name__})
            self._refuse(call, media, 500)
            return
        source = incoming.flow.remote[0]
        self._gate.entered(source)
        line.on_over = lambda: self._gate.left(source)
        self.attach(call, line)
        try:
            line.ring()
        except MediacoreError:
            line.leave(LineEnd.ERROR)
            return
        self._on_incoming(line)

    def _refuse(self, call: int, media: LineMedia, status: int) -> None:
        media.close()
        self.do(self.ua.refuse(self.now_ms(), call, status))

    # -- calls out

    def dial(self, destination: DialOut) -> FarLine:
        """See Gateway. kind "sip": to_number is a URI; "phone": a number for the trunk."""
        return OutboundLine(self, destination)

    def call_out(self, outgoing: OutgoingCall, listener: Listener) -> int:
        """See Desk."""
        call, out = self.ua.dial(self.now_ms(), outgoing)
        self.attach(call, listener)
        self.do(out)
        return call

    def attach(self, call: int, listener: Listener) -> None:
        """See Desk."""
        self._lines[call] = listener

    async def target(self, destination: DialOut) -> Target:
        """See Desk."""
        return await self._found().destination(destination)

    async def target_of(self, uri: str, local: str) -> Target:
        """See Desk."""
        return await self._found().find(uri, local)

    def _found(self) -> Targets:
        if self._targets is None:
            raise LineFailedError(LineEnd.ERROR, "the SIP agent does not run")
        return self._targets

    def may_refer(self, uri: str, host: str, party_host: str) -> bool:
        """See Desk."""
        policy = self.config.transfers
        allowed = self._found().transfer_allowed(uri, host, party_host)
        at_home = policy is Transfers.SAME_HOST and host == party_host
        if allowed and not at_home and self._allow_refer is not None:
            allowed = self._allow_refer(uri)  # it is a call on our account
        self._referrals_refused += not allowed
        return allowed

    def may_send(self, uri: str) -> bool:
        """See Desk. A trunk that is sent elsewhere calls on our account, too."""
        allowed = self._allow_refer is None or self._allow_refer(uri)
        self._referrals_refused += not allowed
        return allowed

    # -- tasks

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """See Desk."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _register(self, registration: SipRegistration) -> None:
        """Find the registrar; the rest goes by itself."""
        while True:
            try:
                target = await self.target_of(registration.registrar, "")
                break
            except LineFailedError:
                extra = {"registration": registration.name}
                log.warning("registrar not found", extra=extra)
                await asyncio.sleep(_LOOKUP_RETRY_S)
        host = SipUri.parse(registration.registrar).host
        plan = RegistrationPlan(
            registration.name,
            make_uri(registration.user, registration.domain or host),
            target.uri,
            registration.auth_user or registration.user,
            registration.password,
            registration.expires_s,
            registration.keepalive_ms,
            registration.realms,
        )
        self._gate.trust(target.flow.remote[0])
        self.do(self.ua.register(self.now_ms(), plan, target.flow)[1])
