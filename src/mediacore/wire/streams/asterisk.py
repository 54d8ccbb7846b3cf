"""Asterisk chan_websocket: binary audio both ways, commands and events as text.

Commands and events are plain words ("MARK_MEDIA 7", "DTMF_END digit:5 channel_id:…") or, with
f(json) in the dial string, JSON objects with "command" and "event"; the first event tells which.
Asterisk takes one frame of 20 ms from its queue per 20 ms of its own clock and plays silence when
there is none. GET_STATUS tells the length of that queue, so what was heard is known to the frame:
it is asked while the agent speaks and right before a flush, after which neither marks nor
completions come back.

Text of more than 128 bytes is ignored by Asterisk, and so is audio that is not whole frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from mediacore.call.record import Accuracy
from mediacore.media import MediaDialect
from mediacore.wire.streams import fields
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
    Traits,
)

MAX_TEXT: Final = 128
FRAME_MS: Final = 20
_MAX_QUEUE: Final = 10_000
_FORMATS: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "ulaw": ("PCMU", 8000),
        "alaw": ("PCMA", 8000),
        "g722": ("G722", 16000),
        "slin": ("L16LE", 8000),
        "slin16": ("L16LE", 16000),
        "slin24": ("L16LE", 24000),
        "slin48": ("L16LE", 48000),
    }
)
"""Asterisk's names of the formats that the core has."""
_TRAITS: Final = Traits(
    "chan_websocket",
    Accuracy.EXACT,
    MediaDialect(event_key="", binary_in=True, binary_out=True),
    marks=True,
    digits=True,
    subprotocols=("media",),
    close_by_peer=True,
    poll_ms=500,
)
_FLOW: Final = frozenset({"MEDIA_XON", "MEDIA_XOFF", "QUEUE_DRAINED", "MEDIA_BUFFERING_COMPLETED"})


class ChanWebSocket:
    """One channel."""

    def __init__(self, options: StreamOptions) -> None:
        self.traits = _TRAITS
        self._json = False
        self._opened = False

    def wrap(self) -> tuple[str, str]:
        """Nothing: audio is binary."""
        return "", ""

    def receive(self, text: str) -> Sequence[StreamEvent]:
        """See Dialect."""
        json = text.lstrip().startswith("{")
        event = (fields.decode(text) or {}) if json else _words(text)
        name = fields.text_of(event, "event")
        if name == "MEDIA_START":
            return (self._start(event, json),)
        if not self._opened:
            return (Malformed("no MEDIA_START yet"),)
        match name:
            case "MEDIA_MARK_PROCESSED":
                return (MarkPlayed(fields.text_of(event, "correlation_id")),)
            case "STATUS":
                frames = fields.number_of(event, "queue_length", default=-1)
                if not 0 <= frames <= _MAX_QUEUE:
                    return (Malformed("a STATUS without queue_length"),)
                return (Backlog(frames * FRAME_MS),)
            case "DTMF_END":
                digit = fields.digit_of(event, "digit")
                return (DigitPressed(digit) if digit else Malformed("a digit that is none"),)
            case "ERROR":
                return (PeerError("ERROR"),)
        return () if name in _FLOW else (Malformed("unknown event"),)

    def answer(self) -> Sequence[str]:
        """For channels that are dialled with `n`; others are up already."""
        return (self._command("ANSWER"),)

    def clear(self) -> Sequence[str]:
        """See Dialect: what is in the queue is asked, then dropped."""
        return (self._command("GET_STATUS"), self._command("FLUSH_MEDIA"))

    def mark(self, name: str) -> Sequence[str]:
        """See Dialect."""
        return (self._command("MARK_MEDIA", name),)

    def poll(self) -> Sequence[str]:
        """See Dialect."""
        return (self._command("GET_STATUS"),)

    def pause(self, on: bool) -> Sequence[str]:
        """Stop playing what is in the queue (on), or go on."""
        return (self._command("PAUSE_MEDIA" if on else "CONTINUE_MEDIA"),)

    def drained(self) -> Sequence[str]:
        """Ask for one QUEUE_DRAINED, when the queue is empty."""
        return (self._command("REPORT_QUEUE_DRAINED"),)

    def bye(self, failed: bool) -> Sequence[str]:
        """See Dialect."""
        return (self._command("HANGUP"),)

    def _command(self, command: str, correlation: str = "") -> str:
        if not self._json:
            return f"{command} {correlation}" if correlation else command
        message = {"command": command}
        if correlation:
            message["correlation_id"] = correlation
        return fields.encode(message)

    def _start(self, event: Mapping[str, Any], json: bool) -> StreamEvent:
        if self._opened:
            return Malformed("a second MEDIA_START")
        known = _FORMATS.get(fields.text_of(event, "format"))
        if known is None:
            return Malformed("a format that is not supported")
        if fields.number_of(event, "ptime", default=FRAME_MS) != FRAME_MS:
            return Malformed("a ptime that is not 20 ms")
        self._opened = True
        self._json = json
        # Variables that were set with __ to be inherited still have it.
        variables = fields.parameters_of(event.get("channel_variables"))
        headers = {name.lstrip("_"): value for name, value in variables.items()}
        for name in ("connection_id", "channel", "channel_id"):
            value = fields.text_of(event, name)
            if value:
                headers[name] = value
        caller, called = fields.party_numbers(headers)
        codec, rate = known
        return Opened(
            fields.text_of(event, "connection_id"),
            fields.text_of(event, "channel_id"),
            caller,
            called,
            headers,
            MediaFormat(codec, rate),
        )


def _words(text: str) -> Mapping[str, Any]:
    """A plain event: its name, then "name:value" pairs or, for marks, the mark's name."""
    name, _, rest = text.strip().partition(" ")
    if name == "MEDIA_MARK_PROCESSED":
        return {"event": name, "correlation_id": rest}
    pairs = (word.partition(":") for word in rest.split())
    return {**{key: value for key, colon, value in pairs if colon}, "event": name}


def chan_websocket(options: StreamOptions) -> ChanWebSocket:
    """The channel's format is the one it was dialled with: c(slin16), c(ulaw) …"""
    return ChanWebSocket(options)
