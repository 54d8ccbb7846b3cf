"""A telephone exchange inside the process: phones are coroutines, media is real RTP on 127.0.0.1.

For tests, the demo and local work. It knows numbers, ringing, refusals and both sides' hanging up;
it has no signalling on the wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mediacore._core import Engine, Leg
from mediacore.call.record import TransportFacts
from mediacore.errors import MediacoreError, QueueFullError, StaleError
from mediacore.media import LegConfig
from mediacore.slots.gateway import DialOut, FarLine, LineEnd, LineFailedError, Party
from mediacore.transports.rtp import RtpTransport, bind_rtp

CODECS: Final = ("PCMU", "PCMA", "G722")
_DYNAMIC: Final = {"L16": 96, "OPUS": 97}
_EVENT_PT: Final = 101


@dataclass(frozen=True, slots=True)
class Side:
    """Where legs are opened, and how. leg: its codec and sockets are replaced. codecs: in order of
    preference."""

    engine: Engine
    leg: LegConfig = field(default_factory=LegConfig)
    codecs: tuple[str, ...] = CODECS


class _Circuit:
    """One call through the exchange: sides[0] is the host's, sides[1] the phone's."""

    def __init__(self, sides: tuple[Side, Side], seed: int) -> None:
        loop = asyncio.get_running_loop()
        self._sides = sides
        self._seed = seed
        self.answered: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[LineEnd] = loop.create_future()
        self.legs: tuple[Leg, Leg] | None = None  # from the answer to the end
        self.taken = False  # the host has its leg
        self.transport: TransportFacts | None = None  # of the host's side
        self.over.add_done_callback(self._release)

    def end(self, reason: LineEnd) -> None:
        """Idempotent: the first reason stays."""
        if not self.over.done():
            self.over.set_result(reason)

    async def wait_over(self) -> LineEnd:
        """Why it ended, once it has."""
        await asyncio.wait([self.over])
        return self.over.result()

    async def wait_answered(self) -> tuple[Leg, Leg]:
        """Both legs. Raises LineFailedError when it ends instead."""
        waiting: list[asyncio.Future[Any]] = [self.answered, self.over]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if self.legs is None:
            raise LineFailedError(self.over.result())
        return self.legs

    def answer(self, offer: Sequence[str], able: Sequence[str]) -> tuple[Leg, Leg]:
        """Agree on the first codec of the offer that the other side is able to, and open both
        legs. Raises LineFailedError when it is over, or nothing agrees."""
        if self.over.done():
            raise LineFailedError(self.over.result())
        if self.answered.done():
            raise LineFailedError(LineEnd.ERROR, "the call is answered already")
        known = {codec.upper() for codec in able}
        codec = next((c for c in offer if c.upper() in known), None)
        if codec is None:
            self.end(LineEnd.ERROR)
            raise LineFailedError(LineEnd.ERROR, "no codec in common")
        try:
            self.legs = legs = self._open(codec)
        except MediacoreError as error:
            self.end(LineEnd.ERROR)
            raise LineFailedError(LineEnd.ERROR, str(error)) from error
        self.answered.set_result(None)
        return legs

    def _open(self, codec: str) -> tuple[Leg, Leg]:
        host, phone = self._sides
        transport = RtpTransport(
            codec=codec, payload_type=_DYNAMIC.get(codec.upper()), event_payload_type=_EVENT_PT
        )
        a = bind_rtp(replace(transport, leg=host.leg), seed=self._seed)
        try:
            b = bind_rtp(replace(transport, leg=phone.leg), seed=self._seed + 1)
        except MediacoreError:
            a.close()
            raise
        try:
            first = host.engine.open_leg(replace(a.config, remote=b.local))
        except MediacoreError:
            b.close()
            raise
        try:
            second = phone.engine.open_leg(replace(b.config, remote=a.local))
        except MediacoreError:
            _close(first)
            raise
        self.transport = TransportFacts(
            "rtp",
            codec,
            transport.payload_type,
            local=f"{a.local[0]}:{a.local[1]}",
            remote=f"{b.local[0]}:{b.local[1]}",
        )
        return first, second

    def _release(self, over: asyncio.Future[LineEnd]) -> None:
        """The phone's leg is closed here; the host's too when nobody has taken it yet."""
        if self.legs is not None:
            host, phone = self.legs
            _close(phone)
            if not self.taken:
                _close(host)
            self.legs = None


class ExchangeCall:
    """A call as a phone sees it, called or calling. Closed when its coroutine returns."""

    def __init__(self, circuit: _Circuit, party: Party, offer: tuple[str, ...], side: Side) -> None:
        self._circuit = circuit
        self._offer = offer
        self._side = side
        self.party = party
        self.ring_ms = 0
        """How long `answer` lets it ring before."""

    async def answer(self) -> Leg:
        """Called: pick up. The leg is closed when the call is over.

        Raises LineFailedError when the caller gives up before, or no codec is in common.
        """
        if self.ring_ms:
            await asyncio.wait([self._circuit.over], timeout=self.ring_ms / 1000)
        return self._circuit.answer(self._offer, self._side.codecs)[1]

    async def answered(self) -> Leg:
        """Calling: wait until the other side picks up. Raises LineFailedError."""
        return (await self._circuit.wait_answered())[1]

    def reject(self, reason: LineEnd = LineEnd.DECLINE) -> None:
        """Called: do not take the call."""
        self._circuit.end(reason)

    def hangup(self, reason: LineEnd | None = None) -> None:
        """End the call, or give up calling; idempotent. None: the word for which of the two."""
        usual = LineEnd.HANGUP if self._circuit.answered.done() else LineEnd.CANCEL
        self._circuit.end(reason or usual)

    async def wait_gone(self) -> LineEnd:
        """Wait until either side ends the call."""
        return await self._circuit.wait_over()


Phone = Callable[[ExchangeCall], Awaitable[None]]
PhoneCall = ExchangeCall


class _Line:
    """What both kinds of the host's lines have."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self._circuit: _Circuit | None = None
        self._ended: LineEnd | None = None  # before there was a circuit

    @property
    def party(self) -> Party:
        """Who it is."""
        return self._party

    @property
    def transport(self) -> TransportFacts:
        """How the media travels; valid once connected."""
        if self._circuit is None or self._circuit.transport is None:
            raise LineFailedError(LineEnd.ERROR, "the line is not connected")
        return self._circuit.transport

    def far_delay_ms(self) -> int | None:
        """See FarLine."""
        return None

    async def hangup(self, reason: LineEnd) -> None:
        """See FarLine."""
        self._ended = self._ended or reason
        if self._circuit is not None:
            self._circuit.end(reason)

    async def wait_gone(self) -> LineEnd:
        """See FarLine."""
        if self._circuit is None:
            raise LineFailedError(self._ended or LineEnd.ERROR, "the line was never dialled")
        return await self._circuit.wait_over()


class _InboundLine(_Line):
    def __init__(self, party: Party, circuit: _Circuit, offer: tuple[str, ...], host: Side) -> None:
        super().__init__(party)
        self._circuit: _Circuit = circuit
        self._offer = offer
        self._host = host

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        """Answer."""
        self._circuit.taken = True
        return self._circuit.answer(self._offer, self._host.codecs)[0]


class _OutboundLine(_Line):
    def __init__(self, exchange: LoopbackExchange, destination: DialOut) -> None:
        super().__init__(
            Party(
                destination.kind,
                "outbound",
                destination.from_number,
                destination.to_number,
                destination.headers,
            )
        )
        self._exchange = exchange
        self._destination = destination

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        """Dial."""
        if self._ended is not None:
            raise LineFailedError(self._ended)
        circuit = self._circuit = self._exchange.ring(self._party, self._destination)
        try:
            async with asyncio.timeout(self._destination.timeout_ms / 1000):
                await asyncio.sleep(0)  # the phone may refuse at once
                if not circuit.over.done():
                    on_ringing()
                leg = (await circuit.wait_answered())[0]
                circuit.taken = True
                return leg
        except TimeoutError:
            circuit.end(LineEnd.NO_ANSWER)
            raise LineFailedError(LineEnd.NO_ANSWER) from None
        except BaseException:  # cancelled, or over
            circuit.end(LineEnd.CANCEL)
            raise


@dataclass(frozen=True, slots=True)
class _Registered:
    phone: Phone
    side: Side
    lines: int
    ring_ms: int


class LoopbackExchange:
    """A Gateway for the host's calls, and the world of phones behind it.

    host: where lines of the host get their legs. phones: the same for phones that bring nothing of
    their own; may be on the same engine. seed: a new number for each call. One event loop; close
    it with `aclose`.
    """

    def __init__(self, host: Side, phones: Side | None = None, *, seed: Callable[[], int]) -> None:
        self._host = host
        self._phones = phones or Side(host.engine)
        self._seed = seed
        self._numbers: dict[str, _Registered] = {}
        self._busy: dict[str, int] = {}
        self._on_incoming: Callable[[FarLine], None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []
        self._circuits: set[_Circuit] = set()

    def on_incoming(self, handler: Callable[[FarLine], None]) -> None:
        """Who gets the lines of incoming calls."""
        self._on_incoming = handler

    def register(
        self,
        number: str,
        phone: Phone,
        *,
        side: Side | None = None,
        lines: int = 0,
        ring_ms: int = 0,
    ) -> None:
        """A phone with this number. lines: calls at a time, more find it busy; 0 = any number.
        ring_ms: how long it rings before `answer` picks up, unless the phone changes it."""
        self._numbers[number] = _Registered(phone, side or self._phones, lines, ring_ms)

    def unregister(self, number: str) -> None:
        """The number is gone; calls go on. Idempotent."""
        self._numbers.pop(number, None)

    def dial(self, destination: DialOut) -> FarLine:
        """See Gateway."""
        return _OutboundLine(self, destination)

    def call(
        self,
        from_number: str,
        to_number: str,
        *,
        kind: str = "phone",
        headers: Mapping[str, str] | None = None,
        codecs: tuple[str, ...] = (),
        side: Side | None = None,
    ) -> PhoneCall:
        """A phone calls the host; `answered` of what is returned waits for it.

        codecs: of the phone in order of preference, empty = its side's.
        """
        side = side or self._phones
        circuit = self._circuit(side)
        party = Party(kind, "inbound", from_number, to_number, headers or {})
        offer = codecs or side.codecs
        if self._on_incoming is None:
            circuit.end(LineEnd.NOT_FOUND)
        else:
            self._on_incoming(_InboundLine(party, circuit, offer, self._host))
        return ExchangeCall(circuit, party, offer, side)

    def ring(self, party: Party, destination: DialOut) -> _Circuit:
        """Let the phone ring. Raises LineFailedError (not found, busy)."""
        number = destination.to_number
        registered = self._numbers.get(number)
        if registered is None:
            raise LineFailedError(LineEnd.NOT_FOUND, f"there is no phone {number}")
        if registered.lines and self._busy.get(number, 0) >= registered.lines:
            raise LineFailedError(LineEnd.BUSY)
        circuit = self._circuit(registered.side)
        offer = destination.codecs or self._host.codecs
        call = ExchangeCall(circuit, party, offer, registered.side)
        call.ring_ms = registered.ring_ms
        self._busy[number] = self._busy.get(number, 0) + 1
        task = asyncio.create_task(self._run(registered.phone, call, circuit, number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return circuit

    async def aclose(self) -> None:
        """End all calls and stop all phones. Raises what a phone raised."""
        for circuit in tuple(self._circuits):
            circuit.end(LineEnd.HANGUP)
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._errors:
            raise self._errors.pop()

    def _circuit(self, side: Side) -> _Circuit:
        circuit = _Circuit((self._host, side), self._seed())
        self._circuits.add(circuit)
        circuit.over.add_done_callback(lambda over: self._circuits.discard(circuit))
        return circuit

    async def _run(self, phone: Phone, call: ExchangeCall, circuit: _Circuit, number: str) -> None:
        try:
            await phone(call)
        except LineFailedError:
            pass  # the caller gave up
        except Exception as error:
            self._errors.append(error)
            circuit.end(LineEnd.ERROR)
        finally:
            circuit.end(LineEnd.HANGUP if circuit.answered.done() else LineEnd.DECLINE)
            self._busy[number] -= 1


def _close(leg: Leg) -> None:
    with suppress(QueueFullError, StaleError):
        leg.close()
