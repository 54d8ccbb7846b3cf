"""Handlers: the caller speaks, pauses, presses keys; the recogniser and the detector answer."""

from __future__ import annotations

from mediacore.call import closing, floor, opening
from mediacore.call.actions import AskTurnDetector
from mediacore.call.draft import Draft
from mediacore.call.inputs import SttFailed, TranscriptFinal, TranscriptPartial, TurnProbability
from mediacore.call.record import UtteranceKind
from mediacore.call.recovery import Failure, FailureClass
from mediacore.call.state import (
    AfterCut,
    Interruption,
    Phase,
    Stamps,
    interruptible,
)
from mediacore.call.turn import Intent, endpoint_wait, judge_intent
from mediacore.events import DigitReceived, SpeechEnded, SpeechStarted

_AGENT_HAS_FLOOR = (Phase.THINKING, Phase.SPEAKING, Phase.PAUSED, Phase.CLOSING)


# ---------------------------------------------------------------------------------- speech


def caller_begins(d: Draft, event: SpeechStarted) -> None:
    """The caller takes the floor."""
    begin(d, event)
    d.set(phase=Phase.CALLER_SPEAKING)


def caller_goes_on(d: Draft, event: SpeechStarted) -> None:
    """The pause was none: the turn goes on and a speculative reply is void."""
    opening.drop_speculation(d)
    caller_begins(d, event)


def caller_before_reply(d: Draft, event: SpeechStarted) -> None:
    """The caller speaks before the reply: it is withdrawn. In a gap of it: is it meant?"""
    begin(d, event)
    agent = d.agent
    if _withdrawable(d):
        d.log("barge_in", "withdraw", outstanding=agent.outstanding)
        floor.cut(d, AfterCut.LISTEN)
    elif agent.started and interruptible(d.state, d.now):
        d.set(phase=Phase.PAUSED, interruption=Interruption(d.now, core=False))


def caller_overlaps(d: Draft, event: SpeechStarted) -> None:
    """Noted; the core pauses or ducks by its policy and says so."""
    begin(d, event)


def caller_pauses(d: Draft, event: SpeechEnded) -> None:
    """Is the turn over?"""
    end(d, event)
    d.set(phase=Phase.ENDPOINTING)
    if d.state.settings.turn.detector:
        d.emit(AskTurnDetector(d.state.segment, d.caller.text))


def overlap_ends(d: Draft, event: SpeechEnded) -> None:
    """Noted; the recogniser's text decides."""
    end(d, event)


def begin(d: Draft, event: SpeechStarted) -> None:
    """A stretch of speech begins."""
    first = d.caller.started_at is None
    if first:
        d.set_caller(started_at=event.at, started_us=d.state.clock.us(event.at, d.now))
    d.set_caller(speaking=True, stt_failed=False, probability=None)


def end(d: Draft, event: SpeechEnded) -> None:
    """A stretch of speech has ended."""
    at_us = d.state.clock.us(event.at, d.now)
    d.set_caller(speaking=False, ended_at=event.at, ended_us=at_us)
    if d.caller.started_at is None:
        d.set_caller(started_at=event.at, started_us=at_us)
    d.set(segment=d.state.segment + 1)


# ------------------------------------------------------------------------------------ text


def hears_partial(d: Draft, event: TranscriptPartial) -> None:
    """Kept; over the agent's speech enough words make an interruption."""
    if event.at <= max(d.caller.finals_at, d.state.consumed_at):
        return
    d.set_caller(partial=event.text.strip(), partial_at=event.at)
    if d.state.phase in _AGENT_HAS_FLOOR:
        _weigh_interruption(d, final=False)


def hears_final(d: Draft, event: TranscriptFinal) -> None:
    """Belongs to the caller's turn; over the agent's speech it decides the interruption."""
    if event.at <= d.state.consumed_at:
        d.log("stale", "late_final", phase=d.state.phase.value)
        return
    text = event.text.strip()
    caller = d.caller
    d.set_caller(
        finals=(*caller.finals, text) if text else caller.finals,
        finals_at=max(caller.finals_at, event.at),
        final_us=d.now,
        partial="",
    )
    if text:
        d.set_caller(confidence=event.confidence)
    phase = d.state.phase
    if phase is Phase.LISTENING and text:
        _undetected_speech(d, event.at)
        d.set(phase=Phase.ENDPOINTING)
    elif phase in _AGENT_HAS_FLOOR:
        agent = d.agent
        if text and phase is Phase.THINKING and _withdrawable(d):
            _undetected_speech(d, event.at)
            d.log("barge_in", "withdraw", outstanding=agent.outstanding)
            floor.cut(d, AfterCut.LISTEN)
        else:
            _weigh_interruption(d, final=True)


def recognition_failed(d: Draft, event: SttFailed) -> None:
    """No final will come for this stretch of speech."""
    d.log("stt", "failed", error_class=event.error_class.value)
    d.set_caller(stt_failed=True)
    if d.state.phase is Phase.PAUSED:
        _weigh_interruption(d, final=True)


def detector_votes(d: Draft, event: TurnProbability) -> None:
    """May shorten the wait."""
    d.set_caller(probability=event.p)


def _undetected_speech(d: Draft, at: int) -> None:
    """Text came for speech that the core's detector did not report."""
    if d.caller.ended_at is None:
        at_us = d.state.clock.us(at, d.now)
        d.set_caller(ended_at=at, ended_us=at_us)
    if d.caller.started_at is None:
        d.set_caller(started_at=at, started_us=d.caller.ended_us)


def _withdrawable(d: Draft) -> bool:
    agent = d.agent
    if agent.started or d.state.ending is not None:
        return False
    return agent.kind is UtteranceKind.REPLY or (
        agent.kind is UtteranceKind.REPROMPT and agent.replying
    )


def _weigh_interruption(d: Draft, *, final: bool) -> None:
    if d.committed:
        return
    closing = d.state.ending is not None
    intent = judge_intent(d.caller.said, final, d.state.settings.turn, closing)
    if intent is Intent.FLOOR:
        may = interruptible(d.state, d.now)
        d.log("barge_in", "cut" if may else "protected", final=final, by="words")
        if may:
            floor.cut(d, AfterCut.LISTEN)
        return
    if not final or d.caller.speaking or d.state.awaits_final:
        return
    if intent is not Intent.UNCLEAR and not _answers_question(d, intent):
        floor.forget_caller(d)
    if d.state.interruption is not None:
        d.log("barge_in", "resume", intent=intent.value)
        floor.resume(d, "words")


def _answers_question(d: Draft, intent: Intent) -> bool:
    """A short word over the end of a question is its answer, not a backchannel."""
    playing = d.agent.playing
    return (
        intent is Intent.BACKCHANNEL
        and playing is not None
        and playing.text.rstrip("\"'”’ ").endswith("?")
    )


# ------------------------------------------------------------------------------------ keys


def caller_presses(d: Draft, event: DigitReceived) -> None:
    """A key is part of the caller's turn, and a wish for the floor."""
    last = event.digit in d.state.settings.turn.digit_terminators
    alone = last and not d.caller.digits
    digits = d.caller.digits if last and not alone else d.caller.digits + event.digit
    d.set_caller(digits=digits, digit_us=d.now, digits_done=last)
    phase = d.state.phase
    if phase in _AGENT_HAS_FLOOR:
        if _withdrawable(d) or interruptible(d.state, d.now):
            d.log("barge_in", "cut", by="digit")
            floor.cut(d, AfterCut.LISTEN)
        return
    opening.drop_speculation(d)
    if phase is Phase.LISTENING:
        d.set(phase=Phase.ENDPOINTING)


# ------------------------------------------------------------------------- the end of the turn


def decide_turn(d: Draft) -> None:
    """The caller's turn is over: answer it, or ask again when nothing was understood."""
    caller = d.caller
    if not caller.text:
        _nothing_understood(d)
        return
    wait = endpoint_wait(caller.text, caller.probability, d.state.settings.turn)
    d.log(
        "endpoint",
        "end_of_turn",
        looks=wait.looks.value,
        silence_ms=(d.now - caller.ended_us) // 1000 if caller.ended_at is not None else 0,
        shortened=wait.shortened,
        final=not d.state.awaits_final,
        digits=len(caller.digits),
    )
    stamps = Stamps(
        caller_end_at=caller.ended_at,
        caller_end_us=caller.ended_us,
        endpoint_us=d.now,
        stt_final_us=caller.final_us,
    )
    agent = d.state.agent
    if agent is not None and agent.prompt != caller.text:
        opening.drop_speculation(d)
    floor.commit_caller(d)
    d.set(reprompts=0, silences=0, greet_at_us=None, answer_due=False)
    if d.state.agent is not None:
        opening.adopt(d, stamps)
    else:
        opening.start_reply(d, UtteranceKind.REPLY, stamps)


def _nothing_understood(d: Draft) -> None:
    caller, settings = d.caller, d.state.settings
    spoke_ms = (caller.ended_us - caller.started_us) // 1000
    failed = caller.stt_failed or d.state.awaits_final
    opening.drop_speculation(d)
    floor.forget_caller(d)
    if not failed and spoke_ms < settings.turn.noise_ms:
        d.log("endpoint", "noise", spoke_ms=spoke_ms)
        d.set(phase=Phase.LISTENING)
        return
    d.set(reprompts=d.state.reprompts + 1)
    d.log("endpoint", "not_understood", failed=failed, reprompts=d.state.reprompts)
    kind = FailureClass.STT_UNAVAILABLE if failed else FailureClass.STT_GARBAGE
    retries = d.state.reprompts - 1
    lines = settings.lines
    if retries >= settings.max_reprompts:
        utterance = closing.say_last(d, "not_understood", lines.not_understood_goodbye)
        failure = Failure(kind, fatal=True)
        closing.report(d, failure, retries, "not_understood_goodbye", utterance)
        return
    index = d.state.reprompts_said % len(lines.reprompts)
    d.set(reprompts_said=d.state.reprompts_said + 1)
    utterance = opening.say_alone(d, lines.reprompts[index], UtteranceKind.REPROMPT)
    closing.report(d, Failure(kind), retries, f"reprompts.{index}", utterance)
