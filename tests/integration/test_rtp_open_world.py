"""RTP among strangers: a leg on real sockets and the real clock, and who else knows its port."""

from __future__ import annotations

import array
import cmath
import contextlib
import math
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from mediacore import _core
from mediacore.media import Latch, LegConfig, LegStats, RtcpMode, Tap

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(30)]

SRATE_HZ = 8000
FRAME = 160
TICK_S = 0.02
PEER_HZ = 440.0
STRANGER_HZ = 1900.0


class Peer:
    """Somebody who sends a tone as RTP and counts what comes back."""

    def __init__(self, leg: tuple[str, int], ssrc: int, hz: float) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.address: tuple[str, int] = self.socket.getsockname()
        self.leg = leg
        self.ssrc = ssrc
        self.seq = ssrc * 77 & 0xFFFF
        self.ts = ssrc * 1234 & 0xFFFFFFFF
        codec = _core.Codec("PCMU")
        # A second is whole periods of the tone, and whole frames.
        second = array.array(
            "h",
            (round(8000 * math.sin(2 * math.pi * hz * n / SRATE_HZ)) for n in range(SRATE_HZ)),
        )
        self._payloads = [codec.encode(second[at : at + FRAME]) for at in range(0, SRATE_HZ, FRAME)]
        self._n = 0

    def send(self) -> None:
        header = struct.pack(">BBHII", 0x80, 0, self.seq, self.ts, self.ssrc)
        payload = self._payloads[self._n % len(self._payloads)]
        with contextlib.suppress(BlockingIOError):
            self.socket.sendto(header + payload, self.leg)
        self._n += 1
        self.seq = (self.seq + 1) & 0xFFFF
        self.ts = (self.ts + FRAME) & 0xFFFFFFFF

    def received(self) -> list[bytes]:
        out = []
        while True:
            try:
                out.append(self.socket.recv(2048))
            except BlockingIOError:
                return out


class World:
    """One engine that keeps real time, one leg, and whoever sends to it."""

    def __init__(self) -> None:
        self.engine = _core.Engine(max_legs=2)
        self.fd, self.port = _core.udp_open("127.0.0.1")
        self.address = ("127.0.0.1", self.port)
        self.people: list[Peer] = []
        self.pcm = bytearray()
        self.leg: _core.Leg | None = None

    def peer(self, ssrc: int, hz: float = PEER_HZ) -> Peer:
        self.people.append(Peer(self.address, ssrc, hz))
        return self.people[-1]

    def open(self, remote: Peer, **changes: object) -> _core.Leg:
        settings: dict[str, object] = {
            "fd": self.fd,
            "remote": remote.address,
            "seed": 7,
            "taps": Tap.RX,
            "rtcp": RtcpMode.NONE,
        }
        self.leg = self.engine.open_leg(LegConfig(**{**settings, **changes}))  # type: ignore[arg-type]
        self.engine.start()
        return self.leg

    def run(self, n: int, *senders: Peer, flood: tuple[Peer, ...] = (), each: int = 0) -> None:
        """n frames of 20 ms: every sender sends one packet, the flood `each` in turn."""
        assert self.leg is not None
        due = time.monotonic()
        for _ in range(n):
            for sender in senders:
                sender.send()
            for k in range(each):
                flood[k % len(flood)].send()
            self.pcm += self.leg.read_tap(SRATE_HZ)[1]
            self.engine.poll()
            due += TICK_S
            time.sleep(max(0.0, due - time.monotonic()))

    def stats(self) -> LegStats:
        assert self.leg is not None
        return self.leg.stats()

    def close(self) -> None:
        if self.leg is not None:
            self.leg.close()
        self.engine.close()
        for peer in self.people:
            peer.socket.close()


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def share(pcm: bytes | bytearray, hz: float) -> float:
    """Share of a tone in the energy of int16 audio."""
    samples = array.array("h", bytes(pcm))
    energy = sum(x * x for x in samples)
    turn = cmath.exp(-2j * math.pi * hz / SRATE_HZ)
    total, phase = 0j, 1 + 0j
    for x in samples:
        total += x * phase
        phase *= turn
    return 2 * abs(total) ** 2 / (len(samples) * energy) if energy else 0.0


@pytest.mark.parametrize("latch", list(Latch))
def test_strangers_are_neither_heard_nor_answered(world: World, latch: Latch) -> None:
    peer = world.peer(1)
    strangers = tuple(world.peer(100 + i, STRANGER_HZ) for i in range(3))
    world.open(peer, latch=latch)
    world.run(10, peer)
    world.run(100, peer, flood=strangers, each=200)  # 20,000 packets
    world.run(5, peer)
    stats = world.stats()
    assert stats.latches == 1
    assert 113 <= stats.rx_packets <= 115
    assert stats.rx_lost == 0
    assert share(world.pcm[20 * FRAME * 2 :], PEER_HZ) > 0.9
    assert share(world.pcm, STRANGER_HZ) < 1e-4
    assert [len(stranger.received()) for stranger in strangers] == [0, 0, 0]
    assert len(peer.received()) >= 100


def test_another_ssrc_goes_on_at_once(world: World) -> None:
    peer = world.peer(1)
    world.open(peer)
    world.run(50, peer)
    heard = len(world.pcm)
    peer.ssrc, peer.seq, peer.ts = 99, 5, 77
    world.run(50, peer)
    stats = world.stats()
    assert stats.rx_restarts == 1
    assert 97 <= stats.rx_packets <= 99  # one tells that it is another stream
    assert share(world.pcm[heard + 15 * FRAME * 2 :], PEER_HZ) > 0.9


def test_the_peer_moves_and_only_signalling_makes_it_true(world: World) -> None:
    first, second = world.peer(1), world.peer(2)
    leg = world.open(first)
    world.run(25, first)
    first.received()
    world.run(25, second)
    assert world.stats().rx_packets <= 25
    assert second.received() == []
    leg.retarget(second.address)
    world.run(3)
    first.received()
    heard = len(world.pcm)
    world.run(50, second, flood=(first,), each=1)
    stats = world.stats()
    assert stats.latches == 2
    assert 72 <= stats.rx_packets <= 75
    assert first.received() == []
    assert len(second.received()) >= 48
    assert share(world.pcm[heard + 10 * FRAME * 2 :], PEER_HZ) > 0.9


def test_keep_alive_on_hold(world: World) -> None:
    peer = world.peer(1)
    leg = world.open(peer, keepalive_ms=200)
    world.run(15, peer)
    leg.direction(send=False, receive=False)
    world.run(3, peer)
    before = peer.received()
    world.run(60, peer)  # 1.2 s
    alive = peer.received()
    assert 5 <= len(alive) <= 7
    assert {packet[1] for packet in alive} == {13}
    assert {packet[8:12] for packet in alive} == {before[0][8:12]}
    leg.direction(send=True, receive=True)
    world.run(15, peer)
    after = peer.received()
    numbers = [struct.unpack(">H", packet[2:4])[0] for packet in before + alive + after]
    assert numbers == [(numbers[0] + i) & 0xFFFF for i in range(len(numbers))]
    stats = world.stats()
    assert stats.keepalives >= 5
    assert 61 <= stats.rx_unwanted <= 64
    assert stats.rx_lost == 0
