"""Real sockets on loopback; margins are wide."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mediacore.control import ControlConfig, ControlLimits, ControlServer, Project, TlsFiles, Token
from mediacore.control.selfsigned import make_self_signed
from mediacore.errors import ConfigError
from mediacore.wire.limits import RelayLimits
from mediacore.wire.methods import CloseCode
from support.fake_host import FakeHost

pytestmark = pytest.mark.realtime

PROJECTS = (Project("p1", (Token.plain("t1"),)),)
WAIT_S = 10


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 15))


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[tuple[ControlServer, FakeHost]]:
    host = FakeHost()
    numbers = itertools.count(1)
    settings.setdefault("server", ControlLimits(linger_us=500_000, sweep_us=50_000))
    config = ControlConfig(PROJECTS, **settings)
    clock_us = lambda: time.monotonic_ns() // 1000  # noqa: E731
    server = ControlServer(config, host, clock_us, lambda: f"id{next(numbers)}")
    await server.start()
    try:
        yield server, host
    finally:
        await server.aclose()


class Client:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._ids = itertools.count(1)

    async def ask(self, method: str, **params: object) -> dict[str, Any]:
        request_id = f"r{next(self._ids)}"
        await self.socket.send_json({"id": request_id, "method": method, "params": params})
        while True:
            message = await self.next()
            if message["id"] == request_id:
                return message

    async def next(self) -> dict[str, Any]:
        data = await asyncio.wait_for(self.socket.receive_str(), WAIT_S)
        return dict(json.loads(data))

    async def connect(self, **more: object) -> dict[str, Any]:
        return await self.ask(
            "signalwire.connect", authentication={"project": "p1", "token": "t1"}, **more
        )

    async def until_closed(self) -> tuple[list[dict[str, Any]], int | None]:
        """What still comes, and the close code."""
        rest = []
        while True:
            message = await asyncio.wait_for(self.socket.receive(), WAIT_S)
            if message.type is aiohttp.WSMsgType.CLOSE:
                return rest, message.data
            if message.type is not aiohttp.WSMsgType.TEXT:
                return rest, self.socket.close_code
            rest.append(json.loads(message.data))


@asynccontextmanager
async def client_of(server: ControlServer, **options: Any) -> AsyncIterator[Client]:
    host, port = server.address
    scheme = "wss" if "ssl" in options else "ws"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{scheme}://{host}:{port}/", **options) as socket,
    ):
        yield Client(socket)


def test_a_call_over_the_wire() -> None:
    async def main() -> None:
        async with serving() as (server, host), client_of(server) as client:
            answer = await client.connect(contexts=["a"])
            assert answer["result"]["session_restored"] is False
            assert (await client.next())["params"]["event_type"] == "signalwire.authorization.state"
            host.ring("c1", "a", "p1")
            offer = await client.next()
            assert offer["params"]["params"]["node_id"] == server.node_id
            assert (await client.ask("calling.answer", call_id="c1"))["result"]["code"] == "200"
            assert (await client.next())["params"]["params"]["call_state"] == "answered"
            counts = server.snapshot()
            assert (counts.connections, counts.commands, counts.events) == (1, 1, 2)

    run(main())


def test_tls(tmp_path: Path) -> None:
    async def main() -> None:
        files = make_self_signed(tmp_path)
        trust = ssl.create_default_context(cafile=str(files.cert))
        async with serving(tls=files) as (server, _host):
            async with client_of(server, ssl=trust) as client:
                assert "result" in await client.connect()
            with pytest.raises(aiohttp.ClientConnectionError):
                async with client_of(server):
                    pass

    run(main())


def test_unusable_certificate_and_address(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(ConfigError, match="certificate"):
            async with serving(tls=TlsFiles(tmp_path / "no.pem", tmp_path / "no.key")):
                pass
        async with serving() as (server, _host):
            with pytest.raises(ConfigError, match="cannot listen"):
                async with serving(port=server.address[1]):
                    pass

    run(main())


def test_not_started_and_stopped_twice() -> None:
    async def main() -> None:
        config = ControlConfig(PROJECTS)
        server = ControlServer(config, FakeHost(), lambda: 0, lambda: "x")
        with pytest.raises(RuntimeError):
            _ = server.address
        await server.aclose()

    run(main())


def test_health_and_plain_requests() -> None:
    async def main() -> None:
        async with serving() as (server, _host), aiohttp.ClientSession() as session:
            base = f"http://127.0.0.1:{server.address[1]}"
            async with session.get(f"{base}/healthz") as response:
                body = {"status": "ok", "connections": 0, "sessions": 0}
                assert (response.status, await response.json()) == (200, body)
            async with session.get(f"{base}/") as response:
                assert response.status == 426
            async with session.get(f"{base}/other") as response:
                assert response.status == 404

    run(main())


def test_browsers_only_from_listed_origins() -> None:
    async def main() -> None:
        async with serving(origins=frozenset({"https://desk.test"})) as (server, _host):
            async with client_of(server, origin="https://desk.test") as client:
                assert "result" in await client.connect()
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                async with client_of(server, origin="https://evil.test"):
                    pass
            assert caught.value.status == 403
            assert server.snapshot().refused == 1

    run(main())


@pytest.mark.parametrize(
    ("server_limits", "status"),
    [({"connections": 1}, 503), ({"accepts_per_s": 1, "accept_burst": 1}, 429)],
)
def test_caps_on_connections(server_limits: dict[str, int], status: int) -> None:
    async def main() -> None:
        limits = ControlLimits(linger_us=500_000, **server_limits)
        async with serving(server=limits) as (server, _host), client_of(server):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                async with client_of(server):
                    pass
            assert caught.value.status == status

    run(main())


def test_a_stranger_is_closed() -> None:
    async def main() -> None:
        limits = RelayLimits(auth_within_us=200_000)
        async with serving(limits=limits) as (server, _host), client_of(server) as client:
            assert "error" in await client.ask("calling.answer", call_id="c")
            assert await client.until_closed() == ([], CloseCode.AUTH_LATE)

    run(main())


def test_bad_credentials() -> None:
    async def main() -> None:
        async with serving() as (server, _host), client_of(server) as client:
            wrong = {"project": "p1", "token": "x"}
            answer = await client.ask("signalwire.connect", authentication=wrong)
            assert answer["error"]["data"]["signalwire_error_code"] == "AUTH_REQUIRED"
            assert await client.until_closed() == ([], CloseCode.AUTH_FAILED)

    run(main())


def test_long_and_binary_messages_close_the_socket() -> None:
    async def main() -> None:
        async with serving() as (server, _host):
            async with client_of(server) as client:
                await client.connect()
                await client.socket.send_str("x" * (64 * 1024 + 1))
                _rest, code = await client.until_closed()
                assert code == 1009
            async with client_of(server) as client:
                await client.connect()
                await client.socket.send_bytes(b"x")
                _rest, code = await client.until_closed()
                assert code == CloseCode.UNSUPPORTED_DATA

    run(main())


def test_a_lost_connection_is_resumed() -> None:
    async def main() -> None:
        async with serving() as (server, host):
            async with client_of(server) as client:
                answer = await client.connect(contexts=["a"])
                state = (await client.next())["params"]["params"]["authorization_state"]
                host.ring("c1", "a")
                await client.next()
            host.state("c1", "ringing")
            async with client_of(server) as client:
                protocol = answer["result"]["protocol"]
                back = await client.connect(protocol=protocol, authorization_state=state)
                assert back["result"]["session_restored"] is True
                kinds = [(await client.next())["params"]["event_type"] for _ in range(3)]
                assert kinds[1:] == ["calling.call.receive", "calling.call.state"]

    run(main())


@pytest.mark.parametrize("reads", [True, False])
def test_a_slow_subscriber_is_dropped_and_told(reads: bool) -> None:
    """It acknowledges nothing; with `reads` off its socket is full as well."""

    async def main() -> None:
        size = 10 if reads else 100_000
        # The tail of what the transport holds, then the goodbye, must fit into the linger time.
        server_limits = ControlLimits(linger_us=5_000_000)
        limits = RelayLimits(unacked_events=200, unacked_bytes=64 << 20, backlog_bytes=65 << 20)
        async with serving(limits=limits, server=server_limits) as (server, host):
            async with client_of(server, max_msg_size=0) as client:
                await client.connect(contexts=["a"])
                host.ring("c1", "a")
                for _ in range(201):
                    host.publish("calling.call.play", "c1", {"x": "x" * size})
                    if reads:
                        await asyncio.sleep(0)
                assert server.snapshot().dropped == 1
                rest, code = await client.until_closed()
                assert code == CloseCode.SLOW
                assert rest[-1]["method"] == "signalwire.disconnect"
                assert rest[-1]["params"]["restart"] is False
            assert len(host.gone_issuers) == 1 and host.commands == []
            assert server.snapshot().sessions == 0

    run(main())


def test_a_client_that_never_reads_is_cut() -> None:
    async def main() -> None:
        limits = RelayLimits(unacked_events=600, unacked_bytes=64 << 20, backlog_bytes=65 << 20)
        server_limits = ControlLimits(linger_us=300_000)
        async with serving(limits=limits, server=server_limits) as (server, host):
            reader, writer = await asyncio.open_connection(*server.address, limit=1024)
            key = "dGhlIHNhbXBsZSBub25jZQ=="
            writer.write(
                f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
            )
            connect = {"authentication": {"project": "p1", "token": "t1"}, "contexts": ["a"]}
            body = json.dumps({"id": "1", "method": "signalwire.connect", "params": connect})
            # A masked text frame (RFC 6455 §5.2) with the mask 0.
            writer.write(b"\x81\xfe" + len(body).to_bytes(2, "big") + bytes(4) + body.encode())
            await reader.readuntil(b"authorization_state")
            host.ring("c1", "a")
            for _ in range(600):
                host.publish("calling.call.play", "c1", {"x": "x" * 50_000})
            assert server.snapshot().dropped == 1
            started = asyncio.get_running_loop().time()
            while not reader.at_eof():
                await asyncio.sleep(0.5)
                await reader.read(1024)
            assert asyncio.get_running_loop().time() - started < WAIT_S
            writer.transport.abort()

    run(main())


def test_drain_tells_the_clients() -> None:
    async def main() -> None:
        async with serving() as (server, host), client_of(server) as client:
            await client.connect()
            await client.next()
            closing = asyncio.create_task(server.aclose())
            goodbye = await client.next()
            assert goodbye["method"] == "signalwire.disconnect"
            assert goodbye["params"]["restart"] is True
            await client.socket.send_json({"id": goodbye["id"], "result": {}})
            assert await client.until_closed() == ([], CloseCode.GOING_AWAY)
            await closing
            assert len(host.gone_issuers) == 1

    run(main())


def test_pings() -> None:
    async def main() -> None:
        limits = RelayLimits(ping_every_us=100_000, pong_within_us=400_000)
        async with serving(limits=limits) as (server, _host), client_of(server) as client:
            await client.connect()
            await client.next()
            for _ in range(3):
                ping = await client.next()
                assert ping["method"] == "signalwire.ping"
                await client.socket.send_json({"id": ping["id"], "result": {}})
            rest, code = await client.until_closed()
            assert code == CloseCode.SILENT
            assert all(each["method"] == "signalwire.ping" for each in rest)
            assert server.snapshot().kept == 1

    run(main())
