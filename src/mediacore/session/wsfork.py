"""A copy of a line's media on its way to a WebSocket.

Two formats. "stream": JSON text messages connected, start, media, stop as media-stream peers send
them, every number a string, audio in base64, one message per track. "tap": binary messages of
encoded audio, both directions mixed.
"""

from __future__ import annotations

import asyncio
import base64
import json
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import aiohttp

from mediacore._core import Codec, Resampler
from mediacore.errors import MediacoreError
from mediacore.runtime.actions import StartFork

_CONNECT_S = 5.0
_STALL_S = 5.0  # a message that takes longer ends the fork
_WAITING = 100  # messages: 2 s of one track
_CLOSE_S = 1.0
_MIME = {"PCMU": "audio/x-mulaw", "PCMA": "audio/x-alaw", "L16": "audio/x-l16"}
Message = str | bytes


class Format(Protocol):
    """Turns stereo audio of a line into messages."""

    def opening(self) -> Sequence[Message]:
        """What is sent first."""
        ...

    def audio(self, pcm: bytes) -> Sequence[Message]:
        """Messages of 20 ms that became whole with this stereo audio."""
        ...

    def closing(self) -> Sequence[Message]:
        """What is sent last."""
        ...


class _Track:
    """One direction, or both mixed, to payloads of 20 ms."""

    def __init__(self, codec: str, srate_hz: int) -> None:
        name, _, rate = codec.partition("@")
        try:
            self._codec = Codec(name or "PCMU", int(rate.rstrip("hz")) if rate else 0)
        except ValueError:
            raise MediacoreError(f"codec {codec!r} is not known") from None
        self._resampler = Resampler(srate_hz, self._codec.srate_hz)
        self._frame_bytes = self._codec.srate_hz // 50 * 2
        self._pcm = bytearray()

    @property
    def srate_hz(self) -> int:
        return self._codec.srate_hz

    def run(self, pcm: bytes) -> list[bytes]:
        self._pcm += self._resampler.run(pcm)
        whole = len(self._pcm) // self._frame_bytes
        frames = [
            self._codec.encode(self._pcm[i * self._frame_bytes : (i + 1) * self._frame_bytes])
            for i in range(whole)
        ]
        del self._pcm[: whole * self._frame_bytes]
        return frames


class TapFormat:
    """Binary payloads. tracks: whether what the line receives, and what it sends, is wanted."""

    def __init__(
        self, action: StartFork, call_id: str, srate_hz: int, tracks: tuple[bool, bool]
    ) -> None:
        self._tracks = tracks
        self._track = _Track(action.codec, srate_hz)

    def opening(self) -> Sequence[Message]:
        """Nothing."""
        return ()

    def audio(self, pcm: bytes) -> Sequence[Message]:
        """See Format."""
        samples = array("h", pcm)
        match self._tracks:
            case (True, False):
                return self._track.run(samples[0::2].tobytes())
            case (False, True):
                return self._track.run(samples[1::2].tobytes())
        both = zip(samples[0::2], samples[1::2], strict=True)
        mixed = array("h", [max(-32768, min(32767, a + b)) for a, b in both])
        return self._track.run(mixed.tobytes())

    def closing(self) -> Sequence[Message]:
        """Nothing."""
        return ()


class StreamFormat:
    """JSON messages. tracks: whether what the line receives, and what it sends, is wanted."""

    def __init__(
        self, action: StartFork, call_id: str, srate_hz: int, tracks: tuple[bool, bool]
    ) -> None:
        self._action = action
        self._call_id = call_id
        names = [name for name, on in zip(("inbound", "outbound"), tracks, strict=True) if on]
        self._tracks = {name: _Track(action.codec, srate_hz) for name in names}
        self._chunks = dict.fromkeys(names, 0)
        self._messages = 0

    def opening(self) -> Sequence[Message]:
        """See Format."""
        codec = self._action.codec.partition("@")[0].upper() or "PCMU"
        srate_hz = next(iter(self._tracks.values())).srate_hz
        start = {
            "callSid": self._call_id,
            "streamSid": self._action.op,
            "name": self._action.name,
            "tracks": list(self._tracks),
            "customParameters": dict(self._action.custom),
            "mediaFormat": {
                "encoding": _MIME.get(codec, f"audio/{codec.lower()}"),
                "sampleRate": srate_hz,
                "channels": 1,
            },
        }
        connected = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        return json.dumps(connected), self._message("start", {"start": start})

    def audio(self, pcm: bytes) -> Sequence[Message]:
        """See Format."""
        samples = array("h", pcm)
        made: list[Message] = []
        for channel, name in enumerate(("inbound", "outbound")):
            if name not in self._tracks:
                continue
            for payload in self._tracks[name].run(samples[channel::2].tobytes()):
                timestamp_ms = 20 * self._chunks[name]
                self._chunks[name] += 1
                media = {
                    "track": name,
                    "chunk": str(self._chunks[name]),
                    "timestamp": str(timestamp_ms),
                    "payload": base64.b64encode(payload).decode("ascii"),
                }
                made.append(self._message("media", {"media": media}))
        return made

    def closing(self) -> Sequence[Message]:
        """See Format."""
        return (self._message("stop", {"stop": {"callSid": self._call_id}}),)

    def _message(self, event: str, body: dict[str, object]) -> str:
        self._messages += 1
        head = {
            "event": event,
            "sequenceNumber": str(self._messages),
            "streamSid": self._action.op,
        }
        return json.dumps(head | body)


class WsFork:
    """Sends one fork. A slow peer loses the oldest messages; one that stalls ends it.

    open_session: makes the HTTP session, whose connector decides on addresses.
    """

    def __init__(
        self,
        uri: str,
        form: Format,
        bearer_token: str = "",
        open_session: Callable[[aiohttp.ClientTimeout], aiohttp.ClientSession] | None = None,
    ) -> None:
        self._uri = uri
        self._form = form
        self._open_session = open_session
        self._headers = {"Authorization": f"Bearer {bearer_token}"} if bearer_token else {}
        self._queue: deque[Message] = deque()
        self._wake = asyncio.Event()
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Messages that the peer was too slow for."""
        return self._dropped

    def put(self, at: int, pcm: bytes) -> None:
        """See PairSink."""
        self._queue.extend(self._form.audio(pcm))
        while len(self._queue) > _WAITING:
            self._queue.popleft()
            self._dropped += 1
        self._wake.set()

    async def run(self, running: Callable[[], None]) -> None:
        """Connect, call `running`, send until cancelled; then say goodbye.

        Raises MediacoreError when the peer cannot be reached, leaves, or stalls.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S)
        try:
            async with self._session(timeout) as session:
                async with asyncio.timeout(_CONNECT_S):
                    ws = await session.ws_connect(
                        self._uri, headers=self._headers, autoping=True, max_msg_size=1 << 20
                    )
                try:
                    await self._serve(ws, running)
                finally:
                    await self._leave(ws)
        except TimeoutError:
            raise MediacoreError(f"{_host(self._uri)} is too slow") from None
        except aiohttp.ClientError as error:
            raise MediacoreError(f"{_host(self._uri)}: {error}") from None

    def _session(self, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
        if self._open_session is not None:
            return self._open_session(timeout)
        return aiohttp.ClientSession(timeout=timeout)

    async def _serve(
        self, ws: aiohttp.ClientWebSocketResponse, running: Callable[[], None]
    ) -> None:
        for message in self._form.opening():
            await self._send(ws, message)
        running()
        reader = asyncio.create_task(_until_closed(ws))
        reader.add_done_callback(lambda task: self._wake.set())
        try:
            while not reader.done():
                self._wake.clear()
                while self._queue:
                    await self._send(ws, self._queue.popleft())
                if not reader.done():
                    await self._wake.wait()
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        raise MediacoreError(f"{_host(self._uri)} closed the connection")

    async def _send(self, ws: aiohttp.ClientWebSocketResponse, message: Message) -> None:
        async with asyncio.timeout(_STALL_S):
            if isinstance(message, str):
                await ws.send_str(message)
            else:
                await ws.send_bytes(message)

    async def _leave(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        with suppress(TimeoutError, aiohttp.ClientError, ConnectionError):
            async with asyncio.timeout(_CLOSE_S):
                if not ws.closed:
                    for message in self._form.closing():
                        await self._send(ws, message)
                await ws.close()


def connect_ws(uri: str, form: Format, bearer_token: str = "") -> WsFork:
    """A fork to this address, not connected yet."""
    return WsFork(uri, form, bearer_token)


async def _until_closed(ws: aiohttp.ClientWebSocketResponse) -> None:
    """What the peer says is of no interest; that it leaves is."""
    async for _ in ws:
        pass


def _host(uri: str) -> str:
    return uri.partition("://")[2].partition("/")[0].rpartition("@")[2]
