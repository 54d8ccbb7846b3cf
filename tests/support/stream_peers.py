"""The far side of every media stream dialect: a WebSocket client with a telephone behind it.

The telephone plays 20 ms per 20 ms from what it was sent, returns marks when it has played them,
drops everything on command, and knows exactly what was heard. Each shape checks that only what
its provider takes is sent to it; the rest lands in `violations`. Works in virtual and real time.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

TICK_S = 0.02
SILENT_ULAW = b"\xff"


class FarPhone:
    """What the caller's ear gets: `heard` holds every tick, silence included."""

    def __init__(self, frame_bytes: int, silence: bytes) -> None:
        self.frame_bytes = frame_bytes
        self.silence = silence
        self.queue: deque[bytes | str] = deque()
        self.heard = bytearray()
        self.cleared_bytes = 0
        self.gaps = 0  # ticks without audio between two with audio
        self._dry = 0
        self._playing = False

    def put(self, audio: bytes) -> None:
        self.queue.append(audio)

    def mark(self, name: str) -> None:
        self.queue.append(name)

    @property
    def waiting_bytes(self) -> int:
        return sum(len(each) for each in self.queue if isinstance(each, bytes))

    def clear(self) -> list[str]:
        """Drop everything; the marks that were among it."""
        names = [each for each in self.queue if isinstance(each, str)]
        self.cleared_bytes += self.waiting_bytes
        self.queue.clear()
        self._playing = False
        self._dry = 0
        return names

    def tick(self) -> list[str]:
        """Play 20 ms. Returns the marks that were reached."""
        frame = bytearray()
        reached: list[str] = []
        while self.queue and (isinstance(self.queue[0], str) or len(frame) < self.frame_bytes):
            item = self.queue.popleft()
            if isinstance(item, str):
                reached.append(item)
                continue
            missing = self.frame_bytes - len(frame)
            frame += item[:missing]
            if len(item) > missing:
                self.queue.appendleft(item[missing:])
                break
        if frame:
            self.gaps += self._dry if self._playing else 0
            self._dry = 0
            self._playing = True
        else:
            self._dry += 1
        frame += self.silence * ((self.frame_bytes - len(frame)) // len(self.silence))
        self.heard += frame
        return reached


@dataclass
class Heard:
    """A message of the server, taken apart."""

    audio: bytes = b""
    mark: str | None = None
    clear: bool = False
    bye: bool = False
    opened: bool = False
    wrong: str = ""


@dataclass
class Shape:
    """A provider. ready: audio may be sent at once."""

    kind: str
    codec: str = "PCMU"
    rate: int = 8000
    number: int = 0
    ready: bool = True
    subprotocols: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def frame_bytes(self) -> int:
        return self.rate // 50 * (1 if self.codec == "PCMU" else 2)

    @property
    def silence(self) -> bytes:
        return SILENT_ULAW if self.codec == "PCMU" else b"\0\0"

    def next(self) -> int:
        self.number += 1
        return self.number

    def hello(self) -> list[str]:
        raise NotImplementedError

    def media(self, chunk: int, audio: bytes) -> str | bytes:
        raise NotImplementedError

    def take(self, message: str | bytes) -> Heard:
        raise NotImplementedError

    def echo(self, name: str) -> str | None:
        return None

    def cleared(self, names: list[str]) -> list[str]:
        """What is sent after a clear."""
        return []

    def digit(self, digit: str) -> str | None:
        return None

    def stop(self) -> list[str]:
        return []


class TwilioShape(Shape):
    snake = False
    sid = "streamSid"
    sid_goes_out = True

    def name(self, camel: str, snake: str) -> str:
        return snake if self.snake else camel

    def event(self, kind: str, **more: object) -> str:
        number = {self.name("sequenceNumber", "sequence_number"): str(self.next())}
        return json.dumps({"event": kind, **number, self.sid: "MZ1", **more})

    def start(self) -> dict[str, Any]:
        encoding = {"PCMU": "audio/x-mulaw", "L16LE": f"L16@{self.rate}h"}[self.codec]
        return {
            "accountSid": "AC1",
            "streamSid": "MZ1",
            "callSid": "CA1",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": encoding, "sampleRate": self.rate, "channels": 1},
            "customParameters": {"from": "+15550100", "to": "+15550199", "tier": "gold"},
        }

    def hello(self) -> list[str]:
        connected = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        return [json.dumps(connected), self.event("start", start=self.start())]

    def media(self, chunk: int, audio: bytes) -> str:
        payload = base64.b64encode(audio).decode()
        timestamp = str(chunk * 20)
        media = {"track": "inbound", "chunk": str(chunk), "timestamp": timestamp}
        return self.event("media", media={**media, "payload": payload})

    def take(self, message: str | bytes) -> Heard:
        if isinstance(message, bytes):
            return Heard(wrong="binary")
        given = json.loads(message)
        if self.sid_goes_out and given.get(self.sid) != "MZ1":
            return Heard(wrong="stream id")
        match given.get("event"):
            case "media" if set(given["media"]) == {"payload"}:
                return Heard(audio=base64.b64decode(given["media"]["payload"], validate=True))
            case "mark":
                return Heard(mark=given["mark"]["name"])
            case "clear":
                return Heard(clear=True)
        return Heard(wrong=message)

    def echo(self, name: str) -> str:
        return self.event("mark", mark={"name": name})

    def cleared(self, names: list[str]) -> list[str]:
        return [self.echo(name) for name in names]

    def digit(self, digit: str) -> str:
        return self.event("dtmf", dtmf={"track": "inbound_track", "digit": digit})

    def stop(self) -> list[str]:
        return [self.event("stop", stop={"accountSid": "AC1", "callSid": "CA1"})]


class TelnyxShape(TwilioShape):
    snake = True
    sid = "stream_id"
    sid_goes_out = False

    def start(self) -> dict[str, Any]:
        encoding = {"PCMU": "PCMU", "L16LE": "L16"}[self.codec]
        return {
            "user_id": "U1",
            "call_control_id": "CA1",
            "call_session_id": "S1",
            "from": "+15550100",
            "to": "+15550199",
            "custom_parameters": {"tier": "gold"},
            "media_format": {"encoding": encoding, "sample_rate": self.rate, "channels": 1},
        }


class ExotelShape(TwilioShape):
    snake = True
    sid = "stream_sid"

    def start(self) -> dict[str, Any]:
        return {
            "stream_sid": "MZ1",
            "call_sid": "CA1",
            "account_sid": "AC1",
            "from": "+15550100",
            "to": "+15550199",
            "custom_parameters": {"tier": "gold"},
            "media_format": {"encoding": "audio/x-raw", "sample_rate": str(self.rate)},
        }

    def take(self, message: str | bytes) -> Heard:
        heard = super().take(message)
        if heard.audio and (len(heard.audio) < 3200 or len(heard.audio) % 320):
            heard.wrong = f"block of {len(heard.audio)}"
        return heard


class PlivoShape(Shape):
    def event(self, kind: str, **more: object) -> str:
        return json.dumps({"event": kind, "sequenceNumber": self.next(), "streamId": "MZ1", **more})

    def hello(self) -> list[str]:
        encoding = {"PCMU": "audio/x-mulaw", "L16LE": "audio/x-l16"}[self.codec]
        start = {
            "callId": "CA1",
            "streamId": "MZ1",
            "accountId": "MA1",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": encoding, "sampleRate": self.rate},
        }
        headers = "from=+15550100;to=+15550199;tier=gold"
        return [self.event("start", start=start, extra_headers=headers)]

    def media(self, chunk: int, audio: bytes) -> str:
        payload = base64.b64encode(audio).decode()
        stamp = str(1705312200000 + chunk * 20)
        media = {"track": "inbound", "timestamp": stamp, "chunk": chunk, "payload": payload}
        return self.event("media", media=media)

    def take(self, message: str | bytes) -> Heard:
        if isinstance(message, bytes):
            return Heard(wrong="binary")
        given = json.loads(message)
        match given.get("event"):
            case "playAudio":
                media = given["media"]
                right = {"PCMU": "audio/x-mulaw", "L16LE": "audio/x-l16"}[self.codec]
                if (media["contentType"], media["sampleRate"]) != (right, self.rate):
                    return Heard(wrong=message)
                return Heard(audio=base64.b64decode(media["payload"], validate=True))
            case "checkpoint" if given["streamId"] == "MZ1":
                return Heard(mark=given["name"])
            case "clearAudio" if given["streamId"] == "MZ1":
                return Heard(clear=True)
        return Heard(wrong=message)

    def echo(self, name: str) -> str:
        return json.dumps({"event": "playedStream", "streamId": "MZ1", "name": name})

    def cleared(self, names: list[str]) -> list[str]:
        return [json.dumps({"event": "clearedAudio", "streamId": "MZ1"})]

    def digit(self, digit: str) -> str:
        return self.event("dtmf", dtmf={"track": "inbound", "digit": digit})


class VonageShape(Shape):
    def hello(self) -> list[str]:
        hello = {
            "event": "websocket:connected",
            "content-type": f"audio/l16;rate={self.rate}",
            "uuid": "CA1",
            "from": "+15550100",
            "to": "+15550199",
            "tier": "gold",
        }
        return [json.dumps(hello)]

    def media(self, chunk: int, audio: bytes) -> bytes:
        return audio

    def take(self, message: str | bytes) -> Heard:
        if isinstance(message, bytes):
            wrong = "" if len(message) == self.frame_bytes else f"frame of {len(message)}"
            return Heard(audio=message, wrong=wrong)
        given = json.loads(message)
        match given.get("action"):
            case "clear":
                return Heard(clear=True)
            case "notify":
                return Heard(mark=given["payload"]["mark"])
        return Heard(wrong=message)

    def echo(self, name: str) -> str:
        return json.dumps({"event": "websocket:notify", "payload": {"mark": name}})

    def cleared(self, names: list[str]) -> list[str]:
        return [json.dumps({"event": "websocket:cleared"})]

    def digit(self, digit: str) -> str:
        return json.dumps({"event": "websocket:dtmf", "digit": digit, "duration": 260})


class GenesysShape(Shape):
    def message(self, kind: str, **parameters: object) -> str:
        return json.dumps(
            {
                "version": "2",
                "type": kind,
                "seq": self.next(),
                "serverseq": self.server_seq,
                "id": "MZ1",
                "position": "PT0S",
                "parameters": parameters,
            }
        )

    server_seq = 0

    def hello(self) -> list[str]:
        media = {"type": "audio", "format": "PCMU", "rate": 8000}
        return [
            self.message(
                "open",
                organizationId="AC1",
                conversationId="CA1",
                participant={"ani": "+15550100", "dnis": "+15550199", "aniName": ""},
                media=[
                    {**media, "channels": ["external", "internal"]},
                    {**media, "channels": ["external"]},
                ],
                inputVariables={"tier": "gold"},
            )
        ]

    def media(self, chunk: int, audio: bytes) -> bytes:
        return audio

    def take(self, message: str | bytes) -> Heard:
        if isinstance(message, bytes):
            return Heard(audio=message)
        given = json.loads(message)
        if given["seq"] != self.server_seq + 1 or given["clientseq"] > self.number:
            return Heard(wrong=message)
        self.server_seq = given["seq"]
        match given["type"]:
            case "opened":
                self.ready = True
                return Heard(opened=True)
            case "event":
                kinds = {each["type"] for each in given["parameters"]["entities"]}
                return Heard(clear="barge_in" in kinds)
            case "disconnect":
                return Heard(bye=True)
            case "pong" | "closed":
                return Heard()
        return Heard(wrong=message)

    def digit(self, digit: str) -> str:
        return self.message("dtmf", digit=digit)

    def stop(self) -> list[str]:
        return [self.message("close", reason="end")]


class ForkShape(Shape):
    marks = False

    def hello(self) -> list[str]:
        meta = {
            "callSid": "CA1",
            "from": "+15550100",
            "to": "+15550199",
            "tier": "gold",
            "sampleRate": self.rate,
            "mixType": "mono",
        }
        return [json.dumps(meta)]

    def media(self, chunk: int, audio: bytes) -> bytes:
        return audio

    def take(self, message: str | bytes) -> Heard:
        if isinstance(message, bytes):
            return Heard(audio=message)
        given = json.loads(message)
        match given.get("type"):
            case "killAudio" if self.kind != "audio_stream":
                return Heard(clear=True)
            case "mark" if self.kind == "jambonz":
                return Heard(mark=given["data"]["name"])
            case "disconnect" if self.kind != "audio_stream":
                return Heard(bye=True)
        return Heard(wrong=message)

    def echo(self, name: str) -> str:
        return json.dumps({"type": "mark", "data": {"name": name, "event": "playout"}})

    def cleared(self, names: list[str]) -> list[str]:
        gone = [{"type": "mark", "data": {"name": name, "event": "cleared"}} for name in names]
        return [json.dumps(each) for each in gone]

    def digit(self, digit: str) -> str | None:
        if self.kind != "jambonz":
            return None
        return json.dumps({"event": "dtmf", "dtmf": digit, "duration": 2000})


SHAPES: dict[str, Callable[[], Shape]] = {
    "twilio": lambda: TwilioShape("twilio"),
    "telnyx": lambda: TelnyxShape("telnyx"),
    "telnyx-l16": lambda: TelnyxShape("telnyx", "L16LE", 16000),
    "plivo": lambda: PlivoShape("plivo"),
    "plivo-l16": lambda: PlivoShape("plivo", "L16LE", 16000),
    "vonage": lambda: VonageShape("vonage", "L16LE", 16000),
    "signalwire": lambda: TwilioShape("signalwire"),
    "signalwire-l16": lambda: TwilioShape("signalwire", "L16LE", 24000),
    "exotel": lambda: ExotelShape("exotel", "L16LE", 8000),
    "exotel-16k": lambda: ExotelShape("exotel", "L16LE", 16000, options={"srate_hz": 16000}),
    "genesys": lambda: GenesysShape("genesys", ready=False),
    "jambonz": lambda: ForkShape("jambonz", "L16LE", 16000, subprotocols=("audio.jambonz.org",)),
    "audio_fork": lambda: ForkShape(
        "audio_fork", "L16LE", 8000, subprotocols=("audio.drachtio.org",)
    ),
    "audio_stream": lambda: ForkShape("audio_stream", "L16LE", 16000),
}


class StreamPeer:
    """One call of a provider. mic: what the caller says, in the stream's encoding; then silence.

    delay_ms: of the network, each way. `async with` it; the call runs until then or until the
    server closes.
    """

    def __init__(
        self,
        shape: Shape,
        url: str,
        *,
        mic: bytes = b"",
        delay_ms: int = 0,
        headers: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.shape = shape
        self.phone = FarPhone(shape.frame_bytes, shape.silence)
        self.violations: list[str] = []
        self.marks: list[str] = []
        self.clears = 0
        self.cleared_at: int | None = None  # bytes heard when the first clear came
        self.close_code: int | None = None
        self.protocol: str | None = None
        self.closed = asyncio.Event()
        self.reorder: Callable[[int, str | bytes], list[str | bytes]] = lambda _, each: [each]
        self._url = url
        self._mic = mic
        self._delay_s = delay_ms / 1000
        self._headers = headers or {}
        self._tls = tls
        self._chunk = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> StreamPeer:
        self._client = aiohttp.ClientSession()
        try:
            self._ws = await self._client.ws_connect(
                self._url,
                protocols=self.shape.subprotocols,
                headers=self._headers,
                autoping=False,
                ssl=self._tls or True,
            )
        except BaseException:
            await self._client.close()
            raise
        self.protocol = self._ws.protocol
        for text in self.shape.hello():
            await self._ws.send_str(text)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._tick())]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._ws.close()
        await self._client.close()

    async def send(self, message: str | bytes) -> None:
        with contextlib.suppress(ConnectionError):
            if isinstance(message, bytes):
                await self._ws.send_bytes(message)
            else:
                await self._ws.send_str(message)

    async def digit(self, digit: str) -> None:
        text = self.shape.digit(digit)
        assert text is not None
        await self.send(text)

    async def hang_up(self) -> None:
        """As the provider does when the caller hangs up."""
        for text in self.shape.stop():
            await self.send(text)
        if not isinstance(self.shape, GenesysShape):
            await self._ws.close()

    async def drop(self) -> None:
        """The connection is gone without a word."""
        assert self._ws._conn is not None
        transport = self._ws._conn.transport
        assert transport is not None
        transport.abort()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time()
        size = self.shape.frame_bytes
        while not self.closed.is_set():
            for name in self.phone.tick():
                text = self.shape.echo(name)
                if text is not None:
                    self._later(text)
            if self.shape.ready:
                frame, self._mic = self._mic[:size], self._mic[size:]
                missing = (size - len(frame)) // len(self.shape.silence)
                self._chunk += 1
                message = self.shape.media(self._chunk, frame + self.shape.silence * missing)
                for each in self.reorder(self._chunk, message):
                    await self.send(each)
            at += TICK_S
            await asyncio.sleep(max(0.0, at - loop.time()))

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        async for message in self._ws:
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                if self._delay_s:
                    loop.call_later(self._delay_s, self._take, message.data)
                else:
                    self._take(message.data)
            elif message.type is aiohttp.WSMsgType.PING:
                loop.call_later(2 * self._delay_s, self._pong, message.data)
        self.close_code = self._ws.close_code
        self.closed.set()

    def _take(self, message: str | bytes) -> None:
        heard = self.shape.take(message)
        if heard.wrong:
            self.violations.append(heard.wrong)
        if heard.audio:
            self.phone.put(heard.audio)
        if heard.mark is not None:
            self.marks.append(heard.mark)
            self.phone.mark(heard.mark)
        if heard.clear:
            self.clears += 1
            if self.cleared_at is None:
                self.cleared_at = len(self.phone.heard)
            for text in self.shape.cleared(self.phone.clear()):
                self._later(text)
        if heard.bye and isinstance(self.shape, GenesysShape):
            self._later(self.shape.message("close", reason="end"))

    def _later(self, text: str) -> None:
        asyncio.get_running_loop().call_later(self._delay_s, self._send_soon, text)

    def _send_soon(self, text: str) -> None:
        task = asyncio.ensure_future(self.send(text))
        self._tasks.append(task)

    def _pong(self, data: bytes) -> None:
        if not self._ws.closed:
            self._tasks.append(asyncio.ensure_future(self._ws.pong(data)))
