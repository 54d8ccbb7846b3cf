"""Commands of controllers: who may, what is done, and one answer each, in the same step.

Refusals, in the order they are looked for: 404 no such call for this project, 410 the call is over,
501 not supported, 403 the token does not allow it, 409 the state has moved on, or somebody else has
the call (a lease, a transaction, a document, the agent), 400 the parameters, 429 too many
operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mediacore.flow.source import DocumentError
from mediacore.runtime import (
    agent,
    collect,
    dialing,
    ending,
    flows,
    lines,
    methods,
    reading,
    voice,
)
from mediacore.runtime.actions import (
    AnswerCommand,
    ArmLine,
    PauseRecording,
    PlayItem,
    Publish,
    ResumeRecording,
    SendDigits,
    StartBed,
    StopBed,
    StopFork,
)
from mediacore.runtime.documents import inline_document
from mediacore.runtime.draft import Draft
from mediacore.runtime.hangup import end_line, hang_up_all
from mediacore.runtime.ports import Answer, Command
from mediacore.runtime.reading import BadParams, Params
from mediacore.runtime.state import (
    CollectData,
    DetectData,
    DialData,
    DialStage,
    Lease,
    Line,
    LineState,
    Operation,
    OpKind,
    RecordData,
    Target,
    WaitData,
)
from mediacore.runtime.yielding import drop_flows


@dataclass(frozen=True, slots=True)
class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """The command is not carried out."""

    code: str
    message: str


Data = Mapping[str, object]
Handler = Callable[[Draft, Line, Command], Data | None]

_OWNERS_MAY: Final = frozenset({"end", "lease", "release", "user_event"})
_TERMINAL: Final = "finished"


def receive(d: Draft, request: int, command: Command) -> None:
    """Carry out or refuse one command, and answer it."""
    before = d.mark()
    try:
        data = _carry_out(d, command)
        d.moved()
        d.set(controller=command.issuer, alone_us=None)
        answer = Answer("200", "OK", {**(data or {}), "state_version": d.state.version})
        d.log("command", "done", method=command.method)
    except Refusal as refusal:
        d.undo(before)
        answer = Answer(refusal.code, refusal.message)
        d.refuse(f"command_{refusal.code}", method=command.method)
    except BadParams as error:
        d.undo(before)
        answer = Answer("400", str(error))
        d.refuse("command_400", method=command.method)
    d.emit(AnswerCommand(request, answer))
    if command.method == "dial" and not d.state.lines:  # nothing else will ever happen here
        d.set(told=True, end_reason=d.state.end_reason or "error")


def _carry_out(d: Draft, command: Command) -> Data | None:
    if command.method == "dial":
        return _dial(d, command)
    line = d.state.lines.get(command.call_id)
    project = d.state.settings.project
    if line is None or (project and command.project != project):
        raise Refusal("404", "no such call")
    if line.over or d.state.ending:
        raise Refusal("410", "the call is over")
    handler = COMMANDS.get(command.method)
    if handler is None:
        raise Refusal("501", f"calling.{command.method} is not supported")
    _permit(d, line, command)
    return handler(d, line, command)


# ---------------------------------------------------------------------------------- who may


def _permit(d: Draft, line: Line, command: Command) -> None:
    if "control" not in command.permissions:
        raise Refusal("403", "the token does not allow to control calls")
    if command.version is not None and command.version != d.state.version:
        raise Refusal("409", f"the call has moved on: state_version is {d.state.version}")
    lease = d.state.lease
    if lease is not None and lease.holder != command.issuer and d.now < lease.until_us:
        raise Refusal("409", "another controller holds the lease")
    if command.method in _OWNERS_MAY or command.method in _FREE:
        return
    dial = d.state.dial
    if dial is not None and command.method in _EXCLUSIVE:
        raise Refusal("409", f"a {dial.kind.value} is in progress")
    if command.method in _VOICE:
        _voice_is_free(d, line, command)


def _voice_is_free(d: Draft, line: Line, command: Command) -> None:
    run = d.state.run
    if run is not None and run.line == line.id and not run.held:
        raise Refusal("409", "the agent has the call: hold it with ai_hold or end it with ai.stop")
    if flows.main_flow(d, line.id) is not None and not _leased(d, command):
        raise Refusal("409", "a document runs the call: take a lease with take_over to end it")


def _leased(d: Draft, command: Command) -> bool:
    lease = d.state.lease
    return lease is not None and lease.holder == command.issuer and d.now < lease.until_us


def _up(line: Line) -> None:
    if not line.up:
        raise Refusal("409", f"the call is {line.state.value}")


def _new_id(d: Draft, params: Params) -> str:
    op = reading.text(params, "control_id")
    if op in d.state.ops:
        raise Refusal("409", "control_id is in use")
    if len(d.state.ops) >= d.state.settings.max_operations:
        raise Refusal("429", "too many operations on this call")
    if len(op) > reading.MAX_ID:
        raise BadParams(f"control_id: at most {reading.MAX_ID} characters")
    return op


def _op(d: Draft, line: Line, command: Command, *kinds: OpKind) -> Operation:
    name = reading.text(command.params, "control_id")
    op = d.state.ops.get(name)
    if op is None or op.line != line.id or (kinds and op.kind not in kinds):
        raise Refusal("404", "no such control_id")
    return op


def _started(op: Operation) -> Data:
    return {"control_id": op.id, "call_id": op.line}


# ------------------------------------------------------------------------------- call control


def _dial(d: Draft, command: Command) -> Data | None:
    if "dial" not in command.permissions:
        raise Refusal("403", "the token does not allow to dial")
    if d.state.lines or d.state.ops:
        raise Refusal("409", "this call exists already")
    groups = _groups(d, command)
    tag = reading.text(command.params, "tag")
    max_ms = reading.seconds_ms(command.params, "max_duration", 0)
    data = DialData(groups, tag=tag, max_ms=max_ms)
    op = d.open(OpKind.CONNECT, "", command.issuer, data, op=f"dial-{tag}"[:200])
    dialing.begin(d, op)
    return {"tag": tag}


def _groups(d: Draft, command: Command) -> tuple[tuple[Target, ...], ...]:
    groups = reading.device_groups(command.params.get("devices"))
    if len(d.state.lines) + sum(map(len, groups)) > d.state.settings.max_lines:
        raise Refusal("429", "too many destinations on this call")
    return groups


def _answer(d: Draft, line: Line, command: Command) -> Data | None:
    if line.direction != "inbound" or line.state is LineState.ANSWERED or line.answering:
        raise Refusal("409", "the call is answered already")
    limit_ms = reading.seconds_ms(command.params, "max_duration", 0)
    if limit_ms:
        lines.limit(d, line.id, limit_ms)
    lines.answer(d, line.id)
    return None


def _end(d: Draft, line: Line, command: Command) -> Data | None:
    reason = reading.text(command.params, "reason", "hangup")
    if reason not in ("hangup", "cancel", "busy", "noAnswer", "decline", "error"):
        reason = "hangup"
    end_line(d, line.id, reason)
    return None


def _pass(d: Draft, line: Line, command: Command) -> Data | None:
    if line.state is LineState.ANSWERED or line.answering:
        raise Refusal("409", "the call is answered already")
    return None


def _connect(d: Draft, line: Line, command: Command) -> Data | None:
    if line.peer:
        raise Refusal("409", "the call is connected already")
    params = command.params
    groups = _groups(d, command)
    caller = line.from_number if line.direction == "inbound" else line.to_number
    groups = tuple(tuple(dialing.with_caller(t, caller) for t in g) for g in groups)
    _yield_line(d, line, "connect")
    tone = methods.ringback(params["ringback"]) if params.get("ringback") else ()
    data = DialData(
        groups,
        tag=reading.text(params, "tag"),
        ringback=tone,
        max_ms=reading.seconds_ms(params, "max_duration", 0),
        status_url=reading.text(params, "status_url"),
    )
    dialing.begin(d, d.open(OpKind.CONNECT, line.id, command.issuer, data))
    return None


def _disconnect(d: Draft, line: Line, command: Command) -> Data | None:
    for op in tuple(d.state.ops.values()):
        data = op.data
        if not isinstance(data, DialData) or line.id not in (op.line, data.winner):
            continue
        if data.stage is DialStage.COMMITTED:
            dialing.over(d, op, "disconnect")
            if data.winner in d.state.lines:
                end_line(d, data.winner, "hangup")
        else:
            dialing.abort(d, op, "cancel")
        return None
    raise Refusal("409", "the call is not connected")


def _transfer(d: Draft, line: Line, command: Command) -> Data | None:
    dest = command.params.get("dest")
    if not isinstance(dest, str | Mapping) or not dest:
        raise BadParams("dest: expected a URL or a document")
    begin_document(d, line.id, dest, "transfer")
    return None


def begin_document(d: Draft, line: str, dest: object, reason: str) -> None:
    """A line goes over to a document; what had it before ends first."""
    try:
        document = inline_document(dest, reason)
    except DocumentError as error:
        raise Refusal("400", str(error)) from None
    _yield_line(d, d.line(line), reason)
    flow = flows.begin(d, document, line, flows.MAIN)
    methods.drive(d, flow.id)


def _yield_line(d: Draft, line: Line, reason: str) -> None:
    """Whatever has the line gives it up, with its terminal events."""
    agent.stop(d, line.id, reason)
    drop_flows(d, line.id, reason)
    for op in d.ops_of(line.id, OpKind.PLAY, OpKind.PROMPT, OpKind.COLLECT, OpKind.SLEEP):
        if op.id in d.state.ops:
            ending.abort(d, op, reason)


def _lease(d: Draft, line: Line, command: Command) -> Data | None:
    seconds = reading.number(command.params, "ttl", d.state.settings.lease_ms / 1000, 1, 3600)
    d.set(lease=Lease(command.issuer, d.now + round(seconds * 1_000_000)))
    d.log("lease", "granted", line=line.id, seconds=seconds)
    if reading.flag(command.params, "take_over"):
        dial = d.state.dial
        if dial is not None and isinstance(dial.data, DialData) and line.id in dial.data.open:
            raise Refusal("409", "it is not decided yet whether this line is connected")
        _yield_line(d, line, "taken_over")
    return {"ttl": seconds}


def _release(d: Draft, line: Line, command: Command) -> Data | None:
    if not _leased(d, command):
        raise Refusal("409", "this controller holds no lease")
    d.set(lease=None)
    d.log("lease", "released", line=line.id)
    return None


# ------------------------------------------------------------------------------------- voice


def _play(d: Draft, line: Line, command: Command) -> Data | None:
    _up(line)
    op = _new_id(d, command.params)
    items = reading.media_items(command.params.get("play"))
    data = reading.play_data(command.params, items)
    return _started(d.open(OpKind.PLAY, line.id, command.issuer, data, op=op))


def _play_and_collect(d: Draft, line: Line, command: Command) -> Data | None:
    _up(line)
    op = _new_id(d, command.params)
    items = reading.media_items(command.params.get("play"))
    rules = reading.mapping(command.params, "collect")
    data = reading.collect_data(rules, reading.play_data(command.params, items))
    new = d.open(OpKind.PROMPT, line.id, command.issuer, data, op=op)
    methods.listen(d, new)
    return _started(new)


def _play_stop(d: Draft, line: Line, command: Command) -> Data | None:
    ending.finish(d, _op(d, line, command, OpKind.PLAY), _TERMINAL)
    return None


def _prompt_stop(d: Draft, line: Line, command: Command) -> Data | None:
    op = _op(d, line, command, OpKind.PROMPT)
    ending.finish(d, op, _TERMINAL, {"result": {"type": "no_input"}})
    return None


def _play_pause(d: Draft, line: Line, command: Command) -> Data | None:
    return _paused(d, line, command, on=True)


def _play_resume(d: Draft, line: Line, command: Command) -> Data | None:
    return _paused(d, line, command, on=False)


def _paused(d: Draft, line: Line, command: Command, *, on: bool) -> Data | None:
    op = _op(d, line, command, *voice.VOICE)
    if not voice.pause(d, op, on=on):
        raise Refusal("409", "it is not playing" if on else "it is not paused")
    return None


def _volume(d: Draft, line: Line, command: Command) -> Data | None:
    op = _op(d, line, command, *voice.VOICE)
    voice.volume(d, op, reading.number(command.params, "volume", 0, -40, 40))
    return None


def _send_digits(d: Draft, line: Line, command: Command) -> Data | None:
    _up(line)
    op = _new_id(d, command.params)
    digits = reading.digits(command.params)
    until = d.now + methods.send_digits_us(digits)
    new = d.open(OpKind.DIGITS, line.id, command.issuer, WaitData(until), op=op)
    d.emit(SendDigits(line.id, digits))
    return _started(new)


# ----------------------------------------------------------------------------- hear and record


def _collect(d: Draft, line: Line, command: Command) -> Data | None:
    _up(line)
    op = _new_id(d, command.params)
    data = reading.collect_data(command.params)
    new = d.open(OpKind.COLLECT, line.id, command.issuer, data, op=op)
    methods.listen(d, new)
    if not reading.flag(command.params, "start_input_timers", True):
        d.set_op(new.id, since_us=None)
    return _started(new)


def _collect_stop(d: Draft, line: Line, command: Command) -> Data | None:
    op = _op(d, line, command, OpKind.COLLECT)
    assert isinstance(op.data, CollectData)
    result = collect.times_out(op) if op.data.got or op.data.text else {"type": "no_input"}
    ending.finish(d, op, _TERMINAL, {"result": result})
    return None


def _start_timers(d: Draft, line: Line, command: Command) -> Data | None:
    op = _op(d, line, command, OpKind.COLLECT, OpKind.PROMPT)
    assert isinstance(op.data, CollectData)
    if op.data.since_us is None and not op.data.got and op.data.speech_us is None:
        d.set_op(op.id, since_us=d.now)
    return None


def _record(d: Draft, line: Line, command: Command) -> Data | None:
    _up(line)
    op = _new_id(d, command.params)
    audio = reading.mapping(reading.mapping(command.params, "record"), "audio")
    data = reading.record_data({"direction": "speak", **audio}, background=False)
    url = reading.text(command.params, "status_url")
    new = d.open(OpKind.RECORD, line.id, command.issuer, data, op=op)
    if url:
        d.set_op(new.id, status_url=url)
    methods.start_recording(d, d.state.ops[new.id])
    return _started(new)


def _record_stop(d: Draft, line: Line, command: Command) -> Data | None:
    ending.stop_recording(d, _op(d, line, command, OpKind.RECORD))
    return None


def _record_pause(d: Draft, line: Line, command: Command) -> Data | None:
    op = _op(d, line, command, OpKind.RECORD)
    assert isinstance(op.data, RecordData)
    if op.data.paused or op.data.stopping:
        raise Refusal("409", "it is not recording")
    behavior = reading.text(command.params, "behavior", "silence")
    if behavior not in ("silence", "skip"):
        raise BadParams("behavior: expected silence or skip")
    d.set_op(op.id, paused=True)
    d.emit(PauseRecording(op.id, behavior))
    d.publish("record", line.id, {"control_id": op.id, "state": "paused"})
    return None


def _record_resume(d: Draft, line: Line, command: Command) -> Data | None:
    op = _op(d, line, command, OpKind.RECORD)
    assert isinstance(op.data, RecordData)
    if not op.data.paused or op.data.stopping:
        raise Refusal("409", "it is not paused")
    d.set_op(op.id, paused=False)
    d.emit(ResumeRecording(op.id))
    d.publish("record", line.id, {"control_id": op.id, "state": "recording"})
    return None


def _detect(d: Draft, line: Line, command: Command) -> Data | None:
    _up(line)
    op = _new_id(d, command.params)
    timeout_s = reading.number(command.params, "timeout", 30, 0.1, 3600)
    data = reading.detect_data(reading.mapping(command.params, "detect"), timeout_s)
    return _started(d.open(OpKind.DETECT, line.id, command.issuer, data, op=op))


def _detect_stop(d: Draft, line: Line, command: Command) -> Data | None:
    op = _op(d, line, command, OpKind.DETECT)
    assert isinstance(op.data, DetectData)
    ending.finish(d, op, _TERMINAL)
    return None


def _tap(d: Draft, line: Line, command: Command) -> Data | None:
    _up(line)
    op = _new_id(d, command.params)
    tap = reading.mapping(reading.mapping(command.params, "tap"), "params")
    device = reading.mapping(command.params, "device")
    where = reading.mapping(device, "params")
    uri = reading.text(where, "uri")
    if not uri:
        port = int(reading.number(where, "port", 0, 1, 65535))
        uri = f"rtp://{reading.text(where, 'addr')}:{port}"
        if not reading.text(where, "addr") or not port:
            raise BadParams("device: expected addr and port, or uri")
    merged = {**where, **tap, "rtp_ptime": where.get("ptime", 20)}
    new = methods.start_tap(d, line.id, command.issuer, uri, merged, op)
    return {**_started(new), "source_device": {}}


def _stream(d: Draft, line: Line, command: Command) -> Data | None:
    _up(line)
    op = _new_id(d, command.params)
    return _started(methods.start_stream(d, line.id, command.issuer, command.params, op))


def _fork_stop(d: Draft, line: Line, command: Command) -> Data | None:
    op = _op(d, line, command, OpKind.TAP, OpKind.STREAM)
    d.emit(StopFork(op.id))
    ending.finish(d, op, _TERMINAL)
    return None


# ------------------------------------------------------------------------- hold and the agent


def _hold(d: Draft, line: Line, command: Command) -> Data | None:
    _up(line)
    if line.held:
        raise Refusal("409", "the call is on hold already")
    d.set_line(line.id, held=True)
    speaker = voice.speaking(d, line.id)
    if speaker is not None:
        voice.pause(d, speaker, on=True)
    agent.hold(d, line.id, 0)
    d.emit(ArmLine(line.id, stops=False), StartBed(line.id, (PlayItem("ring", "hold"),)))
    d.publish("hold", line.id, {"state": "hold"})
    return None


def _unhold(d: Draft, line: Line, command: Command) -> Data | None:
    if not line.held:
        raise Refusal("409", "the call is not on hold")
    d.set_line(line.id, held=False)
    d.emit(StopBed(line.id))
    speaker = voice.speaking(d, line.id)
    if speaker is not None:
        voice.pause(d, speaker, on=False)
        d.emit(ArmLine(line.id, stops=voice.stops(speaker)))
    agent.unhold(d, line.id, "")
    d.publish("hold", line.id, {"state": "unhold"})
    return None


def _ai(d: Draft, line: Line, command: Command) -> Data | None:
    _up(line)
    if d.state.run is not None:
        raise Refusal("409", "an agent is on the call already")
    if not d.state.settings.has_model:
        raise Refusal("501", "no model is configured")
    op = _new_id(d, command.params)
    _yield_line(d, line, "ai")
    new = d.open(OpKind.AI, line.id, command.issuer, agent.data_for(d), op=op)
    params = {k: v for k, v in command.params.items() if k != "control_id"}
    if isinstance(params.get("prompt"), str):
        params["prompt"] = {"text": params["prompt"]}
    agent.begin(d, new, params)
    return _started(new)


def _agent_here(d: Draft, line: Line) -> None:
    run = d.state.run
    if run is None or run.line != line.id:
        raise Refusal("409", "no agent is on the call")


def _ai_stop(d: Draft, line: Line, command: Command) -> Data | None:
    _agent_here(d, line)
    agent.stop(d, line.id, "stopped")
    return None


def _ai_message(d: Draft, line: Line, command: Command) -> Data | None:
    _agent_here(d, line)
    agent.message(d, command.params)
    return None


def _ai_hold(d: Draft, line: Line, command: Command) -> Data | None:
    _agent_here(d, line)
    prompt = reading.text(command.params, "prompt")
    agent.hold(d, line.id, reading.seconds_ms(command.params, "timeout", 300))
    if d.state.run is None or not d.run.held:
        raise Refusal("409", "the agent cannot be held now")
    if prompt:
        agent.note(d, prompt)
    return None


def _ai_unhold(d: Draft, line: Line, command: Command) -> Data | None:
    _agent_here(d, line)
    agent.unhold(d, line.id, reading.text(command.params, "prompt"))
    return None


def _user_event(d: Draft, line: Line, command: Command) -> Data | None:
    event = command.params.get("event", {})
    d.emit(Publish("calling.user_event", line.id, {"call_id": line.id, "event": event}))
    return None


COMMANDS: Final[Mapping[str, Handler]] = {
    "answer": _answer,
    "end": _end,
    "pass": _pass,
    "connect": _connect,
    "disconnect": _disconnect,
    "transfer": _transfer,
    "lease": _lease,
    "release": _release,
    "play": _play,
    "play.stop": _play_stop,
    "play.pause": _play_pause,
    "play.resume": _play_resume,
    "play.volume": _volume,
    "play_and_collect": _play_and_collect,
    "play_and_collect.stop": _prompt_stop,
    "play_and_collect.volume": _volume,
    "collect": _collect,
    "collect.stop": _collect_stop,
    "collect.start_input_timers": _start_timers,
    "record": _record,
    "record.stop": _record_stop,
    "record.pause": _record_pause,
    "record.resume": _record_resume,
    "detect": _detect,
    "detect.stop": _detect_stop,
    "tap": _tap,
    "tap.stop": _fork_stop,
    "stream": _stream,
    "stream.stop": _fork_stop,
    "send_digits": _send_digits,
    "hold": _hold,
    "unhold": _unhold,
    "ai": _ai,
    "ai.stop": _ai_stop,
    "ai_message": _ai_message,
    "ai_hold": _ai_hold,
    "ai_unhold": _ai_unhold,
    "user_event": _user_event,
}

_VOICE: Final = frozenset({"play", "play_and_collect", "collect"})
_EXCLUSIVE: Final = frozenset({"connect", "transfer", "ai", "play", "play_and_collect", "hold"})
_FREE: Final = frozenset({"answer", "pass", "disconnect"})


def controller_gone(d: Draft, issuer: str) -> None:
    """A controller is gone for good: its lease ends; its outbound dial is aborted; the call that
    it ran is alone."""
    if d.state.controller == issuer:
        d.set(alone_us=d.now)
    if d.state.lease is not None and d.state.lease.holder == issuer:
        d.set(lease=None)
        d.log("lease", "ended", reason="controller_gone")
    dial = d.state.dial
    if dial is not None and not dial.line and dial.owner == issuer:
        hang_up_all(d, "cancel")
