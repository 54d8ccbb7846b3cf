"""What the session must do for a call. It executes all actions of a step, in order, before the
next event. Work that takes time is started here and reports back as an event with the same id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mediacore.assistant.words import Pronounce
from mediacore.call import actions as talk
from mediacore.call.context import Context
from mediacore.runtime.ports import Answer

# ------------------------------------------------------------------------------------- lines


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """Answer the incoming line; LineAnswered or LineGone follows."""

    line: str


@dataclass(frozen=True, slots=True)
class DialLine:
    """Dial a new line; LineRinging, LineAnswered, LineGone follow."""

    line: str
    kind: str
    to_number: str
    from_number: str
    headers: Mapping[str, str]
    codecs: tuple[str, ...]
    timeout_ms: int
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class EndLine:
    """Hang up, cancel or refuse a line and give its leg back. No event follows it."""

    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class LimitLine:
    """The leg ends itself after so long from now, whatever the controller does. 0 = no limit."""

    line: str
    limit_ms: int


@dataclass(frozen=True, slots=True)
class HoldLine:
    """The line is deaf and mute in its bridge and its voice pauses, until it is taken off hold.
    What plays under the voice goes on."""

    line: str
    on: bool


@dataclass(frozen=True, slots=True)
class JoinLines:
    """Two lines hear each other from now on."""

    a: str
    b: str


@dataclass(frozen=True, slots=True)
class PartLines:
    """They do not any more."""

    a: str
    b: str


# --------------------------------------------------------------------------------- the voice


@dataclass(frozen=True, slots=True)
class PlayItem:
    """One thing to play. kind: "say" (text, voice, language) | "audio" (url) | "silence" (ms) |
    "ring" (country, ms)."""

    kind: Literal["say", "audio", "silence", "ring"]
    text: str = ""
    voice: str = ""
    language: str = ""
    gender: str = ""
    ms: int = 0


@dataclass(frozen=True, slots=True)
class StartPlay:
    """Play items one after the other as one utterance of the leg; PlayFailed when it cannot.

    loops: how often, 0 = until stopped. The core's events tell the rest.
    """

    op: str
    line: str
    utterance: int
    generation: int
    items: tuple[PlayItem, ...]
    volume_db: float = 0.0
    loops: int = 1


@dataclass(frozen=True, slots=True)
class StopPlay:
    """Cut what this operation plays, and make no more of it."""

    op: str
    line: str
    generation: int


@dataclass(frozen=True, slots=True)
class PausePlay:
    """Pause the line's voice."""

    line: str


@dataclass(frozen=True, slots=True)
class ResumePlay:
    """Go on after PausePlay."""

    line: str


@dataclass(frozen=True, slots=True)
class SetVolume:
    """Volume of what the operation has not yet given to playout."""

    op: str
    volume_db: float


@dataclass(frozen=True, slots=True)
class StartBed:
    """Play under the voice of a line, looped: music on hold, ringback, background. Replaces the
    one before. loops: 0 = until stopped."""

    line: str
    items: tuple[PlayItem, ...]
    volume_db: float = 0.0
    loops: int = 0


@dataclass(frozen=True, slots=True)
class StopBed:
    """Fade the bed out."""

    line: str


@dataclass(frozen=True, slots=True)
class SendDigits:
    """Send digits; "w" and "W" wait half a second and one second."""

    line: str
    digits: str


@dataclass(frozen=True, slots=True)
class ArmLine:
    """What the caller's speech does to the line's voice, outside a conversation: nothing, or
    stop it."""

    line: str
    stops: bool


# ----------------------------------------------------------------------------------- hearing


@dataclass(frozen=True, slots=True)
class StartHearing:
    """Recognise the line's speech from now on; Heard follows. Begins anew when it runs.

    language, hints: what is to be expected; the recognisers of the slot take no such options yet.
    """

    line: str
    language: str = ""
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StopHearing:
    """No more recognition of the line."""

    line: str


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Record a line. direction: "speak" (the far party) | "listen" (what it hears) | "both"."""

    op: str
    line: str
    format: str
    stereo: bool
    direction: str
    beep: bool


@dataclass(frozen=True, slots=True)
class PauseRecording:
    """behavior: "silence" (time goes on) or "skip"."""

    op: str
    behavior: str


@dataclass(frozen=True, slots=True)
class ResumeRecording:
    """Go on after a pause."""

    op: str


@dataclass(frozen=True, slots=True)
class MuteRecordings:
    """Everything that is recorded of the line is silence from now on, or is not any more."""

    line: str
    on: bool


@dataclass(frozen=True, slots=True)
class StopRecording:
    """Close the file; RecordingStored follows."""

    op: str


@dataclass(frozen=True, slots=True)
class StartFork:
    """Copy a line's media elsewhere. uri: rtp://host:port, ws:// or wss://. track: "inbound" |
    "outbound" | "both". ForkChanged follows."""

    op: str
    line: str
    kind: Literal["tap", "stream"]
    uri: str
    track: str
    codec: str
    ptime_ms: int = 20
    name: str = ""
    bearer_token: str = field(default="", repr=False)
    custom: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StopFork:
    """End it; ForkChanged follows."""

    op: str


@dataclass(frozen=True, slots=True)
class ReferLine:
    """Send the party to another SIP address; LineReferred follows."""

    line: str
    op: str
    to_uri: str


# ------------------------------------------------------------------------------ the document


@dataclass(frozen=True, slots=True)
class SendRequest:
    """An HTTP request of the document; HttpReplied follows."""

    op: str
    url: str
    method: str
    headers: Mapping[str, str]
    body: object
    timeout_ms: int
    connect_ms: int


@dataclass(frozen=True, slots=True)
class FetchDocument:
    """POST the call's data, read the document that comes back; DocumentFetched follows."""

    op: str
    url: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PostStatus:
    """Tell a status URL, at most once, in order per URL; nothing follows."""

    url: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class CancelWork:
    """Nobody waits for this operation's report any more."""

    op: str


# -------------------------------------------------------------------------- the conversation


@dataclass(frozen=True, slots=True)
class BeginRun:
    """A conversation begins on a line. fixed_lines: to be rendered beforehand. pronounce, numbers:
    how the text is respelled for the voice. volume_db: gain of the voice."""

    run: int
    line: str
    language: str
    voice: str
    fixed_lines: tuple[str, ...]
    pronounce: tuple[Pronounce, ...] = ()
    numbers: str = "international"
    volume_db: float = 0.0


@dataclass(frozen=True, slots=True)
class ChangeVoice:
    """The agent's voice from the next utterance on."""

    run: int
    voice: str


@dataclass(frozen=True, slots=True)
class EndRun:
    """Cancel all that works for it."""

    run: int


@dataclass(frozen=True, slots=True)
class ToolView:
    """A tool as the model sees it."""

    name: str
    description: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AskModel:
    """Ask for a reply. AgentResults with `generation` follow."""

    run: int
    generation: int
    system: str
    context: Context
    tools: tuple[ToolView, ...]
    temperature: float
    top_p: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Talk:
    """One of the conversation's own actions (speak, cut, pause, arm …) on its line."""

    run: int
    line: str
    action: (
        talk.CancelReply
        | talk.Speak
        | talk.CutPlayout
        | talk.PausePlayout
        | talk.ResumePlayout
        | talk.ArmBargeIn
        | talk.AskTurnDetector
        | talk.TurnCompleted
    )


@dataclass(frozen=True, slots=True)
class RunTool:
    """Run a tool of the application: a webhook (url, payload) or a data map (data_map, context).

    ToolReplied follows. auth: user and password.
    """

    run: int
    generation: int
    id: str
    name: str
    url: str = ""
    payload: Mapping[str, object] = field(default_factory=dict)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    data_map: Mapping[str, object] | None = None
    context: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunHook:
    """POST to the application outside a turn (hooks, includes); HookReplied follows."""

    run: int
    id: str
    url: str
    payload: Mapping[str, object]
    auth: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AskSummary:
    """Ask the model the post-prompt; SummaryReady follows."""

    run: int
    prompt: str
    context: Context
    temperature: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class DeliverPayload:
    """The post-call payload of a run: to the durable queue. key: idempotency key. run: the
    `state.AiRun` as it ended; hook: where the hangup hook goes, "" = nowhere."""

    key: str
    url: str
    auth: tuple[str, str] | None = field(repr=False)
    run: object


# ------------------------------------------------------------------------------- bookkeeping


@dataclass(frozen=True, slots=True)
class ReserveSpend:
    """Reserve money of the campaign's day; SpendChecked follows."""

    reservation: str
    amount_micros: int


@dataclass(frozen=True, slots=True)
class AnswerCommand:
    """Answer a controller. Once per request."""

    request: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Publish:
    """Tell the controllers. See `ports.Published`."""

    event_type: str
    call_id: str
    params: Mapping[str, object]
    context: str = ""
    project: str = ""
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """One decision. evidence: figures and names, never what somebody said."""

    name: str
    verdict: str
    evidence: Mapping[str, int | float | str | bool]


@dataclass(frozen=True, slots=True)
class CallOver:
    """Everything is closed. The last action of a call."""

    reason: str


Action = (
    AnswerLine
    | DialLine
    | EndLine
    | LimitLine
    | HoldLine
    | JoinLines
    | PartLines
    | StartPlay
    | StopPlay
    | PausePlay
    | ResumePlay
    | SetVolume
    | StartBed
    | StopBed
    | SendDigits
    | ReferLine
    | ArmLine
    | StartHearing
    | StopHearing
    | StartRecording
    | PauseRecording
    | ResumeRecording
    | MuteRecordings
    | StopRecording
    | StartFork
    | StopFork
    | SendRequest
    | FetchDocument
    | PostStatus
    | CancelWork
    | BeginRun
    | ChangeVoice
    | EndRun
    | AskModel
    | Talk
    | RunTool
    | RunHook
    | AskSummary
    | DeliverPayload
    | ReserveSpend
    | AnswerCommand
    | Publish
    | Log
    | CallOver
)
