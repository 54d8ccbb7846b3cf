"""AudioSocket messages: what they mean, and what is skipped or refused."""

from __future__ import annotations

import struct
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore.wire import audiosocket as wire
from mediacore.wire.audiosocket import (
    RATES,
    Audio,
    AudioSocketError,
    AudioSocketReader,
    DigitPressed,
    HungUp,
    Identified,
    PeerError,
)

ID = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")


def opened() -> AudioSocketReader:
    reader = AudioSocketReader()
    assert reader.feed(wire.identify(ID)) == [Identified(ID)]
    return reader


def tlv(kind: int, payload: bytes) -> bytes:
    return struct.pack("!BH", kind, len(payload)) + payload


def test_the_bytes_of_each_message() -> None:
    assert wire.identify(ID) == b"\x01\x00\x10" + ID.bytes
    assert wire.audio(8000, b"\x01\x02") == b"\x10\x00\x02\x01\x02"
    assert wire.audio(16000, bytes(640))[:3] == b"\x12\x02\x80"
    assert wire.digit("#") == b"\x03\x00\x01#"
    assert wire.hangup() == b"\x00\x00\x00"
    assert wire.error(4) == b"\xff\x00\x01\x04"


@pytest.mark.parametrize(("kind", "rate"), RATES.items())
def test_every_rate_has_its_kind(kind: int, rate: int) -> None:
    reader = opened()
    assert wire.audio(rate, bytes(4))[0] == kind
    assert reader.feed(tlv(kind, b"abcd")) == [Audio(rate, b"abcd")]


def test_every_message_is_read() -> None:
    reader = opened()
    stream = wire.digit("5") + tlv(0x03, b"a") + wire.error(2) + tlv(0xFF, b"") + wire.hangup()
    assert reader.feed(stream) == [
        DigitPressed("5"),
        DigitPressed("A"),
        PeerError(2),
        PeerError(0),
        HungUp(),
    ]


@pytest.mark.parametrize(
    ("kind", "payload", "malformed", "unknown"),
    [
        (0x10, b"", 1, 0),
        (0x10, b"odd", 1, 0),
        (0x03, b"12", 1, 0),
        (0x03, b"x", 1, 0),
        (0x01, bytes(15), 1, 0),
        (0x01, bytes(16), 1, 0),  # a second id
        (0x42, b"?", 0, 1),
        (0x19, bytes(4), 0, 1),
    ],
)
def test_what_cannot_be_is_counted_and_skipped(
    kind: int, payload: bytes, malformed: int, unknown: int
) -> None:
    reader = opened()
    assert reader.feed(tlv(kind, payload) + wire.digit("1")) == [DigitPressed("1")]
    stats = reader.snapshot()
    assert (stats.messages, stats.malformed, stats.unknown) == (2, malformed, unknown)


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1", wire.hangup(), b"\x01\x00\x0f", b"\xff" * 9])
def test_a_stream_that_does_not_begin_with_an_id_is_refused(start: bytes) -> None:
    with pytest.raises(AudioSocketError, match="id"):
        AudioSocketReader().feed(start)


def test_what_cannot_be_sent() -> None:
    with pytest.raises(AudioSocketError):
        wire.audio(11025, bytes(2))
    with pytest.raises(AudioSocketError):
        wire.audio(8000, bytes(3))
    with pytest.raises(AudioSocketError):
        wire.digit("12")


def test_long_audio_becomes_several_messages() -> None:
    pcm = bytes(range(256)) * 600
    got = opened().feed(wire.audio(48000, pcm))
    assert len(got) == 3
    assert b"".join(m.payload for m in got if isinstance(m, Audio)) == pcm


@settings(max_examples=50)
@given(st.lists(st.integers(1, 40), max_size=30))
def test_pieces_do_not_matter(sizes: list[int]) -> None:
    stream = wire.identify(ID) + wire.audio(8000, bytes(320)) + wire.digit("9") + wire.hangup()
    whole = AudioSocketReader().feed(stream)
    reader, got, at = AudioSocketReader(), [], 0
    for size in sizes:
        got += reader.feed(stream[at : at + size])
        at += size
    assert got + reader.feed(stream[at:]) == whole


@settings(max_examples=100)
@given(st.binary(max_size=400))
def test_noise_after_the_id_does_no_harm(noise: bytes) -> None:
    reader = opened()
    reader.feed(noise)
    stats = reader.snapshot()
    assert stats.messages >= 1
    assert stats.malformed + stats.unknown <= len(noise) // 3
