"""What the cases of the exploration have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mediacore.call.inputs import TranscriptFinal
from mediacore.events import (
    LegOpened,
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
from mediacore.runtime.state import Line, RunState
from mediacore.runtime.step import begin_document, incoming, step
from mediacore.simulate.controllers import PROJECT
from mediacore.simulate.explore import Item, Pending
from mediacore.simulate.scenarios import settings

MAIN: Final = "call-1"
START_US: Final = 1_000_000
ALL: Final = frozenset({"control"})
Start = Callable[[], tuple[RunState, tuple[a.Action, ...], Pending, int]]


def begin(evaluator: Evaluator, statements: list[object] | None, pending: Pending) -> Start:
    """A call that was answered and has reached its first wait."""
    document = inline_document(statements, "case") if statements is not None else None

    def start() -> tuple[RunState, tuple[a.Action, ...], Pending, int]:
        now = START_US
        line = Line(MAIN, "phone", "inbound", "+1555", "+1666")
        state = incoming(settings(evaluator), line, now=now, wall_us=now)
        state, _ = step(state, i.CallOffered(MAIN), now)
        actions: list[a.Action] = []
        if document is not None:
            state, actions = begin_document(state, document, now)
        else:
            command = command_of("zero", "answer", {})
            state, _ = step(state, i.CommandReceived(0, command), now)
        state, more = step(state, i.LineAnswered(MAIN, 1, 8000), now)
        state, _ = step(state, i.Media(MAIN, LegOpened(1, 0, 0)), now)
        return state, (*actions, *more), pending, now

    return start


def command_of(
    who: str, method: str, params: Mapping[str, Any], version: int | None = None
) -> Command:
    """A command for the call."""
    return Command(who, PROJECT, ALL, method, MAIN, params, version)


def no_reaction(action: a.Action, pending: Pending) -> Pending:
    """Actions make nothing pending."""
    return pending


def played(line: str, number: int, generation: int) -> Pending:
    """What the core reports of an utterance."""
    started = PlayoutStarted(1, 500, 80_000, number, generation, 0)
    finished = UtteranceFinished(1, 550, 88_000, number, generation, 8000, 8000)
    return (
        Item(f"core {number}.1", i.Media(line, started), "core", lossy=False),
        Item(f"core {number}.2", i.Media(line, finished), "core", lossy=False),
    )


def caller_turn(at: int, text: str) -> tuple[i.Event, ...]:
    """The caller says something."""
    tick = at // 160
    return (
        i.Media(MAIN, SpeechStarted(1, tick, at)),
        i.Media(MAIN, SpeechEnded(1, tick + 50, at + 8000)),
        i.Heard(MAIN, TranscriptFinal(text, at + 8000, 0.9)),
    )


def caller_says(state: RunState, text: str, now: int) -> tuple[RunState, list[a.Action]]:
    """The same as steps, with what is done about it."""
    made: list[a.Action] = []
    for event in caller_turn(8000, text):
        state, actions = step(state, event, now)
        made += actions
    return state, made
