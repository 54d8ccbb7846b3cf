"""Timers as data: named moments, and what is to be done then."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count

Key = tuple[int, str]
"""Owner and name."""

_SLACK = 64


class Deadlines:
    """Milliseconds in, callables out. Setting a key again moves it; O(log n) each."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Key]] = []
        self._live: dict[Key, tuple[int, Callable[[], None]]] = {}
        self._serial = count()

    def __len__(self) -> int:
        return len(self._live)

    def set(self, key: Key, at_ms: int, action: Callable[[], None]) -> None:
        """Do `action` once at `at_ms`, unless dropped before."""
        serial = next(self._serial)
        self._live[key] = (serial, action)
        heappush(self._heap, (at_ms, serial, key))
        if len(self._heap) > 2 * len(self._live) + _SLACK:
            self._heap = [e for e in self._heap if self._is_live(e)]
            heapify(self._heap)

    def has(self, key: Key) -> bool:
        """Whether it is set."""
        return key in self._live

    def drop(self, key: Key) -> None:
        """Idempotent."""
        self._live.pop(key, None)

    def drop_owner(self, owner: int) -> None:
        """All of one owner's."""
        for key in [key for key in self._live if key[0] == owner]:
            del self._live[key]

    def pop_due(self, now_ms: int) -> Callable[[], None] | None:
        """The oldest action that is due, taken out; None when there is none."""
        at = self.next_ms
        if at is None or at > now_ms:
            return None
        key = heappop(self._heap)[2]
        return self._live.pop(key)[1]

    @property
    def next_ms(self) -> int | None:
        """When the next is due."""
        while self._heap and not self._is_live(self._heap[0]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _is_live(self, entry: tuple[int, int, Key]) -> bool:
        live = self._live.get(entry[2])
        return live is not None and live[0] == entry[1]
