"""The end of one line: what is under way on it, its bridge, its signalling and media."""

from __future__ import annotations

from mediacore.runtime import agent, ending, lines
from mediacore.runtime.actions import EndLine
from mediacore.runtime.draft import Draft


def close_line(d: Draft, line: str, reason: str) -> bool:
    """End a line with its conversation, documents and operations. False when it is over already.

    Its end is told when its recordings are closed (`ending.tell_line_ends`). Dials that it belongs
    to are the caller's business.
    """
    found = d.state.lines.get(line)
    if found is None or found.over:
        return False
    agent.line_ends(d, line, reason)
    d.set(flows=tuple(f for f in d.state.flows if f.line != line))
    for op in d.ops_of(line):
        if op.id in d.state.ops:
            ending.abort(d, op, "hangup")
    lines.part(d, line)
    d.emit(EndLine(line, reason))
    d.set_line(line, end_reason=reason, closing_us=d.now, hearing=False, speaking=False)
    d.moved()
    return True
