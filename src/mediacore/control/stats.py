"""What the control server counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ControlSnapshot:
    """Counters since the start, and what there is now.

    connections: open sockets. sessions: of these and kept ones together; kept: without a socket,
    waiting to be resumed. unacked: events that wait for an acknowledgement. commands: given to
    calls. events: sent or queued, per receiver. resumed: sessions that went on over a new socket.
    dropped: sessions ended because the client was too slow. expired: kept in vain. refused:
    connections without good credentials, or over a cap. forbidden: commands without permission.
    unsupported: "501". limited: above the rate. malformed: frames. unrouted: events for nobody.
    unencodable: events or answers that cannot be written. unanswered: commands answered "504".
    late_answers: answers that came twice or for nobody. silent, flooded: sockets closed for it.
    """

    connections: int
    sessions: int
    kept: int
    unacked: int
    commands: int
    events: int
    acked: int
    resumed: int
    dropped: int
    expired: int
    refused: int
    forbidden: int
    unsupported: int
    limited: int
    malformed: int
    unrouted: int
    unencodable: int
    unanswered: int
    late_answers: int
    silent: int
    flooded: int


COUNTERS = tuple(ControlSnapshot.__slots__[4:])


def snapshot(
    counts: Counter[str], *, connections: int, sessions: int, kept: int, unacked: int
) -> ControlSnapshot:
    """The counters together with what there is now."""
    return ControlSnapshot(
        connections=connections,
        sessions=sessions,
        kept=kept,
        unacked=unacked,
        **{name: counts[name] for name in COUNTERS},
    )
