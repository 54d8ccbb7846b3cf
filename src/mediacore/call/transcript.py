"""Turns of the record and entries of the model's context, made from the ledger."""

from __future__ import annotations

from mediacore.call import ledger
from mediacore.call.context import (
    INTERRUPTED_RESULT,
    Context,
    ContextEntry,
    Role,
    with_user,
)
from mediacore.call.record import LatencyStamps, Speaker, Turn, UtteranceKind
from mediacore.call.state import AgentTurn, CallerTurn, CallState, Stamps


def caller_turn(state: CallState, caller: CallerTurn, index: int) -> Turn:
    """The caller's turn for the record."""
    text = caller.said if caller.recorded else caller.text
    start = caller.started_at if caller.started_at is not None else state.clock.at(caller.digit_us)
    end = caller.ended_at if caller.ended_at is not None and not caller.speaking else None
    return Turn(
        index=index,
        speaker=Speaker.CALLER,
        start=start,
        end=max(end, start) if end is not None else None,
        text=text,
        confidence=caller.confidence,
    )


def agent_turn(state: CallState, agent: AgentTurn, index: int, at: int) -> Turn:
    """The agent's turn for the record. at: where it would begin if nothing of it was played."""
    utterances = tuple(
        ledger.record(u, state.rate, state.srate_hz, state.far_delay_samples)
        for u in agent.utterances
    )
    bands = [band for u in utterances for band in u.playout]
    open_at = [u.open_at for u in agent.utterances if u.open_at is not None]
    start = min([b.start for b in bands] + open_at, default=at)
    end = None if open_at else max((b.end for b in bands), default=start)
    return Turn(
        index=index,
        speaker=Speaker.AGENT,
        start=start,
        end=end,
        generation=agent.generation,
        utterances=utterances,
        latency=latency(agent.stamps) if agent.kind is UtteranceKind.REPLY else None,
    )


def latency(stamps: Stamps) -> LatencyStamps | None:
    """Stamps relative to the caller's last sample; None when the turn answers no speech."""
    if stamps.caller_end_at is None:
        return None
    base = stamps.caller_end_us

    def since(at_us: int | None) -> int | None:
        return None if at_us is None else at_us - base

    return LatencyStamps(
        caller_end=stamps.caller_end_at,
        endpoint_us=since(stamps.endpoint_us),
        stt_final_us=since(stamps.stt_final_us),
        reply_first_token_us=since(stamps.first_token_us),
        first_phrase_us=since(stamps.first_phrase_us),
        tts_first_audio_us=since(stamps.first_audio_us),
        first_frame_out_us=since(stamps.first_frame_us),
    )


def agent_entries(state: CallState, agent: AgentTurn, heard: bool) -> Context:
    """The turn as context entries. heard: only what was heard, else all that was meant.

    Fillers are left out: the model did not say them. A tool without a result gets a placeholder,
    which a late result replaces. heard also leaves out tools that something else stands for.
    """
    out: list[ContextEntry] = []
    for number in range(agent.from_round, agent.round + 1):
        parts = [
            ledger.heard_text(u, state.rate, state.srate_hz, state.far_delay_samples)
            if heard
            else u.text
            for u in agent.utterances
            if u.round == number and u.kind is not UtteranceKind.FILLER
        ]
        text = " ".join(p.strip() for p in parts if p.strip())
        tools = [t for t in agent.tools if t.round == number]
        if heard:
            instead = [t.replaced_by for t in tools if t.replaced_by]
            tools = [t for t in tools if t.replaced_by is None]
            text = " ".join([text, *instead]).strip()
        if text or tools:
            calls = tuple(t.request for t in tools)
            out.append(ContextEntry(Role.ASSISTANT, text, calls))
        for tool in tools:
            result = INTERRUPTED_RESULT if tool.result is None else tool.result
            out.append(ContextEntry(Role.TOOL, result, tool_call_id=tool.request.id))
    return tuple(out)


def turns_so_far(state: CallState) -> tuple[Turn, ...]:
    """All turns for the record, the open ones last. After the end: the whole transcript."""
    turns = list(state.turns)
    agent, caller = state.agent, state.caller
    if agent is not None and agent.utterances:
        turns.append(agent_turn(state, agent, len(turns), state.clock.at(agent.quiet_since_us)))
    if caller.said:
        turns.append(caller_turn(state, caller, len(turns)))
    return tuple(turns)


def context_so_far(state: CallState) -> Context:
    """The context with what the open turns would add to it now."""
    context, agent = state.context, state.agent
    if agent is not None:
        context += agent_entries(state, agent, heard=True)
    return with_user(context, state.caller.text) if state.caller.text else context
