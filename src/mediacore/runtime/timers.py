"""Everything that happens because time has passed: one list of deadlines, one place to act.

`next_deadline` is the earliest; `pass_time` does all that are due. A deadline that was acted on is
gone from the list, or has moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mediacore.runtime import (
    afterward,
    agent,
    collect,
    detect,
    dialing,
    ending,
    lines,
    methods,
    spending,
    talking,
    turns,
    voice,
)
from mediacore.runtime.actions import PlayItem, Publish
from mediacore.runtime.draft import Draft
from mediacore.runtime.hangup import end_line, hang_up_all
from mediacore.runtime.state import (
    CollectData,
    DetectData,
    DialData,
    Line,
    LineState,
    Operation,
    OpKind,
    PlayData,
    PlayState,
    RecordData,
    ReferData,
    RunState,
    WaitData,
)
from mediacore.runtime.yielding import drop_flows

Act = Callable[[Draft], None]
Timer = tuple[int, Act]
_MS_US = 1000
_MAX_ACTS = 64
_WATCHING = (OpKind.RECORD, OpKind.DETECT, OpKind.TAP, OpKind.STREAM)  # not reasons to go on
_STORE_MS = 10_000  # a file that is not reported closed after so long is lost


def next_deadline(state: RunState) -> int | None:
    """When `Tick` is wanted, monotonic µs; None = not by itself."""
    if state.over:
        return None
    return min((due_us for due_us, _ in _timers(state)), default=None)


def pass_time(d: Draft) -> None:
    """Do everything that is due."""
    for _ in range(_MAX_ACTS):
        due = [timer for timer in _timers(d.state) if timer[0] <= d.now]
        if not due:
            return
        min(due, key=lambda timer: timer[0])[1](d)
    d.refuse("timer_storm")
    hang_up_all(d, "error")


def _timers(state: RunState) -> Iterator[Timer]:
    for line in state.lines.values():
        yield from _line_timers(state, line)
    for op in state.ops.values():
        yield from _op_timers(state, op)
    run = state.run
    if run is not None:
        opening = agent.opening_due_us(run)
        if opening is not None:
            yield opening, agent.open_talk
        if run.held and run.hold_until_us is not None:
            yield run.hold_until_us, agent.hold_over
        if run.quiet_until_us is not None:
            yield run.quiet_until_us, turns.quiet_over
        wake = talking.deadline_us(run)
        if wake is not None:
            yield wake, talking.wake
    for closing in state.closing:
        yield afterward.due_us(closing), afterward.time_passed
    limit = spending.deadline_us(state.meter)
    if limit is not None and run is not None and not run.hangup:
        yield limit, spending.check_time
    if limit is not None and run is None and state.main and not state.end_reason:
        yield limit, _time_over
    reserve = spending.reserve_due_us(state)
    if reserve is not None:
        yield reserve, spending.reserve_missing
    if state.lease is not None:
        yield state.lease.until_us, _lease_over
    if state.alone_us is not None and not _at_work(state):
        yield state.alone_us + state.settings.idle_ms * _MS_US, _abandoned


def _line_timers(state: RunState, line: Line) -> Iterator[Timer]:
    settings = state.settings
    if line.state.over:
        return
    if line.closing_us is not None:
        yield line.closing_us + settings.closing_ms * _MS_US, ending.tell_line_ends
        return
    if line.retell_us is not None:
        yield line.retell_us, _retell(line.id)
    if line.limit_us is not None:
        yield line.limit_us, _ends(line.id, "max_duration")
    if line.media_lost_us is not None and settings.media_lost_ms:
        lost = line.media_lost_us + settings.media_lost_ms * _MS_US
        yield lost, _ends(line.id, "error")
    if line.state in (LineState.CREATED, LineState.RINGING):
        yield from _unanswered(state, line)


def _unanswered(state: RunState, line: Line) -> Iterator[Timer]:
    """A destination rings so long; a caller waits so long, unless a destination rings for it."""
    limit_us = state.settings.answer_ms * _MS_US
    if line.ring_us is not None:
        yield line.ring_us, _ends(line.id, "noAnswer")
    elif line.answering_us is not None:
        yield line.answering_us + limit_us, _ends(line.id, "error")
    elif state.dial is None or state.dial.line != line.id:
        yield line.created_us + limit_us, _ends(line.id, "noAnswer")


def _ends(line: str, reason: str) -> Act:
    def act(d: Draft) -> None:
        d.log("limit", reason, line=line)
        end_line(d, line, reason)

    return act


def _retell(line: str) -> Act:
    def act(d: Draft) -> None:
        d.set_line(line, retell_us=None)
        lines.tell_state(d, line)

    return act


def _time_over(d: Draft) -> None:
    """The call's time is up without a conversation: a goodbye, then the end."""
    settings, main = d.state.settings, d.line(d.state.main)
    d.set(end_reason="limit_call_seconds")
    d.log("limit", "call_seconds", line=main.id)
    body = {"call_id": main.id, "reason": "call_seconds", "stage": ""}
    d.emit(Publish("calling.limit", main.id, body))
    if not main.up or not settings.limit_goodbye:
        end_line(d, main.id, "max_duration")
        return
    drop_flows(d, main.id, "max_duration")
    for op in d.ops_of(main.id):
        if op.id not in d.state.ops:
            continue
        if isinstance(op.data, DialData):
            dialing.abort(d, op, "max_duration")
        elif op.kind in (*voice.VOICE, OpKind.COLLECT):
            ending.abort(d, op, "max_duration")
    goodbye = PlayData((PlayItem("say", settings.limit_goodbye),))
    d.open(OpKind.PLAY, main.id, methods.GOODBYE, goodbye)
    latest_us = d.now + settings.talk.limit_grace_ms * _MS_US
    limit_us = d.line(main.id).limit_us
    d.set_line(main.id, held=False, limit_us=min(latest_us, limit_us or latest_us))


def _at_work(state: RunState) -> bool:
    """Whether a document, the agent, or something ordered keeps the call going."""
    return bool(
        state.flows
        or state.run is not None
        or any(op.kind not in _WATCHING for op in state.ops.values())
    )


def _abandoned(d: Draft) -> None:
    d.set(alone_us=None)
    d.log("limit", "abandoned", controller=True)
    hang_up_all(d, "abandoned")


def _lease_over(d: Draft) -> None:
    d.set(lease=None)
    d.log("lease", "ended", reason="time")


# -------------------------------------------------------------------------------- operations


def _op_timers(state: RunState, op: Operation) -> Iterator[Timer]:
    line = state.lines.get(op.line)
    match op.data:
        case DialData():
            due = dialing.deadline_us(op)
            if due is not None:
                yield due, _for(op, dialing.too_late)
        case CollectData():
            due = collect.due_us(op)
            if due is not None:
                yield due, _for(op, _collected)
        case DetectData() if line is not None:
            found = detect.due(op, line)
            if found is not None:
                yield found[0], _for(op, _detected)
        case RecordData() if line is not None:
            yield from _record_timers(op, line)
        case WaitData(until_us=until) if until is not None:
            yield until, _for(op, _waited)
        case ReferData(until_us=until):
            yield until, _for(op, _not_referred)
        case _:
            pass
    play = voice.play_of(op)
    if play is not None and play.state is PlayState.STARTING:
        stalled = play.moved_us + state.settings.play_stall_ms * _MS_US
        yield stalled, _for(op, _stalled)


def _for(op: Operation, act: Callable[[Draft, Operation], None]) -> Act:
    def run(d: Draft) -> None:
        act(d, d.state.ops[op.id])

    return run


def _collected(d: Draft, op: Operation) -> None:
    input_over(d, op, collect.times_out(op))


def input_over(d: Draft, op: Operation, result: collect.Result) -> None:
    """Input is complete, or will not come."""
    assert isinstance(op.data, CollectData)
    if op.data.continuous and result["type"] in ("digit", "speech"):
        body = {"control_id": op.id, "state": "collecting", "result": result, "final": True}
        d.publish("collect", op.line, body)
        collect.again(d, op)
        return
    states = {"no_input": "no_input", "no_match": "no_match", "error": "error"}
    state = states.get(str(result["type"]), "finished")
    ending.finish(d, op, state, {"result": result})


def _detected(d: Draft, op: Operation) -> None:
    found = detect.due(op, d.line(op.line))
    if found is None or found[0] > d.now:
        return
    if not found[1]:
        ending.finish(d, op, "finished")
        return
    detect.find(d, op, found[1])
    detected(d, d.state.ops[op.id])


def detected(d: Draft, op: Operation) -> None:
    """After a finding: nothing more may be of interest."""
    if detect.over(op):
        ending.finish(d, op, "finished")


def _record_timers(op: Operation, line: Line) -> Iterator[Timer]:
    data = op.data
    assert isinstance(data, RecordData)
    if data.stopped_us is not None:
        yield data.stopped_us + _STORE_MS * _MS_US, _for(op, _not_stored)
        return
    if data.max_ms:
        yield op.since_us + data.max_ms * _MS_US, _for(op, _recorded)
    if data.paused:
        return
    if data.initial_ms and not data.heard:
        yield op.since_us + data.initial_ms * _MS_US, _for(op, _nothing_recorded)
    quiet = line.quiet_us
    if data.end_silence_ms and data.heard and not line.speaking and quiet is not None:
        yield quiet + data.end_silence_ms * _MS_US, _for(op, _recorded)


def _recorded(d: Draft, op: Operation) -> None:
    ending.stop_recording(d, op)


def _nothing_recorded(d: Draft, op: Operation) -> None:
    ending.stop_recording(d, op, no_input=True)


def _not_stored(d: Draft, op: Operation) -> None:
    d.refuse("recording_not_closed", op=op.id)
    ending.finish(d, op, "error")


def _waited(d: Draft, op: Operation) -> None:
    if op.kind in (OpKind.REQUEST, OpKind.FETCH):
        code = {"code": "relay_script_fetch_timeout", "text": "no reply in time"}
        ending.finish(d, op, "error", {"error": "timeout", **code})
    else:
        ending.finish(d, op, "finished")


def _not_referred(d: Draft, op: Operation) -> None:
    ending.finish(d, op, "error", {"notify": 408})


def _stalled(d: Draft, op: Operation) -> None:
    d.log("play", "stalled", line=op.line)
    play_over(d, op, "error")


def play_over(d: Draft, op: Operation, how: str) -> None:
    """What an operation plays is over: the play, or only the announcement before the input."""
    if isinstance(op.data, CollectData):
        voice.announced(d, op.id, "error" if how == "error" else "finished")
        if op.data.since_us is None and op.data.speech_us is None and not op.data.got:
            d.set_op(op.id, since_us=d.now)
        return
    ending.finish(d, op, "error" if how == "error" else "finished")
