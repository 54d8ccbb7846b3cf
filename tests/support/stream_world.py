"""A stream server on an engine that is ticked by the loop's clock, virtual or real."""

from __future__ import annotations

import asyncio
import random
from array import array
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from mediacore._core import Codec, Engine, Leg
from mediacore.events import MediaEvent
from mediacore.media import LegConfig, Tap
from mediacore.slots.gateway import FarLine
from mediacore.transports.pump import StreamPump
from mediacore.transports.streams.config import StreamConfig, StreamEndpoint, StreamLimits
from mediacore.transports.streams.server import StreamServer
from support.stream_peers import Shape, StreamPeer
from virtual import now_us

LEG = LegConfig(taps=Tap.RX, tap_ms=3000, detect_dtmf=True)


class StreamWorld:
    """Lines of incoming calls are in `lines`; events of all legs in `events`.

    real: the media thread ticks and the pump is woken by it; otherwise the loop's clock does.
    """

    def __init__(
        self,
        *endpoints: StreamEndpoint,
        limits: StreamLimits | None = None,
        leg: LegConfig = LEG,
        real: bool = False,
        tls: tuple[Path, Path] | None = None,
        wallclock: Callable[[], float] = lambda: 1_700_000_000.0,
    ) -> None:
        numbers = count(1000, 10)
        self.engine = Engine(max_legs=64)
        self.pump = StreamPump(self.engine)
        self.lines: asyncio.Queue[FarLine] = asyncio.Queue()
        self.events: list[MediaEvent] = []
        self._news = asyncio.Event()
        self.server = StreamServer(
            StreamConfig(
                endpoints,
                tls_cert=tls and tls[0],
                tls_key=tls and tls[1],
                limits=limits or StreamLimits(),
            ),
            self.engine,
            leg,
            self.pump,
            on_incoming=self.lines.put_nowait,
            seed=lambda: next(numbers),
            clock=now_us,
            wallclock=wallclock,
        )
        self._real = real

    async def __aenter__(self) -> StreamWorld:
        await self.server.start()
        if self._real:
            self.pump.start()
            self.engine.start()
        self._task = asyncio.create_task(self._drive())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.server.aclose()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.pump.stop()
        self.engine.close()

    async def _drive(self) -> None:
        for tick in count(1):
            if not self._real:
                self.engine.tick(tick * 20_000)
            self.events += self.engine.poll()
            self._news.set()
            if not self._real:
                self.pump.pump()
            await asyncio.sleep(0.02)

    def url(self, path: str) -> str:
        host, port = self.server.address
        return f"ws://{host}:{port}{path}"

    def peer(self, shape: Shape, url: str = "", **options: object) -> StreamPeer:
        return StreamPeer(shape, url or self.url(f"/{shape.kind}"), **options)  # type: ignore[arg-type]

    async def answered(self) -> tuple[FarLine, Leg]:
        """The next call, answered."""
        async with asyncio.timeout(5):
            line = await self.lines.get()
        return line, await line.connect(lambda: None)

    async def wait_seen(self, kind: type[MediaEvent]) -> MediaEvent:
        """The first event of this kind, past or to come."""
        while not self.seen(kind):
            self._news.clear()
            await self._news.wait()
        return self.seen(kind)[0]

    def seen(self, kind: type[MediaEvent]) -> list[MediaEvent]:
        return [event for event in self.events if isinstance(event, kind)]


def endpoint_of(shape: Shape, **more: object) -> StreamEndpoint:
    return StreamEndpoint(shape.kind, **{**shape.options, **more})  # type: ignore[arg-type]


def noise(ms: int, srate_hz: int, seed: int = 1) -> array[int]:
    """Low-passed noise without silence in it, as loud as speech."""
    rng = random.Random(seed)
    level = 0.0
    out = array("h")
    for _ in range(ms * srate_hz // 1000):
        level += (rng.uniform(-9000, 9000) - level) * 0.7
        out.append(int(level) or 1)
    return out


def encoded(pcm: array[int], codec: str) -> bytes:
    """As it goes over the wire."""
    if codec == "L16LE":
        return pcm.tobytes()
    coder = Codec(codec)
    parts = [pcm[n : n + 1600].tobytes() for n in range(0, len(pcm), 1600)]
    return b"".join(map(coder.encode, parts))


def decoded(data: bytes, codec: str) -> array[int]:
    if codec == "L16LE":
        return array("h", data)
    coder = Codec(codec)
    parts = [bytes(data[n : n + 1600]) for n in range(0, len(data), 1600)]
    return array("h", b"".join(map(coder.decode, parts)))


def correlation(said: Sequence[int], heard: Sequence[int]) -> float:
    """Of `said` with the stretch of `heard` that is most like it; 1.0 = the same sound."""
    a = np.asarray(said, dtype=float)
    b = np.asarray(heard, dtype=float)
    if len(b) < len(a):
        b = np.concatenate([b, np.zeros(len(a) - len(b))])
    size = 1 << (len(a) + len(b)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)
    lag = int(np.argmax(cross[: len(b) - len(a) + 1]))
    part = b[lag : lag + len(a)]
    return float(a @ part / (np.linalg.norm(a) * np.linalg.norm(part) + 1e-9))


def sounding(pcm: Sequence[int], floor: int = 0) -> int:
    """Samples that are not silence, as counted by frames of 10 samples."""
    levels = np.abs(np.asarray(pcm[: len(pcm) // 10 * 10]).reshape(-1, 10)).max(axis=1)
    return int((levels > floor).sum()) * 10


async def speak(
    leg: Leg, pcm: array[int], utterance: int = 1, generation: int = 1, words_ms: int = 0
) -> None:
    """Feed an utterance as a synthesiser does, with a mark each `words_ms`."""
    leg.begin(utterance, generation)
    data, given, marked = pcm.tobytes(), 0, 0
    step = words_ms * leg.srate_hz // 1000
    while given < len(pcm):
        given += leg.say(data, given)
        while step and (marked + 1) * step <= given:
            marked += 1
            leg.mark(marked, marked * step)
        await asyncio.sleep(0.1)
    leg.end()


async def listen(leg: Leg, into: array[int]) -> None:
    """Collect what the agent hears until cancelled."""
    while True:
        into.frombytes(leg.read_tap(48_000)[1])
        await asyncio.sleep(0.2)
