"""FreeSWITCH forks and jambonz."""

import json

import pytest

from mediacore.call.record import Accuracy
from mediacore.wire.streams.forked import Forked, audio_fork, audio_stream, jambonz
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

META = {
    "callSid": "c-1",
    "from": "100",
    "to": "200",
    "sampleRate": 16000,
    "mixType": "mono",
    "customerData": {"tier": "gold"},
}


def take(dialect: Forked, message: object) -> list[StreamEvent]:
    return list(dialect.receive(json.dumps(message)))


def test_the_metadata_opens_the_stream() -> None:
    (event,) = take(jambonz(StreamOptions()), META)
    assert isinstance(event, Opened)
    assert (event.call_id, event.from_number, event.to_number) == ("c-1", "100", "200")
    assert event.format == MediaFormat("L16LE", 16000)
    assert event.headers["customerData"] == '{"tier":"gold"}'


@pytest.mark.parametrize("text", ["", "hello", "{}", "[1]"])
def test_metadata_may_be_anything(text: str) -> None:
    (event,) = audio_fork(StreamOptions(srate_hz=16000)).receive(text)
    assert isinstance(event, Opened)
    assert event.format == MediaFormat("L16LE", 16000)
    (event,) = audio_stream(StreamOptions()).receive(text)
    assert isinstance(event, Opened)
    assert event.format == MediaFormat("L16LE", 8000)


@pytest.mark.parametrize("more", [{"sampleRate": 64000}, {"mixType": "stereo"}])
def test_rates_and_mixes_that_are_not_supported(more: dict[str, object]) -> None:
    assert isinstance(take(jambonz(StreamOptions()), {**META, **more})[0], Malformed)


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"event": "dtmf", "dtmf": "5", "duration": 2000}, DigitPressed("5", 250)),
        ({"event": "dtmf", "dtmf": "5"}, DigitPressed("5")),
        ({"type": "mark", "data": {"name": "m", "event": "playout"}}, MarkPlayed("m")),
        ({"type": "mark", "data": {"name": "m", "event": "cleared"}}, MarkPlayed("m", True)),
        ({"type": "clearedMarks"}, Cleared()),
        ({"type": "disconnect"}, Ended()),
    ],
)
def test_what_comes_in(message: object, event: StreamEvent) -> None:
    dialect = jambonz(StreamOptions())
    take(dialect, META)
    assert take(dialect, message) == [event]


def test_unknown_messages_are_the_operators_and_garbage_is_not() -> None:
    dialect = audio_fork(StreamOptions())
    take(dialect, META)
    assert take(dialect, {"anything": 1}) == []
    assert isinstance(dialect.receive("{")[0], Malformed)
    assert isinstance(take(dialect, {"event": "dtmf", "dtmf": "55"})[0], Malformed)


def test_commands_of_jambonz() -> None:
    dialect = jambonz(StreamOptions())
    take(dialect, META)
    assert dialect.traits.accuracy is Accuracy.MARK_BOUNDED
    assert dialect.traits.subprotocols == ("audio.jambonz.org",)
    assert json.loads(dialect.clear()[0]) == {"type": "killAudio"}
    assert json.loads(dialect.mark("m")[0]) == {"type": "mark", "data": {"name": "m"}}
    assert json.loads(dialect.bye(failed=False)[0]) == {"type": "disconnect"}
    assert [*dialect.answer(), *dialect.poll()] == []


def test_forks_have_no_marks_and_one_has_no_flush() -> None:
    fork, stream = audio_fork(StreamOptions()), audio_stream(StreamOptions())
    assert fork.traits.accuracy is Accuracy.UNKNOWN
    assert [*fork.mark("m"), *stream.mark("m"), *stream.clear(), *stream.bye(failed=False)] == []
    assert json.loads(fork.clear()[0]) == {"type": "killAudio"}


def test_without_two_way_audio_goes_out_as_files() -> None:
    options = StreamOptions(two_way=False)
    fork, stream = audio_fork(options), audio_stream(options)
    for dialect in (fork, stream):
        take(dialect, META)
        assert (dialect.traits.media.binary_out, dialect.traits.media.frames) == (False, 50)
    prefix, suffix = fork.wrap()
    assert json.loads(f"{prefix}AAAA{suffix}") == {
        "type": "playAudio",
        "data": {"audioContentType": "raw", "sampleRate": 16000, "audioContent": "AAAA"},
    }
    prefix, suffix = stream.wrap()
    assert json.loads(f"{prefix}AAAA{suffix}") == {
        "type": "streamAudio",
        "data": {"audioDataType": "raw", "sampleRate": 16000, "audioData": "AAAA"},
    }
    assert jambonz(options).traits.accuracy is Accuracy.UNKNOWN
    assert audio_fork(StreamOptions()).traits.media.binary_out
