"""A far end on plain sockets in a process of its own: sends a recording, captures what comes.

It shares no code with the core's media path, and the arrival times are the kernel's, so that
neither its own lateness nor a blocked parent falsifies them. Reads `FarOrder` as one line of
JSON from stdin, writes the monotonic time of its first packet, later `FarReport`.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass

from mediacore.bench.rtp import build, parse
from mediacore.bench.sound import FRAME

TICK_S = 0.02
_LEAD_S = 0.2  # from the order to the first packet
_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)
_TIMESPEC = struct.Struct("@qq")


@dataclass(frozen=True, slots=True)
class FarOrder:
    """port: the core's, on loopback. payload: µ-law in hex, one packet per 160 bytes."""

    port: int
    local_port: int
    payload: str


@dataclass(frozen=True, slots=True)
class FarReport:
    """packets: (arrival in monotonic µs, RTP timestamp, payload in hex) as they came.
    sent_late_ms: how late this process was at worst."""

    packets: list[tuple[int, int, str]]
    sent_late_ms: float


def play(order: FarOrder, sock: socket.socket, first_s: float) -> FarReport:
    """Send one packet every 20 ms from `first_s` on, and take what comes."""
    payload = bytes.fromhex(order.payload)
    packets: list[tuple[int, int, str]] = []
    late_s = 0.0
    real_us = time.time_ns() // 1000 - time.monotonic_ns() // 1000
    for n in range(len(payload) // FRAME):
        due = first_s + n * TICK_S
        time.sleep(max(due - time.monotonic(), 0))
        late_s = max(late_s, time.monotonic() - due)
        sock.send(build(0, n, n * FRAME, payload[n * FRAME : (n + 1) * FRAME]))
        for arrival_us, datagram in _arrived(sock):
            packet = parse(datagram)
            if packet is not None:
                heard = (arrival_us - real_us, packet.timestamp, packet.payload.hex())
                packets.append(heard)
    return FarReport(packets, late_s * 1000)


def _arrived(sock: socket.socket) -> list[tuple[int, bytes]]:
    out: list[tuple[int, bytes]] = []
    while True:
        try:
            datagram, ancillary, _, _ = sock.recvmsg(2048, 128)
        except BlockingIOError:
            return out
        except ConnectionRefusedError:
            continue
        arrival_us = time.time_ns() // 1000
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == _TIMESTAMPNS:
                seconds, ns = _TIMESPEC.unpack(data[: _TIMESPEC.size])
                arrival_us = seconds * 1_000_000 + ns // 1000
        out.append((arrival_us, datagram))


def main() -> None:
    """Serve one order."""
    order = FarOrder(**json.loads(sys.stdin.readline()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", order.local_port))
        if sys.platform == "linux":
            sock.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
        sock.setblocking(False)
        sock.connect(("127.0.0.1", order.port))
        first_s = time.monotonic() + _LEAD_S
        print(first_s, flush=True)
        print(json.dumps(asdict(play(order, sock, first_s))), flush=True)


if __name__ == "__main__":
    main()
