"""Twilio's shape, and what its relatives make of it."""

import base64
import json
from typing import Any

import pytest

from mediacore.wire.streams.catalog import DIALECTS
from mediacore.wire.streams.model import (
    Cleared,
    Dialect,
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

START: dict[str, Any] = {
    "event": "start",
    "sequenceNumber": "1",
    "start": {
        "accountSid": "AC1",
        "streamSid": "MZ1",
        "callSid": "CA1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"from": "+15550100", "To": "+15550199", "tier": "gold"},
    },
    "streamSid": "MZ1",
}
TELNYX: dict[str, Any] = {
    "event": "start",
    "sequence_number": "1",
    "stream_id": "32DE",
    "start": {
        "user_id": "3E6F",
        "call_control_id": "v2:T02",
        "call_session_id": "ff55",
        "from": "+13122010094",
        "to": "+13122123456",
        "client_state": "aGF2",
        "custom_parameters": {"customer_id": "c1"},
        "media_format": {"encoding": "L16", "sample_rate": "16000", "channels": 1},
    },
}
EXOTEL: dict[str, Any] = {
    "event": "start",
    "sequence_number": "1",
    "stream_sid": "MZ9",
    "start": {
        "stream_sid": "MZ9",
        "call_sid": "CA9",
        "account_sid": "AC9",
        "from": "+91987",
        "to": "+91804",
        "custom_parameters": {"key1": "value1"},
        "media_format": {"encoding": "audio/x-raw", "sample_rate": "8000", "bit_rate": "16"},
    },
}


def make(kind: str, **options: Any) -> Dialect:
    return DIALECTS[kind](StreamOptions(**options))


def take(dialect: Dialect, message: object) -> list[StreamEvent]:
    return list(dialect.receive(json.dumps(message)))


def opened(dialect: Dialect, message: object) -> Opened:
    (event,) = take(dialect, message)
    assert isinstance(event, Opened), event
    return event


def changed(start: dict[str, Any], **given: object) -> dict[str, Any]:
    """The start message with another media format."""
    inner = dict(start["start"])
    inner["mediaFormat"] = given
    return {**start, "start": inner}


def test_twilio_names_the_call() -> None:
    dialect = make("twilio")
    assert take(dialect, {"event": "connected", "protocol": "Call", "version": "1.0.0"}) == []
    event = opened(dialect, START)
    assert (event.stream_id, event.call_id) == ("MZ1", "CA1")
    assert (event.from_number, event.to_number) == ("+15550100", "+15550199")
    assert event.format == MediaFormat("PCMU", 8000)
    assert event.headers["tier"] == "gold"
    assert event.headers["call_id"] == "CA1"
    assert event.headers["account_id"] == "AC1"


def test_a_customer_cannot_pretend_to_be_another_call() -> None:
    start = {**START, "start": {**START["start"], "customParameters": {"call_id": "other"}}}
    assert opened(make("twilio"), start).headers["call_id"] == "CA1"


def test_only_three_kinds_of_message_go_out_and_all_name_the_stream() -> None:
    dialect = make("twilio")
    opened(dialect, START)
    prefix, suffix = dialect.wrap()
    media = json.loads(f"{prefix}AAAA{suffix}")
    assert media == {"event": "media", "streamSid": "MZ1", "media": {"payload": "AAAA"}}
    (clear,) = map(json.loads, dialect.clear())
    assert clear == {"event": "clear", "streamSid": "MZ1"}
    (mark,) = map(json.loads, dialect.mark("m"))
    assert mark == {"event": "mark", "streamSid": "MZ1", "mark": {"name": "m"}}
    assert [*dialect.answer(), *dialect.bye(failed=False), *dialect.poll()] == []


def test_a_stream_id_is_quoted() -> None:
    dialect = make("twilio")
    opened(dialect, {**START, "streamSid": 'a"b\\'})
    prefix, suffix = dialect.wrap()
    assert json.loads(f"{prefix}{suffix}")["streamSid"] == 'a"b\\'


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"event": "mark", "mark": {"name": "u1.2#3"}}, MarkPlayed("u1.2#3")),
        ({"event": "mark"}, MarkPlayed("")),
        ({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "5"}}, DigitPressed("5")),
        ({"event": "dtmf", "dtmf": {"digit": "#", "duration": "250"}}, DigitPressed("#", 250)),
        ({"event": "stop", "stop": {"callSid": "CA1"}}, Ended()),
        ({"event": "clear"}, Cleared()),
        ({"event": "error", "payload": {"code": 100002, "title": "x"}}, PeerError("100002")),
    ],
)
def test_what_comes_in(message: object, event: StreamEvent) -> None:
    assert take(make("twilio"), message) == [event]


@pytest.mark.parametrize(
    "message",
    [
        {"event": "dtmf", "dtmf": {"digit": "55"}},
        {"event": "dtmf"},
        {"event": "nonsense"},
        {"event": ["start"]},
        {},
        {"event": "start"},
        {"event": "start", "start": {}},
        changed(START, encoding="AMR-WB"),
        changed(START, encoding="audio/x-mulaw", sampleRate=16000),
        changed(START, encoding="audio/x-mulaw", sampleRate=8000, channels=2),
    ],
)
def test_what_is_not_usable(message: object) -> None:
    (event,) = take(make("twilio"), message)
    assert isinstance(event, Malformed)


def test_a_second_start_changes_nothing() -> None:
    dialect = make("twilio")
    opened(dialect, START)
    assert isinstance(take(dialect, {**START, "streamSid": "MZ2"})[0], Malformed)
    assert "MZ1" in dialect.wrap()[0]


def test_media_that_the_core_was_not_sure_of() -> None:
    dialect = make("twilio")
    payload = base64.b64encode(b"\x01\x02").decode()
    media = {"track": "inbound", "chunk": "7", "payload": payload}
    assert take(dialect, {"event": "media", "media": media}) == [MediaCame(b"\x01\x02", 7)]
    assert take(dialect, {"event": "media", "media": {**media, "track": "outbound"}}) == []
    del media["chunk"]
    assert take(dialect, {"event": "media", "media": media}) == [MediaCame(b"\x01\x02", None)]
    for broken in ("!!", "", 3):
        (event,) = take(dialect, {"event": "media", "media": {**media, "payload": broken}})
        assert isinstance(event, Malformed)
    assert isinstance(take(dialect, {"event": "media", "media": 3})[0], Malformed)


def test_telnyx_names_the_call_in_snake_case() -> None:
    dialect = make("telnyx")
    event = opened(dialect, TELNYX)
    assert (event.stream_id, event.call_id) == ("32DE", "v2:T02")
    assert (event.from_number, event.to_number) == ("+13122010094", "+13122123456")
    assert event.format == MediaFormat("L16LE", 16000)
    assert event.headers["customer_id"] == "c1"
    assert event.headers["client_state"] == "aGF2"
    prefix, suffix = dialect.wrap()
    assert json.loads(f"{prefix}AAAA{suffix}") == {"event": "media", "media": {"payload": "AAAA"}}
    assert json.loads(dialect.clear()[0]) == {"event": "clear"}
    assert json.loads(dialect.mark("m")[0]) == {"event": "mark", "mark": {"name": "m"}}


def test_an_endpoint_can_say_the_codec() -> None:
    event = opened(make("telnyx", codec="L16", srate_hz=24000), TELNYX)
    assert event.format == MediaFormat("L16", 24000)
    assert opened(make("signalwire", codec="L16LE", srate_hz=16000), START).format == MediaFormat(
        "L16LE", 16000
    )


def test_signalwire_is_twilio_with_more_codecs() -> None:
    event = opened(make("signalwire"), changed(START, encoding="L16@24000h"))
    assert event.format == MediaFormat("L16LE", 24000)
    assert opened(make("signalwire"), changed(START)).format == MediaFormat("PCMU", 8000)


def test_exotel_takes_large_blocks() -> None:
    dialect = make("exotel")
    event = opened(dialect, EXOTEL)
    assert (event.call_id, event.from_number, event.to_number) == ("CA9", "+91987", "+91804")
    assert event.format == MediaFormat("L16LE", 8000)
    assert json.loads(dialect.clear()[0]) == {"event": "clear", "stream_sid": "MZ9"}


@pytest.mark.parametrize(
    ("options", "frames"),
    [
        ({}, 10),
        ({"srate_hz": 8000}, 10),
        ({"srate_hz": 16000}, 5),
        ({"srate_hz": 24000}, 4),
        ({"codec": "PCMU"}, 20),
    ],
)
def test_exotel_blocks_have_at_least_3200_bytes(options: dict[str, Any], frames: int) -> None:
    media = make("exotel", **options).traits.media
    assert media.frames == frames
    sample = 1 if options.get("codec") == "PCMU" else 2
    size = frames * options.get("srate_hz", 8000) // 50 * sample
    assert size >= 3200
    assert size % 320 == 0
    assert size <= 100_000
