"""What goes over the WebSocket of a fork, with a real peer on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
from array import array
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from mediacore._core import Codec
from mediacore.errors import MediacoreError
from mediacore.runtime.actions import StartFork
from mediacore.session import wsfork
from mediacore.session.wsfork import StreamFormat, TapFormat, WsFork, connect_ws

BLOCK = array("h", [1000, -2000] * 800).tobytes()  # 100 ms: left 1000, right -2000


def action(codec: str = "PCMU") -> StartFork:
    return StartFork(
        "op-1", "line", "stream", "ws://x", "both", codec, name="n", custom={"customer": "7"}
    )


class Peer:
    """A WebSocket server that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[str | bytes] = []
        self.headers: dict[str, str] = {}
        self.closed = asyncio.Event()
        self.more = asyncio.Condition()
        self.leave_after = 0

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        self.headers = dict(request.headers)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            self.got.append(message.data)
            async with self.more:
                self.more.notify_all()
            if self.leave_after and len(self.got) >= self.leave_after:
                break
        await ws.close()
        self.closed.set()
        return ws

    async def has(self, n: int) -> None:
        async with self.more:
            await self.more.wait_for(lambda: len(self.got) >= n)


def run(scene: Callable[[Peer, str], Awaitable[None]]) -> None:
    async def main() -> None:
        peer = Peer()
        app = web.Application()
        app.router.add_get("/ws", peer.serve)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            async with asyncio.timeout(10):
                await scene(peer, f"ws://127.0.0.1:{port}/ws")
        finally:
            await runner.cleanup()

    asyncio.run(main())


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_stream_begins_carries_both_tracks_and_stops() -> None:
    async def scene(peer: Peer, uri: str) -> None:
        fork = connect_ws(uri, StreamFormat(action(), "call-1", 8000, (True, True)), "secret")
        running: list[bool] = []
        task = asyncio.create_task(fork.run(lambda: running.append(True)))
        await peer.has(2)
        fork.put(0, BLOCK)
        await peer.has(12)
        await cancelled(task)
        await peer.closed.wait()
        assert running == [True]
        assert peer.headers["Authorization"] == "Bearer secret"
        connected, start, *media, stop = [json.loads(m) for m in peer.got]
        assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        assert start["event"] == "start"
        assert start["streamSid"] == "op-1"
        assert start["start"]["callSid"] == "call-1"
        assert start["start"]["tracks"] == ["inbound", "outbound"]
        assert start["start"]["customParameters"] == {"customer": "7"}
        assert start["start"]["mediaFormat"] == {
            "encoding": "audio/x-mulaw",
            "sampleRate": 8000,
            "channels": 1,
        }
        assert [m["event"] for m in media] == ["media"] * 10
        codec = Codec("PCMU")
        for name, level in (("inbound", 1000), ("outbound", -2000)):
            track = [m["media"] for m in media if m["media"]["track"] == name]
            assert [m["chunk"] for m in track] == ["1", "2", "3", "4", "5"]
            assert [m["timestamp"] for m in track] == ["0", "20", "40", "60", "80"]
            for m in track:
                pcm = array("h", codec.decode(base64.b64decode(m["payload"])))
                assert len(pcm) == 160
                assert all(abs(x - level) < 60 for x in pcm)
        assert stop["event"] == "stop"
        numbers = [int(m["sequenceNumber"]) for m in (start, *media, stop)]
        assert numbers == list(range(1, 13))

    run(scene)


def test_a_tap_is_payload_only() -> None:
    async def scene(peer: Peer, uri: str) -> None:
        fork = connect_ws(uri, TapFormat(action("PCMA"), "call-1", 8000, (True, True)))
        task = asyncio.create_task(fork.run(lambda: None))
        fork.put(0, BLOCK[:1000])  # what comes early waits
        fork.put(250, BLOCK[1000:])
        await peer.has(5)
        await cancelled(task)
        await peer.closed.wait()
        assert "Authorization" not in peer.headers
        assert len(peer.got) == 5
        for payload in peer.got:
            assert isinstance(payload, bytes)
            pcm = array("h", Codec("PCMA").decode(payload))
            assert len(pcm) == 160
            assert all(abs(x + 1000) < 60 for x in pcm)

    run(scene)


@pytest.mark.parametrize(("tracks", "level"), [((True, False), 1000), ((False, True), -2000)])
def test_one_direction_and_another_rate(tracks: tuple[bool, bool], level: int) -> None:
    form = TapFormat(action("L16@16000h"), "call-1", 8000, tracks)
    frames = [f for _ in range(3) for f in form.audio(BLOCK)]
    assert len(frames) == 15
    pcm = array("h", Codec("L16", 16000).decode(bytes(frames[10])))
    assert len(pcm) == 320
    assert all(abs(x - level) < 30 for x in pcm)
    stream = StreamFormat(action("L16@16000h"), "call-1", 8000, tracks)
    [_, start] = [json.loads(m) for m in stream.opening()]
    assert start["start"]["mediaFormat"]["sampleRate"] == 16000
    assert len(stream.audio(BLOCK)) == 5


def test_a_codec_that_is_none() -> None:
    for codec in ("GSM", "PCMU@fast"):
        with pytest.raises(MediacoreError):
            TapFormat(action(codec), "call-1", 8000, (True, True))


def test_a_peer_that_leaves_or_is_not_there_is_an_error() -> None:
    async def scene(peer: Peer, uri: str) -> None:
        peer.leave_after = 2
        fork = connect_ws(uri, StreamFormat(action(), "call-1", 8000, (True, True)))
        with pytest.raises(MediacoreError, match="closed the connection"):
            await fork.run(lambda: None)
        for bad in (uri + "missing", "ws://127.0.0.1:9/ws", "ws://"):
            fork = connect_ws(bad, TapFormat(action(), "call-1", 8000, (True, True)))
            with pytest.raises((MediacoreError, ValueError)):
                await fork.run(lambda: None)

    run(scene)


class StalledWs:
    """A connection that takes nothing."""

    closed = False

    async def send_str(self, text: str) -> None:
        await asyncio.sleep(3600)

    async def send_bytes(self, data: bytes) -> None:
        await asyncio.sleep(3600)

    async def close(self) -> None:
        self.closed = True

    def __aiter__(self) -> StalledWs:
        return self

    async def __anext__(self) -> object:
        await asyncio.sleep(3600)
        raise StopAsyncIteration


def test_a_slow_peer_loses_the_oldest_and_a_stalled_one_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def connect(*args: object, **options: object) -> StalledWs:
        return StalledWs()

    monkeypatch.setattr(aiohttp.ClientSession, "ws_connect", connect)
    monkeypatch.setattr(wsfork, "_STALL_S", 0.05)
    monkeypatch.setattr(wsfork, "_CLOSE_S", 0.05)

    async def main() -> None:
        fork = WsFork("ws://peer.example/x", TapFormat(action(), "c", 8000, (True, True)))
        for i in range(30):
            fork.put(800 * i, BLOCK)
        assert fork.dropped == 50
        with pytest.raises(MediacoreError, match="too slow"):
            await fork.run(lambda: None)

    asyncio.run(main())
