"""Dialling as a transaction: prepare (ring), commit (join), or abort. A hang-up aborts it anywhere.

      groups[0] ring ─► first answer wins, the others are cancelled ─► confirm? ─► commit: join
          │ all failed or time over                                      │ refused
          └─► groups[1] … ─► none left: failed  ◄─────────────────────────┘

Until the commit the caller's line is not touched; after it, the two lines hear each other until
one of them ends or they are parted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mediacore.runtime import ending, lines
from mediacore.runtime.actions import DialLine, EndLine, JoinLines, StartBed, StopBed
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import (
    DialData,
    DialStage,
    Line,
    LineState,
    Operation,
    OpKind,
    Target,
)

# Programs that wait for "answered" after the dial returned must still see it; in one burst with
# the dial event the published clients drop it.
_RETELL_MS: Final = 200


def begin(d: Draft, op: Operation) -> None:
    """Ring the first group."""
    data = _data(op)
    if op.line:
        d.publish("connect", op.line, {"connect_state": "connecting", "tag": data.tag})
        if data.ringback:
            d.emit(StartBed(op.line, data.ringback))
    d.moved()
    next_group(d, op.id)


def next_group(d: Draft, op: str) -> None:
    """Ring the next group, or give up."""
    data = _data(d.state.ops[op])
    at = data.at + 1
    if at >= len(data.groups):
        fail(d, op, data.failed or "noAnswer")
        return
    d.set_op(op, at=at, open=(), group_us=d.now)
    for target in data.groups[at]:
        _ring(d, op, target)


def _ring(d: Draft, op: str, target: Target) -> None:
    found = d.state.ops[op]
    data = _data(found)
    line = f"{d.state.id}-{d.serial()}"
    d.add_line(
        Line(
            line,
            target.kind,
            "outbound",
            target.from_number,
            target.to_number,
            target.headers,
            tag=data.tag,
            parent=found.line,
            created_us=d.now,
        )
    )
    d.set_op(op, open=(*data.open, line))
    lines.tell_state(d, line, issuer=found.owner if not found.owner.startswith("flow") else "")
    d.emit(
        DialLine(
            line,
            target.kind,
            target.to_number,
            target.from_number,
            target.headers,
            target.codecs,
            target.timeout_ms,
            target.username,
            target.password,
        )
    )


def ringing(d: Draft, line: str) -> None:
    """A dialled line rings."""
    if d.line(line).state is LineState.CREATED:
        lines.move(d, line, LineState.RINGING)


def answered(d: Draft, op: Operation, line: str) -> None:
    """A dialled line answered: the first one wins, whatever comes in the same instant."""
    data = _data(op)
    if data.stage is not DialStage.RINGING or data.winner or line not in data.open:
        d.refuse("late_answer", line=line)
        drop(d, line, "cancel")
        return
    d.set_op(op.id, winner=line, open=(line,))
    for other in data.open:
        if other != line:
            drop(d, other, "cancel")
    if data.confirm is not None:
        d.set_op(op.id, stage=DialStage.CONFIRMING, group_us=d.now)
        return
    commit(d, op.id)


def commit(d: Draft, op: str) -> None:
    """The winner and the caller hear each other; the transaction is closed."""
    found = d.state.ops[op]
    data = _data(found)
    if found.line and not d.line(found.line).up:
        d.set_op(op, stage=DialStage.JOINING)
        lines.answer(d, found.line)
        return
    d.set_op(op, stage=DialStage.COMMITTED, group_us=d.now)
    if not found.line:
        _originated(d, found)
        return
    d.emit(StopBed(found.line), JoinLines(found.line, data.winner))
    d.set_line(found.line, peer=data.winner)
    d.set_line(data.winner, peer=found.line)
    if data.max_ms:
        lines.limit(d, data.winner, data.max_ms)
    d.moved()
    d.log("connect", "joined", line=found.line, peer=data.winner)
    d.publish("connect", found.line, _connected(d, data, "connected"))
    _status(d, data, "answered")


def caller_answered(d: Draft, line: str) -> None:
    """The caller's line has media: a party that waits for it is joined."""
    for op in d.ops_of(line, OpKind.CONNECT):
        if _data(op).stage is DialStage.JOINING:
            commit(d, op.id)


def _originated(d: Draft, op: Operation) -> None:
    """An outbound call has its line. Clients want its state on both sides of the dial event."""
    data = _data(op)
    winner = d.line(data.winner)
    d.set(main=data.winner, told=True)
    d.drop_op(op.id)
    call = {
        "call_id": winner.id,
        "node_id": d.state.settings.node,
        "tag": data.tag,
        "device": lines.device_of(winner),
        "dial_winner": True,
    }
    body = {"tag": data.tag, "dial_state": "answered", "call": call}
    d.publish("dial", winner.id, body, issuer=op.owner)
    d.set_line(winner.id, retell_us=d.now + _RETELL_MS * 1000)
    if data.max_ms:
        lines.limit(d, winner.id, data.max_ms)
    d.moved()


def line_gone(d: Draft, op: Operation, line: str, reason: str) -> None:
    """A line of the dial ended: before the commit the next is tried, after it the dial is over."""
    data = _data(op)
    if data.stage is DialStage.COMMITTED:
        over(d, op, reason)
        return
    rest = tuple(other for other in data.open if other != line)
    d.set_op(op.id, open=rest, failed=reason)
    if data.winner == line:
        d.set_op(op.id, winner="", stage=DialStage.RINGING)
    if not rest:
        next_group(d, op.id)


def not_confirmed(d: Draft, op: str) -> None:
    """The winner did not take the call."""
    data = _data(d.state.ops[op])
    winner = data.winner
    d.set_op(op, winner="", open=(), stage=DialStage.RINGING, failed="decline")
    d.log("connect", "not_confirmed", line=winner)
    drop(d, winner, "cancel")
    next_group(d, op)


def fail(d: Draft, op: str, reason: str) -> None:
    """Nobody answered."""
    found = d.state.ops[op]
    data = _data(found)
    for line in data.open:
        drop(d, line, "cancel")
    d.log("connect", "failed", reason=reason, groups=len(data.groups))
    if not found.line:
        body = {"tag": data.tag, "dial_state": "failed", "reason": reason}
        d.publish("dial", "", body, issuer=found.owner)
        d.set(told=True, end_reason=d.state.end_reason or reason)
        ending.finish(d, found, "error")
        return
    d.emit(StopBed(found.line))
    body = {"connect_state": "failed", "failed_reason": reason, "tag": data.tag}
    d.publish("connect", found.line, body)
    _status(d, data, "ended")
    ending.finish(d, found, "error", {"result": "failed", "reason": reason})
    d.moved()


def over(d: Draft, op: Operation, reason: str) -> None:
    """Two lines that heard each other do not any more."""
    data = _data(op)
    lines.part(d, op.line)
    d.publish("connect", op.line, _connected(d, data, "disconnected"))
    _status(d, data, "ended")
    ending.finish(d, op, "finished", {"result": "connected", "reason": reason})
    d.moved()


def abort(d: Draft, op: Operation, reason: str) -> None:
    """The caller is gone or somebody took over: everything that was prepared is undone."""
    data = _data(op)
    if data.stage is DialStage.COMMITTED:
        lines.part(d, op.line)
        d.publish("connect", op.line, _connected(d, data, "disconnected"))
    else:
        if op.line:
            d.emit(StopBed(op.line))
            body = {"connect_state": "failed", "failed_reason": reason, "tag": data.tag}
            d.publish("connect", op.line, body)
        else:
            body = {"tag": data.tag, "dial_state": "failed", "reason": reason}
            d.publish("dial", "", body, issuer=op.owner)
        d.log("connect", "aborted", reason=reason, stage=data.stage.value)
    ending.finish(d, op, "error", {"result": "failed", "reason": reason})
    for line in {*data.open, *([data.winner] if data.winner else [])}:
        drop(d, line, "cancel" if data.stage is not DialStage.COMMITTED else "hangup")


def drop(d: Draft, line: str, reason: str) -> None:
    """End a line of a dial that is not needed. It may have operations if it was being asked."""
    found = d.state.lines.get(line)
    if found is None or found.over:
        return
    for op in d.ops_of(line):
        if isinstance(op.data, DialData):
            abort(d, op, "line_gone")
        else:
            ending.abort(d, op, "line_gone")
    d.set(flows=tuple(f for f in d.state.flows if f.line != line))
    if not d.ops_of(line, OpKind.RECORD):
        d.emit(EndLine(line, reason))
        d.set_line(line, end_reason=reason, hearing=False, closing_us=d.now)
        lines.tell_end(d, line)
    else:
        lines.hang_up(d, line, reason)


def deadline_us(op: Operation) -> int | None:
    """When the transaction gives up waiting."""
    data = _data(op)
    if data.group_us is None or data.stage in (DialStage.JOINING, DialStage.COMMITTED):
        return None
    if data.stage is DialStage.CONFIRMING:
        return data.group_us + data.confirm_ms * 1000 if data.confirm_ms else None
    slowest = max((t.timeout_ms for t in data.groups[data.at]), default=0)
    return data.group_us + slowest * 1000


def too_late(d: Draft, op: Operation) -> None:
    """The group or the confirmation took too long."""
    data = _data(op)
    if data.stage is DialStage.CONFIRMING:
        not_confirmed(d, op.id)
        return
    for line in data.open:
        drop(d, line, "cancel")
    d.set_op(op.id, open=(), failed="noAnswer")
    next_group(d, op.id)


def _connected(d: Draft, data: DialData, state: str) -> dict[str, object]:
    winner = d.state.lines.get(data.winner)
    peer: dict[str, object] = {"call_id": data.winner, "node_id": d.state.settings.node}
    if winner is not None:
        peer["device"] = lines.device_of(winner)
    return {"connect_state": state, "peer": peer, "tag": data.tag}


def _status(d: Draft, data: DialData, event: str) -> None:
    if data.status_url and event in data.status_events:
        body = {"event_type": "calling.call.state", "params": {"call_state": event}}
        d.status(data.status_url, body)


def _data(op: Operation) -> DialData:
    assert isinstance(op.data, DialData)
    return op.data


def with_caller(target: Target, caller: str) -> Target:
    """The caller's own number, where the destination names none."""
    return target if target.from_number else replace(target, from_number=caller)
