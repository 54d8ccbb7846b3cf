"""Runs of `ai`: how a conversation of the agent begins on a line, is lent, and ends.

begin ─► opening (startup hook, includes) ─► talking ⇄ lent (an inline document) ─► over

What is left to do after that (summary, hangup hook, payload) is in `afterward`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mediacore.assistant import moves
from mediacore.assistant import session as assistant
from mediacore.assistant.config import AiConfig, read_config
from mediacore.assistant.hidden import clean_visible, expand_visible
from mediacore.assistant.legality import CONSECUTIVE
from mediacore.assistant.native import local_facts
from mediacore.assistant.notes import AiError
from mediacore.assistant.session import AiSession
from mediacore.assistant.settings import call_settings
from mediacore.assistant.words import hint_words
from mediacore.call.context import ContextEntry, Role, with_user
from mediacore.call.inputs import (
    CallerGone,
    CallStarted,
    ConversationStopped,
    GenerationSeen,
    HistoryChanged,
    HoldEnded,
    HoldStarted,
    NoteGiven,
)
from mediacore.call.settings import CallSettings, fixed_lines
from mediacore.call.state import Phase, initial_state, next_generation_after_cut
from mediacore.call.transcript import context_so_far
from mediacore.flow.findings import Code
from mediacore.runtime import afterward, beds, ending, flows, hooks, spending, stages, talking
from mediacore.runtime.actions import BeginRun, EndRun, StartHearing
from mediacore.runtime.draft import Draft
from mediacore.runtime.reading import BadParams, Params, real, text
from mediacore.runtime.state import AiData, AiRun, Flow, Line, Operation, OpKind, Stage
from mediacore.runtime.yielding import drop_flows

_OPEN_MS: Final = 10_000


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
    code = language.code if language is not None and language.code else d.state.settings.language
    visible = _visible(d, config, line)
    settings = _settings(d, config, line, visible)
    carried = d.state.global_data if config.param("persist_global_data") else None
    session = assistant.begin(config, carried_global_data=carried, visible=visible)
    talk = initial_state(
        settings,
        _seed(d, session),
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
        session,
        talk,
        started_us=d.now,
        direction=line.direction,
        language=code,
    )
    d.set(run=run, handover=())
    d.moved()
    d.log("ai", "begins", run=run.id, line=op.line)
    voice = language.voice if language is not None and language.voice else d.state.settings.voice
    d.emit(
        BeginRun(
            run.id,
            op.line,
            code,
            voice,
            fixed_lines(settings),
            config.pronounce,
            str(config.param("tts_number_format")),
            real(config.param("ai_volume")),
        )
    )
    spending.begin_run(d)
    if not line.hearing:
        d.set_line(op.line, hearing=True)
        d.emit(StartHearing(op.line, code, hint_words(config.hints)))
    hooks.begin_hooks(d)
    if not d.run.jobs:
        open_talk(d)


def _settings(
    d: Draft, config: AiConfig, line: Line, visible: Mapping[str, object]
) -> CallSettings:
    """The rules of the conversation; what it says by itself has its placeholders filled in."""
    facts = clean_visible(visible)
    language = config.languages[0] if config.languages else None
    fillers = language.speech_fillers if language is not None else ()
    settings = call_settings(
        config.params,
        d.state.settings.talk,
        direction=line.direction,
        fillers=tuple(expand_visible(text, facts).text for text in fillers),
    )
    greeting = expand_visible(settings.greeting, facts).text
    # the guard against loops of tools is `legality`; this one only ends what it cannot
    return replace(settings, greeting=greeting, max_tool_rounds=CONSECUTIVE[0] + 2)


def _visible(d: Draft, config: AiConfig, line: Line) -> dict[str, object]:
    """The facts of the call that prompts may use."""
    inbound = line.direction == "inbound"
    caller = line.from_number if inbound else line.to_number
    clock = local_facts(d.state.wall_us + d.now, str(config.param("local_tz")))
    direction = config.param("direction") or line.direction
    names = {"caller_id_name": caller, "caller_id_number": caller}
    return {"call_direction": direction, **names, **clock}


def _seed(d: Draft, session: AiSession) -> tuple[ContextEntry, ...]:
    """What the model knows before the first word: `convo`, what the agent before handed over, the
    first words that the starting context takes for the caller's."""
    found = session.config.params.get("convo")
    entries = list(d.state.handover)
    for item in found if isinstance(found, list | tuple) else ():
        if isinstance(item, Mapping) and item.get("role") in ("user", "assistant", "system"):
            said = expand_visible(
                str(item.get("content") or item.get("text") or ""), session.visible
            )
            entries.append(ContextEntry(Role(str(item["role"])), said.text))
    context = session.current_context()
    first = expand_visible(context.user_prompt, session.visible).text if context is not None else ""
    return with_user(tuple(entries), first) if first else tuple(entries)


def open_talk(d: Draft) -> None:
    """Everything is there: the conversation begins."""
    run = d.run
    if run.stage is not Stage.OPENING:
        return
    line = d.line(run.line)
    d.set_run(stage=Stage.TALKING, opened_us=d.now)
    stages.enter_stage(d)
    beds.update(d)
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
    beds.update(d)
    d.publish("ai", line, {"control_id": run.op, "state": "hold"})


def unhold(d: Draft, line: str, said: str, *, timed_out: bool = False) -> None:
    """The agent is back, in the step that the hold named for this."""
    run = d.state.run
    if run is None or run.line != line or not run.held:
        return
    d.set_run(held=False, hold_until_us=None, hold=None)
    beds.update(d)
    if run.hold is not None:
        session, orders = moves.hold_ended(d.run.session, run.hold, timed_out)
        d.set_run(session=session, later=(*d.run.later, *orders))
        stages.enter_stage(d)
    d.publish("ai", line, {"control_id": run.op, "state": "unhold"})
    if run.stage is Stage.TALKING:
        take_voice(d)
        talking.feed(d, HoldEnded(said))


def hold_over(d: Draft) -> None:
    """The hold has lasted long enough."""
    run = d.run
    unhold(d, run.line, run.talk.settings.lines.hold_over, timed_out=True)


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


_NEEDS_VOICE: Final = (
    OpKind.PLAY,
    OpKind.PROMPT,
    OpKind.COLLECT,
    OpKind.RECORD,
    OpKind.DIGITS,
    OpKind.CONNECT,
)


def errand_waits(d: Draft) -> bool:
    """An inline document waits for something that needs the line's voice, and has it not."""
    run = d.run
    if run.stage is not Stage.TALKING or run.talk.ending is not None:
        return False
    for flow in d.state.flows:
        op = d.state.ops.get(flow.waits)
        mine = flow.purpose == flows.ERRAND and flow.line == run.line
        if mine and op is not None and op.kind in _NEEDS_VOICE and op.awaited:
            return True
    return False


def lend(d: Draft) -> None:
    """An inline document needs the line's voice."""
    run = d.run
    if run.stage is not Stage.TALKING:
        return
    agent = run.talk.agent
    owes = agent is not None and (agent.replying or agent.tools_open)
    talking.feed(d, HoldStarted(0))
    if d.state.run is not None and d.run.talk.hold is not None:
        d.set_run(stage=Stage.LENT, owes=owes)
    # else it says its last words, and the document waits for them


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
        if run.owes and d.state.run is not None:
            d.set_run(owes=False)
            talking.feed(d, HistoryChanged(d.run.talk.context, respond=True))
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
        generation=max(line.generation, next_generation_after_cut(talk.generation)),
        next_utterance=max(line.next_utterance, talk.next_utterance),
    )
    session = run.session
    d.set(global_data=dict(session.global_data))
    stages.leave_stage(d)
    beds.over(d)
    if run.follow is not None and session.param("transfer_summary") is True:
        d.set(handover=talking.summary_of(run.hidden + context_so_far(talk)))
    run = d.run
    closed = replace(
        run, stage=Stage.CLOSING, closing_us=d.now, end_reason=run.end_reason or reason, jobs=()
    )
    d.set(run=None)
    d.emit(EndRun(run.id))
    drop_flows(d, run.line, reason, flows.ERRAND)
    op = d.state.ops.get(run.op)
    d.log("ai", "over", run=run.id, reason=closed.end_reason)
    afterward.close(d, closed)
    if op is not None and not afterward.rescuing(d.state, run.id):
        failed = afterward.failed(closed)
        result = "failed" if failed else closed.end_reason or "success"
        ending.finish(d, op, "error" if failed else "finished", {"result": result})
    ending.release_hearing(d, run.line)
    d.moved()
