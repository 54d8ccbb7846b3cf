"""Runs of `ai` that are over: what is still heard of them, their hook, their summary and payload.

over ─► hangup hook ─► rescue? ─┐
     └► summary ────────────────┴─► at least 400 ms later ─► payload
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mediacore.assistant import orders as o
from mediacore.assistant import session as assistant
from mediacore.assistant import swaig
from mediacore.assistant.effects import apply_all
from mediacore.call.actions import CutPlayout, ErrorRaised, TurnCompleted
from mediacore.call.recovery import ErrorReason, FailureClass
from mediacore.call.step import step as talk_step
from mediacore.call.transcript import context_so_far, turns_so_far
from mediacore.events import MediaEvent, PlayoutEvent
from mediacore.flow.document import Document
from mediacore.flow.source import DocumentError
from mediacore.runtime import ending, flows, hooks
from mediacore.runtime.actions import AskSummary, DeliverPayload, Publish, Talk
from mediacore.runtime.documents import inline_document
from mediacore.runtime.draft import Draft
from mediacore.runtime.inputs import HookReplied
from mediacore.runtime.state import AiRun, RunState

_SUMMARY_MS: Final = 60_000
_SETTLE_MS: Final = 400  # the last words of the leg's ledger come within its playout delay
_RESCUE_MS: Final = 10_000
_FAILED: Final = ("failure", "speech_failed")


def failed(run: AiRun) -> bool:
    """Whether the run ended because a provider could not be had."""
    return run.talk.end_reason in _FAILED


def close(d: Draft, run: AiRun) -> None:
    """Tell the hangup hook, and ask for the summary when somebody wants it.

    After a fatal error the hook may send the caller elsewhere: the line then waits for it.
    """
    hook = run.session.config.function("hangup_hook") or run.session.function("hangup_hook")
    fatal = next((e for e in run.errors if e.fatal and e.reason is not None), None)
    if hook is not None and hooks.address(run.session, hook):
        hooks.run_hook(d, run, hook, fatal=fatal)
        if failed(run) and fatal is not None and not d.line(run.line).over:
            run = replace(run, rescue_us=d.now + _RESCUE_MS * 1000)
            _silence(d, run)
            d.log("rescue", "asked", run=run.id)
    text = assistant.post_prompt(run.session)
    prompt = run.session.config.post_prompt
    run = replace(run, summary_due=bool(text))
    d.set(closing=(*d.state.closing, run))
    if text:
        temperature, limit = 1.0, 256
        if prompt is not None:
            temperature = float(prompt.knob("temperature"))  # type: ignore[arg-type]
            limit = int(prompt.knob("max_tokens"))  # type: ignore[call-overload]
        context = run.hidden + context_so_far(run.talk)
        d.emit(AskSummary(run.id, text, context, temperature, limit))


def _silence(d: Draft, run: AiRun) -> None:
    """The line outlives its agent: what of it would still be heard is cut."""
    if run.talk.agent is not None and run.talk.agent.outstanding:
        d.emit(Talk(run.id, run.line, CutPlayout(run.talk.agent.generation)))


def media(d: Draft, line: str, event: MediaEvent) -> None:
    """The core's last reports complete what was heard of a run that is over."""
    if not isinstance(event, PlayoutEvent) or not d.state.closing:
        return
    d.set(closing=tuple(_reported(d, r, event) if r.line == line else r for r in d.state.closing))


def _reported(d: Draft, run: AiRun, event: PlayoutEvent) -> AiRun:
    talk, actions = talk_step(run.talk, event, d.now)  # type: ignore[arg-type]
    for action in actions:
        if isinstance(action, TurnCompleted):  # a turn in the talk's own list is not given later
            d.emit(Talk(run.id, run.line, action))
    return replace(run, talk=talk)


def rescuing(state: RunState, run_id: int) -> bool:
    """The line of this run waits for the hangup hook's answer."""
    return any(r.id == run_id and r.rescue_us is not None for r in state.closing)


def due_us(run: AiRun) -> int:
    """When the next thing happens to it by itself."""
    if run.rescue_us is not None:
        return run.rescue_us
    wait_ms = _SUMMARY_MS if run.summary_due else _SETTLE_MS
    return (run.closing_us or 0) + wait_ms * 1000


def time_passed(d: Draft) -> None:
    """Deliver what there is, and hang up where nobody came to the rescue."""
    for run in d.state.closing:
        if due_us(run) > d.now:
            continue
        if run.rescue_us is not None:
            _give_up(d, run)
            continue
        if run.summary_due:
            d.log("ai", "summary_missing", run=run.id)
        _deliver(d, run)


def summary_ready(d: Draft, run_id: int, said: str) -> None:
    """The model has answered the post-prompt, or cannot."""
    found = next((r for r in d.state.closing if r.id == run_id and r.summary_due), None)
    if found is None:
        d.refuse("stale_summary", run=run_id)
        return
    run = replace(found, summary=said, summary_due=False)
    _keep(d, run)
    if due_us(run) <= d.now:
        _deliver(d, run)


def hook_replied(d: Draft, event: HookReplied) -> None:
    """The hangup hook answered: its data still goes into the payload, its transfer saves a call."""
    run = next((r for r in d.state.closing if r.id == event.run), None)
    if run is None:
        d.refuse("stale_hook", run=event.run)
        return
    if not event.ok:
        d.log("hook", "failed", run=run.id, error=event.error[:64])
        if run.rescue_us is not None:
            _give_up(d, run)
        return
    reply = swaig.read_reply(event.reply)
    session, orders = apply_all(run.session, reply.actions, "hangup_hook")
    run = replace(run, session=session)
    _keep(d, run)
    d.set(global_data={**d.state.global_data, **session.global_data})
    if run.rescue_us is None:
        return
    document = _document(d, run, orders)
    if document is None:
        _give_up(d, run)
        return
    marker = ErrorRaised(FailureClass.SIGNALLING_LOST, ErrorReason.FATAL_ERROR_TRANSFER, False)
    _keep(d, replace(run, rescue_us=None, errors=(*run.errors, marker), hangup=False))
    d.log("rescue", "transfer", run=run.id)
    d.emit(Publish("calling.ai.error", run.line, error_body(run, marker)))
    _finish(d, run)
    d.follow = (run.line, document)


def error_body(run: AiRun, error: ErrorRaised) -> dict[str, object]:
    """An error as controllers hear of it. error_reason: one of the public ones, or empty."""
    return {
        "call_id": run.line,
        "control_id": run.op,
        "error_class": error.kind.value,
        "error_reason": error.reason.value if error.reason is not None else "",
        "fatal": error.fatal,
        "retries": error.retries,
    }


def _document(d: Draft, run: AiRun, orders: o.Orders) -> Document | None:
    for order in orders:
        value: object = None
        if isinstance(order, o.RunDocument) and order.transfer:
            value = order.value
        elif isinstance(order, o.TransferTo):
            value = [{"transfer": {"dest": order.dest}}]
        if value is None:
            continue
        try:
            return inline_document(value, "rescue")
        except DocumentError as error:
            flows.warn(d, run.line, error.code, "the hangup hook's document cannot be read")
    return None


def _give_up(d: Draft, run: AiRun) -> None:
    _keep(d, replace(run, rescue_us=None))
    d.log("rescue", "none", run=run.id)
    if not d.line(run.line).over:
        _finish(d, run)
        d.hang_up = (run.line, "hangup")


def _finish(d: Draft, run: AiRun) -> None:
    op = d.state.ops.get(run.op)
    if op is not None:
        ending.finish(d, op, "error", {"result": "failed"})


def _keep(d: Draft, run: AiRun) -> None:
    d.set(closing=tuple(run if r.id == run.id else r for r in d.state.closing))


def _deliver(d: Draft, run: AiRun) -> None:
    d.set(closing=tuple(r for r in d.state.closing if r.id != run.id))
    for turn in turns_so_far(run.talk)[len(run.talk.turns) :]:
        d.emit(Talk(run.id, run.line, TurnCompleted(turn)))
    config = run.session.config
    key = f"{d.state.id}:{run.id}"
    d.emit(DeliverPayload(key, config.post_prompt_url, config.post_prompt_auth, run))
    params = {"call_id": run.line, "ai_session_id": str(run.id), "reason": run.end_reason}
    d.emit(Publish("calling.ai.ended", run.line, params))
