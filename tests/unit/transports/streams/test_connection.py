"""A stream connection by itself: no socket, no leg."""

from __future__ import annotations

import asyncio
import json

from mediacore.media import MediaOut
from mediacore.slots.gateway import LineEnd
from mediacore.transports.streams.config import StreamLimits
from mediacore.transports.streams.connection import StreamConnection, Surroundings
from mediacore.transports.streams.stats import Counters
from mediacore.wire.streams.catalog import DIALECTS
from mediacore.wire.streams.model import Opened, StreamOptions
from support.stream_peers import TwilioShape
from virtual import now_us, run_virtual


class FakeWire:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.unsent_bytes = 0
        self.closed = False
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    @property
    def texts(self) -> list[dict[str, object]]:
        """Text messages; every short write is one frame, or several put together."""
        found, data = [], b"".join(self.sent)
        while data:
            size, head = data[1] & 0x7F, 2
            if size == 126:
                size, head = int.from_bytes(data[2:4], "big"), 4
            if data[0] == 0x81:
                found.append(json.loads(data[head : head + size]))
            data = data[head + size :]
        return found


class World:
    def __init__(self, **limits: int) -> None:
        self.wire = FakeWire()
        self.counters = Counters()
        self.calls: list[Opened] = []
        self.gone = 0
        around = Surroundings(StreamLimits(**limits), self.counters, now_us)
        dialect = DIALECTS["twilio"](StreamOptions())
        self.connection = StreamConnection(self.wire, dialect, around, self)

    def opened(self, connection: StreamConnection, opened: Opened) -> None:
        self.calls.append(opened)

    def over(self, connection: StreamConnection) -> None:
        self.gone += 1

    def open(self) -> None:
        for text in TwilioShape("twilio").hello():
            self.feed(text)

    def feed(self, text: str) -> None:
        """As a client sends it: masked, with a key of zeros."""
        data = text.encode()
        size = bytes([0x80 | min(len(data), 126)])
        if len(data) >= 126:
            size += len(data).to_bytes(2, "big")
        self.connection.feed(b"\x81" + size + bytes(4) + data)

    def count(self, name: str) -> int:
        return int(getattr(self.counters.snapshot(0, 0), name))


def test_a_far_side_that_does_not_read_is_given_up() -> None:
    async def scene() -> None:
        world = World(unsent_bytes=1000)
        world.open()
        world.connection.drained([b"frame"])
        assert world.connection.ended is None
        world.wire.unsent_bytes = 1001
        world.connection.drained([b"frame"])
        assert world.connection.ended is LineEnd.ERROR
        assert world.count("slow") == 1
        before = len(world.wire.sent)
        world.connection.drained([b"frame"])
        assert len(world.wire.sent) == before
        await asyncio.sleep(2)
        assert world.wire.aborted
        world.connection.lost()

    run_virtual(scene())


def test_audio_marks_and_flushes_keep_their_order() -> None:
    async def scene() -> None:
        world = World()
        world.open()
        connection = world.connection
        connection.socket.set_wrap(*connection.dialect.wrap())
        frame = connection.socket.media(b"\xff" * 160)
        connection.drained([frame, (MediaOut.MARK, 7, 1), frame, (MediaOut.FLUSH,)])
        events = [text["event"] for text in world.wire.texts]
        assert events == ["media", "mark", "media", "clear"]
        assert connection.since_audio_us is None
        connection.drained([frame, (MediaOut.IDLE,)])
        await asyncio.sleep(0.1)
        assert connection.since_audio_us == 100_000
        connection.bye(LineEnd.HANGUP)
        connection.bye(LineEnd.ERROR)
        assert await connection.wait_end() is LineEnd.HANGUP
        connection.lost()
        connection.lost()
        assert world.gone == 1
        await connection.wait_over()

    run_virtual(scene())


def test_a_fault_of_our_own_ends_the_call_and_is_counted() -> None:
    async def scene() -> None:
        world = World()

        def broken(connection: StreamConnection, opened: Opened) -> None:
            raise RuntimeError("ours")

        world.opened = broken  # type: ignore[method-assign]
        world.open()
        assert world.count("internal") == 1
        assert world.connection.ended is LineEnd.ERROR
        world.connection.lost()

    run_virtual(scene())


def test_a_frame_that_breaks_the_rules() -> None:
    async def scene() -> None:
        world = World()
        world.connection.feed(b"\x81\x05hello")  # not masked
        assert world.connection.ended is LineEnd.ERROR
        assert world.wire.closed
        assert world.count("protocol_errors") == 1
        world.connection.lost()
        assert world.count("cut_off") == 0

    run_virtual(scene())


def test_bytes_may_come_one_at_a_time() -> None:
    async def scene() -> None:
        world = World()
        text = TwilioShape("twilio").hello()[1].encode()
        frame = b"\x81" + bytes([0x80 | 126]) + len(text).to_bytes(2, "big") + bytes(4) + text
        for n in range(len(frame)):
            world.connection.feed(frame[n : n + 1])
        assert [each.call_id for each in world.calls] == ["CA1"]
        world.connection.lost()

    run_virtual(scene())


def test_digits_and_media_before_the_answer_are_nobodys() -> None:
    async def scene() -> None:
        world = World()
        shape = TwilioShape("twilio")
        for text in (*shape.hello(), shape.digit("5"), str(shape.media(1, b"\xff" * 160))):
            world.feed(text)
        world.feed('{"event":"media","media":{"p\\u0061yload":"AAAA"}}')
        world.connection.lost()
        assert world.count("early_media") == 1
        assert world.count("bad_messages") == 0

    run_virtual(scene())


def test_a_start_that_comes_too_late_opens_nothing() -> None:
    async def scene() -> None:
        world = World(start_ms=100)
        await asyncio.sleep(0.2)
        assert world.count("no_start") == 1
        world.open()
        assert not world.calls
        await asyncio.sleep(3)
        assert world.wire.aborted
        world.connection.lost()

    run_virtual(scene())


def test_pings_of_a_far_side_that_does_not_read_are_not_answered_for_ever() -> None:
    async def scene() -> None:
        world = World(unsent_bytes=1000)
        world.open()
        ping = b"\x89\x80" + bytes(4)
        world.connection.feed(ping)
        assert world.connection.ended is None
        world.wire.unsent_bytes = 1001
        world.connection.feed(ping)
        assert world.connection.ended is LineEnd.ERROR
        assert world.count("slow") == 1
        world.connection.feed(ping)
        assert world.wire.aborted
        world.connection.lost()

    run_virtual(scene())
