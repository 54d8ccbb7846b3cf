"""Ports that take RTP without signalling: when a call begins, when it is over, what is refused."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import pytest

from mediacore._core import Engine, Leg
from mediacore.errors import ConfigError
from mediacore.media import LegConfig
from mediacore.slots.gateway import FarLine, LineEnd, LineFailedError
from mediacore.transports.rtp_ports import RtpPorts, RtpPortsConfig
from virtual import run_virtual


class Sender:
    """Somebody who sends RTP."""

    def __init__(self, to: tuple[str, int], ssrc: int = 7, payload_type: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.to, self.ssrc, self.payload_type = to, ssrc, payload_type
        self.seq = 0

    async def send(self, packets: int) -> None:
        for _ in range(packets):
            head = struct.pack(
                "!BBHII", 0x80, self.payload_type, self.seq, self.seq * 160, self.ssrc
            )
            self.socket.sendto(head + b"\xff" * 160, self.to)
            self.seq += 1
            await asyncio.sleep(0.02)

    def raw(self, data: bytes) -> None:
        self.socket.sendto(data, self.to)

    def received(self) -> int:
        packets = 0
        while True:
            try:
                self.socket.recv(2048)
            except BlockingIOError:
                return packets
            packets += 1


class World:
    def __init__(self, **config: Any) -> None:
        self.engine = Engine(max_legs=4)
        self.lines: list[FarLine] = []
        numbers = count(1)
        self.ports = RtpPorts(
            RtpPortsConfig(**{"ports": (0,), **config}),
            self.engine,
            LegConfig(),
            on_incoming=self.lines.append,
            seed=lambda: next(numbers),
        )
        self.senders: list[Sender] = []
        self.legs: list[Leg] = []

    async def __aenter__(self) -> World:
        await self.ports.start()
        self._task = asyncio.create_task(self._drive())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.ports.aclose()
        for sender in self.senders:
            sender.socket.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.engine.close()

    async def _drive(self) -> None:
        for tick in count(1):
            self.engine.tick(tick * 20_000)
            self.engine.poll()
            await asyncio.sleep(0.02)

    def sender(self, **options: Any) -> Sender:
        self.senders.append(Sender(self.ports.addresses[0], **options))
        return self.senders[-1]

    async def free(self, leg: Leg) -> None:
        leg.close()
        await asyncio.sleep(0.1)
        leg.free()  # gives the port back

    async def connect(self, line: FarLine) -> Leg:
        leg = await line.connect(lambda: None)
        self.legs.append(leg)
        return leg


def run(scene: Callable[[World], Awaitable[None]], **config: Any) -> None:
    async def main() -> None:
        async with World(**config) as world:
            await scene(world)

    run_virtual(main())


def test_a_call_from_its_first_packets_to_its_last() -> None:
    async def scene(world: World) -> None:
        phone = world.sender()
        await phone.send(1)
        assert not world.lines  # one packet may be anything
        await phone.send(3)
        (line,) = world.lines
        port = phone.socket.getsockname()[1]
        assert line.party.from_number == f"127.0.0.1:{port}"
        assert line.party.direction == "inbound"
        with pytest.raises(LineFailedError):
            _ = line.transport
        leg = await world.connect(line)
        with pytest.raises(LineFailedError, match="already"):
            await line.connect(lambda: None)
        assert (line.transport.kind, line.transport.codec) == ("rtp", "PCMU")
        assert line.far_delay_ms() is None
        await phone.send(50)
        assert leg.stats().rx_packets >= 45
        assert phone.received() >= 45
        assert world.ports.snapshot().busy == 1
        assert await asyncio.wait_for(line.wait_gone(), 10) is LineEnd.HANGUP  # nothing comes
        await world.free(leg)
        await asyncio.sleep(4)
        assert world.ports.snapshot().busy == 0
        other = world.sender(ssrc=8)  # the port takes the next one
        await other.send(3)
        assert len(world.lines) == 2
        assert world.ports.snapshot().calls == 2

    run(scene)


def test_what_is_left_of_a_call_is_no_new_one() -> None:
    async def scene(world: World) -> None:
        phone = world.sender()
        await phone.send(3)
        leg = await world.connect(world.lines[0])
        await world.lines[0].hangup(LineEnd.HANGUP)
        assert await world.lines[0].wait_gone() is LineEnd.HANGUP
        await world.free(leg)
        await phone.send(300)  # nobody told it
        assert len(world.lines) == 1
        assert world.ports.snapshot().leftovers > 200
        await asyncio.sleep(3)
        await phone.send(3)
        assert len(world.lines) == 2

    run(scene)


def test_a_caller_that_gives_up() -> None:
    async def scene(world: World) -> None:
        phone = world.sender()
        await phone.send(3)
        assert await asyncio.wait_for(world.lines[0].wait_gone(), 10) is LineEnd.CANCEL
        with pytest.raises(LineFailedError):
            await world.lines[0].connect(lambda: None)

    run(scene)


def test_what_does_not_begin_a_call() -> None:
    async def scene(world: World) -> None:
        phone, wrong = world.sender(), world.sender(payload_type=8)
        await wrong.send(5)
        for noise in (b"", b"\x80", b"\x00" * 200, b"OPTIONS sip:x SIP/2.0\r\n\r\n"):
            phone.raw(noise)
        one, two = world.sender(ssrc=1), world.sender(ssrc=2)
        for _ in range(3):  # never two in a row from one source
            await one.send(1)
            await two.send(1)
        assert not world.lines
        assert world.ports.snapshot().not_rtp == 9

    run(scene)


def test_strangers() -> None:
    async def scene(world: World) -> None:
        await world.sender().send(5)
        assert not world.lines
        assert world.ports.snapshot().strangers == 5

    run(scene, expected=("10.0.0.0/8",))


def test_a_drain() -> None:
    async def scene(world: World) -> None:
        world.ports.drain()
        await world.sender().send(5)
        assert not world.lines
        assert world.ports.snapshot().refused_draining == 1

    run(scene)


def test_closing_ends_calls() -> None:
    async def scene(world: World) -> None:
        await world.sender().send(3)
        line = world.lines[0]
        await world.connect(line)
        await world.ports.aclose()
        assert await line.wait_gone() is LineEnd.HANGUP

    run(scene)


def test_a_port_that_is_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        async def start() -> None:
            world = World(ports=(0, port))
            try:
                with pytest.raises(ConfigError, match=str(port)):
                    await world.ports.start()
                assert not world.ports.addresses
            finally:
                world.engine.close()

        run_virtual(start())


@pytest.mark.parametrize(
    "bad",
    [
        {"ports": (70000,)},
        {"ports": (4000, 4000)},
        {"expected": ("here",)},
        {"payload_type": 200},
        {"event_payload_type": -1},
        {"gone_ms": 0},
    ],
)
def test_what_cannot_be_meant(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        RtpPortsConfig(**bad)


def test_who_is_kept_out() -> None:
    assert RtpPortsConfig().authenticated
    assert not RtpPortsConfig(expected=("0.0.0.0/0",)).authenticated


def test_a_codec_without_a_payload_type() -> None:
    async def start() -> None:
        world = World(codec="L16", srate_hz=16000)
        try:
            with pytest.raises(ConfigError, match="payload_type"):
                await world.ports.start()
        finally:
            world.engine.close()

    run_virtual(start())


def test_a_leg_that_cannot_open_leaves_other_descriptors_alone() -> None:
    async def scene(world: World) -> None:
        await world.sender().send(3)
        others = [world.engine.open_leg(LegConfig()) for _ in range(4)]  # no room for another
        with pytest.raises(LineFailedError, match="leg"):
            await world.lines[0].connect(lambda: None)
        assert await world.lines[0].wait_gone() is LineEnd.ERROR
        await asyncio.sleep(3)
        for leg in others:
            await world.free(leg)
        again = world.sender(ssrc=9)  # the port takes the next one
        await again.send(3)
        assert len(world.lines) == 2

    run(scene)
