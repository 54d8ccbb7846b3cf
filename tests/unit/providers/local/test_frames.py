from __future__ import annotations

import io
import struct

import pytest

from mediacore.providers.local import frames

MESSAGES = [({"id": 1}, b""), ({"id": 2, "text": "Grüße"}, b"\0\1" * 500), ({}, b"x")]


@pytest.mark.parametrize("size", [1, 3, 7, 64, 10_000])
def test_decoder_finds_messages_in_any_slicing(size: int) -> None:
    stream = b"".join(frames.encode(*message) for message in MESSAGES)
    decoder = frames.Decoder()
    found = [m for at in range(0, len(stream), size) for m in decoder.feed(stream[at : at + size])]
    assert found == MESSAGES


def test_read_gives_messages_then_none() -> None:
    stream = io.BytesIO(b"".join(frames.encode(*message) for message in MESSAGES))
    assert [frames.read(stream) for _ in range(4)] == [*MESSAGES, None]


@pytest.mark.parametrize("cut", [3, 9, 12])
def test_read_of_a_broken_message_is_the_end(cut: int) -> None:
    raw = frames.encode({"id": 1}, b"abcdef")
    assert frames.read(io.BytesIO(raw[:cut])) is None


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack("<II", 1 << 30, 0),
        struct.pack("<II", 2, 0) + b"[]",
        struct.pack("<II", 3, 0) + b"{x}",
        struct.pack("<II", 2, 0) + b"\xff\xfe",
    ],
)
def test_garbage_is_refused(raw: bytes) -> None:
    with pytest.raises(frames.FrameError):
        list(frames.Decoder().feed(raw))
