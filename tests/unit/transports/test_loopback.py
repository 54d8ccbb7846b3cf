"""Loopback: packets arrive, faults are counted, the same seed gives the same run."""

from random import Random

import pytest

from mediacore import _core
from mediacore.events import UtteranceFinished
from mediacore.media import LegConfig, Tap
from mediacore.transports.loopback import (
    Impairment,
    LinkStats,
    open_loopback,
    run_loopback,
)

CONFIGS = (
    LegConfig(seed=1, vad_threshold_q15=None),
    LegConfig(seed=2, vad_threshold_q15=None, taps=Tap.RX, tap_ms=10_000),
)


def run(faults: Impairment | None, *, seed: int = 1, ticks: int = 200) -> tuple[LinkStats, bytes]:
    with _core.Engine() as engine:
        loop = open_loopback(engine, Random(seed), CONFIGS, a_to_b=faults)
        loop.a.begin(1, 0)
        loop.a.say(b"\x00\x20\x00\xe0" * 4000)
        loop.a.end()
        assert run_loopback(engine, loop, 0, ticks) == ticks * 20_000
        finished = [e for e in engine.poll() if isinstance(e, UtteranceFinished)]
        assert [event.position for event in finished] == [8000]
        heard = loop.b.read_tap(ticks * 160)[1]
        assert len(heard) == ticks * 320
        assert loop.b_to_a.snapshot().dropped == 0
        loop.a.close()
        loop.b.close()
        return loop.a_to_b.snapshot(), heard


def test_without_faults_everything_arrives() -> None:
    link, heard = run(None)
    assert link.taken == link.delivered == 200
    assert (link.dropped, link.duplicated, link.reordered, link.waiting) == (0, 0, 0, 0)
    assert any(heard)


@pytest.mark.parametrize(
    ("faults", "field", "low", "high"),
    [
        (Impairment(drop=0.2), "dropped", 20, 60),
        (Impairment(duplicate=0.2), "duplicated", 20, 60),
        (Impairment(reorder=0.2), "reordered", 20, 60),
        (Impairment(delay_ms=100), "waiting", 5, 5),
        (Impairment(jitter_ms=60), "waiting", 1, 3),
    ],
)
def test_faults_happen_about_as_often_as_ordered(
    faults: Impairment, field: str, low: int, high: int
) -> None:
    link, _ = run(faults)
    assert low <= getattr(link, field) <= high
    assert link.taken == 200
    assert link.delivered + link.dropped + link.waiting == 200 + link.duplicated


def test_the_same_seed_gives_the_same_run() -> None:
    faults = Impairment(drop=0.05, duplicate=0.05, reorder=0.1, delay_ms=30, jitter_ms=40)
    assert run(faults, seed=7) == run(faults, seed=7)
    assert run(faults, seed=7) != run(faults, seed=8)


def test_a_full_queue_is_counted() -> None:
    with _core.Engine() as engine:
        loop = open_loopback(engine, Random(1), CONFIGS)
        engine.tick_many(0, 8)
        for n in range(40):
            while (packet := loop.a.pull_packet()) is not None:
                for _ in range(10):
                    loop.a_to_b._schedule(packet, n)
        loop.a_to_b.move(1000)
        assert loop.a_to_b.snapshot().refused > 0
        loop.a.close()
        loop.b.close()
