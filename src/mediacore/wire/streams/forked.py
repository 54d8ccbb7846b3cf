"""FreeSWITCH forks and jambonz `listen`: one text frame of metadata, then binary L16.

                  out (two_way)   out (otherwise)     flush      marks   ends by
jambonz           binary          playAudio, a file   killAudio  mark    disconnect
mod_audio_fork    binary          playAudio, a file   killAudio  –       disconnect
mod_audio_stream  binary          streamAudio, a file –          –       closing

Files are played when they are complete, so without two_way the caller hears blocks of a second
late and with gaps: for announcements, not for talk. mod_audio_stream plays by itself only in its
commercial build.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from mediacore.call.record import Accuracy
from mediacore.media import MediaDialect
from mediacore.wire.streams import fields
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
    Traits,
)

_FILE_FRAMES: Final = 50
_TICKS_PER_MS: Final = 8  # durations of digits are in RTP ticks
_RATES: Final = frozenset({8000, 16000, 24000, 48000})


@dataclass(frozen=True, slots=True)
class ForkShape:
    """What the relatives differ in. file_head, file_mid, file_tail: around the rate and the audio
    of a block to play as a file. kill: drops what is being played. disconnect: ends it."""

    file_head: str
    file_mid: str
    file_tail: str
    kill: bool
    disconnect: bool


class Forked:
    """One stream. The first text frame is the metadata; it may be empty, or not JSON at all."""

    def __init__(self, traits: Traits, shape: ForkShape, options: StreamOptions) -> None:
        self.traits = traits
        self._shape = shape
        self._options = options
        self._opened = False
        self._rate = 8000

    def wrap(self) -> tuple[str, str]:
        """Around blocks that the far side plays as files."""
        shape = self._shape
        return f"{shape.file_head}{self._rate}{shape.file_mid}", shape.file_tail

    def receive(self, text: str) -> Sequence[StreamEvent]:
        """See Dialect."""
        message = fields.decode(text)
        if not self._opened:
            return (self._metadata(message or {}),)
        if message is None:
            return (Malformed("not a JSON object"),)
        if message.get("event") == "dtmf":
            return (self._digit(message),)
        match fields.text_of(message, "type"):
            case "mark":
                mark = fields.object_of(message, "data")
                cleared = mark.get("event") == "cleared"
                return (MarkPlayed(fields.text_of(mark, "name"), cleared),)
            case "clearedMarks" | "killedAudio":
                return (Cleared(),)
            case "disconnect":
                return (Ended(),)
        return ()  # whatever the operator of the switch sends

    def answer(self) -> Sequence[str]:
        """The stream is up when it connects."""
        return ()

    def clear(self) -> Sequence[str]:
        """See Dialect."""
        return (fields.encode({"type": "killAudio"}),) if self._shape.kill else ()

    def mark(self, name: str) -> Sequence[str]:
        """See Dialect."""
        if not self.traits.marks:
            return ()
        return (fields.encode({"type": "mark", "data": {"name": name}}),)

    def poll(self) -> Sequence[str]:
        """They do not tell."""
        return ()

    def bye(self, failed: bool) -> Sequence[str]:
        """See Dialect."""
        return (fields.encode({"type": "disconnect"}),) if self._shape.disconnect else ()

    def _metadata(self, message: dict[str, Any]) -> StreamEvent:
        options = self._options
        rate = options.srate_hz or fields.number_of(message, "sampleRate", "sample_rate", "rate")
        rate = rate or 8000
        if rate not in _RATES or fields.text_of(message, "mixType") == "stereo":
            return Malformed("a rate or a mix that is not supported")
        self._opened = True
        self._rate = rate
        headers = fields.parameters_of(message)
        caller, called = fields.party_numbers(headers)
        call_id = fields.text_of(message, "callSid", "call_sid", "callId", "uuid", "call_id")
        if call_id:
            headers["call_id"] = call_id
        form = MediaFormat(options.codec or "L16LE", rate)
        return Opened(call_id, call_id, caller, called, headers, form)

    @staticmethod
    def _digit(message: dict[str, Any]) -> StreamEvent:
        digit = fields.digit_of(message, "dtmf", "digit")
        if not digit:
            return Malformed("a digit that is none")
        ticks = fields.number_of(message, "duration")
        return DigitPressed(digit, ticks // _TICKS_PER_MS or 100)


_FORK: Final = ForkShape(
    '{"type":"playAudio","data":{"audioContentType":"raw","sampleRate":',
    ',"audioContent":"',
    '"}}',
    kill=True,
    disconnect=True,
)
_STREAM: Final = ForkShape(
    '{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":',
    ',"audioData":"',
    '"}}',
    kill=False,
    disconnect=False,
)


def _media(options: StreamOptions) -> MediaDialect:
    if options.two_way:
        return MediaDialect(payload_key=(), binary_in=True, binary_out=True)
    return MediaDialect(payload_key=(), binary_in=True, frames=_FILE_FRAMES)


def jambonz(options: StreamOptions) -> Forked:
    """The verb needs bidirectionalAudio.streaming = true, mono, and the same rate both ways."""
    traits = Traits(
        "jambonz",
        Accuracy.MARK_BOUNDED if options.two_way else Accuracy.UNKNOWN,
        _media(options),
        marks=options.two_way,
        subprotocols=("audio.jambonz.org",),
    )
    return Forked(traits, _FORK, options)


def audio_fork(options: StreamOptions) -> Forked:
    """mod_audio_fork."""
    traits = Traits(
        "audio_fork",
        Accuracy.UNKNOWN,
        _media(options),
        subprotocols=("audio.drachtio.org",),
    )
    return Forked(traits, _FORK, options)


def audio_stream(options: StreamOptions) -> Forked:
    """mod_audio_stream."""
    traits = Traits("audio_stream", Accuracy.UNKNOWN, _media(options))
    return Forked(traits, _STREAM, options)
