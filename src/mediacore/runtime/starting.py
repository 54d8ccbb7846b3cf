"""Operations as they begin, for documents and controllers alike."""

from __future__ import annotations

from mediacore.runtime import reading
from mediacore.runtime.actions import PlayItem, StartFork, StartHearing, StartRecording
from mediacore.runtime.draft import Draft
from mediacore.runtime.reading import BadParams, Params
from mediacore.runtime.state import CollectData, ForkData, Operation, OpKind, RecordData


def listen(d: Draft, op: Operation) -> None:
    """Recognition for an operation with input, and its initial timer if nothing is played."""
    data = op.data
    assert isinstance(data, CollectData)
    if data.speech is not None and not d.line(op.line).hearing:
        d.set_line(op.line, hearing=True)
        d.emit(StartHearing(op.line, data.speech.language, data.speech.hints))
    if data.play is None:
        d.set_op(op.id, since_us=d.now)


def start_recording(d: Draft, op: Operation) -> None:
    """Begin a recording."""
    data = op.data
    assert isinstance(data, RecordData)
    if d.line(op.line).speaking:
        d.set_op(op.id, heard=True)
    d.emit(StartRecording(op.id, op.line, data.format, data.stereo, data.direction, data.beep))
    d.publish("record", op.line, {"control_id": op.id, "state": "recording"})


def ringback(value: object) -> tuple[PlayItem, ...]:
    """What the caller hears while it rings; a ring tone unless something is given."""
    found = reading.listing(value)
    if not found:
        return (PlayItem("ring", "us"),)
    return tuple(
        reading.url_item(item, {}) if isinstance(item, str) else reading.media_items([item])[0]
        for item in found
    )


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
    new = d.open(OpKind.TAP, line, owner, ForkData(uri, spec), op=op)
    d.emit(StartFork(new.id, line, "tap", uri, track[direction], codec, ptime))
    return new


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
    token = reading.text(params, "authorization_bearer_token")
    custom = reading.mapping(params, "custom_parameters")
    new = d.open(OpKind.STREAM, line, owner, ForkData(url, spec), op=op)
    d.emit(StartFork(new.id, line, "stream", url, track, codec, 20, name, token, custom))
    return new
