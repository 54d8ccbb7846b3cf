"""The world outside of a call's reducer, in a few lines: every action gets its report at once.

Replies of applications and the model's tool calls are taken from the input, so that what an
attacker controls reaches the reducer the way it does in a call.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Mapping

from mediacore.call.inputs import ReplyEnded, ReplyText, ReplyToolCall
from mediacore.errors import ErrorClass
from mediacore.events import LegOpened
from mediacore.flow.document import Document
from mediacore.flow.findings import Code
from mediacore.flow.script import ScriptFault
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.settings import RunSettings
from mediacore.runtime.state import Line, RunState
from mediacore.runtime.step import begin_document, incoming, step
from mediacore.runtime.timers import next_deadline

LINE = "L1"
_EVENTS = 80
_WALL_US = 1_790_000_000_000_000
_SRATE_HZ = 8000


class Script:
    """Evaluates nothing: most expressions are their own text, the odd ones fail."""

    def evaluate(self, code: str, names: Mapping[str, object]) -> object:
        if len(code) % 7 == 3:
            raise ScriptFault(Code.JS_EVAL_ERROR, "no")
        return (code, len(code), True, None, [code], {"a": code})[len(code) % 6]


class Outside:
    """One call, its clock and its queue of events."""

    def __init__(self, reply: object = None, text: str = "") -> None:
        self._reply = reply
        self._text = text
        self._queue: deque[i.Event] = deque()
        self._handles = itertools.count(7)
        self._asked = 0
        self.now = 1_000_000
        line = Line(LINE, "phone", "inbound", "+15550001", "+15550002")
        settings = RunSettings(Script(), project="p", context="office")
        self.state: RunState = incoming(settings, line, now=self.now, wall_us=_WALL_US)
        self.take(i.CallOffered(LINE))

    def begin(self, document: Document) -> None:
        """The call gets its document, and lives as long as something happens."""
        self.state, actions = begin_document(self.state, document, self.now)
        self._carry_out(actions)
        self.live()

    def take(self, event: i.Event) -> None:
        """One event."""
        self.now += 20_000
        self.state, actions = step(self.state, event, self.now)
        self._carry_out(actions)

    def live(self) -> None:
        """Reports, then deadlines, up to a bound."""
        for _ in range(_EVENTS):
            if self.state.over:
                return
            if self._queue:
                self.take(self._queue.popleft())
                continue
            due_us = next_deadline(self.state)
            if due_us is None:
                return
            self.now = max(self.now, due_us)
            self.take(i.Tick())

    def end(self) -> None:
        """Everybody hangs up: the call must be over soon, whatever came before."""
        self.take(i.HangupAsked("hangup"))
        self._queue.extend(i.LineGone(line, "hangup") for line in self.state.lines)
        self.live()
        self.live()
        assert self.state.over, f"the call does not end: {self.state.ops}"

    def _carry_out(self, actions: list[a.Action]) -> None:
        for action in actions:
            report = _REPORTS.get(type(action))
            if report is not None:
                self._queue.extend(report(self, action))

    # -- what each action leads to

    def _up(self, line: str) -> list[i.Event]:
        handle = next(self._handles)
        opened = i.Media(line, LegOpened(handle, self.now // 20_000, 0))
        return [i.LineAnswered(line, handle, _SRATE_HZ), opened]

    def _dialled(self, action: a.DialLine) -> list[i.Event]:
        if len(self._text) % 2:
            return [i.LineGone(action.line, "busy")]
        return [i.LineRinging(action.line), *self._up(action.line)]

    def _model(self, action: a.AskModel) -> list[i.Event]:
        self._asked += 1
        generation = action.generation
        names = [tool.name for tool in action.tools] or ["nothing"]
        name = names[self._asked % len(names)]
        made = (
            ReplyToolCall(generation, f"t{self._asked}", name, self._text[:2000]),
            ReplyText(generation, "Yes."),
            ReplyEnded(generation),
        )
        return [i.AgentResult(action.run, result) for result in made[self._asked > 6 :]]

    def _tool(self, action: a.RunTool) -> list[i.Event]:
        return [i.ToolReplied(action.run, action.generation, action.id, True, self._reply)]

    def _hook(self, action: a.RunHook) -> list[i.Event]:
        return [i.HookReplied(action.run, action.id, True, self._reply)]


def _fetched(_: Outside, action: a.FetchDocument) -> list[i.Event]:
    return [i.DocumentFetched(action.op, None, Code.PARSE_ERROR, "no")]


def _asked(outside: Outside, action: a.SendRequest) -> list[i.Event]:
    return [i.HttpReplied(action.op, 200, {"a": "b"}, outside._text)]


_REPORTS: dict[type, Callable[..., list[i.Event]]] = {
    a.AnswerLine: lambda o, x: o._up(x.line),
    a.DialLine: Outside._dialled,
    a.EndLine: lambda o, x: [i.LineGone(x.line, x.reason)],
    a.AskModel: Outside._model,
    a.RunTool: Outside._tool,
    a.RunHook: Outside._hook,
    a.AskSummary: lambda o, x: [i.SummaryReady(x.run, o._text)],
    a.FetchDocument: _fetched,
    a.SendRequest: _asked,
    a.StartPlay: lambda o, x: [i.PlayFailed(x.op, ErrorClass.BAD_INPUT, "no")],
    a.StopRecording: lambda o, x: [i.RecordingStored(x.op, True, "file:///a.wav", 1000, 1)],
    a.StartFork: lambda o, x: [i.ForkChanged(x.op, True)],
    a.ReserveSpend: lambda o, x: [i.SpendChecked(x.reservation, True)],
}
