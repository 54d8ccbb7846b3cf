"""Two legs of one engine joined without a network, with faults to order."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from mediacore._core import Engine, Leg
from mediacore.errors import QueueFullError
from mediacore.media import LegConfig
from mediacore.units import TICK_MS

TICK_US = TICK_MS * 1000


@dataclass(frozen=True, slots=True)
class Impairment:
    """What happens to packets of one direction. Probabilities 0..1, times in milliseconds.

    drop: lost. duplicate: comes twice. reorder: held back by one more packet time, 20 ms, so that
    the next overtakes it. delay_ms: of every packet. jitter_ms: up to so much more, evenly
    spread. Times take effect on tick boundaries.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay_ms: int = 0
    jitter_ms: int = 0


@dataclass(frozen=True, slots=True)
class LinkStats:
    """Packets of one direction. refused: the receiving leg's queue was full."""

    taken: int
    delivered: int
    dropped: int
    duplicated: int
    reordered: int
    refused: int
    waiting: int


class Link:
    """One direction: takes what `source` sends, impairs it, gives it to `target`."""

    def __init__(
        self, source: Leg, target: Leg, rng: Random, impairment: Impairment | None = None
    ) -> None:
        self._source = source
        self._target = target
        self._rng = rng
        self.impairment = impairment or Impairment()
        self._waiting: list[tuple[int, int, bytes]] = []  # (due µs, order, packet)
        self._taken = self._delivered = self._dropped = 0
        self._duplicated = self._reordered = self._refused = 0
        self._order = 0

    def move(self, now_us: int) -> None:
        """Take everything sent, deliver everything due."""
        while (packet := self._source.pull_packet()) is not None:
            self._taken += 1
            self._schedule(packet, now_us)
        while self._waiting and self._waiting[0][0] <= now_us:
            packet = heapq.heappop(self._waiting)[2]
            try:
                self._target.push_packet(packet)
            except QueueFullError:
                self._refused += 1
            else:
                self._delivered += 1

    def _schedule(self, packet: bytes, now_us: int) -> None:
        faults, rng = self.impairment, self._rng
        if rng.random() < faults.drop:
            self._dropped += 1
            return
        copies = 1
        if rng.random() < faults.duplicate:
            self._duplicated += 1
            copies = 2
        for _ in range(copies):
            due = now_us + faults.delay_ms * 1000 + rng.randint(0, faults.jitter_ms * 1000)
            if rng.random() < faults.reorder:
                self._reordered += 1
                due += TICK_US + 1
            self._order += 1
            heapq.heappush(self._waiting, (due, self._order, packet))

    def snapshot(self) -> LinkStats:
        """Counters since the link was made."""
        return LinkStats(
            taken=self._taken,
            delivered=self._delivered,
            dropped=self._dropped,
            duplicated=self._duplicated,
            reordered=self._reordered,
            refused=self._refused,
            waiting=len(self._waiting),
        )


class Loopback:
    """Two legs that are each other's far end. Call move() after each tick.

    The engine is ticked by hand: with the pacer running, packets would wait for the caller.
    """

    def __init__(
        self,
        a: Leg,
        b: Leg,
        rng: Random,
        *,
        a_to_b: Impairment | None = None,
        b_to_a: Impairment | None = None,
    ) -> None:
        self.a = a
        self.b = b
        self.a_to_b = Link(a, b, rng, a_to_b)
        self.b_to_a = Link(b, a, rng, b_to_a)

    def move(self, now_us: int) -> None:
        """Move packets both ways. now_us: time of the tick just run, monotonic microseconds."""
        self.a_to_b.move(now_us)
        self.b_to_a.move(now_us)


def open_loopback(
    engine: Engine,
    rng: Random,
    configs: Sequence[LegConfig] = (LegConfig(seed=1), LegConfig(seed=2)),
    *,
    a_to_b: Impairment | None = None,
    b_to_a: Impairment | None = None,
) -> Loopback:
    """Open two memory-link legs on one engine and join them."""
    a, b = (engine.open_leg(config) for config in configs)
    return Loopback(a, b, rng, a_to_b=a_to_b, b_to_a=b_to_a)


def run_loopback(engine: Engine, loopback: Loopback, start_us: int, ticks: int) -> int:
    """Run so many ticks, packets moved after each. Returns the time of the next tick."""
    for tick in range(ticks):
        now_us = start_us + tick * TICK_US
        engine.tick(now_us)
        loopback.move(now_us)
    return start_us + ticks * TICK_US
