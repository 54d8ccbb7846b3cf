"""StreamPump: every attached leg gets its items, closed legs go, one sink's failure is its own."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from mediacore import _core
from mediacore.media import LegConfig, MediaOut
from mediacore.transports.pump import StreamPump

LEG = LegConfig(vad_threshold_q15=None, stream=True, stream_always=True)
TICK_US = 20_000


@pytest.fixture
def engine() -> Iterator[_core.Engine]:
    with _core.Engine(max_legs=4) as engine:
        yield engine


def test_each_leg_has_its_sink(engine: _core.Engine) -> None:
    pump = StreamPump(engine)
    legs = [engine.open_leg(LEG) for _ in range(3)]
    got: list[list[Any]] = [[], [], []]
    for leg, sink in zip(legs, got, strict=True):
        pump.attach(leg, sink.extend)
    now = engine.tick_many(0, 2)
    assert pump.pump() == 6
    assert [len(items) for items in got] == [2, 2, 2]
    assert all(item[0] is MediaOut.AUDIO for item in got[0])
    pump.detach(legs[1])
    pump.detach(legs[1])
    engine.tick_many(now, 1)
    assert pump.pump() == 2
    assert pump.pump() == 0
    assert pump.snapshot().legs == 2
    assert pump.snapshot().items == 8
    for leg in legs:
        leg.close()


def test_a_closed_leg_gives_its_last_items_and_goes(engine: _core.Engine) -> None:
    pump = StreamPump(engine)
    leg, freed = engine.open_leg(LEG), engine.open_leg(LEG)
    got: list[Any] = []
    pump.attach(leg, got.extend)
    pump.attach(freed, got.extend)
    freed.close()
    now = engine.tick_many(0, 1)
    engine.poll()
    freed.free()
    leg.close()
    engine.tick_many(now, 1)
    assert pump.pump() == len(got) == 2
    assert pump.snapshot().legs == 0


def test_another_pull(engine: _core.Engine) -> None:
    pump = StreamPump(engine)
    leg = engine.open_leg(LEG)
    got: list[Any] = []
    pump.attach(leg, got.extend, pull=lambda: [b"wire"])
    engine.tick(0)
    pump.pump()
    assert got == [b"wire"]
    leg.close()


def test_a_sink_that_raises_is_detached(engine: _core.Engine) -> None:
    def sink(items: list[Any]) -> None:
        raise ValueError("no")

    told: list[dict[str, Any]] = []
    pump = StreamPump(engine)
    bad, good = engine.open_leg(LEG), engine.open_leg(LEG)
    got: list[Any] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        delivered = asyncio.Event()
        loop.set_exception_handler(lambda _, context: told.append(context))
        pump.start()
        pump.start()
        pump.attach(bad, sink)
        pump.attach(good, lambda items: (got.extend(items), delivered.set()))
        engine.tick(0)
        await asyncio.wait_for(delivered.wait(), 5)
        pump.stop()
        pump.stop()

    asyncio.run(run())
    assert len(got) == 1
    assert isinstance(told[0]["exception"], ValueError)
    assert pump.snapshot().failed == 1
    pump.attach(bad, sink)
    engine.tick(TICK_US)
    with pytest.raises(ValueError, match="no"):
        pump.pump()
    bad.close()
    good.close()
