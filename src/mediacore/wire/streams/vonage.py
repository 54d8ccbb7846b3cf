"""Vonage Voice API, NCCO endpoint of type websocket.

Audio is binary, L16 little-endian, 20 ms per message both ways; everything else is JSON text.
`notify` comes back when what went out before it was played.
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
    StreamEvent,
    StreamOptions,
    Traits,
)

_TRAITS: Final = Traits(
    "vonage",
    Accuracy.MARK_BOUNDED,
    MediaDialect(payload_key=(), binary_in=True, binary_out=True),
    marks=True,
    digits=True,
)
_RATES: Final = frozenset({8000, 16000, 24000})


class Vonage:
    """One stream."""

    def __init__(self, options: StreamOptions) -> None:
        self.traits = _TRAITS
        self._options = options
        self._opened = False

    def wrap(self) -> tuple[str, str]:
        """Nothing: audio is binary."""
        return "", ""

    def receive(self, text: str) -> Sequence[StreamEvent]:
        """See Dialect."""
        message = fields.decode(text)
        if message is None:
            return (Malformed("not a JSON object"),)
        match fields.text_of(message, "event"):
            case "websocket:connected":
                return (self._connected(message),)
            case "websocket:notify":
                name = fields.text_of(fields.object_of(message, "payload"), "mark")
                return (MarkPlayed(name),)
            case "websocket:cleared":
                return (Cleared(),)
            case "websocket:dtmf":
                return (self._digit(message),)
            case "websocket:disconnected" | "close":
                return (Ended(),)
        return (Malformed("unknown event"),)

    def answer(self) -> Sequence[str]:
        """The stream is up when it connects."""
        return ()

    def clear(self) -> Sequence[str]:
        """See Dialect."""
        return (fields.encode({"action": "clear"}),)

    def mark(self, name: str) -> Sequence[str]:
        """See Dialect."""
        return (fields.encode({"action": "notify", "payload": {"mark": name}}),)

    def poll(self) -> Sequence[str]:
        """They do not tell."""
        return ()

    def bye(self, failed: bool) -> Sequence[str]:
        """Closing the socket ends the leg."""
        return ()

    def _connected(self, message: dict[str, Any]) -> StreamEvent:
        if self._opened:
            return Malformed("a second websocket:connected")
        kind = fields.text_of(message, "content-type")
        rate = self._options.srate_hz or fields.rate_of(kind) or 16000
        if (kind and fields.codec_of(kind) != "L16LE") or rate not in _RATES:
            return Malformed("a codec that is not supported")
        self._opened = True
        own = {"event", "content-type"}
        headers = fields.parameters_of({k: v for k, v in message.items() if k not in own})
        caller, called = fields.party_numbers(headers)
        call_id = fields.text_of(message, "uuid", "call_uuid", "conversation_uuid")
        if call_id:
            headers["call_id"] = call_id
        return Opened(call_id, call_id, caller, called, headers, MediaFormat("L16LE", rate))

    @staticmethod
    def _digit(message: dict[str, Any]) -> StreamEvent:
        digit = fields.digit_of(message, "digit")
        digit = digit or fields.digit_of(fields.object_of(message, "dtmf"), "digit")
        if not digit:
            return Malformed("a digit that is none")
        return DigitPressed(digit, fields.number_of(message, "duration", default=100) or 100)


def vonage(options: StreamOptions) -> Vonage:
    """L16 at the rate of the content-type."""
    return Vonage(options)
