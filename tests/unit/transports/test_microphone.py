"""The line of whoever sits at the machine: packets each way, and no echo of the agent."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from mediacore import _core
from mediacore.errors import MissingDependencyError
from mediacore.media import LegConfig, Tap
from mediacore.slots.gateway import LineEnd, LineFailedError
from mediacore.transports import microphone as microphone_module
from mediacore.transports.microphone import MicrophoneConfig, MicrophoneLine
from support.fake_pyaudio import Module, Stream


def tone(hz: int, frame: int, rate: int = 16000, level: int = 8000) -> bytes:
    size = rate // 50
    at = range(frame * size, (frame + 1) * size)
    return array("h", [int(level * math.sin(2 * math.pi * hz * n / rate)) for n in at]).tobytes()


class World:
    def __init__(self, engine: _core.Engine, line: MicrophoneLine, module: Module) -> None:
        self.engine = engine
        self.line = line
        self.module = module
        self.now_us = 0

    @property
    def stream(self) -> Stream:
        assert self.module.stream is not None
        return self.module.stream

    async def frames(self, count: int, microphone: Callable[[int], bytes]) -> None:
        for n in range(count):
            self.stream.frame(microphone(n))
            await asyncio.sleep(0)
            self.now_us += 20_000
            self.engine.tick(self.now_us)


@asynccontextmanager
async def world(**config: Any) -> AsyncIterator[tuple[World, _core.Leg]]:
    engine, module = _core.Engine(max_legs=2), Module()
    line = MicrophoneLine(
        MicrophoneConfig(**config),
        engine,
        LegConfig(taps=Tap.RX, tap_ms=4000),
        seed=123456789,
        pyaudio=module,
    )
    leg = await line.connect(lambda: None)
    try:
        yield World(engine, line, module), leg
    finally:
        await line.hangup(LineEnd.HANGUP)
        leg.close()
        engine.close()
        assert module.open == 0


def test_the_caller_and_the_agent_hear_each_other() -> None:
    async def main() -> None:
        async with world(headset=True) as (here, leg):
            assert here.line.party.kind == here.line.transport.kind == "microphone"
            assert here.line.transport.codec == "L16"
            leg.begin(1, 1)
            leg.say(b"".join(tone(440, n) for n in range(50)))
            await here.frames(70, lambda n: tone(300, n))
            stats = leg.stats()
            assert stats.rx_packets == 70 and stats.rx_lost == stats.rx_malformed == 0
            heard = array("h", leg.read_tap(64_000)[1])
            assert crossings(heard[16000:]) == pytest.approx(600, rel=0.1)
            played = array("h", b"".join(here.stream.played[10:45]))
            assert crossings(played) == pytest.approx(880, rel=0.1)
            assert here.line.muted == 0
            delay = here.line.far_delay_ms()
            assert delay is not None and 30 <= delay <= 190

    asyncio.run(main())


def crossings(pcm: array[int]) -> float:
    """Per second at 16 kHz: twice the pitch."""
    found = sum((a < 0) != (b < 0) for a, b in pairwise(pcm))
    return found * 16000 / max(1, len(pcm))


def test_without_a_headset_the_agent_does_not_hear_itself() -> None:
    async def main() -> None:
        async with world() as (here, leg):
            await here.frames(10, lambda n: tone(300, n))
            assert here.line.muted == 0
            leg.begin(1, 1)
            leg.say(b"".join(tone(440, n) for n in range(25)))
            leg.end()
            await here.frames(30, lambda n: tone(300, n))
            muted = here.line.muted
            assert muted >= 20
            await here.frames(60, lambda n: tone(300, n))
            assert muted < here.line.muted < muted + 30  # on again soon after
            before = here.line.muted
            await here.frames(20, lambda n: tone(300, n))
            assert here.line.muted == before

    asyncio.run(main())


def test_the_user_hangs_up() -> None:
    async def main() -> None:
        async with world() as (here, _leg):
            here.line.end()
            here.line.end(LineEnd.ERROR)
            assert await here.line.wait_gone() is LineEnd.HANGUP
            await here.frames(3, lambda n: bytes(640))  # nobody is there any more
            assert here.line.snapshot() is not None
            with pytest.raises(LineFailedError):
                await here.line.connect(lambda: None)

    asyncio.run(main())


def test_a_device_that_is_pulled_out_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microphone_module, "_STALLED_S", 0.02)

    async def main() -> None:
        async with world() as (here, _leg):
            await here.frames(2, lambda n: bytes(640))
            here.stream.stalled = True
            async with asyncio.timeout(2):
                assert await here.line.wait_gone() is LineEnd.ERROR

    asyncio.run(main())


def test_no_device_is_no_line() -> None:
    async def main() -> None:
        engine = _core.Engine(max_legs=2)
        line = MicrophoneLine(MicrophoneConfig(), engine, LegConfig(), seed=1, pyaudio=Module(()))
        assert line.far_delay_ms() is None and line.snapshot() is None
        with pytest.raises(MissingDependencyError, match="microphone"):
            await line.connect(lambda: None)
        await line.hangup(LineEnd.ERROR)
        engine.close()
        closed = MicrophoneLine(MicrophoneConfig(), engine, LegConfig(), seed=1, pyaudio=Module())
        with pytest.raises(Exception, match="closed"):
            await closed.connect(lambda: None)

    asyncio.run(main())
