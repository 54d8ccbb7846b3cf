"""MediaSocket: audio between WebSocket messages and a leg; everything else to the caller."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore import _core
from mediacore.errors import StaleError
from mediacore.media import LegConfig, MediaDialect, MediaOut, SocketIn

LEG = LegConfig(vad_threshold_q15=None, stream=True)
FRAME = bytes(range(160))
DIALECT = MediaDialect(
    seq_key=("sequenceNumber",),
    ts_key=("media", "timestamp"),
    track_key=("media", "track"),
    tracks=("inbound", "inbound_track"),
    prefix='{"event":"media","media":{"payload":"',
    suffix='"}}',
)
TEXT, BINARY, SEND = SocketIn.TEXT, SocketIn.BINARY, SocketIn.SEND
MASK = b"\x01\x02\x03\x04"


def client(payload: bytes | str, first: int | None = None) -> bytes:
    """A frame as a client sends it."""
    opcode = 0x81 if isinstance(payload, str) else 0x82
    data = payload.encode() if isinstance(payload, str) else payload
    size = len(data)
    if size < 126:
        head = bytes([0x80 | size])
    elif size < 65536:
        head = bytes([0xFE]) + size.to_bytes(2, "big")
    else:
        head = bytes([0xFF]) + size.to_bytes(8, "big")
    masked = bytes(byte ^ MASK[n % 4] for n, byte in enumerate(data))
    return bytes([first or opcode]) + head + MASK + masked


def server(wire: bytes) -> list[tuple[int, bytes]]:
    """(first byte, payload) of each frame sent."""
    frames = []
    while wire:
        assert not wire[1] & 0x80
        size, at = wire[1], 2
        if size == 126:
            size, at = int.from_bytes(wire[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(wire[2:10], "big"), 10
        frames.append((wire[0], wire[at : at + size]))
        wire = wire[at + size :]
    return frames


def media(payload: bytes = FRAME, **more: Any) -> str:
    inner = {"track": "inbound", "payload": base64.b64encode(payload).decode(), **more}
    return json.dumps({"event": "media", "sequenceNumber": "1", "media": inner})


@pytest.fixture
def leg(engine: _core.Engine) -> Iterator[_core.Leg]:
    with engine.open_leg(LEG) as leg:
        yield leg


def heard(engine: _core.Engine, leg: _core.Leg) -> int:
    """Bytes that the leg took."""
    engine.tick_many(0, 3)
    return leg.stats().rx_bytes


def test_media_goes_to_the_leg_and_the_rest_comes_back(
    engine: _core.Engine, leg: _core.Leg
) -> None:
    socket = _core.MediaSocket(DIALECT, leg)
    wire = client('{"event":"start"}') + client(media()) + client(b"bytes") + client("ä")
    assert socket.feed(wire) == [(TEXT, '{"event":"start"}'), (BINARY, b"bytes"), (TEXT, "ä")]
    assert heard(engine, leg) == 160
    stats = socket.stats()
    assert (stats.messages, stats.texts, stats.binaries, stats.media) == (4, 2, 1, 1)
    assert stats.media_bytes == 160


@pytest.mark.parametrize("step", [1, 2, 5, 100])
def test_any_split_of_the_bytes(engine: _core.Engine, leg: _core.Leg, step: int) -> None:
    socket = _core.MediaSocket(DIALECT, leg)
    wire = client(media()) + client("text") + client(media())
    got = []
    for at in range(0, len(wire), step):
        got += socket.feed(bytearray(wire[at : at + step]))
    assert got == [(TEXT, "text")]
    assert heard(engine, leg) == 320


def test_what_is_dropped_is_counted(engine: _core.Engine, leg: _core.Leg) -> None:
    socket = _core.MediaSocket(DIALECT)
    assert socket.feed(client(media())) == []
    socket.attach(leg)
    assert socket.feed(client(media(track="outbound"))) == []
    assert socket.feed(client(media().replace("AAEC", "AA*C"))) == []
    assert socket.feed(client(media(FRAME * 200))) == []
    stats = socket.stats()
    assert (stats.unheard, stats.wrong_track, stats.bad_base64) == (1, 1, 1)
    assert stats.dropped_bytes == 100 * 160
    leg.close()
    engine.tick(0)
    leg.free()
    assert socket.feed(client(media())) == []
    assert socket.stats().unheard == 2
    with pytest.raises(StaleError):
        socket.drain()


def test_what_the_scan_leaves_is_not_lost(leg: _core.Leg) -> None:
    socket = _core.MediaSocket(DIALECT, leg)
    odd = media().replace('"event"', '"\\u0065vent"')
    assert socket.feed(client(odd)) == [(TEXT, odd)]
    assert socket.stats().media == 0


def test_binary_dialect(engine: _core.Engine, leg: _core.Leg) -> None:
    socket = _core.MediaSocket(
        MediaDialect(payload_key=(), binary_in=True, binary_out=True), leg
    )  # fmt: skip
    assert socket.feed(client(FRAME) + client(media())) == [(TEXT, media())]
    assert heard(engine, leg) == 160
    assert server(socket.media(FRAME)) == [(0x82, FRAME)]


def test_ping_pong_and_close(leg: _core.Leg) -> None:
    socket = _core.MediaSocket(DIALECT, leg)
    got = socket.feed(client(b"hi", 0x89) + client(b"yo", 0x8A) + client(b"\x03\xe9bye", 0x88))
    assert got == [
        (SEND, b"\x8a\x02hi"),
        (SocketIn.PONG, b"yo"),
        (SEND, b"\x88\x02\x03\xe9"),
        (SocketIn.CLOSED, 1001, "bye"),
    ]
    assert socket.closed
    assert socket.feed(client("late")) == []
    assert socket.close() == socket.text("x") == socket.binary(b"x") == b""
    quiet = _core.MediaSocket(DIALECT)
    assert quiet.feed(client(b"", 0x88)) == [(SEND, b"\x88\x00"), (SocketIn.CLOSED, 1005, "")]


def test_our_close_is_not_echoed_twice() -> None:
    socket = _core.MediaSocket(DIALECT)
    assert server(socket.close(1000, "done")) == [(0x88, b"\x03\xe8done")]
    assert socket.close() == socket.media(FRAME) == socket.ping() == b""
    assert not socket.closed
    assert socket.feed(client(b"x", 0x89)) == []
    assert socket.feed(client(b"\x03\xe8", 0x88)) == [(SocketIn.CLOSED, 1000, "")]
    assert socket.closed
    long = _core.MediaSocket(DIALECT).close(4000, "ä" * 100)
    assert server(long) == [(0x88, b"\x0f\xa0" + ("ä" * 61).encode())]


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (b"\x81\x01x", 1002),
        (client("x", 0xC1), 1002),
        (client(b"\xff", 0x81), 1007),
        (client(b"x" * 200), 1009),
        (client("x" * 101), 1009),
    ],
)
def test_bad_frames_fail_with_their_code(wire: bytes, code: int) -> None:
    socket = _core.MediaSocket(DIALECT, max_text=100, max_binary=199)
    *before, send, failed = socket.feed(client("ok") + wire + client("never"))
    assert before == [(TEXT, "ok")]
    assert failed[:2] == (SocketIn.FAILED, code)
    assert send[0] is SEND
    assert server(send[1]) == [(0x88, code.to_bytes(2, "big") + failed[2].encode())]
    assert socket.closed


def say(leg: _core.Leg, frames: int, *marks: int) -> None:
    leg.begin(1, 0)
    leg.say(b"\x00\x20" * 160 * frames)
    for number, position in enumerate(marks, 1):
        leg.mark(number, position)
    leg.end()


def shape(items: list[Any]) -> list[Any]:
    """bytes as the lengths of their messages' audio."""
    out: list[Any] = []
    for item in items:
        if isinstance(item, bytes):
            out.append(
                [
                    len(base64.b64decode(json.loads(data)["media"]["payload"]))
                    for _, data in server(item)
                ]
            )
        else:
            out.append(item)
    return out


MARK, FLUSH, IDLE = MediaOut.MARK, (MediaOut.FLUSH,), (MediaOut.IDLE,)


def test_drain_gives_wire_bytes_and_items_in_order(engine: _core.Engine) -> None:
    leg = engine.open_leg(replace(LEG, ahead_ms=40))
    socket = _core.MediaSocket(DIALECT, leg)
    engine.tick(0)
    assert socket.drain() == []
    say(leg, 3, 200)
    engine.tick_many(20_000, 5)
    assert shape(socket.drain()) == [
        [160] * 4,
        (MARK, 1, 1),
        [160],
        (MARK, 1, 0),
        IDLE,
    ]
    assert socket.stats().media_out == 5
    leg.close()


def test_several_frames_in_a_message(engine: _core.Engine, leg: _core.Leg) -> None:
    socket = _core.MediaSocket(replace(DIALECT, frames=5), leg)
    engine.tick(0)
    say(leg, 7, 200)
    now = engine.tick_many(20_000, 3)
    assert socket.drain() == []
    engine.tick_many(now, 8)
    items = socket.drain()
    assert shape(items) == [[800], (MARK, 1, 1), [800], (MARK, 1, 0), IDLE]
    last = json.loads(server(items[2])[0][1])["media"]["payload"]
    assert base64.b64decode(last)[320:] == b"\xff" * 480


def test_a_flush_forgets_what_was_not_sent(engine: _core.Engine, leg: _core.Leg) -> None:
    socket = _core.MediaSocket(replace(DIALECT, frames=5), leg)
    engine.tick(0)
    say(leg, 30, 200)
    now = engine.tick_many(20_000, 3)
    leg.cut(0)
    engine.tick_many(now, 2)
    assert socket.drain() == [FLUSH, IDLE]


def test_nothing_goes_out_after_the_close(engine: _core.Engine, leg: _core.Leg) -> None:
    socket = _core.MediaSocket(DIALECT, leg)
    engine.tick(0)
    say(leg, 3)
    socket.close()
    engine.tick_many(20_000, 5)
    assert socket.drain() == [(MARK, 1, 0), IDLE]


def test_the_wrap_may_come_later(leg: _core.Leg) -> None:
    socket = _core.MediaSocket(MediaDialect(), leg)
    socket.set_wrap('{"sid":"', '"}')
    assert server(socket.media(b"abc")) == [(0x81, b'{"sid":"YWJj"}')]
    long = socket.media(bytes(60_000))
    assert len(server(long)[0][1]) == 80_000 + 10


def test_what_is_refused(engine: _core.Engine, leg: _core.Leg) -> None:
    for wrong in (
        MediaDialect(frames=0),
        MediaDialect(frames=51),
        MediaDialect(event_key="x" * 49),
        MediaDialect(payload_key=("a", "b", "c")),
        MediaDialect(tracks=("a", "b", "c", "d", "e")),
    ):
        with pytest.raises(ValueError, match=r"."):
            _core.MediaSocket(wrong)
    with pytest.raises(ValueError, match="limit"):
        _core.MediaSocket(DIALECT, max_text=0)
    socket = _core.MediaSocket(DIALECT, leg)
    with pytest.raises(ValueError, match="1005"):
        socket.close(1005)
    with pytest.raises(ValueError, match="125"):
        socket.ping(b"x" * 126)
    with pytest.raises(TypeError):
        socket.feed("text")


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
payloads = st.binary(max_size=40).map(lambda data: base64.b64encode(data).decode())
inner = st.fixed_dictionaries(
    {},
    optional={
        "payload": payloads | scalars,
        "track": st.sampled_from(["inbound", "outbound"]) | scalars,
        "timestamp": st.integers(0, 10**9) | scalars,
    },
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(["media", "start"]) | scalars,
        "media": inner | values,
        "sequenceNumber": st.integers(0, 10**9) | scalars,
        "other": values,
    },
)


@settings(max_examples=300, deadline=None)
@given(
    message=messages,
    ascii_only=st.booleans(),
    indent=st.none() | st.integers(0, 2),
    order=st.booleans(),
)
def test_the_scan_agrees_with_json(
    message: dict[str, Any], ascii_only: bool, indent: int | None, order: bool
) -> None:
    """Every message is media by json as well, or comes back as it was."""
    text = json.dumps(message, ensure_ascii=ascii_only, indent=indent, sort_keys=order)
    socket = _core.MediaSocket(DIALECT)
    try:
        wire = client(text)
    except UnicodeEncodeError:
        return
    back = socket.feed(wire)
    stats = socket.stats()
    if back:
        assert back == [(TEXT, text)]
        return
    body = message["media"]
    assert message["event"] == "media"
    if stats.wrong_track:
        assert body["track"] not in DIALECT.tracks
    elif stats.bad_base64:
        with pytest.raises(ValueError, match=r"."):
            base64.b64decode(body["payload"] + "=" * (-len(body["payload"]) % 4), validate=True)
    else:
        assert stats.unheard == 1
        assert isinstance(body["payload"], str)


@pytest.mark.parametrize("extra", [{}, {"timestamp": 40}, {"track": "inbound_track"}])
def test_common_messages_are_recognised(leg: _core.Leg, extra: dict[str, Any]) -> None:
    socket = _core.MediaSocket(DIALECT, leg)
    for separators in ((",", ":"), (", ", ": ")):
        text = json.dumps(json.loads(media(**extra)), separators=separators)
        assert socket.feed(client(text)) == []
        assert socket.feed(client(text.replace("/", "\\/"))) == []
    assert socket.stats().media == 4
