"""What single pieces cost, by pytest-benchmark: pytest benchmarks/test_micro.py

Wall-clock times of one call through the binding; `frames` in the extra info says how many 20 ms
frames a call handles. Compare within one run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mediacore._core import Codec, Engine, Leg, Resampler, Vad
from mediacore.bench.sound import FRAME, SRATE_HZ, shipped_callers, without_gaps
from mediacore.media import LegConfig, Tap

pytest.importorskip("pytest_benchmark")

FRAMES = 25
TICK_US = 20_000
LEGS = 64


@pytest.fixture(scope="module")
def speech() -> bytes:
    """Half a second of speech at 8000 Hz."""
    return without_gaps(shipped_callers())[: 2 * FRAMES * FRAME]


@pytest.mark.parametrize("name", ["PCMU", "PCMA", "G722", "L16"])
def test_encode(benchmark: Any, name: str, speech: bytes) -> None:
    codec = Codec(name)
    pcm = Resampler(SRATE_HZ, codec.srate_hz).run(speech) if codec.srate_hz != SRATE_HZ else speech
    pcm = pcm[: 2 * 5760]
    benchmark.extra_info["frames"] = len(pcm) // 2 / (codec.srate_hz / 50)
    benchmark(codec.encode, pcm)


@pytest.mark.parametrize("name", ["PCMU", "PCMA", "G722", "L16"])
def test_decode(benchmark: Any, name: str, speech: bytes) -> None:
    codec = Codec(name)
    pcm = speech if codec.srate_hz == SRATE_HZ else Resampler(SRATE_HZ, codec.srate_hz).run(speech)
    pcm = pcm[: 2 * 5760]
    benchmark.extra_info["frames"] = len(pcm) // 2 / (codec.srate_hz / 50)
    benchmark(codec.decode, codec.encode(pcm))


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(8000, 16000), (16000, 8000), (24000, 8000), (8000, 48000)]
)
def test_resample(benchmark: Any, from_hz: int, to_hz: int, speech: bytes) -> None:
    resampler = Resampler(from_hz, to_hz)
    pcm = speech * (from_hz // SRATE_HZ)
    benchmark.extra_info["frames"] = FRAMES
    benchmark(resampler.run, pcm)


def test_vad(benchmark: Any, speech: bytes) -> None:
    vad = Vad(SRATE_HZ)
    benchmark.extra_info["frames"] = FRAMES
    benchmark(vad.run, speech)


@pytest.mark.parametrize("parties", [2, 3, 8])
def test_mix(benchmark: Any, parties: int) -> None:
    """A tick of a bridge, legs included."""
    with Engine() as engine:
        legs = [engine.open_leg(LegConfig(seed=n + 1)) for n in range(parties)]
        bridge = engine.open_bridge()
        for leg in legs:
            bridge.join(leg)
        benchmark(_Ticker(engine, legs))


@pytest.mark.parametrize("legs", [1, LEGS])
def test_tick(benchmark: Any, legs: int) -> None:
    """A tick of legs with speech detection and receive tap; Python carries their packets."""
    with Engine() as engine:
        opened = [engine.open_leg(LegConfig(seed=n + 1, taps=Tap.RX)) for n in range(legs)]
        benchmark(_Ticker(engine, opened))


def test_poll_nothing(benchmark: Any) -> None:
    with Engine() as engine:
        benchmark(engine.poll)


def test_poll_events(benchmark: Any) -> None:
    """LEGS events: each leg's tap is ready."""
    with Engine() as engine:
        config = LegConfig(taps=Tap.RX, tap_block_ms=20)
        legs = [engine.open_leg(config) for _ in range(LEGS)]
        ticker = _Ticker(engine, legs)

        def events() -> Iterator[Any]:
            while True:
                engine.poll()
                ticker()
                yield (), {}

        source = events()
        assert benchmark.pedantic(engine.poll, setup=lambda: next(source), rounds=500)


def test_say(benchmark: Any, speech: bytes) -> None:
    """Giving half a second of speech to a leg, and the ticks that play it."""
    with Engine() as engine:
        leg = engine.open_leg(LegConfig(seed=1))
        leg.begin(1, 1)
        ticker = _Ticker(engine, [leg])

        def turn() -> None:
            leg.say(speech)
            for _ in range(FRAMES):
                ticker()

        benchmark.extra_info["frames"] = FRAMES
        benchmark(turn)


class _Ticker:
    """One tick of virtual time; what each leg sent is given to the next one."""

    def __init__(self, engine: Engine, legs: list[Leg]) -> None:
        self._engine = engine
        self._pairs = list(zip(legs, legs[1:] + legs[:1], strict=True))
        self._now_us = 1_000_000

    def __call__(self) -> None:
        self._engine.tick(self._now_us)
        self._now_us += TICK_US
        for leg, after in self._pairs:
            packet = leg.pull_packet()
            if packet is not None:
                after.push_packet(packet)
