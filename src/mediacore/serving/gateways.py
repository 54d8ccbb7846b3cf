"""The gateways of a process: opens what is configured, and drains and closes all of it.

listeners ──► on_incoming        Switchboard ──► loopback exchange, or out under the dial policy
"""

from __future__ import annotations

import hashlib
import importlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, Protocol, Self

from mediacore import _core
from mediacore.call.live import LiveModel
from mediacore.media import LegConfig
from mediacore.policy.dialing import DialGate
from mediacore.runtime.state import RunState
from mediacore.serving.ways import Gateways
from mediacore.slots.gateway import DialOut, FarLine, Gateway
from mediacore.transports.switchboard import Route, Switchboard

_TAG_BYTES: Final = 6


class Door(Protocol):
    """What listeners have in common."""

    async def start(self) -> None:
        """Listen. Raises ConfigError."""
        ...

    def drain(self) -> None:
        """No new calls from now on."""
        ...

    async def aclose(self) -> None:
        """End every call and stop."""
        ...

    def snapshot(self) -> object:
        """Counters."""
        ...


class Background(Protocol):
    """What works for all listeners at once."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """End; idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Media:
    """Where gateways open their legs. leg: the template. on_incoming: gets every line."""

    engine: _core.Engine
    leg: LegConfig
    on_incoming: Callable[[FarLine], None]


@dataclass(frozen=True, slots=True)
class Opened:
    """A listener. name: its section. tell: where calls may come, once it is started."""

    name: str
    door: Door
    tell: Callable[[], list[str]]


@dataclass(frozen=True, slots=True)
class Pages:
    """What shows running calls in browsers. key: the page of a call, "" = none."""

    key: Callable[[RunState], str]
    show: Callable[[str, LiveModel], None]


class GatewayHouse:
    """Every listener of a configuration. Open it inside `async with`; raises ConfigError when one
    cannot be opened, and then none is. background: runs while they are open. dialer: what places
    calls through the network. pages: what shows calls to browsers."""

    def __init__(
        self,
        doors: Sequence[Opened] = (),
        background: Background | None = None,
        dialer: Gateway | None = None,
        pages: Pages | None = None,
    ) -> None:
        self._doors = tuple(doors)
        self._background = background
        self._stack = AsyncExitStack()
        self.dialer = dialer
        self.pages = pages

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self._background is not None:
                self._background.start()
                stack.callback(self._background.stop)
            for opened in self._doors:
                await opened.door.start()
                stack.push_async_callback(opened.door.aclose)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    def drain(self) -> None:
        """Every listener refuses new calls; running ones go on."""
        for opened in self._doors:
            opened.door.drain()

    def announcement(self) -> list[str]:
        """Where calls may come, a line each."""
        return [line for opened in self._doors for line in opened.tell()]

    def snapshot(self) -> dict[str, object]:
        """Counters of each listener by its section."""
        return {opened.name: opened.door.snapshot() for opened in self._doors}


def open_house(config: Gateways, media: Media) -> GatewayHouse:
    """The listeners of a configuration. Without any, none of their packages is imported."""
    if not config.any:
        return GatewayHouse()
    doors = importlib.import_module("mediacore.serving.doors").Doors(config, media)
    return GatewayHouse(doors.all, doors.pump, doors.dialer, doors.pages)


def switchboard(
    inside: Gateway,
    numbers: Callable[[DialOut], bool],
    outside: Gateway | None,
    config: Gateways,
    campaign: str,
) -> Switchboard:
    """Where a process dials. inside: its own phones, which `numbers` knows. outside: everything
    else, under the dial policy."""
    routes = [Route("inside", numbers, inside, guarded=False)]
    if outside is not None:
        routes.append(Route("outside", lambda destination: True, outside))
    key = secrets.token_bytes(16)
    return Switchboard(
        routes,
        DialGate(config.dialing),
        clock_us=_core.now_us,
        campaign=lambda destination: campaign,
        tag=lambda number: number_tag(number, key),
    )


def number_tag(number: str, key: bytes) -> str:
    """What stands for a number in the log: the same within one process, of no use outside."""
    return hashlib.blake2s(
        number.encode(errors="replace"), key=key, digest_size=_TAG_BYTES
    ).hexdigest()
