"""Who has the floor: opening, speaking, cutting and closing the agent's turn, and ending the call.

These are the only functions that change the phase on the agent's side. Handlers state facts and
call them; none of them calls a handler.
"""

from __future__ import annotations

from dataclasses import replace

from mediacore.call import ledger
from mediacore.call.actions import (
    ArmBargeIn,
    CancelReply,
    CutPlayout,
    Hangup,
    ResumePlayout,
    Speak,
    StartReply,
    TurnCompleted,
)
from mediacore.call.context import with_user, without_last_user
from mediacore.call.draft import Draft
from mediacore.call.ledger import Utterance
from mediacore.call.record import Speaker, UtteranceKind
from mediacore.call.state import (
    AfterCut,
    AgentTurn,
    CallerTurn,
    Ending,
    Interruption,
    Phase,
    Stamps,
    agent_phase,
    can_end,
    next_generation_after_cut,
    policy_for,
)
from mediacore.call.transcript import agent_entries, agent_turn, caller_turn

# ------------------------------------------------------------------ the agent takes the floor


def open_turn(
    d: Draft,
    kind: UtteranceKind,
    *,
    replying: bool = False,
    decided: bool = True,
    prompt: str = "",
    stamps: Stamps | None = None,
) -> None:
    """Begin an agent turn, with a generation of its own."""
    generation = d.state.generation + 1
    agent = AgentTurn(
        generation,
        kind,
        quiet_since_us=d.now,
        replying=replying,
        decided=decided,
        prompt=prompt,
        buffer=d.state.new_buffer(),
        stamps=stamps or Stamps(),
    )
    d.set(generation=generation, agent=agent)
    if decided:
        d.set(phase=agent_phase(d.state))


def start_reply(d: Draft, kind: UtteranceKind, stamps: Stamps | None = None) -> None:
    """Begin a turn whose text comes from the model, on the context as it stands."""
    open_turn(d, kind, replying=True, stamps=stamps)
    d.emit(StartReply(d.agent.generation, d.state.context))


def speculate(d: Draft) -> None:
    """Ask for the reply although the caller may go on. Nothing of it is spoken before `adopt`."""
    text = d.caller.text
    open_turn(d, UtteranceKind.REPLY, replying=True, decided=False, prompt=text)
    d.emit(StartReply(d.agent.generation, with_user(d.state.context, text)))


def adopt(d: Draft, stamps: Stamps) -> None:
    """The speculative reply answers the turn that was decided."""
    first_token_us = d.agent.stamps.first_token_us
    d.set_agent(
        decided=True,
        quiet_since_us=d.now,
        stamps=replace(stamps, first_token_us=first_token_us),
    )
    d.set(phase=agent_phase(d.state))


def drop_speculation(d: Draft) -> None:
    """The caller goes on, or the text changed: the speculative reply is void."""
    agent = d.state.agent
    if agent is None or agent.decided:
        return
    if agent.replying:
        d.emit(CancelReply(agent.generation))
    d.count("speculations_lost")
    d.set(agent=None)


def say(d: Draft, text: str, kind: UtteranceKind) -> None:
    """Queue one utterance of the open turn."""
    agent = d.agent
    if agent.playing is None:
        arm(d, kind)
    utt = Utterance(d.state.next_utterance, agent.generation, kind, text, agent.round)
    d.set_agent(utterances=(*agent.utterances, utt))
    if kind is not UtteranceKind.FILLER:
        d.set_stamps(first_phrase_us=d.now)
    d.set(next_utterance=utt.id + 1)
    d.emit(Speak(utt.id, utt.generation, text, kind))


def arm(d: Draft, kind: UtteranceKind) -> None:
    """Give the core the policy of this kind of utterance, unless it has it."""
    policy = policy_for(d.state, kind)
    if policy != d.state.armed:
        d.set(armed=policy)
        d.emit(ArmBargeIn(policy))


def say_alone(d: Draft, text: str, kind: UtteranceKind) -> None:
    """A turn that consists of one line."""
    open_turn(d, kind)
    say(d, text, kind)


def recover(d: Draft) -> None:
    """Something failed: say so, or after too many failures in a row end the call."""
    failures = d.state.failures + 1
    d.set(failures=failures)
    lines = d.state.settings.lines
    if failures >= d.state.settings.max_failures:
        d.log("recovery", "give_up", failures=failures)
        say_last(d, "failure", lines.failure_goodbye)
        return
    d.log("recovery", "line", failures=failures)
    if d.state.agent is None:
        open_turn(d, UtteranceKind.SCRIPT)
    if not d.agent.recovered:
        index = d.state.recoveries_said
        d.set(recoveries_said=index + 1)
        d.set_agent(recovered=True)
        say(d, lines.recoveries[index % len(lines.recoveries)], UtteranceKind.SCRIPT)


def say_last(d: Draft, reason: str, line: str, *, interruptible: bool = True) -> None:
    """Say goodbye; the call ends once it was played."""
    may = interruptible and not d.state.closing_interrupted
    d.set(ending=Ending(reason, may))
    d.log("end_call", "closing", reason=reason, interruptible=may)
    if d.state.agent is None:
        open_turn(d, UtteranceKind.CLOSING)
    elif d.state.phase is not Phase.PAUSED:
        d.set(phase=agent_phase(d.state))
    say(d, line, UtteranceKind.CLOSING)


# --------------------------------------------------------------------- the agent loses the floor


def cut(d: Draft, then: AfterCut) -> None:
    """Stop the agent's turn for good. What follows waits for the core's report of the cut."""
    agent = d.state.agent
    if agent is None:
        _after_cut(d, then)
        return
    if not agent.outstanding:
        close_turn(d, reopen=then is AfterCut.LISTEN)
        _after_cut(d, then)
        return
    running = d.state.interruption
    if running is not None and running.committed:
        d.set(interruption=replace(running, then=max(then, running.then)))
        return
    if agent.replying:
        d.emit(CancelReply(agent.generation))
        d.set_agent(replying=False)
    d.emit(CutPlayout(agent.generation))
    core = running is not None and running.core
    since_us = running.since_us if running is not None else d.now
    d.set(
        phase=Phase.PAUSED,
        interruption=Interruption(since_us, core, committed=True, cut_us=d.now, then=then),
    )


def cut_confirmed(d: Draft, next_generation: int) -> None:
    """Everything of the open turn was stopped; the leg is at next_generation."""
    running = d.state.interruption
    then = running.then if running is not None else AfterCut.LISTEN
    d.set(generation=max(d.state.generation, next_generation))
    d.count("cuts")
    close_turn(d, reopen=then is AfterCut.LISTEN)
    _after_cut(d, then)


def cut_unconfirmed(d: Draft) -> None:
    """The core did not report the cut in time: go on with what is known."""
    d.log("barge_in", "unconfirmed")
    cut_confirmed(d, next_generation_after_cut(d.agent.generation))


def _after_cut(d: Draft, then: AfterCut) -> None:
    ending = d.state.ending
    if then is AfterCut.LIMIT:
        commit_caller(d)
        line = d.state.settings.lines.limit_goodbye
        say_last(d, "max_duration", line, interruptible=False)
        return
    if ending is not None and (then is AfterCut.RECOVER or not ending.interruptible):
        end_call(d, ending.reason)
        return
    if ending is not None:
        d.set(ending=None, closing_interrupted=True)
        d.log("end_call", "kept_open", reason=ending.reason)
    if then is AfterCut.RECOVER:
        recover(d)
    else:
        give_floor(d)


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
    entries = agent_entries(d.state, agent, heard=True)
    if agent.utterances:
        at = d.state.clock.at(agent.quiet_since_us)
        turn = agent_turn(d.state, agent, len(d.state.turns), at)
        d.set(turns=(*d.state.turns, turn))
        d.emit(TurnCompleted(turn))
    d.set(agent=None, interruption=None, context=d.state.context + entries)
    if reopen and not entries and agent.decided and agent.kind is UtteranceKind.REPLY:
        _reopen_caller(d)


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
    if can_end(d.state, urgent=False) and d.state.ending is not None:
        end_call(d, d.state.ending.reason)
        return
    if silent:
        if d.state.failures + 1 >= d.state.settings.max_failures:
            end_call(d, "speech_failed")
            return
        if any(u.truncated for u in agent.utterances):  # the voice failed, not the moment
            recover(d)
            return
        d.set(failures=d.state.failures + 1)
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
        d.set(context=with_user(d.state.context, caller.text))
    if caller.said or (caller.text and not caller.recorded):
        turn = caller_turn(d.state, caller, len(d.state.turns))
        d.set(turns=(*d.state.turns, turn))
        d.emit(TurnCompleted(turn))
    forget_caller(d)


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


# ------------------------------------------------------------------------------- the end


def end_call(d: Draft, reason: str, by: str = "call") -> None:
    """Hang up. Happens once; nothing is done after it."""
    if not can_end(d.state, urgent=True):
        return
    agent = d.state.agent
    if agent is not None and agent.replying:
        d.emit(CancelReply(agent.generation))
        d.set_agent(replying=False)
    d.log("end_call", "hangup", reason=reason, by=by)
    d.emit(Hangup(reason))
    d.set(phase=Phase.ENDED, end_reason=reason, interruption=None)
