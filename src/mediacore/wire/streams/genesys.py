"""Genesys Cloud AudioHook and Audio Connector, protocol version 2.

open → opened, ping → pong, close → closed; audio is binary µ-law at 8 kHz, the caller's channel
alone. Our messages carry seq, the last clientseq and a position.
What was played is not told, except by position. A connection probe opens with a conversation id
of zeros: it is answered and is no call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mediacore.call.record import Accuracy
from mediacore.media import MediaDialect
from mediacore.wire.streams import fields
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
    Traits,
)

PROBE: Final = "00000000-0000-0000-0000-000000000000"
_FRAMES: Final = 10  # the rate of binary messages is limited; too many are answered by 429
_TRAITS: Final = Traits(
    "genesys",
    Accuracy.UNKNOWN,
    MediaDialect(payload_key=(), binary_in=True, binary_out=True, frames=_FRAMES),
    digits=True,
    close_by_peer=True,
)
_MEDIA: Final = {"type": "audio", "format": "PCMU", "channels": ["external"], "rate": 8000}
_SILENT: Final = frozenset(
    {"update", "discarded", "playback_started", "playback_completed", "event"}
)


class Genesys:
    """One session."""

    def __init__(self, options: StreamOptions) -> None:
        self.traits = _TRAITS
        self._options = options
        self._id = ""
        self._seq = 0
        self._client_seq = 0
        self._position = "PT0S"
        self._opened = False
        self._answered = False

    def wrap(self) -> tuple[str, str]:
        """Nothing: audio is binary."""
        return "", ""

    def receive(self, text: str) -> Sequence[StreamEvent]:
        """See Dialect."""
        message = fields.decode(text)
        if message is None:
            return (Malformed("not a JSON object"),)
        self._client_seq = fields.number_of(message, "seq", default=self._client_seq)
        self._position = fields.text_of(message, "position") or self._position
        parameters = fields.object_of(message, "parameters")
        match fields.text_of(message, "type"):
            case "open":
                return self._opening(message, parameters)
            case "ping":
                return (Reply(self._message("pong")),)
            case "close":
                return (Reply(self._message("closed")), Ended())
            case "dtmf":
                digit = fields.digit_of(parameters, "digit")
                return (DigitPressed(digit) if digit else Malformed("a digit that is none"),)
            case "paused":
                return (Held(on=True),)
            case "resumed":
                return (Held(on=False),)
            case "error":
                return (PeerError(fields.text_of(parameters, "code")),)
            case kind if kind in _SILENT:
                return ()
        return (Malformed("unknown type"),)

    def answer(self) -> Sequence[str]:
        """Choose the media; the far side sends nothing before."""
        if not self._opened or self._answered:
            return ()
        self._answered = True
        return (self._message("opened", {"startPaused": False, "media": [_MEDIA]}),)

    def clear(self) -> Sequence[str]:
        """See Dialect."""
        entity = {"type": "barge_in", "data": {}}
        return (self._message("event", {"entities": [entity]}),)

    def mark(self, name: str) -> Sequence[str]:
        """They have none."""
        return ()

    def poll(self) -> Sequence[str]:
        """They do not tell."""
        return ()

    def bye(self, failed: bool) -> Sequence[str]:
        """They close after it."""
        return (self._message("disconnect", {"reason": "error" if failed else "completed"}),)

    def _opening(
        self, message: dict[str, Any], parameters: dict[str, Any]
    ) -> Sequence[StreamEvent]:
        if self._opened:
            return (Malformed("a second open"),)
        session = fields.text_of(message, "id")
        if not session or not self._offered(parameters.get("media")):
            return (Malformed("an open without id, or without the caller's µ-law alone"),)
        self._id = session
        self._opened = True
        conversation = fields.text_of(parameters, "conversationId")
        if conversation == PROBE:
            return tuple(Reply(text) for text in self.answer())
        party = fields.object_of(parameters, "participant")
        headers = fields.parameters_of(parameters.get("inputVariables"))
        headers |= fields.parameters_of(parameters.get("customConfig"))
        facts = {
            "stream_id": session,
            "call_id": conversation,
            "account_id": fields.text_of(parameters, "organizationId"),
            "language": fields.text_of(parameters, "language"),
            "caller_name": fields.text_of(party, "aniName"),
        }
        headers |= {name: value for name, value in facts.items() if value}
        return (
            Opened(
                session,
                conversation,
                fields.text_of(party, "ani").removeprefix("tel:"),
                fields.text_of(party, "dnis").removeprefix("tel:"),
                headers,
                MediaFormat("PCMU", 8000),
            ),
        )

    @staticmethod
    def _offered(media: object) -> bool:
        return isinstance(media, list) and any(
            isinstance(each, dict)
            and each.get("format") == "PCMU"
            and each.get("channels") == ["external"]
            and fields.number_of(each, "rate", default=8000) == 8000
            for each in media
        )

    def _message(self, kind: str, parameters: dict[str, Any] | None = None) -> str:
        self._seq += 1
        return fields.encode(
            {
                "version": "2",
                "type": kind,
                "seq": self._seq,
                "clientseq": self._client_seq,
                "id": self._id,
                "position": self._position,
                "parameters": parameters or {},
            }
        )


def genesys(options: StreamOptions) -> Genesys:
    """µ-law at 8 kHz."""
    return Genesys(options)
