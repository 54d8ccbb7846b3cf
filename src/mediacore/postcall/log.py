"""The conversation as log entries: users, assistant with what was heard, tools, system texts.

`call_log` holds what the model's history held: of an interrupted answer only what the caller
heard. `raw_call_log` holds every text as it was meant. The interruption fields are exact here:
they come from the playout ledger, not from a speaking rate.
"""

from __future__ import annotations

from typing import Final

from mediacore.call.record import LatencyStamps, Speaker, Turn, UtteranceState
from mediacore.postcall.facts import PostCallInput, SystemText, ToolUse

Entry = dict[str, object]
BARGE_CAUSE: Final = "barge_in"
_US: Final = 1_000_000


def wall_us(facts: PostCallInput, sample: int) -> int:
    """Wallclock of a media sample."""
    return facts.media_start_us + sample * _US // facts.srate_hz


def call_log(facts: PostCallInput, *, raw: bool) -> list[Entry]:
    """All entries in order of time; of one instant: user, assistant, tool, system."""
    rows: list[tuple[int, int, list[Entry]]] = []
    for turn in facts.turns:
        if turn.speaker is Speaker.CALLER:
            rows.append((wall_us(facts, turn.start), 0, [user_entry(facts, turn)]))
        elif turn.utterances:
            entry = assistant_entry(facts, turn, raw=raw)
            if entry["content"] or raw:
                rows.append((wall_us(facts, turn.start), 1, [entry]))
    rows += [(tool.start_us, 2, tool_entries(tool)) for tool in facts.tools]
    rows += [(item.at_us, 3, [system_entry(item)]) for item in facts.system]
    rows.sort(key=lambda row: row[:2])
    return [entry for _, _, entries in rows for entry in entries]


def user_entry(facts: PostCallInput, turn: Turn) -> Entry:
    """A caller turn."""
    start = wall_us(facts, turn.start)
    entry: Entry = {
        "role": "user",
        "content": turn.text,
        "timestamp": start,
        "start_timestamp": start,
    }
    if turn.end is not None:
        entry["end_timestamp"] = wall_us(facts, turn.end)
    if turn.confidence is not None:
        entry["confidence"] = turn.confidence
    stamps = _answering(facts, turn)
    if stamps and stamps.endpoint_us is not None and stamps.stt_final_us is not None:
        entry["turn_detection_to_final_event"] = (stamps.stt_final_us - stamps.endpoint_us) / 1000
    return entry


def _answering(facts: PostCallInput, turn: Turn) -> LatencyStamps | None:
    """The stamps of the answer to a caller turn."""
    if turn.end is None:
        return None
    for other in facts.turns:
        stamps = other.latency
        if stamps is not None and turn.start <= stamps.caller_end <= turn.end:
            return stamps
    return None


def assistant_entry(facts: PostCallInput, turn: Turn, *, raw: bool) -> Entry:
    """An agent turn. Times from the caller's last word, in ms; a stage that did not happen: null.

    barge_elapsed_ms: from the turn's first sample on the wire to the cut.
    """
    barged = is_barged(turn)
    entry: Entry = {
        "role": "assistant",
        "content": turn.full_text if raw or not turn.was_cut else turn.heard_text,
        "timestamp": wall_us(facts, turn.start),
    }
    if turn.latency is not None:
        entry |= _latencies(facts, turn.latency)
    if barged:
        entry["barged"] = True
        entry["text_heard_approx"] = turn.heard_text
        entry["text_spoken_total"] = turn.full_text
        elapsed = _elapsed_ms(facts, turn)
        if elapsed is not None:
            entry["barge_elapsed_ms"] = elapsed
    return entry


def is_barged(turn: Turn) -> bool:
    """Whether the caller cut some of the turn off."""
    return any(
        u.state is UtteranceState.CUT and u.cut_cause == BARGE_CAUSE for u in turn.utterances
    )


def _elapsed_ms(facts: PostCallInput, turn: Turn) -> float | None:
    starts = [u.playout[0].start for u in turn.utterances if u.playout]
    cuts = [
        u.cut_at for u in turn.utterances if u.cut_at is not None and u.cut_cause == BARGE_CAUSE
    ]
    if not starts or not cuts:
        return None
    return (max(cuts) - min(starts)) * 1000 / facts.srate_hz


def _latencies(facts: PostCallInput, stamps: LatencyStamps) -> Entry:
    entry: Entry = {
        "latency": _ms(stamps.reply_first_token_us),
        "utterance_latency": _ms(stamps.first_phrase_us),
        "audio_latency": _ms(stamps.tts_first_audio_us),
        "acoustic_latency": _ms(stamps.first_frame_out_us),
        "last_word_end_wall_us": wall_us(facts, stamps.caller_end),
    }
    if stamps.endpoint_us is not None:
        entry["turn_decided_wall_us"] = wall_us(facts, stamps.caller_end) + stamps.endpoint_us
    return entry


def _ms(us: int | None) -> float | None:
    return None if us is None else us / 1000


def tool_entries(tool: ToolUse) -> list[Entry]:
    """The request of the model, and the result if there was one."""
    call = {
        "id": tool.id,
        "type": "function",
        "function": {"name": tool.name, "arguments": tool.argument},
    }
    out: list[Entry] = [
        {"role": "assistant", "content": "", "timestamp": tool.start_us, "tool_calls": [call]}
    ]
    if tool.result is None:
        return out
    result: Entry = {
        "role": "tool",
        "tool_call_id": tool.id,
        "function_name": tool.name,
        "content": tool.result,
        "timestamp": tool.start_us if tool.end_us is None else tool.end_us,
        "start_timestamp": tool.start_us,
    }
    if tool.end_us is not None:
        result["end_timestamp"] = tool.end_us
        result["function_latency"] = (tool.end_us - tool.start_us) / 1000
    return [*out, result]


def system_entry(item: SystemText) -> Entry:
    """A system message; the context, step and action where there is one."""
    entry: Entry = {"role": "system", "content": item.text, "timestamp": item.at_us}
    named = {"action": item.action or None, "context": item.context, "step": item.step}
    return entry | {key: value for key, value in named.items() if value is not None}
