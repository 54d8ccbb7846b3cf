"""Callers by TCP on plain sockets: Twilio's media streams, and Asterisk's AudioSocket.

A caller sends a message of 20 ms every 20 ms; the callers are spread evenly over the 20 ms. It
reads when it sends, as a far end that mixes does: nobody is woken by what the measured side sends.
Marks come back when they are read.
"""

from __future__ import annotations

import base64
import json
import socket
import time
from typing import Final
from uuid import UUID

from mediacore._core import Codec
from mediacore.bench.links_far import SPARE_S, FarOrder, FarReport, Tell
from mediacore.bench.links_sip import HOST
from mediacore.bench.sound import FRAME, shipped_callers, without_gaps
from mediacore.units import TICK_MS, TICKS_PER_S

_MASK: Final = b"\x37\xfa\x21\x3d"
_STREAM: Final = "MZ18ad3ab5a668481ce02b83e7395059f0"
_UPGRADED: Final = b"\r\n\r\n"
_WARM_FRAMES: Final = 25  # until the leg is open and ahead of the far end
_AUDIO: Final = 0x10  # AudioSocket, 8000 Hz
_MARKS_TEXT: Final = b'"mark"'


class _Caller:
    """One connection. heard: messages of audio so far."""

    def __init__(self, port: int) -> None:
        self.heard = 0
        self._socket = socket.create_connection((HOST, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()

    def turn(self, message: bytes) -> None:
        """Read what is there, and send."""
        try:
            self._buffer += self._socket.recv(65_536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        else:
            self.take(self._buffer)
        self._socket.sendall(message)

    def take(self, buffer: bytearray) -> None:
        """Take whole messages away."""
        raise NotImplementedError


class _TwilioCaller(_Caller):
    """RFC 6455 client, no more of it than the server's side needs."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        lines = (
            "GET /twilio HTTP/1.1",
            f"Host: {HOST}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        )
        self._socket.sendall("\r\n".join((*lines, "", "")).encode())
        head = b""
        while not head.endswith(_UPGRADED):
            head += self._socket.recv(1)
        if b" 101 " not in head:
            raise RuntimeError(head.decode("latin-1"))
        self._start()

    def _start(self) -> None:
        start = {
            "accountSid": "AC0",
            "streamSid": _STREAM,
            "callSid": "CA0",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {},
        }
        self._say({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        self._say(
            {"event": "start", "sequenceNumber": "1", "start": start, "streamSid": _STREAM},
        )

    def take(self, buffer: bytearray) -> None:
        while (frame := _frame(buffer)) is not None:
            opcode, payload = frame
            if opcode == 9:  # ping
                self._socket.sendall(_masked(payload, opcode=10))
            elif payload.startswith(b'{"event":"media"'):
                self.heard += 1
            elif _MARKS_TEXT in payload:
                self._say(json.loads(payload))

    def _say(self, message: dict[str, object]) -> None:
        self._socket.sendall(_masked(json.dumps(message).encode()))


class _AudioSocketCaller(_Caller):
    """Asterisk: an id, then audio."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(port)
        self._socket.sendall(b"\x01\x00\x10" + UUID(int=number).bytes)

    def take(self, buffer: bytearray) -> None:
        while len(buffer) >= 3:
            size = 3 + int.from_bytes(buffer[1:3], "big")
            if len(buffer) < size:
                return
            self.heard += buffer[0] == _AUDIO
            del buffer[:size]


def _frame(buffer: bytearray) -> tuple[int, bytes] | None:
    """The next whole message of a server, taken out: not masked, not fragmented."""
    if len(buffer) < 4:
        return None
    size, at = buffer[1] & 0x7F, 2
    if size == 126:
        size, at = int.from_bytes(buffer[2:4], "big"), 4
    if len(buffer) < at + size:
        return None
    opcode, payload = buffer[0] & 0x0F, bytes(buffer[at : at + size])
    del buffer[: at + size]
    return opcode, payload


def _masked(data: bytes, *, opcode: int = 1) -> bytes:
    """One message of a client."""
    size = len(data)
    head = bytes([0x80 | opcode])
    head += bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    mask = int.from_bytes((_MASK * (size // 4 + 1))[:size], "big")
    return head + _MASK + (int.from_bytes(data, "big") ^ mask).to_bytes(size, "big")


def _twilio_message(frame: int, ulaw: bytes) -> bytes:
    media = {
        "track": "inbound",
        "chunk": str(frame + 1),
        "timestamp": str(frame * TICK_MS),
        "payload": base64.b64encode(ulaw).decode(),
    }
    message = {
        "event": "media",
        "sequenceNumber": str(frame + 2),
        "media": media,
        "streamSid": _STREAM,
    }
    return _masked(json.dumps(message, separators=(",", ":")).encode())


async def run(order: FarOrder, tell: Tell) -> None:
    """Call, talk, and count what comes. Blocks: there is nothing else on this loop."""
    pcm = without_gaps(shipped_callers())
    pieces = [pcm[at : at + 2 * FRAME] for at in range(0, len(pcm) - 2 * FRAME, 2 * FRAME)]
    frames = round((order.seconds + SPARE_S) * TICKS_PER_S)
    callers: list[_Caller]
    if order.kind == "websocket":
        codec = Codec("PCMU")
        coded = [codec.encode(piece) for piece in pieces]
        sound = [_twilio_message(n, coded[n % len(coded)]) for n in range(frames)]
        callers = [_TwilioCaller(order.ports[0]) for _ in range(order.calls)]
    else:
        head = bytes([_AUDIO]) + (2 * FRAME).to_bytes(2, "big")
        sound = [head + pieces[n % len(pieces)] for n in range(frames)]
        callers = [_AudioSocketCaller(order.ports[0], n) for n in range(order.calls)]
    _talk(order, callers, sound, tell)


def _talk(order: FarOrder, callers: list[_Caller], sound: list[bytes], tell: Tell) -> None:
    start, before, since = time.monotonic(), 0, 0.0
    last = round(order.seconds * TICKS_PER_S)
    for n, message in enumerate(sound):
        if n == _WARM_FRAMES:
            before, since = sum(caller.heard for caller in callers), time.monotonic()
        for i, caller in enumerate(callers):
            due = start + (n + i / len(callers)) * TICK_MS / 1000
            time.sleep(max(due - time.monotonic(), 0))
            try:
                caller.turn(message)
            except ConnectionError:  # the measured side has finished
                return
        if n == last:
            got, wall_s = sum(caller.heard for caller in callers) - before, time.monotonic() - since
            tell(FarReport(got / (order.calls * wall_s * TICKS_PER_S)))
