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
from mediacore.flow.source import DocumentError
from mediacore.runtime import agent, flows, gate, talking
from mediacore.runtime.actions import (
    ChangeVoice,
    PlayItem,
    Publish,
    StartBed,
    StartHearing,
    StopBed,
)
from mediacore.runtime.documents import inline_document
from mediacore.runtime.draft import Draft

_LEAVES = (o.HangUp, o.TransferTo, o.Hold, o.Stop)
_ENOUGH = (*_LEAVES, o.WaitForUser, o.Pause)


def wants_reply(orders: Sequence[object]) -> bool:
    """Whether the model is to go on after the tool: not when its action takes the caller away."""
    for order in orders:
        if isinstance(order, _ENOUGH) or (isinstance(order, o.RunDocument) and order.transfer):
            return False
    return True


def replacement(orders: Sequence[object]) -> str | None:
    """What stands in the history instead of the tool's call and result; None = they stay."""
    for order in orders:
        if isinstance(order, o.ReplaceHistory):
            return order.text or ""
    return None


def carry_out(d: Draft, orders: Sequence[object]) -> None:
    """Carry out orders one after the other, as long as the conversation is there."""
    for order in orders:
        run = d.state.run
        if run is None:
            d.refuse("order_after_the_end", order=type(order).__name__)
            continue
        _one(d, order)


def _one(d: Draft, order: object) -> None:
    run = d.run
    match order:
        case o.Say(text):
            talking.feed(d, LineSaid(text))
        case o.SayFiller(_, fillers):
            said = pick_filler(fillers, d.state.settings.language, run.talk.fillers_said)
            if said:
                talking.feed(d, LineSaid(said))
        case o.Stop():
            talking.end(d, "stopped", now=False, hangup=False)
        case o.HangUp():
            if gate.may_end(d):
                talking.end(d, "hangup", now=False, hangup=True)
        case o.Hold(seconds):
            agent.hold(d, run.line, seconds * 1000)
        case o.UserInput(text):
            talking.feed(d, TextGiven(text))
        case o.RunDocument(value, transfer):
            _document(d, value, transfer=transfer)
        case o.TransferTo(dest):
            _document(d, [{"transfer": {"dest": dest}}], transfer=True)
        case o.PlayBackground(url):
            d.emit(StartBed(run.line, (PlayItem("audio", url),)))
        case o.StopBackground():
            d.emit(StopBed(run.line))
        case o.UserEvent(data):
            body = {"call_id": run.line, "event": dict(data)}
            d.emit(Publish("calling.user_event", run.line, body))
        case o.ClearConversation():
            _clear(d, order)
        case o.HideHistory():
            talking.feed(d, HistoryChanged((), forget_open=False))
        case o.Tune(settings):
            _tune(d, settings)
        case o.Hints(hints):
            d.emit(StartHearing(run.line, d.state.settings.language, hint_words(hints)))
        case o.ChangeVoice(voice):
            d.emit(ChangeVoice(run.id, voice))
        case o.ExtraTurn():
            talking.feed(d, HistoryChanged(run.talk.context, respond=True))
        case _:
            pass  # ReplaceHistory went with the tool's result; waiting is the absence of a reply


def _document(d: Draft, value: object, *, transfer: bool) -> None:
    run = d.run
    try:
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


def _clear(d: Draft, order: o.ClearConversation) -> None:
    context = talking.summary_of(d.run.talk.context) if order.consolidate else ()
    if order.user_prompt:
        context = with_user(context, order.user_prompt)
    respond = bool(order.user_prompt)
    talking.feed(d, HistoryChanged(context, forget_open=order.full_reset, respond=respond))


def _tune(d: Draft, settings: Mapping[str, object]) -> None:
    run = d.run
    talking.feed(d, SettingsChanged(tuned(run.talk.settings, settings)))
    d.set_run(session=replace(d.run.session, settings={**d.run.session.settings, **settings}))
