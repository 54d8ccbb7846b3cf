"""All orders of a few events, on the shipped reducer: breadth first, equal states merged.

Where the simulator draws lots, this takes every branch: each pending delivery may come next, come
twice or be lost, and time may pass to the next deadline. Two states are the same when nothing that
a decision depends on differs; counters and texts of the log do not count. Orders are counted over
the merged graph, so their number is exact for graphs without a cycle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any, Final

from mediacore.flow.document import Document
from mediacore.flow.statement import Statement
from mediacore.runtime import inputs as i
from mediacore.runtime.actions import Action
from mediacore.runtime.settings import RunSettings
from mediacore.runtime.state import RunState
from mediacore.runtime.step import step
from mediacore.runtime.timers import next_deadline
from mediacore.simulate.shrink import told
from mediacore.simulate.violation import Rule, Violation

_SKIPPED: Final = frozenset({"refused", "serial", "clock", "counts", "wall_us", "seen_us", "turns"})
_BY_IDENTITY: Final = (Document, Statement, RunSettings)
_PLAIN: Final = frozenset({int, str, bool, float, type(None)})


@dataclass(frozen=True, slots=True)
class Item:
    """A pending delivery. name: sorts within a lane in the order of delivery. lane: what shares it
    stays in order. lossy: it may never come. copies: how often it may come."""

    name: str
    event: i.Event
    lane: str = ""
    lossy: bool = True
    copies: int = 1


Pending = tuple[Item, ...]
Ghost = Hashable
React = Callable[[Action, Pending], Pending]
Judge = Callable[["Seen", Ghost], Ghost]


@dataclass(frozen=True, slots=True)
class Seen:
    """One transition. event: None for the beginning."""

    before: RunState
    event: i.Event | None
    after: RunState
    actions: tuple[Action, ...]
    now: int


@dataclass(frozen=True, slots=True)
class Case:
    """What is explored. start: state, its first actions, pending deliveries, now. react: what an
    action makes pending. judge: the rule; carries what it must remember in a hashable value, which
    becomes part of the state. ticks: how often time may pass on a path."""

    name: str
    start: Callable[[], tuple[RunState, tuple[Action, ...], Pending, int]]
    react: React
    judge: Judge
    ghost: Ghost = ()
    ticks: int = 3


@dataclass(frozen=True, slots=True)
class Explored:
    """states, transitions: of the merged graph. paths: orders of events, None when the graph has
    a cycle. complete: nothing was left when the bound was reached. trail: to the violation."""

    case: str
    states: int
    transitions: int
    paths: int | None
    complete: bool
    violation: Violation | None = None
    trail: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class _Node:
    state: RunState
    pending: Pending
    ghost: Ghost
    now: int
    ticks: int


def explore(case: Case, most_states: int = 100_000) -> Explored:
    """Look at everything that can happen in a case."""
    state, actions, pending, now = case.start()
    try:
        ghost = case.judge(Seen(state, None, state, actions, now), case.ghost)
    except Violation as violation:
        return Explored(case.name, 1, 0, None, True, violation)
    for action in actions:
        pending = case.react(action, pending)
    first = _Node(state, pending, ghost, now, case.ticks)
    frozen = Frozen()
    keys: dict[Hashable, int] = {frozen.key(first): 0}
    came: list[tuple[int, str]] = [(-1, "")]
    edges: list[list[int]] = [[]]
    queue = deque([(0, first)])
    transitions = 0
    complete = True
    while queue:
        number, node = queue.popleft()
        for label, event, rest in _choices(node):
            transitions += 1
            try:
                after = _taken(case, node, event, rest)
            except Violation as violation:
                trail = (*_trail(came, number), label)
                return Explored(case.name, len(keys), transitions, None, False, violation, trail)
            key = frozen.key(after)
            known = keys.get(key)
            if known is None:
                if len(keys) >= most_states:
                    complete = False
                    continue
                known = keys[key] = len(keys)
                came.append((number, label))
                edges.append([])
                queue.append((known, after))
            edges[number].append(known)
    return Explored(case.name, len(keys), transitions, _paths(edges), complete)


def _choices(node: _Node) -> list[tuple[str, i.Event | None, Pending]]:
    found: list[tuple[str, i.Event | None, Pending]] = []
    lanes: set[str] = set()
    for item in node.pending:
        if item.lane and item.lane in lanes:
            continue
        lanes.add(item.lane)
        rest = tuple(other for other in node.pending if other is not item)
        again = rest
        if item.copies > 1:
            less = Item(item.name, item.event, item.lane, item.lossy, item.copies - 1)
            again = _sorted((*rest, less))
        found.append((told(item.event), item.event, again))
        if item.lossy:
            found.append((f"lost: {told(item.event)}", None, rest))
    if node.ticks and not node.state.over and next_deadline(node.state) is not None:
        found.append(("time passes", i.Tick(), node.pending))
    return found


def _taken(case: Case, node: _Node, event: i.Event | None, rest: Pending) -> _Node:
    now, ticks = node.now, node.ticks
    if event is None:
        return _Node(node.state, rest, node.ghost, now, ticks)
    if isinstance(event, i.Tick):
        now, ticks = max(next_deadline(node.state) or now, now), ticks - 1
    try:
        state, made = step(node.state, event, now)
    except Exception as error:
        raise Violation(Rule.RAISES, f"{type(error).__name__}: {error}") from error
    actions = tuple(made)
    ghost = case.judge(Seen(node.state, event, state, actions, now), node.ghost)
    due = next_deadline(state)
    if not state.over and (due is None or due <= now) and (state.lines or state.ops):
        raise Violation(Rule.NO_DEADLINE, "waits without a deadline in the future")
    for action in actions:
        rest = case.react(action, rest)
    return _Node(state, _sorted(rest), ghost, now, ticks)


def _sorted(pending: Pending) -> Pending:
    return tuple(sorted(pending, key=lambda item: item.name))


def _trail(came: list[tuple[int, str]], number: int) -> tuple[str, ...]:
    labels: list[str] = []
    while number > 0:
        number, label = came[number]
        labels.append(label)
    return tuple(reversed(labels))


def _paths(edges: list[list[int]]) -> int | None:
    """Ways from the first node to those without an exit."""
    waiting = [0] * len(edges)
    for targets in edges:
        for target in targets:
            waiting[target] += 1
    ways = [0] * len(edges)
    ways[0] = 1
    ready = deque(n for n, count in enumerate(waiting) if count == 0)
    done = total = 0
    while ready:
        number = ready.popleft()
        done += 1
        if not edges[number]:
            total += ways[number]
        for target in edges[number]:
            ways[target] += ways[number]
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return total if done == len(edges) else None


# ------------------------------------------------------------------------ equal or not


class Frozen:
    """Makes values comparable and hashable. Keeps what it knows of classes and shared values."""

    __slots__ = ("_kept", "_names", "_seen")

    def __init__(self) -> None:
        self._names: dict[type, tuple[str, ...]] = {
            RunState: tuple(f.name for f in fields(RunState) if f.name not in _SKIPPED)
        }
        self._seen: dict[int, Hashable] = {}
        self._kept: list[object] = []

    def key(self, node: _Node) -> Hashable:
        """What makes a node the same as another."""
        pending = tuple([(item.name, item.copies) for item in node.pending])
        return self.of(node.state), pending, node.ghost, node.now, node.ticks

    def of(self, value: Any) -> Hashable:
        """A value as something that can be compared and hashed."""
        kind = type(value)
        if kind in _PLAIN:
            return value  # type: ignore[no-any-return]
        names = self._names.get(kind)
        if names is None:
            if isinstance(value, list | tuple):
                return tuple([self.of(v) for v in value])
            if isinstance(value, Mapping):
                return tuple(sorted([(str(k), self.of(v)) for k, v in value.items()]))
            if isinstance(value, Enum | frozenset):
                return value
            if isinstance(value, _BY_IDENTITY) or not is_dataclass(value):
                return id(value)
            names = tuple(f.name for f in fields(value) if f.name not in _SKIPPED)
            self._names[kind] = names
        known = self._seen.get(id(value))
        if known is None:  # values are frozen and shared between states: look at each once
            known = (kind.__name__, *[self.of(getattr(value, n)) for n in names])
            self._seen[id(value)] = known
            self._kept.append(value)
        return known
