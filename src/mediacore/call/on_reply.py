"""Handlers: the reply stream and the tools."""

from __future__ import annotations

from dataclasses import replace

from mediacore.call import floor, phrases
from mediacore.call.actions import CallTool, StartReply
from mediacore.call.context import ToolRequest
from mediacore.call.draft import Draft
from mediacore.call.inputs import (
    ReplyEnded,
    ReplyFailed,
    ReplyHangup,
    ReplyText,
    ReplyToolCall,
    ToolFinished,
)
from mediacore.call.record import UtteranceKind
from mediacore.call.state import Ending, Phase, ReplyEvent, ToolUse, agent_phase
from mediacore.call.transcript import agent_entries


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
    d.set_agent(tools=(*d.agent.tools, ToolUse(request, d.agent.round)))
    d.emit(CallTool(event.generation, event.id, event.name, event.arguments))


def tool_finished(d: Draft, event: ToolFinished) -> None:
    """When the last one is in, the model goes on with the results."""
    tools = d.agent.tools
    for i, tool in enumerate(tools):
        if tool.request.id == event.id and tool.result is None:
            done = replace(tool, result=event.text)
            d.set_agent(tools=(*tools[:i], done, *tools[i + 1 :]))
            d.log("tool", "ok" if event.ok else "failed", round=tool.round)
            break
    else:
        d.count("stale")
        d.log("stale", "unknown_tool_call")
        return
    if not (d.agent.replying or d.agent.tools_open or d.committed):
        _next_round(d)


def reply_hangup(d: Draft, event: ReplyHangup) -> None:
    """The call ends once this turn was played."""
    may = not d.state.closing_interrupted
    d.set(ending=Ending(event.reason, may))
    d.log("end_call", "closing", reason=event.reason, interruptible=may)
    if d.state.phase is not Phase.PAUSED:
        d.set(phase=agent_phase(d.state))
    playing = d.agent.playing
    floor.arm(d, playing.kind if playing else d.agent.kind)


def reply_ended(d: Draft, event: ReplyEnded) -> None:
    """The rest of the text is spoken; a turn without any is a failure."""
    _flush(d)
    d.set_agent(replying=False)
    agent = d.agent
    if any(t.round == agent.round for t in agent.tools):
        if not agent.tools_open:
            _next_round(d)
        return
    said = any(u.kind is not UtteranceKind.FILLER for u in agent.utterances)
    if not said and d.state.ending is None:
        d.log("reply", "empty", round=agent.round)
        floor.recover(d)


def reply_failed(d: Draft, event: ReplyFailed) -> None:
    """What was said stays said; the caller is told."""
    d.log("reply", "failed", error_class=event.error_class.value)
    d.set_agent(replying=False, buffer=d.state.new_buffer())
    if d.state.ending is None:
        floor.recover(d)


def _next_round(d: Draft) -> None:
    if d.state.ending is not None:
        return
    agent = d.agent
    if agent.round + 1 > d.state.settings.max_tool_rounds:
        d.log("reply", "too_many_tool_rounds", rounds=agent.round + 1)
        floor.recover(d)
        return
    context = d.state.context + agent_entries(d.state, agent, heard=False)
    quiet_since_us = agent.quiet_since_us if agent.playing else d.now
    d.set_agent(round=agent.round + 1, replying=True, quiet_since_us=quiet_since_us)
    d.emit(StartReply(agent.generation, context))


def _flush(d: Draft) -> None:
    buffer, rest = phrases.flush(d.agent.buffer)
    d.set_agent(buffer=buffer)
    _say_all(d, rest)


def _say_all(d: Draft, texts: tuple[str, ...]) -> None:
    greeting = d.agent.kind is UtteranceKind.GREETING
    kind = UtteranceKind.GREETING if greeting else UtteranceKind.REPLY
    for text in texts:
        floor.say(d, text, kind)
