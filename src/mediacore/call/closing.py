"""Failures and the end: the recovery line, the one goodbye, and the one way out.

A closing begins when `ending` is set and is over with the conversation, or when the caller, who
wants more, cuts it. While it lasts no second goodbye is begun; after the caller has cut one, the
next can not be cut by them.
"""

from __future__ import annotations

from dataclasses import replace

from mediacore.call.actions import CancelReply, ConversationOver, CutPlayout, ErrorRaised
from mediacore.call.draft import Draft
from mediacore.call.opening import arm, open_turn, say, start_reply
from mediacore.call.record import UtteranceKind
from mediacore.call.recovery import Failure, FailureClass, worsened
from mediacore.call.state import Ending, Phase, agent_phase, can_end


def report(
    d: Draft, failure: Failure, retries: int = 0, phrase: str = "", utterance: int | None = None
) -> None:
    """Tell the outside that something failed."""
    reason = failure.reason.value if failure.reason is not None else ""
    d.log("error", failure.kind.value, reason=reason, fatal=failure.fatal, retries=retries)
    d.emit(
        ErrorRaised(failure.kind, failure.reason, failure.fatal, retries, phrase, utterance),
    )


def recover(d: Draft, failure: Failure) -> None:
    """Something failed: say so, or after too many failures in a row end the call."""
    retries = d.state.failures
    settings = d.state.settings
    d.set(failures=retries + 1)
    failure = worsened(failure, retries + 1, settings.max_failures)
    lines = settings.lines
    if failure.fatal:
        d.log("recovery", "give_up", failures=retries + 1)
        utterance = say_last(d, "failure", lines.failure_goodbye)
        report(d, failure, retries, "failure_goodbye", utterance)
        return
    d.log("recovery", "line", failures=retries + 1)
    if d.state.agent is None:
        open_turn(d, UtteranceKind.SCRIPT)
    if d.agent.recovered:
        report(d, failure, retries)
        return
    index = d.state.recoveries_said % len(lines.recoveries)
    d.set(recoveries_said=d.state.recoveries_said + 1)
    d.set_agent(recovered=True)
    utterance = say(d, lines.recoveries[index], UtteranceKind.SCRIPT)
    report(d, failure, retries, f"recoveries.{index}", utterance)


def say_last(d: Draft, reason: str, line: str, *, interruptible: bool = True) -> int | None:
    """The one gate of the goodbye: say it; the call ends once it was played.

    Returns the utterance; None when a closing was open already, which then goes on alone.
    """
    if not _begin_closing(d, Ending(reason, interruptible)):
        return None
    if d.state.agent is None:
        open_turn(d, UtteranceKind.CLOSING)
    elif d.state.phase is not Phase.PAUSED:
        d.set(phase=agent_phase(d.state))
    return say(d, line, UtteranceKind.CLOSING)


def ask_last(d: Draft, reason: str, note: str, fallback: str) -> None:
    """As `say_last`, in the model's words. No turn may be open."""
    if _begin_closing(d, Ending(reason, interruptible=False, fallback=fallback)):
        start_reply(d, UtteranceKind.CLOSING, note=note)


def said_last(d: Draft, reason: str) -> None:
    """The open turn holds the goodbye: the call ends once it was played."""
    if not _begin_closing(d, Ending(reason, interruptible=True)):
        return
    if d.state.phase is not Phase.PAUSED:
        d.set(phase=agent_phase(d.state))
    playing = d.agent.playing
    arm(d, playing.kind if playing else d.agent.kind)


def _begin_closing(d: Draft, ending: Ending) -> bool:
    before = d.state.ending
    if before is not None:
        kept = replace(before, interruptible=before.interruptible and ending.interruptible)
        d.set(ending=kept)
        d.log("end_call", "closing_already", reason=ending.reason)
        return False
    ending = replace(ending, interruptible=ending.interruptible and not d.state.closing_interrupted)
    d.set(ending=ending)
    d.log("end_call", "closing", reason=ending.reason, interruptible=ending.interruptible)
    return True


def use_fallback(d: Draft) -> bool:
    """The model gave no goodbye: say the fixed one. False when there is none, or it was said."""
    ending = d.state.ending
    if ending is None or not ending.fallback or d.state.agent is None:
        return False
    d.set(ending=replace(ending, fallback=""))
    if any(u.kind is not UtteranceKind.FILLER for u in d.agent.utterances):
        return False
    d.log("end_call", "fixed_line", reason=ending.reason)
    say(d, ending.fallback, UtteranceKind.CLOSING)
    return True


def time_up(d: Draft, reason: str) -> bool:
    """A limit was reached. Whether a goodbye is to be said: not when one is on its way."""
    d.set(limit=reason, limit_us=d.now)
    d.log("end_call", reason)
    report(d, Failure(FailureClass.LIMIT_REACHED, fatal=True), phrase="limit_goodbye")
    ending = d.state.ending
    if ending is None:
        return True
    d.set(ending=replace(ending, interruptible=False))
    agent = d.state.agent
    if agent is not None:
        arm(d, agent.playing.kind if agent.playing else agent.kind)
    return False


def end_as_planned(d: Draft, by: str = "call") -> None:
    """The agent's last words were said, or will never be."""
    ending = d.state.ending
    if ending is None:
        end_call(d, "closing", by)
    else:
        end_call(d, ending.reason, by, hangup=ending.hangup)


def end_call(d: Draft, reason: str, by: str = "call", *, hangup: bool = True) -> None:
    """The conversation is over. Happens once; nothing is done after it."""
    if not can_end(d.state, urgent=True):
        return
    agent = d.state.agent
    if agent is not None and agent.replying:
        d.emit(CancelReply(agent.generation))
        d.set_agent(replying=False)
    if agent is not None and agent.outstanding and not hangup and not d.committed:
        d.emit(CutPlayout(agent.generation))
    d.log("end_call", "hangup" if hangup else "stop", reason=reason, by=by)
    d.emit(ConversationOver(reason, hangup))
    d.set(phase=Phase.ENDED, end_reason=reason, interruption=None, hold=None)
