"""Takes what memory legs have to send, for all calls of a process at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from mediacore._core import Leg
from mediacore.errors import MediaError

Send = Callable[[Sequence[bytes]], None]
_PERIOD_S: Final = 0.01  # half a tick: a packet waits 5 ms on average
_MOST: Final = 32  # packets taken of one leg at a time; the core holds 16


class LinkPump:
    """Drains every attached leg a hundred times a second while there is one. One event loop."""

    def __init__(self) -> None:
        self._links: dict[int, tuple[Leg, Send]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def attach(self, leg: Leg, send: Send) -> None:
        """Hand what the leg sends to `send` from now on; it must neither wait nor raise."""
        self._links[leg.handle] = (leg, send)
        if self._timer is None:
            self._due = asyncio.get_running_loop().time()
            self._arm()

    def detach(self, leg: Leg) -> None:
        """No more of this leg; idempotent."""
        self._links.pop(leg.handle, None)
        if not self._links and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = max(self._due + _PERIOD_S, loop.time())
        self._timer = loop.call_at(self._due, self._drain)

    def _drain(self) -> None:
        self._timer = None
        for leg, send in tuple(self._links.values()):
            packets = take(leg)
            if packets is None:
                self.detach(leg)
            elif packets:
                send(packets)
        if self._links:
            self._arm()


def take(leg: Leg) -> list[bytes] | None:
    """Everything the leg has to send now; None once it is closed."""
    packets: list[bytes] = []
    try:
        while len(packets) < _MOST:
            packet = leg.pull_packet()
            if packet is None:
                break
            packets.append(packet)
    except MediaError:
        return packets or None
    return packets
