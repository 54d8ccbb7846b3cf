"""One simulated call: events in the world's order through the reducer, rules after every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop
from random import Random
from types import MappingProxyType
from typing import Any, Final
from zlib import crc32

from mediacore.call.table import EVENT_TYPES as TALK_EVENTS
from mediacore.flow.document import Document
from mediacore.runtime import inputs as i
from mediacore.runtime.actions import Action
from mediacore.runtime.ports import Command
from mediacore.runtime.state import Line, RunState
from mediacore.runtime.step import begin_document, incoming, outgoing, step
from mediacore.runtime.table import EVENT_TYPES
from mediacore.runtime.timers import next_deadline
from mediacore.simulate.controllers import PROJECT, Controllers
from mediacore.simulate.invariants import Checker
from mediacore.simulate.scenarios import Scenario
from mediacore.simulate.services import Services
from mediacore.simulate.violation import Rule, Violation
from mediacore.simulate.world import WEATHERS, World

START_US: Final = 1_000_000
_WALL_US: Final = 1_700_000_000_000_000
_MAIN: Final = "call-1"
_STEPS: Final = 4000
_LATE: Final = 12  # deliveries to a call that is over
_AHEAD_US: Final = 1000
_ODDS: Final = (0, 0, 0, 1, 1, 1, 1, 2, 2, 3)  # of the weathers
_MASK: Final = (1 << 61) - 1

_CODES: Final[Mapping[type, int]] = MappingProxyType(
    {kind: crc32(kind.__name__.encode()) for kind in (*EVENT_TYPES, *TALK_EVENTS)}
)
Watch = Callable[[int, str, object, RunState, Sequence[Action]], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call. order: hash of the order of its events. violation: None when all rules held.

    given: names of the deliveries that reached the call.
    """

    scenario: str
    seed: int
    steps: int
    order: int
    virtual_ms: int
    violation: Violation | None = None
    given: tuple[str, ...] = field(default=(), repr=False)


class Simulator:
    """Runs calls of a list of scenarios; `run` is a function of the seed alone."""

    __slots__ = ("_fetchable", "scenarios")

    def __init__(self, scenarios: Sequence[Scenario], fetchable: Sequence[Document]) -> None:
        self.scenarios = tuple(scenarios)
        self._fetchable = tuple(fetchable)

    def run(
        self, seed: int, keep: frozenset[str] | None = None, watch: Watch | None = None
    ) -> Outcome:
        """One call. keep: all other deliveries are lost. watch: sees every step."""
        scenario = self.scenarios[seed % len(self.scenarios)]
        return _Call(scenario, self._fetchable, seed, keep, watch).play()


class _Call:
    __slots__ = (
        "_checker",
        "_given",
        "_keep",
        "_late",
        "_order",
        "_scenario",
        "_seed",
        "_services",
        "_state",
        "_steps",
        "_tick_us",
        "_watch",
        "_world",
    )

    def __init__(
        self,
        scenario: Scenario,
        fetchable: Sequence[Document],
        seed: int,
        keep: frozenset[str] | None,
        watch: Watch | None,
    ) -> None:
        dice = Random(seed)
        self._scenario = scenario
        self._seed = seed
        self._keep = keep
        self._watch = watch
        self._given: list[str] = []
        self._late = 0
        self._order = 0
        self._steps = 0
        self._tick_us = 0
        settings = scenario.settings
        if scenario.outbound:
            state = outgoing(settings, _MAIN, now=START_US, wall_us=_WALL_US)
        else:
            line = Line(_MAIN, "phone", "inbound", "+1555", "+1666")
            state = incoming(settings, line, now=START_US, wall_us=_WALL_US)
        self._state = state
        self._world = World(seed, WEATHERS[dice.choice(_ODDS)], state)
        self._world.now = START_US
        self._services = Services(self._world, fetchable, scenario.talkative)
        self._checker = Checker(state, self._services.legs)

    def play(self) -> Outcome:
        """The whole call."""
        found: Violation | None = None
        try:
            self._begin()
            self._run()
        except Violation as violation:
            found = violation
        return Outcome(
            self._scenario.name,
            self._seed,
            self._steps,
            self._order,
            (self._world.now - START_US) // 1000,
            found,
            tuple(self._given),
        )

    def _begin(self) -> None:
        scenario, world = self._scenario, self._world
        dice = world.dice["outside"]
        controllers = Controllers(world, dice.randrange(scenario.commands + 1), scenario.within_s)
        if scenario.outbound:
            target = {"type": "phone", "params": {"to_number": "+1901", "timeout": 5}}
            params = {"tag": "t", "devices": [[target, target], [target]]}
            command = Command("anna", PROJECT, frozenset({"dial", "control"}), "dial", "", params)
            self._take("", i.CommandReceived(0, command))
        else:
            self._take("", i.CallOffered(_MAIN))
            if scenario.document is not None:
                state, actions = begin_document(self._state, scenario.document, world.now)
                self._taken("", None, state, actions)
            else:
                controllers.order("answer", {}, world.delay("controller", 1, 2000))
        if dice.random() < 0.05:
            world.give("outside", i.HangupAsked("shutdown"), world.delay("outside", 0, 30_000))
        if dice.random() < 0.04 and not scenario.outbound:  # gone before anybody answers
            world.give("gateway", i.LineGone(_MAIN, "cancel"), world.delay("outside", 0, 900))

    def _run(self) -> None:
        world, queue = self._world, self._world.queue
        most_us = START_US + (self._scenario.settings.max_call_ms + 760_000) * 1000
        while queue:
            at_us, _, _, name, what = heappop(queue)
            world.now = max(world.now, at_us)
            if not name:
                what()  # type: ignore[operator]
                continue
            if self._state.over:
                if name == "tick":
                    continue
                self._late += 1
                if self._late > _LATE:
                    return
            elif at_us > most_us or self._steps > _STEPS:
                self._checker.stuck(self._state)
            if name == "tick":
                if at_us != self._tick_us:
                    continue  # a later one was set
            elif self._keep is not None and name not in self._keep:
                continue
            self._take(name, what)
        if not self._state.over and (self._state.lines or self._state.ops):
            self._checker.stuck(self._state)

    def _take(self, name: str, event: Any) -> None:
        try:
            state, actions = step(self._state, event, self._world.now)
        except Violation:
            raise
        except Exception as error:
            raise Violation(Rule.RAISES, f"{type(error).__name__}: {error}") from error
        self._taken(name, event, state, actions)

    def _taken(self, name: str, event: Any, state: RunState, actions: list[Action]) -> None:
        world = self._world
        self._steps += 1
        self._state = world.state = state
        if name and name != "tick":
            self._given.append(name)
        self._order = (self._order * 1_000_003 ^ _CODES.get(_kind(event), 1)) & _MASK
        if self._watch is not None:
            self._watch(world.now, name, event, state, actions)
        self._services.execute(actions)
        self._checker.step(event, state, actions, world.now)
        deadline_us = next_deadline(state)
        self._checker.deadline(state, deadline_us, world.now)
        if deadline_us is not None and deadline_us != self._tick_us:
            self._tick_us = deadline_us
            world.tick(deadline_us, i.Tick())


def _kind(event: object) -> type:
    """What an event is, looking into those that carry another one."""
    match event:
        case i.Media():
            return type(event.event)
        case i.Heard() | i.AgentResult():
            return type(event.result)
    return type(event)
