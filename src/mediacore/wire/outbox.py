"""Events of one session that its client has not acknowledged, in order and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PREFIX = "e"


@dataclass(frozen=True, slots=True)
class Entry:
    """One numbered event frame. ends: the call that is over with it, else empty."""

    id: str
    frame: bytes
    ends: str = ""


class Outbox:
    """Numbered events until they are acknowledged; acknowledgements may come in any order.

    The number is part of the frame's id and stays the same when the frame is sent again, so a
    client can tell a repetition.
    """

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._entries: dict[str, Entry] = {}
        self._bytes = 0
        self._numbered = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries.values()))

    @property
    def waiting_bytes(self) -> int:
        """Bytes of all frames that wait."""
        return self._bytes

    def next_id(self) -> str:
        """Number the next event."""
        self._numbered += 1
        return f"{PREFIX}{self._numbered}"

    def add(self, entry: Entry) -> bool:
        """Keep an event until it is acknowledged; False when it does not fit any more."""
        size = self._bytes + len(entry.frame)
        if len(self._entries) >= self._max_events or size > self._max_bytes:
            return False
        self._entries[entry.id] = entry
        self._bytes = size
        return True

    def ack(self, entry_id: object) -> Entry | None:
        """The client has the event. None when nothing with this id waits."""
        entry = self._entries.pop(entry_id, None) if isinstance(entry_id, str) else None
        if entry is not None:
            self._bytes -= len(entry.frame)
        return entry
