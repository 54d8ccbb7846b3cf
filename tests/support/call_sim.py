"""A scripted world around the reducer, in virtual time.

Plays the core (playout queue, barge-in policy, generations), the session, the recogniser, the
model and the synthesiser, so that whole conversations run as tables of what the caller does.
Times are milliseconds; the reducer sees microseconds.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mediacore.call import (
    Action,
    ArmBargeIn,
    CallSettings,
    CallStarted,
    CallTool,
    CancelReply,
    ConversationOver,
    CutPlayout,
    Event,
    LogDecision,
    PausePlayout,
    Phase,
    ReplyEnded,
    ReplyFailed,
    ReplyHangup,
    ReplyText,
    ReplyToolCall,
    ResumePlayout,
    Role,
    Speak,
    SpeechFailed,
    SpeechReady,
    SpeechSynthesised,
    SpeechWords,
    StartReply,
    ToolFinished,
    TranscriptFinal,
    TranscriptPartial,
    Wake,
    initial_state,
    next_deadline,
    step,
    turns_so_far,
)
from mediacore.call.record import WordTime
from mediacore.errors import ErrorClass
from mediacore.events import (
    CutCause,
    LegOpened,
    PlayoutCut,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    SpeechEnded,
    SpeechStarted,
    UtteranceFinished,
    UtteranceRefused,
)
from mediacore.media import BargeAction, BargeIn

LEG = 1
SRATE = 8000
MS_PER_CHAR = 60


@dataclass(frozen=True)
class Hang:
    """Reply part: the dialogue is over."""

    reason: str = "completed"


@dataclass(frozen=True)
class Tool:
    """Reply part: a tool call."""

    id: str
    name: str = "look_up"


@dataclass(frozen=True)
class Fail:
    """Reply part: the stream fails."""


@dataclass(frozen=True)
class Delay:
    """Reply part: nothing comes for so long."""

    ms: int


Reply = Sequence[object]


@dataclass
class Sound:
    """An utterance in the core's queue. Positions in samples."""

    id: int
    generation: int
    total: int
    text: str
    position: int = 0
    started: bool = False


@dataclass
class Sim:
    """settings and the replies of the model, in the order they are asked for."""

    settings: CallSettings = field(default_factory=CallSettings)
    replies: list[Reply] = field(default_factory=list)
    tools: dict[str, tuple[int, str]] = field(default_factory=dict)
    llm_ms: int = 150
    tts_ms: int = 80
    stt_ms: int = 150
    tts_fails: Callable[[str], bool] = lambda text: False
    tts_never: Callable[[str], bool] = lambda text: False
    words: bool = True
    ignores_cancel: bool = False
    confirms_cuts: bool = True

    def __post_init__(self) -> None:
        self.state = initial_state(self.settings)
        self.now_us = 1_000_000
        self.actions: list[tuple[int, Action]] = []
        self.events: list[Event] = []
        self.contexts: list[tuple[tuple[str, str], ...]] = []
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._seq = 0
        self._t0 = self.now_us
        self._wake_at: int | None = None
        self._generation = 0
        self._queue: list[Sound] = []
        self._policy = BargeIn()
        self._paused = False
        self._resumed_at_us = 0
        self._playing_token = 0
        self._caller_speaks = False
        self._cancelled: set[int] = set()
        self._synth_cut = -1
        self.send(LegOpened(LEG, 0, 0))
        self.send(CallStarted(LEG, SRATE))

    # --- time

    @property
    def ms(self) -> int:
        return (self.now_us - self._t0) // 1000

    @property
    def at(self) -> int:
        """Sample position now."""
        return self.ms * SRATE // 1000

    def later(self, ms: int, act: Callable[[], None]) -> None:
        self._seq += 1
        heapq.heappush(self._heap, (self.now_us + ms * 1000, self._seq, act))

    def run(self, until_ms: int) -> Sim:
        """Let time pass up to `until_ms` since the start."""
        end_us = self._t0 + until_ms * 1000
        while True:
            wake = next_deadline(self.state)
            first = self._heap[0][0] if self._heap else None
            if wake is not None and (first is None or wake < first):
                if wake > end_us:
                    break
                assert wake > self.now_us or self._wake_at != wake, "timer did not clear"
                self._wake_at = wake
                self.now_us = max(self.now_us, wake)
                self.send(Wake())
                continue
            if first is None or first > end_us:
                break
            at_us, _, act = heapq.heappop(self._heap)
            self.now_us = max(self.now_us, at_us)
            act()
        self.now_us = end_us
        return self

    # --- the caller

    def caller_says(
        self,
        text: str,
        at_ms: int,
        ms: int = 1000,
        *,
        partials: bool = True,
        final: str | None = None,
        stt_ms: int | None = None,
        no_final: bool = False,
    ) -> Sim:
        """The caller speaks for `ms`; the recogniser follows."""
        start, end = at_ms * SRATE // 1000, (at_ms + ms) * SRATE // 1000
        now = self.ms

        def begin() -> None:
            self._caller_speaks = True
            self.media(SpeechStarted, at=start)
            self._barge_in(at_ms)

        def stop() -> None:
            self._caller_speaks = False
            self.media(SpeechEnded, at=end)
            self._watch_silence()

        self.later(at_ms + 60 - now, begin)
        words = text.split()
        for i in range(1, len(words) if partials else 0):
            said = " ".join(words[:i])
            part_ms = at_ms + ms * i // len(words)
            at = part_ms * SRATE // 1000
            self.later(part_ms + 100 - now, lambda s=said, a=at: self.send(TranscriptPartial(s, a)))
        self.later(at_ms + ms + 200 - now, stop)
        if not no_final:
            what = text if final is None else final
            delay = self.stt_ms if stt_ms is None else stt_ms
            self.later(
                at_ms + ms + 200 + delay - now, lambda: self.send(TranscriptFinal(what, end))
            )
        return self

    # --- the core

    def media(self, kind: Callable[..., Any], /, at: int | None = None, **fields: Any) -> None:
        self.send(kind(leg=LEG, tick=self.ms // 20, at=self.at if at is None else at, **fields))

    def _head(self) -> Sound | None:
        return self._queue[0] if self._queue else None

    def _fields(self, sound: Sound) -> dict[str, int]:
        return {
            "utterance": sound.id,
            "generation": sound.generation,
            "position": sound.position,
        }

    def _advance(self) -> None:
        sound = self._head()
        if sound and sound.started and not self._paused:
            played = (self.now_us - self._resumed_at_us) * SRATE // 1_000_000
            sound.position = min(sound.total, sound.position + played)
        self._resumed_at_us = self.now_us

    def _play(self) -> None:
        sound = self._head()
        if sound is None or self._paused:
            return
        self._resumed_at_us = self.now_us
        self._playing_token += 1
        token = self._playing_token
        if not sound.started:
            sound.started = True
            self.media(PlayoutStarted, **self._fields(sound))
            if token != self._playing_token:
                return
        left_ms = -(-(sound.total - sound.position) * 1000 // SRATE)
        self.later(left_ms, lambda: self._finish(sound, token))

    def _finish(self, sound: Sound, token: int) -> None:
        if token != self._playing_token or self._head() is not sound:
            return
        self._queue.pop(0)
        sound.position = sound.total
        self.media(UtteranceFinished, wire_samples=sound.total, **self._fields(sound))
        if self._head() is not None:
            self._play()

    def _pause(self) -> bool:
        sound = self._head()
        if sound is None or self._paused:
            return False
        self._advance()
        self._paused = True
        self._playing_token += 1
        self.media(PlayoutPaused, **self._fields(sound))
        return True

    def _resume(self) -> None:
        sound = self._head()
        if sound is None or not self._paused:
            return
        self._paused = False
        self.media(PlayoutResumed, **self._fields(sound))
        self._play()

    def cut(self, generation: int, cause: CutCause) -> None:
        """As the core: everything up to `generation`, and the leg moves on."""
        self._advance()
        if self._generation <= generation:
            self._generation = ((generation >> 32) + 1) << 32
        self._paused = False
        self._playing_token += 1
        dead = [s for s in self._queue if s.generation <= generation]
        self._queue = [s for s in self._queue if s.generation > generation]
        head = dead[0] if dead and dead[0].started else None
        fields = self._fields(head) if head else {"utterance": 0, "generation": 0, "position": 0}
        self.media(
            PlayoutCut,
            next_generation=self._generation,
            mark=0,
            cause=cause,
            wire_samples=fields["position"],
            **fields,
        )
        for sound in dead:
            if sound is not head:
                self.media(UtteranceRefused, **self._fields(sound))
        self._play()

    def _barge_in(self, onset_ms: int) -> None:
        policy = self._policy
        head = self._head()
        if policy.action in (BargeAction.OFF, BargeAction.DUCK) or head is None or not head.started:
            return
        if policy.action is BargeAction.CUT:
            self.cut(self._generation, CutCause.BARGE_IN)
        elif self._pause() and policy.commit_ms:
            self.later(onset_ms + policy.commit_ms - self.ms, self._commit)

    def _commit(self) -> None:
        if self._paused and self._caller_speaks:
            self.cut(self._generation, CutCause.BARGE_IN)

    def _watch_silence(self) -> None:
        if self._paused and self._policy.resume_ms:
            self.later(self._policy.resume_ms, self._undo)

    def _undo(self) -> None:
        if self._paused and not self._caller_speaks:
            self._resume()

    # --- the session

    def send(self, event: Event) -> None:
        self.events.append(event)
        before = self.state.phase
        self.state, actions = step(self.state, event, self.now_us)
        if before is Phase.ENDED:
            assert not actions, "actions after the end"
        for action in actions:
            self.actions.append((self.ms, action))
            self._execute(action)

    def _execute(self, action: Action) -> None:
        match action:
            case StartReply():
                entries = tuple((e.role.value, e.text) for e in action.context)
                self.contexts.append(entries)
                reply = self.replies.pop(0) if self.replies else ("Okay.",)
                self._cancelled.discard(action.generation)
                self._stream(action.generation, reply)
            case CancelReply():
                self._cancelled.add(action.generation)
            case Speak():
                self._synthesise(action)
            case CutPlayout():
                self._synth_cut = max(self._synth_cut, action.generation)
                if self.confirms_cuts:
                    self.later(10, lambda: self.cut(action.generation, CutCause.COMMAND))
            case PausePlayout():
                self.later(10, lambda: self._pause() and None)
            case ResumePlayout():
                self.later(10, self._resume)
            case ArmBargeIn():
                self._policy = action.policy
            case CallTool():
                delay, text = self.tools.get(action.id, (100, "ok"))
                done = ToolFinished(action.generation, action.id, text)
                self.later(delay, lambda: self.send(done))
            case ConversationOver():
                self._policy = BargeIn()
                self.later(10, lambda: self.cut(self._generation, CutCause.CLOSE))

    def _stream(self, generation: int, reply: Reply) -> None:
        at = self.llm_ms

        def post(delay: int, event: Event) -> None:
            def act() -> None:
                if self.ignores_cancel or generation not in self._cancelled:
                    self.send(event)

            self.later(delay, act)

        for part in reply:
            match part:
                case str():
                    for word in part.split(" "):
                        at += 10
                        post(at, ReplyText(generation, word + " "))
                case Tool():
                    post(at, ReplyToolCall(generation, part.id, part.name, "{}"))
                case Hang():
                    post(at, ReplyHangup(generation, part.reason))
                case Fail():
                    post(at, ReplyFailed(generation, ErrorClass.UNAVAILABLE))
                    return
                case Delay():
                    at += part.ms
        post(at + 5, ReplyEnded(generation))

    def _synthesise(self, action: Speak) -> None:
        if self.tts_never(action.text):
            return
        total = max(len(action.text) * MS_PER_CHAR, 100) * SRATE // 1000

        def ready() -> None:
            if action.generation <= self._synth_cut:
                return
            if self.tts_fails(action.text):
                self.send(SpeechFailed(action.utterance, ErrorClass.CRASHED))
                return
            if action.generation < self._generation:
                sound = Sound(action.utterance, action.generation, total, action.text)
                self.media(UtteranceRefused, **self._fields(sound))
                return
            self._generation = max(self._generation, action.generation)
            self.send(SpeechReady(action.utterance, total))
            if self.words:
                self.send(SpeechWords(action.utterance, word_times(action.text)))
            self.send(SpeechSynthesised(action.utterance, total))
            idle = not self._queue
            self._queue.append(Sound(action.utterance, action.generation, total, action.text))
            if idle:
                self.later(10, lambda: None if self._started() else self._play())

        self.later(self.tts_ms, ready)

    def _started(self) -> bool:
        head = self._head()
        return head is None or head.started

    # --- what came of it

    def spoken(self) -> list[str]:
        """Texts given to synthesis."""
        return [a.text for _, a in self.actions if isinstance(a, Speak)]

    def of(self, kind: type) -> list[Any]:
        return [a for _, a in self.actions if isinstance(a, kind)]

    def times(self, kind: type) -> list[int]:
        return [ms for ms, a in self.actions if isinstance(a, kind)]

    def verdicts(self, name: str) -> list[str]:
        return [a.verdict for a in self.of(LogDecision) if a.name == name]

    def heard(self) -> list[tuple[str, str]]:
        """The transcript: who, and what was heard."""
        return [(t.speaker.value, t.heard_text) for t in turns_so_far(self.state)]

    def context(self) -> list[tuple[Role, str]]:
        return [(e.role, e.text) for e in self.state.context]


def word_times(text: str) -> tuple[WordTime, ...]:
    """Each character takes the same time."""
    out, at = [], 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        per_char = MS_PER_CHAR * SRATE // 1000
        out.append(WordTime(start, at, start * per_char, at * per_char))
    return tuple(out)
