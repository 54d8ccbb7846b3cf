"""Twilio `<Connect><Stream>`, and the shape that others took over from it.

connected, start, media, dtmf, mark, stop come in; media, mark, clear may go out and nothing else
(error 31924). Numbers are text. `clear` brings back the marks that were not played.
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
    PeerError,
    StreamEvent,
    StreamOptions,
    Traits,
)
from mediacore.wire.streams.slow import media_of

CODECS: Final = frozenset({"PCMU", "PCMA", "L16LE", "L16", "G722", "opus"})
_SILENT: Final = frozenset({"connected", "playback_started", "playback_completed"})


@dataclass(frozen=True, slots=True)
class Names:
    """The keys in which the relatives differ. codec, srate_hz: when `start` names none."""

    stream_id: str = "streamSid"
    call_id: tuple[str, ...] = ("callSid",)
    account: str = "accountSid"
    parameters: str = "customParameters"
    format: str = "mediaFormat"
    rate: tuple[str, ...] = ("sampleRate", "sample_rate")
    codec: str = "PCMU"
    stream_id_goes_out: bool = True


class TwilioShaped:
    """One stream of Twilio or a relative."""

    def __init__(self, traits: Traits, names: Names, options: StreamOptions) -> None:
        self.traits = traits
        self._names = names
        self._options = options
        self._stream_id = ""

    def wrap(self) -> tuple[str, str]:
        """{"event":"media",…,"media":{"payload":…}}."""
        head = fields.encode({"event": "media", **self._stream()})
        return f'{head[:-1]},"media":{{"payload":"', '"}}'

    def receive(self, text: str) -> Sequence[StreamEvent]:
        """See Dialect."""
        message = fields.decode(text)
        if message is None:
            return (Malformed("not a JSON object"),)
        match fields.text_of(message, "event"):
            case "media":
                return media_of(message, self.traits.media)
            case "start":
                return (self._start(message),)
            case "mark":
                name = fields.text_of(fields.object_of(message, "mark"), "name")
                return (MarkPlayed(name),)
            case "dtmf":
                return (self._digit(message),)
            case "stop":
                return (Ended(),)
            case "clear" | "cleared":
                return (Cleared(),)
            case "error":
                error = fields.object_of(message, "payload") or message
                return (PeerError(fields.text_of(error, "code")),)
            case event if event in _SILENT:
                return ()
        return (Malformed("unknown event"),)

    def answer(self) -> Sequence[str]:
        """The stream is up when it connects."""
        return ()

    def clear(self) -> Sequence[str]:
        """See Dialect."""
        return (fields.encode({"event": "clear", **self._stream()}),)

    def mark(self, name: str) -> Sequence[str]:
        """See Dialect."""
        return (fields.encode({"event": "mark", **self._stream(), "mark": {"name": name}}),)

    def poll(self) -> Sequence[str]:
        """They do not tell."""
        return ()

    def bye(self, failed: bool) -> Sequence[str]:
        """Closing the socket ends the stream."""
        return ()

    def _stream(self) -> dict[str, str]:
        if not self._names.stream_id_goes_out:
            return {}
        return {self._names.stream_id: self._stream_id}

    def _start(self, message: dict[str, Any]) -> StreamEvent:
        names = self._names
        start = fields.object_of(message, "start")
        if self._stream_id:
            return Malformed("a second start")
        given = self._format(fields.object_of(start, names.format))
        if given is None:
            return Malformed("a media format that is not supported")
        stream_id = fields.text_of(message, names.stream_id) or fields.text_of(
            start, names.stream_id
        )
        if not stream_id:
            return Malformed("a start without a stream id")
        self._stream_id = stream_id
        headers = fields.parameters_of(start.get(names.parameters))
        caller, called = fields.party_numbers(headers)
        call_id = fields.text_of(start, *names.call_id)
        facts = {
            "stream_id": stream_id,
            "call_id": call_id,
            "account_id": fields.text_of(start, names.account),
            "client_state": fields.text_of(start, "client_state"),
            "call_session_id": fields.text_of(start, "call_session_id"),
        }
        headers |= {name: value for name, value in facts.items() if value}
        return Opened(
            stream_id,
            call_id,
            fields.text_of(start, "from") or caller,
            fields.text_of(start, "to") or called,
            headers,
            given,
        )

    def _format(self, given: dict[str, Any]) -> MediaFormat | None:
        names, options = self._names, self._options
        encoding = fields.text_of(given, "encoding")
        codec = options.codec or (fields.codec_of(encoding) if encoding else names.codec)
        if codec not in CODECS or fields.number_of(given, "channels", default=1) != 1:
            return None
        rate = options.srate_hz or fields.number_of(given, *names.rate) or fields.rate_of(encoding)
        if codec in ("PCMU", "PCMA") and rate not in (0, 8000):
            return None
        return MediaFormat(codec, rate or 8000)

    @staticmethod
    def _digit(message: dict[str, Any]) -> StreamEvent:
        dtmf = fields.object_of(message, "dtmf")
        digit = fields.digit_of(dtmf, "digit")
        if not digit:
            return Malformed("a digit that is none")
        return DigitPressed(digit, fields.number_of(dtmf, "duration", default=100) or 100)


CHUNKS: Final = MediaDialect(
    seq_key=("media", "chunk"), track_key=("media", "track"), tracks=("inbound",)
)
"""Media messages as Twilio wraps them."""
_TRAITS: Final = Traits(
    "twilio",
    Accuracy.MARK_BOUNDED,
    CHUNKS,
    marks=True,
    digits=True,
)


def twilio(options: StreamOptions) -> TwilioShaped:
    """µ-law at 8 kHz unless `start` says otherwise."""
    return TwilioShaped(_TRAITS, Names(), options)
