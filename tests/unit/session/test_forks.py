"""Copies of a line over RTP, and what becomes of them when something goes away."""

from __future__ import annotations

import asyncio
import socket
import struct
from array import array
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from typing import ClassVar

import pytest

from mediacore._core import Codec
from mediacore.errors import MediacoreError
from mediacore.runtime.actions import StartFork
from mediacore.runtime.inputs import ForkChanged
from mediacore.session.forks import Forks
from support.line_sim import LineSim, loud_ms, peak
from virtual import run_virtual

Scene = Callable[[LineSim, Forks, list[ForkChanged]], Awaitable[None]]


class FakeWs:
    """In place of a WebSocket."""

    made: ClassVar[list[FakeWs]] = []

    def __init__(self, uri: str, form: object, token: str) -> None:
        self.made.append(self)
        self.asked = (uri, form, token)
        self.pairs = 0
        self.end = asyncio.Event()

    def put(self, at: int, pcm: bytes) -> None:
        self.pairs += len(pcm) // 4

    async def run(self, running: Callable[[], None]) -> None:
        running()
        await self.end.wait()
        raise MediacoreError("the peer left")


@pytest.fixture
def target() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        yield sock


def run(scene: Scene, **options: object) -> None:
    FakeWs.made.clear()

    async def main() -> None:
        async with LineSim() as line:
            told: list[ForkChanged] = []
            forks = Forks(
                line.hub,
                line.near,
                line.tap,
                line.group,
                told.append,
                call_id="call-1",
                seed=lambda: 77,
                connect=FakeWs,  # type: ignore[arg-type]
                **options,  # type: ignore[arg-type]
            )
            await scene(line, forks, told)
            forks.close()
            await asyncio.sleep(0.1)
            assert [t.running for t in told].count(False) == len({t.op for t in told})

    run_virtual(main())


def tap(uri: str, track: str = "both", codec: str = "PCMU", kind: str = "tap") -> StartFork:
    return StartFork("f", "line", kind, uri, track, codec)  # type: ignore[arg-type]


def received(sock: socket.socket, codec: str = "PCMU") -> array[int]:
    decoder = Codec(codec)
    pcm = array("h")
    numbers = []
    while True:
        try:
            packet = sock.recv(2000)
        except BlockingIOError:
            break
        numbers.append(struct.unpack_from(">H", packet, 2)[0])
        pcm.frombytes(decoder.decode(packet[12:]))
    assert all((b - a) % 65536 == 1 for a, b in pairwise(numbers))
    return pcm


async def both_talk(line: LineSim) -> None:
    for leg, level in ((line.near, 6000), (line.far, 3000)):
        leg.begin(1, 1)
        leg.say(array("h", [level, level, -level, -level] * 2000).tobytes())
        leg.end()
        await asyncio.sleep(1.2)


@pytest.mark.parametrize(
    ("track", "level", "loud"),
    [("both", 6000, 2000), ("inbound", 3000, 1000), ("outbound_track", 6000, 1000)],
)
def test_rtp_carries_the_direction_asked_for(
    target: socket.socket, track: str, level: int, loud: int
) -> None:
    port = target.getsockname()[1]

    async def scene(line: LineSim, forks: Forks, told: list[ForkChanged]) -> None:
        forks.start(tap(f"rtp://127.0.0.1:{port}", track, "PCMA"))
        await asyncio.sleep(0.1)
        params = told[0].device["params"]
        assert isinstance(params, dict)
        assert told[0].device["type"] == "rtp"
        assert params["port"] > 0
        await both_talk(line)
        forks.stop("f")
        forks.stop("f")
        await asyncio.sleep(0.1)
        assert [(t.running, t.error) for t in told] == [(True, ""), (False, "")]
        assert line.engine.stats().legs_open == 2
        await asyncio.sleep(0.5)

    run(scene)
    pcm = received(target, "PCMA")
    assert abs(peak(pcm) - level) < 700
    assert abs(loud_ms(pcm, 700) - loud) <= 80
    assert len(pcm) <= 8 * 2700


def test_names_are_resolved_and_may_be_refused(target: socket.socket) -> None:
    async def resolve(host: str, port: int) -> tuple[str, int]:
        if host == "bad.example":
            raise MediacoreError("not allowed")
        return "127.0.0.1", target.getsockname()[1]

    async def scene(line: LineSim, forks: Forks, told: list[ForkChanged]) -> None:
        for uri, error in (
            ("rtp://bad.example:4000", "not allowed"),
            ("rtp://good.example", "needs host and port"),
            ("rtp://good.example:99999", "out of range"),
        ):
            forks.start(tap(uri))
            await asyncio.sleep(0.1)
            assert not told[-1].running
            assert error in told[-1].error
            assert len(told) == 1
            told.clear()
        forks.start(tap("rtp://good.example:4000", codec="GSM"))
        await asyncio.sleep(0.1)
        assert not told[-1].running
        told.clear()
        forks.start(tap("rtp://good.example:4000"))
        await asyncio.sleep(0.5)

    run(scene, resolve=resolve)
    assert len(received(target)) > 2000


def test_a_line_that_goes_away_is_survived(target: socket.socket) -> None:
    port = target.getsockname()[1]

    async def scene(line: LineSim, forks: Forks, told: list[ForkChanged]) -> None:
        forks.start(tap(f"rtp://127.0.0.1:{port}"))
        await asyncio.sleep(0.2)
        line.near.close()
        await asyncio.sleep(0.2)
        forks.close()
        await asyncio.sleep(0.2)
        assert [t.running for t in told] == [True, False]

    run(scene)


def test_a_websocket_is_fed_from_the_tap_and_its_end_is_told() -> None:
    async def scene(line: LineSim, forks: Forks, told: list[ForkChanged]) -> None:
        forks.start(tap("wss://a.example/x", kind="stream"))
        forks.start(tap("wss://a.example/x", kind="stream"))  # twice is once
        await asyncio.sleep(1.05)
        [ws] = FakeWs.made
        assert told[0].device == {
            "type": "ws",
            "params": {"uri": "wss://a.example/x", "codec": "PCMU"},
        }
        assert 7600 <= ws.pairs <= 8600
        ws.end.set()
        await asyncio.sleep(0.1)
        assert [(t.running, t.error) for t in told] == [(True, ""), (False, "the peer left")]
        pairs = ws.pairs
        await asyncio.sleep(0.5)
        assert ws.pairs == pairs

    run(scene)
