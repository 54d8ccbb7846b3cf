"""What dialects have in common: their events, and how audio is wrapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mediacore.call.record import Accuracy
from mediacore.media import MediaDialect


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What an endpoint says of the audio; 0 and "" leave it to the dialect and to what the
    provider's first message says. codec: a name of the core; "L16LE" is what WebSockets carry,
    "L16" the big-endian one. two_way: the far side plays binary audio as it comes (FreeSWITCH);
    otherwise it gets blocks to play as files."""

    codec: str = ""
    srate_hz: int = 0
    two_way: bool = True


@dataclass(frozen=True, slots=True)
class MediaFormat:
    """Audio both ways, mono. codec: a name of the core."""

    codec: str = "PCMU"
    srate_hz: int = 8000


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of a dialect before anything is said.

    media: how audio is wrapped both ways; its prefix and suffix come from `wrap`. marks: the far
    side tells what was played. digits: it tells keys by messages. subprotocols: WebSocket
    subprotocols that may be asked for. close_by_peer: after `bye` the far side closes. poll_ms:
    above 0, `poll` is sent so often while audio goes out, and a `Backlog` comes back.
    """

    kind: str
    accuracy: Accuracy
    media: MediaDialect
    marks: bool = False
    digits: bool = False
    subprotocols: tuple[str, ...] = ()
    close_by_peer: bool = False
    poll_ms: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """The stream began. headers: what the provider and its customer say of the call."""

    stream_id: str
    call_id: str
    from_number: str = ""
    to_number: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    format: MediaFormat = field(default_factory=MediaFormat)


@dataclass(frozen=True, slots=True)
class MediaCame:
    """Audio in a message that the core's scan was not sure of."""

    payload: bytes
    seq: int | None


@dataclass(frozen=True, slots=True)
class MarkPlayed:
    """A mark came back. cleared: the far side says that it was not played."""

    name: str
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Cleared:
    """The far side dropped what it had."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much audio the far side has that it has not played."""

    ms: int


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """One of "0-9*#A-D"."""

    digit: str
    duration_ms: int = 100


@dataclass(frozen=True, slots=True)
class Held:
    """The far side sends no audio for a while (on), or again."""

    on: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """The stream is over; nothing may be sent any more but what is in `Reply`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A text message that has to go out now."""

    text: str


@dataclass(frozen=True, slots=True)
class PeerError:
    """The far side reports an error. code: as it gave it, "" = none."""

    code: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """Not a message of this dialect. detail: static text."""

    detail: str


StreamEvent = (
    Opened
    | MediaCame
    | MarkPlayed
    | Cleared
    | Backlog
    | DigitPressed
    | Held
    | Ended
    | Reply
    | PeerError
    | Malformed
)


class Dialect(Protocol):
    """One connection in the language of one provider."""

    @property
    def traits(self) -> Traits:
        """The same for all connections."""
        ...

    def wrap(self) -> tuple[str, str]:
        """Text before and after the base64 of outgoing audio; valid once opened."""
        ...

    def receive(self, text: str) -> Sequence[StreamEvent]:
        """Take a text message that the core did not take as media. Never raises."""
        ...

    def answer(self) -> Sequence[str]:
        """What says that the call is taken."""
        ...

    def clear(self) -> Sequence[str]:
        """What makes the far side drop audio it has not played; empty = it cannot."""
        ...

    def mark(self, name: str) -> Sequence[str]:
        """What makes the far side tell when it has played all that went out before."""
        ...

    def poll(self) -> Sequence[str]:
        """What makes the far side tell its backlog."""
        ...

    def bye(self, failed: bool) -> Sequence[str]:
        """What ends the stream from our side, before the socket is closed."""
        ...
