"""The reducer: one event in, the new state and all actions out.

      event ─► clock ─► stale? ─► TRANSITIONS[phase][event] ─► settle ─► state, actions

Handlers state facts; `settle` then takes the decisions that follow: replay what a speculative
reply gave, finish a turn that was played, carry out timers that are due, take up what was asked
from outside, speculate.
"""

from __future__ import annotations

from typing import Final

from mediacore.call import floor, on_reply, on_steer, opening
from mediacore.call.actions import Action
from mediacore.call.context import with_late_result
from mediacore.call.draft import Draft
from mediacore.call.inputs import (
    Event,
    ReplyResult,
    SpeechResult,
    ToolFinished,
    TurnProbability,
)
from mediacore.call.state import AgentTurn, CallState, Phase, lingers
from mediacore.call.table import TRANSITIONS
from mediacore.call.timers import due, endpoint_due_us
from mediacore.call.turn import Completeness, judge_completeness
from mediacore.events import EventsLost, MediaEvent, PlayoutCut, PlayoutEvent

_MAX_DECISIONS: Final = 64


def step(state: CallState, event: Event, now: int) -> tuple[CallState, list[Action]]:
    """Take one event. now: monotonic µs, not going back. No I/O, no clock, never raises."""
    d = Draft(state, now)
    if isinstance(event, MediaEvent):
        d.set(clock=state.clock.seen(event.tick, now))
    _dispatch(d, event)
    _settle(d)
    return d.state, d.actions


def is_stale(state: CallState, event: Event) -> bool:
    """The one place where results of what is over are refused.

    A result counts only for the open agent turn's generation (and not once its cut was ordered),
    for an utterance of that turn, for the caller's present segment, or for the call's own leg.
    """
    agent, running = state.agent, state.interruption
    match event:
        case ToolFinished():
            return agent is None or agent.generation != event.generation
        case ReplyResult():
            committed = running is not None and running.committed
            return agent is None or agent.generation != event.generation or committed
        case SpeechResult():
            return agent is None or all(u.id != event.utterance for u in agent.utterances)
        case TurnProbability():
            return state.phase is not Phase.ENDPOINTING or state.segment != event.segment
        case EventsLost():
            return False
        case MediaEvent() if state.leg is not None and event.leg != state.leg:
            return True
        case PlayoutCut():
            return False
        case PlayoutEvent():
            return agent is None or all(u.id != event.utterance for u in agent.utterances)
    return False


def _dispatch(d: Draft, event: Event) -> None:
    state = d.state
    if state.phase not in (Phase.NEW, Phase.ENDED) and is_stale(state, event):
        _refuse(d, event)
        return
    handler = TRANSITIONS[state.phase].get(type(event))
    if handler is None:
        d.count("illegal")
        d.log("illegal", "ignored", phase=state.phase.value, event=type(event).__name__)
        return
    handler(d, event)


def _refuse(d: Draft, event: Event) -> None:
    d.count("stale")
    if isinstance(event, ToolFinished):
        context = with_late_result(d.state.context, event.id, event.text)
        if context is not None:
            d.set(context=context)
            d.log("stale", "tool_result_recorded", generation=event.generation)
            return
    if isinstance(event, PlayoutEvent):
        return  # the core's own report on speech that is over: of no interest
    d.log("stale", "refused", event=type(event).__name__)


def _settle(d: Draft) -> None:
    for _ in range(_MAX_DECISIONS):
        if d.state.phase in (Phase.NEW, Phase.ENDED):
            return
        agent = d.state.agent
        if agent is not None and agent.decided and agent.held:
            _replay(d)
        elif agent is not None and _is_over(d, agent):
            floor.finish_turn(d)
        elif (timer := due(d.state, d.now)) is not None:
            timer.act(d)
        elif on_reply.tools_released(d.state):
            on_reply.call_waiting_tools(d)
        elif on_steer.waiting(d.state):
            on_steer.take_up(d)
        elif _worth_speculating(d):
            opening.speculate(d)
        else:
            return


def _is_over(d: Draft, agent: AgentTurn) -> bool:
    return agent.complete and not d.committed and not lingers(d.state)


def _replay(d: Draft) -> None:
    """Give the events held back to their handlers, as long as they are wanted."""
    held = d.agent.held
    d.set_agent(held=())
    for event in held:
        if not is_stale(d.state, event):
            _dispatch(d, event)


def _worth_speculating(d: Draft) -> bool:
    state = d.state
    caller = state.caller
    if state.phase is not Phase.ENDPOINTING or not state.settings.turn.speculative:
        return False
    if state.agent is not None:
        if state.agent.prompt == caller.text:
            return False
        opening.drop_speculation(d)
    wanted = bool(caller.text) and not caller.digits and not state.awaits_final
    expected = state.settings.turn.expected_digits
    return (
        wanted
        and endpoint_due_us(d.state) > d.now
        and judge_completeness(caller.text, expected) is not Completeness.INCOMPLETE
    )
