"""Between the turns: what a step does once the agent has spoken, silences that were ordered, and
what the model does not see any more."""

from __future__ import annotations

from dataclasses import replace

from mediacore.assistant import moves
from mediacore.assistant import orders as o
from mediacore.assistant import session as assistant
from mediacore.call.inputs import HistoryChanged, SettingsChanged
from mediacore.call.record import Turn, UtteranceKind, UtteranceState
from mediacore.call.state import Phase
from mediacore.runtime import stages, talking
from mediacore.runtime.draft import Draft

_CALLER_HAS_FLOOR = (Phase.CALLER_SPEAKING, Phase.ENDPOINTING, Phase.ENDED)


def agent_turn(d: Draft, turn: Turn) -> o.Orders:
    """The agent has finished a turn. What its step orders then.

    Canned lines are no turns of a step, nor is what the caller has cut off.
    """
    run = d.run
    if run.talk.phase is Phase.ENDED or run.talk.ending is not None or run.follow is not None:
        return ()
    kinds = {UtteranceKind.REPLY}
    if not run.talk.settings.greeting:
        kinds.add(UtteranceKind.GREETING)
    spoken = [u for u in turn.utterances if u.kind in kinds]
    if not spoken or any(u.state is not UtteranceState.FINISHED for u in spoken):
        return ()
    session, orders = moves.after_turn(run.session)
    d.set_run(session=session)
    stages.enter_stage(d)
    if run.stays:
        return tuple(order for order in orders if not isinstance(order, o.ExtraTurn))
    return orders


def caller_turn(d: Draft) -> None:
    """The caller has spoken: silences are over, and the guard against loops starts anew."""
    run = d.run
    d.set_run(session=assistant.user_spoke(run.session), stays=False, quiet_until_us=None)
    patient(d, on=False)


def wait(d: Draft, order: o.WaitForUser) -> None:
    """The caller is to speak next, within some seconds if a number is given."""
    if not order.enabled:
        d.set_run(stays=False, quiet_until_us=None)
        return
    d.set_run(stays=True)
    if order.count:
        pause(d, order.count)


def pause(d: Draft, seconds: int) -> None:
    """Say nothing for so long; the caller speaking ends it."""
    d.set_run(quiet_until_us=d.now + seconds * 1_000_000)
    patient(d, on=True)


def quiet_over(d: Draft) -> None:
    """The silence that was ordered is over: the agent goes on, unless the caller speaks."""
    d.set_run(quiet_until_us=None, stays=False)
    if d.run.talk.phase not in _CALLER_HAS_FLOOR:
        d.log("pause", "over", run=d.run.id)
        talking.feed(d, HistoryChanged(d.run.talk.context, respond=True))
    if d.state.run is not None:
        patient(d, on=False)


def patient(d: Draft, *, on: bool) -> None:
    """Whether the caller may be silent without being asked."""
    run = d.run
    settings = run.talk.settings
    if on and run.patient is None:
        d.set_run(patient=settings.dead_air_ms)
        talking.feed(d, SettingsChanged(replace(settings, dead_air_ms=0)))
    elif not on and run.patient is not None:
        d.set_run(patient=None)
        dead_air_ms = settings.dead_air_ms or run.patient
        talking.feed(d, SettingsChanged(replace(settings, dead_air_ms=dead_air_ms)))


def hide(d: Draft, order: o.HideHistory) -> None:
    """The model does not see any more what was said; the record and the summary keep it."""
    run = d.run
    context = run.talk.context
    keep = 0 if order.scope == "all" else min(run.gather_from or 0, len(context))
    d.set_run(hidden=run.hidden + context[keep:])
    talking.feed(d, HistoryChanged(context[:keep], forget_open=True))
