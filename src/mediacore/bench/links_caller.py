"""SIP callers and callees on a plain UDP socket, in a process of its own: text and no media.

Reads one line of JSON from stdin, `CallerOrder`. A caller writes `CallerReport` when all calls are
over; a callee writes its port and answers until it is ended. Its CPU is not counted.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from dataclasses import asdict, dataclass
from typing import Final

from mediacore.bench.figures import percentile
from mediacore.bench.links_sip import HOST

_RESEND_S: Final = 0.5  # T1
_GIVE_UP_S: Final = 8.0
_BUFFER: Final = 4 << 20
_CALL_ID: Final = re.compile(rb"\r\nCall-ID: *([^\r]+)", re.IGNORECASE)
_TO: Final = re.compile(rb"\r\nTo: *([^\r]+)", re.IGNORECASE)
_CONTACT: Final = re.compile(rb"\r\nContact: *<([^>]+)>", re.IGNORECASE)
_COPIED: Final = re.compile(rb"\r\n((?:Via|From|Call-ID|CSeq):[^\r]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CallerOrder:
    """port: whom to call, 0 = be called. calls: how many in all. per_s: begun each second, 0 = as
    fast as they end. at_once: at most so many. hangs_up: the caller says BYE, else it waits."""

    port: int = 0
    calls: int = 0
    per_s: float = 0.0
    at_once: int = 1
    hangs_up: bool = True


@dataclass(frozen=True, slots=True)
class CallerReport:
    """good: calls that were answered and ended as they should. resent: requests sent again.
    answer_*_ms: from INVITE to 200."""

    good: int
    failed: int
    resent: int
    answer_p50_ms: float
    answer_p95_ms: float


@dataclass(slots=True)
class _Call:
    """request: what is not answered yet, sent again when due."""

    number: int
    began: float
    request: bytes
    due: float
    to: bytes = b""
    target: bytes = b""


class _Socket:
    """UDP on loopback, and a second one where media goes that nobody reads."""

    def __init__(self) -> None:
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self.udp.bind((HOST, 0))
        self.port = self.udp.getsockname()[1]
        self._media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._media.bind((HOST, 0))
        rtp = self._media.getsockname()[1]
        lines = (
            "v=0",
            f"o=- 1 1 IN IP4 {HOST}",
            "s=-",
            f"c=IN IP4 {HOST}",
            "t=0 0",
            f"m=audio {rtp} RTP/AVP 0 8 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-16",
            "a=ptime:20",
            "a=sendrecv",
            "",
        )
        self.sdp = "\r\n".join(lines).encode()

    def receive(self, wait_s: float) -> tuple[bytes, tuple[str, int]] | None:
        """The next datagram."""
        self.udp.settimeout(max(wait_s, 0.0001))
        try:
            data, source = self.udp.recvfrom(65_535)
        except TimeoutError:
            return None
        return data, source


class _Caller:
    """Makes the calls of an order."""

    def __init__(self, order: CallerOrder) -> None:
        self._order = order
        self._socket = _Socket()
        self._calls: dict[bytes, _Call] = {}
        self._answered: list[float] = []
        self._begun = self._good = self._failed = self._resent = 0

    def run(self) -> CallerReport:
        """Until all calls are over."""
        order, start = self._order, time.monotonic()
        while self._good + self._failed < order.calls:
            now = time.monotonic()
            while self._begun < order.calls and len(self._calls) < order.at_once:
                if order.per_s and now < start + self._begun / order.per_s:
                    break
                self._begin(now)
            wait_s = start + self._begun / order.per_s - now if order.per_s else _RESEND_S
            got = self._socket.receive(min(wait_s, _RESEND_S / 4))
            if got is not None:
                self._take(got[0])
            self._resend(time.monotonic())
        return CallerReport(
            self._good,
            self._failed,
            self._resent,
            1000 * percentile(self._answered, 50),
            1000 * percentile(self._answered, 95),
        )

    def _begin(self, now: float) -> None:
        self._begun += 1
        call = _Call(self._begun, now, b"", now + _RESEND_S)
        target = f"sip:agent@{HOST}:{self._order.port}".encode()
        call.to = b"<" + target + b">"
        call.request = self._request(call, b"INVITE", 1, target, self._socket.sdp)
        self._calls[b"%d@bench" % call.number] = call
        self._send(call.request)

    def _request(
        self, call: _Call, method: bytes, cseq: int, target: bytes, body: bytes = b""
    ) -> bytes:
        us = f"{HOST}:{self._socket.port}".encode()
        branch = b"z9hG4bK-%d-%s" % (call.number, method)
        lines = [
            b"%s %s SIP/2.0" % (method, target),
            b"Via: SIP/2.0/UDP %s;branch=%s;rport" % (us, branch),
            b"Max-Forwards: 70",
            b"From: <sip:caller@%s>;tag=c%d" % (us, call.number),
            b"To: " + call.to,
            b"Call-ID: %d@bench" % call.number,
            b"CSeq: %d %s" % (cseq, method),
            b"Contact: <sip:caller@%s>" % us,
            b"User-Agent: bench",
        ]
        if body:
            lines += [
                b"Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, INFO, UPDATE, NOTIFY",
                b"Supported: replaces",
                b"Content-Type: application/sdp",
            ]
        lines += [b"Content-Length: %d" % len(body), b"", body]
        return b"\r\n".join(lines)

    def _send(self, data: bytes) -> None:
        self._socket.udp.sendto(data, (HOST, self._order.port))

    def _take(self, data: bytes) -> None:
        key = _CALL_ID.search(data)
        call = self._calls.get(key[1]) if key is not None else None
        first = data[: data.index(b"\r\n")]
        if data.startswith(b"BYE "):
            self._send(_response(data, b"200 OK"))
            if call is not None:
                self._end(call, good=not self._order.hangs_up)
            return
        if call is None or not data.startswith(b"SIP/2.0 "):
            return
        status, invite = int(first[8:11]), b" INVITE\r\n" in data
        if status < 200:
            return
        if status >= 300:
            self._send(self._request(call, b"ACK", 1, call.target))
            self._end(call, good=False)
        elif invite:
            self._connected(call, data)
        else:
            self._end(call, good=True)

    def _connected(self, call: _Call, data: bytes) -> None:
        again = bool(call.target)
        if not again:
            to, contact = _TO.search(data), _CONTACT.search(data)
            assert to is not None and contact is not None
            call.to, call.target = to[1], contact[1]
            self._answered.append(time.monotonic() - call.began)
        self._send(self._request(call, b"ACK", 1, call.target))
        call.request = b""
        if self._order.hangs_up and not again:
            call.request = self._request(call, b"BYE", 2, call.target)
            call.due = time.monotonic() + _RESEND_S
            self._send(call.request)

    def _end(self, call: _Call, *, good: bool) -> None:
        del self._calls[b"%d@bench" % call.number]
        self._good += good
        self._failed += not good

    def _resend(self, now: float) -> None:
        for call in list(self._calls.values()):
            if now - call.began > _GIVE_UP_S:
                self._end(call, good=False)
            elif call.request and now >= call.due:
                call.due = now + _RESEND_S
                self._resent += 1
                self._send(call.request)


def _answer_calls(sock: _Socket) -> None:
    """Ring and answer every call, and take its end."""
    contact = f"Contact: <sip:far@{HOST}:{sock.port}>".encode()
    sdp = (contact, b"Content-Type: application/sdp")
    while True:
        got = sock.receive(_GIVE_UP_S)
        if got is None:
            continue
        data, source = got
        if data.startswith(b"INVITE "):
            sock.udp.sendto(_response(data, b"180 Ringing", (contact,)), source)
            sock.udp.sendto(_response(data, b"200 OK", sdp, sock.sdp), source)
        elif not data.startswith((b"ACK ", b"SIP/")):
            sock.udp.sendto(_response(data, b"200 OK"), source)


def _response(
    request: bytes, status: bytes, headers: tuple[bytes, ...] = (), body: bytes = b""
) -> bytes:
    to = _TO.search(request)
    assert to is not None
    tagged = to[1] if b";tag=" in to[1] else to[1] + b";tag=far"
    lines = [b"SIP/2.0 " + status, *_COPIED.findall(request), b"To: " + tagged, *headers]
    lines += [b"Content-Length: %d" % len(body), b"", body]
    return b"\r\n".join(lines)


def main() -> None:
    """Serve one order."""
    order = CallerOrder(**json.loads(sys.stdin.readline()))
    if order.port:
        print(json.dumps(asdict(_Caller(order).run())), flush=True)
        return
    sock = _Socket()
    print(sock.port, flush=True)
    _answer_calls(sock)


if __name__ == "__main__":
    main()
