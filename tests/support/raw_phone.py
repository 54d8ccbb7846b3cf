"""A phone of two sockets and two threads, without manners unless it is told to have them.

    with RawPhone(("127.0.0.1", 5060), said) as phone:
        phone.call()
        ...
        phone.bye()

It shares no code with what it calls but µ-law. What it hears is put where its RTP timestamps say,
so that loss and reordering on the way are seen as what they are.
"""

from __future__ import annotations

import itertools
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from sip_probe import Message, read

from mediacore._core import Codec
from support.peers.speech import Samples

FRAME = 160
TICK_S = 0.02
T1_S, T2_S = 0.5, 4.0


@dataclass
class Manners:
    """acks: of 2xx. answers: requests of the other side. dropped: how many of its requests of a
    method are lost on the way here."""

    acks: bool = True
    answers: bool = True
    dropped: dict[str, int] = field(default_factory=dict)


class RawPhone:
    """One call at a time. service: where everything goes, whatever Contact says. media: where RTP
    goes instead of where the answer says (a relay), asked for once the answer is there."""

    def __init__(
        self,
        service: tuple[str, int],
        said: Samples | None = None,
        *,
        host: str = "127.0.0.1",
        user: str = "raw",
        manners: Manners | None = None,
        media: Callable[[tuple[str, int]], tuple[str, int]] = lambda address: address,
        seed: int = 1,
    ) -> None:
        self.service, self.host, self.user = service, host, user
        self.manners = manners or Manners()
        self.rng = random.Random(seed)
        self.came: list[Message] = []
        self.packets: list[bytes] = []
        self.rtp_to: tuple[str, int] = (host, 9)
        self.sending = threading.Event()
        self.sip = _socket(host)
        self.rtp, self.rtcp = _pair(host)
        self._media = media
        self._payloads = _encoded(said)
        self._more = threading.Condition()
        self._stop = threading.Event()
        self._numbers = itertools.count(1)
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._threads.append(threading.Thread(target=self._talk, daemon=True))
        self._invite: dict[str, str] = {}
        self._to = ""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        for each in (self.sip, self.rtp, self.rtcp):
            each.close()

    # -- signalling

    def call(self, timeout_s: float = 20.0) -> int:
        """INVITE, repeated until it is answered. Returns the final status."""
        token = f"{self.rng.getrandbits(64):016x}"
        self._invite = {"id": f"{token}@{self.host}", "branch": f"z9hG4bK{token}", "tag": token}
        self._to = f"<sip:service@{self.service[0]}>"
        number = next(self._numbers)
        text = self._request("INVITE", number, self._invite["branch"], self.sdp())
        final = self.ask(text, number, "INVITE", timeout_s)
        if final.status >= 300:
            self._to = final.get("to")
            self.send(self._request("ACK", number, self._invite["branch"]))
        return final.status

    def bye(self, timeout_s: float = 20.0) -> int:
        """Hang up; the status of the answer."""
        self.sending.clear()
        number = next(self._numbers)
        text = self._request("BYE", number, self.branch())
        return self.ask(text, number, "BYE", timeout_s).status

    def ask(self, text: str, number: int, method: str, timeout_s: float) -> Message:
        """Send a request, and again until its final response is there."""
        end_s, wait_s = time.monotonic() + timeout_s, T1_S
        cseq = (number, method)
        while time.monotonic() < end_s:
            self.send(text)
            found = self.find(lambda m: m.status >= 200 and m.cseq == cseq, wait_s)
            if found is not None:
                return found
            wait_s = min(2 * wait_s, T2_S)
            early = self.find(lambda m: m.status >= 100 and m.cseq == cseq, 0)
            if method == "INVITE" and early is not None:
                wait_s = max(end_s - time.monotonic(), 0)  # RFC 3261 §17.1.1.2: it waits
                found = self.find(lambda m: m.status >= 200 and m.cseq == cseq, wait_s)
                if found is not None:
                    return found
        raise AssertionError(f"no answer to {method}; came: {[m.start for m in self.came]}")

    def find(self, fits: Callable[[Message], bool], wait_s: float) -> Message | None:
        """The first message that came, or comes in time, and fits."""
        end_s = time.monotonic() + wait_s
        with self._more:
            while True:
                found = next((m for m in self.came if fits(m)), None)
                left_s = end_s - time.monotonic()
                if found is not None or left_s <= 0:
                    return found
                self._more.wait(left_s)

    def expect(self, method: str, wait_s: float = 10.0) -> Message:
        """A request of the other side."""
        found = self.find(lambda m: m.method == method, wait_s)
        assert found is not None, f"no {method}; came: {[m.start for m in self.came]}"
        return found

    def branch(self) -> str:
        return f"z9hG4bK{self.rng.getrandbits(64):016x}"

    def sdp(self) -> str:
        port = self.rtp.getsockname()[1]
        return (
            f"v=0\r\no=raw 1 1 IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )

    def send(self, text: str) -> None:
        self.sip.sendto(text.encode(), self.service)

    def _request(self, method: str, number: int, branch: str, body: str = "") -> str:
        me = "{}:{}".format(*self.sip.getsockname())
        kind = "Content-Type: application/sdp\r\n" if body else ""
        return (
            f"{method} sip:service@{self.service[0]}:{self.service[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {me};rport;branch={branch}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{self.user}@{self.host}>;tag={self._invite['tag']}\r\nTo: {self._to}\r\n"
            f"Call-ID: {self._invite['id']}\r\nCSeq: {number} {method}\r\n"
            f"Contact: <sip:{self.user}@{me}>\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def _listen(self) -> None:
        self.sip.settimeout(0.1)
        while not self._stop.is_set():
            try:
                data, source = self.sip.recvfrom(65_535)
            except TimeoutError:
                continue
            except OSError:
                return
            message = read(data)
            if message is None or self._lost(message):
                continue
            if message.method:
                self._serve(message, source)
            elif message.status // 100 == 2 and message.cseq[1] == "INVITE":
                self._answered(message)
            with self._more:
                self.came.append(message)
                self._more.notify_all()

    def _lost(self, message: Message) -> bool:
        left = self.manners.dropped.get(message.method, 0)
        self.manners.dropped[message.method] = max(left - 1, 0)
        return left > 0

    def _serve(self, message: Message, source: tuple[str, int]) -> None:
        if not self.manners.answers or message.method == "ACK":
            return
        lines = ["SIP/2.0 200 OK", *(f"Via: {via}" for via in message.all("via"))]
        lines += [f"{n}: {message.get(n.lower())}" for n in ("From", "To", "Call-ID", "CSeq")]
        self.sip.sendto("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode(), source)
        if message.method == "BYE":
            self.sending.clear()

    def _answered(self, message: Message) -> None:
        """A 2xx, perhaps once more."""
        first = not self.sending.is_set() and ";tag=" not in self._to
        self._to = message.get("to")
        if first:
            lines = message.body.split("\r\n")
            host = next(line.split()[-1] for line in lines if line.startswith("c="))
            port = next(int(line.split()[1]) for line in lines if line.startswith("m=audio"))
            self.rtp_to = self._media((host, port))
            self.sending.set()
        if self.manners.acks:
            self.send(self._request("ACK", message.cseq[0], self.branch()))

    # -- media

    def _talk(self) -> None:
        """A packet every 20 ms while it may, what came in between."""
        self.rtp.setblocking(False)
        due_s = time.monotonic()
        for number in itertools.count():
            if self._stop.is_set():
                return
            if self.sending.is_set():
                payload = self._payloads[number % len(self._payloads)]
                header = struct.pack(">BBHII", 0x80, 0, number & 0xFFFF, number * FRAME, 0x5EED)
                _send(self.rtp, header + payload, self.rtp_to)
            self.packets += _received(self.rtp)
            due_s += TICK_S
            time.sleep(max(due_s - time.monotonic(), 0))

    def heard(self) -> Samples:
        """What came, each packet at its time; what did not come is silence."""
        codec = Codec("PCMU")
        good = [p for p in self.packets if len(p) > 12 and p[0] == 0x80 and p[1] & 0x7F == 0]
        if not good:
            return np.zeros(0)
        first = struct.unpack_from(">I", good[0], 4)[0]
        placed = [(struct.unpack_from(">I", p, 4)[0] - first, p[12:]) for p in good]
        lowest = min(at for at, _ in placed)
        out = np.zeros(max(at for at, _ in placed) - lowest + FRAME)
        for at, payload in placed:
            pcm = np.frombuffer(codec.decode(payload), "<i2") / 32768.0
            room = out[at - lowest : at - lowest + len(pcm)]
            room[:] = pcm[: len(room)]
        return out


def _encoded(said: Samples | None) -> list[bytes]:
    codec = Codec("PCMU")
    pcm = (np.zeros(FRAME) if said is None else said) * 32767
    frames = np.resize(pcm, -(-len(pcm) // FRAME) * FRAME).astype("<i2").reshape(-1, FRAME)
    return [codec.encode(frame.tobytes()) for frame in frames]


def _socket(host: str, port: int = 0) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def _pair(host: str) -> tuple[socket.socket, socket.socket]:
    """RTP on an even port, RTCP on the next one."""
    while True:
        first = _socket(host)
        port = first.getsockname()[1]
        if port % 2 == 0:
            try:
                return first, _socket(host, port + 1)
            except OSError:
                pass
        first.close()


def _send(sock: socket.socket, data: bytes, to: tuple[str, int]) -> None:
    try:
        sock.sendto(data, to)
    except (BlockingIOError, ConnectionRefusedError):
        return  # nobody is there any more


def _received(sock: socket.socket) -> list[bytes]:
    out = []
    while True:
        try:
            out.append(sock.recv(2048))
        except BlockingIOError:
            return out
        except ConnectionRefusedError:
            continue


def garbage(rng: random.Random, frames: Iterator[bytes]) -> Iterator[bytes]:
    """RTP, RTCP, STUN and DTLS, whole, mutilated and made up, without end."""
    for frame in frames:
        yield frame
        cut = bytearray(frame)
        for _ in range(rng.randint(1, 6)):
            cut[rng.randrange(len(cut))] = rng.randrange(256)
        yield bytes(cut[: rng.randint(0, len(cut))])
        yield rng.randbytes(rng.randint(0, 1400))


def media_lookalikes(rng: random.Random) -> Iterator[bytes]:
    """Well-formed packets that mean nothing to this call."""
    while True:
        ssrc, seq, ts = rng.getrandbits(32), rng.getrandbits(16), rng.getrandbits(32)
        yield struct.pack(">BBHII", 0x80, 0, seq, ts, ssrc) + rng.randbytes(160)
        yield struct.pack(">BBHIIB", 0x90, 0, seq, ts, ssrc, 255) + rng.randbytes(40)
        yield struct.pack(">BBHII", 0xBF, 101, seq, ts, ssrc) + rng.randbytes(64)
        yield struct.pack(">BBHII", 0x80, 101, seq, ts, ssrc) + bytes([5, 0x8A, 0, 160])
        yield struct.pack(">BBHI", 0x81, 200, 12, ssrc) + rng.randbytes(44)
        yield struct.pack(">BBHI", 0x81, 201, 7, ssrc) + rng.randbytes(24)
        yield struct.pack(">BBHI", 0x81, 203, 1, ssrc)
        stun = struct.pack(">HHI", 1, 8, 0x2112A442) + rng.randbytes(12)
        yield stun + struct.pack(">HHI", 6, 4, ssrc)
        hello = rng.randbytes(90)
        yield struct.pack(">BHHHIH", 22, 0xFEFD, 0, 0, seq, len(hello)) + hello
