"""What happens when nothing happens: every deadline of the call, in one place.

`timers` lists what is pending in a state; the step carries out what is due, whatever event came,
so a late wake does no harm. Each action changes the state so that its timer is no longer due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from mediacore.call import closing, floor, on_steer, opening
from mediacore.call.actions import CancelReply
from mediacore.call.draft import Draft
from mediacore.call.on_caller import decide_turn
from mediacore.call.record import UtteranceKind
from mediacore.call.recovery import Failure, FailureClass, Source, classify
from mediacore.call.state import (
    AfterCut,
    AgentTurn,
    CallState,
    Phase,
    lingers,
    policy_for,
)
from mediacore.call.turn import endpoint_wait

_COMMIT_MS: Final = 600
_RESUME_MS: Final = 1500
_RESUME_GRACE_MS: Final = 500


class Timer(NamedTuple):
    """Something to do at `at_us`."""

    at_us: int
    act: Callable[[Draft], None]


def next_deadline(state: CallState) -> int | None:
    """When the reducer must be woken at the latest, monotonic µs. None: only by an event."""
    return min((t.at_us for t in timers(state)), default=None)


def due(state: CallState, now: int) -> Timer | None:
    """The most overdue timer."""
    return min((t for t in timers(state) if t.at_us <= now), key=lambda t: t.at_us, default=None)


def timers(state: CallState) -> Iterator[Timer]:
    """All that is pending."""
    if state.phase in (Phase.NEW, Phase.ENDED):
        return
    yield from _call_timers(state)
    match state.phase:
        case Phase.LISTENING:
            yield from _silence_timers(state)
        case Phase.CALLER_SPEAKING:
            limit_us = state.settings.turn.caller_limit_ms * 1000
            yield Timer(state.caller.started_us + limit_us, caller_limit)
        case Phase.ENDPOINTING:
            yield Timer(endpoint_due_us(state), decide_turn)
        case Phase.PAUSED:
            yield from _interruption_timers(state)
        case Phase.THINKING | Phase.SPEAKING | Phase.CLOSING:
            yield from _agent_timers(state)
        case Phase.ON_HOLD:
            if state.hold is not None and state.hold.until_us is not None:
                yield Timer(state.hold.until_us, on_steer.hold_over)


def endpoint_due_us(state: CallState) -> int:
    """When the caller's turn is over if nothing more comes."""
    caller, settings = state.caller, state.settings.turn
    if caller.digits_done:
        return caller.digit_us
    due_us = caller.digit_us + settings.digit_ms * 1000 if caller.digits else caller.ended_us
    if caller.ended_at is not None and state.awaits_final:
        return max(due_us, caller.ended_us + settings.stt_deadline_ms * 1000)
    if caller.text and not caller.digits:
        wait = endpoint_wait(caller.text, caller.probability, settings)
        return max(due_us, caller.ended_us + wait.wait_ms * 1000)
    return due_us


def _call_timers(state: CallState) -> Iterator[Timer]:
    settings = state.settings
    for limit_ms, act in ((settings.max_call_ms, call_limit), (settings.hard_stop_ms, hard_stop)):
        if limit_ms:
            limit_us = state.started_us + limit_ms * 1000
            if not state.limit:
                yield Timer(limit_us, act)
    if state.limit_us is not None:
        yield Timer(state.limit_us + settings.limit_grace_ms * 1000, call_limit_passed)
    if state.media_lost_us is not None and settings.media_lost_ms:
        yield Timer(state.media_lost_us + settings.media_lost_ms * 1000, media_gone)


def _silence_timers(state: CallState) -> Iterator[Timer]:
    settings = state.settings
    if state.greet_at_us is not None:
        yield Timer(state.greet_at_us, opening.greet)
        return
    asked_enough = state.silences >= settings.max_silences
    if settings.dead_air_ms and not (settings.inactivity_ms and asked_enough):
        yield Timer(state.quiet_since_us + settings.dead_air_ms * 1000, dead_air)
    if settings.inactivity_ms:
        yield Timer(max(state.heard_us, state.started_us) + settings.inactivity_ms * 1000, inactive)


def _interruption_timers(state: CallState) -> Iterator[Timer]:
    running = state.interruption
    if running is None:
        return
    if running.committed:
        yield Timer(running.cut_us + state.settings.cut_confirm_ms * 1000, floor.cut_unconfirmed)
        return
    agent, caller = state.agent, state.caller
    playing = agent.playing if agent is not None else None
    kind = playing.kind if playing else agent.kind if agent else UtteranceKind.REPLY
    policy = policy_for(state, kind)
    if caller.speaking:
        limit_ms = state.settings.turn.pause_limit_ms
        if not running.core and policy.commit_ms:
            limit_ms = min(limit_ms, policy.commit_ms)
        by_sound = state.settings.turn.sound_cuts
        act = commit_interruption if by_sound else drop_interruption
        yield Timer(running.since_us + limit_ms * 1000, act)
    else:
        # The core undoes its own pause after resume_ms; the grace lets it be the first.
        quiet_ms = (policy.resume_ms or _RESUME_MS) + (_RESUME_GRACE_MS if running.core else 0)
        quiet_us = max(running.since_us, caller.ended_us)
        yield Timer(quiet_us + quiet_ms * 1000, drop_interruption)


def _agent_timers(state: CallState) -> Iterator[Timer]:
    agent, settings = state.agent, state.settings
    if agent is None:
        return
    if agent.playing is not None:
        if agent.dry_since_us is not None:
            yield Timer(agent.dry_since_us + settings.stall_ms * 1000, playout_stuck)
        yield Timer(agent.playout_us + settings.watchdog_ms * 1000, playout_stuck)
        return
    if lingers(state):
        policy = policy_for(state, agent.kind)
        if state.caller.speaking:
            since_us = max(state.caller.started_us, agent.quiet_since_us)
            yield Timer(since_us + (policy.commit_ms or _COMMIT_MS) * 1000, commit_interruption)
        else:
            quiet_ms = policy.resume_ms or _RESUME_MS
            yield Timer(state.caller.ended_us + quiet_ms * 1000, goodbye_said)
    elif state.phase is Phase.CLOSING:
        working = state.ending is not None and state.ending.more and agent.tools_open
        limit_ms = max(settings.closing_ms, settings.tool_deadline_ms if working else 0)
        yield Timer(agent.quiet_since_us + limit_ms * 1000, goodbye_missing)
    if state.phase is Phase.CLOSING:
        return
    if filler_wanted(state, agent):
        wait_ms = settings.filler_again_ms if agent.fillers else settings.filler_ms
        yield Timer(agent.quiet_since_us + wait_ms * 1000, filler)
    limit_ms = settings.tool_deadline_ms if agent.tools_open else settings.reply_deadline_ms
    yield Timer(agent.quiet_since_us + limit_ms * 1000, reply_missing)


def filler_wanted(state: CallState, agent: AgentTurn) -> bool:
    """Whether silence may be bridged: a few times a turn, with nothing on its way."""
    return (
        bool(state.settings.filler_ms and state.settings.lines.fillers)
        and agent.kind is UtteranceKind.REPLY
        and agent.fillers < state.settings.max_fillers
        and not agent.outstanding
    )


# ------------------------------------------------------------------------------- actions


def dead_air(d: Draft) -> None:
    """Nobody speaks: ask, ask again, then end the call."""
    settings, silences = d.state.settings, d.state.silences
    lines = settings.lines.silence
    d.set(silences=silences + 1)
    if silences >= settings.max_silences or not (lines or settings.attention_prompt):
        d.log("dead_air", "give_up", silences=silences + 1)
        closing.say_last(d, "no_input", settings.lines.silence_goodbye)
        return
    d.log("dead_air", "ask", silences=silences + 1)
    if settings.attention_prompt:
        opening.start_reply(d, UtteranceKind.REPROMPT, note=settings.attention_prompt)
    else:
        opening.say_alone(d, lines[silences % len(lines)], UtteranceKind.REPROMPT)


def inactive(d: Draft) -> None:
    """The caller has not said a word for too long, whatever the agent asked."""
    d.log("dead_air", "inactive")
    closing.say_last(d, "inactivity", d.state.settings.lines.silence_goodbye)


def caller_limit(d: Draft) -> None:
    """The caller's turn is taken for complete, whatever the speech detector says."""
    d.log("endpoint", "limit", ms=d.state.settings.turn.caller_limit_ms)
    d.set_caller(speaking=False, ended_at=d.state.clock.at(d.now), ended_us=d.now)
    d.set(phase=Phase.ENDPOINTING, segment=d.state.segment + 1)


def commit_interruption(d: Draft) -> None:
    """The caller goes on speaking: the floor is theirs."""
    d.log("barge_in", "cut", by="duration")
    floor.cut(d, AfterCut.LISTEN)


def drop_interruption(d: Draft) -> None:
    """The caller is silent and no words came: the agent goes on."""
    floor.resume(d, "silence")


def filler(d: Draft) -> None:
    """The reply is late: say that it comes."""
    lines = d.state.settings.lines.fillers
    index = d.state.fillers_said
    d.log("filler", "say", late_ms=(d.now - d.agent.quiet_since_us) // 1000)
    d.set(fillers_said=index + 1)
    d.set_agent(fillers=d.agent.fillers + 1)
    opening.say(d, lines[index % len(lines)], UtteranceKind.FILLER)


def reply_missing(d: Draft) -> None:
    """Nothing to hear for too long: withdraw the turn and say so."""
    agent = d.agent
    d.log("recovery", "deadline", kind=agent.kind.value, tools=agent.tools_open)
    source = Source.TOOL if agent.tools_open else Source.TTS if agent.outstanding else Source.LLM
    floor.cut(d, AfterCut.RECOVER, classify(source))


def playout_stuck(d: Draft) -> None:
    """The audio does not go on: withdraw the turn and say so."""
    d.log("recovery", "playout_stuck", dry=d.agent.dry_since_us is not None)
    floor.cut(d, AfterCut.RECOVER, classify(Source.TTS))


def goodbye_missing(d: Draft) -> None:
    """The last words do not come: say the fixed ones, or hang up without."""
    if not closing.use_fallback(d):
        closing.end_as_planned(d, by="deadline")
        return
    if d.agent.replying:
        d.emit(CancelReply(d.agent.generation))
    d.set_agent(replying=False, quiet_since_us=d.now)


def goodbye_said(d: Draft) -> None:
    """The caller only made a sound after the goodbye."""
    closing.end_as_planned(d)


def call_limit(d: Draft) -> None:
    """Time is up: say goodbye."""
    floor.time_up(d, "max_duration")


def hard_stop(d: Draft) -> None:
    """The conversation's time is up: the model or the fixed line says goodbye."""
    floor.time_up(d, floor.HARD_STOP)


def call_limit_passed(d: Draft) -> None:
    """Time is up, and the goodbye took too long."""
    closing.end_call(d, d.state.limit or "max_duration", by="deadline")


def media_gone(d: Draft) -> None:
    """No packets for too long."""
    closing.report(d, Failure(FailureClass.MEDIA_LOST, fatal=True))
    closing.end_call(d, "media_lost", by="deadline")
