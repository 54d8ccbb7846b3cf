"""Statements that play, listen, record and copy."""

from __future__ import annotations

from collections.abc import Mapping

from mediacore.runtime import ending, flows, reading, starting
from mediacore.runtime.actions import StopFork
from mediacore.runtime.draft import Draft
from mediacore.runtime.reading import BadParams, Params
from mediacore.runtime.state import Flow, Operation, OpKind

Outcome = Mapping[str, object]


def play(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Play addresses, spoken text, silence or ring tones."""
    items = reading.url_items(params)
    flows.open_op(d, flow, OpKind.PLAY, reading.play_data({**params, "loop": 1}, items))
    return None


def prompt(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Play, then wait for digits or speech."""
    urls = reading.listing(params.get("play") or params.get("url") or params.get("urls"))
    items = tuple(reading.url_item(url, params) for url in urls)
    if not items:
        raise BadParams("play: missing")
    data = reading.prompt_data(params, reading.play_data({**params, "loop": 1}, items))
    starting.listen(d, flows.open_op(d, flow, OpKind.PROMPT, data))
    return None


def record(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Record until silence, a key or the longest time."""
    starting.start_recording(
        d, flows.open_op(d, flow, OpKind.RECORD, reading.record_data(params, background=False))
    )
    return None


def record_call(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Record in the background."""
    data = reading.record_data(params, background=True)
    op = d.open(OpKind.RECORD, flow.line, f"flow:{flow.id}", data, op=_new_id(d, params))
    starting.start_recording(d, op)
    return {"record_control_id": op.id, "record_call_result": "success"}


def _new_id(d: Draft, params: Params) -> str:
    """A control id that the document gives, "" when it gives none."""
    op = reading.text(params, "control_id")
    if op in d.state.ops or len(op) > reading.MAX_ID:
        raise BadParams("control_id: in use or too long")
    return op


def stop_record_call(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """End the recording that is named, or the newest."""
    op = _named(d, flow, params, OpKind.RECORD)
    if op is None:
        return {"stop_record_call_result": "failed"}
    ending.stop_recording(d, op)
    return {"stop_record_call_result": "success"}


def _named(d: Draft, flow: Flow, params: Params, kind: OpKind) -> Operation | None:
    """The operation that `control_id` names, else the newest of its kind."""
    name = reading.text(params, "control_id")
    found = d.ops_of(flow.line, kind)
    if name:
        return next((o for o in found if o.id == name), None)
    return found[-1] if found else None


def tap(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Copy the media to an RTP or WebSocket address."""
    uri = reading.text(params, "uri")
    op = starting.start_tap(d, flow.line, f"flow:{flow.id}", uri, params, _new_id(d, params))
    return {"tap_control_id": op.id, "tap_result": "success", "tap_uri": uri}


def stop_tap(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """End the tap that is named, or the newest."""
    op = _named(d, flow, params, OpKind.TAP)
    if op is None:
        return {"stop_tap_result": "failed"}
    d.emit(StopFork(op.id))
    ending.finish(d, op, "finished")
    return {"stop_tap_result": "success"}


def stream(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """Copy the media to a WebSocket, in messages."""
    op = starting.start_stream(d, flow.line, f"flow:{flow.id}", params, _new_id(d, params))
    return {"stream_result": "success", "stream_control_id": op.id}


def stop_stream(d: Draft, flow: Flow, params: Params) -> Outcome | None:
    """End the stream that is named, or the newest."""
    op = _named(d, flow, params, OpKind.STREAM)
    if op is None:
        return {"stop_stream_result": "failed"}
    d.emit(StopFork(op.id))
    ending.finish(d, op, "finished")
    return {"stop_stream_result": "success"}
