"""The state of one call as runtime: one frozen value, replaced by every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mediacore.assistant.orders import Hold
from mediacore.assistant.session import AiSession
from mediacore.call.actions import ErrorRaised, StartReply
from mediacore.call.clock import MediaClock
from mediacore.call.context import Context
from mediacore.call.state import CallState
from mediacore.flow.document import Document
from mediacore.flow.interpreter import FlowState, Perform
from mediacore.policy.budget import Amounts, Meter
from mediacore.runtime.actions import PlayItem, RunTool
from mediacore.runtime.settings import RunSettings


class LineState(StrEnum):
    """Where a line is; the published words. It only moves forward."""

    CREATED = "created"
    RINGING = "ringing"
    ANSWERED = "answered"
    ENDING = "ending"
    ENDED = "ended"

    @property
    def over(self) -> bool:
        """Nothing can be done with the line any more."""
        return self in (LineState.ENDING, LineState.ENDED)


class OpKind(StrEnum):
    """What an operation does; the published words."""

    PLAY = "play"
    PROMPT = "play_and_collect"
    COLLECT = "collect"
    RECORD = "record"
    DETECT = "detect"
    TAP = "tap"
    STREAM = "stream"
    DIGITS = "send_digits"
    REFER = "refer"
    CONNECT = "connect"
    REQUEST = "request"
    FETCH = "fetch"
    SLEEP = "sleep"
    ANSWER = "answer"
    AI = "ai"


@dataclass(frozen=True, slots=True)
class Line:
    """One far party. handle: of its leg, None without media.

    generation, next_utterance: of the leg's voice, kept here while no conversation has it.
    spoke_us, quiet_us: last onset and end of speech. peer: the line it hears. answering_us: when
    the answer was ordered. ring_us: until when a dialled line may ring. hearing: it is being
    recognised. limit_us: absolute end. closing_us: since when its end waits for recordings to
    close. retell_us: when its state is told once more.
    """

    id: str
    kind: str
    direction: str
    from_number: str
    to_number: str
    headers: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""
    parent: str = ""
    state: LineState = LineState.CREATED
    handle: int | None = None
    srate_hz: int = 8000
    clock: MediaClock = field(default_factory=MediaClock)
    far_delay_ms: int = 0
    generation: int = 0
    next_utterance: int = 1
    speaking: bool = False
    spoke_us: int | None = None
    quiet_us: int | None = None
    peer: str = ""
    answering_us: int | None = None
    ring_us: int | None = None
    hearing: bool = False
    held: bool = False
    media_lost_us: int | None = None
    created_us: int = 0
    answered_us: int | None = None
    limit_us: int | None = None
    closing_us: int | None = None
    retell_us: int | None = None
    end_reason: str = ""

    @property
    def answering(self) -> bool:
        """The answer was ordered."""
        return self.answering_us is not None

    @property
    def over(self) -> bool:
        """The line has ended or its end is under way."""
        return self.closing_us is not None or self.state.over

    @property
    def up(self) -> bool:
        """The line has media."""
        return self.state is LineState.ANSWERED and self.closing_us is None


class PlayState(StrEnum):
    """A play: waiting for its turn, asked for, on the wire, held, played."""

    WAITING = "waiting"
    STARTING = "starting"  # asked for
    PLAYING = "playing"
    PAUSED = "paused"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class PlayData:
    """What is played. moved_us: when the playout last gave a sign. held: paused by a hold of the
    line, not by a controller."""

    items: tuple[PlayItem, ...]
    volume_db: float = 0.0
    loops: int = 1
    state: PlayState = PlayState.WAITING
    utterance: int = 0
    generation: int = 0
    moved_us: int = 0
    held: bool = False


@dataclass(frozen=True, slots=True)
class DigitRules:
    """max: digits that are enough. gap_ms: silence after a digit that ends the input."""

    max: int = 1
    gap_ms: int = 5000
    terminators: str = ""


@dataclass(frozen=True, slots=True)
class SpeechRules:
    """end_ms: silence after speech that ends the input. limit_ms: longest speech."""

    end_ms: int = 1000
    limit_ms: int = 60_000
    language: str = ""
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CollectData:
    """Input being gathered. play: what is played before; None once that is over.

    since_us: when the initial timer began, None while it does not run. final_us: last final.
    """

    digits: DigitRules | None
    speech: SpeechRules | None
    initial_ms: int = 5000
    partial: bool = False
    continuous: bool = False
    start_of_input: bool = False
    play: PlayData | None = None
    since_us: int | None = None
    got: str = ""
    digit_us: int = 0
    text: str = ""
    confidence: float | None = None
    final_us: int | None = None
    speech_us: int | None = None


@dataclass(frozen=True, slots=True)
class RecordData:
    """A recording. Zero times mean no limit. stopped_us: since when the file is being closed."""

    format: str = "wav"
    stereo: bool = False
    direction: str = "both"
    beep: bool = False
    initial_ms: int = 0
    end_silence_ms: int = 0
    max_ms: int = 0
    terminators: str = ""
    paused: bool = False
    stopped_us: int | None = None
    heard: bool = False
    no_input: bool = False
    status_url: str = ""

    @property
    def stopping(self) -> bool:
        """The file is being closed."""
        return self.stopped_us is not None


@dataclass(frozen=True, slots=True)
class DetectData:
    """Who or what answered. kinds: "machine", "fax", "digit". verdict: first finding.

    words: counted voice segments. ready: the greeting's end is awaited.
    """

    kinds: tuple[str, ...]
    timeout_ms: int = 30_000
    initial_ms: int = 4500
    end_silence_ms: int = 1000
    voice_ms: int = 1250
    words_limit: int = 6
    ready_ms: int = 0
    message_end: bool = False
    tone: str = "CED"
    digits: str = ""
    words: int = 0
    verdict: str = ""
    verdict_us: int = 0


@dataclass(frozen=True, slots=True)
class ForkData:
    """A tap or a stream. spec: as published; device: our own end."""

    uri: str
    spec: Mapping[str, object] = field(default_factory=dict)
    running: bool = False
    device: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WaitData:
    """Waits for a time, an answer or a report. until_us: None = the report's own limit."""

    until_us: int | None = None
    note: str = ""
    save: bool = False


@dataclass(frozen=True, slots=True)
class ReferData:
    """The party is sent to another address. until_us: it should be there by then."""

    to_uri: str
    until_us: int
    status_url: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One destination of a dial."""

    kind: str
    to_number: str
    from_number: str
    headers: Mapping[str, str] = field(default_factory=dict)
    codecs: tuple[str, ...] = ()
    timeout_ms: int = 60_000
    username: str = ""
    password: str = field(default="", repr=False)
    device: Mapping[str, object] = field(default_factory=dict)


class DialStage(StrEnum):
    """A dial is a transaction: it is prepared until a party is committed to, or aborted."""

    RINGING = "ringing"
    CONFIRMING = "confirming"
    JOINING = "joining"  # the caller's own line is being answered
    COMMITTED = "committed"


@dataclass(frozen=True, slots=True)
class DialData:
    """A dial: groups one after the other, the targets of a group at once.

    open: lines that ring. winner: the line that answered first. tag: of an outbound call.
    confirm: statements run on the winner before the commit. asked_us: since when it is asked.
    failed: why the last one failed.
    """

    groups: tuple[tuple[Target, ...], ...]
    tag: str = ""
    at: int = -1
    open: tuple[str, ...] = ()
    winner: str = ""
    stage: DialStage = DialStage.RINGING
    ringback: tuple[PlayItem, ...] = ()
    max_ms: int = 0
    confirm: object = None
    confirm_ms: int = 0
    asked_us: int | None = None
    failed: str = ""
    status_url: str = ""
    status_events: tuple[str, ...] = ("ended",)


@dataclass(frozen=True, slots=True)
class AiData:
    """A run of `ai`."""

    run: int


OpData = (
    PlayData
    | CollectData
    | RecordData
    | DetectData
    | ForkData
    | WaitData
    | ReferData
    | DialData
    | AiData
)


@dataclass(frozen=True, slots=True)
class Operation:
    """Something under way on a line.

    owner: "flow:N" or a controller's session. awaited: the flow goes on when it is over.
    """

    id: str
    kind: OpKind
    line: str
    owner: str
    data: OpData
    since_us: int
    awaited: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """A document in progress. purpose: "main", "errand" (of the agent), "confirm" (of a dial).

    waits: the operation it waits for. blocked: a statement that waits for the line's answer.
    """

    id: int
    purpose: str
    line: str
    state: FlowState
    waits: str = ""
    blocked: Perform | None = None
    transfer: bool = False


@dataclass(frozen=True, slots=True)
class ToolJob:
    """A tool or hook that runs. purpose: "tool", "hook", "include".

    begin: what starts it once the agent's words were said; None when it runs. sound: bed of its
    own while it runs.
    """

    id: str
    name: str
    generation: int
    arguments: str
    purpose: str = "tool"
    since_us: int = 0
    begin: RunTool | None = None
    sound: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one request to the model may cost at most: held of the budget until it is counted."""

    generation: int
    stage: str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class ToolNote:
    """A tool call for the record."""

    name: str
    arguments: str
    at_us: int
    took_ms: int
    native: bool
    url: str = ""
    ok: bool = True
    response: str = ""
    actions: tuple[str, ...] = ()
    error: str = ""


class Stage(StrEnum):
    """Where a run of `ai` is."""

    OPENING = "opening"  # hooks and includes are awaited
    TALKING = "talking"  # the conversation has the line's voice
    LENT = "lent"  # an inline document has it, the conversation is on hold
    CLOSING = "closing"  # over; the summary and the hangup hook are awaited


@dataclass(frozen=True, slots=True)
class AiRun:
    """One conversation of the agent on a line. At most one is open in a call.

    talk: the conversation itself. jobs: tools and hooks that run. later: orders for when the
    agent has spoken once more. held: put on hold by an order or a controller. closing_us: since
    when it is over. follow: the document that takes the line after it. confirmed: field to value
    that the caller affirmed; asked: the field being read back; ending: why the call ends as soon
    as nothing is missing, "" = nobody asked; last: its closing is being said. plans: held of the
    budget for open requests. waiting: a reply that waits for money of the day.

    language: of the agent. hold: as the assistant ordered it. quiet_until_us: end of a silence
    that was ordered; stays: the caller speaks next; patient: the caller is not asked whether they
    are there, and after how many ms they were before. playback: what an action plays under the
    voice. answered: a read-back was answered just now. hint: told to the
    model with its next request. owes: a reply that an inline document cut off. hidden: history
    that the model does not see any more; gather_from: its length when the questions began. bed:
    what plays under the voice. rescue_us: when the hangup hook is not waited for any longer.
    """

    id: int
    op: str
    line: str
    owner: str
    session: AiSession
    talk: CallState
    stage: Stage = Stage.OPENING
    jobs: tuple[ToolJob, ...] = ()
    later: tuple[object, ...] = ()
    tools: tuple[ToolNote, ...] = ()
    errors: tuple[ErrorRaised, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    spoken_chars: int = 0
    started_us: int = 0
    opened_us: int | None = None
    closing_us: int | None = None
    held: bool = False
    hold_until_us: int | None = None
    hangup: bool = False
    end_reason: str = ""
    follow: Document | None = None
    confirmed: Mapping[str, object] = field(default_factory=dict)
    asked: str = ""
    gate_tries: int = 0
    ending: str = ""
    last: bool = False
    plans: tuple[Plan, ...] = ()
    waiting: StartReply | None = None
    language: str = ""
    hold: Hold | None = None
    quiet_until_us: int | None = None
    stays: bool = False
    patient: int | None = None
    playback: str = ""
    answered: bool = False
    hint: str = ""
    owes: bool = False
    hidden: Context = ()
    gather_from: int | None = None
    bed: tuple[PlayItem, float, int] | None = None
    rescue_us: int | None = None
    stage_name: str = ""
    private: bool = False
    private_seen: bool = False
    private_turns: frozenset[int] = frozenset()
    summary: str = ""
    summary_due: bool = False
    direction: str = "inbound"


@dataclass(frozen=True, slots=True)
class Lease:
    """A controller alone may act until then."""

    holder: str
    until_us: int


@dataclass(frozen=True, slots=True)
class RunState:
    """Everything that the call's decisions depend on.

    version: counts changes that a controller could have missed. main: the line that the call is
    about, "" while an outbound call has none. run: the open one; closing: those whose summary is
    awaited. vars, global_data: what outlives flows and runs. wall_us: UTC in µs less `now`.
    reserving*: the request for more of the day's money, how much, since when; day_closed:
    there is no more of it. controller: who commanded the call last; alone_us: since when that one
    is gone and nothing has come to its end. handover: what was said before, for the next agent.
    told: controllers know of the call. refused: what was refused how often, by reason.
    """

    settings: RunSettings
    id: str
    lines: Mapping[str, Line] = field(default_factory=dict)
    main: str = ""
    ops: Mapping[str, Operation] = field(default_factory=dict)
    flows: tuple[Flow, ...] = ()
    run: AiRun | None = None
    closing: tuple[AiRun, ...] = ()
    lease: Lease | None = None
    controller: str = ""
    alone_us: int | None = None
    meter: Meter | None = None
    version: int = 0
    serial: int = 0
    vars: Mapping[str, object] = field(default_factory=dict)
    global_data: Mapping[str, object] = field(default_factory=dict)
    reserving: str = ""
    reserving_micros: int = 0
    reserving_us: int = 0
    day_closed: bool = False
    handover: Context = ()
    wall_us: int = 0
    started_us: int = 0
    told: bool = False
    end_reason: str = ""
    over: bool = False
    refused: Mapping[str, int] = field(default_factory=dict)

    @property
    def dial(self) -> Operation | None:
        """The transaction in progress; at most one, and none once it is committed."""
        for op in self.ops.values():
            if isinstance(op.data, DialData) and op.data.stage is not DialStage.COMMITTED:
                return op
        return None

    @property
    def ending(self) -> bool:
        """The call goes down; nothing new begins."""
        main = self.lines.get(self.main)
        return self.over or (main is not None and main.over)
