"""What the session must do. It executes all actions of a step, in order, before the next event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mediacore.call.context import Context
from mediacore.call.record import Turn, UtteranceKind
from mediacore.call.recovery import ErrorReason, FailureClass
from mediacore.media import BargeIn


@dataclass(frozen=True, slots=True)
class StartReply:
    """Ask for a reply to `context`. Its results carry `generation`.

    Within one generation a second request may follow after ReplyEnded, with tool results in the
    context. max_tokens: longest reply, 0 = the model's own.
    """

    generation: int
    context: Context
    max_tokens: int = 0


@dataclass(frozen=True, slots=True)
class CancelReply:
    """Close the reply stream of `generation`. Tools that run go on; their results still count."""

    generation: int


@dataclass(frozen=True, slots=True)
class Speak:
    """Synthesise `text` and queue it after what was queued before."""

    utterance: int
    generation: int
    text: str
    kind: UtteranceKind


@dataclass(frozen=True, slots=True)
class CutPlayout:
    """Cut the leg's playout up to `generation`, and stop all synthesis for it."""

    generation: int


@dataclass(frozen=True, slots=True)
class PausePlayout:
    """Pause the leg's playout."""


@dataclass(frozen=True, slots=True)
class ResumePlayout:
    """Go on after a pause, and back to full level after a duck."""

    from_mark: bool = False


@dataclass(frozen=True, slots=True)
class ArmBargeIn:
    """Give the core its policy from now on."""

    policy: BargeIn


@dataclass(frozen=True, slots=True)
class CallTool:
    """Run a tool; ToolFinished answers. arguments: a JSON object, as text."""

    generation: int
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class AskTurnDetector:
    """Ask whether the caller has finished; TurnProbability answers. text: heard so far."""

    segment: int
    text: str


@dataclass(frozen=True, slots=True)
class HoldOver:
    """The hold reached its limit; the agent is back."""


@dataclass(frozen=True, slots=True)
class ErrorRaised:
    """Something failed. retries: failures of this kind in a row before this one.

    phrase: which line was said for it ("recoveries.1"), "" = none. utterance: the one that says
    it; its record tells how much of it was heard.
    """

    kind: FailureClass
    reason: ErrorReason | None
    fatal: bool
    retries: int = 0
    phrase: str = ""
    utterance: int | None = None


@dataclass(frozen=True, slots=True)
class ConversationOver:
    """The conversation has ended; given once, and nothing after it.

    hangup: the call ends with it. Otherwise the caller is still there and the agent is silent.
    """

    reason: str
    hangup: bool = True


Evidence = Mapping[str, int | float | str | bool]


@dataclass(frozen=True, slots=True)
class LogDecision:
    """One decision. evidence: figures and names, never what somebody said."""

    name: str
    verdict: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class TurnCompleted:
    """A turn for the record. A later one with the same index replaces it."""

    turn: Turn


Action = (
    StartReply
    | CancelReply
    | Speak
    | CutPlayout
    | PausePlayout
    | ResumePlayout
    | ArmBargeIn
    | CallTool
    | AskTurnDetector
    | HoldOver
    | ErrorRaised
    | ConversationOver
    | LogDecision
    | TurnCompleted
)
