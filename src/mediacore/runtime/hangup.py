"""The end of a line, with everything that hangs on it. The only place where that happens."""

from __future__ import annotations

from mediacore.runtime import agent, dialing, ending, lines
from mediacore.runtime.actions import EndLine
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import DialData


def end_line(d: Draft, line: str, reason: str) -> None:
    """End a line in whatever state it is; idempotent. The call's own line takes all others along.

    Order: its own transactions are aborted, so that no party is left with nobody; then the line
    goes with all that is on it; then the dials that it was a destination of, and the other lines.
    """
    found = d.state.lines.get(line)
    if found is None or found.over:
        return
    d.log("end_line", reason, line=line, state=found.state.value)
    if line == d.state.main:
        d.set(end_reason=d.state.end_reason or reason)
    for op in tuple(d.state.ops.values()):
        if isinstance(op.data, DialData) and op.line == line:
            dialing.abort(d, op, reason)
    _close(d, line, reason)
    for op in tuple(d.state.ops.values()):
        if isinstance(op.data, DialData) and line in op.data.open:  # where a winner is as well
            dialing.line_gone(d, op, line, reason)
    if line == d.state.main:
        for other in tuple(d.state.lines.values()):
            end_line(d, other.id, "hangup" if other.up else "cancel")


def _close(d: Draft, line: str, reason: str) -> None:
    """What is under way on the line, its bridge, its signalling and media. Its end is told when
    its recordings are closed (`ending.tell_line_ends`)."""
    agent.line_ends(d, line, reason)
    d.set(flows=tuple(f for f in d.state.flows if f.line != line))
    for op in d.ops_of(line):
        if op.id in d.state.ops:
            ending.abort(d, op, "hangup")
    lines.part(d, line)
    d.emit(EndLine(line, reason))
    d.set_line(line, end_reason=reason, closing_us=d.now, hearing=False, speaking=False)
    d.moved()


def hang_up_all(d: Draft, reason: str) -> None:
    """End the whole call."""
    d.set(end_reason=d.state.end_reason or reason)
    dial = d.state.dial
    if dial is not None and not dial.line:
        dialing.abort(d, dial, reason)
        d.set(told=True)
    if d.state.main:
        end_line(d, d.state.main, reason)
    for line in tuple(d.state.lines):
        end_line(d, line, reason)
    for op in tuple(d.state.ops.values()):
        if op.line not in d.state.lines:
            ending.finish(d, op, "error")
