"""What the call's reducer takes in: its lines, their media, finished work, commands, time.

Past tense, frozen. Work reports carry the id of the operation they were made for; what is over
refuses them in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mediacore.call.inputs import (
    ReplyEnded,
    ReplyFailed,
    ReplyHangup,
    ReplyText,
    ReplyToolCall,
    SpeechFailed,
    SpeechReady,
    SpeechSynthesised,
    SpeechWords,
    SttFailed,
    TranscriptFinal,
    TranscriptPartial,
    TurnProbability,
)
from mediacore.errors import ErrorClass
from mediacore.events import MediaEvent
from mediacore.flow.document import Document
from mediacore.runtime.ports import Command


@dataclass(frozen=True, slots=True)
class CallOffered:
    """An incoming call rings; nothing is answered yet."""

    line: str


@dataclass(frozen=True, slots=True)
class LineRinging:
    """A dialled line rings."""

    line: str


@dataclass(frozen=True, slots=True)
class LineAnswered:
    """A line has media from now on. handle: of its leg."""

    line: str
    handle: int
    srate_hz: int


@dataclass(frozen=True, slots=True)
class LineGone:
    """A line is over, or never came to be. reason: published word (`slots.gateway.LineEnd`)."""

    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class Media:
    """Something that the core reported about a line's leg."""

    line: str
    event: MediaEvent


@dataclass(frozen=True, slots=True)
class Resynced:
    """Events of a line's leg were lost (EventsLost); this is what its snapshot tells of them.

    tick, at: where the leg is. generation: of its voice. speaking: whether the caller speaks, None
    = not known. drained: everything that was given to playout has been played or cut.
    """

    line: str
    tick: int
    at: int
    generation: int
    speaking: bool | None
    drained: bool


@dataclass(frozen=True, slots=True)
class FarDelaySeen:
    """The delay between the wire here and the far party's ear, from what it reports (RTCP)."""

    line: str
    delay_ms: int


@dataclass(frozen=True, slots=True)
class Heard:
    """Recognition of a line."""

    line: str
    result: TranscriptPartial | TranscriptFinal | SttFailed


@dataclass(frozen=True, slots=True)
class AgentResult:
    """Something that the model, the synthesiser or the turn detector gave the conversation.

    run: which run of `ai` it was made for.
    """

    run: int
    result: (
        ReplyText
        | ReplyToolCall
        | ReplyHangup
        | ReplyEnded
        | ReplyFailed
        | SpeechWords
        | SpeechReady
        | SpeechSynthesised
        | SpeechFailed
        | TurnProbability
    )


@dataclass(frozen=True, slots=True)
class TokensUsed:
    """A request to the model was counted. generation: of its AskModel, 0 = not known."""

    run: int
    input_tokens: int
    output_tokens: int
    generation: int = 0


@dataclass(frozen=True, slots=True)
class ToolReplied:
    """A tool's application answered. reply: decoded JSON, or text; error: named reason."""

    run: int
    generation: int
    id: str
    ok: bool
    reply: object = None
    error: str = ""
    status: int = 0
    took_ms: int = 0
    url: str = ""


@dataclass(frozen=True, slots=True)
class HookReplied:
    """startup_hook, hangup_hook or an include's signature came back."""

    run: int
    id: str
    ok: bool
    reply: object = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class SummaryReady:
    """The model's answer to the post-prompt; text empty when it failed."""

    run: int
    text: str


@dataclass(frozen=True, slots=True)
class PlayFailed:
    """What was to be played could not be. samples: given to playout before."""

    op: str
    error_class: ErrorClass
    detail: str
    samples: int = 0


@dataclass(frozen=True, slots=True)
class RecordingStored:
    """A recording is complete. url: where it can be had; size in bytes."""

    op: str
    ok: bool
    url: str = ""
    duration_ms: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class ForkChanged:
    """A tap or stream started (`running`) or ended. device: its own address, as published."""

    op: str
    running: bool
    error: str = ""
    device: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineReferred:
    """What became of a referral. SIP status codes, 0 = none came: of the party to the request, and
    of the new address to the party, as the party reports it (RFC 3515 §2.4.5)."""

    op: str
    response_code: int
    notify_code: int


@dataclass(frozen=True, slots=True)
class HttpReplied:
    """A request of the document came back. error: named reason, empty when there is a reply."""

    op: str
    status: int
    headers: Mapping[str, str]
    body: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class DocumentFetched:
    """A document was fetched and read, or not (`code`: relay_script_*)."""

    op: str
    document: Document | None
    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class SpendChecked:
    """The spend store answered a reservation; money in micros of the price book's currency."""

    reservation: str
    granted: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CommandReceived:
    """A controller wants something. request: to answer with."""

    request: int
    command: Command


@dataclass(frozen=True, slots=True)
class ControllerGone:
    """A controller's session is over for good."""

    issuer: str


@dataclass(frozen=True, slots=True)
class HangupAsked:
    """Our own side wants the call to end now: "shutdown", "operator"."""

    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """The time given by `next_deadline` has come. Early or late ones do no harm."""


Event = (
    CallOffered
    | LineRinging
    | LineAnswered
    | LineGone
    | Media
    | Resynced
    | FarDelaySeen
    | Heard
    | AgentResult
    | TokensUsed
    | ToolReplied
    | HookReplied
    | SummaryReady
    | PlayFailed
    | RecordingStored
    | ForkChanged
    | LineReferred
    | HttpReplied
    | DocumentFetched
    | SpendChecked
    | CommandReceived
    | ControllerGone
    | HangupAsked
    | Tick
)
"""Everything that can happen to a call."""
