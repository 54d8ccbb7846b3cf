"""What each statement of a document does, and how its outcome becomes variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from mediacore.flow import interpreter
from mediacore.flow.document import Document
from mediacore.flow.findings import Code
from mediacore.flow.interpreter import Done, Perform, Warn
from mediacore.flow.source import DocumentError
from mediacore.runtime import agent, detect, dialing, ending, flows, lines, reading
from mediacore.runtime.actions import (
    ArmLine,
    FetchDocument,
    PlayItem,
    Publish,
    SendDigits,
    SendRequest,
    StartFork,
    StartHearing,
    StartRecording,
    StopFork,
    StopRecording,
)
from mediacore.runtime.documents import inline_document
from mediacore.runtime.draft import Draft
from mediacore.runtime.hangup import end_line
from mediacore.runtime.reading import BadParams, Params
from mediacore.runtime.state import (
    CollectData,
    DialData,
    Flow,
    ForkData,
    Operation,
    OpKind,
    RecordData,
    WaitData,
)

Outcome = Mapping[str, object]
Method = Callable[[Draft, Flow, Params], Outcome | None]

GOODBYE: Final = "goodbye"  # owner of the last words when time is up
_ADVANCES: Final = 200  # statements that complete at once, in one step of the call
_BODY_CHARS: Final = 64_000
_DIGIT_MS: Final = 200
_WAITS_MS: Final = {"w": 500, "W": 1000, ",": 500}


# --------------------------------------------------------------------------- driving a flow


def drive(d: Draft, flow_id: int) -> None:
    """Run a flow until it waits for something or is over."""
    for _ in range(_ADVANCES):
        flow = d.flow(flow_id)
        if flow is None or flow.waits or d.line(flow.line).over:
            return
        if flow.blocked is None:
            flow = flows.refresh(d, flow)
            state, effects = interpreter.advance(flow.state, d.state.settings.evaluator)
            d.set_flow(flow_id, state=state)
            flows.keep_vars(d, replace(flow, state=state))
        else:
            effects = (flow.blocked,)
            d.set_flow(flow_id, blocked=None)
        for effect in effects:
            match effect:
                case Warn(code, text, place):
                    flows.warn(d, flow.line, code, text, place)
                case Perform():
                    _perform(d, flow_id, effect)
                case Done():
                    _done(d, flow_id, effect)
        flow = d.flow(flow_id)
        if flow is None or flow.blocked is not None:
            return
    d.refuse("endless_document", flow=flow_id)
    failed = d.flow(flow_id)
    if failed is not None:
        end_line(d, failed.line, "error")


def _perform(d: Draft, flow_id: int, perform: Perform) -> None:
    flow = d.flow(flow_id)
    assert flow is not None
    method = METHODS.get(perform.method)
    params = perform.params
    if method is None:
        failed = {f"{perform.method}_result": "failed", "return_value": "failed"}
        _complete(d, flow_id, failed, failed=Code.METHOD_UNSUPPORTED)
        return
    line = d.line(flow.line)
    wants_media = perform.method in NEEDS_MEDIA and reading.flag(params, "auto_answer", True)
    if wants_media and line.direction == "inbound" and not line.up:
        lines.answer(d, flow.line)
        d.set_flow(flow_id, blocked=perform)
        return
    try:
        outcome = method(d, flow, params)
    except BadParams as error:
        flows.warn(
            d, flow.line, Code.PARAMETER_INVALID_VALUE, f"{perform.method}: {error}", perform.place
        )
        outcome = {f"{perform.method}_result": "failed", "return_value": "failed"}
        _complete(d, flow_id, outcome)
        return
    if outcome is not None:
        _complete(d, flow_id, outcome)


def _complete(d: Draft, flow_id: int, outcome: Outcome, *, failed: str = "") -> None:
    """The statement in progress is over; its outcome becomes variables."""
    flow = d.flow(flow_id)
    if flow is None:
        return
    flow = flows.refresh(d, flow)
    value = outcome.get("return_value")
    state = interpreter.complete(flow.state, outcome, value=value, failed=failed)
    d.set_flow(flow_id, state=state, waits="")
    done = d.flow(flow_id)
    assert done is not None
    flows.keep_vars(d, done)
    d.moved()


def _wait(d: Draft, flow: Flow, op: Operation) -> None:
    d.set_flow(flow.id, waits=op.id)


def _open(d: Draft, flow: Flow, kind: OpKind, data: object, op: str = "") -> Operation:
    """An operation that the flow waits for."""
    new = d.open(kind, flow.line, f"flow:{flow.id}", data, op=op, awaited=True)  # type: ignore[arg-type]
    _wait(d, flow, new)
    return new


def finished(d: Draft, op: Operation, state: str, outcome: Outcome) -> None:
    """An operation that a flow may wait for is over."""
    if op.owner == GOODBYE:
        end_line(d, op.line, "max_duration")
        return
    flow_id = flows.owner_of(op)
    flow = d.flow(flow_id) if flow_id is not None else None
    if flow is None:
        return
    if op.kind is OpKind.FETCH:
        _fetched(d, flow, outcome)
    elif flow.waits == op.id:
        _complete(d, flow.id, variables(op, state, outcome))
    else:
        later = {k: v for k, v in variables(op, state, outcome).items() if k != "return_value"}
        d.set(vars={**d.state.vars, **later})
        return
    drive(d, flow.id)


def line_answered(d: Draft, line: str) -> None:
    """Flows that waited for the line's media go on."""
    for op in d.ops_of(line, OpKind.ANSWER):
        ending.finish(d, op, "finished")
    for flow in d.state.flows:
        if flow.line == line and flow.blocked is not None:
            drive(d, flow.id)


def _done(d: Draft, flow_id: int, done: Done) -> None:
    """A document is over."""
    flow = d.flow(flow_id)
    assert flow is not None
    flows.keep_vars(d, flow)
    d.set(flows=tuple(f for f in d.state.flows if f.id != flow_id))
    d.moved()
    d.log("document", "over", purpose=flow.purpose, reason=done.reason, line=flow.line)
    if flow.purpose == flows.ERRAND:
        agent.errand_over(d, flow, done.reason)
    elif flow.purpose == flows.CONFIRM:
        dial = d.state.dial
        if dial is not None:
            dialing.commit(d, dial.id)
    else:
        end_line(d, flow.line, "hangup")


# ---------------------------------------------------------------------------------- methods


def _answer(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    limit_ms = reading.seconds_ms(params, "max_duration", 14_400)
    lines.limit(d, flow.line, limit_ms)
    if d.line(flow.line).up:
        return {"answer_result": "success"}
    lines.answer(d, flow.line)
    _open(d, flow, OpKind.ANSWER, WaitData())
    return None


def _hangup(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    reason = reading.text(params, "reason", "hangup")
    end_line(d, flow.line, reason if reason in ("hangup", "busy", "decline") else "hangup")
    return None


def _play(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    items = reading.url_items(params)
    _open(d, flow, OpKind.PLAY, reading.play_data({**params, "loop": 1}, items))
    return None


def _prompt(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    urls = reading.listing(params.get("play") or params.get("url") or params.get("urls"))
    items = tuple(reading.url_item(url, params) for url in urls)
    if not items:
        raise BadParams("play: missing")
    data = reading.prompt_data(params, reading.play_data({**params, "loop": 1}, items))
    listen(d, _open(d, flow, OpKind.PROMPT, data))
    return None


def listen(d: Draft, op: Operation) -> None:
    """Recognition and the reflex that an operation with input needs."""
    data = op.data
    assert isinstance(data, CollectData)
    if data.speech is not None and not d.line(op.line).hearing:
        d.set_line(op.line, hearing=True)
        d.emit(StartHearing(op.line, data.speech.language, data.speech.hints))
    if data.play is not None:
        d.emit(ArmLine(op.line, stops=data.speech is not None))
    else:
        d.set_op(op.id, since_us=d.now)


def start_recording(d: Draft, op: Operation) -> None:
    """Begin a recording."""
    data = op.data
    assert isinstance(data, RecordData)
    d.emit(StartRecording(op.id, op.line, data.format, data.stereo, data.direction, data.beep))
    d.publish("record", op.line, {"control_id": op.id, "state": "recording"})


def _record(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    start_recording(d, _open(d, flow, OpKind.RECORD, reading.record_data(params, background=False)))
    return None


def _record_call(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    op = reading.text(params, "control_id") or f"record_call-{d.serial()}"
    if op in d.state.ops:
        raise BadParams("control_id: in use")
    data = reading.record_data(params, background=True)
    start_recording(d, d.open(OpKind.RECORD, flow.line, f"flow:{flow.id}", data, op=op))
    return {"record_control_id": op, "record_call_result": "success"}


def _stop_record_call(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    op = _named(d, flow, params, OpKind.RECORD)
    if op is None:
        return {"stop_record_call_result": "failed"}
    stop_recording(d, op)
    return {"stop_record_call_result": "success"}


def stop_recording(d: Draft, op: Operation, *, no_input: bool = False) -> None:
    """Close a recording; its end is told when the file is complete."""
    assert isinstance(op.data, RecordData)
    if not op.data.stopping:
        d.set_op(op.id, stopping=True, no_input=no_input)
        d.emit(StopRecording(op.id))


def _named(d: Draft, flow: Flow, params: Params, kind: OpKind) -> Operation | None:
    """The operation that `control_id` names, else the newest of its kind."""
    name = reading.text(params, "control_id")
    found = d.ops_of(flow.line, kind)
    if name:
        return next((o for o in found if o.id == name), None)
    return found[-1] if found else None


def _sleep(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    ms = reading.number(params, "duration", 0, -1, 86_400_000)
    until = d.now + round(ms) * 1000 if ms >= 0 else None
    _open(d, flow, OpKind.SLEEP, WaitData(until))
    return None


def send_digits_us(digits: str) -> int:
    """How long sending takes."""
    return sum(_WAITS_MS.get(c, _DIGIT_MS) for c in digits) * 1000


def _send_digits(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    digits = reading.digits(params)
    _open(d, flow, OpKind.DIGITS, WaitData(d.now + send_digits_us(digits)))
    d.emit(SendDigits(flow.line, digits))
    return None


def _connect(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    groups = reading.connect_groups(params)
    line = d.line(flow.line)
    if d.state.dial is not None or line.peer:
        return {"connect_result": "failed", "connect_failed_reason": "busy"}
    if not line.up and not reading.flag(params, "answer_on_bridge"):
        lines.answer(d, flow.line)
    caller = line.from_number if line.direction == "inbound" else line.to_number
    groups = tuple(
        tuple(dialing.with_caller(target, caller) for target in group) for group in groups
    )
    events = params.get("call_state_events")
    data = DialData(
        groups,
        ringback=ringback(params.get("ringback")),
        max_ms=reading.seconds_ms(params, "max_duration", 14_400),
        confirm=params.get("confirm"),
        confirm_ms=reading.seconds_ms(params, "confirm_timeout", 20),
        status_url=reading.text(params, "call_state_url"),
        status_events=tuple(str(e) for e in reading.listing(events)) or ("ended",),
    )
    dialing.begin(d, _open(d, flow, OpKind.CONNECT, data))
    return None


def ringback(value: object) -> tuple[PlayItem, ...]:
    """What the caller hears while it rings; a ring tone unless something is given."""
    found = reading.listing(value)
    if not found:
        return (PlayItem("ring", "us"),)
    return tuple(
        reading.url_item(item, {}) if isinstance(item, str) else reading.media_items([item])[0]
        for item in found
    )


def _tap(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    uri = reading.text(params, "uri")
    op = start_tap(d, flow.line, f"flow:{flow.id}", uri, params, "")
    return {"tap_control_id": op.id, "tap_result": "success", "tap_uri": uri}


def start_tap(d: Draft, line: str, owner: str, uri: str, params: Params, op: str) -> Operation:
    """Copy a line's media to rtp://, ws:// or wss://."""
    if not uri.startswith(("rtp://", "ws://", "wss://")):
        raise BadParams("uri: expected rtp://, ws:// or wss://")
    direction = reading.text(params, "direction", "speak")
    track = {"speak": "inbound", "listen": "outbound", "hear": "outbound", "both": "both"}
    if direction not in track:
        raise BadParams("direction: expected speak, hear or both")
    codec = reading.text(params, "codec", "PCMU").upper()
    ptime = int(reading.number(params, "rtp_ptime", 20, 20, 60))
    spec = {"type": "audio", "params": {"direction": direction}}
    name = op or reading.text(params, "control_id")
    new = d.open(OpKind.TAP, line, owner, ForkData(uri, spec), op=name)
    d.emit(StartFork(new.id, line, "tap", uri, track[direction], codec, ptime))
    return new


def _stop_tap(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    op = _named(d, flow, params, OpKind.TAP)
    if op is None:
        return {"stop_tap_result": "failed"}
    d.emit(StopFork(op.id))
    ending.finish(d, op, "finished")
    return {"stop_tap_result": "success"}


def _stream(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    op = start_stream(d, flow.line, f"flow:{flow.id}", params, "")
    return {"stream_result": "success", "stream_control_id": op.id}


def start_stream(d: Draft, line: str, owner: str, params: Params, op: str) -> Operation:
    """Copy a line's media to a WebSocket, in messages."""
    url = reading.text(params, "url")
    if not url.startswith(("ws://", "wss://")):
        raise BadParams("url: expected ws:// or wss://")
    track = reading.text(params, "track", "inbound_track").removesuffix("_track")
    if track not in ("inbound", "outbound", "both"):
        track = "both" if track.startswith("both") else "inbound"
    codec = reading.text(params, "codec", "PCMU").upper()
    name = reading.text(params, "name")
    spec = {"url": url, "name": name}
    control = op or reading.text(params, "control_id")
    new = d.open(OpKind.STREAM, line, owner, ForkData(url, spec), op=control)
    token = reading.text(params, "authorization_bearer_token")
    custom = reading.mapping(params, "custom_parameters")
    d.emit(StartFork(new.id, line, "stream", url, track, codec, 20, name, token, custom))
    return new


def _stop_stream(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    op = _named(d, flow, params, OpKind.STREAM)
    if op is None:
        return {"stop_stream_result": "failed"}
    d.emit(StopFork(op.id))
    ending.finish(d, op, "finished")
    return {"stop_stream_result": "success"}


def _request(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    url = reading.text(params, "url")
    verb = reading.text(params, "method", "POST").upper()
    if verb not in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        raise BadParams("method: expected GET, POST, PUT, PATCH or DELETE")
    headers = {str(k): str(v) for k, v in reading.mapping(params, "headers").items()}
    limit_ms = d.state.settings.work_ms
    timeout_ms = min(reading.seconds_ms(params, "timeout", 0) or limit_ms, limit_ms)
    connect_ms = reading.seconds_ms(params, "connect_timeout", 0) or timeout_ms
    save = reading.flag(params, "save_variables")
    until = d.now + (timeout_ms + 5000) * 1000
    op = _open(d, flow, OpKind.REQUEST, WaitData(until, note=url, save=save))
    body = params.get("body")
    d.emit(SendRequest(op.id, url, verb, headers, body, timeout_ms, min(connect_ms, timeout_ms)))
    return None


def _fetch(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    url = reading.text(params, "url")
    scope = flow.state.scope
    body: dict[str, object] = {
        "call": dict(scope.call),
        "vars": dict(scope.vars),
        "envs": dict(scope.envs),
        "params": dict(reading.mapping(params, "params")),
    }
    if params.get("meta") is not None:
        body["meta"] = params["meta"]
    until = d.now + d.state.settings.work_ms * 1000
    op = _open(d, flow, OpKind.FETCH, WaitData(until, note=url))
    d.emit(FetchDocument(op.id, url, body))
    return None


def _fetched(d: Draft, flow: Flow, outcome: Outcome) -> None:
    document = outcome.get("document")
    if isinstance(document, Document):
        state = interpreter.fetched(flow.state, document)
    else:
        code = str(outcome.get("code") or Code.EXECUTE_FAILED)
        flows.warn(d, flow.line, code, str(outcome.get("text", "")))
        state = interpreter.fetch_failed(flow.state, code, str(outcome.get("text", "")))
    d.set_flow(flow.id, state=state, waits="")


def _user_event(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    event = params.get("event", params)
    body = {"call_id": flow.line, "event": event}
    d.emit(Publish("calling.user_event", flow.line, body))
    return {"user_event_result": "success"}


def _detect_machine(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    data = reading.machine_data(params)
    if reading.flag(params, "wait", True):
        _open(d, flow, OpKind.DETECT, data)
        return None
    d.open(OpKind.DETECT, flow.line, f"flow:{flow.id}", data)
    return {}


def _ai(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    if d.state.run is not None:
        return {"ai_result": "failed", "return_value": "failed"}
    if not d.state.settings.has_model:
        raise BadParams("no model is configured")
    op = d.open(OpKind.AI, flow.line, f"flow:{flow.id}", agent.data_for(d), awaited=True)
    _wait(d, flow, op)
    agent.begin(d, op, params)
    return None


METHODS: Final[Mapping[str, Method]] = {
    "answer": _answer,
    "hangup": _hangup,
    "play": _play,
    "prompt": _prompt,
    "record": _record,
    "record_call": _record_call,
    "stop_record_call": _stop_record_call,
    "sleep": _sleep,
    "send_digits": _send_digits,
    "connect": _connect,
    "tap": _tap,
    "stop_tap": _stop_tap,
    "stream": _stream,
    "stop_stream": _stop_stream,
    "request": _request,
    "fetch": _fetch,
    "user_event": _user_event,
    "detect_machine": _detect_machine,
    "ai": _ai,
}

NEEDS_MEDIA: Final = frozenset(
    {
        "play",
        "prompt",
        "record",
        "record_call",
        "send_digits",
        "tap",
        "stream",
        "detect_machine",
        "ai",
    }
)


# ------------------------------------------------------------------------------ the outcomes


def variables(op: Operation, state: str, outcome: Outcome) -> dict[str, object]:
    """What a document finds in its variables after an operation."""
    match op.kind:
        case OpKind.ANSWER:
            return {"answer_result": "success" if state == "finished" else "failed"}
        case OpKind.PLAY:
            return {"play_result": "finished" if state == "finished" else "failed"}
        case OpKind.PROMPT:
            return _prompt_variables(outcome)
        case OpKind.RECORD:
            return _record_variables(op, state, outcome)
        case OpKind.DIGITS:
            return {"send_digits_result": state}
        case OpKind.CONNECT:
            return _connect_variables(outcome)
        case OpKind.REQUEST:
            return _request_variables(op, outcome)
        case OpKind.DETECT:
            found = detect.document_result(op)
            return {"detect_result": found, "return_value": found}
        case OpKind.AI:
            result = outcome.get("result", "success")
            return {"ai_result": result, "return_value": result}
        case OpKind.TAP:
            return {"tap_result": "failed"} if state == "error" else {}
        case OpKind.STREAM:
            return {"stream_result": "failed"} if state == "error" else {}
    return {}


def _prompt_variables(outcome: Outcome) -> dict[str, object]:
    result = outcome.get("result")
    result = result if isinstance(result, Mapping) else {}
    params = result.get("params")
    params = params if isinstance(params, Mapping) else {}
    match result.get("type"):
        case "digit":
            return {
                "prompt_result": "match_digits",
                "prompt_value": params.get("digits", ""),
                "prompt_digit_terminator": params.get("terminator", ""),
                "return_value": params.get("digits", ""),
            }
        case "speech":
            return {
                "prompt_result": "match_speech",
                "prompt_value": params.get("text", ""),
                "prompt_speech_confidence": params.get("confidence", 0),
                "return_value": params.get("text", ""),
            }
        case "no_input" | "no_match" as kind:
            return {"prompt_result": kind, "prompt_value": "", "return_value": kind}
    return {"prompt_result": "failed", "prompt_value": "", "return_value": "failed"}


def _record_variables(op: Operation, state: str, outcome: Outcome) -> dict[str, object]:
    name = "record" if op.awaited else "record_call"
    result = {"finished": "success", "no_input": "no_input"}.get(state, "failed")
    return {
        f"{name}_url": outcome.get("url", ""),
        f"{name}_result": result,
        "record_control_id": op.id,
    }


def _connect_variables(outcome: Outcome) -> dict[str, object]:
    result = str(outcome.get("result", "failed"))
    found: dict[str, object] = {"connect_result": result, "return_value": result}
    if result == "failed":
        found["connect_failed_reason"] = outcome.get("reason", "error")
    return found


def _request_variables(op: Operation, outcome: Outcome) -> dict[str, object]:
    assert isinstance(op.data, WaitData)
    error = outcome.get("error")
    status = outcome.get("status", 0)
    ok = not error and isinstance(status, int) and 200 <= status < 300
    body = str(outcome.get("body", ""))[:_BODY_CHARS]
    found: dict[str, object] = {
        "request_url": op.data.note,
        "request_result": "success" if ok else "failed",
        "return_value": "success" if ok else "failed",
        "request_response_code": status,
        "request_response_headers": outcome.get("headers", {}),
        "request_response_body": body,
    }
    if op.data.save and outcome.get("decoded") is not None:
        found["request_response"] = outcome["decoded"]
    return found


# ------------------------------------------------------------------- documents from inside


def begin_confirm(d: Draft, op: Operation) -> None:
    """Ask the party that answered whether it takes the call."""
    data = op.data
    assert isinstance(data, DialData)
    if any(f.purpose == flows.CONFIRM for f in d.state.flows):
        return
    confirm = data.confirm
    if isinstance(confirm, str):
        confirm = [{"transfer": {"dest": confirm}}]
    try:
        document = inline_document(confirm, "confirm")
    except DocumentError as error:
        flows.warn(d, op.line, error.code, error.text)
        dialing.not_confirmed(d, op.id)
        return
    flow = flows.begin(d, document, data.winner, flows.CONFIRM)
    drive(d, flow.id)
