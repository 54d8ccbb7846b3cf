"""The exchange in the process: who gets through, who does not, and what both sides hear."""

from __future__ import annotations

import asyncio
import contextlib
from array import array
from collections.abc import Awaitable, Callable
from itertools import count

import pytest

from mediacore import _core
from mediacore._core import Engine, Leg
from mediacore.media import LegConfig, Tap
from mediacore.slots.gateway import DialOut, FarLine, LineEnd, LineFailedError
from mediacore.transports.exchange import ExchangeCall, LoopbackExchange, PhoneCall, Side
from virtual import run_virtual

LEG = LegConfig(taps=Tap.RX)


class World:
    """An engine ticked in virtual time, and an exchange on it."""

    def __init__(self, phone_codecs: tuple[str, ...] = ("PCMU", "PCMA", "G722")) -> None:
        self.engine = Engine(max_legs=64)
        numbers = count(1000, 10)
        self.exchange = LoopbackExchange(
            Side(self.engine, LEG),
            Side(self.engine, LEG, phone_codecs),
            seed=lambda: next(numbers),
        )

    async def __aenter__(self) -> World:
        self._task = asyncio.create_task(self._drive())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.exchange.aclose()
        await asyncio.sleep(0.1)
        open_legs = self.engine.stats().legs_open
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.engine.close()
        if exc_info[0] is None:
            assert open_legs == 0

    async def _drive(self) -> None:
        for tick in count(1):
            self.engine.tick(tick * 20_000)
            self.engine.poll()
            await asyncio.sleep(0.02)

    def dial(self, number: str, **options: object) -> FarLine:
        return self.exchange.dial(DialOut("phone", number, "100", **options))  # type: ignore[arg-type]


def run(
    scene: Callable[[World], Awaitable[None]], phone_codecs: tuple[str, ...] = ("PCMU", "PCMA")
) -> None:
    live = _core.live_objects()

    async def main() -> None:
        async with World(phone_codecs) as world:
            await scene(world)

    run_virtual(main())
    assert _core.live_objects() == live


async def answering(call: ExchangeCall) -> None:
    await call.answer()
    await call.wait_gone()


def sound(level: int) -> bytes:
    return array("h", [level, level, -level, -level] * 1000).tobytes()


async def hears(leg: Leg, other: Leg) -> int:
    """Peak that `leg` receives while `other` speaks for half a second."""
    other.begin(other.stats().ticks + 1, 1)
    other.say(sound(6000))
    other.end()
    leg.read_tap(48000)
    await asyncio.sleep(0.4)
    return max(array("h", leg.read_tap(48000)[1]), default=0)


async def connected(line: FarLine) -> Leg:
    return await line.connect(lambda: None)


async def fails(line: FarLine) -> LineEnd:
    with pytest.raises(LineFailedError) as error:
        await connected(line)
    return error.value.reason


def test_a_dialled_phone_rings_answers_and_both_hear_each_other() -> None:
    async def scene(world: World) -> None:
        legs: list[Leg] = []
        order: list[str] = []

        async def phone(call: ExchangeCall) -> None:
            assert (call.party.from_number, call.party.to_number) == ("100", "200")
            assert call.ring_ms == 700
            order.append("phone")
            legs.append(await call.answer())
            order.append("answer")
            assert await call.wait_gone() is LineEnd.HANGUP

        world.exchange.register("200", phone, ring_ms=700)
        line = world.dial("200", headers={"x": "1"})
        assert line.party.direction == "outbound"
        assert line.party.headers == {"x": "1"}
        begin = asyncio.get_running_loop().time()
        leg = await line.connect(lambda: order.append("ringing"))
        assert abs(asyncio.get_running_loop().time() - begin - 0.7) < 0.05
        await asyncio.sleep(0.1)
        assert order == ["phone", "ringing", "answer"]
        assert line.transport.codec == "PCMU"
        assert line.transport.local.startswith("127.0.0.1:")
        assert abs(await hears(leg, legs[0]) - 6000) < 700
        assert abs(await hears(legs[0], leg) - 6000) < 700
        legs[0].send_digits("7")
        await line.hangup(LineEnd.HANGUP)
        await line.hangup(LineEnd.BUSY)
        assert await line.wait_gone() is LineEnd.HANGUP
        assert legs[0].closed
        leg.close()
        legs.clear()

    run(scene)


def test_the_phone_hangs_up() -> None:
    async def scene(world: World) -> None:
        async def phone(call: ExchangeCall) -> None:
            await call.answer()
            await asyncio.sleep(1)

        world.exchange.register("200", phone)
        line = world.dial("200")
        (await connected(line)).close()
        assert await line.wait_gone() is LineEnd.HANGUP

    run(scene)


def test_calls_that_do_not_get_through() -> None:
    async def busy(call: ExchangeCall) -> None:
        call.reject(LineEnd.BUSY)

    async def decline(call: ExchangeCall) -> None:
        await asyncio.sleep(2)
        call.reject()

    async def forever(call: ExchangeCall) -> None:
        await call.wait_gone()

    async def leaves(call: ExchangeCall) -> None:
        pass

    async def scene(world: World) -> None:
        world.exchange.register("busy", busy)
        world.exchange.register("decline", decline)
        world.exchange.register("forever", forever)
        world.exchange.register("leaves", leaves)
        assert await fails(world.dial("nobody")) is LineEnd.NOT_FOUND
        assert await fails(world.dial("busy")) is LineEnd.BUSY
        assert await fails(world.dial("decline")) is LineEnd.DECLINE
        assert await fails(world.dial("leaves")) is LineEnd.DECLINE
        line = world.dial("forever", timeout_ms=3000)
        assert await fails(line) is LineEnd.NO_ANSWER
        assert await line.wait_gone() is LineEnd.NO_ANSWER
        world.exchange.unregister("busy")
        world.exchange.unregister("busy")
        assert await fails(world.dial("busy")) is LineEnd.NOT_FOUND
        early = world.dial("forever")
        await early.hangup(LineEnd.CANCEL)
        assert await fails(early) is LineEnd.CANCEL

    run(scene)


def test_busy_rings_nowhere() -> None:
    async def scene(world: World) -> None:
        rung: list[str] = []

        async def busy(call: ExchangeCall) -> None:
            call.reject(LineEnd.BUSY)

        world.exchange.register("busy", busy)
        with pytest.raises(LineFailedError):
            await world.dial("busy").connect(lambda: rung.append("x"))
        assert not rung

    run(scene)


@pytest.mark.parametrize("how", ["cancel", "hangup"])
def test_giving_up_while_it_rings(how: str) -> None:
    async def scene(world: World) -> None:
        ends: list[LineEnd] = []

        async def phone(call: ExchangeCall) -> None:
            call.ring_ms = 10_000
            with contextlib.suppress(LineFailedError):
                await call.answer()
            ends.append(await call.wait_gone())

        world.exchange.register("200", phone)
        line = world.dial("200")
        dialling = asyncio.create_task(connected(line))
        await asyncio.sleep(1)
        if how == "cancel":
            dialling.cancel()
        else:
            await line.hangup(LineEnd.CANCEL)
        await asyncio.sleep(1)
        assert ends == [LineEnd.CANCEL]
        result = (await asyncio.gather(dialling, return_exceptions=True))[0]
        assert isinstance(result, asyncio.CancelledError | LineFailedError)

    run(scene)


def test_a_phone_with_one_line_and_calls_in_parallel() -> None:
    async def scene(world: World) -> None:
        world.exchange.register("one", answering, lines=1)
        world.exchange.register("many", answering)
        lines = [world.dial("many") for _ in range(5)] + [world.dial("one")]
        legs = await asyncio.gather(*(connected(line) for line in lines))
        assert await fails(world.dial("one")) is LineEnd.BUSY
        assert len({line.transport.local for line in lines}) == 6
        await lines[-1].hangup(LineEnd.HANGUP)
        await asyncio.sleep(0.1)
        again = world.dial("one")
        legs.append(await connected(again))
        for leg in legs:
            leg.close()

    run(scene)


def test_codecs_are_taken_in_the_order_of_the_offer() -> None:
    async def scene(world: World) -> None:
        world.exchange.register("200", answering)
        for offer, codec in (
            (("G722", "PCMA", "PCMU"), "PCMA"),
            (("pcmu",), "pcmu"),
            ((), "PCMU"),
        ):
            line = world.dial("200", codecs=offer)
            (await connected(line)).close()
            assert line.transport.codec == codec
        line = world.dial("200", codecs=("G722",))
        assert await fails(line) is LineEnd.ERROR
        with pytest.raises(LineFailedError):
            _ = world.dial("200").transport

    run(scene)


def test_a_phone_calls_the_host() -> None:
    async def scene(world: World) -> None:
        incoming: list[FarLine] = []
        world.exchange.on_incoming(incoming.append)
        call: PhoneCall = world.exchange.call("300", "100", headers={"a": "b"}, codecs=("PCMA",))
        [line] = incoming
        assert line.party.direction == "inbound"
        assert (line.party.from_number, line.party.headers) == ("300", {"a": "b"})
        leg = await connected(line)
        far = await call.answered()
        assert line.transport.codec == "PCMA"
        assert await hears(leg, far) > 5000
        assert await hears(far, leg) > 5000
        call.hangup()
        assert await line.wait_gone() is LineEnd.HANGUP
        leg.close()

    run(scene)


def test_the_host_refuses_or_the_caller_gives_up_or_nobody_listens() -> None:
    async def scene(world: World) -> None:
        call = world.exchange.call("300", "100")
        with pytest.raises(LineFailedError) as error:
            await call.answered()
        assert error.value.reason is LineEnd.NOT_FOUND
        incoming: list[FarLine] = []
        world.exchange.on_incoming(incoming.append)
        call = world.exchange.call("300", "100")
        await incoming.pop().hangup(LineEnd.BUSY)
        with pytest.raises(LineFailedError) as error:
            await call.answered()
        assert error.value.reason is LineEnd.BUSY
        call = world.exchange.call("300", "100")
        line = incoming.pop()
        gone = asyncio.create_task(line.wait_gone())
        await asyncio.sleep(1)
        call.hangup()
        assert await gone is LineEnd.CANCEL
        assert await fails(line) is LineEnd.CANCEL

    run(scene)


def test_a_phone_that_breaks_ends_its_call_and_says_so_at_the_end() -> None:
    async def scene(world: World) -> None:
        async def broken(call: ExchangeCall) -> None:
            await call.answer()
            await asyncio.sleep(0.5)
            raise KeyError("broken")

        world.exchange.register("200", broken)
        line = world.dial("200")
        (await connected(line)).close()
        assert await line.wait_gone() is LineEnd.ERROR
        with pytest.raises(KeyError):
            await world.exchange.aclose()

    run(scene)


def test_real_time() -> None:
    """Two engines, the pacer of each, and real sockets between."""

    async def main() -> int:
        with Engine(max_legs=4) as host, Engine(max_legs=4) as phones:
            exchange = LoopbackExchange(
                Side(host, LEG), Side(phones, LEG, ("G722",)), seed=lambda: 5
            )
            host.start()
            phones.start()

            async def phone(call: ExchangeCall) -> None:
                leg = await call.answer()
                leg.begin(1, 1)
                leg.say(sound(6000) * 3)
                leg.end()
                await call.wait_gone()

            exchange.register("200", phone)
            line = exchange.dial(DialOut("phone", "200", codecs=("G722",)))
            leg = await connected(line)
            await asyncio.sleep(0.5)
            heard = array("h", leg.read_tap(48000)[1])
            leg.close()
            await line.hangup(LineEnd.HANGUP)
            await exchange.aclose()
            for engine in (host, phones):
                engine.stop()
                engine.poll()
            return max(heard)

    assert asyncio.run(main()) > 4000
