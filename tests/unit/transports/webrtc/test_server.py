"""Signalling and lines with a connection that is not there: every way in, and every way out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import aiohttp
import pytest

from mediacore import _core
from mediacore.call.live import LiveModel
from mediacore.errors import ConfigError, MissingDependencyError
from mediacore.media import LegConfig
from mediacore.slots.gateway import FarLine, LineEnd, LineFailedError
from mediacore.transports.webrtc import SESSION_HEADER, WebRtcConfig, WebRtcServer
from mediacore.transports.webrtc import server as server_module
from mediacore.transports.webrtc.link import Ears, Link
from support.webrtc_sim import OFFER, FakeLink

BODY = {"type": "offer", "sdp": OFFER}


class World:
    """A server whose connections are fake. The engine is ticked by hand."""

    def __init__(self, config: WebRtcConfig, hang: bool, fail: bool) -> None:
        self.engine = _core.Engine(max_legs=8)
        self.links: list[FakeLink] = []
        self.lines: asyncio.Queue[Any] = asyncio.Queue()
        self.now_us = 1_000_000

        def make(ears: Ears) -> Link:
            self.links.append(FakeLink(ears, hang=hang, fail=fail))
            return self.links[-1]

        numbers, seeds = count(1), count(1 << 40, 1 << 33)
        self.server = WebRtcServer(
            config,
            self.engine,
            LegConfig(),
            on_incoming=self.lines.put_nowait,
            seed=lambda: next(seeds),
            clock_us=lambda: self.now_us,
            ids=lambda: f"id{next(numbers)}",
            make_link=make,
        )

    def url(self, path: str) -> str:
        host, port = self.server.address
        return f"http://{host}:{port}{path}"

    def tick(self, n: int = 1) -> None:
        for _ in range(n):
            self.now_us += 20_000
            self.engine.tick(self.now_us)

    async def connect(self, line: FarLine) -> Any:
        leg = await line.connect(lambda: None)
        self.tick(2)
        return leg


@asynccontextmanager
async def world(
    *, hang: bool = False, fail: bool = False, **changes: Any
) -> AsyncIterator[tuple[World, aiohttp.ClientSession]]:
    here = World(WebRtcConfig(**({"codecs": ("PCMU",)} | changes)), hang, fail)
    await here.server.start()
    try:
        async with aiohttp.ClientSession() as client:
            yield here, client
    finally:
        await here.server.aclose()
        await here.server.aclose()
        here.engine.close()
        assert all(link.closed for link in here.links if link.remote_peer is not None)


async def offer(here: World, client: aiohttp.ClientSession, **options: Any) -> tuple[int, Any]:
    async with client.post(here.url("/calls"), **({"json": BODY} | options)) as reply:
        return reply.status, await reply.json()


def test_the_page_is_served_with_its_rules() -> None:
    async def main() -> None:
        async with world() as (here, client):
            for path, kind in (
                ("/", "text/html"),
                ("/page.js", "text/javascript"),
                ("/page.css", "text/css"),
            ):
                async with client.get(here.url(path)) as reply:
                    assert reply.status == 200 and reply.content_type == kind
                    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
                    assert reply.headers["X-Content-Type-Options"] == "nosniff"
                    assert "Access-Control-Allow-Origin" not in reply.headers
                    text = await reply.text()
                    assert "http://" not in text and "https://" not in text  # nothing from outside
            async with client.get(here.url("/../server.py")) as reply:
                assert reply.status == 404
            async with client.options(here.url("/calls")) as reply:
                assert reply.status == 405
            assert here.server.url == here.url("/")

    asyncio.run(main())


def test_a_call_from_the_offer_to_the_goodbye() -> None:
    async def main() -> None:
        async with world() as (here, client):
            posted = asyncio.create_task(offer(here, client, headers={"User-Agent": "test"}))
            line = await here.lines.get()
            party = line.party
            assert (party.kind, party.direction, party.to_number) == ("webrtc", "inbound", "webrtc")
            assert party.headers["user-agent"] == "test"
            assert here.server.snapshot().calls == 1
            leg = await here.connect(line)
            status, body = await posted
            assert status == 201 and body["type"] == "answer"
            assert "m=audio 9 UDP/TLS/RTP/SAVPF 0 126" in body["sdp"]
            facts = line.transport
            assert (facts.kind, facts.codec, facts.payload_type) == ("webrtc", "PCMU", 0)
            assert (facts.local, facts.remote) == ("127.0.0.1:4000", "127.0.0.1:50000")
            assert line.far_delay_ms() is None
            link = here.links[0]
            here.tick(5)
            await asyncio.sleep(0.05)
            assert link.sent and link.sent[0][1] & 0x7F == 0
            link.packet(bytes([0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9]) + b"\xff" * 160)
            here.tick()
            assert leg.stats().rx_packets == 1
            here.server.show(party.headers[SESSION_HEADER], LiveModel("c", state="listening"))
            here.server.show("nobody", LiveModel("c"))
            assert json.loads(link.told[-1]) == {"t": "state", "state": "listening"}
            async with client.delete(here.url("/calls/nobody")) as reply:
                assert reply.status == 404
            async with client.delete(here.url(f"/calls/{body['call']}")) as reply:
                assert reply.status == 204
            assert await line.wait_gone() is LineEnd.HANGUP
            link.packet(b"late")
            await line.hangup(LineEnd.HANGUP)
            leg.close()
            stats = here.server.snapshot()
            assert (stats.calls, stats.answered, link.closed) == (0, 1, 1)
            assert not any('"ended"' in text for text in link.told)  # the page knows

    asyncio.run(main())


def test_the_agent_hangs_up() -> None:
    async def main() -> None:
        async with world() as (here, client):
            posted = asyncio.create_task(offer(here, client))
            line = await here.lines.get()
            leg = await here.connect(line)
            await posted
            await line.hangup(LineEnd.HANGUP)
            await line.hangup(LineEnd.BUSY)
            assert await line.wait_gone() is LineEnd.HANGUP
            assert json.loads(here.links[0].told[-1]) == {"t": "ended", "reason": "hangup"}
            assert here.links[0].closed == 1
            leg.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("act", "end"),
    [
        (lambda ears: ears.gone("closed"), LineEnd.HANGUP),
        (lambda ears: ears.gone("lost"), LineEnd.ERROR),
        (lambda ears: (ears.text("?"), ears.text("hangup")), LineEnd.HANGUP),
    ],
)
def test_the_browser_goes(act: Callable[[Ears], object], end: LineEnd) -> None:
    async def main() -> None:
        async with world() as (here, client):
            posted = asyncio.create_task(offer(here, client))
            line = await here.lines.get()
            leg = await here.connect(line)
            await posted
            act(here.links[0].ears)
            assert await line.wait_gone() is end
            await line.hangup(LineEnd.HANGUP)
            leg.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (LineEnd.BUSY, 503),
        (LineEnd.DECLINE, 403),
        (LineEnd.NOT_FOUND, 404),
        (LineEnd.ERROR, 502),
    ],
)
def test_a_call_that_is_refused(reason: LineEnd, status: int) -> None:
    async def main() -> None:
        async with world() as (here, client):
            posted = asyncio.create_task(offer(here, client))
            line = await here.lines.get()
            await line.hangup(reason)
            assert await posted == (status, {"error": reason.value})
            with pytest.raises(LineFailedError):
                await line.connect(lambda: None)
            assert here.server.snapshot().failed == 1

    asyncio.run(main())


def test_nobody_answers() -> None:
    async def main() -> None:
        async with world(answer_ms=50) as (here, client):
            status, body = await offer(here, client)
            assert (status, body) == (504, {"error": "noAnswer"})
            line = await here.lines.get()
            assert await line.wait_gone() is LineEnd.NO_ANSWER

    asyncio.run(main())


def test_the_browser_gives_up_while_it_rings() -> None:
    async def main() -> None:
        async with world() as (here, client):
            posted = asyncio.create_task(offer(here, client))
            line = await here.lines.get()
            posted.cancel()
            assert await line.wait_gone() is LineEnd.CANCEL
            assert here.server.snapshot().calls == 0

    asyncio.run(main())


@pytest.mark.parametrize("how", [{"hang": True}, {"fail": True}])
def test_no_connection_comes_about(how: dict[str, bool]) -> None:
    async def main() -> None:
        async with world(**how, connect_ms=50) as (here, client):
            posted = asyncio.create_task(offer(here, client))
            line = await here.lines.get()
            with pytest.raises(LineFailedError) as error:
                await line.connect(lambda: None)
            assert error.value.reason is LineEnd.ERROR
            assert (await posted)[0] == 201  # that was before
            await line.hangup(LineEnd.ERROR)

    asyncio.run(main())


def test_a_hang_up_while_it_connects_ends_the_waiting() -> None:
    async def main() -> None:
        async with world(hang=True) as (here, client):
            posted = asyncio.create_task(offer(here, client))
            line = await here.lines.get()
            connecting = asyncio.create_task(line.connect(lambda: None))
            await posted
            line.end(LineEnd.HANGUP)
            with pytest.raises(LineFailedError) as error:
                await connecting
            assert error.value.reason is LineEnd.HANGUP
            await line.hangup(LineEnd.HANGUP)

    asyncio.run(main())


def test_a_browser_that_is_silent_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_SWEEP_S", 0.01)

    async def main() -> None:
        async with world(lost_ms=5000) as (here, client):
            posted = asyncio.create_task(offer(here, client))
            line = await here.lines.get()
            leg = await here.connect(line)
            await posted
            for _ in range(3):  # as long as something comes, it is there
                here.now_us += 4_000_000
                here.links[0].packet(b"\x80" * 12)
                await asyncio.sleep(0.05)
            assert here.server.snapshot().calls == 1
            here.now_us += 6_000_000
            assert await asyncio.wait_for(line.wait_gone(), 2) is LineEnd.ERROR
            assert here.server.snapshot().lost == 1
            await line.hangup(LineEnd.ERROR)
            leg.close()

    asyncio.run(main())


def test_what_is_refused_is_counted() -> None:
    async def main() -> None:
        async with world(token="sesame", call_burst=100) as (here, client):
            bearer = {"Authorization": "Bearer sesame"}
            assert (await offer(here, client))[0] == 401
            assert (await offer(here, client, headers={"Authorization": "Bearer x"}))[0] == 401
            evil = {**bearer, "Origin": "http://evil.example"}
            assert (await offer(here, client, headers=evil))[0] == 403
            async with client.get(here.url("/ice")) as reply:
                assert reply.status == 401
            async with client.delete(here.url("/calls/x")) as reply:
                assert reply.status == 401
            for options in (
                {"data": b"{", "headers": {**bearer, "Content-Type": "application/json"}},
                {"data": b"[" * 9999, "headers": {**bearer, "Content-Type": "application/json"}},
                {"json": {"sdp": 5}, "headers": bearer},
                {"json": {"sdp": OFFER, "type": "answer"}, "headers": bearer},
                {"json": {"sdp": "v=0"}, "headers": bearer},
                {"json": {"sdp": OFFER.replace("PCMU", "X")}, "headers": bearer},
                {"data": json.dumps(BODY), "headers": {**bearer, "Content-Type": "text/plain"}},
            ):
                if "json" not in options:
                    options["json"] = None
                status, body = await offer(here, client, **options)
                assert status == 400 and body["error"], options
            big = {"json": {"sdp": "x" * 200_000}, "headers": bearer}
            assert (await offer(here, client, **big))[0] == 413
            here.server.drain()
            assert (await offer(here, client, headers=bearer))[0] == 503
            stats = here.server.snapshot()
            assert (stats.refused_token, stats.refused_origin, stats.refused_full) == (4, 1, 1)
            assert stats.refused_offer == 7
            assert here.lines.empty()
            assert here.server.url.endswith("/#token=sesame")

    asyncio.run(main())


def test_one_address_is_slowed_down_and_calls_are_limited() -> None:
    async def main() -> None:
        async with world(call_burst=2, max_calls=1) as (here, client):
            first = asyncio.create_task(offer(here, client))
            line = await here.lines.get()
            assert (await offer(here, client))[0] == 503
            assert (await offer(here, client))[0] == 429
            assert here.server.snapshot().refused_rate == 1
            await line.hangup(LineEnd.BUSY)
            await first

    asyncio.run(main())


def test_ice_servers_are_told_to_who_may_call() -> None:
    from mediacore.transports.webrtc import IceServer

    async def main() -> None:
        servers = (IceServer("stun:s.example"), IceServer("turn:t.example", "u", "c"))
        async with (
            world(ice_servers=servers) as (here, client),
            client.get(here.url("/ice")) as reply,
        ):
            assert await reply.json() == {
                "iceServers": [
                    {"urls": "stun:s.example"},
                    {"urls": "turn:t.example", "username": "u", "credential": "c"},
                ]
            }

    asyncio.run(main())


def test_closing_the_server_ends_its_calls() -> None:
    async def main() -> None:
        async with world() as (here, client):
            posted = asyncio.create_task(offer(here, client))
            line = await here.lines.get()
            leg = await here.connect(line)
            await posted
            await here.server.aclose()
            assert await line.wait_gone() is LineEnd.HANGUP
            leg.close()

    asyncio.run(main())


def test_a_port_that_is_taken_is_told() -> None:
    async def main() -> None:
        async with world() as (here, _client):
            other = World(WebRtcConfig(port=here.server.address[1]), False, False)
            with pytest.raises(ConfigError, match="cannot listen"):
                await other.server.start()
            other.engine.close()

    asyncio.run(main())


def test_a_certificate_that_is_not_there_is_told(tmp_path: Any) -> None:
    async def main() -> None:
        config = WebRtcConfig(tls_cert=tmp_path / "no.pem", tls_key=tmp_path / "no.key")
        other = World(config, False, False)
        with pytest.raises(ConfigError, match=r"no\.pem"):
            await other.server.start()
        assert other.server.url.startswith("https://")
        other.engine.close()

    asyncio.run(main())


def test_without_aiortc_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "aiortc", None)
    monkeypatch.delitem(sys.modules, "mediacore.transports.webrtc.peerlink", raising=False)
    webrtc = sys.modules["mediacore.transports.webrtc"]
    monkeypatch.delattr(webrtc, "peerlink", raising=False)
    with pytest.raises(MissingDependencyError, match=r"mediacore\[webrtc\]"):
        server_module._aiortc_links(WebRtcConfig())
