"""Plivo audio streaming."""

import json
from typing import Any

import pytest

from mediacore.wire.streams.model import (
    Cleared,
    DigitPressed,
    Ended,
    Malformed,
    MarkPlayed,
    MediaCame,
    MediaFormat,
    Opened,
    PeerError,
    StreamEvent,
    StreamOptions,
)
from mediacore.wire.streams.plivo import Plivo, plivo


def start(encoding: str = "audio/x-mulaw", rate: object = 8000, **more: object) -> dict[str, Any]:
    return {
        "event": "start",
        "sequenceNumber": 1,
        "start": {
            "callId": "c-1",
            "streamId": "s-1",
            "accountId": "MA1",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": encoding, "sampleRate": rate},
        },
        "extra_headers": "from=+1555;userId=12345",
        **more,
    }


def take(dialect: Plivo, message: object) -> list[StreamEvent]:
    return list(dialect.receive(json.dumps(message)))


def test_the_call_and_the_customers_headers() -> None:
    (event,) = take(plivo(StreamOptions()), start())
    assert isinstance(event, Opened)
    assert (event.stream_id, event.call_id, event.from_number) == ("s-1", "c-1", "+1555")
    assert event.format == MediaFormat("PCMU", 8000)
    assert event.headers["userId"] == "12345"
    assert event.headers["account_id"] == "MA1"


def test_headers_may_be_an_object() -> None:
    (event,) = take(plivo(StreamOptions()), start(extra_headers={"to": "+2"}))
    assert isinstance(event, Opened)
    assert event.to_number == "+2"


@pytest.mark.parametrize(
    ("encoding", "rate", "kind", "out_rate"),
    [
        ("audio/x-mulaw", 8000, "audio/x-mulaw", 8000),
        ("audio/x-l16", "16000", "audio/x-l16", 16000),
    ],
)
def test_audio_goes_out_as_it_comes(encoding: str, rate: object, kind: str, out_rate: int) -> None:
    dialect = plivo(StreamOptions())
    take(dialect, start(encoding, rate))
    prefix, suffix = dialect.wrap()
    assert json.loads(f"{prefix}AAAA{suffix}") == {
        "event": "playAudio",
        "media": {"contentType": kind, "sampleRate": out_rate, "payload": "AAAA"},
    }


def test_checkpoints_and_clearing() -> None:
    dialect = plivo(StreamOptions())
    take(dialect, start())
    assert json.loads(dialect.clear()[0]) == {"event": "clearAudio", "streamId": "s-1"}
    (mark,) = map(json.loads, dialect.mark("m"))
    assert mark == {"event": "checkpoint", "streamId": "s-1", "name": "m"}
    assert [*dialect.answer(), *dialect.bye(failed=True), *dialect.poll()] == []


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"event": "playedStream", "streamId": "s-1", "name": "m"}, MarkPlayed("m")),
        ({"event": "clearedAudio"}, Cleared()),
        ({"event": "dtmf", "dtmf": {"digit": "7"}}, DigitPressed("7")),
        ({"event": "stop"}, Ended()),
        ({"event": "error", "code": "E1"}, PeerError("E1")),
        ({"event": "media", "media": {"payload": "AAA="}}, MediaCame(b"\0\0", None)),
    ],
)
def test_what_comes_in(message: object, event: StreamEvent) -> None:
    assert take(plivo(StreamOptions()), message) == [event]


@pytest.mark.parametrize(
    "message",
    [
        {"event": "dtmf"},
        {"event": "other"},
        {"event": "start"},
        start("audio/g722"),
        {**start(), "start": {"mediaFormat": {}}},
    ],
)
def test_what_is_not_usable(message: object) -> None:
    (event,) = take(plivo(StreamOptions()), message)
    assert isinstance(event, Malformed)


def test_a_second_start_and_what_is_no_json() -> None:
    dialect = plivo(StreamOptions())
    take(dialect, start())
    assert isinstance(take(dialect, start())[0], Malformed)
    assert isinstance(dialect.receive("{")[0], Malformed)
