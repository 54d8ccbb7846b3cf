"""Orders of the assistant (`assistant.orders`) as steps of the call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mediacore.assistant import orders as o
from mediacore.assistant.settings import tuned
from mediacore.assistant.words import hint_words, pick_filler
from mediacore.call.context import with_user
from mediacore.call.inputs import (
    HistoryChanged,
    LineSaid,
    SettingsChanged,
    TextGiven,
)
from mediacore.call.record import UtteranceKind
from mediacore.call.transcript import context_so_far
from mediacore.flow.source import DocumentError
from mediacore.runtime import agent, beds, flows, gate, talking, turns
from mediacore.runtime.actions import ChangeVoice, Publish, StartHearing
from mediacore.runtime.documents import go_on_with, inline_document
from mediacore.runtime.draft import Draft

_LEAVES = (o.HangUp, o.TransferTo, o.Hold, o.Stop)
_ENOUGH = (*_LEAVES, o.WaitForUser, o.Pause)
_HISTORY = (o.ClearConversation, o.HideHistory)


def wants_reply(orders: Sequence[object]) -> bool:
    """Whether the model is to go on after the tool: not when its action takes the caller away."""
    for order in orders:
        if isinstance(order, o.WaitForUser) and (order.answer_first or not order.enabled):
            continue
        if isinstance(order, _ENOUGH) or (isinstance(order, o.RunDocument) and order.transfer):
            return False
    return True


def has_words(orders: Sequence[object]) -> bool:
    """The orders bring words that the model is to answer, although the tool said nothing."""
    return any(isinstance(order, o.ClearConversation) and order.user_prompt for order in orders)


def replacement(orders: Sequence[object]) -> str | None:
    """What stands in the history instead of the tool's call and result; None = they stay."""
    for order in orders:
        if isinstance(order, o.ReplaceHistory):
            return order.text or ""
    return None


def before_result(d: Draft, orders: Sequence[object]) -> None:
    """What changes the history comes before the tool's result, which the model then gets on it."""
    for order in orders:
        if d.state.run is not None and isinstance(order, _HISTORY):
            _history(d, order, respond=False)


def carry_out(d: Draft, orders: Sequence[object], *, after_result: bool = False) -> None:
    """Carry out orders one after the other, as long as the conversation is there.

    after_result: those of `before_result` are done.
    """
    for order in orders:
        run = d.state.run
        if run is None:
            d.refuse("order_after_the_end", order=type(order).__name__)
        elif isinstance(order, _HISTORY):
            if not after_result:
                _history(d, order, respond=True)
        else:
            _one(d, order)


def _one(d: Draft, order: object) -> None:
    match order:
        case o.Stop():
            talking.end(d, "stopped", now=False, hangup=False)
        case o.HangUp():
            _hang_up(d, order)
        case o.RunDocument(value, transfer):
            _document(d, value, transfer=transfer)
        case o.TransferTo(dest, summarize):
            if summarize:
                d.set(handover=talking.summary_of(d.run.hidden + context_so_far(d.run.talk)))
            _document(d, dest, transfer=True)
        case o.UserEvent(data):
            body = {"call_id": d.run.line, "event": dict(data)}
            d.emit(Publish("calling.user_event", d.run.line, body))
        case o.Tune(settings):
            _tune(d, settings)
        case o.ExtraTurn():
            talking.feed(d, HistoryChanged(d.run.talk.context, respond=True))
        case _:
            _on_line(d, order)


def _on_line(d: Draft, order: object) -> None:
    """Orders about what the caller hears, and when."""
    run = d.run
    match order:
        case o.Say(text):
            talking.feed(d, LineSaid(text))
        case o.SayFiller(_, fillers):
            said = pick_filler(fillers, run.language, run.talk.fillers_said)
            if said:
                talking.feed(d, LineSaid(said))
        case o.UserInput(text):
            talking.feed(d, TextGiven(text))
        case o.Hold(seconds):
            agent.hold(d, run.line, seconds * 1000)
            if d.state.run is not None and d.run.held:
                d.set_run(hold=order)
        case o.Pause(seconds):
            turns.pause(d, seconds)
        case o.WaitForUser():
            turns.wait(d, order)
        case o.PlayBackground(url, wait):
            d.set_run(playback=url, bed=None)
            beds.update(d)
            turns.patient(d, on=wait)
        case o.StopBackground():
            d.set_run(playback="")
            beds.update(d)
            turns.patient(d, on=False)
        case o.Hints(hints):
            d.emit(StartHearing(run.line, run.language, hint_words(hints)))
        case o.ChangeVoice(voice):
            d.emit(ChangeVoice(run.id, voice))
        case gate.GoOn():
            gate.go_on(d, order)
        case _:
            pass  # ReplaceHistory went with the tool's result


def _hang_up(d: Draft, order: o.HangUp) -> None:
    """The end, with the document's closing unless the agent has said something in this turn."""
    if not gate.may_end(d, order.reason):
        return
    run = d.run
    closing = gate.closing_of(run)
    agent_turn = run.talk.agent
    spoken = agent_turn.utterances if agent_turn is not None else ()
    if closing and all(u.kind is UtteranceKind.FILLER for u in spoken) and not run.last:
        talking.feed(d, LineSaid(closing, interruptible=False))
    d.set_run(last=True)
    talking.end(d, order.reason, now=False, hangup=True)


def _history(d: Draft, order: o.ClearConversation | o.HideHistory, *, respond: bool) -> None:
    if isinstance(order, o.HideHistory):
        turns.hide(d, order)
        return
    run = d.run
    context = talking.summary_of(run.talk.context) if order.consolidate else ()
    d.set_run(hidden=run.hidden + run.talk.context)
    if order.user_prompt:
        context = with_user(context, order.user_prompt)
    wants = respond and bool(order.user_prompt)
    talking.feed(d, HistoryChanged(context, forget_open=order.full_reset, respond=wants))


def _document(d: Draft, value: object, *, transfer: bool) -> None:
    run = d.run
    try:
        if transfer and isinstance(value, str):
            sorry = d.state.settings.talk.lines.failure_goodbye
            document = go_on_with(value, sorry, "transfer")
        else:
            document = inline_document(value, "inline")
    except DocumentError as error:
        flows.warn(d, run.line, error.code, str(error))
        return
    if transfer:
        d.set_run(follow=document)
        d.log("ai", "transfer", run=run.id)
        talking.end(d, "transfer", now=False, hangup=False)
        return
    d.errands.append(flows.begin(d, document, run.line, flows.ERRAND).id)


def _tune(d: Draft, settings: Mapping[str, object]) -> None:
    run = d.run
    talking.feed(d, SettingsChanged(tuned(run.talk.settings, settings)))
    d.set_run(session=replace(d.run.session, settings={**d.run.session.settings, **settings}))
