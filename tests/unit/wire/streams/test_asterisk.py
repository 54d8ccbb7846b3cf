"""chan_websocket: events in both spellings, and the commands that answer them."""

from __future__ import annotations

import json

import pytest

from mediacore.call.record import Accuracy
from mediacore.wire.streams.asterisk import MAX_TEXT, ChanWebSocket, chan_websocket
from mediacore.wire.streams.model import (
    Backlog,
    DigitPressed,
    Malformed,
    MarkPlayed,
    MediaFormat,
    Opened,
    PeerError,
    StreamEvent,
    StreamOptions,
)

PLAIN = (
    "MEDIA_START connection_id:c-1 channel:WebSocket/media/0x7f channel_id:1700.1 format:slin16 "
    "optimal_frame_size:640 ptime:20"
)
JSON = {
    "event": "MEDIA_START",
    "connection_id": "c-1",
    "channel": "WebSocket/media/0x7f",
    "channel_id": "1700.1",
    "format": "ulaw",
    "optimal_frame_size": 160,
    "ptime": 20,
    "channel_variables": {"__FROM": "+15550100", "LANG": "de"},
}


def receive(stream: ChanWebSocket, message: object) -> StreamEvent | None:
    text = message if isinstance(message, str) else json.dumps(message)
    events = stream.receive(text)
    assert len(events) <= 1
    return events[0] if events else None


def opened(message: object = PLAIN) -> ChanWebSocket:
    stream = chan_websocket(StreamOptions())
    assert isinstance(receive(stream, message), Opened)
    return stream


def test_the_start_in_plain_words() -> None:
    start = receive(chan_websocket(StreamOptions()), PLAIN)
    assert isinstance(start, Opened)
    assert (start.stream_id, start.call_id) == ("c-1", "1700.1")
    assert start.format == MediaFormat("L16LE", 16000)
    assert start.headers["channel"] == "WebSocket/media/0x7f"


def test_the_start_in_json() -> None:
    start = receive(chan_websocket(StreamOptions()), JSON)
    assert isinstance(start, Opened)
    assert start.format == MediaFormat("PCMU", 8000)
    assert start.from_number == "+15550100"
    assert start.headers["LANG"] == "de"


@pytest.mark.parametrize(
    ("plain", "spelled", "event"),
    [
        (
            "MEDIA_MARK_PROCESSED 7",
            {"event": "MEDIA_MARK_PROCESSED", "channel_id": "1", "correlation_id": "7"},
            MarkPlayed("7"),
        ),
        (
            "STATUS channel_id:1 queue_length:235 xon_level:800 queue_full:false",
            {"event": "STATUS", "queue_length": 235, "queue_full": False},
            Backlog(4700),
        ),
        (
            "DTMF_END digit:# channel_id:1",
            {"event": "DTMF_END", "channel_id": "1", "digit": "#"},
            DigitPressed("#"),
        ),
        (
            "ERROR channel_id:1 error_text:not in passthrough mode",
            {"event": "ERROR", "error_text": "x"},
            PeerError("ERROR"),
        ),
        ("MEDIA_XOFF", {"event": "MEDIA_XOFF"}, None),
        ("MEDIA_XON", {"event": "MEDIA_XON"}, None),
        ("QUEUE_DRAINED", {"event": "QUEUE_DRAINED"}, None),
        ("MEDIA_BUFFERING_COMPLETED 3", {"event": "MEDIA_BUFFERING_COMPLETED"}, None),
        ("DTMF_END digit:x", {"event": "DTMF_END"}, Malformed("a digit that is none")),
        ("STATUS", {"event": "STATUS"}, Malformed("a STATUS without queue_length")),
        (
            "STATUS queue_length:99999",
            {"event": "STATUS", "queue_length": -1},
            Malformed("a STATUS without queue_length"),
        ),
        ("DANCE", {"event": "DANCE"}, Malformed("unknown event")),
        ("", {}, Malformed("unknown event")),
        ("{", [1], Malformed("unknown event")),
    ],
)
def test_events(plain: str, spelled: object, event: StreamEvent | None) -> None:
    assert receive(opened(), plain) == event
    assert receive(opened(JSON), spelled) == event


@pytest.mark.parametrize(
    "start",
    [
        PLAIN.replace("slin16", "opus"),
        PLAIN.replace("ptime:20", "ptime:30"),
        {**JSON, "format": 5},
        "STATUS queue_length:1",
        "nonsense",
    ],
)
def test_starts_that_are_refused(start: object) -> None:
    assert isinstance(receive(chan_websocket(StreamOptions()), start), Malformed)


def test_a_second_start() -> None:
    assert receive(opened(), PLAIN) == Malformed("a second MEDIA_START")


def test_commands_in_plain_words() -> None:
    stream = opened()
    assert stream.answer() == ("ANSWER",)
    assert stream.mark("12:3") == ("MARK_MEDIA 12:3",)
    assert stream.clear() == ("GET_STATUS", "FLUSH_MEDIA")  # the queue is asked first
    assert stream.poll() == ("GET_STATUS",)
    assert (*stream.pause(True), *stream.pause(False)) == ("PAUSE_MEDIA", "CONTINUE_MEDIA")
    assert stream.drained() == ("REPORT_QUEUE_DRAINED",)
    assert stream.bye(False) == ("HANGUP",)


def test_commands_in_json() -> None:
    stream = opened(JSON)
    assert [json.loads(text) for text in stream.clear()] == [
        {"command": "GET_STATUS"},
        {"command": "FLUSH_MEDIA"},
    ]
    (mark,) = stream.mark("4294967295:4294967295")
    assert json.loads(mark) == {"command": "MARK_MEDIA", "correlation_id": "4294967295:4294967295"}
    assert len(mark) <= MAX_TEXT  # longer text is ignored


def test_what_is_known_before() -> None:
    stream = chan_websocket(StreamOptions())
    assert stream.traits.accuracy is Accuracy.EXACT
    assert stream.traits.subprotocols == ("media",)
    assert stream.traits.poll_ms
    assert stream.traits.media.binary_in
    assert stream.traits.media.binary_out
    assert stream.wrap() == ("", "")
