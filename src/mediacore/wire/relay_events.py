"""Frames of events for controllers: what was published plus what the server knows."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mediacore.wire import frames
from mediacore.wire.outbox import Entry
from mediacore.wire.relay_session import RelaySession


def event_params(params: Mapping[str, object], call_id: str, node_id: str) -> msgspec.Raw:
    """The inner params as JSON, written once for all sessions. Raises UnencodableError.

    Lines named inside ("call" of a dial, "peer" of a connect) get their node as well.
    """
    full = dict(params)
    full.setdefault("node_id", node_id)
    if call_id:
        full.setdefault("call_id", call_id)
    for key in ("call", "peer"):
        line = full.get(key)
        if isinstance(line, Mapping) and "call_id" in line and "node_id" not in line:
            full[key] = {**line, "node_id": node_id}
    return msgspec.Raw(frames.encode(full))


def event_entry(
    session: RelaySession,
    event_type: str,
    params: msgspec.Raw,
    *,
    timestamp: float,
    ends: str = "",
) -> Entry:
    """The next numbered event of a session. timestamp: UTC seconds."""
    entry_id = session.outbox.next_id()
    envelope = {
        "event_type": event_type,
        "event_channel": session.protocol,
        "timestamp": timestamp,
        "project_id": session.grant.project,
        "space_id": "",
        "params": params,
    }
    return Entry(entry_id, frames.request_frame(entry_id, "signalwire.event", envelope), ends)
