"""Targets of taps and streams obey the address rules of requests."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from mediacore.errors import MediacoreError
from mediacore.runtime.actions import StartFork
from mediacore.session.wsfork import TapFormat, WsFork
from mediacore.web.guard import BlockedTargetError, TargetGuard


async def _names(host: str, port: int) -> list[str]:
    return {"public.test": ["93.184.216.34"], "rebind.test": ["93.184.216.34", "10.0.0.1"]}.get(
        host, [host]
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "::1", "rebind.test", "169.254.169.254"])
def test_inner_addresses_are_refused(host: str) -> None:
    guard = TargetGuard(resolve=_names)
    with pytest.raises(BlockedTargetError):
        asyncio.run(guard.address(host, 4000))


def test_public_allowed_and_mapped_addresses_are_found() -> None:
    async def main() -> None:
        guard = TargetGuard(["127.0.0.0/8"], {"inner.test": "10.0.0.9:5004"}, _names)
        assert await guard.address("public.test", 4000) == ("93.184.216.34", 4000)
        assert await guard.address("127.0.0.1", 4000) == ("127.0.0.1", 4000)
        assert await guard.address("inner.test", 4000) == ("10.0.0.9", 5004)

    asyncio.run(main())


def test_a_name_that_is_not_found_is_told() -> None:
    async def nowhere(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(BlockedTargetError, match="cannot be used"):
        asyncio.run(TargetGuard(resolve=nowhere).address("a.test", 1))


@pytest.mark.parametrize(
    "uri", ["ws://127.0.0.1:9/x", "wss://[::1]/x", "ws://0x7f.1/x", "ftp://a.test", "WS://a.test"]
)
def test_web_sockets_to_numbers_inside_are_refused_before_they_connect(uri: str) -> None:
    async def main() -> None:
        with pytest.raises(BlockedTargetError):
            TargetGuard().session(uri, aiohttp.ClientTimeout())

    asyncio.run(main())


def _fork(uri: str, guard: TargetGuard) -> WsFork:
    action = StartFork("t", "l", "tap", uri, "both", "PCMU")
    form = TapFormat(action, "call", 8000, (True, True))
    return WsFork(uri, form, "", lambda timeout: guard.session(uri, timeout))


def test_names_are_checked_and_redirects_are_not_followed() -> None:
    reached: list[str] = []

    async def main() -> None:
        async def handle(request: web.Request) -> web.Response:
            reached.append(request.path)
            return web.Response(status=302, headers={"location": "/inner"})

        app = web.Application()
        app.router.add_get("/{path}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

        async def loopback(host: str, given: int) -> list[str]:
            return ["127.0.0.1"]

        uri = f"ws://a.test:{port}/out"
        with pytest.raises(MediacoreError):
            await _fork(uri, TargetGuard(resolve=loopback)).run(lambda: None)
        assert reached == []
        with pytest.raises(MediacoreError, match="redirects"):
            await _fork(uri, TargetGuard(["127.0.0.0/8"], resolve=loopback)).run(lambda: None)
        assert reached == ["/out"]
        await runner.cleanup()

    asyncio.run(main())
