"""The application behind the agent: what it is told, where it is reached, hooks and includes."""

from __future__ import annotations

from dataclasses import replace

from mediacore.assistant import session as assistant
from mediacore.assistant import swaig
from mediacore.assistant.effects import apply_all
from mediacore.assistant.functions import Function
from mediacore.assistant.session import AiSession
from mediacore.call.actions import ErrorRaised
from mediacore.runtime import flows, lines
from mediacore.runtime.actions import RunHook
from mediacore.runtime.draft import Draft
from mediacore.runtime.inputs import HookReplied
from mediacore.runtime.state import AiRun, ToolJob


def facts(d: Draft, run: AiRun) -> swaig.CallFacts:
    """What the engine tells a tool about the call."""
    line = d.line(run.line)
    caller = line.from_number if line.direction == "inbound" else line.to_number
    settings = d.state.settings
    return swaig.CallFacts(
        run.line,
        f"{d.state.id}:{run.id}",
        settings.project,
        settings.space,
        caller,
        caller,
        channel_active=line.up,
        channel_offhook=line.up,
        channel_ready=line.up,
        swml_vars=d.state.vars,
        swml_call=lines.call_facts(d.state, line),
        call_log=_log(run),
        raw_call_log=_log(run),
    )


def _log(run: AiRun) -> list[dict[str, object]]:
    """The conversation so far, when a tool wants it."""
    if run.session.param("swaig_post_conversation") is not True:
        return []
    return [{"role": e.role.value, "content": e.text} for e in run.talk.context]


def place(session: AiSession, function: Function) -> tuple[str, tuple[str, str] | None]:
    """Address and credentials of a function."""
    defaults = session.config.defaults
    if function.web_hook_url:
        return function.web_hook_url, function.auth or defaults.auth
    return defaults.web_hook_url, function.auth or defaults.auth


def address(session: AiSession, function: Function) -> str:
    """Where a function is reached, "" when nowhere."""
    return place(session, function)[0]


def template_context(d: Draft, run: AiRun, function: Function, arguments: str) -> dict[str, object]:
    """What the templates of a data map can read."""
    body = swaig.request_body(run.session, function, arguments, facts(d, run))
    parsed = swaig.parse_arguments(arguments)
    return {**body, "args": parsed[0] if parsed else {}, "prompt_vars": run.session.visible}


def take(d: Draft, run_id: int, job_id: str) -> ToolJob | None:
    """A job that has reported, off the list; None when nobody waits for it."""
    run = d.state.run
    if run is None or run.id != run_id:
        return None
    job = next((j for j in run.jobs if j.id == job_id), None)
    if job is not None:
        d.set_run(jobs=tuple(j for j in run.jobs if j.id != job_id))
    return job


def begin_hooks(d: Draft) -> None:
    """Ask for included functions, and tell the application that the run begins."""
    run = d.run
    config = run.session.config
    jobs: list[ToolJob] = []
    for index, include in enumerate(config.includes):
        job = f"include-{index}"
        jobs.append(ToolJob(job, include.url, 0, "", "include", d.now))
        d.emit(RunHook(run.id, job, include.url, swaig.signature_request(include), include.auth))
    hook = assistant.hook(run.session, "startup_hook")
    if hook is not None and address(run.session, hook):
        jobs.append(ToolJob("startup_hook", "startup_hook", 0, "{}", "hook", d.now))
        run_hook(d, run, hook)
    d.set_run(jobs=(*run.jobs, *jobs))


def run_hook(d: Draft, run: AiRun, hook: Function, fatal: ErrorRaised | None = None) -> None:
    """Tell the application something it asked to be told."""
    url, auth = place(run.session, hook)
    known = facts(d, run)
    if fatal is not None:
        reason = fatal.reason.value if fatal.reason is not None else ""
        known = replace(known, fatal_error=True, error_reason=reason)
    payload = swaig.request_body(run.session, hook, "{}", known)
    d.emit(RunHook(run.id, hook.name, url, payload, auth))


def hook_replied(d: Draft, event: HookReplied) -> bool:
    """A hook or include answered. True when nothing of the opening is open any more."""
    job = take(d, event.run, event.id)
    if job is None:
        d.refuse("stale_hook", run=event.run)
        return False
    run = d.run
    if not event.ok:
        d.log("hook", "failed", run=run.id, error=event.error[:64])
    elif job.purpose == "include":
        index = int(event.id.rpartition("-")[2])
        include = run.session.config.includes[index]
        session, notes = swaig.add_included(run.session, include, event.reply)
        d.set_run(session=session)
        for note in notes:
            flows.warn(d, run.line, f"include_{note.kind}", f"{note.path} {note.text}")
    else:
        _hook_actions(d, event)
    return not any(j.purpose in ("include", "hook") for j in d.run.jobs)


def _hook_actions(d: Draft, event: HookReplied) -> None:
    reply = swaig.read_reply(event.reply)
    session, orders = apply_all(d.run.session, reply.actions, "startup_hook")
    d.set_run(session=session)
    if orders:
        d.set_run(later=(*d.run.later, *orders))
