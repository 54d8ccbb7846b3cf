"""The reducer of the call: one event in, the new state and all actions out.

      event ─► is it stale? ─► TRANSITIONS[event] ─► settle: time, waiting flows, free voices,
                                                     ends ─► state, actions

`settle` draws the consequences in a fixed order until nothing changes any more, so that what one
event leads to is complete before the next one is looked at.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mediacore.flow.document import Document
from mediacore.policy.budget import open_meter
from mediacore.runtime import (
    agent,
    conversing,
    ending,
    flows,
    methods,
    on_line,
    ordering,
    talking,
    timers,
    tools,
    voice,
)
from mediacore.runtime.actions import Action
from mediacore.runtime.draft import Draft
from mediacore.runtime.hangup import end_line
from mediacore.runtime.inputs import Event
from mediacore.runtime.settings import RunSettings
from mediacore.runtime.state import DialData, DialStage, Line, RunState
from mediacore.runtime.table import TRANSITIONS
from mediacore.runtime.yielding import drop_flows

_ROUNDS: Final = 64


def incoming(settings: RunSettings, line: Line, *, now: int, wall_us: int) -> RunState:
    """The state of a call that rings in. wall_us: UTC in µs."""
    state = _new(settings, line.id, now, wall_us)
    line = replace(line, created_us=now)
    return replace(state, lines={line.id: line}, main=line.id, told=True)


def outgoing(settings: RunSettings, call_id: str, *, now: int, wall_us: int) -> RunState:
    """The state of a call that a `dial` command will make."""
    return _new(settings, call_id, now, wall_us)


def _new(settings: RunSettings, call_id: str, now: int, wall_us: int) -> RunState:
    granted = 0 if settings.money.day_cap_micros > 0 else None
    meter = open_meter(settings.budget, now, granted=granted)
    return RunState(settings, call_id, meter=meter, started_us=now, wall_us=wall_us - now)


def begin_document(state: RunState, document: Document, now: int) -> tuple[RunState, list[Action]]:
    """The call belongs to a document from now on."""
    d = Draft(state, now)
    flow = flows.begin(d, document, state.main, flows.MAIN)
    methods.drive(d, flow.id)
    settle(d)
    return d.state, d.actions


def step(state: RunState, event: Event, now: int) -> tuple[RunState, list[Action]]:
    """Take one event. now: monotonic µs, not going back. No I/O, no clock, never raises."""
    d = Draft(state, now)
    if state.over:
        on_line.too_late(d, event)
        return d.state, d.actions
    TRANSITIONS[type(event)](d, event)
    settle(d)
    return d.state, d.actions


def settle(d: Draft) -> None:
    """Draw all consequences of what has changed."""
    timers.pass_time(d)
    for _ in range(_ROUNDS):
        if not _once(d):
            break
    else:
        d.refuse("endless_settling")
        if d.state.main:
            end_line(d, d.state.main, "error")
    ending.tell_line_ends(d)
    ending.settle(d)


def _once(d: Draft) -> bool:
    """One consequence. False when there is none."""
    run = d.state.run
    if run is not None and d.line(run.line).over:  # its line was dropped by a dial
        agent.line_ends(d, run.line, d.line(run.line).end_reason)
        return True
    if d.decisions:
        conversing.carry_out(d, *d.decisions.pop(0))
        return True
    if d.leaving:
        end_line(d, *d.leaving.pop(0))
        return True
    if d.hang_up is not None:  # before the document, which would go on behind the agent
        line, reason = d.hang_up
        d.hang_up = None
        end_line(d, line, reason)
        return True
    if d.follow is not None:
        line, document = d.follow
        d.follow = None
        _follow(d, line, document)
        return True
    if d.finished:
        op, state, outcome = d.finished.pop(0)
        methods.finished(d, op, state, outcome)
        return True
    if d.errands:
        _errand(d, d.errands.pop(0))
        return True
    dial = d.state.dial
    if dial is not None and isinstance(dial.data, DialData):
        asked = any(f.purpose == flows.CONFIRM for f in d.state.flows)
        if dial.data.stage is DialStage.CONFIRMING and not asked:
            methods.begin_confirm(d, dial)
            return True
    run = d.state.run
    if run is not None and agent.errand_waits(d):
        agent.lend(d)
        return True
    if run is not None and tools.begin_waiting(d):
        return True
    if run is not None and talking.later_due(run):
        d.set_run(later=())
        ordering.carry_out(d, run.later)
        return True
    for line in d.state.lines:
        voice.next_play(d, line)
    return bool(d.finished or d.decisions)


def _errand(d: Draft, flow_id: int) -> None:
    """Run an inline document; it gets the voice once it waits for something that needs it."""
    methods.drive(d, flow_id)


def _follow(d: Draft, line: str, document: Document) -> None:
    found = d.state.lines.get(line)
    if found is None or found.over:
        d.refuse("transfer_without_caller", line=line)
        return
    drop_flows(d, line, "transfer")
    d.finished = [f for f in d.finished if f[0].line != line]
    flow = flows.begin(d, document, line, flows.MAIN)
    methods.drive(d, flow.id)
