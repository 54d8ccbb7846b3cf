"""AudioSocket: calls from a peer in memory, what both hear, who is refused, and how it ends."""

from __future__ import annotations

import asyncio
import math
import struct
from array import array
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from mediacore._core import Engine, Leg
from mediacore.call.record import Accuracy
from mediacore.errors import ConfigError
from mediacore.events import DigitReceived, MediaEvent
from mediacore.media import LegConfig, Tap
from mediacore.slots.gateway import FarLine, LineEnd, LineFailedError
from mediacore.transports.asterisk.audiosocket import AudioSocketServer
from mediacore.transports.asterisk.config import AudioSocketConfig
from mediacore.transports.asterisk.connection import Connection
from mediacore.transports.asterisk.uuids import UuidBook
from mediacore.transports.pump import StreamPump
from mediacore.wire import audiosocket as wire
from virtual import now_us, run_virtual

ID = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")


def tone(srate_hz: int, ms: int, hz: int = 440) -> bytes:
    n = srate_hz * ms // 1000
    return array(
        "h", [int(9000 * math.sin(math.tau * hz * i / srate_hz)) for i in range(n)]
    ).tobytes()


def level(pcm: bytes) -> float:
    samples = array("h", pcm[: len(pcm) // 2 * 2])
    return math.sqrt(sum(s * s for s in samples) / max(1, len(samples)))


class Peer:
    """Asterisk's side. Reads by a codec of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.got: list[tuple[int, bytes]] = []
        self.closed = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            while True:
                kind, length = struct.unpack("!BH", await self._reader.readexactly(3))
                self.got.append((kind, await self._reader.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def speak(self, srate_hz: int, ms: int) -> None:
        pcm, step = tone(srate_hz, ms), srate_hz // 25
        for at in range(0, len(pcm), step):
            self.send(wire.audio(srate_hz, pcm[at : at + step]))
            await asyncio.sleep(0.02)

    def audio(self, kind: int = 0x10) -> bytes:
        return b"".join(payload for k, payload in self.got if k == kind)

    def frames(self) -> list[bytes]:
        return [payload for kind, payload in self.got if 0x10 <= kind <= 0x18]

    async def aclose(self) -> None:
        self._writer.close()
        await asyncio.gather(self._task, return_exceptions=True)


class World:
    def __init__(self, book: UuidBook | None = None, **config: Any) -> None:
        self.engine = Engine(max_legs=4)
        self.pump = StreamPump(self.engine)
        self.lines: list[FarLine] = []
        self.events: list[MediaEvent] = []
        self.peers: list[Peer] = []
        self.legs: list[Leg] = []
        numbers = count(1)
        self.server = AudioSocketServer(
            AudioSocketConfig(**{"port": 0, **config}),
            self.engine,
            LegConfig(taps=Tap.RX, speech_ms=5000),
            pump=self.pump,
            on_incoming=self.lines.append,
            seed=lambda: next(numbers),
            clock_us=now_us,
            book=book,
        )

    async def __aenter__(self) -> World:
        await self.server.start()
        self._task = asyncio.create_task(self._drive())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.server.aclose()
        for leg in self.legs:
            leg.close()
        for peer in self.peers:
            await peer.aclose()
        await asyncio.sleep(0.1)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.engine.close()

    async def _drive(self) -> None:
        for tick in count(1):
            self.engine.tick(tick * 20_000)
            self.events += self.engine.poll()
            self.pump.pump()
            await asyncio.sleep(0.02)

    async def peer(self, *, named: UUID | None = ID) -> Peer:
        peer = Peer(*await asyncio.open_connection(*self.server.address))
        self.peers.append(peer)
        if named is not None:
            peer.send(wire.identify(named))
        await asyncio.sleep(0.1)
        return peer

    async def call(self, srate_hz: int = 8000) -> tuple[Peer, FarLine, Leg]:
        peer = await self.peer()
        peer.send(wire.audio(srate_hz, bytes(srate_hz // 25)))
        await asyncio.sleep(0.05)
        return peer, self.lines[-1], await self.connect(self.lines[-1])

    async def connect(self, line: FarLine) -> Leg:
        leg = await line.connect(lambda: None)
        self.legs.append(leg)
        return leg


def run(scene: Callable[[World], Awaitable[None]], **config: Any) -> None:
    async def main() -> None:
        async with World(**config) as world:
            await scene(world)

    run_virtual(main())


def say(leg: Leg, pcm: bytes) -> None:
    leg.begin(1, 1)
    assert leg.say(pcm) == len(pcm) // 2
    leg.end()


def test_a_call_is_named_by_its_id() -> None:
    async def scene(world: World) -> None:
        _, line, leg = await world.call()
        party = line.party
        assert (party.kind, party.direction) == ("phone", "inbound")
        assert party.to_number == party.headers["audiosocket_uuid"] == str(ID)
        facts = line.transport
        assert (facts.kind, facts.accuracy) == ("audiosocket", Accuracy.EXACT)
        assert leg.srate_hz == 8000
        with pytest.raises(LineFailedError, match="already"):
            await line.connect(lambda: None)
        assert world.server.snapshot().calls == 1

    run(scene)


@pytest.mark.parametrize("srate_hz", [8000, 16000, 24000, 48000, 32000, 44100])
def test_both_sides_hear_each_other(srate_hz: int) -> None:
    async def scene(world: World) -> None:
        peer, _, leg = await world.call(srate_hz)
        assert leg.srate_hz == (srate_hz if srate_hz in (8000, 16000, 24000, 48000) else 16000)
        say(leg, tone(leg.srate_hz, 1000))
        await peer.speak(srate_hz, 1000)
        await asyncio.sleep(0.3)
        heard = leg.read_tap(leg.srate_hz * 3)[1]
        assert level(heard[len(heard) // 4 : len(heard) // 2]) > 4000
        kinds = {kind for kind, _ in peer.got}
        assert kinds == {next(k for k, rate in wire.RATES.items() if rate == srate_hz)}
        said = peer.audio(kinds.pop())
        loud = [at for at in range(0, len(said), 640) if level(said[at : at + 640]) > 4000]
        assert abs(len(loud) * 320 / srate_hz - 1.0) < 0.1  # one second of tone arrived

    run(scene)


def test_one_frame_per_tick_and_silence_when_nobody_speaks() -> None:
    async def scene(world: World) -> None:
        peer, _, leg = await world.call()
        peer.got.clear()
        await asyncio.sleep(1.0)
        assert 48 <= len(peer.frames()) <= 52
        assert {len(frame) for frame in peer.frames()} == {320}
        assert level(peer.audio()) == 0
        leg.close()

    run(scene)


def test_a_cut_leaves_nothing_behind() -> None:
    async def scene(world: World) -> None:
        peer, line, leg = await world.call()
        say(leg, tone(8000, 3000))
        await asyncio.sleep(0.5)
        leg.cut(1)
        await asyncio.sleep(0.06)
        peer.got.clear()
        await asyncio.sleep(0.5)
        assert level(peer.audio()) == 0
        stats = leg.stats()
        assert 400 * 8 <= stats.played_samples <= 600 * 8
        assert line.far_delay_ms() == 20

    run(scene)


def test_digits() -> None:
    async def scene(world: World) -> None:
        peer, _, _ = await world.call()
        for digit in "1#A":
            peer.send(wire.digit(digit))
        await asyncio.sleep(0.5)
        assert [e.digit for e in world.events if isinstance(e, DigitReceived)] == ["1", "#", "A"]

    run(scene)


def test_the_far_side_hangs_up() -> None:
    async def scene(world: World) -> None:
        peer, line, leg = await world.call()
        peer.send(wire.hangup())
        assert await line.wait_gone() is LineEnd.HANGUP
        leg.close()
        await peer.closed.wait()
        assert world.server.snapshot().connections == 0

    run(scene)


def test_the_far_side_vanishes() -> None:
    async def scene(world: World) -> None:
        peer, line, _ = await world.call()
        await peer.aclose()
        assert await line.wait_gone() is LineEnd.HANGUP

    run(scene)


def test_we_hang_up() -> None:
    async def scene(world: World) -> None:
        peer, line, leg = await world.call()
        await line.hangup(LineEnd.HANGUP)
        await line.hangup(LineEnd.BUSY)
        assert await line.wait_gone() is LineEnd.HANGUP
        await peer.closed.wait()
        assert peer.got[-1] == (0x00, b"")
        leg.close()

    run(scene)


def test_hung_up_before_it_is_answered() -> None:
    async def scene(world: World) -> None:
        peer = await world.peer()
        peer.send(wire.hangup())
        with pytest.raises(LineFailedError):
            await world.lines[0].connect(lambda: None)
        with pytest.raises(LineFailedError):
            _ = world.lines[0].transport
        assert world.lines[0].far_delay_ms() is None

    run(scene)


def test_without_audio_the_configured_rate_holds() -> None:
    async def scene(world: World) -> None:
        peer = await world.peer()
        leg = await world.connect(world.lines[0])
        assert leg.srate_hz == 16000
        peer.send(wire.audio(8000, bytes(320)))
        await asyncio.sleep(0.1)
        assert world.server.snapshot().wrong_rate == 1
        assert {kind for kind, _ in peer.got} == {0x12}

    run(scene, srate_hz=16000)


@pytest.mark.parametrize("srate_hz", [12000, 96000, 192000])
def test_a_rate_that_no_leg_has(srate_hz: int) -> None:
    async def scene(world: World) -> None:
        with pytest.raises(LineFailedError, match=str(srate_hz)):
            await world.call(srate_hz)
        await world.peers[0].closed.wait()
        assert world.peers[0].got[-1][0] == 0x00

    run(scene)


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00", b"\xff" * 64])
def test_what_is_no_audiosocket(noise: bytes) -> None:
    async def scene(world: World) -> None:
        peer = await world.peer(named=None)
        peer.send(noise)
        await peer.closed.wait()
        assert world.server.snapshot().broken == 1
        assert not world.lines

    run(scene)


def test_who_says_nothing() -> None:
    async def scene(world: World) -> None:
        peer = await world.peer(named=None)
        await asyncio.wait_for(peer.closed.wait(), 5)
        assert world.server.snapshot().refused_id == 1
        assert world.server.snapshot().connections == 0

    run(scene)


def test_strangers() -> None:
    async def scene(world: World) -> None:
        peer = await world.peer()
        await peer.closed.wait()
        assert world.server.snapshot().refused_address == 1
        assert not world.lines

    run(scene, expected=("192.0.2.0/24",))


def test_unknown_ids() -> None:
    async def scene(world: World) -> None:
        await world.peer()
        peer = await world.peer(named=UUID(int=7))
        await peer.closed.wait()
        assert len(world.lines) == 1
        assert world.server.snapshot().refused_id == 1

    run(scene, uuids=(str(ID),))


def test_expected_ids_are_good_once() -> None:
    async def scene(world: World) -> None:
        world.server.book.expect(ID, {"from": "+15550100", "to": "200"})
        await world.peer()
        assert world.lines[0].party.from_number == "+15550100"
        assert world.lines[0].party.to_number == "200"
        peer = await world.peer()
        await peer.closed.wait()
        assert len(world.lines) == 1

    run(scene, book=UuidBook(clock_us=now_us))


def test_too_many() -> None:
    async def scene(world: World) -> None:
        await world.peer()
        peer = await world.peer(named=None)
        await peer.closed.wait()
        assert world.server.snapshot().refused_full == 1

    run(scene, max_connections=1)


def test_a_drain_lets_calls_go_on() -> None:
    async def scene(world: World) -> None:
        peer, _, leg = await world.call()
        world.server.drain()
        refused = await world.peer(named=UUID(int=7))
        await refused.closed.wait()
        assert world.server.snapshot().refused_draining == 1
        await peer.speak(8000, 200)
        assert not peer.closed.is_set()
        assert leg.stats().ticks > 0

    run(scene)


def test_silence_on_the_connection_ends_it() -> None:
    async def scene(world: World) -> None:
        peer, line, _ = await world.call()
        for _ in range(3):
            await asyncio.sleep(0.7)
            peer.send(wire.digit("1"))
        assert not peer.closed.is_set()
        assert await asyncio.wait_for(line.wait_gone(), 3) is LineEnd.ERROR
        assert world.server.snapshot().idle == 1

    run(scene, idle_ms=1000)


def test_a_far_side_that_does_not_read() -> None:
    async def scene(world: World) -> None:
        _, writer = await asyncio.open_connection(*world.server.address, limit=64)
        writer.transport.pause_reading()
        writer.write(wire.identify(ID) + wire.audio(48000, bytes(1920)))
        await asyncio.sleep(0.1)
        leg = await world.connect(world.lines[0])
        for _ in range(300):  # the system's buffers fill up first
            await asyncio.sleep(1)
            if world.server.snapshot().dropped_ms > 1000:
                break
        assert world.server.snapshot().dropped_ms > 1000
        assert (world.lines[0].far_delay_ms() or 0) > 500
        assert leg.stats().ticks > 0
        writer.close()

    run(scene, idle_ms=0)


def test_malformed_messages_are_counted() -> None:
    async def scene(world: World) -> None:
        peer, _, _ = await world.call()
        peer.send(b"\x10\x00\x03abc" + b"\x42\x00\x00" + wire.error(1))
        await asyncio.sleep(0.1)
        stats = world.server.snapshot()
        assert (stats.malformed, stats.unknown, stats.peer_errors) == (1, 1, 1)

    run(scene)


def test_a_port_that_is_taken() -> None:
    async def scene(world: World) -> None:
        other = World(port=world.server.address[1])
        with pytest.raises(ConfigError, match="AudioSocket"):
            await other.server.start()
        with pytest.raises(RuntimeError):
            _ = other.server.address
        await other.server.aclose()
        other.engine.close()

    run(scene)


@pytest.mark.parametrize(
    "bad",
    [
        {"port": -1},
        {"expected": ("nowhere",)},
        {"uuids": ("7",)},
        {"srate_hz": 12000},
        {"identify_ms": 0},
        {"idle_ms": -1},
    ],
)
def test_what_cannot_be_meant(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        AudioSocketConfig(**bad)


def test_who_is_kept_out() -> None:
    assert AudioSocketConfig().authenticated
    assert not AudioSocketConfig(expected=("0.0.0.0/0",)).authenticated
    assert AudioSocketConfig(expected=("0.0.0.0/0",), uuids=(str(ID),)).authenticated


def test_a_key_after_the_leg_closed_does_not_end_in_an_error() -> None:
    async def scene(world: World) -> None:
        peer, line, leg = await world.call()
        leg.close()
        peer.send(wire.digit("5"))
        await peer.speak(8000, 60)
        assert world.server.snapshot().connections == 1
        await line.hangup(LineEnd.HANGUP)
        assert await line.wait_gone() is LineEnd.HANGUP

    run(scene)


def test_a_peer_that_does_not_read_is_dropped_after_the_hang_up() -> None:
    async def scene(world: World) -> None:
        _, writer = await asyncio.open_connection(*world.server.address, limit=1024)
        writer.write(wire.identify(ID))
        await asyncio.sleep(0.1)
        connection = world.lines[0]
        assert isinstance(connection, Connection)
        assert connection._transport is not None
        connection._transport.write(bytes(8 << 20))  # more than the system holds
        await connection.hangup(LineEnd.HANGUP)
        await asyncio.sleep(0.5)
        assert world.server.snapshot().connections == 1
        await asyncio.sleep(2)
        assert world.server.snapshot().connections == 0
        writer.close()

    run(scene)
