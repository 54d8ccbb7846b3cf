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
from mediacore.runtime.actions import DialLine, JoinLines, StartBed, StopBed
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
        _ringback(d, op)
    d.moved()
    next_group(d, op.id)


def _ringback(d: Draft, op: Operation) -> None:
    data = _data(op)
    if data.ringback and d.line(op.line).up:
        d.emit(StartBed(op.line, data.ringback))


def _no_ringback(d: Draft, op: Operation) -> None:
    if _data(op).ringback and op.line and d.line(op.line).up:
        d.emit(StopBed(op.line))


def next_group(d: Draft, op: str) -> None:
    """Ring the next group, or give up."""
    data = _data(d.state.ops[op])
    at = data.at + 1
    if at >= len(data.groups):
        fail(d, op, data.failed or "noAnswer")
        return
    d.set_op(op, at=at, open=())
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
            ring_us=d.now + target.timeout_ms * 1000,
        )
    )
    d.set_op(op, open=(*data.open, line))
    lines.tell_state(d, line, issuer=found.owner if not found.owner.startswith("flow") else "")
    _status(d, data, line, "created")
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
    if d.line(line).state is not LineState.CREATED:
        return
    lines.move(d, line, LineState.RINGING)
    dial = d.state.dial
    if dial is not None and line in _data(dial).open:
        _status(d, _data(dial), line, "ringing")


def answered(d: Draft, op: Operation, line: str) -> None:
    """A dialled line answered: the first one wins, whatever comes in the same instant."""
    data = _data(op)
    if data.stage is not DialStage.RINGING or data.winner or line not in data.open:
        d.refuse("late_answer", line=line)
        _drop(d, data, line)
        return
    d.set_op(op.id, winner=line, open=(line,))
    _status(d, data, line, "answered")
    for other in data.open:
        if other != line:
            _drop(d, data, other)
    if data.confirm is not None:
        d.set_op(op.id, stage=DialStage.CONFIRMING, asked_us=d.now)
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
    d.set_op(op, stage=DialStage.COMMITTED)
    if not found.line:
        _originated(d, found)
        return
    if data.stage is not DialStage.JOINING:
        _no_ringback(d, found)
    d.emit(JoinLines(found.line, data.winner))
    d.set_line(found.line, peer=data.winner)
    d.set_line(data.winner, peer=found.line)
    if data.max_ms:
        lines.limit(d, data.winner, data.max_ms)
    d.moved()
    d.log("connect", "joined", line=found.line, peer=data.winner)
    d.publish("connect", found.line, _connected(d, data, "connected"))


def caller_answered(d: Draft, line: str) -> None:
    """The caller's line has media: a party that waits for it is joined, else it hears the ring."""
    for op in d.ops_of(line, OpKind.CONNECT):
        if _data(op).stage is DialStage.JOINING:
            commit(d, op.id)
        elif _data(op).stage is not DialStage.COMMITTED:
            _ringback(d, op)


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
    _status(d, data, line, "ended")
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
    _drop(d, data, winner)
    next_group(d, op)


def fail(d: Draft, op: str, reason: str) -> None:
    """Nobody answered."""
    found = d.state.ops[op]
    data = _data(found)
    d.log("connect", "failed", reason=reason, groups=len(data.groups))
    if not found.line:
        body = {"tag": data.tag, "dial_state": "failed", "reason": reason}
        d.publish("dial", "", body, issuer=found.owner)
        d.set(told=True, end_reason=d.state.end_reason or reason)
        ending.finish(d, found, "error")
        return
    _no_ringback(d, found)
    body = {"connect_state": "failed", "failed_reason": reason, "tag": data.tag}
    d.publish("connect", found.line, body)
    ending.finish(d, found, "error", {"result": "failed", "reason": reason})
    d.moved()


def over(d: Draft, op: Operation, reason: str) -> None:
    """Two lines that heard each other do not any more."""
    data = _data(op)
    lines.part(d, op.line)
    d.publish("connect", op.line, _connected(d, data, "disconnected"))
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
            _no_ringback(d, op)
            body = {"connect_state": "failed", "failed_reason": reason, "tag": data.tag}
            d.publish("connect", op.line, body)
        else:
            body = {"tag": data.tag, "dial_state": "failed", "reason": reason}
            d.publish("dial", "", body, issuer=op.owner)
        d.log("connect", "aborted", reason=reason, stage=data.stage.value)
    ending.finish(d, op, "error", {"result": "failed", "reason": reason})
    for line in data.open:  # the winner is the last one open
        _drop(d, data, line)


def _drop(d: Draft, data: DialData, line: str) -> None:
    """A line of a dial is not needed: it ends in this step."""
    found = d.line(line)
    if not found.over:
        d.leaving.append((line, "hangup" if found.up else "cancel"))
        _status(d, data, line, "ended")


def deadline_us(op: Operation) -> int | None:
    """When the confirmation is not waited for any longer. Ringing ends line by line."""
    data = _data(op)
    if data.stage is not DialStage.CONFIRMING or data.asked_us is None or not data.confirm_ms:
        return None
    return data.asked_us + data.confirm_ms * 1000


def too_late(d: Draft, op: Operation) -> None:
    """The confirmation took too long."""
    not_confirmed(d, op.id)


def _connected(d: Draft, data: DialData, state: str) -> dict[str, object]:
    winner = d.state.lines.get(data.winner)
    peer: dict[str, object] = {"call_id": data.winner, "node_id": d.state.settings.node}
    if winner is not None:
        peer["device"] = lines.device_of(winner)
    return {"connect_state": state, "peer": peer, "tag": data.tag}


def _status(d: Draft, data: DialData, line: str, event: str) -> None:
    """Post a destination's state where the document wants to have it."""
    if data.status_url and event in data.status_events:
        params = {"call_id": line, **lines.state_params(d.line(line)), "call_state": event}
        d.status(data.status_url, {"event_type": "calling.call.state", "params": params})


def _data(op: Operation) -> DialData:
    assert isinstance(op.data, DialData)
    return op.data


def with_caller(target: Target, caller: str) -> Target:
    """The caller's own number, where the destination names none."""
    return target if target.from_number else replace(target, from_number=caller)
