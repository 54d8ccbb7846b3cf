"""What a call has opened and not closed, counted from its actions and the reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mediacore.call import actions as talk
from mediacore.call.inputs import ReplyEnded, ReplyFailed
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.simulate.violation import Rule, broken


class Resources:
    """Open lines, recordings, forks, requests, runs and what runs for them."""

    __slots__ = ("_act", "_open")

    def __init__(self) -> None:
        self._open: set[tuple[str, object]] = set()
        self._act: Mapping[type, Callable[[Any], None]] = {
            a.AnswerLine: lambda x: self._add("line", x.line),
            a.DialLine: lambda x: self._add("line", x.line),
            a.EndLine: self._line_over,
            a.StartBed: lambda x: self._add("bed", x.line),
            a.StopBed: lambda x: self._close("bed", x.line),
            a.StartHearing: lambda x: self._add("hearing", x.line),
            a.StopHearing: lambda x: self._close("hearing", x.line),
            a.JoinLines: lambda x: self._add("bridge", frozenset((x.a, x.b))),
            a.PartLines: lambda x: self._close("bridge", frozenset((x.a, x.b))),
            a.StartRecording: lambda x: self._add("recording", x.op),
            a.StopRecording: lambda x: self._close("recording", x.op),
            a.StartFork: lambda x: self._add("fork", x.op),
            a.StopFork: lambda x: self._close("fork", x.op),
            a.SendRequest: lambda x: self._add("request", x.op),
            a.FetchDocument: lambda x: self._add("request", x.op),
            a.CancelWork: lambda x: self._close("request", x.op),
            a.BeginRun: lambda x: self._add("run", x.run),
            a.EndRun: self._run_over,
            a.AskModel: lambda x: self._add("reply", (x.run, x.generation)),
            a.Talk: self._talk,
            a.RunTool: lambda x: self._add("tool", (x.run, x.id)),
            a.AskSummary: lambda x: self._add("summary", x.run),
            a.DeliverPayload: lambda x: self._close("summary", x.run.id),
        }

    def action(self, action: a.Action) -> None:
        """What an action opens or closes."""
        act = self._act.get(type(action))
        if act is not None:
            act(action)

    def event(self, event: i.Event | None) -> None:
        """What a report closes."""
        match event:
            case i.AgentResult(run=run, result=ReplyEnded() | ReplyFailed() as result):
                self._close("reply", (run, result.generation))
            case i.ToolReplied():
                self._close("tool", (event.run, event.id))
            case i.HttpReplied() | i.DocumentFetched():
                self._close("request", event.op)
            case i.RecordingStored():
                self._close("recording", event.op)
            case i.ForkChanged(running=False):
                self._close("fork", event.op)

    def at_the_end(self) -> None:
        """Nothing may be left."""
        if self._open:
            left = ", ".join(sorted(f"{kind} {name}" for kind, name in self._open))
            broken(Rule.LEAK, f"left behind: {left}")

    def _add(self, kind: str, name: object) -> None:
        self._open.add((kind, name))

    def _close(self, kind: str, name: object) -> None:
        self._open.discard((kind, name))

    def _line_over(self, action: a.EndLine) -> None:
        for kind in ("line", "bed", "hearing"):
            self._open.discard((kind, action.line))

    def _run_over(self, action: a.EndRun) -> None:
        self._open.discard(("run", action.run))
        self._open = {
            found
            for found in self._open
            if not (found[0] in ("reply", "tool") and found[1][0] == action.run)  # type: ignore[index]
        }

    def _talk(self, action: a.Talk) -> None:
        if isinstance(action.action, talk.CancelReply):
            self._close("reply", (action.run, action.action.generation))
