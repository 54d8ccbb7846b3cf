"""The five classic races, as cases for the exploration: what may come, and the rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mediacore.call import actions as talk
from mediacore.call.inputs import ReplyEnded, ReplyText, ReplyToolCall, TranscriptFinal
from mediacore.call.state import next_generation_after_cut
from mediacore.events import (
    CutCause,
    LegOpened,
    MediaLost,
    PlayoutCut,
    PlayoutStarted,
    SpeechEnded,
    SpeechStarted,
    UtteranceFinished,
)
from mediacore.flow.script import Evaluator
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.documents import inline_document
from mediacore.runtime.ports import Command
from mediacore.runtime.state import DialData, Line, RunState
from mediacore.runtime.step import begin_document, incoming, step
from mediacore.simulate.controllers import PROJECT
from mediacore.simulate.explore import Case, Ghost, Item, Pending, Seen
from mediacore.simulate.scenarios import agent, settings
from mediacore.simulate.violation import Rule, broken

_MAIN: Final = "call-1"
_START_US: Final = 1_000_000
_TAG: Final = re.compile(r"g(\d+)")
_ALL: Final = frozenset({"control"})
_AFTER: Final = (a.AnswerCommand, a.EndLine, a.Log)
Start = Callable[[], tuple[RunState, tuple[a.Action, ...], Pending, int]]


def cases(evaluator: Evaluator) -> tuple[Case, ...]:
    """All five."""
    return (
        zombie(evaluator),
        double_update(evaluator),
        stale_response(evaluator),
        phantom_transfer(evaluator),
        concurrent_agent(evaluator),
    )


def _begin(evaluator: Evaluator, statements: list[object] | None, pending: Pending) -> Start:
    """A call that was answered and has reached its first wait."""
    document = inline_document(statements, "case") if statements is not None else None

    def start() -> tuple[RunState, tuple[a.Action, ...], Pending, int]:
        now = _START_US
        line = Line(_MAIN, "phone", "inbound", "+1555", "+1666")
        state = incoming(settings(evaluator), line, now=now, wall_us=now)
        state, _ = step(state, i.CallOffered(_MAIN), now)
        actions: list[a.Action] = []
        if document is not None:
            state, actions = begin_document(state, document, now)
        else:
            command = _command("zero", "answer", {})
            state, _ = step(state, i.CommandReceived(0, command), now)
        state, more = step(state, i.LineAnswered(_MAIN, 1, 8000), now)
        state, _ = step(state, i.Media(_MAIN, LegOpened(1, 0, 0)), now)
        return state, (*actions, *more), pending, now

    return start


def _command(
    who: str, method: str, params: Mapping[str, Any], version: int | None = None
) -> Command:
    return Command(who, PROJECT, _ALL, method, _MAIN, params, version)


def _no_reaction(action: a.Action, pending: Pending) -> Pending:
    return pending


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
    gone = i.LineGone(_MAIN, "hangup")
    pending = (
        Item("gone", gone, copies=2),
        Item("media", i.Media(_MAIN, MediaLost(1, 9, 900, 500))),
        Item("stop", i.HangupAsked("shutdown")),
    )

    def react(action: a.Action, waiting: Pending) -> Pending:
        match action:
            case a.StopRecording(op):
                return (*waiting, Item("stored", i.RecordingStored(op, True), copies=2))
            case a.StartFork(op):
                return (*waiting, Item("fork", i.ForkChanged(op, running=True)))
            case a.StartPlay():
                return (*waiting, *_played(action.line, action.utterance, action.generation))
            case a.SendRequest(op):
                reply = i.HttpReplied(op, 200, {}, "{}")
                return (*waiting, Item("reply", reply, copies=2))
        return waiting

    return Case("zombie", _begin(evaluator, statements, pending), react, _dies, frozenset(), 2)


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
        state, actions, _, now = _begin(evaluator, statements, ())()
        assert state.run is not None
        run = state.run.id
        state, more = _caller_says(state, "what is my balance?", now)
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
            Item("gone", i.LineGone(_MAIN, "hangup")),
            Item("stop", i.CommandReceived(8, _command("x", "ai.stop", {})), lossy=True),
        )
        return state, actions, pending, now

    return Case("double_update", start, _no_reaction, _keeps, (), 1)


def _tool(run: int, generation: int, name: str, data: object, more: object = None) -> Item:
    actions: list[object] = [{"set_global_data": data}]
    if more is not None:
        actions.append(more)
    reply = {"response": "done", "action": actions}
    event = i.ToolReplied(run, generation, name, True, reply)
    return Item(f"tool {name}", event, copies=2)


def _message(who: str, data: object) -> Item:
    command = _command(who, "ai_message", {"global_data": data})
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


# ------------------------------------------------------------------------- stale response


def stale_response(evaluator: Evaluator) -> Case:
    """The caller interrupts and asks again; every reply may come at any time."""
    statements: list[object] = [{"answer": {}}, agent()]
    said = (("balance", "what is my balance?"), ("stop", "no stop, wait please."))

    def start() -> tuple[RunState, tuple[a.Action, ...], Pending, int]:
        state, actions, _, now = _begin(evaluator, statements, ())()
        pending: list[Item] = []
        for number, (name, text) in enumerate(said):
            at = 8000 * (number * 4 + 1)
            lane, events = "caller", _turn(at, text)
            pending += [
                Item(f"caller {number}{n} {name}", event, lane, lossy=n == 2)
                for n, event in enumerate(events)
            ]
        return state, actions, tuple(pending), now

    return Case("stale_response", start, _model_and_core, _fresh, (), 1)


def _turn(at: int, text: str) -> tuple[i.Event, ...]:
    tick = at // 160
    return (
        i.Media(_MAIN, SpeechStarted(1, tick, at)),
        i.Media(_MAIN, SpeechEnded(1, tick + 50, at + 8000)),
        i.Heard(_MAIN, TranscriptFinal(text, at + 8000, 0.9)),
    )


def _caller_says(state: RunState, text: str, now: int) -> tuple[RunState, list[a.Action]]:
    made: list[a.Action] = []
    for event in _turn(8000, text):
        state, actions = step(state, event, now)
        made += actions
    return state, made


def _model_and_core(action: a.Action, pending: Pending) -> Pending:
    match action:
        case a.AskModel(run=run, generation=generation):
            lane = f"model {generation}"
            text = ReplyText(generation, f"answer g{generation} is this.")
            return (
                *pending,
                Item(f"{lane}.1", i.AgentResult(run, text), lane, lossy=False),
                Item(f"{lane}.2", i.AgentResult(run, ReplyEnded(generation)), lane, lossy=False),
            )
        case a.Talk(line=line, action=talk.Speak(utterance=number, generation=generation)):
            return (*pending, *_played(line, number, generation))
        case a.Talk(line=line, action=talk.CutPlayout(generation=generation)):
            kept = tuple(item for item in pending if not _is_cut(item, generation))
            cut = next((item for item in pending if _is_cut(item, generation)), None)
            number = cut.event.event.utterance if cut is not None else 0  # type: ignore[union-attr]
            after = next_generation_after_cut(generation)
            event = PlayoutCut(
                1, 600, 96_000, number, generation, 100, after, 0, CutCause.COMMAND, 100
            )
            return (*kept, Item(f"cut {generation}", i.Media(line, event), "core"))
    return pending


def _played(line: str, number: int, generation: int) -> Pending:
    started = PlayoutStarted(1, 500, 80_000, number, generation, 0)
    finished = UtteranceFinished(1, 550, 88_000, number, generation, 8000, 8000)
    return (
        Item(f"core {number}.1", i.Media(line, started), "core", lossy=False),
        Item(f"core {number}.2", i.Media(line, finished), "core", lossy=False),
    )


def _is_cut(item: Item, generation: int) -> bool:
    event = getattr(item.event, "event", None)
    return isinstance(event, PlayoutStarted | UtteranceFinished) and event.generation <= generation


def _fresh(seen: Seen, ghost: Ghost) -> Ghost:
    """What is said was answered to the turn that is open."""
    for action in seen.actions:
        if isinstance(action, a.Talk) and isinstance(action.action, talk.Speak):
            speak = action.action
            for generation in _TAG.findall(speak.text):
                if int(generation) != speak.generation:
                    broken(
                        Rule.STALE_AUDIO,
                        f"turn {speak.generation} says the answer to turn {generation}",
                    )
    return ghost


# ----------------------------------------------------------------------- phantom transfer


def phantom_transfer(evaluator: Evaluator) -> Case:
    """A transfer to two parties, then a third, while the caller may hang up at any moment."""
    confirm = [{"sleep": 500}]
    statements: list[object] = [
        {"answer": {}},
        {
            "connect": {
                "serial_parallel": [[{"to": "+1701"}, {"to": "+1702"}], [{"to": "+1703"}]],
                "timeout": 5,
                "confirm": confirm,
                "confirm_timeout": 3,
            }
        },
        {"sleep": 1000},
    ]
    pending = (
        Item("gone", i.LineGone(_MAIN, "hangup"), copies=2),
        Item("part", i.CommandReceived(7, _command("x", "disconnect", {}))),
    )

    def react(action: a.Action, waiting: Pending) -> Pending:
        if not isinstance(action, a.DialLine):
            return waiting
        line, lane = action.line, f"line {action.line}"
        handle = int(line.rpartition("-")[2]) + 10
        return (
            *waiting,
            Item(f"{lane} up", i.LineAnswered(line, handle, 8000)),
            Item(f"{lane} gone", i.LineGone(line, "busy"), lossy=False),
        )

    return Case(
        "phantom_transfer",
        _begin(evaluator, statements, pending),
        react,
        _nobody_alone,
        frozenset(),
        2,
    )


def _nobody_alone(seen: Seen, ghost: Ghost) -> Ghost:
    """No dialled line without a dial or a peer, and none that outlives the caller."""
    assert isinstance(ghost, frozenset)
    ended = set(ghost)
    for action in seen.actions:
        if isinstance(action, a.EndLine):
            ended.add(action.line)
        elif isinstance(action, a.JoinLines) and ended & {action.a, action.b}:
            broken(Rule.PHANTOM_TRANSFER, "joined with a line that is over")
    state = seen.after
    main = state.lines[_MAIN]
    wanted: set[str] = set()
    for op in state.ops.values():
        if isinstance(op.data, DialData):
            wanted |= {*op.data.open, op.data.winner}
    for line in state.lines.values():
        if line.id == _MAIN or line.over:
            continue
        if main.over:
            broken(Rule.PHANTOM_TRANSFER, f"{line.id} outlives the caller")
        if line.id not in wanted and not line.peer:
            broken(Rule.PHANTOM_TRANSFER, f"{line.id} is left with nobody")
        if line.peer and state.lines[line.peer].peer != line.id:
            broken(Rule.TWO_OWNERS, f"{line.id} hears {line.peer} alone")
    return frozenset(ended)


# ----------------------------------------------------------------------- concurrent agent


def concurrent_agent(evaluator: Evaluator) -> Case:
    """Three controllers want the same call: versions, a lease, and what excludes each other."""

    def start() -> tuple[RunState, tuple[a.Action, ...], Pending, int]:
        state, actions, _, now = _begin(evaluator, None, ())()
        seen = state.version
        phone = {"type": "phone", "params": {"to_number": "+1888", "timeout": 3}}
        take = {"devices": [[phone]]}
        prompt = {"prompt": {"text": "help"}}
        document = {"dest": {"sections": {"main": [{"sleep": 100}, {"hangup": {}}]}}}
        wanted: tuple[tuple[str, str, Mapping[str, Any], int | None], ...] = (
            ("anna", "connect", take, seen),
            ("ben", "ai", {"control_id": "b", **prompt}, seen),
            ("cleo", "transfer", document, seen),
            ("ben", "lease", {"ttl": 2, "take_over": True}, None),
            ("anna", "end", {}, None),
            ("cleo", "ai", {"control_id": "c", **prompt}, None),
        )
        pending = tuple(
            Item(f"command {n}", i.CommandReceived(n + 10, _command(*rest)))
            for n, rest in enumerate(wanted)
        )
        gone = Item("ben gone", i.ControllerGone("ben"))
        return state, actions, (*pending, gone), now

    return Case("concurrent_agent", start, _dialled, _one_winner, (), 1)


def _dialled(action: a.Action, pending: Pending) -> Pending:
    if isinstance(action, a.DialLine):
        up = i.LineAnswered(action.line, 20, 8000)
        return (*pending, Item(f"up {action.line}", up))
    return pending


def _one_winner(seen: Seen, ghost: Ghost) -> Ghost:
    """Every command has one answer; of those that saw one version, one is carried out."""
    assert isinstance(ghost, tuple)
    answers = [x for x in seen.actions if isinstance(x, a.AnswerCommand)]
    if not isinstance(seen.event, i.CommandReceived):
        if answers:
            broken(Rule.ANSWERS, "an answer without a question")
        return ghost
    if [x.request for x in answers] != [seen.event.request]:
        broken(Rule.ANSWERS, f"{len(answers)} answers")
    if answers[0].answer.code != "200":
        return ghost
    command, lease = seen.event.command, seen.before.lease
    if lease is not None and lease.holder != command.issuer and lease.until_us > seen.now:
        broken(Rule.TWO_WINNERS, f"{command.issuer} won against {lease.holder}'s lease")
    if command.version is None:
        return ghost
    if command.version in ghost:
        broken(Rule.TWO_WINNERS, f"two winners at version {command.version}")
    return (*ghost, command.version)
