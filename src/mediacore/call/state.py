"""The state of one call: one frozen value, replaced by every step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum

from mediacore.call.clock import MediaClock
from mediacore.call.context import Context, ToolRequest
from mediacore.call.estimate import SpeechRate
from mediacore.call.inputs import (
    LineSaid,
    ReplyEnded,
    ReplyFailed,
    ReplyHangup,
    ReplyText,
    ReplyToolCall,
)
from mediacore.call.ledger import Utterance, assume_to
from mediacore.call.phrases import PhraseBuffer, PhraseRules
from mediacore.call.record import Turn, UtteranceKind, UtteranceState
from mediacore.call.recovery import Failure
from mediacore.call.settings import NOT_INTERRUPTIBLE, CallSettings
from mediacore.media import BargeAction, BargeIn

ReplyEvent = ReplyText | ReplyToolCall | ReplyHangup | ReplyEnded | ReplyFailed


class Phase(StrEnum):
    """What the call is doing; each description says who has the floor."""

    NEW = "new"  # not started
    LISTENING = "listening"  # nobody speaks, the caller may
    CALLER_SPEAKING = "caller_speaking"  # the caller speaks, the agent is silent
    ENDPOINTING = "endpointing"  # the caller went silent: is the turn over?
    THINKING = "thinking"  # the agent's turn, nothing of it plays
    SPEAKING = "speaking"  # the agent's turn plays
    PAUSED = "paused"  # the caller spoke over it: cut or go on?
    CLOSING = "closing"  # the agent's last words; the conversation ends with them
    ON_HOLD = "on_hold"  # the agent neither speaks nor hears
    ENDED = "ended"  # over; nothing leads out


class AfterCut(IntEnum):
    """What follows once a cut is confirmed; the greater one wins."""

    LISTEN = 0
    RECOVER = 1
    HOLD = 2
    LIMIT = 3
    STOP = 4


@dataclass(frozen=True, slots=True)
class CallerTurn:
    """What the caller has said since the agent had the floor.

    speaking: as the core's detector sees it. started_at, ended_at: samples, first onset and last
    end of speech; started_us, ended_us: the same in monotonic time; None before. earlier: text
    of a turn that was taken for complete and is continued by this one; recorded: it stands in
    the transcript already. finals_at: sample up to which finals cover the speech, -1 for none.
    digits_done: a key said that no more digits come.
    """

    speaking: bool = False
    started_at: int | None = None
    started_us: int = 0
    ended_at: int | None = None
    ended_us: int = 0
    earlier: str = ""
    recorded: bool = False
    finals: tuple[str, ...] = ()
    finals_at: int = -1
    final_us: int | None = None
    confidence: float | None = None
    partial: str = ""
    partial_at: int = -1
    digits: str = ""
    digit_us: int = 0
    digits_done: bool = False
    stt_failed: bool = False
    probability: float | None = None

    @property
    def said(self) -> str:
        """Text of this turn, without `earlier`."""
        parts = [*self.finals]
        if self.partial:
            parts.append(self.partial)
        if self.digits:
            parts.append(" ".join(self.digits))
        return " ".join(p.strip() for p in parts if p.strip())

    @property
    def text(self) -> str:
        """All that the model is to be told."""
        return f"{self.earlier} {self.said}".strip()

    def awaits_final(self, tolerance_samples: int) -> bool:
        """Speech has ended for which no final came yet."""
        if self.ended_at is None or self.stt_failed:
            return False
        return self.finals_at < self.ended_at - tolerance_samples


@dataclass(frozen=True, slots=True)
class Stamps:
    """When the stages of an answer were done, monotonic µs. caller_end_at: in samples."""

    caller_end_at: int | None = None
    caller_end_us: int = 0
    endpoint_us: int | None = None
    stt_final_us: int | None = None
    first_token_us: int | None = None
    first_phrase_us: int | None = None
    first_audio_us: int | None = None
    first_frame_us: int | None = None


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool asked for in reply stream `round`; result None while it runs.

    waiting: it was not started yet. respond: its result wants a reply. replaced_by: see
    `ToolFinished`.
    """

    request: ToolRequest
    round: int
    result: str | None = None
    waiting: bool = False
    respond: bool = True
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True)
class AgentTurn:
    """The agent's open turn: at most one, and only its generation may speak.

    decided: false while it is speculative, that is the caller's turn may go on; `held` is what its
    reply gave meanwhile. prompt: the caller's text it answers. replying: the stream is open.
    quiet_since_us: since when nothing of it plays. recovered: the recovery line was said in it.
    fillers: said in it. from_round: earlier reply streams leave nothing in the context.
    """

    generation: int
    kind: UtteranceKind
    quiet_since_us: int
    decided: bool = True
    held: tuple[ReplyEvent, ...] = ()
    prompt: str = ""
    replying: bool = False
    buffer: PhraseBuffer = field(default_factory=PhraseBuffer)
    round: int = 0
    tools: tuple[ToolUse, ...] = ()
    utterances: tuple[Utterance, ...] = ()
    fillers: int = 0
    from_round: int = 0
    recovered: bool = False
    playout_us: int = 0
    dry_since_us: int | None = None
    stamps: Stamps = Stamps()

    @property
    def playing(self) -> Utterance | None:
        """The utterance that is playing, or paused in the middle."""
        for utt in self.utterances:
            if utt.state is UtteranceState.PLAYING:
                return utt
        return None

    @property
    def outstanding(self) -> bool:
        """Something may still be played."""
        return any(not u.state.final for u in self.utterances)

    @property
    def started(self) -> bool:
        """Something of the turn proper, fillers aside, went out."""
        return any(u.started and u.kind is not UtteranceKind.FILLER for u in self.utterances)

    @property
    def tools_open(self) -> bool:
        """A tool runs."""
        return any(t.result is None for t in self.tools)

    @property
    def complete(self) -> bool:
        """Everything was said and played."""
        return not (
            self.replying or self.held or self.outstanding or self.tools_open or not self.decided
        )


@dataclass(frozen=True, slots=True)
class Interruption:
    """An interruption under decision.

    core: the core paused or ducked the playout; else nothing was playing. committed: the cut was
    ordered at cut_us and the core's report is awaited. failure: what the cut is for.
    """

    since_us: int
    core: bool
    committed: bool = False
    cut_us: int = 0
    then: AfterCut = AfterCut.LISTEN
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """The conversation ends with the agent's present turn.

    interruptible: the caller may prevent it. hangup: the call ends as well. more: replies to tools
    belong to the turn still. fallback: the goodbye in case the model gives none.
    """

    reason: str
    interruptible: bool
    hangup: bool = True
    more: bool = False
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """On hold, or as soon as a cut is confirmed. until_us: None = no limit."""

    since_us: int
    until_us: int | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened how often."""

    stale: int = 0
    illegal: int = 0
    cuts: int = 0
    resumes: int = 0
    refused: int = 0
    speculations_lost: int = 0
    events_lost: int = 0


@dataclass(frozen=True, slots=True)
class CallState:
    """Everything that decisions depend on.

    generation: the newest that the leg is known to have. segment: number of the caller's last
    stretch of speech. consumed_at: caller audio up to this sample belongs to turns already
    decided. *_said: index of the next canned line; failures, reprompts, silences: in a row.
    limit: which limit was reached, limit_us: when. heard_us: when the caller's last words were
    taken. greet_at_us: when a delayed greeting is due. given: texts to be taken as the
    caller's; lines: what the agent was asked to say; answer_due: a reply without the caller
    having spoken. All three wait until nobody has the floor. interrupted: the agent's last turn
    was cut by the caller.
    """

    settings: CallSettings = field(default_factory=CallSettings)
    phase: Phase = Phase.NEW
    leg: int | None = None
    srate_hz: int = 8000
    clock: MediaClock = field(default_factory=MediaClock)
    started_us: int = 0
    quiet_since_us: int = 0
    generation: int = 0
    next_utterance: int = 1
    segment: int = 0
    caller: CallerTurn = CallerTurn()
    consumed_at: int = -1
    agent: AgentTurn | None = None
    interruption: Interruption | None = None
    ending: Ending | None = None
    closing_interrupted: bool = False
    limit: str = ""
    limit_us: int | None = None
    hold: Hold | None = None
    heard_us: int = 0
    greet_at_us: int | None = None
    given: tuple[str, ...] = ()
    lines: tuple[LineSaid, ...] = ()
    answer_due: bool = False
    interrupted: bool = False
    context: Context = ()
    turns: tuple[Turn, ...] = ()
    rate: SpeechRate = field(default_factory=SpeechRate)
    armed: BargeIn | None = None
    far_delay_ms: int = 0
    media_lost_us: int | None = None
    failures: int = 0
    reprompts: int = 0
    silences: int = 0
    fillers_said: int = 0
    reprompts_said: int = 0
    recoveries_said: int = 0
    end_reason: str = ""
    counts: Counts = Counts()

    @property
    def far_delay_samples(self) -> int:
        """Estimated delay to the caller's ear, in samples."""
        return self.far_delay_ms * self.srate_hz // 1000

    @property
    def awaits_final(self) -> bool:
        """The recogniser owes the text of speech that has ended."""
        tolerance = self.settings.turn.final_tolerance_ms * self.srate_hz // 1000
        return self.caller.awaits_final(tolerance)

    def new_buffer(self) -> PhraseBuffer:
        """An empty phrase buffer with this call's rules."""
        s = self.settings
        return PhraseBuffer(PhraseRules(s.first_phrase_chars, s.phrase_chars, s.phrase_limit_chars))


def initial_state(
    settings: CallSettings | None = None,
    context: Context = (),
    *,
    clock: MediaClock | None = None,
    generation: int = 0,
    next_utterance: int = 1,
    consumed_at: int = -1,
    turns: tuple[Turn, ...] = (),
) -> CallState:
    """The state of a conversation that has not started.

    context: what the model is told beforehand. The rest is for a leg that is in use already: its
    clock, its generation, the next free utterance id, the sample up to which the caller's audio
    belongs to what was before, and the transcript so far.
    """
    settings = settings or CallSettings()
    return CallState(
        settings=settings,
        far_delay_ms=settings.far_delay_ms,
        context=context,
        clock=clock or MediaClock(),
        generation=generation,
        next_utterance=next_utterance,
        consumed_at=consumed_at,
        turns=turns,
    )


def next_generation_after_cut(generation: int) -> int:
    """Generation of the leg once everything up to `generation` was cut (see mediacore.h)."""
    return ((generation >> 32) + 1) << 32


def policy_for(state: CallState, kind: UtteranceKind) -> BargeIn:
    """What the caller may do to an utterance of this kind now."""
    if state.ending is not None and not state.ending.interruptible:
        return NOT_INTERRUPTIBLE
    return state.settings.barge.of(kind)


def interruptible(state: CallState, now: int) -> bool:
    """Whether the caller may stop the agent at this moment."""
    agent = state.agent
    if agent is None:
        return False
    playing = agent.playing
    policy = policy_for(state, playing.kind if playing else agent.kind)
    if policy.action is BargeAction.OFF:
        return False
    if playing is None or not policy.protect_ms:
        return True
    played = assume_to(playing, state.clock.at(now)).played
    return played * 1000 >= policy.protect_ms * state.srate_hz


def agent_phase(state: CallState) -> Phase:
    """Phase of a call in which the agent has the floor."""
    if state.ending is not None:
        return Phase.CLOSING
    agent = state.agent
    return Phase.SPEAKING if agent is not None and agent.playing else Phase.THINKING


def lingers(state: CallState) -> bool:
    """The goodbye was played, but the caller began to speak: do they want more than to say bye?"""
    agent, ending = state.agent, state.ending
    if agent is None or ending is None or not (agent.complete and ending.interruptible):
        return False
    if policy_for(state, agent.kind).action is BargeAction.OFF:
        return False
    return state.caller.speaking or state.awaits_final


def can_end(state: CallState, urgent: bool) -> bool:
    """The one gate of teardown. Not urgent: only when the agent's last words were played."""
    if state.phase is Phase.ENDED:
        return False
    if urgent:
        return True
    return state.ending is not None and (state.agent is None or state.agent.complete)


def count(state: CallState, name: str) -> CallState:
    """One more of `name` in the counts."""
    counts = state.counts
    return replace(state, counts=replace(counts, **{name: getattr(counts, name) + 1}))
