"""Lines: their states, what is told about them, and how they end.

Ending a line takes everything that depends on it along: see `hangup.end_line`.
"""

from __future__ import annotations

from mediacore.runtime.actions import AnswerLine, LimitLine, PartLines
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import Line, LineState, RunState


def device_of(line: Line) -> dict[str, object]:
    """The line's far party as published."""
    params: dict[str, object] = {"from_number": line.from_number, "to_number": line.to_number}
    if line.kind != "phone":
        params |= {"from": line.from_number, "to": line.to_number}
    if line.headers:
        params["headers"] = [{"name": k, "value": v} for k, v in line.headers.items()]
    return {"type": line.kind, "params": params}


def state_params(line: Line) -> dict[str, object]:
    """A line's state as published."""
    params: dict[str, object] = {
        "call_state": line.state.value,
        "direction": line.direction,
        "device": device_of(line),
        "segment_id": line.id,
    }
    if line.tag:
        params["tag"] = line.tag
    if line.parent:
        params["parent"] = {"call_id": line.parent}
    if line.peer:
        params["peer"] = {"call_id": line.peer}
    if line.end_reason:
        params["end_reason"] = line.end_reason
    return params


def call_facts(state: RunState, line: Line) -> dict[str, object]:
    """The `call` object of documents and of document requests."""
    facts: dict[str, object] = {
        "call_id": line.id,
        "node_id": state.settings.node,
        "segment_id": line.id,
        "call_state": line.state.value,
        "direction": line.direction,
        "type": line.kind,
        "from": line.from_number,
        "to": line.to_number,
        "from_number": line.from_number,
        "to_number": line.to_number,
        "headers": [{"name": k, "value": v} for k, v in line.headers.items()],
        "project_id": state.settings.project,
        "space_id": state.settings.space,
    }
    if line.parent:
        facts["parent"] = {"call_id": line.parent}
    if line.peer:
        facts["peer"] = {"call_id": line.peer}
    return facts


def tell_state(d: Draft, line: str, *, issuer: str = "") -> None:
    """Publish the line's state."""
    d.publish("state", line, state_params(d.line(line)), issuer=issuer)


def move(d: Draft, line: str, state: LineState, **changes: object) -> None:
    """A line's state goes forward, and is told."""
    d.set_line(line, state=state, **changes)
    d.moved()
    tell_state(d, line)


def answer(d: Draft, line: str) -> None:
    """Answer an incoming line, once."""
    found = d.line(line)
    if found.answering or found.over or found.up or found.direction != "inbound":
        return
    d.set_line(line, answering_us=d.now)
    d.log("answer", "ordered", line=line)
    d.emit(AnswerLine(line))


def limit(d: Draft, line: str, limit_ms: int) -> None:
    """The line's absolute end; the earlier one holds, and the audio core enforces it as well."""
    found = d.line(line)
    base_us = found.created_us if found.answered_us is None else found.answered_us
    limit_us = base_us + limit_ms * 1000
    if found.limit_us is not None and found.limit_us <= limit_us:
        return
    d.set_line(line, limit_us=limit_us)
    if found.up:
        tell_limit(d, line)


def tell_limit(d: Draft, line: str) -> None:
    """Give the core the line's absolute end."""
    limit_us = d.line(line).limit_us
    if limit_us is not None:
        d.emit(LimitLine(line, max(limit_us - d.now, 0) // 1000 + 1000))


def part(d: Draft, line: str) -> str:
    """Take a line out of its bridge. Returns the other line, "" when there was none."""
    peer = d.line(line).peer
    if not peer:
        return ""
    d.set_line(line, peer="")
    if peer in d.state.lines:
        d.set_line(peer, peer="")
    d.emit(PartLines(line, peer))
    return peer


def tell_end(d: Draft, line: str) -> None:
    """The line is over for everybody. Its operations have had their terminal events."""
    move(d, line, LineState.ENDING)
    move(d, line, LineState.ENDED)
