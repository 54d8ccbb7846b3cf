"""What a conversation's decisions mean for the call.

Drained after the event that caused them, in order. A decision of a run or a turn that is over by
then is refused here: a reply that nobody waits for is never asked for.
"""

from __future__ import annotations

from mediacore.assistant import legality
from mediacore.assistant import session as assistant
from mediacore.call import actions as talk
from mediacore.call.context import ContextEntry, Role
from mediacore.call.record import Speaker, UtteranceKind
from mediacore.runtime import afterward, agent, gate, ordering, spending, tools, turns
from mediacore.runtime.actions import AskModel, Publish, ToolView
from mediacore.runtime.draft import Decision, Draft
from mediacore.runtime.reading import real
from mediacore.runtime.state import AiRun


def carry_out(d: Draft, run_id: int, decision: Decision) -> None:
    """One decision of the conversation."""
    run = d.state.run
    if run is None or run.id != run_id:
        if not isinstance(decision, talk.ConversationOver):
            d.refuse("stale_decision", kind=type(decision).__name__)
        return
    match decision:
        case talk.StartReply():
            _ask(d, decision)
        case talk.CallTool():
            tools.call(d, decision)
        case talk.ConversationOver(reason, hangup):
            d.set_run(end_reason=run.end_reason or reason, hangup=run.hangup or hangup)
            _over(d)
        case talk.HoldOver():
            d.set_run(held=False)
            d.publish("ai", run.line, {"control_id": run.op, "state": "unhold"})
        case talk.ErrorRaised():
            _failed(d, decision)
        case talk.TurnCompleted(turn):
            if turn.speaker is Speaker.CALLER:
                turns.caller_turn(d)
                gate.caller_said(d, turn.text)
            else:
                ordering.carry_out(d, turns.agent_turn(d, turn))
        case talk.Speak(text=text):
            spending.spoke(d, len(text))


def _ask(d: Draft, action: talk.StartReply) -> None:
    open_turn = d.run.talk.agent
    if open_turn is None or open_turn.generation != action.generation or not open_turn.replying:
        d.refuse("stale_reply", generation=action.generation)
        return
    if gate.answers(d, action.generation) or not spending.may_ask(d, action):
        return
    run = d.run
    context = action.context
    if run.hint:
        context = (*context, ContextEntry(Role.SYSTEM, run.hint))
        d.set_run(hint="")
    knobs = run.session.config.prompt
    limit = action.max_tokens or _whole(knobs.knob("max_tokens"), 256)
    d.emit(
        AskModel(
            run.id,
            action.generation,
            assistant.system_prompt(run.session),
            context,
            _tools(run),
            real(knobs.knob("temperature"), 1.0),
            real(knobs.knob("top_p"), 1.0),
            limit,
        )
    )


def _tools(run: AiRun) -> tuple[ToolView, ...]:
    """What the model may use for this reply: nothing for a goodbye, nor to ask a silent caller
    unless the document allows it."""
    agent = run.talk.agent
    silent = agent is not None and agent.kind is UtteranceKind.REPROMPT
    if run.last or (silent and run.session.param("functions_on_no_response") is not True):
        return ()
    return tuple(ToolView(t.name, t.description, t.parameters) for t in legality.tools(run.session))


def _whole(value: object, default: int) -> int:
    return int(value) if isinstance(value, int | float) else default


def _over(d: Draft) -> None:
    """The conversation has decided that it is over."""
    run = d.run
    agent.over(d, run.end_reason or "completed")
    if afterward.rescuing(d.state, run.id):
        return
    if run.follow is not None and not run.hangup:
        d.follow = (run.line, run.follow)
    elif run.hangup:
        d.hang_up = (run.line, "hangup")


def _failed(d: Draft, action: talk.ErrorRaised) -> None:
    run = d.run
    d.set_run(errors=(*run.errors, action))
    d.emit(Publish("calling.ai.error", run.line, afterward.error_body(run, action)))
