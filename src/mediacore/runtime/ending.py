"""How operations, lines and the call end. Nothing that is over leaves anything behind.

An operation ends in one place (`finish`), with its terminal event; a line in one place
(`end_line`), with all its operations; the call in one place (`settle`), when its lines are over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mediacore.runtime import collect, detect, lines, referring, voice
from mediacore.runtime.actions import (
    CallOver,
    CancelWork,
    StopFork,
    StopHearing,
    StopRecording,
)
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import (
    CollectData,
    DetectData,
    DialData,
    ForkData,
    Operation,
    OpKind,
    RecordData,
    ReferData,
    Stage,
)

Outcome = Mapping[str, object]

_WORK: Final = (OpKind.REQUEST, OpKind.FETCH)


def finish(d: Draft, op: Operation, state: str, outcome: Outcome | None = None) -> Operation:
    """An operation is over: its terminal event, once, and whatever it held is free again.

    state: published terminal state. outcome: what the event carries beside it, and what a
    document's variables are made from.
    """
    if op.id not in d.state.ops:
        return op
    if isinstance(op.data, CollectData):
        voice.announced(d, op.id)
    found = d.drop_op(op.id) or op
    outcome = outcome or {}
    if found.kind is OpKind.PLAY:
        voice.stop(d, found)
    if found.kind in _WORK:
        d.emit(CancelWork(found.id))
    _tell(d, found, state, outcome)
    if found.kind in (OpKind.PROMPT, OpKind.COLLECT):
        _hearing_over(d, found.line)
    d.finished.append((found, state, outcome))
    d.log("operation", state, kind=found.kind.value, ms=(d.now - found.since_us) // 1000)
    return found


def _tell(d: Draft, op: Operation, state: str, outcome: Outcome) -> None:
    body: dict[str, object] = {"control_id": op.id, "state": state, **outcome}
    match op.data:
        case CollectData():
            body.setdefault("final", True)
            d.publish("collect", op.line, body)
        case DetectData():
            detect.tell(d, op, "finished" if state != "error" else "error")
        case RecordData(status_url=url):
            if state == "error":  # clients know no such end of a recording, and would wait on
                body |= {"state": "finished", "error": "not stored"}
            body["record"] = _record(op.data, outcome)
            d.publish("record", op.line, body)
            d.status(url, {"event_type": "calling.call.record", "params": body})
        case ForkData(spec=spec, device=device):
            name = "tap" if op.kind is OpKind.TAP else "stream"
            extra = {"tap": spec, "device": device} if op.kind is OpKind.TAP else spec
            d.publish(name, op.line, {**body, **extra})
        case ReferData():
            referring.tell(d, op, state, outcome)
        case _:
            published = {OpKind.PLAY: "play", OpKind.DIGITS: "send_digits", OpKind.AI: "ai"}
            if op.kind in published:
                d.publish(published[op.kind], op.line, body)


def _record(data: RecordData, outcome: Outcome) -> dict[str, object]:
    audio = {"format": data.format, "stereo": data.stereo, "direction": data.direction}
    return {"audio": audio, **outcome}


def stop_recording(d: Draft, op: Operation, *, no_input: bool = False) -> None:
    """Close a recording; its end is told when the file is complete."""
    assert isinstance(op.data, RecordData)
    if not op.data.stopping:
        d.set_op(op.id, stopped_us=d.now, no_input=no_input)
        d.emit(StopRecording(op.id))


def _hearing_over(d: Draft, line: str) -> None:
    """Stop recognition when nobody needs it any more."""
    found = d.line(line)
    if not found.hearing or _needs_hearing(d, line):
        return
    d.set_line(line, hearing=False)
    d.emit(StopHearing(line))


def _needs_hearing(d: Draft, line: str) -> bool:
    run = d.state.run
    if run is not None and run.line == line and run.stage is not Stage.CLOSING:
        return True
    wanted = d.ops_of(line, OpKind.PROMPT, OpKind.COLLECT)
    return any(isinstance(o.data, CollectData) and o.data.speech is not None for o in wanted)


def release_hearing(d: Draft, line: str) -> None:
    """The conversation does not need recognition any more."""
    if line in d.state.lines:
        _hearing_over(d, line)


def abort(d: Draft, op: Operation, reason: str) -> None:
    """End an operation because its line or its owner is gone."""
    match op.data:
        case RecordData():
            stop_recording(d, op)
        case ForkData():
            d.emit(StopFork(op.id))
            finish(d, op, "finished")
        case CollectData():
            result = collect.times_out(op) if op.data.got or op.data.text else {"type": "error"}
            finish(d, op, "error", {"result": result, "reason": reason})
        case DetectData() | DialData():
            finish(d, op, "error")
        case _:
            finish(d, op, "finished" if op.kind in (OpKind.PLAY, OpKind.AI) else "error")


def tell_line_ends(d: Draft) -> None:
    """Tell the end of lines whose recordings are closed."""
    for line in tuple(d.state.lines.values()):
        if line.closing_us is None or line.state.over:
            continue
        overdue = d.now >= line.closing_us + d.state.settings.closing_ms * 1000
        for op in d.ops_of(line.id, OpKind.RECORD):
            if overdue:
                d.refuse("recording_not_closed", op=op.id)
                finish(d, op, "error")
        if not d.ops_of(line.id):
            lines.tell_end(d, line.id)


def settle(d: Draft) -> None:
    """End the call when all its lines are over and nothing of the agent is left to do."""
    state = d.state
    if state.over or (state.main == "" and (state.dial is not None or not state.told)):
        return
    if any(not line.state.over for line in state.lines.values()):
        return
    if state.run is not None or state.closing or state.ops or state.flows:
        return
    main = state.lines.get(state.main)
    reason = state.end_reason or (main.end_reason if main is not None else "") or "error"
    d.set(over=True, end_reason=reason)
    d.log("call_over", reason, version=state.version)
    d.emit(CallOver(reason))
