"""The end of a line, with everything that hangs on it. The only place where that happens."""

from __future__ import annotations

from mediacore.runtime import agent, dialing, ending, lines
from mediacore.runtime.actions import EndLine
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import DialData, DialStage, OpKind


def end_line(d: Draft, line: str, reason: str) -> None:
    """End a line in whatever state it is; idempotent. The call's own line takes all others along.

    Order: transactions are aborted first, so that no party is left with nobody; then the
    conversation, the other operations, the documents, at last the line.
    """
    found = d.state.lines.get(line)
    if found is None or found.over:
        return
    d.log("end_line", reason, line=line, state=found.state.value)
    if line == d.state.main:
        d.set(end_reason=d.state.end_reason or reason)
    _leave_dials(d, line, reason)
    agent.line_ends(d, line, reason)
    d.set(flows=tuple(f for f in d.state.flows if f.line != line))
    for op in d.ops_of(line):
        if op.id in d.state.ops:
            ending.abort(d, op, "hangup")
    if line == d.state.main:
        for other in tuple(d.state.lines.values()):
            if other.id != line:
                end_line(d, other.id, "hangup")
    lines.part(d, line)
    d.emit(EndLine(line, reason))
    d.set_line(line, end_reason=reason, closing_us=d.now, hearing=False, speaking=False)
    d.moved()


def _leave_dials(d: Draft, line: str, reason: str) -> None:
    for op in tuple(d.state.ops.values()):
        data = op.data
        if not isinstance(data, DialData) or op.id not in d.state.ops:
            continue
        if op.line == line:
            dialing.abort(d, op, reason)
        elif line in data.open or line == data.winner:
            _left(d, op.id, line, reason)


def _left(d: Draft, op: str, line: str, reason: str) -> None:
    """A dialled line leaves: mark it over first, so that the dial does not drop it again."""
    found = d.state.ops[op]
    data = found.data
    assert isinstance(data, DialData)
    if data.stage is DialStage.CONFIRMING and data.winner == line:
        d.log("connect", "not_confirmed", line=line)
    agent.line_ends(d, line, reason)
    d.set(flows=tuple(f for f in d.state.flows if f.line != line))
    for own in d.ops_of(line):
        ending.abort(d, own, "hangup")
    lines.part(d, line)
    d.emit(EndLine(line, reason))
    d.set_line(line, end_reason=reason, closing_us=d.now, hearing=False, speaking=False)
    dialing.line_gone(d, d.state.ops[op], line, reason)


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
        if op.line not in d.state.lines and op.kind is not OpKind.RECORD:
            ending.finish(d, op, "error")
