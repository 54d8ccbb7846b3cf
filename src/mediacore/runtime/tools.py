"""Tools of the agent: what may be called, by whom it is answered, and what the answer does.

A tool's reply and its actions take effect in one step: data and stage change, the model gets the
result, and orders that touch the caller are carried out, all before the next event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from mediacore.assistant import legality, native, swaig
from mediacore.assistant import session as assistant
from mediacore.assistant.effects import apply_all
from mediacore.assistant.functions import Function
from mediacore.assistant.words import pick_filler
from mediacore.call.actions import CallTool
from mediacore.call.inputs import FillerGiven, ToolFinished
from mediacore.call.recovery import ErrorReason
from mediacore.runtime import flows, hooks, ordering, stages, talking
from mediacore.runtime.actions import RunTool
from mediacore.runtime.draft import Draft
from mediacore.runtime.inputs import ToolReplied
from mediacore.runtime.state import ToolJob, ToolNote

_FAILED: Final = "The tool could not be reached. Tell the caller that this did not work just now."


def call(d: Draft, action: CallTool) -> None:
    """The model wants a tool."""
    run = d.run
    arguments = _parsed(action.arguments)
    refusal = legality.may_call(run.session, action.name, arguments)
    if refusal is not None or not isinstance(arguments, Mapping):
        code = refusal.code if refusal is not None else "bad_arguments"
        reason = ErrorReason(refusal.error_reason) if refusal else ErrorReason.INVALID_PARAMS
        text = refusal.text if refusal is not None else "The arguments must be an object."
        d.set_run(session=assistant.refusal_noted(run.session, action.name, code))
        d.refuse(f"tool_{code}", run=run.id)
        _note(d, action.name, action.arguments, d.now, ok=False, error=code)
        given = ToolFinished(action.generation, action.id, text, ok=False, reason=reason)
        talking.feed(d, given)
        return
    d.set_run(session=assistant.record_call(run.session, action.name, arguments))
    if native.is_native(run.session, action.name):
        _native(d, action, arguments)
        return
    function = run.session.function(action.name)
    assert function is not None
    job = ToolJob(action.id, action.name, action.generation, action.arguments, "tool", d.now)
    d.set_run(jobs=(*d.run.jobs, job))
    d.log("tool", "called", run=run.id, name=function.name)
    _run(d, action, function)
    _filler(d, action, function)


def _native(d: Draft, action: CallTool, arguments: Mapping[str, object]) -> None:
    wall_us = d.state.wall_us + d.now
    result = native.call_native(d.run.session, action.name, arguments, wall_us)
    d.set_run(session=result.session)
    _note(d, action.name, action.arguments, d.now, native=True, response=result.text)
    d.log("tool", "native", run=d.run.id, name=action.name)
    stages.enter_stage(d)
    respond = ordering.wants_reply(result.orders)
    talking.feed(d, ToolFinished(action.generation, action.id, result.text, respond=respond))
    ordering.carry_out(d, result.orders)


def _run(d: Draft, action: CallTool, function: Function) -> None:
    run = d.run
    if function.data_map is not None:
        context = hooks.template_context(d, run, function, action.arguments)

        d.emit(
            RunTool(
                run.id,
                action.generation,
                action.id,
                function.name,
                data_map=function.data_map,
                context=context,
            )
        )
        return
    url, auth = hooks.place(run.session, function)
    payload = swaig.request_body(run.session, function, action.arguments, hooks.facts(d, run))
    tool = RunTool(run.id, action.generation, action.id, function.name, url, payload, auth)
    d.emit(tool)


def _filler(d: Draft, action: CallTool, function: Function) -> None:
    if function.skip_fillers or not function.fillers:
        return
    language = d.state.settings.language
    text = pick_filler(function.fillers, language, len(d.run.tools))
    if text:
        talking.feed(d, FillerGiven(action.generation, text))


def replied(d: Draft, event: ToolReplied) -> None:
    """A tool's application answered."""
    run = d.state.run
    job = hooks.take(d, event.run, event.id)
    if run is None or job is None:
        d.refuse("stale_tool", run=event.run)
        return
    reply = swaig.read_reply(event.reply) if event.ok else None
    if reply is None or reply.failed:
        error = event.error or "no_output"
        d.log("tool", "failed", run=run.id, name=job.name, error=error[:64])
        text = _FAILED if reply is None else reply.response
        _note(d, job.name, job.arguments, job.since_us, url=event.url, ok=False, error=error)
        why = ErrorReason.WEBHOOK_HTTP_FAILURE
        talking.feed(d, ToolFinished(event.generation, event.id, text, ok=False, reason=why))
        return
    for note in reply.notes:
        flows.warn(d, run.line, f"tool_reply_{note.kind}", f"{job.name}: {note.path} {note.text}")
    session, orders = apply_all(d.run.session, reply.actions, job.name)
    d.set_run(session=session)
    names = tuple(action.name for action in reply.actions)
    _note(
        d,
        job.name,
        job.arguments,
        job.since_us,
        url=event.url,
        response=reply.response,
        actions=names,
    )
    d.log("tool", "answered", run=run.id, name=job.name, actions=len(names))
    stages.enter_stage(d)
    result = swaig.result_text(session, reply)
    replaced = ordering.replacement(orders)
    now = () if reply.post_process else orders
    talking.feed(
        d,
        ToolFinished(
            event.generation,
            event.id,
            result,
            respond=ordering.wants_reply(now) and bool(reply.response or reply.tool_prompt),
            replaced_by=replaced,
        ),
    )
    if d.state.run is None:
        return
    if reply.post_process:
        d.set_run(later=(*d.run.later, *orders))
    else:
        ordering.carry_out(d, orders)


def _note(
    d: Draft,
    name: str,
    arguments: str,
    since_us: int,
    **more: object,
) -> None:
    took_ms = (d.now - since_us) // 1000
    is_native = bool(more.pop("native", False))
    note = ToolNote(name, arguments, since_us, took_ms, is_native, **more)  # type: ignore[arg-type]
    d.set_run(tools=(*d.run.tools, note))


def _parsed(raw: str) -> object:
    try:
        return json.loads(raw or "{}")
    except (ValueError, RecursionError):
        return None
