"""What the owner of the call must do after a decision of the assistant; data only.

Texts have their placeholders filled in already (see `hidden`): what stands here may be spoken or
shown to the model as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mediacore.assistant.words import Fillers, Hint


@dataclass(frozen=True, slots=True)
class Say:
    """Speak `text` now, word for word, and wait until it was spoken."""

    text: str


@dataclass(frozen=True, slots=True)
class SayFiller:
    """Speak one phrase of `fillers` in the language in use; `kind` is "enter" or "exit"."""

    kind: Literal["enter", "exit"]
    fillers: Fillers


@dataclass(frozen=True, slots=True)
class Stop:
    """End the `ai` method; the document goes on."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""

    reason: str = "hangup"


@dataclass(frozen=True, slots=True)
class Hold:
    """Put the caller on hold. Give it to `hold_ended` when the hold is over."""

    seconds: int
    step: str = ""
    timeout_step: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """Say nothing for some seconds; the caller speaking ends it."""

    seconds: int


@dataclass(frozen=True, slots=True)
class UserInput:
    """Take `text` as if the caller had said it."""

    text: str


@dataclass(frozen=True, slots=True)
class RunDocument:
    """Execute a document. `transfer`: it replaces the `ai` method; else the `ai` goes on after."""

    value: object
    transfer: bool = False


@dataclass(frozen=True, slots=True)
class TransferTo:
    """Leave the `ai` method and go on with the document at `dest` (address or object)."""

    dest: object
    summarize: bool = False


@dataclass(frozen=True, slots=True)
class PlayBackground:
    """Play audio under the conversation. `wait`: do not ask for attention meanwhile."""

    url: str
    wait: bool = False


@dataclass(frozen=True, slots=True)
class StopBackground:
    """Stop it."""


@dataclass(frozen=True, slots=True)
class UserEvent:
    """Send an event to the subscribers of the call."""

    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ReplaceHistory:
    """Replace call and result of the tool in the model's history; None: leave them out."""

    text: str | None


@dataclass(frozen=True, slots=True)
class WaitForUser:
    """Wait for the caller to speak. `count`: seconds at most; `answer_first`: after answering."""

    enabled: bool = True
    count: int | None = None
    answer_first: bool = False


@dataclass(frozen=True, slots=True)
class ClearConversation:
    """Begin the model's history anew.

    `consolidate`: put a summary of the old one first. `full_reset`: nothing else of it stays.
    `user_prompt`: first words of the new one, as if by the caller; "" for none.
    """

    consolidate: bool = False
    full_reset: bool = False
    user_prompt: str = ""


@dataclass(frozen=True, slots=True)
class HideHistory:
    """Hide from the model what was said: all of it, or since the questions of a step began."""

    scope: Literal["all", "gather"]


@dataclass(frozen=True, slots=True)
class Tune:
    """Change settings of the running conversation; names are those of `PARAMS` and `KNOBS`."""

    settings: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Hints:
    """All hints from now on; the recogniser begins anew with them."""

    hints: tuple[Hint, ...]


@dataclass(frozen=True, slots=True)
class ChangeVoice:
    """Use another voice from the next utterance on, as `engine.voice` or `engine.voice:model`."""

    voice: str


@dataclass(frozen=True, slots=True)
class ExtraTurn:
    """Let the agent take a turn without waiting for the caller."""

    kind: Literal["skip_user_turn", "auto_advance", "hold_ended"]


Order = (
    Say
    | SayFiller
    | Stop
    | HangUp
    | Hold
    | Pause
    | UserInput
    | RunDocument
    | TransferTo
    | PlayBackground
    | StopBackground
    | UserEvent
    | ReplaceHistory
    | WaitForUser
    | ClearConversation
    | HideHistory
    | Tune
    | Hints
    | ChangeVoice
    | ExtraTurn
)
Orders = tuple[Order, ...]
