"""The switchboard: routes, the gate, and when a call stops to count."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from mediacore.call.record import TransportFacts
from mediacore.policy.dialing import DialGate, DialPolicy, Refusal
from mediacore.slots.gateway import (
    DialOut,
    LineEnd,
    LineFailedError,
    Party,
    Referable,
    Referral,
)
from mediacore.transports.switchboard import Route, Switchboard, SwitchboardStats


class FakeLine:
    """A line of some gateway. fails: what `connect` raises."""

    def __init__(self, destination: DialOut, fails: LineEnd | None) -> None:
        self.party = Party(destination.kind, "outbound", "", destination.to_number)
        self.transport = TransportFacts("sip", "PCMU")
        self.fails = fails
        self.dialled = 0
        self.hung_up: LineEnd | None = None
        self.gone: asyncio.Future[LineEnd] = asyncio.get_running_loop().create_future()

    async def connect(self, on_ringing: Callable[[], None]) -> Any:
        self.dialled += 1
        on_ringing()
        if self.fails is not None:
            raise LineFailedError(self.fails)
        return "leg"

    async def hangup(self, reason: LineEnd) -> None:
        self.hung_up = reason

    async def wait_gone(self) -> LineEnd:
        return await self.gone

    def far_delay_ms(self) -> int | None:
        return 40


class FakeGateway:
    def __init__(self, fails: LineEnd | None = None) -> None:
        self.lines: list[FakeLine] = []
        self.fails = fails

    def dial(self, destination: DialOut) -> FakeLine:
        self.lines.append(FakeLine(destination, self.fails))
        return self.lines[-1]


class World:
    def __init__(self, fails: LineEnd | None = None, **policy: Any) -> None:
        self.inside, self.outside = FakeGateway(), FakeGateway(fails)
        self.gate = DialGate(DialPolicy(**policy))
        self.board = Switchboard(
            (
                Route("exchange", lambda d: d.to_number == "100", self.inside, guarded=False),
                Route("sip", lambda d: d.kind != "webrtc", self.outside),
            ),
            self.gate,
            clock_us=lambda: 0,
            campaign=lambda d: "c",
            tag=lambda number: f"#{len(number)}",
        )


def test_the_first_route_that_takes_it() -> None:
    async def scene() -> None:
        world = World()
        line = world.board.dial(DialOut("phone", "100"))
        assert await line.connect(lambda: None) == "leg"  # needs no leave
        assert len(world.inside.lines) == 1
        assert not world.outside.lines
        assert world.board.snapshot() == SwitchboardStats(1, 0, 0)

    asyncio.run(scene())


def test_no_route() -> None:
    async def scene() -> None:
        world = World()
        line = world.board.dial(DialOut("webrtc", "200"))
        assert line.party.to_number == "200"
        with pytest.raises(LineFailedError) as failed:
            await line.connect(lambda: None)
        assert failed.value.reason is LineEnd.NOT_FOUND
        with pytest.raises(LineFailedError):
            _ = line.transport
        assert await line.wait_gone() is LineEnd.NOT_FOUND
        await line.hangup(LineEnd.HANGUP)
        assert line.far_delay_ms() is None
        assert world.board.snapshot().unroutable == 1

    asyncio.run(scene())


def test_what_the_policy_refuses_is_declined_and_not_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> None:
        world = World()
        line = world.board.dial(DialOut("phone", "+19005550100"))
        with pytest.raises(LineFailedError, match="premium") as failed:
            await line.connect(lambda: None)
        assert failed.value.reason is LineEnd.DECLINE
        assert await line.wait_gone() is LineEnd.DECLINE
        with pytest.raises(LineFailedError):
            await line.connect(lambda: None)
        await line.hangup(LineEnd.HANGUP)
        assert world.outside.lines[0].dialled == 0
        assert world.board.snapshot() == SwitchboardStats(0, 1, 0)
        assert world.gate.snapshot().refused == {Refusal.PREMIUM: 1}

    with caplog.at_level(logging.INFO):
        asyncio.run(scene())
    (record,) = caplog.records
    assert vars(record)["verdict"] == "premium"
    assert vars(record)["to_tag"] == "#12"
    assert "900555" not in str(vars(record))


def test_a_call_counts_until_it_is_over() -> None:
    async def scene() -> None:
        world = World(allow=("2",), max_concurrent=1)

        def dial() -> Any:
            return world.board.dial(DialOut("phone", "200"))

        first, second = dial(), dial()  # a line that is not dialled counts for nothing
        assert await first.connect(lambda: None) == "leg"
        assert first.transport.kind == "sip"
        assert first.far_delay_ms() == 40
        with pytest.raises(LineFailedError, match="concurrent"):
            await second.connect(lambda: None)
        await first.hangup(LineEnd.HANGUP)
        await first.hangup(LineEnd.HANGUP)
        assert world.gate.snapshot().running == 0
        third = dial()
        await third.connect(lambda: None)
        world.outside.lines[-1].gone.set_result(LineEnd.BUSY)
        assert await third.wait_gone() is LineEnd.BUSY
        await third.hangup(LineEnd.HANGUP)
        assert world.gate.snapshot().running == 0
        assert world.gate.snapshot().admitted == 2

    asyncio.run(scene())


def test_a_call_that_fails_or_is_given_up_does_not_count() -> None:
    async def scene() -> None:
        world = World(fails=LineEnd.BUSY, allow=("2",))
        line = world.board.dial(DialOut("phone", "200"))
        with pytest.raises(LineFailedError) as failed:
            await line.connect(lambda: None)
        assert failed.value.reason is LineEnd.BUSY
        assert world.gate.snapshot().running == 0
        early = world.board.dial(DialOut("phone", "200"))
        await early.hangup(LineEnd.CANCEL)
        with pytest.raises(LineFailedError) as failed:
            await early.connect(lambda: None)
        assert failed.value.reason is LineEnd.CANCEL
        assert world.outside.lines[-1].dialled == 0

    asyncio.run(scene())


def test_a_party_can_be_sent_elsewhere_where_its_gateway_can_do_so() -> None:
    class Referred(FakeLine):
        async def refer(self, to_uri: str) -> Referral:
            return Referral(202, 200 if to_uri == "sip:desk@pbx" else 404)

    async def main() -> None:
        world = World(allow=("+1",))
        plain = world.board.dial(DialOut("phone", "+12025550100"))
        assert not isinstance(plain, Referable)
        world.outside.dial = lambda destination: Referred(destination, None)  # type: ignore[method-assign]
        line = world.board.dial(DialOut("phone", "+12025550100"))
        assert isinstance(line, Referable)
        assert await line.refer("sip:desk@pbx") == Referral(202, 200)

    asyncio.run(main())
