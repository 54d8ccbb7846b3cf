"""What the session must do. It executes all actions of a step, in order, before the next event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mediacore.call.context import Context
from mediacore.call.record import Turn, UtteranceKind
from mediacore.media import BargeIn


@dataclass(frozen=True, slots=True)
class StartReply:
    """Ask for a reply to `context`. Its results carry `generation`.

    Within one generation a second request may follow after ReplyEnded, with tool results in the
    context.
    """

    generation: int
    context: Context


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
class Hangup:
    """End the call. Given once, and nothing after it."""

    reason: str


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
    | Hangup
    | LogDecision
    | TurnCompleted
)
