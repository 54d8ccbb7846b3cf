"""The rules can be broken: a bug planted in the reducer for each of them is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from mediacore.assistant import effects
from mediacore.call import closing, ledger
from mediacore.flow.script import QuickJs
from mediacore.runtime import (
    agent,
    commands,
    dialing,
    ending,
    flows,
    lines,
    methods,
    on_line,
    spending,
    timers,
    tools,
    voice,
)
from mediacore.runtime.actions import AnswerCommand, EndRun
from mediacore.runtime.draft import Draft
from mediacore.runtime.ports import Answer
from mediacore.runtime.state import LineState, Stage
from mediacore.simulate.runner import Simulator
from mediacore.simulate.scenarios import fetchable, scenarios
from mediacore.simulate.shrink import shrink
from mediacore.simulate.violation import Rule

Patch = pytest.MonkeyPatch
_SEEDS = 900


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(scenarios(QuickJs()), fetchable())


def find(simulator: Simulator, seeds: int = _SEEDS) -> tuple[int, Rule | None]:
    """The first seed that breaks a rule, and which."""
    for seed in range(seeds):
        violation = simulator.run(seed).violation
        if violation is not None:
            return seed, violation.rule
    return seeds, None


def nothing(*_: Any, **__: Any) -> None:
    """What should happen does not."""


def raises(patch: Patch) -> None:
    """A handler looks something up that is not there."""
    patch.setattr(methods, "line_answered", lambda d, line: d.state.ops["gone"])


def two_plays(patch: Patch) -> None:
    """The voice counts as free while somebody has it."""
    patch.setattr(voice, "speaking", lambda d, line: None)


def not_lent(patch: Patch) -> None:
    """The agent keeps its voice while an inline document plays."""

    def lend(d: Draft) -> None:
        d.set_run(stage=Stage.LENT)

    patch.setattr(agent, "lend", lend)


def never_dead(patch: Patch) -> None:
    """What comes after the end is still told."""

    def too_late(d: Draft, event: Any) -> None:
        lines.tell_state(d, next(iter(d.state.lines)))

    patch.setattr(on_line, "too_late", too_late)


def runs_left_behind(patch: Patch) -> None:
    """What works for a conversation is not cancelled."""
    emit = Draft.emit

    def forgetful(d: Draft, *actions: Any) -> None:
        emit(d, *(a for a in actions if not isinstance(a, EndRun)))

    patch.setattr(Draft, "emit", forgetful)


def outlives_its_line(patch: Patch) -> None:
    """The conversation does not hear of the end of its line."""
    patch.setattr(agent, "line_ends", nothing)


def stale_variables(patch: Patch) -> None:
    """A document writes back the variables that it read when it began."""
    patch.setattr(flows, "refresh", lambda d, flow: flow)


def writes_what_it_read(patch: Patch) -> None:
    """A tool's data replaces what others wrote in between."""
    real = effects.apply_all

    def apply_all(session: Any, actions: Any, name: str) -> Any:
        base = replace(session, global_data=dict(session.config.global_data))
        return real(base, actions, name)

    patch.setattr(tools, "apply_all", apply_all)


def no_generations(patch: Patch) -> None:
    """Results of a turn that is over are taken for the present one's."""
    patch.setattr(import_module("mediacore.call.step"), "is_stale", lambda state, event: False)


def not_silenced(patch: Patch) -> None:
    """What is over goes on sounding."""
    patch.setattr(voice, "stop", nothing)


def dial_not_aborted(patch: Patch) -> None:
    """A hang-up forgets who is being dialled."""

    def abort(d: Draft, op: Any, reason: str) -> None:
        if op.line:
            d.publish("connect", op.line, {"connect_state": "failed", "tag": ""})
        ending.finish(d, op, "error")

    patch.setattr(dialing, "abort", abort)


def two_answers(patch: Patch) -> None:
    """A command is answered twice."""
    real = commands.receive

    def receive(d: Draft, request: int, command: Any) -> None:
        real(d, request, command)
        d.emit(AnswerCommand(request, Answer("200", "OK")))

    patch.setattr(commands, "receive", receive)


def nobody_is_asked(patch: Patch) -> None:
    """Neither leases nor versions are looked at."""
    patch.setattr(commands, "_permit", nothing)


def goodbye_again(patch: Patch) -> None:
    """The limit's goodbye does not care for one that is on its way."""

    def time_up(d: Any, reason: str) -> bool:
        d.set(limit=reason, ending=None)
        return True

    patch.setattr(closing, "time_up", time_up)


def spends_freely(patch: Patch) -> None:
    """Nobody asks the budget."""
    patch.setattr(spending, "may_ask", lambda d, action: True)


def no_time_limit(patch: Patch) -> None:
    """The call's time is not watched."""
    patch.setattr(spending, "deadline_us", lambda meter: None)
    patch.setattr(spending, "limit_line", nothing)


def claims_what_was_queued(patch: Patch) -> None:
    """The ledger counts what was made, not what was played."""
    patch.setattr(ledger, "heard_samples", lambda utt, delay: utt.queued)


def no_terminal_event(patch: Patch) -> None:
    """Operations end in silence."""
    patch.setattr(ending, "_tell", nothing)


def state_goes_back(patch: Patch) -> None:
    """A line is ending after it has ended."""

    def tell_end(d: Draft, line: str) -> None:
        lines.move(d, line, LineState.ENDED)
        lines.move(d, line, LineState.ENDING)

    patch.setattr(lines, "tell_end", tell_end)


def no_line_timers(patch: Patch) -> None:
    """A line may stay for ever."""
    patch.setattr(timers, "_line_timers", lambda state, line: iter(()))


def time_stands_still(patch: Patch) -> None:
    """Deadlines pass and nothing is done."""
    patch.setattr(timers, "pass_time", nothing)


def lost_hang_up(patch: Patch) -> None:
    """The caller's hang-up is not seen, nor that the media has stopped."""
    patch.setattr(lines, "limit", nothing)
    patch.setattr(on_line, "end_line", nothing)
    patch.setattr(timers, "end_line", nothing)


_LATE = {Rule.STUCK, Rule.NO_DEADLINE, Rule.TIME_CAP}

MUTANTS: list[tuple[Callable[[Patch], None], set[Rule]]] = [
    (raises, {Rule.RAISES}),
    (two_plays, {Rule.TWO_OWNERS}),
    (not_lent, {Rule.TWO_OWNERS, Rule.STALE_AUDIO}),
    (never_dead, {Rule.ZOMBIE}),
    (runs_left_behind, {Rule.LEAK}),
    (outlives_its_line, {Rule.DEAD_LINE, Rule.LEAK}),
    (stale_variables, {Rule.LOST_UPDATE}),
    (writes_what_it_read, {Rule.LOST_UPDATE}),
    (no_generations, {Rule.STALE_AUDIO, Rule.RAISES}),
    (not_silenced, {Rule.STALE_AUDIO, Rule.TWO_OWNERS}),
    (dial_not_aborted, {Rule.PHANTOM_TRANSFER}),
    (two_answers, {Rule.ANSWERS}),
    (nobody_is_asked, {Rule.TWO_WINNERS}),
    (goodbye_again, {Rule.TWO_GOODBYES}),
    (spends_freely, {Rule.MONEY_CAP}),
    (no_time_limit, {Rule.TIME_CAP}),
    (claims_what_was_queued, {Rule.UNPLAYED_WORD}),
    (no_terminal_event, {Rule.TERMINAL}),
    (state_goes_back, {Rule.STATE_ORDER}),
    (no_line_timers, _LATE),
    (time_stands_still, _LATE),
    (lost_hang_up, _LATE),
]


@pytest.mark.parametrize(("plant", "expected"), MUTANTS, ids=[m[0].__name__ for m in MUTANTS])
def test_a_planted_bug_is_found(
    simulator: Simulator,
    monkeypatch: Patch,
    plant: Callable[[Patch], None],
    expected: set[Rule],
) -> None:
    plant(monkeypatch)
    seed, rule = find(simulator)
    assert rule in expected, f"seed {seed}: {rule}"


def test_every_rule_is_broken_by_a_mutant() -> None:
    assert set().union(*(expected for _, expected in MUTANTS)) == set(Rule)


def test_the_reducer_itself_breaks_none(simulator: Simulator) -> None:
    seed, rule = find(simulator, 2000)
    assert rule is None, f"seed {seed}"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_reducer_itself_breaks_none_in_many_runs(simulator: Simulator) -> None:
    seed, rule = find(simulator, 20_000)
    assert rule is None, f"seed {seed}"


def test_a_run_is_a_function_of_its_seed(simulator: Simulator) -> None:
    assert [simulator.run(seed) for seed in range(40)] == [simulator.run(s) for s in range(40)]


def test_a_found_bug_is_told_in_few_events(simulator: Simulator, monkeypatch: Patch) -> None:
    dial_not_aborted(monkeypatch)
    seed, rule = find(simulator)
    first = simulator.run(seed)
    shrunk = shrink(simulator, seed)
    assert shrunk is not None
    assert shrunk.outcome.violation is not None
    assert shrunk.outcome.violation.rule is rule
    assert len(shrunk.outcome.given) <= min(len(first.given), 4)
    assert any("DialLine" in line for line in shrunk.lines)


def test_a_run_without_a_violation_is_not_shrunk(simulator: Simulator) -> None:
    assert shrink(simulator, 0) is None
