"""Runs of `ai`: how a conversation of the agent begins on a line, is lent, and ends.

begin ─► opening (startup hook, includes) ─► talking ⇄ lent (an inline document) ─► closing
summary, hangup hook, payload ─►
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mediacore.assistant import session as assistant
from mediacore.assistant.config import AiConfig, read_config
from mediacore.assistant.notes import AiError
from mediacore.assistant.settings import call_settings
from mediacore.assistant.words import hint_words
from mediacore.call.context import ContextEntry, Role
from mediacore.call.inputs import (
    CallerGone,
    CallStarted,
    ConversationStopped,
    GenerationSeen,
    HoldEnded,
    HoldStarted,
    NoteGiven,
)
from mediacore.call.settings import fixed_lines
from mediacore.call.state import Phase, initial_state
from mediacore.flow.findings import Code
from mediacore.runtime import ending, flows, hooks, stages, talking
from mediacore.runtime.actions import (
    AskSummary,
    BeginRun,
    DeliverPayload,
    EndRun,
    Publish,
    StartHearing,
)
from mediacore.runtime.draft import Draft
from mediacore.runtime.reading import BadParams, Params, text
from mediacore.runtime.state import AiData, AiRun, Flow, Operation, OpKind, Stage
from mediacore.runtime.yielding import drop_flows

_OPEN_MS: Final = 10_000
_CLOSE_MS: Final = 60_000


def data_for(d: Draft) -> AiData:
    """The next run's number."""
    return AiData(d.serial())


def begin(d: Draft, op: Operation, params: Params) -> None:
    """Begin a run on the operation's line."""
    assert isinstance(op.data, AiData)
    try:
        config = read_config(params)
    except AiError as error:
        flows.warn(d, op.line, Code.PARAMETER_INVALID_VALUE, f"{error.path}: {error.text}")
        ending.finish(d, op, "error", {"result": "failed"})
        return
    for note in config.notes:
        flows.warn(d, op.line, f"ai_param_{note.kind}", f"{note.path} {note.text}")
    line = d.line(op.line)
    language = config.languages[0] if config.languages else None
    settings = call_settings(
        config.params,
        d.state.settings.talk,
        direction=line.direction,
        fillers=language.speech_fillers if language is not None else (),
    )
    carried = d.state.global_data if config.param("persist_global_data") else None
    talk = initial_state(
        settings,
        _seed(config),
        clock=line.clock,
        generation=line.generation,
        next_utterance=line.next_utterance,
        consumed_at=line.clock.at(d.now),
    )
    talk = replace(talk, far_delay_ms=line.far_delay_ms)
    run = AiRun(
        op.data.run,
        op.id,
        op.line,
        op.owner,
        assistant.begin(config, carried_global_data=carried),
        talk,
        started_us=d.now,
        direction=line.direction,
    )
    d.set(run=run)
    d.moved()
    d.log("ai", "begins", run=run.id, line=op.line)
    code = language.code if language is not None else d.state.settings.language
    voice = language.voice if language is not None else d.state.settings.voice
    d.emit(
        BeginRun(
            run.id,
            op.line,
            code,
            voice,
            fixed_lines(settings),
            config.pronounce,
            str(config.param("tts_number_format")),
        )
    )
    if not line.hearing:
        d.set_line(op.line, hearing=True)
        d.emit(StartHearing(op.line, code, hint_words(config.hints)))
    hooks.begin_hooks(d)
    if not d.run.jobs:
        open_talk(d)


def _seed(config: AiConfig) -> tuple[ContextEntry, ...]:
    """The history that a document gives the conversation (`convo`)."""
    found = config.params.get("convo")
    entries = []
    for item in found if isinstance(found, list | tuple) else ():
        if isinstance(item, dict) and item.get("role") in ("user", "assistant"):
            said = str(item.get("content") or item.get("text") or "")
            entries.append(ContextEntry(Role(str(item["role"])), said))
    return tuple(entries)


def open_talk(d: Draft) -> None:
    """Everything is there: the conversation begins."""
    run = d.run
    if run.stage is not Stage.OPENING:
        return
    line = d.line(run.line)
    d.set_run(stage=Stage.TALKING, opened_us=d.now)
    stages.enter_stage(d)
    talking.feed(d, CallStarted(line.handle or 0, line.srate_hz))


def opening_due_us(run: AiRun) -> int | None:
    """When hooks are not waited for any longer."""
    return run.started_us + _OPEN_MS * 1000 if run.stage is Stage.OPENING else None


# ------------------------------------------------------------------------------ steering it


def hold(d: Draft, line: str, limit_ms: int) -> None:
    """The agent is silent and hears nothing."""
    run = d.state.run
    if run is None or run.line != line or run.held or run.stage is not Stage.TALKING:
        return
    talking.feed(d, HoldStarted())
    if d.state.run is None or d.run.talk.hold is None:
        return  # its last words are not held up
    until_us = d.now + limit_ms * 1000 if limit_ms > 0 else None
    d.set_run(held=True, hold_until_us=until_us)
    d.publish("ai", line, {"control_id": run.op, "state": "hold"})


def unhold(d: Draft, line: str, said: str) -> None:
    """The agent is back."""
    run = d.state.run
    if run is None or run.line != line or not run.held:
        return
    d.set_run(held=False, hold_until_us=None)
    d.publish("ai", line, {"control_id": run.op, "state": "unhold"})
    if run.stage is Stage.TALKING:
        take_voice(d)
        talking.feed(d, HoldEnded(said))


def hold_over(d: Draft) -> None:
    """The hold has lasted long enough."""
    run = d.run
    unhold(d, run.line, run.talk.settings.lines.hold_over)


def take_voice(d: Draft) -> None:
    """The conversation goes on after others have used the line's voice: they are done."""
    for op in d.ops_of(d.run.line, OpKind.PLAY, OpKind.PROMPT):
        if op.id in d.state.ops:
            ending.abort(d, op, "agent")
    run = d.run
    line = d.line(run.line)
    utterance = max(run.talk.next_utterance, line.next_utterance)
    d.set_run(talk=replace(run.talk, next_utterance=utterance))
    talking.feed(d, GenerationSeen(line.generation))


def note(d: Draft, said: str) -> None:
    """Something for the model only."""
    talking.feed(d, NoteGiven(Role.SYSTEM, said))


def message(d: Draft, params: Params) -> None:
    """A controller speaks to the agent; the caller does not hear it."""
    said = text(params, "message_text")
    role = text(params, "role", "system")
    if role not in ("system", "user", "assistant"):
        raise BadParams("role: expected system, user or assistant")
    data = params.get("global_data")
    if isinstance(data, dict):
        session = d.run.session
        d.set_run(session=replace(session, global_data={**session.global_data, **data}))
    if not said:
        return
    talking.feed(d, NoteGiven(Role(role), said, respond=role != "assistant"))


# ---------------------------------------------------------------------------------- lending


def lend(d: Draft) -> None:
    """An inline document needs the line's voice."""
    run = d.run
    if run.stage is not Stage.TALKING:
        return
    talking.feed(d, HoldStarted(0))
    if d.state.run is not None and d.run.talk.hold is not None:
        d.set_run(stage=Stage.LENT)  # else it says its last words: the document waits for them


def errand_over(d: Draft, flow: Flow, reason: str) -> None:
    """The inline document is over: the conversation goes on."""
    run = d.state.run
    if run is None or run.line != flow.line:
        return
    others = any(f.purpose == flows.ERRAND for f in d.state.flows)
    if run.stage is Stage.LENT and not others:
        d.set_run(stage=Stage.TALKING)
        if not run.held:
            take_voice(d)
            talking.feed(d, HoldEnded())
    d.log("ai", "errand_over", reason=reason)


# ----------------------------------------------------------------------------------- the end


def stop(d: Draft, line: str, reason: str) -> None:
    """End the run on this line at once; the call goes on."""
    run = d.state.run
    if run is None or run.line != line:
        return
    if run.talk.phase is not Phase.ENDED:
        talking.feed(d, ConversationStopped(reason, now=True))
    if d.state.run is not None:
        over(d, reason)


def line_ends(d: Draft, line: str, reason: str) -> None:
    """The line is gone, and with it the conversation."""
    run = d.state.run
    if run is None or run.line != line:
        return
    if run.talk.phase is not Phase.ENDED:
        talking.feed(d, CallerGone(reason))
    if d.state.run is not None:
        over(d, reason)


def over(d: Draft, reason: str) -> None:
    """The conversation has ended: its voice is free, what runs for it is cancelled."""
    run = d.run
    line = d.line(run.line)
    talk = run.talk
    d.set_line(
        run.line,
        generation=max(line.generation, talk.generation),
        next_utterance=max(line.next_utterance, talk.next_utterance),
    )
    session = run.session
    d.set(global_data=dict(session.global_data))
    stages.leave_stage(d)
    closed = replace(
        run, stage=Stage.CLOSING, closing_us=d.now, end_reason=run.end_reason or reason, jobs=()
    )
    d.set(run=None)
    d.emit(EndRun(run.id))
    drop_flows(d, run.line, reason, flows.ERRAND)
    op = d.state.ops.get(run.op)
    d.log("ai", "over", run=run.id, reason=closed.end_reason)
    _close(d, closed)
    if op is not None:
        failed = talk.end_reason in ("failure", "speech_failed")
        result = "failed" if failed else closed.end_reason or "success"
        ending.finish(d, op, "error" if failed else "finished", {"result": result})
    ending.release_hearing(d, run.line)
    d.moved()


def _close(d: Draft, run: AiRun) -> None:
    """Ask for the summary when somebody wants it, and call the hangup hook."""
    config = run.session.config
    hook = config.function("hangup_hook")
    fatal = next((e for e in run.errors if e.fatal), None)
    if hook is not None and hooks.address(run.session, hook):
        hooks.run_hook(d, run, hook, fatal=fatal)
    if config.post_prompt is not None and config.post_prompt.text:
        prompt = config.post_prompt
        d.set(closing=(*d.state.closing, replace(run, summary_due=True)))
        temperature = float(prompt.knob("temperature"))  # type: ignore[arg-type]
        limit = int(prompt.knob("max_tokens"))  # type: ignore[call-overload]
        text = assistant.post_prompt(run.session)
        d.emit(AskSummary(run.id, text, run.talk.context, temperature, limit))
        return
    _deliver(d, run)


def summary_ready(d: Draft, run_id: int, said: str) -> None:
    """The model has answered the post-prompt, or cannot."""
    for run in d.state.closing:
        if run.id == run_id:
            d.set(closing=tuple(r for r in d.state.closing if r.id != run_id))
            _deliver(d, replace(run, summary=said))
            return
    d.refuse("stale_summary", run=run_id)


def closing_due_us(run: AiRun) -> int:
    """When the summary is not waited for any longer."""
    return (run.closing_us or 0) + _CLOSE_MS * 1000


def summary_missing(d: Draft) -> None:
    """Deliver what there is."""
    for run in d.state.closing:
        if closing_due_us(run) <= d.now:
            d.log("ai", "summary_missing", run=run.id)
            summary_ready(d, run.id, "")


def _deliver(d: Draft, run: AiRun) -> None:
    config = run.session.config
    key = f"{d.state.id}:{run.id}"
    d.emit(DeliverPayload(key, config.post_prompt_url, config.post_prompt_auth, run))
    params = {"call_id": run.line, "ai_session_id": str(run.id), "reason": run.end_reason}
    d.emit(Publish("calling.ai.ended", run.line, params))
