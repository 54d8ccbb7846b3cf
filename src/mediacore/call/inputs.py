"""What the reducer takes in beside the media events: results of the slots, requests, time.

Past tense, frozen. Results carry the generation, utterance or segment they were made for; what
is stale is refused in one place (`step`). Positions (`at`, word times) are samples at the leg's
rate: `at` on the leg's receive clock, word times relative to the utterance's first sample.
"""

from __future__ import annotations

from dataclasses import dataclass

from mediacore.call.context import Context, Role
from mediacore.call.record import WordTime
from mediacore.call.recovery import ErrorReason
from mediacore.call.settings import CallSettings
from mediacore.errors import ErrorClass
from mediacore.events import (
    DigitReceived,
    EventsLost,
    LegClosed,
    LegOpened,
    MarkReached,
    MediaLost,
    MediaResumed,
    PlayoutCut,
    PlayoutDucked,
    PlayoutLow,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    PlayoutUnderrun,
    SpeechEnded,
    SpeechStarted,
    TapReady,
    ToneDetected,
    UtteranceFinished,
    UtteranceRefused,
)


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The caller can hear and be heard. leg: handle of the caller's leg."""

    leg: int
    srate_hz: int


@dataclass(frozen=True, slots=True)
class TranscriptPartial:
    """Recognised so far of the caller's present utterance; replaces the previous partial.

    at: last sample covered.
    """

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class TranscriptFinal:
    """Final text of one utterance; empty when nothing was recognised. at: last sample covered."""

    text: str
    at: int
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class SttFailed:
    """Recognition of the present utterance failed, retries and fallback included."""

    error_class: ErrorClass


@dataclass(frozen=True, slots=True)
class ReplyResult:
    """Something a reply stream gave. generation: that of the StartReply it answers."""

    generation: int


@dataclass(frozen=True, slots=True)
class ReplyText(ReplyResult):
    """The next piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class ReplyToolCall(ReplyResult):
    """The model wants a tool. arguments: a JSON object, as text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolFinished(ReplyResult):
    """A tool gave its answer, or failed (`ok` false; `text` is then what the model may know).

    respond: the model is to go on with the result; when no tool of the round wants that, the turn
    ends without a further reply. replaced_by: once the turn is over, the context holds this text
    of the assistant instead of the call and its result ("" = nothing at all).
    reason: why it failed.
    """

    id: str
    text: str
    ok: bool = True
    respond: bool = True
    replaced_by: str | None = None
    reason: ErrorReason | None = None


@dataclass(frozen=True, slots=True)
class FillerGiven(ReplyResult):
    """Words for the wait for a tool; said only when the agent is silent then."""

    text: str


@dataclass(frozen=True, slots=True)
class ReplyHangup(ReplyResult):
    """The dialogue is over: hang up once this reply was played."""

    reason: str = "completed"


@dataclass(frozen=True, slots=True)
class ReplyEnded(ReplyResult):
    """The stream is complete."""


@dataclass(frozen=True, slots=True)
class ReplyFailed(ReplyResult):
    """The stream failed, retries and fallback included. reason: where more is known."""

    error_class: ErrorClass
    reason: ErrorReason | None = None


@dataclass(frozen=True, slots=True)
class SpeechResult:
    """Something about the synthesis of an utterance."""

    utterance: int


@dataclass(frozen=True, slots=True)
class SpeechWords(SpeechResult):
    """Word times, in order, added to those already given."""

    words: tuple[WordTime, ...]


@dataclass(frozen=True, slots=True)
class SpeechReady(SpeechResult):
    """Audio was given to playout. queued_samples: all so far. May be repeated with more."""

    queued_samples: int = 0


@dataclass(frozen=True, slots=True)
class SpeechSynthesised(SpeechResult):
    """All audio was made. lead_samples, tail_samples: silence at its ends, where measured."""

    total_samples: int
    lead_samples: int = 0
    tail_samples: int = 0


@dataclass(frozen=True, slots=True)
class SpeechFailed(SpeechResult):
    """Synthesis failed for good. queued_samples: audio given to playout before; it is played."""

    error_class: ErrorClass
    queued_samples: int = 0


@dataclass(frozen=True, slots=True)
class TurnProbability:
    """The turn detector's vote, 0..1. segment: that of the AskTurnDetector it answers."""

    segment: int
    p: float


@dataclass(frozen=True, slots=True)
class HangupRequested:
    """Somebody on our side wants the call to end now. by: "api", "operator", "signal" …"""

    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class TextGiven:
    """To be taken as said by the caller, and answered as soon as nobody has the floor."""

    text: str


@dataclass(frozen=True, slots=True)
class LineSaid:
    """A text that the agent shall say: in its open turn, else as soon as nobody has the floor."""

    text: str
    interruptible: bool = True


@dataclass(frozen=True, slots=True)
class NoteGiven:
    """An entry for the context that nobody hears. respond: the model shall answer to it."""

    role: Role
    text: str
    respond: bool = False


@dataclass(frozen=True, slots=True)
class HistoryChanged:
    """The context is replaced. What the open turn adds to it at its end is not part of it.

    forget_open: what the open turn has said and used so far is not added. respond: the model
    shall speak on the new context when nobody has the floor.
    """

    context: Context
    forget_open: bool = False
    respond: bool = False


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """Other rules from now on."""

    settings: CallSettings


@dataclass(frozen=True, slots=True)
class HoldStarted:
    """The agent is silent and hears nothing until HoldEnded, or for limit_ms (0 = no limit)."""

    limit_ms: int = 0


@dataclass(frozen=True, slots=True)
class HoldEnded:
    """The agent is back. line: said then."""

    line: str = ""


@dataclass(frozen=True, slots=True)
class ConversationStopped:
    """The conversation ends, and the call with it when `hangup`.

    now: at once; else when the open turn, replies to its tools included, was played.
    """

    reason: str
    now: bool = True
    hangup: bool = False


@dataclass(frozen=True, slots=True)
class LimitReached:
    """A limit of the call was reached: the scripted goodbye, then the end of the call."""

    reason: str


@dataclass(frozen=True, slots=True)
class CallerGone:
    """The transport says that the caller is not there any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class GenerationSeen:
    """The generation in the leg's snapshot; to be sent after EventsLost."""

    generation: int


@dataclass(frozen=True, slots=True)
class FarDelayMeasured:
    """New estimate of the delay between the wire here and the caller's ear."""

    delay_ms: int


@dataclass(frozen=True, slots=True)
class Wake:
    """The time given by `next_deadline` has come. Early or late wakes do no harm."""


Event = (
    LegOpened
    | LegClosed
    | SpeechStarted
    | SpeechEnded
    | PlayoutStarted
    | PlayoutDucked
    | PlayoutPaused
    | PlayoutResumed
    | PlayoutCut
    | PlayoutLow
    | PlayoutUnderrun
    | MarkReached
    | UtteranceFinished
    | UtteranceRefused
    | DigitReceived
    | ToneDetected
    | MediaLost
    | MediaResumed
    | TapReady
    | EventsLost
    | CallStarted
    | TranscriptPartial
    | TranscriptFinal
    | SttFailed
    | ReplyText
    | ReplyToolCall
    | ToolFinished
    | FillerGiven
    | ReplyHangup
    | ReplyEnded
    | ReplyFailed
    | SpeechWords
    | SpeechReady
    | SpeechSynthesised
    | SpeechFailed
    | TurnProbability
    | HangupRequested
    | LimitReached
    | TextGiven
    | LineSaid
    | NoteGiven
    | HistoryChanged
    | SettingsChanged
    | HoldStarted
    | HoldEnded
    | ConversationStopped
    | CallerGone
    | GenerationSeen
    | FarDelayMeasured
    | Wake
)
"""Everything that can happen to a call."""
