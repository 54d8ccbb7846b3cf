"""What signalling tells a leg: directions, a new target, digits."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator

import pytest

from mediacore import _core
from mediacore.errors import MediaError
from mediacore.events import DigitReceived, DigitSource, MediaLoss, MediaLost, MediaResumed
from mediacore.media import LegConfig, Tap

FRAME_TS = 160


@pytest.fixture
def link(engine: _core.Engine) -> Iterator[Link]:
    link = Link(engine)
    yield link
    if not link.leg.closed:
        link.leg.close()


class Link:
    """A leg on a memory link, ticked by hand."""

    def __init__(self, engine: _core.Engine) -> None:
        self.engine = engine
        self.now_us = 1_000_000
        self.seq = 0
        self.leg = self.open(LegConfig())

    def open(self, config: LegConfig) -> _core.Leg:
        if hasattr(self, "leg"):
            self.leg.close()
        self.leg = self.engine.open_leg(config)
        return self.leg

    def talk(self, payload_type: int = 0, payload: bytes = b"\x55" * FRAME_TS) -> None:
        header = struct.pack(">BBHII", 0x80, payload_type, self.seq, self.seq * FRAME_TS, 77)
        self.seq += 1
        self.leg.push_packet(header + payload)

    def ticks(self, n: int) -> list[object]:
        self.now_us = self.engine.tick_many(self.now_us, n)
        return list(self.engine.poll())

    def sent_raw(self) -> list[bytes]:
        out = []
        while (packet := self.leg.pull_packet()) is not None:
            out.append(packet)
        return out

    def sent(self) -> list[tuple[int, int, int, int]]:
        """(payload type with marker, sequence number, timestamp, payload bytes) of each packet."""
        out = []
        for packet in self.sent_raw():
            _, kind, seq, ts = struct.unpack(">BBHI", packet[:8])
            out.append((kind, seq, ts, len(packet) - 12))
        return out


def test_a_signalled_digit_comes_out_as_a_digit(link: Link) -> None:
    link.leg.push_digit("5", 120)
    link.leg.push_digit("a")
    digits = [e for e in link.ticks(1) if isinstance(e, DigitReceived)]
    assert [(d.digit, d.duration_ms, d.source) for d in digits] == [
        ("5", 120, DigitSource.SIGNALLED),
        ("A", 100, DigitSource.SIGNALLED),
    ]
    for bad in ("", "12", "x", "é"):
        with pytest.raises(MediaError):
            link.leg.push_digit(bad)


def test_without_sending_only_keep_alive_goes_out(link: Link) -> None:
    link.open(LegConfig(keepalive_ms=200))
    link.ticks(3)
    before = link.sent()
    assert len(before) == 3
    link.leg.direction(send=False, receive=True)
    link.ticks(25)
    alive = link.sent()
    assert [kind for kind, *_ in alive] == [13, 13]
    link.leg.direction(send=True, receive=True)
    link.ticks(2)
    after = link.sent()
    assert [kind for kind, *_ in after] == [0x80, 0]  # the marker begins a talkspurt
    seqs = [seq for _, seq, *_ in before + alive + after]
    assert seqs == [(seqs[0] + i) & 0xFFFF for i in range(len(seqs))]
    assert (after[0][2] - before[-1][2]) & 0xFFFFFFFF == 26 * FRAME_TS


def test_without_sending_the_voice_waits_and_hold_keeps_its_own_state(link: Link) -> None:
    link.ticks(1)
    link.leg.hold(on=True)
    link.leg.direction(send=False, receive=True)
    link.leg.begin(1, 0)
    assert link.leg.say(b"\x01\x20" * 160) == 160
    link.leg.end()
    link.ticks(5)
    link.leg.direction(send=True, receive=True)
    link.ticks(5)
    assert link.leg.stats().played_samples == 0
    link.leg.hold(on=False)
    link.ticks(5)
    assert link.leg.stats().played_samples == 160


def test_without_receiving_what_comes_is_dropped(link: Link) -> None:
    for _ in range(10):
        link.talk()
        link.ticks(1)
    link.leg.direction(send=True, receive=False)
    for _ in range(10):
        link.talk()
        link.ticks(1)
    stats = link.leg.stats()
    assert stats.rx_packets == 10
    assert stats.rx_unwanted == 10
    link.leg.direction(send=True, receive=True)
    for _ in range(10):
        link.talk()
        link.ticks(1)
    stats = link.leg.stats()
    assert stats.rx_packets == 20
    assert stats.rx_lost == 0
    assert stats.rx_concealed_samples == 0


def test_another_codec_and_other_payload_types(link: Link) -> None:
    link.open(LegConfig(codecs=("PCMA", "L16"), event_payload_type=101))
    link.talk()
    link.ticks(1)
    link.leg.retarget(None, codec="PCMA", tx_payload_type=99, event_payload_type=96, ptime_ms=10)
    link.ticks(1)
    link.talk(8, b"\x2a" * FRAME_TS)
    link.talk(0)
    link.ticks(1)
    assert link.leg.stats().rx_wrong_pt == 1
    assert [(kind & 127, n) for kind, _, _, n in link.sent()] == [(0, 160), *[(99, 80)] * 4]
    with pytest.raises(MediaError):
        link.leg.retarget(None, codec="L16")  # no static payload type
    link.leg.retarget(None, codec="L16", payload_type=97, ptime_ms=20)
    link.leg.send_digits("1")
    link.ticks(2)
    assert {(kind & 127, n) for kind, _, _, n in link.sent()} == {(96, 4)}
    for bad in (
        {"codec": "G722"},
        {"codec": "opus"},
        {"ptime_ms": 25},
        {"payload_type": 128},
        {"event_payload_type": 1 << 20},
    ):
        with pytest.raises(MediaError):
            link.leg.retarget(None, **bad)
    with pytest.raises(MediaError):
        link.leg.retarget(("a.example", 5000))


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_sent_packets_are_as_long_as_asked(link: Link, ptime_ms: int) -> None:
    link.open(LegConfig(ptime_ms=ptime_ms))
    sent = []
    for _ in range(60):
        link.ticks(1)
        sent += link.sent()
    assert {n for *_, n in sent} == {ptime_ms * 8}
    assert len(sent) == 60 * 20 // ptime_ms
    steps = {(b[2] - a[2]) & 0xFFFFFFFF for a, b in itertools.pairwise(sent)}
    assert steps == {ptime_ms * 8}


def test_the_kinds_of_media_loss(link: Link) -> None:
    link.open(LegConfig(media_first_ms=300, media_lost_ms=100, media_hold_ms=200))

    def lost(n: int) -> list[tuple[MediaLoss, int]]:
        return [(e.kind, e.silent_ms) for e in link.ticks(n) if isinstance(e, MediaLost)]

    assert lost(15) == []
    assert lost(1) == [(MediaLoss.NEVER, 300)]
    link.talk()
    assert any(isinstance(e, MediaResumed) for e in link.ticks(1))
    assert lost(10) == [(MediaLoss.STOPPED, 100)]
    link.talk()
    link.leg.hold(on=True)
    assert lost(10) == []
    assert lost(2) == [(MediaLoss.ON_HOLD, 200)]
    link.talk()
    link.leg.hold(on=False)
    link.leg.direction(send=True, receive=False)
    assert lost(10) == []
    assert lost(2) == [(MediaLoss.ON_HOLD, 200)]


def test_media_that_never_came_is_lost_media_unless_told_apart(link: Link) -> None:
    link.open(LegConfig(media_lost_ms=100))
    assert [e.kind for e in link.ticks(10) if isinstance(e, MediaLost)] == [MediaLoss.NEVER]
    link.open(LegConfig(media_lost_ms=100, media_first_ms=0))
    assert not [e for e in link.ticks(50) if isinstance(e, MediaLost)]


def test_a_codec_of_another_clock_is_heard_and_is_another_stream(link: Link) -> None:
    link.open(LegConfig(codec="G722", codecs=("L16",), taps=Tap.RX, vad_threshold_q15=None))
    link.ticks(2)
    old = link.sent_raw()
    link.leg.retarget(None, codec="L16", payload_type=97)
    link.leg.read_tap(16_000)
    frame = struct.pack(">320h", *[4000] * 320)
    for n in range(20):
        header = struct.pack(">BBHII", 0x80, 97, n, n * 320, 9)
        link.leg.push_packet(header + frame)
        link.ticks(1)
    heard = link.leg.read_tap(16_000)[1]
    assert struct.unpack("=320h", heard[-640:]) == (4000,) * 320
    new = link.sent_raw()
    assert {len(packet) for packet in new} == {12 + 640}
    times = [struct.unpack(">I", packet[4:8])[0] for packet in new]
    assert {(b - a) & 0xFFFFFFFF for a, b in itertools.pairwise(times)} == {320}
    assert len({packet[8:12] for packet in old}) == len({packet[8:12] for packet in new}) == 1
    assert old[0][8:12] != new[0][8:12]  # RFC 7160: a clock belongs to one SSRC
    assert link.leg.stats().rx_lost == 0


def test_digits_among_reordered_audio_are_no_loss(link: Link) -> None:
    link.open(LegConfig(event_payload_type=101, vad_threshold_q15=None))
    event = [bytes([5, 10, 0, 160 * i & 0xFF]) for i in range(1, 4)]
    end = bytes([5, 0x8A, 3, 0xC0])
    order: list[tuple[int, int, bytes]] = [(seq, 0, b"\x55" * FRAME_TS) for seq in range(10)]
    order += [(10 + i, 101, payload) for i, payload in enumerate(event)]
    order += [(13 + i, 101, end) for i in range(3)]
    order += [(seq, 0, b"\x55" * FRAME_TS) for seq in range(16, 30)]
    order[9], order[10] = order[10], order[9]  # the first event overtakes audio
    order[15], order[16] = order[16], order[15]  # audio overtakes the last end
    digits = []
    for seq, kind, payload in order:
        at = 10 if kind == 101 else seq
        header = struct.pack(">BBHII", 0x80, kind, seq, at * FRAME_TS, 77)
        link.leg.push_packet(header + payload)
        digits += [e.digit for e in link.ticks(1) if isinstance(e, DigitReceived)]
    stats = link.leg.stats()
    assert digits == ["5"]
    assert (stats.rx_duplicate, stats.rx_lost, stats.rx_concealed_samples) == (0, 0, 0)
