"""Handlers: what is asked of the conversation from outside: texts, notes, hold, stop.

Texts and lines wait until nobody has the floor, or until the agent's open turn can take them;
`take_up` is the one place where they come out.
"""

from __future__ import annotations

from dataclasses import replace

from mediacore.call import closing, floor, on_caller, opening
from mediacore.call.actions import HoldOver
from mediacore.call.context import ContextEntry, Role, mended, with_user
from mediacore.call.draft import Draft
from mediacore.call.inputs import (
    ConversationStopped,
    Event,
    HistoryChanged,
    HoldEnded,
    HoldStarted,
    LimitReached,
    LineSaid,
    NoteGiven,
    SettingsChanged,
    TextGiven,
    TranscriptFinal,
    TranscriptPartial,
)
from mediacore.call.record import UtteranceKind
from mediacore.call.state import (
    AfterCut,
    CallState,
    Ending,
    Hold,
    Phase,
    agent_phase,
)
from mediacore.events import DigitReceived, SpeechEnded, SpeechStarted

# ---------------------------------------------------------------------------- texts and notes


def text_given(d: Draft, event: TextGiven) -> None:
    """Answered like the caller's own words, after whoever has the floor now."""
    text = event.text.strip()
    if text:
        d.set(given=(*d.state.given, text))


def line_said(d: Draft, event: LineSaid) -> None:
    """Said behind what the agent says now, or by itself. Not on hold, nor after a goodbye."""
    ending = d.state.ending
    if d.state.phase is Phase.ON_HOLD or d.state.hold is not None:
        d.log("say", "refused", why="on_hold")
    elif ending is not None and not ending.more:
        d.log("say", "refused", why="closing")
    elif event.text.strip():
        d.set(lines=(*d.state.lines, event))


def note_given(d: Draft, event: NoteGiven) -> None:
    """Goes into the context; a reply to it waits for the floor."""
    if event.role is Role.TOOL:
        d.log("note", "refused", role=event.role.value)
        return
    opening.drop_speculation(d)
    context = d.state.context
    if event.role is Role.USER:
        context = with_user(context, event.text)
    else:
        context = (*context, ContextEntry(event.role, event.text))
    d.set(context=context, answer_due=d.state.answer_due or event.respond)
    d.log("note", "taken", role=event.role.value, respond=event.respond)


def history_changed(d: Draft, event: HistoryChanged) -> None:
    """Another context from now on; the open turn still adds to it what belongs to it."""
    opening.drop_speculation(d)
    context = mended(event.context)
    d.set(context=context, answer_due=d.state.answer_due or event.respond)
    agent = d.state.agent
    if agent is not None and event.forget_open:
        unfinished = agent.replying or any(
            t.result is None for t in agent.tools if t.round == agent.round
        )
        d.set_agent(from_round=agent.round if unfinished else agent.round + 1)
    d.log("history", "changed", entries=len(context), forget_open=event.forget_open)


def settings_changed(d: Draft, event: SettingsChanged) -> None:
    """Other rules, also for what plays now."""
    d.set(settings=event.settings)
    agent = d.state.agent
    if agent is not None and agent.playing is not None:
        opening.arm(d, agent.playing.kind)


def waiting(state: CallState) -> bool:
    """Something that waited can be said or answered now."""
    if state.phase is Phase.LISTENING:
        return bool(state.lines or state.given or state.answer_due)
    ending = state.ending
    if state.phase is Phase.CLOSING and ending is not None and not ending.more:
        return False
    return bool(state.lines) and state.phase in (Phase.THINKING, Phase.SPEAKING, Phase.CLOSING)


def take_up(d: Draft) -> None:
    """Say the lines; or else answer the texts and notes."""
    lines = d.state.lines
    if lines:
        d.set(lines=())
        if d.state.phase is Phase.LISTENING:
            opening.open_turn(d, UtteranceKind.SAY)
        for line in lines:
            kind = UtteranceKind.SAY if line.interruptible else UtteranceKind.SCRIPT
            opening.say(d, line.text, kind)
        return
    given = d.state.given
    d.set(given=(), answer_due=False, silences=0, greet_at_us=None)
    for text in given:
        floor.take_text(d, text)
    opening.start_reply(d, UtteranceKind.REPLY)


# ------------------------------------------------------------------------------------- hold


def hold_started(d: Draft, event: HoldStarted) -> None:
    """The agent stops at once and hears nothing. Not when time is up."""
    ending = d.state.ending
    if ending is not None and not ending.interruptible:
        d.log("hold", "refused", why="closing")
        return
    until_us = d.now + event.limit_ms * 1000 if event.limit_ms > 0 else None
    d.set(hold=Hold(d.now, until_us), lines=())
    if d.state.phase is Phase.ON_HOLD:
        d.log("hold", "renewed")
        return
    opening.drop_speculation(d)
    floor.cut(d, AfterCut.HOLD)


def hold_ended(d: Draft, event: HoldEnded) -> None:
    """The caller has the floor again."""
    _leave_hold(d, event.line)


def hold_called_off(d: Draft, event: HoldEnded) -> None:
    """Before the cut was confirmed: then there is no hold."""
    running = d.state.interruption
    if d.state.hold is None or running is None:
        d.log("hold", "none")
        return
    d.set(hold=None)
    if running.then is AfterCut.HOLD:
        d.set(interruption=replace(running, then=AfterCut.LISTEN))
    if event.line.strip():
        d.set(lines=(*d.state.lines, LineSaid(event.line)))


def hold_over(d: Draft) -> None:
    """The hold's limit: the agent is back."""
    d.emit(HoldOver())
    _leave_hold(d, d.state.settings.lines.hold_over, by="limit")


def _leave_hold(d: Draft, line: str, by: str = "request") -> None:
    hold = d.state.hold
    d.log("hold", "off", by=by, ms=(d.now - (hold.since_us if hold else d.now)) // 1000)
    lines = (LineSaid(line),) if line.strip() else ()
    d.set(hold=None, silences=0, heard_us=d.now, lines=lines)
    d.set_caller(started_us=d.now)
    floor.give_floor(d)


def caller_unheard(d: Draft, event: SpeechStarted | SpeechEnded) -> None:
    """Only noted, so that it is known whether the caller speaks when the hold ends."""
    if isinstance(event, SpeechStarted):
        on_caller.begin(d, event)
    else:
        on_caller.end(d, event)
        floor.forget_caller(d)


def words_unheard(d: Draft, event: TranscriptPartial | TranscriptFinal) -> None:
    """Not for the agent."""
    d.set(consumed_at=max(d.state.consumed_at, event.at))


def key_unheard(d: Draft, event: DigitReceived) -> None:
    """Not for the agent."""
    d.log("hold", "key_ignored")


def nothing_heard(d: Draft, event: Event) -> None:
    """Of no interest."""


# ------------------------------------------------------------------------------------- stop


def conversation_stopped(d: Draft, event: ConversationStopped) -> None:
    """The end, at once or with the open turn. The caller can not prevent it."""
    d.log("end_call", "stop_asked", reason=event.reason, now=event.now, hangup=event.hangup)
    opening.drop_speculation(d)
    state = d.state
    if state.phase is Phase.NEW:
        closing.end_call(d, event.reason, by="stop", hangup=event.hangup)
        return
    more = state.ending is None or state.ending.more
    d.set(ending=Ending(event.reason, interruptible=False, hangup=event.hangup, more=more))
    if event.now or state.agent is None:
        floor.cut(d, AfterCut.STOP)
        return
    if state.phase is not Phase.PAUSED:
        d.set(phase=agent_phase(d.state))
    playing = d.agent.playing
    opening.arm(d, playing.kind if playing else d.agent.kind)


def limit_reached(d: Draft, event: LimitReached) -> None:
    """A limit beyond the conversation was reached: the scripted goodbye, once."""
    if d.state.limit:
        d.log("end_call", "limit_already", reason=event.reason)
    elif d.state.phase is Phase.NEW:
        closing.end_call(d, event.reason, by="limit")
    else:
        floor.time_up(d, event.reason)
