"""Commands that steer the call: answer, end, dial, connect, hand over, lease."""

from __future__ import annotations

from collections.abc import Mapping

from mediacore.flow.source import DocumentError
from mediacore.runtime import dialing, flows, lines, methods, reading, referring, starting
from mediacore.runtime.actions import Publish
from mediacore.runtime.asking import Data, Refusal, leased, new_id, started, up, yield_line
from mediacore.runtime.documents import inline_document
from mediacore.runtime.draft import Draft
from mediacore.runtime.hangup import end_line
from mediacore.runtime.ports import Command
from mediacore.runtime.reading import BadParams
from mediacore.runtime.state import DialData, DialStage, Lease, Line, LineState, OpKind, Target


def dial(d: Draft, command: Command) -> Data | None:
    """Dial an outbound call. The call exists for this command only."""
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


def answer(d: Draft, line: Line, command: Command) -> Data | None:
    """Answer an incoming call, for at most `max_duration` seconds."""
    if line.direction != "inbound" or line.state is LineState.ANSWERED or line.answering:
        raise Refusal("409", "the call is answered already")
    limit_ms = reading.seconds_ms(command.params, "max_duration", 0)
    if limit_ms:
        lines.limit(d, line.id, limit_ms)
    lines.answer(d, line.id)
    return None


def end(d: Draft, line: Line, command: Command) -> Data | None:
    """Hang up, or refuse a call that rings."""
    reason = reading.text(command.params, "reason", "hangup")
    if reason not in ("hangup", "cancel", "busy", "noAnswer", "decline", "error"):
        reason = "hangup"
    end_line(d, line.id, reason)
    return None


def pass_(d: Draft, line: Line, command: Command) -> Data | None:
    """Leave a ringing call to others."""
    if line.state is LineState.ANSWERED or line.answering:
        raise Refusal("409", "the call is answered already")
    return None


def connect(d: Draft, line: Line, command: Command) -> Data | None:
    """Dial destinations and join the first that answers."""
    if line.peer:
        raise Refusal("409", "the call is connected already")
    params = command.params
    groups = _groups(d, command)
    caller = line.from_number if line.direction == "inbound" else line.to_number
    groups = tuple(tuple(dialing.with_caller(t, caller) for t in g) for g in groups)
    yield_line(d, line, "connect")
    tone = starting.ringback(params["ringback"]) if params.get("ringback") else ()
    data = DialData(
        groups,
        tag=reading.text(params, "tag"),
        ringback=tone,
        max_ms=reading.seconds_ms(params, "max_duration", 0),
        status_url=reading.text(params, "status_url"),
    )
    dialing.begin(d, d.open(OpKind.CONNECT, line.id, command.issuer, data))
    return None


def refer(d: Draft, line: Line, command: Command) -> Data | None:
    """Send the party to another SIP address; events tell what becomes of it."""
    up(line)
    if d.ops_of(line.id, OpKind.REFER):
        raise Refusal("409", "the call is being referred already")
    device = reading.mapping(command.params, "device")
    to_uri = reading.text(reading.mapping(device, "params"), "to")
    data = referring.read(d, to_uri, reading.text(command.params, "status_url"))
    op = d.open(OpKind.REFER, line.id, command.issuer, data, op=new_id(d, command.params))
    referring.begin(d, op)
    return started(op)


def disconnect(d: Draft, line: Line, command: Command) -> Data | None:
    """Part the call from its peer, or give up dialling."""
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


def transfer(d: Draft, line: Line, command: Command) -> Data | None:
    """Hand the call over to a document, given or to be fetched."""
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
    yield_line(d, d.line(line), reason)
    flow = flows.begin(d, document, line, flows.MAIN)
    methods.drive(d, flow.id)


def lease(d: Draft, line: Line, command: Command) -> Data | None:
    """Act alone for `ttl` seconds; `take_over` ends what has the line."""
    seconds = reading.number(command.params, "ttl", d.state.settings.lease_ms / 1000, 1, 3600)
    d.set(lease=Lease(command.issuer, d.now + round(seconds * 1_000_000)))
    d.log("lease", "granted", line=line.id, seconds=seconds)
    if reading.flag(command.params, "take_over"):
        dial = d.state.dial
        if dial is not None and isinstance(dial.data, DialData) and line.id in dial.data.open:
            raise Refusal("409", "it is not decided yet whether this line is connected")
        yield_line(d, line, "taken_over")
    return {"ttl": seconds}


def release(d: Draft, line: Line, command: Command) -> Data | None:
    """Give the lease back."""
    if not leased(d, command):
        raise Refusal("409", "this controller holds no lease")
    d.set(lease=None)
    d.log("lease", "released", line=line.id)
    return None


def user_event(d: Draft, line: Line, command: Command) -> Data | None:
    """Pass an event on to everybody who watches the call."""
    event = command.params.get("event", {})
    d.emit(Publish("calling.user_event", line.id, {"call_id": line.id, "event": event}))
    return None
