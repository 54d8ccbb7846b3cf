"""Plivo audio streaming with bidirectional="true".

playAudio out, checkpoint → playedStream, clearAudio → clearedAudio. A checkpoint comes back only
if everything before it was played.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    PeerError,
    StreamEvent,
    StreamOptions,
    Traits,
)
from mediacore.wire.streams.slow import media_of

_TRAITS: Final = Traits(
    "plivo",
    Accuracy.MARK_BOUNDED,
    MediaDialect(seq_key=("media", "chunk"), track_key=("media", "track"), tracks=("inbound",)),
    marks=True,
    digits=True,
)
_TYPES: Final = {"PCMU": "audio/x-mulaw", "L16LE": "audio/x-l16", "L16": "audio/x-l16"}


class Plivo:
    """One stream."""

    def __init__(self, options: StreamOptions) -> None:
        self.traits = _TRAITS
        self._options = options
        self._stream_id = ""
        self._format = MediaFormat()

    def wrap(self) -> tuple[str, str]:
        """{"event":"playAudio","media":{"contentType":…,"sampleRate":…,"payload":…}}."""
        kind, rate = _TYPES[self._format.codec], self._format.srate_hz
        head = f'{{"event":"playAudio","media":{{"contentType":"{kind}","sampleRate":{rate},'
        return head + '"payload":"', '"}}'

    def receive(self, text: str) -> Sequence[StreamEvent]:
        """See Dialect."""
        message = fields.decode(text)
        if message is None:
            return (Malformed("not a JSON object"),)
        match fields.text_of(message, "event"):
            case "start":
                return (self._start(message),)
            case "playedStream":
                return (MarkPlayed(fields.text_of(message, "name")),)
            case "clearedAudio":
                return (Cleared(),)
            case "dtmf":
                digit = fields.digit_of(fields.object_of(message, "dtmf"), "digit")
                return (DigitPressed(digit) if digit else Malformed("a digit that is none"),)
            case "stop":
                return (Ended(),)
            case "error":
                return (PeerError(fields.text_of(message, "code")),)
            case "media":
                return media_of(message, self.traits.media)
        return (Malformed("unknown event"),)

    def answer(self) -> Sequence[str]:
        """The stream is up when it connects."""
        return ()

    def clear(self) -> Sequence[str]:
        """See Dialect."""
        return (fields.encode({"event": "clearAudio", "streamId": self._stream_id}),)

    def mark(self, name: str) -> Sequence[str]:
        """See Dialect."""
        message = {"event": "checkpoint", "streamId": self._stream_id, "name": name}
        return (fields.encode(message),)

    def poll(self) -> Sequence[str]:
        """They do not tell."""
        return ()

    def bye(self, failed: bool) -> Sequence[str]:
        """Closing the socket ends the stream, and the call unless keepCallAlive is set."""
        return ()

    def _start(self, message: dict[str, Any]) -> StreamEvent:
        start = fields.object_of(message, "start")
        if self._stream_id:
            return Malformed("a second start")
        given = fields.object_of(start, "mediaFormat")
        encoding = fields.text_of(given, "encoding") or "PCMU"
        codec = self._options.codec or fields.codec_of(encoding)
        stream_id = fields.text_of(start, "streamId") or fields.text_of(message, "streamId")
        if codec not in _TYPES:
            return Malformed("a codec that is not supported")
        if not stream_id:
            return Malformed("a start without a stream id")
        self._stream_id = stream_id
        rate = fields.number_of(given, "sampleRate") or fields.rate_of(encoding) or 8000
        self._format = MediaFormat(codec, self._options.srate_hz or rate)
        headers = fields.pairs_of(fields.text_of(message, "extra_headers"))
        headers = headers or fields.parameters_of(message.get("extra_headers"))
        caller, called = fields.party_numbers(headers)
        call_id = fields.text_of(start, "callId")
        facts = {
            "stream_id": stream_id,
            "call_id": call_id,
            "account_id": fields.text_of(start, "accountId"),
        }
        headers |= {name: value for name, value in facts.items() if value}
        return Opened(
            stream_id,
            call_id,
            fields.text_of(start, "from") or caller,
            fields.text_of(start, "to") or called,
            headers,
            self._format,
        )


def plivo(options: StreamOptions) -> Plivo:
    """µ-law at 8 kHz, or L16 (little-endian) at 8 or 16 kHz."""
    return Plivo(options)
