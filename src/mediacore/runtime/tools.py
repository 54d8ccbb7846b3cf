"""Tools of the agent: what may be called, by whom it is answered, and what the answer does.

A tool's reply and its actions take effect in one step: data and stage change, the model gets the
result, and orders that touch the caller are carried out, all before the next event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mediacore.assistant import legality, native, swaig
from mediacore.assistant import session as assistant
from mediacore.assistant.effects import apply_all
from mediacore.assistant.functions import Function
from mediacore.assistant.hidden import expand_visible
from mediacore.assistant.legality import CONSECUTIVE
from mediacore.assistant.session import AiSession
from mediacore.assistant.words import Fillers, pick_filler
from mediacore.call.actions import CallTool
from mediacore.call.inputs import FillerGiven, SettingsChanged, ToolFinished
from mediacore.call.recovery import ErrorReason
from mediacore.runtime import beds, flows, hooks, ordering, stages, talking
from mediacore.runtime.actions import RunTool
from mediacore.runtime.draft import Draft
from mediacore.runtime.inputs import ToolReplied
from mediacore.runtime.state import ToolJob, ToolNote

_FAILED: Final = "The tool could not be reached. Tell the caller that this did not work just now."


def call(d: Draft, action: CallTool) -> None:
    """The model wants a tool."""
    run = d.run
    arguments = _parsed(action.arguments)
    if run.session.param("barge_functions") is False and d.line(run.line).speaking:
        d.refuse("tool_during_barge", run=run.id)
        text = "Not done, because the caller is speaking. Listen to them first."
        talking.feed(d, ToolFinished(action.generation, action.id, text, respond=False))
        return
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
    filler = _filler(d, action, function)
    tool = _prepared(d, action, function)
    waits = function.wait_for_fillers and bool(filler)
    sound = None
    if function.wait_file:
        sound = (function.wait_file, max(function.wait_file_loops or 0, 0))
    job = ToolJob(
        action.id,
        action.name,
        action.generation,
        action.arguments,
        "tool",
        d.now,
        tool if waits else None,
        sound,
    )
    d.set_run(jobs=(*d.run.jobs, job))
    d.log("tool", "called", run=run.id, name=function.name, waits=waits)
    if filler:
        talking.feed(d, FillerGiven(action.generation, filler))
    if not waits:
        d.emit(tool)
    beds.update(d)


def _native(d: Draft, action: CallTool, arguments: Mapping[str, object]) -> None:
    wall_us = d.state.wall_us + d.now
    run = d.run
    result = native.call_native(run.session, action.name, arguments, wall_us)
    d.set_run(session=result.session)
    _tell_refused(d, run.session, result.session)
    filler = _phrase(d, run.session.config.internal_fillers.get(action.name, {}))
    if filler:
        talking.feed(d, FillerGiven(action.generation, filler))
    _note(d, action.name, action.arguments, d.now, native=True, response=result.text)
    d.log("tool", "native", run=d.run.id, name=action.name)
    stages.enter_stage(d)
    ordering.before_result(d, result.orders)
    respond = ordering.wants_reply(result.orders)
    talking.feed(d, ToolFinished(action.generation, action.id, result.text, respond=respond))
    ordering.carry_out(d, result.orders, after_result=True)


def _prepared(d: Draft, action: CallTool, function: Function) -> RunTool:
    run = d.run
    if function.data_map is not None:
        return RunTool(
            run.id,
            action.generation,
            action.id,
            function.name,
            data_map=function.data_map,
            context=hooks.template_context(d, run, function, action.arguments),
        )
    url, auth = hooks.place(run.session, function)
    payload = swaig.request_body(run.session, function, action.arguments, hooks.facts(d, run))
    return RunTool(run.id, action.generation, action.id, function.name, url, payload, auth)


def _filler(d: Draft, action: CallTool, function: Function) -> str:
    """What is said while the tool runs: its own phrases, else those of the language."""
    if function.skip_fillers:
        return ""
    if function.fillers:
        return _phrase(d, function.fillers)
    languages = d.run.session.config.languages
    general = languages[0].function_fillers if languages else ()
    return _phrase(d, {"default": general} if general else {})


def _phrase(d: Draft, fillers: Fillers) -> str:
    text = pick_filler(fillers, d.run.language, len(d.run.tools))
    return expand_visible(text, d.run.session.visible).text


def begin_waiting(d: Draft) -> bool:
    """Start tools whose filler was played, or is not wanted any more. False when there is none."""
    run = d.run
    waiting = [job for job in run.jobs if job.begin is not None]
    speaks = run.talk.agent is not None and run.talk.agent.outstanding
    if not waiting or speaks:
        return False
    d.set_run(jobs=tuple(replace(job, begin=None) for job in run.jobs))
    d.emit(*(job.begin for job in waiting if job.begin is not None))
    return True


def replied(d: Draft, event: ToolReplied) -> None:
    """A tool's application answered."""
    run = d.state.run
    job = hooks.take(d, event.run, event.id)
    if run is None or job is None:
        d.refuse("stale_tool", run=event.run)
        return
    beds.update(d)
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
    before = d.run.session
    session, orders = apply_all(before, reply.actions, job.name)
    d.set_run(session=session)
    _tell_refused(d, before, session)
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
    _more_rounds(d)
    result = swaig.result_text(session, reply)
    replaced = ordering.replacement(orders)
    now = () if reply.post_process else orders
    ordering.before_result(d, now)
    words = bool(reply.response or reply.tool_prompt) or ordering.has_words(now)
    talking.feed(
        d,
        ToolFinished(
            event.generation,
            event.id,
            result,
            respond=ordering.wants_reply(now) and words,
            replaced_by=replaced,
        ),
    )
    if d.state.run is None:
        return
    if reply.post_process:
        d.set_run(later=(*d.run.later, *orders))
    else:
        ordering.carry_out(d, orders, after_result=True)


def _more_rounds(d: Draft) -> None:
    """A tool may have changed how many calls in a row are legal: so many rounds has a turn."""
    run = d.run
    settings = run.talk.settings
    rounds = CONSECUTIVE[min(run.session.back_to_back, len(CONSECUTIVE) - 1)] + 2
    if settings.max_tool_rounds != rounds:
        talking.feed(d, SettingsChanged(replace(settings, max_tool_rounds=rounds)))


def _tell_refused(d: Draft, before: AiSession, after: AiSession) -> None:
    """Log the transitions that were refused between two states of the conversation."""
    seen = len(before.trail) + before.trail_dropped - after.trail_dropped
    for entry in after.trail[max(seen, 0) :]:
        if entry.kind == "transition_refused":
            d.refuse("transition_refused", run=d.run.id, origin=before.step)


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
