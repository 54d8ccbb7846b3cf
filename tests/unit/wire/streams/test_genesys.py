"""Genesys AudioHook and Audio Connector."""

import json
from typing import Any

import pytest

from mediacore.wire.streams.genesys import PROBE, Genesys, genesys
from mediacore.wire.streams.model import (
    DigitPressed,
    Ended,
    Held,
    Malformed,
    MediaFormat,
    Opened,
    PeerError,
    Reply,
    StreamEvent,
    StreamOptions,
)

SESSION = "30b0e395-84d3-4570-ac13-9a62d8f514c0"
BOTH = {"type": "audio", "format": "PCMU", "channels": ["external", "internal"], "rate": 8000}
MONO = {"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000}


def message(kind: str, seq: int = 1, **parameters: object) -> dict[str, Any]:
    return {
        "version": "2",
        "type": kind,
        "seq": seq,
        "serverseq": 0,
        "id": SESSION,
        "position": "PT1.5S",
        "parameters": parameters,
    }


def opening(media: object = (BOTH, MONO), conversation: str = "090e") -> dict[str, Any]:
    return message(
        "open",
        organizationId="d793",
        conversationId=conversation,
        participant={"id": "p", "ani": "tel:+15555550100", "aniName": "Ann", "dnis": "+1888"},
        media=list(media) if isinstance(media, tuple) else media,
        inputVariables={"tier": "gold"},
        language="en-US",
    )


def take(dialect: Genesys, given: object) -> list[StreamEvent]:
    return list(dialect.receive(json.dumps(given)))


def test_open_is_answered_when_the_call_is_taken() -> None:
    dialect = genesys(StreamOptions())
    assert dialect.answer() == ()
    (event,) = take(dialect, opening())
    assert isinstance(event, Opened)
    assert (event.stream_id, event.call_id) == (SESSION, "090e")
    assert (event.from_number, event.to_number) == ("+15555550100", "+1888")
    assert event.format == MediaFormat("PCMU", 8000)
    assert event.headers["tier"] == "gold"
    (text,) = dialect.answer()
    answer = json.loads(text)
    assert (answer["type"], answer["seq"], answer["clientseq"]) == ("opened", 1, 1)
    assert (answer["id"], answer["version"]) == (SESSION, "2")
    assert answer["parameters"]["media"] == [MONO]
    assert dialect.answer() == ()


def test_a_probe_is_answered_and_is_no_call() -> None:
    dialect = genesys(StreamOptions())
    (event,) = take(dialect, opening(conversation=PROBE))
    assert isinstance(event, Reply)
    assert json.loads(event.text)["type"] == "opened"
    events = take(dialect, message("close", 2, reason="end"))
    assert isinstance(events[0], Reply)
    assert json.loads(events[0].text)["type"] == "closed"
    assert events[1] == Ended()


def test_sequence_numbers_and_positions_run_on() -> None:
    dialect = genesys(StreamOptions())
    take(dialect, opening())
    dialect.answer()
    (pong,) = take(dialect, {**message("ping", 2), "position": "PT2S"})
    assert isinstance(pong, Reply)
    sent = json.loads(pong.text)
    assert (sent["type"], sent["seq"], sent["clientseq"], sent["position"]) == (
        "pong",
        2,
        2,
        "PT2S",
    )
    (barge,) = map(json.loads, dialect.clear())
    assert (barge["type"], barge["seq"]) == ("event", 3)
    assert barge["parameters"]["entities"] == [{"type": "barge_in", "data": {}}]
    (bye,) = map(json.loads, dialect.bye(failed=False))
    assert (bye["type"], bye["parameters"]["reason"]) == ("disconnect", "completed")
    assert json.loads(dialect.bye(failed=True)[0])["parameters"]["reason"] == "error"
    assert [*dialect.mark("m"), *dialect.poll()] == []
    assert dialect.wrap() == ("", "")


@pytest.mark.parametrize(
    ("given", "event"),
    [
        (message("dtmf", digit="5"), DigitPressed("5")),
        (message("paused"), Held(on=True)),
        (message("resumed"), Held(on=False)),
        (message("error", code=429, message="slow down"), PeerError("429")),
    ],
)
def test_what_comes_in(given: object, event: StreamEvent) -> None:
    assert take(genesys(StreamOptions()), given) == [event]


@pytest.mark.parametrize("kind", ["update", "discarded", "playback_started", "playback_completed"])
def test_what_tells_nothing(kind: str) -> None:
    assert take(genesys(StreamOptions()), message(kind)) == []


@pytest.mark.parametrize(
    "given",
    [
        message("dtmf"),
        message("nonsense"),
        opening(media=[BOTH]),
        opening(media=[{**MONO, "format": "L16"}]),
        opening(media="no"),
        opening(media=[3]),
        {**opening(), "id": ""},
        {"type": "open", "parameters": 3},
    ],
)
def test_what_is_not_usable(given: object) -> None:
    (event,) = take(genesys(StreamOptions()), given)
    assert isinstance(event, Malformed)


def test_a_second_open_and_garbage() -> None:
    dialect = genesys(StreamOptions())
    take(dialect, opening())
    assert isinstance(take(dialect, opening())[0], Malformed)
    assert isinstance(dialect.receive("x")[0], Malformed)
