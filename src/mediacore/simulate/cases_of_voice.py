"""The races about who is heard and who has the call: what may come, and the rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mediacore.call import actions as talk
from mediacore.call.inputs import ReplyEnded, ReplyText
from mediacore.call.state import next_generation_after_cut
from mediacore.events import (
    CutCause,
    PlayoutCut,
    PlayoutStarted,
    UtteranceFinished,
)
from mediacore.flow.script import Evaluator
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.state import DialData, RunState
from mediacore.simulate.case_parts import (
    MAIN,
    begin,
    caller_turn,
    command_of,
    played,
)
from mediacore.simulate.explore import Case, Ghost, Item, Pending, Seen
from mediacore.simulate.scenarios import agent
from mediacore.simulate.violation import Rule, broken

_TAG: Final = re.compile(r"g(\d+)")


# ------------------------------------------------------------------------- stale response


def stale_response(evaluator: Evaluator) -> Case:
    """The caller interrupts and asks again; every reply may come at any time."""
    statements: list[object] = [{"answer": {}}, agent()]
    said = (("balance", "what is my balance?"), ("stop", "no stop, wait please."))

    def start() -> tuple[RunState, tuple[a.Action, ...], Pending, int]:
        state, actions, _, now = begin(evaluator, statements, ())()
        pending: list[Item] = []
        for number, (name, text) in enumerate(said):
            at = 8000 * (number * 4 + 1)
            lane, events = "caller", caller_turn(at, text)
            pending += [
                Item(f"caller {number}{n} {name}", event, lane, lossy=False)
                for n, event in enumerate(events)
            ]
        return state, actions, tuple(pending), now

    return Case("stale_response", start, _model_and_core, _fresh, (), 1)


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
            return (*pending, *played(line, number, generation))
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
        Item("gone", i.LineGone(MAIN, "hangup"), copies=2),
        Item("part", i.CommandReceived(7, command_of("x", "disconnect", {}))),
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
        begin(evaluator, statements, pending),
        react,
        _nobody_alone,
        frozenset(),
        1,
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
    main = state.lines[MAIN]
    wanted: set[str] = set()
    for op in state.ops.values():
        if isinstance(op.data, DialData):
            wanted |= {*op.data.open, op.data.winner}
    for line in state.lines.values():
        if line.id == MAIN or line.over:
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
        state, actions, _, now = begin(evaluator, None, ())()
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
            Item(f"command {n}", i.CommandReceived(n + 10, command_of(*rest)))
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
