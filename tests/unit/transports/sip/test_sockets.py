from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mediacore.errors import ConfigError
from mediacore.transports.sip.config import SipBind, StreamLimits
from mediacore.transports.sip.sockets import SipSockets
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.flow import Flow

HELLO = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 3\r\n\r\nabc"
UDP = SipBind("UDP", port=0)
TCP = SipBind("TCP", port=0)
TLS = SipBind("TLS", port=0)


class Side:
    """Sockets and what they told."""

    def __init__(self, *binds: SipBind, **options: object) -> None:
        self.messages: list[tuple[bytes, Flow]] = []
        self.lost: list[Flow] = []
        self._news = asyncio.Event()
        self.sockets = SipSockets(
            binds,
            on_message=lambda data, flow: self._note(self.messages.append, (data, flow)),
            on_lost=lambda flow: self._note(self.lost.append, flow),
            **options,  # type: ignore[arg-type]
        )

    def _note(self, keep: Callable[..., None], what: object) -> None:
        keep(what)
        self._news.set()

    async def wait(self, good: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not good():
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.05)

    async def got(self, count: int = 1) -> tuple[bytes, Flow]:
        await self.wait(lambda: len(self.messages) >= count)
        return self.messages[-1]

    def where(self, number: int = 0) -> tuple[str, int]:
        return self.sockets.addresses[number][1:]


@contextlib.asynccontextmanager
async def opened(*binds: SipBind, **options: object) -> AsyncIterator[Side]:
    side = Side(*binds, **options)
    await side.sockets.start()
    try:
        yield side
    finally:
        async with asyncio.timeout(5):
            await side.sockets.aclose()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server and of a client that trusts it."""
    home: Path = tmp_path_factory.mktemp("tls")
    key, cert = home / "key.pem", home / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", str(key), "-out", str(cert), "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))


@pytest.mark.parametrize("bind", [UDP, TCP], ids=["UDP", "TCP"])
def test_messages_both_ways(bind: SipBind) -> None:
    async def main() -> None:
        async with opened(bind) as a, opened(bind) as b:
            flow = a.sockets.flow(bind.transport, b.where())
            assert flow.sent_by == f"127.0.0.1:{a.where()[1]}"
            a.sockets.send(flow, HELLO)
            data, back = await b.got()
            assert data == HELLO and back.transport == bind.transport
            b.sockets.send(back, HELLO)
            await a.got()
            a.sockets.send(flow, HELLO)
            _, again = await b.got(2)
            assert again == back
            if bind.transport == "TCP":
                assert back.connection and a.sockets.snapshot().connections == 1
            assert b.sockets.snapshot().counters.messages == 2

    asyncio.run(main())


def test_tls_is_verified_and_reused(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async def main() -> None:
        server, client = tls
        untrusting = ssl.create_default_context()
        async with (
            opened(TLS, server_tls=server) as b,
            opened(TLS, server_tls=server, client_tls=client) as a,
            opened(TLS, server_tls=server, client_tls=untrusting) as c,
            opened(TLS, server_tls=server) as d,
        ):
            flow = a.sockets.flow("TLS", b.where(), "localhost")
            for n in (1, 2):
                a.sockets.send(flow, HELLO)
                _, back = await b.got(n)
            b.sockets.send(back, HELLO)
            await a.got()
            assert b.sockets.snapshot().connections == 1
            a.sockets.send(a.sockets.flow("TLS", b.where(), "other.example"), HELLO)
            for side in (c, d):
                side.sockets.send(side.sockets.flow("TLS", b.where(), "localhost"), HELLO)
                await side.wait(lambda side=side: side.lost)
            await a.wait(lambda: a.lost)
            assert len(b.messages) == 2

    asyncio.run(main())


def test_keepalives_are_answered() -> None:
    async def main() -> None:
        async with opened(TCP, UDP) as a:
            reader, writer = await asyncio.open_connection(*a.where())
            writer.write(b"\r\n\r\n")
            assert await reader.readexactly(2) == b"\r\n"
            writer.close()
            await writer.wait_closed()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"\r\n\r\n", a.where(1))
                sock.sendto(HELLO, a.where(1))
            await a.got()
            assert a.sockets.snapshot().counters.keepalives == 2

    asyncio.run(main())


def test_a_stream_that_cannot_be_framed_is_closed() -> None:
    async def main() -> None:
        async with opened(TCP) as a:
            reader, writer = await asyncio.open_connection(*a.where())
            writer.write(HELLO + b"OPTIONS sip:a@b SIP/2.0\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            await a.wait(lambda: a.lost)
            assert a.sockets.snapshot().counters.unframeable == 1
            assert a.sockets.snapshot().connections == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (StreamLimits(first_message_ms=50), b""),
        (StreamLimits(message_ms=50), HELLO + b"OPT"),
        (StreamLimits(idle_ms=50), HELLO),
    ],
    ids=["silent", "slow", "idle"],
)
def test_dawdling_peers_are_closed(limits: StreamLimits, said: bytes) -> None:
    async def main() -> None:
        async with opened(TCP, limits=limits) as a:
            reader, writer = await asyncio.open_connection(*a.where())
            writer.write(said)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            await a.wait(lambda: a.lost)
            assert a.sockets.snapshot().counters.timed_out == 1

    asyncio.run(main())


def test_tls_handshakes_that_never_come(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async def main() -> None:
        limits = StreamLimits(handshake_ms=50)
        async with opened(TLS, server_tls=tls[0], limits=limits) as a:
            reader, writer = await asyncio.open_connection(*a.where())
            await a.wait(lambda: a.sockets.snapshot().connections == 1)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            await a.wait(lambda: a.sockets.snapshot().connections == 0)
            assert a.sockets.snapshot().counters.refused_connections == 1

    asyncio.run(main())


@pytest.mark.parametrize("limits", [StreamLimits(per_source=2), StreamLimits(connections=2)])
def test_too_many_connections(limits: StreamLimits) -> None:
    async def main() -> None:
        async with opened(TCP, limits=limits) as a:
            pairs = [await asyncio.open_connection(*a.where()) for _ in range(3)]
            with contextlib.suppress(ConnectionError):
                assert await pairs[2][0].read() == b""
            assert a.sockets.snapshot().connections == 2
            assert a.sockets.snapshot().counters.refused_connections == 1
            for _, writer in pairs:
                writer.close()
            await a.wait(lambda: a.sockets.snapshot().connections == 0)

    asyncio.run(main())


def test_a_peer_that_does_not_read_is_cut_off() -> None:
    async def main() -> None:
        async with opened(TCP, limits=StreamLimits(write_bytes=1000)) as a:
            _, writer = await asyncio.open_connection(*a.where(), limit=1)
            writer.write(HELLO)
            _, flow = await a.got()
            for _ in range(2000):
                a.sockets.send(flow, b"x" * 8000)
            await a.wait(lambda: a.lost and a.sockets.snapshot().connections == 0)
            assert a.sockets.snapshot().counters.overflowed == 1
            lost = len(a.lost)
            a.sockets.send(flow, HELLO)
            await a.wait(lambda: len(a.lost) > lost)
            writer.close()

    asyncio.run(main())


def test_nobody_listens() -> None:
    async def main() -> None:
        async with opened(TCP) as other:
            free = other.where()
        async with opened(TCP, limits=StreamLimits(waiting=2)) as a:
            flow = a.sockets.flow("TCP", free)
            for _ in range(3):
                a.sockets.send(flow, HELLO)
            await a.wait(lambda: len(a.lost) == 2)
            assert a.lost == [flow, flow]
            assert a.sockets.snapshot().connecting == 0

    asyncio.run(main())


def test_a_peer_that_closes() -> None:
    async def main() -> None:
        async with opened(TCP) as a:
            async with opened(TCP) as b:
                flow = a.sockets.flow("TCP", b.where())
                a.sockets.send(flow, HELLO)
                await b.got()
            await a.wait(lambda: a.lost)
            assert a.lost[0].remote == flow.remote and a.lost[0].connection

    asyncio.run(main())


def test_what_cannot_be_sent_over_udp() -> None:
    async def main() -> None:
        async with opened(UDP) as a:
            flow = a.sockets.flow("UDP", ("127.0.0.1", 9))
            a.sockets.send(flow, b"x" * 70_000)
            assert a.lost == []
            await a.wait(lambda: a.lost)
            stranger = Flow("UDP", ("127.0.0.1", 1), ("127.0.0.1", 9), "x")
            a.sockets.send(stranger, HELLO)
            await a.wait(lambda: len(a.lost) == 2)
            assert a.sockets.snapshot().counters.send_failed == 2

    asyncio.run(main())


def test_binding_fails_as_a_whole() -> None:
    async def main() -> None:
        async with opened(UDP, TCP) as a:
            for number, transport in enumerate(("UDP", "TCP")):
                taken = SipBind(transport, port=a.where(number)[1])
                side = Side(UDP, taken)
                with pytest.raises(ConfigError, match="cannot bind"):
                    await side.sockets.start()
        with pytest.raises(ConfigError, match="certificate"):
            await Side(TLS).sockets.start()

    asyncio.run(main())


def test_ways_to_peers() -> None:
    async def main() -> None:
        async with opened(UDP) as a:
            with pytest.raises(ConfigError):
                a.sockets.flow("TCP", ("127.0.0.1", 1))
            with pytest.raises(ConfigError):
                a.sockets.flow("UDP", ("::1", 1))
            assert await a.sockets.resolve("localhost", 5060, "UDP") == ("127.0.0.1", 5060)
            with pytest.raises(SipError):
                await a.sockets.resolve("127.0.0.1", 5060, "TCP")
            with pytest.raises(SipError):
                await a.sockets.resolve("no such host", 5060, "UDP")

    asyncio.run(main())


def test_settings() -> None:
    for bad in (
        {"transport": "SCTP"},
        {"transport": "UDP", "port": 70_000},
        {"transport": "UDP", "host": "localhost"},
        {"transport": "UDP", "host": "0.0.0.0"},
    ):
        with pytest.raises(ConfigError):
            SipBind(**bad)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        StreamLimits(connections=0)
    assert SipBind("UDP", "0.0.0.0", advertise="sip.example").sent_by(5060) == "sip.example:5060"
    assert SipBind("UDP", "::1").sent_by(5062) == "[::1]:5062"
    assert SipBind("UDP", advertise="[2001:db8::1]").sent_by(5) == "[2001:db8::1]:5"
    assert SipBind("UDP", advertise="h:7").sent_by(5) == "h:7"
