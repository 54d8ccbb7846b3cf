"""Statements for the call and its lines."""

from __future__ import annotations

from collections.abc import Mapping

from mediacore.runtime import agent, dialing, flows, lines, reading, referring, starting
from mediacore.runtime.actions import Publish, SendDigits
from mediacore.runtime.draft import Draft
from mediacore.runtime.hangup import end_line
from mediacore.runtime.keys import sending_ms
from mediacore.runtime.reading import BadParams, Params
from mediacore.runtime.state import DialData, Flow, OpKind, WaitData

Outcome = Mapping[str, object]


def answer(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Answer the call, for at most `max_duration` seconds; wait until it has media."""
    limit_ms = reading.seconds_ms(params, "max_duration", 14_400)
    lines.limit(d, flow.line, limit_ms)
    if d.line(flow.line).up:
        return {"answer_result": "success"}
    lines.answer(d, flow.line)
    flows.open_op(d, flow, OpKind.ANSWER, WaitData())
    return None


def hangup(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """End the line."""
    reason = reading.text(params, "reason", "hangup")
    end_line(d, flow.line, reason if reason in ("hangup", "busy", "decline") else "hangup")
    return None


def connect(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Dial destinations, join the first that answers, wait until they part."""
    groups = reading.connect_groups(params)
    line = d.line(flow.line)
    if d.state.dial is not None or line.peer:
        failed = {"connect_result": "failed", "connect_failed_reason": "busy"}
        return {**failed, "return_value": "failed"}
    if len(d.state.lines) + sum(map(len, groups)) > d.state.settings.max_lines:
        raise BadParams("too many destinations on this call")
    caller = line.from_number if line.direction == "inbound" else line.to_number
    groups = tuple(
        tuple(dialing.with_caller(target, caller) for target in group) for group in groups
    )
    events = params.get("call_state_events")
    data = DialData(
        groups,
        ringback=starting.ringback(params.get("ringback")),
        max_ms=reading.seconds_ms(params, "max_duration", 14_400),
        confirm=params.get("confirm"),
        confirm_ms=reading.seconds_ms(params, "confirm_timeout", 20),
        status_url=reading.text(params, "call_state_url"),
        status_events=tuple(str(e) for e in reading.listing(events)) or ("ended",),
    )
    if not reading.flag(params, "answer_on_bridge"):
        lines.answer(d, flow.line)
    dialing.begin(d, flows.open_op(d, flow, OpKind.CONNECT, data))
    return None


def sleep(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Wait so many milliseconds, -1 for ever."""
    ms = reading.number(params, "duration", 0, -1, 86_400_000)
    until = d.now + round(ms) * 1000 if ms >= 0 else None
    flows.open_op(d, flow, OpKind.SLEEP, WaitData(until))
    return None


def send_digits(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Send digits and wait until they are sent."""
    digits = reading.digits(params)
    flows.open_op(d, flow, OpKind.DIGITS, WaitData(d.now + sending_ms(digits) * 1000))
    d.emit(SendDigits(flow.line, digits))
    return None


def sip_refer(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Send the caller to another SIP address and wait for what becomes of it."""
    url = reading.text(params, "status_url")
    data = referring.read(d, reading.text(params, "to_uri"), url)
    referring.begin(d, flows.open_op(d, flow, OpKind.REFER, data))
    return None


def user_event(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Tell everybody who watches the call."""
    event = params.get("event", params)
    body = {"call_id": flow.line, "event": event}
    d.emit(Publish("calling.user_event", flow.line, body))
    return {"user_event_result": "success"}


def detect_machine(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Find out who answered; without `wait` the variables come later."""
    data = reading.machine_data(params)
    if reading.flag(params, "wait", True):
        flows.open_op(d, flow, OpKind.DETECT, data)
        return None
    d.open(OpKind.DETECT, flow.line, f"flow:{flow.id}", data)
    return {}


def ai(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Begin an agent and wait until it is over."""
    if d.state.run is not None:
        return {"ai_result": "failed", "return_value": "failed"}
    if not d.state.settings.has_model:
        raise BadParams("no model is configured")
    op = d.open(OpKind.AI, flow.line, f"flow:{flow.id}", agent.data_for(d), awaited=True)
    flows.wait_for(d, flow, op)
    agent.begin(d, op, params)
    return None
