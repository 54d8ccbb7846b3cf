"""The agent on a call, in virtual time: the outer reducer with a scripted model, voice and tools.

The core is played as far as the reducer can tell: utterances start and finish, a cut stops what
plays and moves the generation on. Nothing here is random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from mediacore.call import turns_so_far
from mediacore.call.actions import (
    ArmBargeIn,
    CancelReply,
    CutPlayout,
    PausePlayout,
    ResumePlayout,
    Speak,
)
from mediacore.call.inputs import (
    ReplyEnded,
    ReplyFailed,
    ReplyHangup,
    ReplyText,
    ReplyToolCall,
    SpeechReady,
    SpeechSynthesised,
    TranscriptFinal,
)
from mediacore.call.record import Speaker, Turn
from mediacore.call.recovery import ErrorReason
from mediacore.errors import ErrorClass
from mediacore.events import (
    CutCause,
    PlayoutCut,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    UtteranceFinished,
)
from mediacore.media import BargeAction
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.settings import RunSettings
from mediacore.runtime.state import AiRun, RunState
from mediacore.runtime.timers import next_deadline
from support.runtime_call import Phone

MS = 1000
CHAR_MS = 20
HANGUP = object()


@dataclass(frozen=True)
class Tool:
    """The model wants a tool."""

    name: str
    arguments: str = "{}"


@dataclass(frozen=True)
class Fail:
    """The model fails."""

    error: ErrorClass = ErrorClass.UNAVAILABLE
    reason: ErrorReason | None = None


Reply = Sequence[Any]
Model = Callable[[a.AskModel], Reply]
ToolBox = Mapping[str, Any]


@dataclass
class _Voice:
    id: int
    generation: int
    samples: int
    begun: bool = False
    done: int = 0
    since_us: int = 0


class RunSim(Phone):
    """A call whose document is one `ai` (or `main`), answered. Drive it with `says` and `run`.

    replies: what the model gives, one per request; the last one again when they are used up.
    tools: reply of each tool, or a function of RunTool; None = never. hooks: the same by hook id.
    """

    def __init__(
        self,
        ai: Mapping[str, Any] | None = None,
        *,
        replies: Sequence[Reply] | Model = (("All right.",),),
        tools: ToolBox | None = None,
        hooks: ToolBox | None = None,
        main: Any = None,
        rules: RunSettings | None = None,
        summary: str | None = "They called.",
        grants: bool | None = True,
    ) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._serial = 0
        self._replies = replies
        self._asked = 0
        self._tools = dict(tools or {})
        self._hooks = dict(hooks or {})
        self._summary = summary
        self.grants = grants
        self._queue: list[_Voice] = []
        self._playing: _Voice | None = None
        self._paused = False
        self._armed = BargeAction.OFF
        self._core_generation = 0
        self._cancelled: set[int] = set()
        self.used = (0, 0)
        super().__init__(main if main is not None else [{"ai": dict(ai or {})}], rules=rules)
        self.answered()

    # -- time

    def at(self, ms: float, act: Callable[[], None]) -> None:
        """Do something later."""
        self._serial += 1
        heappush(self._heap, (self.now + int(ms * MS), self._serial, act))

    def run(self, ms: int) -> RunSim:
        """Let time pass with everything that comes in it."""
        until = self.now + ms * MS
        for _ in range(20_000):
            due = next_deadline(self.state)
            at = min(
                [x for x in (due, self._heap[0][0] if self._heap else None) if x is not None],
                default=None,
            )
            if at is None or at > until:
                break
            self.now = max(self.now, at)
            if self._heap and self._heap[0][0] <= self.now:
                heappop(self._heap)[2]()
            else:
                self.do(i.Tick())
        else:
            raise AssertionError("time does not pass")
        self.now = until
        return self

    def wait(self, ms: int) -> None:
        self.run(ms)

    def says(self, text: str, confidence: float = 0.9, line: str = "L1") -> RunSim:  # type: ignore[override]
        """The caller says something, and is given the time to get an answer."""
        self.speaks(line=line)
        self.run(400)
        self.speaks(False, line)
        at = (self.now - self._opened[line]) // 125
        self.do(i.Heard(line, TranscriptFinal(text, at, confidence)))
        return self.run(1500)

    # -- what the call orders

    def _took(self, before: RunState, event: object, acts: list[a.Action]) -> None:
        super()._took(before, event, acts)
        for action in acts:
            self._execute(action)

    def _execute(self, action: a.Action) -> None:
        match action:
            case a.Talk(action=Speak() as speak):
                samples = max(len(speak.text) * CHAR_MS * 8, 800)
                self._say(action.run, speak.utterance, speak.generation, samples)
            case a.Talk(action=CutPlayout(generation)):
                self._cut(generation)
            case a.Talk(action=ArmBargeIn(policy)):
                self._armed = policy.action
            case a.Talk(action=PausePlayout()):
                self._pause()
            case a.Talk(action=ResumePlayout()):
                self._resume()
            case a.Talk(action=CancelReply(generation)):
                self._cancelled.add(generation)
            case a.StartPlay():
                self._queue.append(_Voice(action.utterance, action.generation, 4000))
                self.at(20, self._pump)
            case a.EndLine("L1"):
                self._queue, self._playing = [], None
            case a.StopPlay(_, _, generation):
                self._cut(generation)
            case a.AskModel():
                self._ask(action)
            case a.RunTool():
                self._tool(action)
            case a.RunHook():
                self._hook(action)
            case a.AskSummary() if self._summary is not None:
                ready = i.SummaryReady(action.run, self._summary)
                self.at(700, lambda: self._do(ready))
            case a.ReserveSpend() if self.grants is not None:
                checked = i.SpendChecked(action.reservation, self.grants)
                self.at(30, lambda: self._do(checked))

    def _do(self, event: i.Event) -> None:
        self.do(event)

    # -- the voice

    def _say(self, run: int, utterance: int, generation: int, samples: int) -> None:
        self._queue.append(_Voice(utterance, generation, samples))

        def made() -> None:
            self.do(i.AgentResult(run, SpeechReady(utterance, samples)))
            self.do(i.AgentResult(run, SpeechSynthesised(utterance, samples)))
            self._pump()

        self.at(60, made)

    def _pump(self) -> None:
        while self._playing is None and self._queue and not self._paused:
            voice = self._queue.pop(0)
            if voice.generation < self._core_generation:
                continue
            self._playing = voice
            voice.since_us = self.now
            self._event(PlayoutStarted, voice, 0)
            if self._playing is voice:
                self._ends(voice)

    def _ends(self, voice: _Voice) -> None:
        left_ms = (voice.samples - voice.done) / 8
        since_us = voice.since_us

        def over() -> None:
            if self._playing is voice and not self._paused and voice.since_us == since_us:
                self._playing = None
                self._event(UtteranceFinished, voice, voice.samples, voice.samples)
                self._pump()

        self.at(left_ms, over)

    def _position(self) -> int:
        voice = self._playing
        if voice is None:
            return 0
        moved = 0 if self._paused else (self.now - voice.since_us) // 125
        return min(voice.done + moved, voice.samples)

    def _cut(self, generation: int) -> None:
        position, voice = self._position(), self._playing
        if voice is not None and voice.generation > generation:
            return
        self._queue = [v for v in self._queue if v.generation > generation]
        self._playing, self._paused = None, False
        after = ((max(self._core_generation, generation) >> 32) + 1) << 32
        self._core_generation = after
        number = (voice.id, voice.generation, position) if voice is not None else (0, 0, 0)

        def told() -> None:
            self.media(PlayoutCut, *number, after, 0, CutCause.COMMAND, number[2])
            self._pump()

        self.at(20, told)

    def _pause(self) -> None:
        voice = self._playing
        if voice is None or self._paused:
            return
        voice.done = self._position()
        self._paused = True
        self.at(20, lambda: self._event(PlayoutPaused, voice, voice.done))

    def speaks(self, on: bool = True, line: str = "L1") -> None:
        """The caller's voice begins or ends; the core's reflex comes first."""
        if on and line == "L1" and self._armed is BargeAction.PAUSE:
            self._pause()
        super().speaks(on, line)

    def _resume(self) -> None:
        voice = self._playing
        if not self._paused:
            return
        self._paused = False
        if voice is not None:
            voice.since_us = self.now
            self.at(0, lambda: self._event(PlayoutResumed, voice, voice.done))
            self._ends(voice)

    def _event(self, kind: Any, voice: _Voice, position: int, *more: Any) -> None:
        self.media(kind, voice.id, voice.generation, position, *more)

    # -- the model and its tools

    def _ask(self, action: a.AskModel) -> None:
        self._asked += 1
        if callable(self._replies):
            reply = self._replies(action)
        else:
            reply = self._replies[min(self._asked, len(self._replies)) - 1]
        self._cancelled.discard(action.generation)
        used = i.TokensUsed(action.run, *self.used, action.generation)

        def give() -> None:
            gen = action.generation
            for number, part in enumerate([reply] if isinstance(reply, str) else reply):
                match part:
                    case str():
                        self._result(action, ReplyText(gen, part))
                    case Tool(name, arguments):
                        call = f"c{self._asked}.{number}"
                        self._result(action, ReplyToolCall(gen, call, name, arguments))
                    case None:
                        return  # the stream stays open
                    case Fail(error, reason):
                        self._result(action, ReplyFailed(gen, error, reason))
                        return
                    case _:
                        self._result(action, ReplyHangup(gen))
            self._result(action, ReplyEnded(gen))
            self.do(used)

        self.at(100, give)

    def _result(self, action: a.AskModel, result: Any) -> None:
        if action.generation not in self._cancelled:
            self.do(i.AgentResult(action.run, result))

    def _tool(self, action: a.RunTool) -> None:
        found = self._tools.get(action.name, "done")
        reply = found(action) if callable(found) else found
        if reply is None:
            return
        given = i.ToolReplied(
            action.run, action.generation, action.id, True, reply, url=action.url or "data_map"
        )
        self.at(200, lambda: self._do(given))

    def _hook(self, action: a.RunHook) -> None:
        found = self._hooks.get(action.id, {})
        reply = found(action) if callable(found) else found
        if reply is None:
            return
        given = i.HookReplied(action.run, action.id, True, reply)
        self.at(200, lambda: self._do(given))

    # -- looking

    @property
    def ai(self) -> AiRun:
        """The run that is open."""
        assert self.state.run is not None
        return self.state.run

    @property
    def asked(self) -> list[a.AskModel]:
        """Requests to the model."""
        return self.of(a.AskModel)

    @property
    def spoken(self) -> list[str]:
        """What the agent was to say, in order."""
        return [x.action.text for x in self.of(a.Talk) if isinstance(x.action, Speak)]

    @property
    def payload(self) -> AiRun:
        """The run as it was delivered; there is exactly one."""
        (found,) = self.of(a.DeliverPayload)
        assert isinstance(found.run, AiRun)
        return found.run

    def transcript(self, run: AiRun | None = None) -> list[tuple[str, str]]:
        """Who said what; of the agent what was heard."""
        turns = turns_so_far((run or self.state.run or self.payload).talk)
        return [(t.speaker.value, _text(t)) for t in turns]

    def logs(self, name: str) -> list[str]:
        """Verdicts of one decision."""
        return [x.verdict for x in self.of(a.Log) if x.name == name]


def _text(turn: Turn) -> str:
    return turn.text if turn.speaker is Speaker.CALLER else turn.heard_text


def tool(name: str, **more: Any) -> dict[str, Any]:
    """A declared function."""
    return {
        "function": name,
        "description": f"Does {name}.",
        "web_hook_url": "http://app.example/swaig",
        **more,
    }


def agent(*functions: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Parameters of an `ai` with a static greeting; `params` are added to it."""
    params = {"static_greeting": "Hello.", "attention_timeout": 0, **more.pop("params", {})}
    swaig = {"functions": list(functions), **more.pop("SWAIG", {})}
    return {"prompt": {"text": "Be brief."}, "params": params, "SWAIG": swaig, **more}
