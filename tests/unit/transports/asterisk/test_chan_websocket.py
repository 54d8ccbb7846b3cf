"""chan_websocket against the stream server: a peer that queues and plays like Asterisk does."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections import deque
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from mediacore._core import Leg
from mediacore.call.record import Accuracy
from mediacore.events import DigitReceived, PlayoutCut
from mediacore.slots.gateway import LineEnd
from mediacore.transports.streams.auth import Basic
from mediacore.transports.streams.config import StreamEndpoint
from support.stream_world import StreamWorld
from virtual import run_virtual

START = (
    "MEDIA_START connection_id:c-1 channel:WebSocket/media/0x1 channel_id:1.1 format:slin16 "
    "optimal_frame_size:640 ptime:20"
)
ENDPOINT = StreamEndpoint("chan_websocket", auth=(Basic("asterisk", "pw"),))


class Asterisk:
    """One channel. Takes a frame from its queue every 20 ms; without one it plays silence."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.queue: deque[bytes | str] = deque()
        self.played = bytearray()
        self.commands: list[str] = []
        self.flushed_ms = 0
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._play())]

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                assert len(message.data) % 640 == 0  # anything else would be lost
                for at in range(0, len(message.data), 640):
                    self.queue.append(message.data[at : at + 640])
            else:
                await self._command(message.data)

    async def _command(self, text: str) -> None:
        assert len(text) <= 128
        self.commands.append(text)
        frames = sum(isinstance(item, bytes) for item in self.queue)
        match text.split():
            case ["GET_STATUS"]:
                await self.socket.send_str(f"STATUS channel_id:1.1 queue_length:{frames}")
            case ["MARK_MEDIA", name]:
                self.queue.append(name)
            case ["FLUSH_MEDIA"]:
                self.flushed_ms += 20 * frames
                self.queue.clear()
            case ["HANGUP"]:
                await self.socket.close()

    async def _play(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            while self.queue and isinstance(self.queue[0], str):
                await self.socket.send_str(f"MEDIA_MARK_PROCESSED {self.queue.popleft()}")
            frame = self.queue.popleft() if self.queue else bytes(640)
            assert isinstance(frame, bytes)
            self.played += frame
            await self.socket.send_bytes(bytes(640))

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.socket.close()


def run(scene: Callable[[StreamWorld, Asterisk], Awaitable[None]]) -> None:
    async def main() -> None:
        async with StreamWorld(ENDPOINT) as world, aiohttp.ClientSession() as session:
            socket = await session.ws_connect(
                world.url("/chan_websocket"), protocols=("media",), headers=basic("asterisk", "pw")
            )
            assert socket.protocol == "media"
            asterisk = Asterisk(socket)
            try:
                await socket.send_str(START)
                await scene(world, asterisk)
            finally:
                await asterisk.aclose()

    run_virtual(main())


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": aiohttp.encode_basic_auth(name, password)}


def say(leg: Leg, ms: int) -> None:
    n = 16 * ms
    leg.begin(1, 1)
    leg.say(array("h", [int(9000 * math.sin(i / 6)) for i in range(n)]).tobytes())
    leg.mark(1, n // 2)
    leg.end()


def loud_ms(pcm: bytes) -> int:
    frames = (array("h", pcm[at : at + 640]) for at in range(0, len(pcm), 640))
    return 20 * sum(max(frame) > 4000 for frame in frames)


def test_all_that_was_said_is_played_and_marks_come_back() -> None:
    async def scene(world: StreamWorld, asterisk: Asterisk) -> None:
        line, leg = await world.answered()
        assert (line.transport.kind, line.transport.accuracy) == (
            *("chan_websocket", Accuracy.EXACT),
        )
        assert leg.srate_hz == 16000
        say(leg, 1000)
        await asyncio.sleep(2.5)
        assert loud_ms(bytes(asterisk.played)) == 1000
        assert "GET_STATUS" in asterisk.commands
        assert any(text.startswith("MARK_MEDIA") for text in asterisk.commands)
        leg.close()

    run(scene)


def test_a_cut_is_exact() -> None:
    async def scene(world: StreamWorld, asterisk: Asterisk) -> None:
        line, leg = await world.answered()
        say(leg, 1500)
        await asyncio.sleep(0.9)
        leg.cut(1)
        await asyncio.sleep(0.5)
        assert asterisk.commands.index("FLUSH_MEDIA") > 0
        assert world.seen(PlayoutCut)
        sent_ms = leg.stats().played_samples // 16
        heard_ms = loud_ms(bytes(asterisk.played))
        assert abs(sent_ms - heard_ms - asterisk.flushed_ms) <= 20
        delay_ms = line.far_delay_ms()
        assert delay_ms is not None
        assert abs(delay_ms - asterisk.flushed_ms) <= 20  # what the queue held at the flush
        leg.close()

    run(scene)


def test_digits_and_the_end() -> None:
    async def scene(world: StreamWorld, asterisk: Asterisk) -> None:
        line, leg = await world.answered()
        await asterisk.socket.send_str("DTMF_END digit:7 channel_id:1.1")
        await asyncio.sleep(0.3)
        assert [e.digit for e in world.events if isinstance(e, DigitReceived)] == ["7"]
        await line.hangup(LineEnd.HANGUP)
        assert asterisk.commands[0] == "ANSWER"
        await asyncio.sleep(0.2)
        assert asterisk.commands[-1] == "HANGUP"
        leg.close()

    run(scene)


@pytest.mark.parametrize("headers", [{}, basic("asterisk", "no"), {"Authorization": "Bearer pw"}])
def test_who_has_no_password(headers: dict[str, str]) -> None:
    async def main() -> None:
        async with StreamWorld(ENDPOINT) as world, aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
                await session.ws_connect(world.url("/chan_websocket"), headers=headers)
            assert failed.value.status == 401

    run_virtual(main())
