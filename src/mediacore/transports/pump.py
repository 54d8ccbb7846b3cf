"""Audio that stream links put out, on its way to their transports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mediacore._core import Engine, Leg
from mediacore.errors import MediacoreError

Sink = Callable[[list[Any]], None]
Pull = Callable[[], list[Any]]


@dataclass(frozen=True, slots=True)
class _Outlet:
    leg: Leg
    pull: Pull
    sink: Sink


@dataclass(frozen=True, slots=True)
class PumpStats:
    """legs: attached now. wakes: times the descriptor was readable. items: delivered. failed: legs
    detached because their sink raised."""

    legs: int
    wakes: int
    items: int
    failed: int


class StreamPump:
    """One reader of an engine's stream descriptor: pulls from every attached leg after a tick.

    Sinks run on the event loop's thread and must not block. In real time `start` lets the loop
    wake; without it `pump` is called after the ticks (tests, offline).
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._outlets: dict[int, _Outlet] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fd = -1
        self._wakes = self._items = self._failed = 0

    def start(self) -> None:
        """Read on the running loop. No-op when it reads already."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._fd = self._engine.stream_fd
            self._loop.add_reader(self._fd, self.pump)

    def stop(self) -> None:
        """Read no more and forget every leg; idempotent. Call it before the engine is closed."""
        self._outlets.clear()
        if self._loop is not None:
            self._loop.remove_reader(self._fd)
            self._loop = None

    def attach(self, leg: Leg, sink: Sink, *, pull: Pull | None = None) -> None:
        """Give what the leg puts out to `sink`, in lists that are never empty.

        pull: called in place of leg.pull_media, such as MediaSocket.drain. A leg that was closed
        is detached by itself after its last items; so is one whose sink raised, and the loop's
        exception handler is told.
        """
        self._outlets[leg.handle] = _Outlet(leg, pull or leg.pull_media, sink)

    def detach(self, leg: Leg) -> None:
        """Give the leg's items to nobody any more; idempotent."""
        self._outlets.pop(leg.handle, None)

    def pump(self) -> int:
        """Deliver what waits. Returns the number of items."""
        self._engine.stream_clear()
        self._wakes += 1
        before = self._items
        for handle, outlet in list(self._outlets.items()):
            if not self._deliver(outlet) and self._outlets.get(handle) is outlet:
                del self._outlets[handle]
        return self._items - before

    def snapshot(self) -> PumpStats:
        """Counters since it was made."""
        return PumpStats(len(self._outlets), self._wakes, self._items, self._failed)

    def _deliver(self, outlet: _Outlet) -> bool:
        """Whether the leg stays attached."""
        try:
            items = outlet.pull()
        except MediacoreError:  # freed, or its engine is gone
            return False
        if items:
            self._items += len(items)
            try:
                outlet.sink(items)
            except Exception as error:
                self._failed += 1
                self._tell(outlet, error)
                return False
        return not outlet.leg.closed

    def _tell(self, outlet: _Outlet, error: Exception) -> None:
        if self._loop is None:
            raise error
        self._loop.call_exception_handler(
            {"message": "a sink of a stream link failed", "exception": error}
        )
