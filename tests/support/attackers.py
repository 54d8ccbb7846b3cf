"""Strangers who mean no good, each on an address of its own in 127/8."""

from __future__ import annotations

import asyncio
import random
import resource
import socket
import ssl
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SOURCE = "127.0.0.66"
_BATCH_S = 0.01


@dataclass
class Flooded:
    """What a flood sent and got."""

    sent: int = 0
    bytes_out: int = 0
    answers: int = 0
    bytes_in: int = 0


def invite(number: int, host: str, port: int) -> bytes:
    """A call that nobody will acknowledge."""
    body = (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        "m=audio 9 RTP/AVP 0\r\n"
    )
    return (
        f"INVITE sip:agent@127.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bKflood{number}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:flood@{host}>;tag=f{number}\r\nTo: <sip:agent@127.0.0.1>\r\n"
        f"Call-ID: flood{number}@{host}\r\nCSeq: 1 INVITE\r\nContact: <sip:flood@{host}:{port}>\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def flood(target: tuple[str, int], per_s: int, seconds: float, listen_s: float) -> Flooded:
    """So many INVITEs a second from one source, and everything that comes back. Blocks."""
    counted = Flooded()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sock.bind((SOURCE, 0))
        sock.setblocking(False)
        port = sock.getsockname()[1]
        began_s = time.monotonic()
        while (passed_s := time.monotonic() - began_s) < seconds + listen_s:
            due = int(min(passed_s, seconds) * per_s)
            while counted.sent < due:
                with suppress(BlockingIOError):
                    counted.bytes_out += sock.sendto(invite(counted.sent, SOURCE, port), target)
                counted.sent += 1
            with suppress(BlockingIOError):
                while True:
                    counted.bytes_in += len(sock.recv(65_535))
                    counted.answers += 1
            time.sleep(_BATCH_S)
    return counted


def shower(targets: Iterable[tuple[str, int]], datagrams: Iterable[bytes], pause_s: float) -> int:
    """Each datagram to each target, from four sockets in turn. Blocks; how many went out."""
    where, sent = list(targets), 0
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
    try:
        for sock in sockets:
            sock.bind((SOURCE, 0))
        for number, data in enumerate(datagrams):
            for target in where:
                with suppress(OSError):
                    sockets[number % len(sockets)].sendto(data, target)
                    sent += 1
            if pause_s and number % 8 == 0:
                time.sleep(pause_s)
    finally:
        for sock in sockets:
            sock.close()
    return sent


def rubbish(rng: random.Random, messages: Iterable[bytes]) -> list[bytes]:
    """Each message as it is, cut, bent, and bytes that were never one."""
    out = []
    for message in messages:
        bent = bytearray(message)
        for _ in range(8):
            bent[rng.randrange(len(bent))] = rng.randrange(256)
        out += [message, message[: rng.randrange(len(message))], bytes(bent)]
        out.append(rng.randbytes(rng.randint(1, 1200)))
    return out


async def pour(
    address: tuple[str, int],
    data: bytes,
    tls: ssl.SSLContext | None = None,
    wait_s: float = 1.0,
) -> bytes:
    """Connect, say this, listen so long or until we are hung up on, vanish: what came."""
    got = b""
    try:
        reader, writer = await asyncio.open_connection(
            *address, local_addr=(SOURCE, 0), ssl=tls, server_hostname="localhost" if tls else None
        )
    except OSError:
        return got
    try:
        writer.write(data)
        async with asyncio.timeout(wait_s):
            while piece := await reader.read(65_536):
                got += piece
    except (TimeoutError, OSError):
        pass
    finally:
        writer.transport.abort()
    return got


async def loris(
    address: tuple[str, int], data: bytes, pause_s: float, source: str = SOURCE
) -> float:
    """Say it byte by byte; seconds until we are hung up on."""
    began_s = time.monotonic()
    reader, writer = await asyncio.open_connection(*address, local_addr=(source, 0))
    gone = asyncio.ensure_future(reader.read())
    try:
        for byte in data:
            writer.write(bytes([byte]))
            done, _ = await asyncio.wait([gone], timeout=pause_s)
            if done:
                break
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        writer.transport.abort()
    return time.monotonic() - began_s


@dataclass(frozen=True)
class Footprint:
    """What this process holds."""

    descriptors: int
    tasks: int
    resident_mb: float

    def exceeds(self, other: Footprint) -> bool:
        """More descriptors or tasks; memory is another matter."""
        return self.descriptors > other.descriptors or self.tasks > other.tasks

    @staticmethod
    def now() -> Footprint:
        """At this moment; inside a loop."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return Footprint(
            len(list(Path("/proc/self/fd").iterdir())),
            len(asyncio.all_tasks()),
            pages * resource.getpagesize() / 1e6,
        )
