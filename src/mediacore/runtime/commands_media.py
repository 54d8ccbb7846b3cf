"""Commands that hear, record, detect and copy."""

from __future__ import annotations

from mediacore.runtime import collect, ending, reading, starting
from mediacore.runtime.actions import PauseRecording, ResumeRecording, StopFork
from mediacore.runtime.asking import FINISHED, Data, Refusal, named, new_id, started, up
from mediacore.runtime.draft import Draft
from mediacore.runtime.ports import Command
from mediacore.runtime.reading import BadParams
from mediacore.runtime.state import CollectData, DetectData, Line, OpKind, RecordData


def collect_input(d: Draft, line: Line, command: Command) -> Data | None:
    """Wait for digits, speech, or both."""
    up(line)
    op = new_id(d, command.params)
    data = reading.collect_data(command.params)
    new = d.open(OpKind.COLLECT, line.id, command.issuer, data, op=op)
    starting.listen(d, new)
    if not reading.flag(command.params, "start_input_timers", True):
        d.set_op(new.id, since_us=None)
    return started(new)


def collect_stop(d: Draft, line: Line, command: Command) -> Data | None:
    """Stop waiting: what there is counts."""
    op = named(d, line, command, OpKind.COLLECT)
    assert isinstance(op.data, CollectData)
    result = collect.times_out(op) if op.data.got or op.data.text else {"type": "no_input"}
    ending.finish(d, op, FINISHED, {"result": result})
    return None


def start_timers(d: Draft, line: Line, command: Command) -> Data | None:
    """Start the initial timer now."""
    op = named(d, line, command, OpKind.COLLECT, OpKind.PROMPT)
    assert isinstance(op.data, CollectData)
    if op.data.since_us is None and not op.data.got and op.data.speech_us is None:
        d.set_op(op.id, since_us=d.now)
    return None


def record(d: Draft, line: Line, command: Command) -> Data | None:
    """Record the call."""
    up(line)
    op = new_id(d, command.params)
    audio = reading.mapping(reading.mapping(command.params, "record"), "audio")
    data = reading.record_data({"direction": "speak", **audio}, background=False)
    url = reading.text(command.params, "status_url")
    new = d.open(OpKind.RECORD, line.id, command.issuer, data, op=op)
    if url:
        d.set_op(new.id, status_url=url)
    starting.start_recording(d, d.state.ops[new.id])
    return started(new)


def record_stop(d: Draft, line: Line, command: Command) -> Data | None:
    """End a recording; it is told when its file is complete."""
    ending.stop_recording(d, named(d, line, command, OpKind.RECORD))
    return None


def record_pause(d: Draft, line: Line, command: Command) -> Data | None:
    """Pause a recording with silence, or leave the time out (`behavior` skip)."""
    op = named(d, line, command, OpKind.RECORD)
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


def record_resume(d: Draft, line: Line, command: Command) -> Data | None:
    """Go on recording."""
    op = named(d, line, command, OpKind.RECORD)
    assert isinstance(op.data, RecordData)
    if not op.data.paused or op.data.stopping:
        raise Refusal("409", "it is not paused")
    d.set_op(op.id, paused=False)
    d.emit(ResumeRecording(op.id))
    d.publish("record", line.id, {"control_id": op.id, "state": "recording"})
    return None


def find_out(d: Draft, line: Line, command: Command) -> Data | None:
    """Find out who or what answered: machine, fax, digit."""
    up(line)
    op = new_id(d, command.params)
    timeout_s = reading.number(command.params, "timeout", 30, 0.1, 3600)
    data = reading.detect_data(reading.mapping(command.params, "detect"), timeout_s)
    return started(d.open(OpKind.DETECT, line.id, command.issuer, data, op=op))


def detect_stop(d: Draft, line: Line, command: Command) -> Data | None:
    """Stop finding out."""
    op = named(d, line, command, OpKind.DETECT)
    assert isinstance(op.data, DetectData)
    ending.finish(d, op, FINISHED)
    return None


def tap(d: Draft, line: Line, command: Command) -> Data | None:
    """Copy the media to an RTP or WebSocket address."""
    up(line)
    op = new_id(d, command.params)
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
    new = starting.start_tap(d, line.id, command.issuer, uri, merged, op)
    return {**started(new), "source_device": {}}


def stream(d: Draft, line: Line, command: Command) -> Data | None:
    """Copy the media to a WebSocket, in messages."""
    up(line)
    op = new_id(d, command.params)
    return started(starting.start_stream(d, line.id, command.issuer, command.params, op))


def fork_stop(d: Draft, line: Line, command: Command) -> Data | None:
    """End a tap or a stream."""
    op = named(d, line, command, OpKind.TAP, OpKind.STREAM)
    d.emit(StopFork(op.id))
    ending.finish(d, op, FINISHED)
    return None
