"""One call through the outer reducer, with everything outside it played by hand.

Every step is checked: peers, the voice, the version, answers to commands, terminal events, and
that nothing is ordered for a line that is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from mediacore.call.actions import TurnCompleted
from mediacore.call.inputs import SttFailed, TranscriptFinal, TranscriptPartial
from mediacore.errors import ErrorClass
from mediacore.events import (
    CutCause,
    DigitReceived,
    DigitSource,
    LegOpened,
    PlayoutCut,
    PlayoutStarted,
    SpeechEnded,
    SpeechStarted,
    ToneDetected,
    UtteranceFinished,
)
from mediacore.flow.script import QuickJs
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.documents import inline_document
from mediacore.runtime.ports import Answer, Command
from mediacore.runtime.settings import RunSettings
from mediacore.runtime.state import (
    CollectData,
    Line,
    LineState,
    Operation,
    PlayData,
    PlayState,
    RunState,
)
from mediacore.runtime.step import begin_document, incoming, outgoing, step
from mediacore.runtime.timers import next_deadline

T = TypeVar("T")
JS = QuickJs()
PROJECT = "p"
ALL = frozenset({"read", "control", "dial"})
TERMINAL: Mapping[str, frozenset[str]] = {
    "play": frozenset({"finished", "error"}),
    "collect": frozenset({"finished", "error", "no_input", "no_match"}),
    "record": frozenset({"finished", "no_input"}),
    "tap": frozenset({"finished"}),
    "stream": frozenset({"finished"}),
    "send_digits": frozenset({"finished", "error"}),
    "ai": frozenset({"finished", "error"}),
}
"""States at which the published clients' actions are done."""

_LATE = (a.AnswerCommand, a.EndLine, a.Log, a.PostStatus, a.Publish, a.CallOver)
_CONTROL = ("play", "collect", "record", "detect", "tap", "stream", "send_digits", "ai")


def settings(**changes: Any) -> RunSettings:
    return RunSettings(evaluator=JS, project=PROJECT, context="office", **changes)


def published(actions: list[a.Action], kind: str) -> list[Mapping[str, Any]]:
    """Parameters of the events of one kind; kind: after "calling." or "calling.call."."""
    names = (f"calling.call.{kind}", f"calling.{kind}")
    return [x.params for x in actions if isinstance(x, a.Publish) and x.event_type in names]


class Watch:
    """What must hold after every step."""

    def __init__(self) -> None:
        self.open: dict[tuple[str, str], str] = {}
        self.states: dict[str, list[str]] = {}
        self.told_answers: set[int] = set()

    def see(self, before: RunState, event: object, after: RunState, acts: list[a.Action]) -> None:
        self._state(before, after)
        for action in acts:
            line = getattr(action, "line", None)
            late = isinstance(action, _LATE) or (
                isinstance(action, a.Talk) and isinstance(action.action, TurnCompleted)
            )
            if isinstance(line, str) and line in before.lines and not late:
                assert not before.lines[line].over, f"{action} for a line that is over"
            if isinstance(action, a.Publish):
                self._told(action)
        answers = [x for x in acts if isinstance(x, a.AnswerCommand)]
        if isinstance(event, i.CommandReceived):
            assert [x.request for x in answers] == [event.request]
        else:
            assert not answers
        if before.over:
            assert after.over and not [x for x in acts if not isinstance(x, _LATE)]
        assert sum(isinstance(x, a.CallOver) for x in acts) == int(after.over and not before.over)
        if after.over:
            assert not after.ops and not after.flows and not self.open, self.open

    def _state(self, before: RunState, after: RunState) -> None:
        assert after.version >= before.version
        for line in after.lines.values():
            if line.peer:
                assert after.lines[line.peer].peer == line.id
                assert line.up and after.lines[line.peer].up
            old = before.lines.get(line.id)
            if old is not None and old.over:
                assert line.over
            assert sum(_speaks(op, line.id) for op in after.ops.values()) <= 1
            if line.state is LineState.ENDED:
                assert not [op for op in after.ops.values() if op.line == line.id]
                assert not [f for f in after.flows if f.line == line.id]

    def _told(self, event: a.Publish) -> None:
        kind = event.event_type.removeprefix("calling.call.")
        params, line = event.params, event.call_id
        if kind == "state":
            states = self.states.setdefault(line, [])
            state = str(params["call_state"])
            if not (state == "answered" and states[-1:] == ["answered"]):  # told around the dial
                order = ["created", "ringing", "answered", "ending", "ended"]
                assert all(order.index(state) > order.index(s) for s in states), (states, state)
                states.append(state)
            if state == "ending":
                assert line not in self.open.values(), f"open when {line} ends: {self.open}"
        if kind not in _CONTROL or "control_id" not in params:
            return
        key = (kind, str(params["control_id"]))
        if kind == "detect":
            over = params["detect"]["params"]["event"] in ("finished", "error")
        else:
            over = params.get("state") in TERMINAL[kind] and params.get("final") is not False
        if over:
            self.open.pop(key, None)
        else:
            assert self.states.get(line, [""])[-1] not in ("ending", "ended")
            self.open[key] = line


def _speaks(op: Operation, line: str) -> bool:
    play = op.data.play if isinstance(op.data, CollectData) else op.data
    active = (PlayState.STARTING, PlayState.PLAYING, PlayState.PAUSED)
    return op.line == line and isinstance(play, PlayData) and play.state in active


class Phone:
    """A call and its outside. Line "L1" rings in, or the call is to be dialled."""

    def __init__(
        self,
        main: Any = None,
        *,
        answered: bool = False,
        outbound: bool = False,
        rules: RunSettings | None = None,
        **sections: list[Any],
    ) -> None:
        self.now = 1_000_000
        self.actions: list[a.Action] = []
        self.last: list[a.Action] = []
        self.watch = Watch()
        self._request = 0
        self._opened: dict[str, int] = {}
        found = rules or settings()
        if outbound:
            self.state = outgoing(found, "C1", now=self.now, wall_us=0)
            return
        line = Line("L1", "phone", "inbound", "+1555", "+1666")
        self.state = incoming(found, line, now=self.now, wall_us=0)
        self.do(i.CallOffered("L1"))
        if main is not None:
            self.document(main, **sections)
        if answered:
            self.answered()

    # -- steps

    def do(self, event: i.Event, ms: int = 0) -> list[a.Action]:
        """One event, `ms` later."""
        self.now += ms * 1000
        before = self.state
        self.state, acts = step(before, event, self.now)
        self._took(before, event, acts)
        return acts

    def document(self, main: Any, **sections: list[Any]) -> None:
        written = {"sections": {"main": main, **sections}} if isinstance(main, list) else main
        before = self.state
        self.state, acts = begin_document(before, inline_document(written, "test"), self.now)
        self._took(before, None, acts)

    def _took(self, before: RunState, event: object, acts: list[a.Action]) -> None:
        self.last = acts
        self.actions += acts
        self.watch.see(before, event, self.state, acts)

    def wait(self, ms: int) -> None:
        """Let time pass, with a tick at every deadline."""
        until = self.now + ms * 1000
        for _ in range(10_000):
            due = next_deadline(self.state)
            if due is None or due > until:
                break
            self.now = max(self.now, due)
            self.do(i.Tick())
        else:
            raise AssertionError("time does not pass")
        self.now = until

    # -- the outside

    def answered(self, line: str = "L1") -> list[a.Action]:
        acts = self.do(i.LineAnswered(line, 7 + len(self._opened), 8000))
        self.opened(line)
        return acts

    def opened(self, line: str = "L1") -> None:
        self._opened[line] = self.now
        self.do(i.Media(line, LegOpened(7, self.now // 20_000, 0)))

    def media(self, kind: Any, *more: Any, line: str = "L1") -> list[a.Action]:
        at = (self.now - self._opened.get(line, self.now)) // 125
        return self.do(i.Media(line, kind(7, self.now // 20_000, at, *more)))

    def key(self, digits: str, line: str = "L1") -> None:
        for digit in digits:
            self.media(DigitReceived, digit, 100, DigitSource.EVENT, line=line)

    def speaks(self, on: bool = True, line: str = "L1") -> None:
        self.media(SpeechStarted if on else SpeechEnded, line=line)

    def says(self, text: str, confidence: float = 0.9, line: str = "L1") -> None:
        """Half a second of speech, recognised."""
        self.speaks(line=line)
        self.wait(500)
        self.speaks(False, line)
        self.do(i.Heard(line, TranscriptFinal(text, 0, confidence)))

    def partly(self, text: str) -> None:
        self.do(i.Heard("L1", TranscriptPartial(text, 0)))

    def deaf(self) -> None:
        self.do(i.Heard("L1", SttFailed(ErrorClass.UNAVAILABLE)))

    def tone(self, kind: int) -> None:
        self.media(ToneDetected, int(kind), 500)

    def playing(self, line: str = "L1") -> a.StartPlay:
        """The last play that was asked for on a line begins."""
        play = [x for x in self.of(a.StartPlay) if x.line == line][-1]
        self.media(PlayoutStarted, play.utterance, play.generation, 0, line=line)
        return play

    def played(self, line: str = "L1") -> a.StartPlay:
        """… and is played to its end."""
        play = self.playing(line)
        self.wait(100)
        self.media(UtteranceFinished, play.utterance, play.generation, 800, 800, line=line)
        return play

    def cut(self, line: str = "L1") -> None:
        """The core stops the play by its reflex."""
        play = [x for x in self.of(a.StartPlay) if x.line == line][-1]
        after = ((play.generation >> 32) + 1) << 32
        where = (play.utterance, play.generation, 400, after, 0, CutCause.BARGE_IN, 400)
        self.media(PlayoutCut, *where, line=line)

    def command(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        line: str = "L1",
        issuer: str = "s1",
        version: int | None = None,
        permissions: frozenset[str] = ALL,
        project: str = PROJECT,
    ) -> Answer:
        self._request += 1
        command = Command(issuer, project, permissions, method, line, params or {}, version)
        acts = self.do(i.CommandReceived(self._request, command))
        return next(x.answer for x in acts if isinstance(x, a.AnswerCommand))

    def ok(self, method: str, params: Mapping[str, Any] | None = None, **more: Any) -> Answer:
        answer = self.command(method, params, **more)
        assert answer.code == "200", answer
        return answer

    # -- looking

    def of(self, kind: type[T], *, last: bool = False) -> list[T]:
        """Actions of a kind, of the whole call or of the last step."""
        return [x for x in (self.last if last else self.actions) if isinstance(x, kind)]

    def told(self, kind: str, *, last: bool = False) -> list[Mapping[str, Any]]:
        return published(self.last if last else self.actions, kind)

    def states(self, kind: str, control: str) -> list[str]:
        return [p["state"] for p in self.told(kind) if p.get("control_id") == control]

    @property
    def vars(self) -> Mapping[str, Any]:
        return self.state.vars

    @property
    def others(self) -> list[str]:
        """Dialled lines, in order."""
        return [x.line for x in self.of(a.DialLine)]

    def line(self, line: str = "L1") -> Line:
        return self.state.lines[line]

    @property
    def said(self) -> list[str]:
        """Texts that were asked to be played."""
        return [item.text for x in self.of(a.StartPlay) for item in x.items]
