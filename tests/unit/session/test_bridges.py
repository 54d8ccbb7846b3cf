"""Pairs of legs that hear each other, and what happens when one cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mediacore._core import Engine, Leg
from mediacore.errors import MediaError
from mediacore.media import LegConfig
from mediacore.session.bridges import Bridges


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(max_legs=4, max_bridges=1)
    yield made
    made.close()


@pytest.fixture
def legs(engine: Engine) -> Iterator[tuple[Leg, Leg, Leg]]:
    opened = [engine.open_leg(replace(LegConfig(), seed=n)) for n in (1, 2, 3)]
    yield opened[0], opened[1], opened[2]
    for leg in opened:
        if not leg.closed:
            leg.close()
    for at in range(3):
        engine.tick(10_000_000 + at * 20_000)
    for leg in opened:
        leg.free()


def test_a_pair_is_joined_once_and_parted(engine: Engine, legs: tuple[Leg, Leg, Leg]) -> None:
    bridges = Bridges(engine)
    bridges.join(legs[0], legs[1])
    bridges.join(legs[1], legs[0])
    engine.tick(20_000)
    assert engine.stats().bridges_open == 1
    bridges.part(legs[1], legs[0])
    bridges.part(legs[1], legs[0])
    engine.tick(40_000)
    assert engine.stats().bridges_open == 0
    bridges.close()


def test_legs_that_are_gone_are_left_alone(engine: Engine, legs: tuple[Leg, Leg, Leg]) -> None:
    bridges = Bridges(engine)
    legs[0].close()
    bridges.join(legs[0], legs[1])
    bridges.join(None, legs[1])
    bridges.part(None, legs[1])
    engine.tick(20_000)
    assert engine.stats().bridges_open == 0


def test_no_room_for_a_bridge_is_told_and_leaves_nothing(
    engine: Engine, legs: tuple[Leg, Leg, Leg]
) -> None:
    bridges = Bridges(engine)
    bridges.join(legs[0], legs[1])
    with pytest.raises(MediaError):
        bridges.join(legs[1], legs[2])
    bridges.close()
    engine.tick(20_000)
    assert engine.stats().bridges_open == 0
