"""Handlers: the reply stream and the tools."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mediacore.call import closing, opening, phrases
from mediacore.call.actions import CallTool
from mediacore.call.context import ToolRequest
from mediacore.call.draft import Draft
from mediacore.call.inputs import (
    FillerGiven,
    ReplyEnded,
    ReplyFailed,
    ReplyHangup,
    ReplyText,
    ReplyToolCall,
    ToolFinished,
)
from mediacore.call.record import UtteranceKind
from mediacore.call.recovery import Failure, Source, classify
from mediacore.call.state import CallState, Phase, ReplyEvent, ToolUse
from mediacore.call.transcript import agent_entries

_NOT_THE_REPLY: Final = (UtteranceKind.FILLER, UtteranceKind.SAY)


def held_back(d: Draft, event: ReplyEvent) -> None:
    """Speculative: kept until the caller's turn is decided."""
    if isinstance(event, ReplyText):
        d.set_stamps(first_token_us=d.now)
    d.set_agent(held=(*d.agent.held, event))


def reply_text(d: Draft, event: ReplyText) -> None:
    """Complete phrases go to synthesis at once."""
    d.set_stamps(first_token_us=d.now)
    buffer, complete = phrases.push(d.agent.buffer, event.text)
    d.set_agent(buffer=buffer)
    _say_all(d, complete)


def reply_tool_call(d: Draft, event: ReplyToolCall) -> None:
    """What was said before it is spoken meanwhile."""
    _flush(d)
    request = ToolRequest(event.id, event.name, event.arguments)
    waits = d.state.settings.tools_wait and d.agent.outstanding
    d.set_agent(tools=(*d.agent.tools, ToolUse(request, d.agent.round, waiting=waits)))
    if not waits:
        _call(d, request)


def tools_released(state: CallState) -> bool:
    """What tools wait for has been said."""
    agent = state.agent
    if agent is None or state.phase not in (Phase.THINKING, Phase.SPEAKING, Phase.CLOSING):
        return False
    return not agent.outstanding and any(t.waiting for t in agent.tools)


def call_waiting_tools(d: Draft) -> None:
    """Start the tools that waited for the agent's words."""
    waiting = [t.request for t in d.agent.tools if t.waiting]
    d.set_agent(tools=tuple(replace(t, waiting=False) for t in d.agent.tools))
    for request in waiting:
        _call(d, request)


def _call(d: Draft, request: ToolRequest) -> None:
    d.emit(CallTool(d.agent.generation, request.id, request.name, request.arguments))


def filler_given(d: Draft, event: FillerGiven) -> None:
    """Said when nothing else is; otherwise not needed."""
    wanted = bool(event.text.strip()) and d.state.phase is Phase.THINKING
    if not wanted or d.agent.outstanding:
        d.log("filler", "skip")
        return
    d.log("filler", "say", late_ms=(d.now - d.agent.quiet_since_us) // 1000)
    d.set_agent(fillers=d.agent.fillers + 1)
    opening.say(d, event.text, UtteranceKind.FILLER)


def tool_finished(d: Draft, event: ToolFinished) -> None:
    """When the last one is in, the model goes on with the results."""
    tools = d.agent.tools
    for i, tool in enumerate(tools):
        if tool.request.id == event.id and tool.result is None:
            done = replace(
                tool,
                result=event.text,
                waiting=False,
                respond=event.respond,
                replaced_by=event.replaced_by,
            )
            d.set_agent(tools=(*tools[:i], done, *tools[i + 1 :]))
            d.log("tool", "ok" if event.ok else "failed", round=tool.round)
            if not event.ok:
                closing.report(d, classify(Source.TOOL, reason=event.reason))
            break
    else:
        d.count("stale")
        d.log("stale", "unknown_tool_call")
        return
    if not (d.agent.replying or d.agent.tools_open or d.committed):
        _next_round(d)


def reply_hangup(d: Draft, event: ReplyHangup) -> None:
    """The call ends once this turn was played."""
    closing.said_last(d, event.reason)


def reply_ended(d: Draft, event: ReplyEnded) -> None:
    """The rest of the text is spoken; a turn without any is a failure."""
    _flush(d)
    d.set_agent(replying=False)
    agent = d.agent
    if any(t.round == agent.round for t in agent.tools):
        if not agent.tools_open:
            _next_round(d)
        return
    said = any(u.kind not in _NOT_THE_REPLY for u in agent.utterances)
    if not said:
        d.log("reply", "empty", round=agent.round)
        _fail(d, classify(Source.LLM))


def reply_failed(d: Draft, event: ReplyFailed) -> None:
    """What was said stays said; the caller is told."""
    d.log("reply", "failed", error_class=event.error_class.value)
    d.set_agent(replying=False, buffer=d.state.new_buffer())
    _fail(d, classify(Source.LLM, event.error_class, event.reason))


def _fail(d: Draft, failure: Failure) -> None:
    if d.state.ending is None:
        closing.recover(d, failure)
    elif not closing.use_fallback(d) and d.state.ending.more:
        closing.report(d, failure, d.state.failures)


def _next_round(d: Draft) -> None:
    agent, ending = d.agent, d.state.ending
    if not any(t.respond for t in agent.tools if t.round == agent.round):
        d.log("reply", "none_wanted", round=agent.round)
        return
    if ending is not None and not ending.more:
        closing.use_fallback(d)
        return
    if agent.round + 1 > d.state.settings.max_tool_rounds:
        d.log("reply", "too_many_tool_rounds", rounds=agent.round + 1)
        _fail(d, classify(Source.TOOL))
        return
    context = d.state.context + agent_entries(d.state, agent, heard=False)
    quiet_since_us = agent.quiet_since_us if agent.playing else d.now
    d.set_agent(round=agent.round + 1, replying=True, quiet_since_us=quiet_since_us)
    opening.ask(d, context)


def _flush(d: Draft) -> None:
    buffer, rest = phrases.flush(d.agent.buffer)
    d.set_agent(buffer=buffer)
    _say_all(d, rest)


def _say_all(d: Draft, texts: tuple[str, ...]) -> None:
    greeting = d.agent.kind is UtteranceKind.GREETING
    kind = UtteranceKind.GREETING if greeting else UtteranceKind.REPLY
    for text in texts:
        opening.say(d, text, kind)
