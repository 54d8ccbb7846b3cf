"""A program that steers Asterisk by ARI: it bridges every caller with an external media channel,
by the requests that docs/asterisk.md shows."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from support.peers.asterisk import Asterisk, guide
from support.peers.process import LOOPBACK

_APP: Final = "mediacore"
_PROOF: Final = {"Authorization": aiohttp.encode_basic_auth("mediacore", "change-me")}
_MEDIA: Final = "UnicastRTP/"


class AriBridge:
    """Serves one Asterisk while the context is open. callers: channels that came."""

    def __init__(self, asterisk: Asterisk) -> None:
        self._base = f"http://{LOOPBACK}:{asterisk.ports.http}"
        self._requests = asterisk.ports.into(guide()["ari.http"]).splitlines()
        self._rooms: dict[str, tuple[str, str]] = {}  # caller: bridge, media
        self.digits = ""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(headers=_PROOF)
        self._events = await self._http.ws_connect(f"{self._base}/ari/events?app={_APP}")
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._events.close()
        await self._http.close()
        await self._task

    async def _serve(self) -> None:
        async for message in self._events:
            event = message.json()
            channel = event.get("channel", {})
            match event["type"]:
                case "StasisStart" if channel["name"].startswith(_MEDIA):
                    await self._join(channel["id"])
                case "StasisStart":
                    await self._begin(channel["id"])
                case "StasisEnd" if channel["id"] in self._rooms:
                    await self._end(*self._rooms.pop(channel["id"]))
                case "ChannelDtmfReceived":
                    self.digits += event["digit"]

    async def _begin(self, caller: str) -> None:
        bridge, media, _ = [line for line in self._requests if line]
        made = (await self._ask(bridge))["id"]
        self._rooms[caller] = (made, "")
        self._rooms[caller] = (made, (await self._ask(media))["id"])

    async def _join(self, media: str) -> None:
        """The media channel may be added once it is in the application, too."""
        caller, (bridge, _) = next(iter(self._rooms.items()))
        join = [line for line in self._requests if line][2]
        names = {"BRIDGE": bridge, "CALLER": caller, "MEDIA": media}
        for name, value in names.items():
            join = join.replace(name, value)
        await self._ask(join)

    async def _end(self, bridge: str, media: str) -> None:
        await self._ask(f"DELETE /ari/channels/{media}")
        await self._ask(f"DELETE /ari/bridges/{bridge}")

    async def _ask(self, request: str) -> Any:
        method, _, target = request.partition(" ")
        async with self._http.request(method, self._base + target) as response:
            assert response.status in (200, 204), (request, await response.text())
            return await response.json() if response.status == 200 else None
