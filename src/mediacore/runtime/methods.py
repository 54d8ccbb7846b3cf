"""Documents at work: from the interpreter's statements to what the call does, and back.

What a statement does is in `methods_call`, `methods_media` and `methods_web`; what it leaves in the
document's variables, in `outcomes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from mediacore.flow import interpreter
from mediacore.flow.document import Document
from mediacore.flow.findings import Code
from mediacore.flow.interpreter import Done, Perform, Warn
from mediacore.flow.source import DocumentError
from mediacore.runtime import (
    agent,
    dialing,
    ending,
    flows,
    lines,
    methods_call,
    methods_media,
    methods_web,
    outcomes,
    reading,
)
from mediacore.runtime.documents import inline_document
from mediacore.runtime.draft import Draft
from mediacore.runtime.hangup import end_line
from mediacore.runtime.reading import BadParams, Params
from mediacore.runtime.state import DialData, Flow, Operation, OpKind

Outcome = Mapping[str, object]
Method = Callable[[Draft, Flow, Params], Outcome | None]


GOODBYE: Final = "goodbye"  # owner of the last words when time is up
_ADVANCES: Final = 200  # statements that complete at once, in one step of the call


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
        if perform.method in NEEDS_MEDIA and not line.up:
            raise BadParams("the call is not answered")
        if len(d.state.ops) >= d.state.settings.max_operations:
            raise BadParams("too many operations on this call")
        outcome = method(d, flow, params)
    except BadParams as error:
        code = Code.PARAMETER_INVALID_VALUE
        flows.warn(d, flow.line, code, f"{perform.method}: {error}", perform.place)
        failed = {f"{perform.method}_result": "failed", "return_value": "failed"}
        _complete(d, flow_id, {**failed, "script_error": str(code)})
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
        _complete(d, flow.id, outcomes.variables(op, state, outcome))
    else:
        found = outcomes.variables(op, state, outcome)
        later = {k: v for k, v in found.items() if k != "return_value"}
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


def _fetched(d: Draft, flow: Flow, outcome: Outcome) -> None:
    document = outcome.get("document")
    if isinstance(document, Document):
        state = interpreter.fetched(flow.state, document)
    else:
        code = str(outcome.get("code") or Code.EXECUTE_FAILED)
        state = interpreter.fetch_failed(flow.state, code, str(outcome.get("text", "")))
    d.set_flow(flow.id, state=state, waits="")
    flows.keep_vars(d, replace(flow, state=state))


METHODS: Final[Mapping[str, Method]] = {
    "answer": methods_call.answer,
    "hangup": methods_call.hangup,
    "play": methods_media.play,
    "prompt": methods_media.prompt,
    "record": methods_media.record,
    "record_call": methods_media.record_call,
    "stop_record_call": methods_media.stop_record_call,
    "sleep": methods_call.sleep,
    "send_digits": methods_call.send_digits,
    "sip_refer": methods_call.sip_refer,
    "connect": methods_call.connect,
    "tap": methods_media.tap,
    "stop_tap": methods_media.stop_tap,
    "stream": methods_media.stream,
    "stop_stream": methods_media.stop_stream,
    "request": methods_web.request,
    "fetch": methods_web.fetch,
    "user_event": methods_call.user_event,
    "detect_machine": methods_call.detect_machine,
    "ai": methods_call.ai,
}


NEEDS_MEDIA: Final = frozenset(
    {
        "play",
        "prompt",
        "record",
        "record_call",
        "send_digits",
        "sip_refer",
        "tap",
        "stream",
        "detect_machine",
        "ai",
    }
)


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
