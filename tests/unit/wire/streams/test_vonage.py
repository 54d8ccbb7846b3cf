"""Vonage WebSocket endpoints."""

import json

import pytest

from mediacore.wire.streams.model import (
    Cleared,
    DigitPressed,
    Ended,
    Malformed,
    MarkPlayed,
    MediaFormat,
    Opened,
    StreamEvent,
    StreamOptions,
)
from mediacore.wire.streams.vonage import Vonage, vonage

HELLO = {
    "event": "websocket:connected",
    "content-type": "audio/l16;rate=16000",
    "uuid": "u-1",
    "from": "447700900000",
    "tier": 3,
}


def take(dialect: Vonage, message: object) -> list[StreamEvent]:
    return list(dialect.receive(json.dumps(message)))


def test_the_first_message_carries_the_customers_headers() -> None:
    (event,) = take(vonage(StreamOptions()), HELLO)
    assert isinstance(event, Opened)
    assert (event.call_id, event.from_number) == ("u-1", "447700900000")
    assert event.format == MediaFormat("L16LE", 16000)
    assert event.headers["tier"] == "3"
    assert "event" not in event.headers


def test_audio_is_binary_and_one_message_is_20_ms() -> None:
    media = vonage(StreamOptions()).traits.media
    assert (media.binary_in, media.binary_out, media.frames, media.payload_key) == (
        True,
        True,
        1,
        (),
    )


def test_commands() -> None:
    dialect = vonage(StreamOptions())
    take(dialect, HELLO)
    assert json.loads(dialect.clear()[0]) == {"action": "clear"}
    (notify,) = map(json.loads, dialect.mark("m"))
    assert notify == {"action": "notify", "payload": {"mark": "m"}}
    assert [*dialect.answer(), *dialect.bye(failed=True), *dialect.poll()] == []
    assert dialect.wrap() == ("", "")


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"event": "websocket:notify", "payload": {"mark": "m"}}, MarkPlayed("m")),
        ({"event": "websocket:cleared"}, Cleared()),
        ({"event": "websocket:dtmf", "digit": "5", "duration": 260}, DigitPressed("5", 260)),
        ({"event": "websocket:dtmf", "dtmf": {"digit": "5"}}, DigitPressed("5")),
        ({"event": "websocket:disconnected"}, Ended()),
    ],
)
def test_what_comes_in(message: object, event: StreamEvent) -> None:
    assert take(vonage(StreamOptions()), message) == [event]


@pytest.mark.parametrize(
    "message",
    [
        {"event": "websocket:dtmf"},
        {"event": "other"},
        {**HELLO, "content-type": "audio/x-mulaw"},
        {**HELLO, "content-type": "audio/l16;rate=44100"},
        [],
    ],
)
def test_what_is_not_usable(message: object) -> None:
    (event,) = take(vonage(StreamOptions()), message)
    assert isinstance(event, Malformed)


def test_a_second_hello() -> None:
    dialect = vonage(StreamOptions())
    take(dialect, HELLO)
    assert isinstance(take(dialect, HELLO)[0], Malformed)
