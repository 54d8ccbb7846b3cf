"""Documents that lose their line: they go, and what they waited for is undone."""

from __future__ import annotations

from mediacore.runtime import dialing, ending
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import DialData


def drop_flows(d: Draft, line: str, reason: str, *purposes: str) -> None:
    """End the documents of a line, of the named purposes or all, with the operations that they
    wait for. What they began in the background goes on."""
    gone = [f for f in d.state.flows if f.line == line and (not purposes or f.purpose in purposes)]
    if not gone:
        return
    owners = {f"flow:{f.id}" for f in gone}
    d.set(flows=tuple(f for f in d.state.flows if f not in gone))
    for op in d.ops_of(line):
        if not op.awaited or op.owner not in owners or op.id not in d.state.ops:
            continue
        if isinstance(op.data, DialData):
            dialing.abort(d, op, reason)
        else:
            ending.abort(d, op, reason)
