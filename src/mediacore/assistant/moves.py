"""Transitions between steps and contexts, and what they ask of the conversation.

Who may go where: the model only along the legal list (`ask_step`, `ask_context`); the application's
actions, a finished gather and automatic advance to any stage that exists (`go_step`, `go_context`).
Every transition and every refused one is entered into the trail.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from mediacore.assistant.gather import NEXT_STEP, Answer, GatherState, check_answer, stored
from mediacore.assistant.hidden import expand_visible
from mediacore.assistant.orders import (
    ClearConversation,
    ExtraTurn,
    HideHistory,
    Hold,
    Order,
    Orders,
    SayFiller,
    UserInput,
)
from mediacore.assistant.session import (
    AiSession,
    SystemOverride,
    enter,
    legal_contexts,
    legal_steps,
    noted,
)
from mediacore.assistant.stages import NEXT, Context, Step
from mediacore.assistant.words import Fillers

Trigger = Literal["ai_function", "webhook_action", "gather_complete", "auto_advance"]
LONGEST_NAME = 64
Moved = tuple[AiSession, Orders]


def ask_step(session: AiSession, name: str) -> tuple[AiSession, Orders, bool]:
    """A transition that the model asks for; the last value says whether it was made.

    An empty name means the only legal step, if there is one only.
    """
    legal = legal_steps(session)
    context = session.current_context()
    target = legal[0] if not name and len(legal) == 1 else name
    if context is not None and target == NEXT:
        target = context.resolve(NEXT, session.step)
    if target not in legal:
        return (*_refuse(session, "step", name), False)
    return (*go_step(session, target, "ai_function"), True)


def ask_context(session: AiSession, name: str) -> tuple[AiSession, Orders, bool]:
    """A change of context that the model asks for; the last value says whether it was made."""
    legal = legal_contexts(session)
    target = legal[0] if not name and len(legal) == 1 else name
    if target not in legal:
        return (*_refuse(session, "context", name), False)
    return (*go_context(session, target, "ai_function"), True)


def _refuse(session: AiSession, what: str, name: str, trigger: Trigger = "ai_function") -> Moved:
    facts = {"to": name[:LONGEST_NAME], "from": session.step, "trigger": trigger}
    return noted(session, "transition_refused", kind_of=what, **facts), ()


def go_step(session: AiSession, name: str, trigger: Trigger) -> Moved:
    """Go to a step of the current context, by name or "next"; refused only if there is none."""
    context = session.current_context()
    target = "" if context is None else context.resolve(name, session.step)
    if context is None or not target:
        return _refuse(session, "step", name, trigger)
    session, left = _leave(session)
    session, entered = _enter(session, context, target, trigger)
    return session, (*left, *entered)


def go_context(session: AiSession, name: str, trigger: Trigger) -> Moved:
    """Go to a context; refused only if there is none of that name."""
    contexts = session.config.contexts
    target = None if contexts is None else contexts.items.get(name)
    before = session.current_context()
    if target is None:
        return _refuse(session, "context", name, trigger)
    session, left = _leave(session)
    orders: list[Order] = [*_filler(session, "exit", before.exit_fillers if before else {}), *left]
    orders.extend(_filler(session, "enter", target.enter_fillers))
    if target.system_prompt:
        override = SystemOverride(target.system_prompt, target.full_reset)
        session = replace(session, override=override)
    orders.extend(_on_entry(session, target, cleared=bool(left)))
    session = noted(session, "context_enter", context=name, trigger=trigger)
    session, entered = _enter(session, target, target.first(), trigger)
    return session, (*orders, *entered)


def _on_entry(session: AiSession, context: Context, cleared: bool) -> Orders:
    text = expand_visible(context.user_prompt, session.visible).text
    wants = context.system_prompt or context.consolidate or context.full_reset
    # A reset of the step that was left takes the place of the wipe of an isolated context.
    if wants or (context.isolated and not cleared):
        return (ClearConversation(context.consolidate, context.full_reset, text),)
    return (UserInput(text),) if text else ()


def _filler(session: AiSession, kind: Literal["enter", "exit"], fillers: Fillers) -> Orders:
    spoken = {
        language: tuple(expand_visible(phrase, session.visible).text for phrase in phrases)
        for language, phrases in fillers.items()
    }
    return (SayFiller(kind, spoken),) if spoken else ()


def _enter(session: AiSession, context: Context, name: str, trigger: Trigger) -> Moved:
    facts = {"from": session.step, "to": name, "trigger": trigger}
    session = noted(session, "step_change", context=context.name, **facts)
    session = enter(session, context, name)
    step = session.current_step()
    hidden = step is not None and step.history == "hide"
    return session, ((HideHistory("all"),) if hidden else ())


def _leave(session: AiSession) -> Moved:
    step = session.current_step()
    session = replace(session, gather=None)
    if step is None or step.reset is None:
        return session, ()
    reset = step.reset
    if reset.system_prompt:
        override = SystemOverride(reset.system_prompt, reset.full_reset)
        session = replace(session, override=override)
    text = expand_visible(reset.user_prompt, session.visible).text
    session = noted(session, "reset", step=step.name, consolidate=reset.consolidate)
    return session, (ClearConversation(reset.consolidate, reset.full_reset, text),)


def after_turn(session: AiSession) -> Moved:
    """The agent finished a turn in this step: advance, leave step mode, or skip the caller's turn.

    A step skips the caller's turn once for each time that it is entered.
    """
    step = session.current_step()
    if step is None:
        return session, ()
    session = replace(session, turns=session.turns + 1)
    context = session.current_context()
    if session.question() is not None or context is None:
        return session, ()
    if step.skip_to_next_step and context.after(step.name):
        session, orders = go_step(session, context.after(step.name), "auto_advance")
        return session, (*orders, ExtraTurn("auto_advance"))
    orders = (ExtraTurn("skip_user_turn"),) if step.skip_user_turn and session.turns == 1 else ()
    if not step.end:
        return session, orders
    session, left = _leave(session)
    session = noted(session, "step_end", context=session.context, step=step.name)
    return replace(session, step="", turns=0, kept=()), (*left, *orders)


def hold_ended(session: AiSession, hold: Hold, timed_out: bool) -> Moved:
    """The caller is off hold: go to the step that the hold named, if any, and speak."""
    name = hold.timeout_step if timed_out else hold.step
    session = noted(session, "hold_end", timed_out=timed_out)
    if not name:
        return session, ()
    session, orders = go_step(session, name, "webhook_action")
    return session, (*orders, ExtraTurn("hold_ended"))


def submit_answer(
    session: AiSession, arguments: dict[str, object]
) -> tuple[AiSession, Orders, str]:
    """Take the answer to the open question; the last value is what the model is told."""
    question, step = session.question(), session.current_step()
    if question is None or step is None or step.gather is None or session.gather is None:
        return noted(session, "gather_reject", reason="no_question"), (), "No question is open."
    answer: Answer = check_answer(question, arguments)
    if answer.problem:
        rejected = noted(session, "gather_reject", key=question.key, reason=answer.reason)
        return rejected, (), answer.problem
    data = stored(session.global_data, step.gather.output_key, question.key, answer.value)
    state = GatherState(session.gather.index + 1, (*session.gather.answered, question.key))
    session = replace(session, global_data=data, gather=state)
    session = noted(session, "gather_answer", key=question.key)
    following = session.question()
    if following is not None:
        session = noted(session, "gather_question", key=following.key)
        hide: Orders = (HideHistory("gather"),) if following.isolated else ()
        return session, hide, "Taken. Go on with the current question."
    session = noted(replace(session, gather=None), "gather_complete", step=step.name)
    session, orders = _completed(session, step)
    return session, orders, "Taken. All questions are answered. Follow the current instructions."


def _completed(session: AiSession, step: Step) -> Moved:
    action = "" if step.gather is None else step.gather.completion_action
    if not action:
        return session, ()
    return go_step(session, NEXT if action == NEXT_STEP else action, "gather_complete")
