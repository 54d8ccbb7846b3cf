"""Counters of the stream server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamStats:
    """connections, calls: as of now. opened: calls so far.

    Refused before the upgrade: refused_auth, refused_origin, refused_full, refused_draining,
    refused_handshake. Ended by us: no_start (nothing came), bad_start (the first message was not
    usable), bad_stream (too many bad messages), protocol_errors (of RFC 6455), silent (no sign of
    life), slow (it does not read). cut_off: gone without a close. bad_messages: malformed, or
    binary where text is due. peer_errors: reported by the far side. unknown_marks: echoes of
    marks that were not sent. early_media: before the call was answered. internal: our own faults.
    """

    connections: int = 0
    calls: int = 0
    opened: int = 0
    refused_auth: int = 0
    refused_origin: int = 0
    refused_full: int = 0
    refused_draining: int = 0
    refused_handshake: int = 0
    no_start: int = 0
    bad_start: int = 0
    bad_stream: int = 0
    protocol_errors: int = 0
    silent: int = 0
    slow: int = 0
    cut_off: int = 0
    bad_messages: int = 0
    peer_errors: int = 0
    unknown_marks: int = 0
    early_media: int = 0
    internal: int = 0


class Counters:
    """Counts by the names of StreamStats."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def count(self, name: str, by: int = 1) -> None:
        """One more."""
        self._counts[name] = self._counts.get(name, 0) + by

    def snapshot(self, connections: int, calls: int) -> StreamStats:
        """All of them."""
        return StreamStats(connections, calls, **self._counts)
