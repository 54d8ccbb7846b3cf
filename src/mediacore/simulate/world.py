"""Virtual time: one queue of what will happen, and who sends it how late, twice or never.

Every actor draws from a random stream of its own, so that leaving one delivery out changes the
others as little as possible. A delivery is named "actor-n", its n-th; those names are what a
shrunk run is described by.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappush
from random import Random
from typing import Final

from mediacore.runtime.inputs import Event
from mediacore.runtime.state import RunState

Fire = Callable[[], None]
MS: Final = 1000
ACTORS: Final = (
    "gateway",
    "core",
    "people",
    "model",
    "tool",
    "work",
    "controller",
    "outside",
)


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad it is. Chances 0..1; slow_ms: how late a late reply comes at most."""

    name: str
    lose: float
    twice: float
    late: float
    fail: float
    slow_ms: int = 20_000


WEATHERS: Final = (
    Weather("calm", 0.0, 0.0, 0.02, 0.03),
    Weather("rough", 0.03, 0.03, 0.10, 0.12),
    Weather("hostile", 0.12, 0.10, 0.25, 0.30),
    Weather("dead", 1.0, 0.0, 0.0, 0.0),
)


@dataclass(frozen=True, slots=True, order=True)
class Delivery:
    """Something that happens at `at_us`; among equals `order` decides. name empty: inside the
    world, not for the call."""

    at_us: int
    order: float
    serial: int
    name: str
    what: object


class World:
    """The queue and its actors' dice. `state` is the call as it is now."""

    __slots__ = ("_lanes", "_sent", "_serial", "dice", "now", "queue", "state", "weather")

    def __init__(self, seed: int, weather: Weather, state: RunState) -> None:
        self.now = 0
        self.state = state
        self.weather = weather
        self.queue: list[tuple[int, float, int, str, Event | Fire]] = []
        self.dice = {actor: Random(seed * 64 + i) for i, actor in enumerate(ACTORS)}
        self._serial = 0
        self._sent = dict.fromkeys(ACTORS, 0)
        self._lanes: dict[str, int] = {}

    def at(self, at_us: int, fire: Fire) -> None:
        """Something inside the world."""
        self._serial += 1
        heappush(self.queue, (at_us, 0.0, self._serial, "", fire))

    def give(self, actor: str, event: Event, delay_us: int, lane: str = "") -> None:
        """Deliver for certain. What shares a lane stays in order."""
        at_us = self.now + delay_us
        if lane:
            at_us = max(at_us, self._lanes.get(lane, 0))
            self._lanes[lane] = at_us
        sent = self._sent[actor] = self._sent[actor] + 1
        self._serial += 1
        order = self.dice[actor].random() if not lane else 0.5
        heappush(self.queue, (at_us, order, self._serial, f"{actor}-{sent}", event))

    def send(self, actor: str, event: Event, delay_us: int, lane: str = "") -> None:
        """Deliver as the weather allows: late, twice or never."""
        dice, weather = self.dice[actor].random, self.weather
        if dice() < weather.lose:
            return
        if dice() < weather.late:
            delay_us += int(dice() * weather.slow_ms) * MS
        self.give(actor, event, delay_us, lane)
        if dice() < weather.twice:
            self.give(actor, event, delay_us + int(dice() * 3_000_000), lane)

    def fails(self, actor: str) -> bool:
        """Whether this piece of work fails."""
        return self.dice[actor].random() < self.weather.fail

    def delay(self, actor: str, low_ms: int, high_ms: int) -> int:
        """Some time, in µs."""
        return int((low_ms + self.dice[actor].random() * (high_ms - low_ms)) * MS)

    def tick(self, at_us: int, event: Event) -> None:
        """The call wants to be woken. Never lost: it is the call's own clock."""
        self._serial += 1
        heappush(self.queue, (at_us, 1.0, self._serial, "tick", event))
