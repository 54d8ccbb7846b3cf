"""Callers of every kind who act alike: they speak one track, press keys, listen, and hang up."""

from __future__ import annotations

import asyncio
import json
import struct
from abc import ABC, abstractmethod
from array import array
from contextlib import AsyncExitStack, suppress
from itertools import count
from pathlib import Path
from typing import ClassVar, Self
from uuid import UUID

import aiohttp
import numpy as np
from scipy.signal import resample_poly

from mediacore._core import Codec
from support.peers.baresip import Baresip, Settings
from support.peers.speech import Samples, read_wav, write_wav
from support.sip_stage import blocking
from support.stream_peers import SHAPES, FarPhone, StreamPeer
from support.stream_world import decoded, encoded
from support.webrtc_peer import Browser, rtp

TRACK_HZ = 8000
TICK_S = 0.02


def at_rate(track: Samples, srate_hz: int) -> array[int]:
    """A track of `TRACK_HZ` at another rate, int16."""
    samples = track if srate_hz == TRACK_HZ else resample_poly(track, srate_hz, TRACK_HZ)
    return array("h", (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def from_pcm(pcm: bytes | bytearray | array[int], srate_hz: int) -> Samples:
    """The same back."""
    samples = np.frombuffer(bytes(pcm), "<i2") / 32768.0
    return (
        samples if srate_hz == TRACK_HZ else np.asarray(resample_poly(samples, TRACK_HZ, srate_hz))
    )


class Caller(ABC):
    """One call. Entering makes ready; `call` dials and begins to speak. kind: as in the record."""

    kind: ClassVar[str]
    keys: ClassVar[bool] = True
    """Whether it has keys."""

    def __init__(self, where: str, track: Samples, folder: Path) -> None:
        self.where = where
        self.track = track
        self.folder = folder
        self.stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stack.aclose()

    @abstractmethod
    async def call(self) -> None:
        """Dial."""

    @abstractmethod
    async def press(self, digit: str) -> None:
        """One key."""

    @abstractmethod
    async def hang_up(self) -> None:
        """End the call."""

    @abstractmethod
    async def gone(self) -> None:
        """Wait until the other side has hung up."""

    @abstractmethod
    def heard(self) -> Samples:
        """Everything that the ear got, at `TRACK_HZ`, once the call is over."""


class SipCaller(Caller):
    """baresip. where: HOST:PORT."""

    kind = "sip"

    async def __aenter__(self) -> Self:
        self.folder.mkdir()
        file = write_wav(self.folder / "said.wav", np.concatenate([self.track, np.zeros(480_000)]))
        self.phone = Baresip(Settings(file, user="+15550100"), self.folder)
        await blocking(self.phone.__enter__)
        self.stack.push_async_callback(blocking, lambda: self.phone.__exit__(None, None, None))
        return self

    async def call(self) -> None:
        def work() -> None:
            self.phone.dial(f"sip:+15550199@{self.where}")
            self.phone.expect("CALL_ESTABLISHED")

        await blocking(work)

    async def press(self, digit: str) -> None:
        await blocking(lambda: self.phone.press(digit))

    async def hang_up(self) -> None:
        await blocking(self.phone.hangup)

    async def gone(self) -> None:
        await blocking(lambda: self.phone.expect("CALL_CLOSED", 20))

    def heard(self) -> Samples:
        return read_wav(self.phone.heard())[0]


class StreamCaller(Caller):
    """A provider of stream_peers. where: the endpoint's URL."""

    shape: ClassVar[str]

    async def call(self) -> None:
        shape = SHAPES[self.shape]()
        mic = encoded(at_rate(self.track, shape.rate), shape.codec)
        self.peer = StreamPeer(shape, self.where, mic=mic, delay_ms=20)
        await self.stack.enter_async_context(self.peer)

    async def press(self, digit: str) -> None:
        await self.peer.digit(digit)

    async def hang_up(self) -> None:
        await self.peer.hang_up()

    async def gone(self) -> None:
        await self.peer.closed.wait()
        assert self.peer.close_code == aiohttp.WSCloseCode.OK

    def heard(self) -> Samples:
        shape = self.peer.shape
        assert self.peer.violations == []
        return from_pcm(decoded(bytes(self.peer.phone.heard), shape.codec), shape.rate)


class TwilioCaller(StreamCaller):
    kind = shape = "twilio"


class TelnyxCaller(StreamCaller):
    kind, shape = "telnyx", "telnyx-l16"


class VonageCaller(StreamCaller):
    kind = shape = "vonage"


class PacedCaller(Caller):
    """One that sends a frame of 16-bit audio every 20 ms."""

    srate_hz: ClassVar[int]

    def start(self) -> None:
        self.over = asyncio.Event()
        for work in (self._speak(), self._listen()):
            task = asyncio.create_task(work)
            self.stack.push_async_callback(asyncio.wait, [task])
            self.stack.callback(task.cancel)

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        pcm, size = at_rate(self.track, self.srate_hz).tobytes(), self.srate_hz // 25
        begin = loop.time()
        for tick in count():
            frame = pcm[tick * size : (tick + 1) * size].ljust(size, b"\0")
            await self.tick(frame)
            await asyncio.sleep(max(0.0, begin + (tick + 1) * TICK_S - loop.time()))

    @abstractmethod
    async def tick(self, frame: bytes) -> None:
        """Every 20 ms: send this."""

    @abstractmethod
    async def _listen(self) -> None:
        """Take what comes until the end, then set `over`."""

    async def gone(self) -> None:
        await self.over.wait()


class AudioSocketCaller(PacedCaller):
    """Asterisk with AudioSocket at 8 kHz. where: HOST:PORT."""

    kind = "audiosocket"
    srate_hz = 8000
    uuid = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")

    async def call(self) -> None:
        host, _, port = self.where.rpartition(":")
        self._reader, self._writer = await asyncio.open_connection(host, int(port))
        self.stack.callback(self._writer.close)
        self._pcm = bytearray()
        self.ended = False
        self._send(0x01, self.uuid.bytes)
        self.start()

    def _send(self, kind: int, payload: bytes = b"") -> None:
        self._writer.write(struct.pack("!BH", kind, len(payload)) + payload)

    async def tick(self, frame: bytes) -> None:
        if not self._writer.is_closing():
            self._send(0x10, frame)

    async def _listen(self) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, length = struct.unpack("!BH", await self._reader.readexactly(3))
                payload = await self._reader.readexactly(length)
                assert kind in (0x00, 0x10), kind
                self.ended |= kind == 0x00
                self._pcm += payload
        self.over.set()

    async def press(self, digit: str) -> None:
        self._send(0x03, digit.encode())

    async def hang_up(self) -> None:
        self._send(0x00)
        self._writer.close()

    async def gone(self) -> None:
        await super().gone()
        assert self.ended

    def heard(self) -> Samples:
        return from_pcm(self._pcm, self.srate_hz)


class ChannelCaller(PacedCaller):
    """Asterisk with chan_websocket at 16 kHz. where: the endpoint's URL."""

    kind = "chan_websocket"
    srate_hz = 16000
    _START = (
        "MEDIA_START connection_id:c-1 channel:WebSocket/media/0x1 channel_id:1.1 format:slin16 "
        "optimal_frame_size:640 ptime:20"
    )

    async def call(self) -> None:
        client = await self.stack.enter_async_context(aiohttp.ClientSession())
        self._socket = await client.ws_connect(self.where, protocols=("media",))
        self.stack.push_async_callback(self._socket.close)
        self._ear = FarPhone(640, b"\0\0")
        self.commands: list[str] = []
        await self._socket.send_str(self._START)
        self.start()

    async def tick(self, frame: bytes) -> None:
        marks = self._ear.tick()
        with suppress(ConnectionError):
            for name in marks:
                await self._socket.send_str(f"MEDIA_MARK_PROCESSED {name}")
            await self._socket.send_bytes(frame)

    async def _listen(self) -> None:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                assert len(message.data) % 640 == 0
                self._ear.put(message.data)
                continue
            self.commands.append(message.data)
            match message.data.split():
                case ["GET_STATUS"]:
                    frames = self._ear.waiting_bytes // 640
                    await self._socket.send_str(f"STATUS channel_id:1.1 queue_length:{frames}")
                case ["MARK_MEDIA", name]:
                    self._ear.mark(name)
                case ["FLUSH_MEDIA"]:
                    self._ear.clear()
                case ["HANGUP"]:
                    await self._socket.close()
        self.over.set()

    async def press(self, digit: str) -> None:
        await self._socket.send_str(f"DTMF_END digit:{digit} channel_id:1.1")

    async def hang_up(self) -> None:
        await self._socket.close()

    async def gone(self) -> None:
        await super().gone()
        assert self.commands[-1] == "HANGUP"

    def heard(self) -> Samples:
        return from_pcm(self._ear.heard, self.srate_hz)


class WebCaller(Caller):
    """What the page does, by aiortc: an offer to /calls, opus, the data channel. where: the URL."""

    kind = "webrtc"
    keys = False
    _HZ = 48000

    async def __aenter__(self) -> Self:
        self.browser = Browser()
        self.stack.push_async_callback(self.browser.close)
        self._offer = await self.browser.offer()
        return self

    async def call(self) -> None:
        self._client = await self.stack.enter_async_context(aiohttp.ClientSession(self.where))
        offer = {"type": "offer", "sdp": self._offer}
        async with self._client.post("calls", json=offer) as reply:
            assert reply.status == 201, await reply.text()
            answer = await reply.json()
        self._key = answer["call"]
        await self.browser.accept(answer["sdp"])
        async with asyncio.timeout(10):
            await self.browser.connected.wait()
        task = asyncio.create_task(self._speak())
        self.stack.push_async_callback(asyncio.wait, [task])
        self.stack.callback(task.cancel)

    async def _speak(self) -> None:
        codec, pcm = Codec("opus", self._HZ), at_rate(self.track, self._HZ).tobytes()
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for tick in count():
            frame = pcm[tick * 1920 : (tick + 1) * 1920].ljust(1920, b"\0")
            with suppress(ConnectionError):
                await self.browser.send(rtp(96, tick, 960 * tick, codec.encode(frame)))
            await asyncio.sleep(max(0.0, begin + (tick + 1) * TICK_S - loop.time()))

    async def press(self, digit: str) -> None:
        raise NotImplementedError

    async def hang_up(self) -> None:
        async with self._client.delete(f"calls/{self._key}") as reply:
            assert reply.status == 204

    async def gone(self) -> None:
        await self.browser.wait_texts(lambda text: json.loads(text)["t"] == "ended", 20)

    def heard(self) -> Samples:
        """Every packet where its timestamp says."""
        codec = Codec("opus", self._HZ)
        packets = [p for p in self.browser.packets if p[1] & 0x7F == 96]
        stamps = [struct.unpack("!I", p[4:8])[0] for p in packets]
        out = np.zeros(stamps[-1] - stamps[0] + 960)
        for at, packet in sorted(zip(stamps, packets, strict=True)):
            pcm = np.frombuffer(codec.decode(packet[12:]), "<i2") / 32768.0
            out[at - stamps[0] :][:960] = pcm[:960]
        return np.asarray(resample_poly(out, TRACK_HZ, self._HZ))


CALLERS: dict[str, type[Caller]] = {
    each.kind: each
    for each in (
        *(SipCaller, TwilioCaller, TelnyxCaller, VonageCaller),
        *(AudioSocketCaller, ChannelCaller, WebCaller),
    )
}
