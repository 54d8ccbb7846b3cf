"""Every order of a few events of the five classic races, and the same with a planted bug."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from mediacore.assistant import effects
from mediacore.flow.script import QuickJs
from mediacore.runtime import commands, dialing, ending, flows, on_line, timers, tools
from mediacore.runtime.actions import CallOver, StopFork
from mediacore.runtime.draft import Draft
from mediacore.simulate.cases import cases
from mediacore.simulate.explore import Case, Frozen, Item, explore
from mediacore.simulate.violation import Rule

Patch = pytest.MonkeyPatch
ALL = {case.name: case for case in cases(QuickJs())}
STATES = {
    "zombie": 5_000,
    "double_update": 1_000,
    "stale_response": 3_000,
    "phantom_transfer": 5_000,
    "concurrent_agent": 1_000,
}


@pytest.mark.parametrize("name", ALL)
def test_no_order_of_events_breaks_the_rule(name: str) -> None:
    found = explore(ALL[name])
    assert found.violation is None, found.trail
    assert found.complete
    assert found.states > STATES[name]
    assert found.transitions > found.states
    assert found.paths is not None
    assert found.paths > 500_000


def nothing(*_: Any, **__: Any) -> None:
    """What should happen does not."""


def late_events_are_told(patch: Patch) -> None:
    patch.setattr(on_line, "too_late", lambda d, event: d.emit(CallOver("again")))


def a_tap_is_left(patch: Patch) -> None:
    emit = Draft.emit

    def forgetful(d: Draft, *actions: Any) -> None:
        emit(d, *(a for a in actions if not isinstance(a, StopFork)))

    patch.setattr(Draft, "emit", forgetful)


def no_media_deadline(patch: Patch) -> None:
    patch.setattr(timers, "_line_timers", lambda state, line: iter(()))


def old_variables(patch: Patch) -> None:
    patch.setattr(flows, "refresh", lambda d, flow: flow)


def old_data(patch: Patch) -> None:
    real = effects.apply_all

    def apply_all(session: Any, actions: Any, name: str) -> Any:
        return real(replace(session, global_data={}), actions, name)

    patch.setattr(tools, "apply_all", apply_all)


def no_generations(patch: Patch) -> None:
    patch.setattr(import_module("mediacore.call.step"), "is_stale", lambda state, event: False)


def not_aborted(patch: Patch) -> None:
    patch.setattr(dialing, "abort", lambda d, op, reason: ending.finish(d, op, "error"))


def nobody_asked(patch: Patch) -> None:
    patch.setattr(commands, "_permit", nothing)


MUTANTS: list[tuple[str, Callable[[Patch], None], set[Rule]]] = [
    ("zombie", late_events_are_told, {Rule.ZOMBIE}),
    ("zombie", a_tap_is_left, {Rule.LEAK}),
    ("zombie", no_media_deadline, {Rule.NO_DEADLINE}),
    ("double_update", old_data, {Rule.LOST_UPDATE}),
    ("double_update", old_variables, {Rule.LOST_UPDATE}),
    ("stale_response", no_generations, {Rule.STALE_AUDIO, Rule.RAISES}),
    ("phantom_transfer", not_aborted, {Rule.PHANTOM_TRANSFER}),
    ("concurrent_agent", nobody_asked, {Rule.TWO_WINNERS}),
]


@pytest.mark.parametrize(
    ("name", "plant", "expected"), MUTANTS, ids=[f"{m[0]}-{m[1].__name__}" for m in MUTANTS]
)
def test_a_planted_bug_is_found(
    monkeypatch: Patch, name: str, plant: Callable[[Patch], None], expected: set[Rule]
) -> None:
    plant(monkeypatch)
    found = explore(ALL[name])
    assert found.violation is not None
    assert found.violation.rule in expected, found.violation
    assert len(found.trail) < 16


def test_a_bound_is_kept_and_said() -> None:
    found = explore(ALL["concurrent_agent"], most_states=50)
    assert found.states == 50
    assert not found.complete


def test_equal_states_are_equal_and_others_are_not() -> None:
    case: Case = ALL["concurrent_agent"]
    state, _, pending, _ = case.start()
    frozen = Frozen()
    assert frozen.of(state) == frozen.of(replace(state, refused={"x": 1}))
    assert frozen.of(state) != frozen.of(replace(state, vars={"x": 1}))
    assert frozen.of({"b": [1, 2]}) == frozen.of({"b": (1, 2)})
    assert isinstance(pending[0], Item)
