"""The five classic races, as cases for the exploration: what may come, and the rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mediacore.call.inputs import ReplyEnded, ReplyToolCall
from mediacore.events import (
    MediaLost,
)
from mediacore.flow.script import Evaluator
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.state import RunState
from mediacore.runtime.step import step
from mediacore.simulate.case_parts import (
    MAIN,
    begin,
    caller_says,
    command_of,
    no_reaction,
    played,
)
from mediacore.simulate.cases_of_voice import concurrent_agent, phantom_transfer, stale_response
from mediacore.simulate.explore import Case, Ghost, Item, Pending, Seen
from mediacore.simulate.scenarios import agent
from mediacore.simulate.violation import Rule, broken

_AFTER: Final = (a.AnswerCommand, a.EndLine, a.Log)


def cases(evaluator: Evaluator) -> tuple[Case, ...]:
    """All five."""
    return (
        zombie(evaluator),
        double_update(evaluator),
        stale_response(evaluator),
        phantom_transfer(evaluator),
        concurrent_agent(evaluator),
    )


# --------------------------------------------------------------------------------- zombie


def zombie(evaluator: Evaluator) -> Case:
    """A hang-up that is lost, doubled or late, while everything is under way."""
    statements: list[object] = [
        {"record_call": {"control_id": "all"}},
        {"tap": {"uri": "rtp://192.0.2.1:4000", "control_id": "tap"}},
        {"play": "say:hello"},
        {"request": {"url": "https://web.example/a", "timeout": 3}},
        {"sleep": -1},
    ]
    gone = i.LineGone(MAIN, "hangup")
    pending = (
        Item("gone", gone, copies=2),
        Item("media", i.Media(MAIN, MediaLost(1, 9, 900, 500))),
        Item("stop", i.HangupAsked("shutdown")),
    )

    def react(action: a.Action, waiting: Pending) -> Pending:
        match action:
            case a.StopRecording(op):
                return (*waiting, Item("stored", i.RecordingStored(op, True), copies=2))
            case a.StartFork(op):
                return (*waiting, Item("fork", i.ForkChanged(op, running=True)))
            case a.StartPlay():
                return (*waiting, *played(action.line, action.utterance, action.generation))
            case a.SendRequest(op):
                reply = i.HttpReplied(op, 200, {}, "{}")
                return (*waiting, Item("reply", reply, copies=2))
        return waiting

    return Case("zombie", begin(evaluator, statements, pending), react, _dies, frozenset(), 2)


_OPENS: Final[Mapping[type, str]] = {
    a.StartRecording: "recording",
    a.StartFork: "fork",
    a.SendRequest: "request",
    a.StartBed: "bed",
}
_CLOSES: Final[Mapping[type, str]] = {
    a.StopRecording: "recording",
    a.StopFork: "fork",
    a.CancelWork: "request",
    a.StopBed: "bed",
}


def _dies(seen: Seen, ghost: Ghost) -> Ghost:
    """Dead calls do nothing, and have closed everything."""
    assert isinstance(ghost, frozenset)
    is_open = set(ghost)
    if isinstance(seen.event, i.HttpReplied):
        is_open.discard("request")
    for action in seen.actions:
        if "over" in is_open and not isinstance(action, _AFTER):
            broken(Rule.ZOMBIE, f"{type(action).__name__} after the end")
        is_open.discard(_CLOSES.get(type(action), ""))
        if type(action) in _OPENS:
            is_open.add(_OPENS[type(action)])
        if isinstance(action, a.EndLine):
            is_open.discard("bed")
        if isinstance(action, a.CallOver):
            if is_open:
                broken(Rule.LEAK, f"left behind: {sorted(is_open)}")
            is_open.add("over")
    if seen.before.over and seen.after.lines is not seen.before.lines:
        broken(Rule.ZOMBIE, "a line moved after the end")
    return frozenset(is_open)


# -------------------------------------------------------------------------- double update


def double_update(evaluator: Evaluator) -> Case:
    """Two tools, two controllers and two documents write data at the same time."""
    statements: list[object] = [
        {"answer": {}},
        agent(),
        {"set": {"main": "1"}},
        {"play": "say:bye"},
    ]

    def start() -> tuple[RunState, tuple[a.Action, ...], Pending, int]:
        state, actions, _, now = begin(evaluator, statements, ())()
        assert state.run is not None
        run = state.run.id
        state, more = caller_says(state, "what is my balance?", now)
        asked = [x for x in more if isinstance(x, a.AskModel)]
        generation = asked[-1].generation
        for name in ("a", "b"):
            call = ReplyToolCall(generation, name, "look", "{}")
            state, _ = step(state, i.AgentResult(run, call), now)
        state, _ = step(state, i.AgentResult(run, ReplyEnded(generation)), now)
        errand = {"sections": {"main": [{"set": {"e1": "1"}}]}}
        pending = (
            _tool(run, generation, "a", {"t1": 1}),
            _tool(run, generation, "b", {"t2": 2}, {"SWML": errand}),
            _message("x", {"c1": 1}),
            _message("y", {"c2": 2}),
            Item("gone", i.LineGone(MAIN, "hangup")),
            Item("stop", i.CommandReceived(8, command_of("x", "ai.stop", {})), lossy=True),
        )
        return state, actions, pending, now

    return Case("double_update", start, no_reaction, _keeps, (), 1)


def _tool(run: int, generation: int, name: str, data: object, more: object = None) -> Item:
    actions: list[object] = [{"set_global_data": data}]
    if more is not None:
        actions.append(more)
    reply = {"response": "done", "action": actions}
    event = i.ToolReplied(run, generation, name, True, reply)
    return Item(f"tool {name}", event, copies=2)


def _message(who: str, data: object) -> Item:
    command = command_of(who, "ai_message", {"global_data": data})
    return Item(f"message {who}", i.CommandReceived(ord(who), command))


def _keeps(seen: Seen, ghost: Ghost) -> Ghost:
    """What was applied once stays applied."""
    assert isinstance(ghost, tuple)
    run = seen.after.run
    data = run.session.global_data if run is not None else seen.after.global_data
    for place, key in ghost:
        if key not in (data if place == "data" else seen.after.vars):
            broken(Rule.LOST_UPDATE, f"{key} is gone")
    now = {("data", k) for k in data} | {("vars", k) for k in seen.after.vars if k[-1].isdigit()}
    event, before = seen.event, seen.before.run
    if isinstance(event, i.ToolReplied) and before is not None:
        wanted = event.reply["action"][0]["set_global_data"]  # type: ignore[index]
        if any(job.id == event.id for job in before.jobs) and not set(wanted) <= set(data):
            broken(Rule.LOST_UPDATE, f"the data of tool {event.id} was not applied")
    return tuple(sorted(now | set(ghost)))
