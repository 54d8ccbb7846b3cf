"""The agent loses the floor, and the caller gets it: cutting, resuming and closing turns.

With `opening` and `closing` these are the only functions that change the phase on the agent's
side. Handlers state facts and call them; none of them calls a handler.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mediacore.call import closing, ledger, opening
from mediacore.call.actions import CancelReply, CutPlayout, ResumePlayout, TurnCompleted
from mediacore.call.context import with_user, without_last_user
from mediacore.call.draft import Draft
from mediacore.call.record import Speaker, Turn, UtteranceKind
from mediacore.call.recovery import Failure, Source, classify, worsened
from mediacore.call.state import (
    AfterCut,
    AgentTurn,
    CallerTurn,
    Interruption,
    Phase,
    agent_phase,
    can_end,
    next_generation_after_cut,
    policy_for,
)
from mediacore.call.transcript import agent_entries, agent_turn, caller_turn

HARD_STOP: Final = "hard_stop"

# --------------------------------------------------------------------- the agent loses the floor


def cut(d: Draft, then: AfterCut, failure: Failure | None = None) -> None:
    """Stop the agent's turn for good. What follows waits for the core's report of the cut.

    failure: why, for AfterCut.RECOVER.
    """
    agent = d.state.agent
    if agent is None:
        _after_cut(d, then, failure)
        return
    running = d.state.interruption
    if running is not None and running.committed:
        failure = failure or running.failure
        d.set(interruption=replace(running, then=max(then, running.then), failure=failure))
        return
    if not agent.outstanding:
        close_turn(d, reopen=then is AfterCut.LISTEN)
        _after_cut(d, then, failure)
        return
    if agent.replying:
        d.emit(CancelReply(agent.generation))
        d.set_agent(replying=False)
    d.emit(CutPlayout(agent.generation))
    core = running is not None and running.core
    since_us = running.since_us if running is not None else d.now
    d.set(
        phase=Phase.PAUSED,
        interruption=Interruption(since_us, core, True, d.now, then, failure),
    )


def time_up(d: Draft, reason: str) -> None:
    """A limit was reached: stop the turn, say goodbye, end the call."""
    if closing.time_up(d, reason):
        opening.drop_speculation(d)
        cut(d, AfterCut.LIMIT)


def cut_confirmed(d: Draft, next_generation: int) -> None:
    """Everything of the open turn was stopped; the leg is at next_generation."""
    running = d.state.interruption
    then = running.then if running is not None else AfterCut.LISTEN
    failure = running.failure if running is not None else None
    d.set(generation=max(d.state.generation, next_generation))
    d.count("cuts")
    d.set(interrupted=then is AfterCut.LISTEN and d.agent.started)
    close_turn(d, reopen=then is AfterCut.LISTEN)
    _after_cut(d, then, failure)


def cut_unconfirmed(d: Draft) -> None:
    """The core did not report the cut in time: go on with what is known."""
    d.log("barge_in", "unconfirmed")
    cut_confirmed(d, next_generation_after_cut(d.agent.generation))


def _after_cut(d: Draft, then: AfterCut, failure: Failure | None) -> None:
    if then is AfterCut.STOP:
        commit_caller(d)
        closing.end_as_planned(d, by="stop")
        return
    if then is AfterCut.LIMIT:
        _say_limit(d)
        return
    ending = d.state.ending
    if ending is not None and (then is AfterCut.RECOVER or not ending.interruptible):
        closing.end_as_planned(d)
        return
    if ending is not None:
        d.set(ending=None, closing_interrupted=True)
        d.log("end_call", "kept_open", reason=ending.reason)
    if then is AfterCut.HOLD:
        commit_caller(d)
        d.log("hold", "on")
        d.set(phase=Phase.ON_HOLD)
    elif then is AfterCut.RECOVER:
        closing.recover(d, failure or classify(Source.LLM))
    else:
        give_floor(d)


def _say_limit(d: Draft) -> None:
    commit_caller(d)
    state = d.state
    line, prompt = state.settings.lines.limit_goodbye, state.settings.hard_stop_prompt
    if state.hold is not None:
        closing.end_call(d, state.limit, by="deadline")
    elif state.ending is not None:
        closing.end_as_planned(d)
    elif state.limit == HARD_STOP and prompt:
        closing.ask_last(d, state.limit, prompt, line)
    else:
        closing.say_last(d, state.limit, line, interruptible=False)


def resume(d: Draft, by: str) -> None:
    """The interruption was none: the agent goes on."""
    running = d.state.interruption
    agent = d.agent
    if running is not None and running.core and by != "core":
        kind = agent.playing.kind if agent.playing else agent.kind
        d.emit(ResumePlayout(policy_for(d.state, kind).resume_from_mark))
    d.count("resumes")
    d.log("resume", by, paused_ms=(d.now - (running.since_us if running else d.now)) // 1000)
    d.set(interruption=None)
    d.set(phase=agent_phase(d.state))


def close_turn(d: Draft, *, reopen: bool) -> None:
    """The open turn is over: what was heard goes into the context and the record.

    reopen: when nothing of it counts, the caller's turn that it answered goes on.
    """
    agent = d.agent
    if agent.replying:
        d.emit(CancelReply(agent.generation))
    here = d.state.clock.at(d.now)
    stopped = tuple(ledger.refuse(ledger.assume_to(u, here)) for u in agent.utterances)
    agent = replace(agent, utterances=stopped)
    merged = reopen and _merges(d, agent)
    entries = () if merged else agent_entries(d.state, agent, heard=True)
    if agent.utterances:
        at = d.state.clock.at(agent.quiet_since_us)
        turn = agent_turn(d.state, agent, len(d.state.turns), at)
        d.set(turns=(*d.state.turns, turn))
        d.emit(TurnCompleted(turn))
    d.set(agent=None, interruption=None, context=d.state.context + entries)
    if reopen and not entries and agent.decided and agent.kind is UtteranceKind.REPLY:
        _reopen_caller(d)


def _merges(d: Draft, agent: AgentTurn) -> bool:
    """It was cut so early that the caller goes on with what they had said before."""
    begun_us, running = agent.stamps.first_frame_us, d.state.interruption
    if agent.kind is not UtteranceKind.REPLY or agent.tools or begun_us is None:
        return False
    cut_us = running.since_us if running is not None else d.now
    return cut_us - begun_us < d.state.settings.turn.merge_ms * 1000


def _reopen_caller(d: Draft) -> None:
    context, text = without_last_user(d.state.context)
    if not text:
        return
    d.set(context=context)
    turns = d.state.turns
    if turns and turns[-1].speaker is Speaker.CALLER:
        d.set(turns=turns[:-1])
        d.set_caller(earlier=text, recorded=False, started_at=turns[-1].start)
    else:
        d.set_caller(earlier=text, recorded=True)
    if d.caller.ended_at is None:
        d.set_caller(ended_us=d.now)


def finish_turn(d: Draft) -> None:
    """Everything of the open turn was said and played."""
    agent = d.agent
    silent = bool(agent.utterances) and not any(u.started for u in agent.utterances)
    close_turn(d, reopen=False)
    d.set(interrupted=False)
    if can_end(d.state, urgent=False):
        closing.end_as_planned(d)
        return
    if silent:
        failures, most = d.state.failures, d.state.settings.max_failures
        if failures + 1 >= most:
            closing.report(d, worsened(classify(Source.TTS), failures + 1, most), failures)
            closing.end_call(d, "speech_failed")
            return
        if any(u.truncated for u in agent.utterances):  # the voice failed, not the moment
            closing.recover(d, classify(Source.TTS))
            return
        d.set(failures=failures + 1)
    elif agent.kind is UtteranceKind.REPLY and not agent.recovered:
        d.set(failures=0)
    give_floor(d)


# ----------------------------------------------------------------------------- the caller


def give_floor(d: Draft) -> None:
    """Nobody but the caller may speak now."""
    caller = d.caller
    d.set(quiet_since_us=d.now)
    if caller.speaking:
        d.set(phase=Phase.CALLER_SPEAKING)
    elif caller.text or d.state.awaits_final:
        d.set(phase=Phase.ENDPOINTING)
    else:
        d.set(phase=Phase.LISTENING, caller=CallerTurn())


def commit_caller(d: Draft) -> None:
    """What the caller said becomes a turn of the context and the record."""
    caller = d.caller
    if caller.text:
        d.set(context=with_user(d.state.context, caller.text), heard_us=d.now)
    if caller.said or (caller.text and not caller.recorded):
        turn = caller_turn(d.state, caller, len(d.state.turns))
        d.set(turns=(*d.state.turns, turn))
        d.emit(TurnCompleted(turn))
    forget_caller(d)


def take_text(d: Draft, text: str) -> None:
    """A text from outside becomes a caller's turn, as if said at this moment."""
    at = d.state.clock.at(d.now)
    turn = Turn(len(d.state.turns), Speaker.CALLER, at, at, text)
    context = with_user(d.state.context, text)
    d.set(context=context, turns=(*d.state.turns, turn), heard_us=d.now)
    d.emit(TurnCompleted(turn))


def forget_caller(d: Draft) -> None:
    """The words so far are dealt with; speech that goes on begins a new turn."""
    caller = d.caller
    tolerance = d.state.settings.turn.final_tolerance_ms * d.state.srate_hz // 1000
    covered = caller.ended_at + tolerance if caller.ended_at is not None else -1
    seen = max(d.state.consumed_at, caller.finals_at, caller.partial_at, covered)
    fresh = CallerTurn()
    if caller.speaking:
        fresh = CallerTurn(
            speaking=True, started_at=caller.started_at, started_us=caller.started_us
        )
        seen = d.state.consumed_at
    d.set(caller=fresh, consumed_at=seen)
