"""The way into the conversation, and what it decides on its way out.

What only concerns the line's voice passes through at once. What touches the rest of the call is
put into `Draft.decisions` and drained by `conversing`, so that nothing below needs to know it.
"""

from __future__ import annotations

from dataclasses import replace

from mediacore.assistant.words import apply_hints
from mediacore.call import actions as talk
from mediacore.call.context import Context, ContextEntry, Role
from mediacore.call.inputs import (
    ConversationStopped,
    Event,
    NoteGiven,
    SttFailed,
    TranscriptFinal,
    TranscriptPartial,
    Wake,
)
from mediacore.call.state import Phase
from mediacore.call.step import step as talk_step
from mediacore.call.timers import next_deadline
from mediacore.runtime import private
from mediacore.runtime.actions import Log, Talk
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import AiRun, Stage

_SILENT = (Phase.LISTENING, Phase.ON_HOLD)


def feed(d: Draft, event: Event) -> None:
    """Give the conversation an event."""
    run = d.state.run
    if run is None or run.talk.phase is Phase.ENDED:
        return
    state, actions = talk_step(run.talk, event, d.now)
    d.set_run(talk=state)
    for action in actions:
        match action:
            case talk.LogDecision(name, verdict, evidence):
                d.emit(Log(name, verdict, evidence))
            case talk.Speak(text=text):
                d.set_run(spoken_chars=d.run.spoken_chars + len(text))
                d.emit(Talk(run.id, run.line, action))
                d.decisions.append((run.id, action))
            case talk.TurnCompleted(turn):
                d.emit(Talk(run.id, run.line, talk.TurnCompleted(private.kept(d, turn))))
                d.decisions.append((run.id, action))
            case (
                talk.StartReply()
                | talk.CallTool()
                | talk.ConversationOver()
                | talk.HoldOver()
                | talk.ErrorRaised()
            ):
                d.decisions.append((run.id, action))
            case _:
                d.emit(Talk(run.id, run.line, action))


def corrected(
    run: AiRun, result: TranscriptPartial | TranscriptFinal | SttFailed
) -> TranscriptPartial | TranscriptFinal | SttFailed:
    """Recognised words with the document's replacements."""
    hints = (*run.session.config.hints, *run.session.hints)
    if isinstance(result, SttFailed) or not any(h.pattern for h in hints):
        return result
    return replace(result, text=apply_hints(result.text, hints))


def deadline_us(run: AiRun) -> int | None:
    """When the conversation wants to be woken."""
    if run.stage is Stage.OPENING or run.talk.phase in (Phase.NEW, Phase.ENDED):
        return None
    return next_deadline(run.talk)


def wake(d: Draft) -> None:
    """Time has passed."""
    feed(d, Wake())


def later_due(run: AiRun) -> bool:
    """Orders that waited for the agent to have spoken once more are due."""
    ready = run.stage is Stage.TALKING and run.talk.phase in _SILENT
    return bool(run.later) and ready and run.talk.agent is None


def instruct(d: Draft, text: str) -> None:
    """Tell the model something and let it speak."""
    feed(d, NoteGiven(Role.SYSTEM, text, respond=True))


def end(d: Draft, reason: str, *, now: bool, hangup: bool) -> None:
    """End the conversation, at once or after the present turn."""
    feed(d, ConversationStopped(reason, now=now, hangup=hangup))


def summary_of(context: Context, limit: int = 40) -> Context:
    """The end of a context as it is kept when history is consolidated: what both said."""
    kept = [e for e in context if e.role in (Role.USER, Role.ASSISTANT) and e.text]
    return tuple(ContextEntry(e.role, e.text) for e in kept[-limit:])
