"""The payload that is posted after a call, in the published post-prompt form.

Everything that is known is there; what is not known is left out, or null where the form says so.
Nothing is estimated. What the published form has no place for is under the key `mediacore`:
the transcript with heard and unheard spans, decisions, errors, cost and media counters.
"""

from __future__ import annotations

from typing import Final

from mediacore.call.record import Speaker, Turn
from mediacore.postcall.facts import Generation, PostCallInput, ToolUse
from mediacore.postcall.jsontext import find_objects
from mediacore.postcall.log import Entry, call_log, is_barged, wall_us

EXTENSION: Final = "mediacore"
EXTENSION_VERSION: Final = 1


def build_payload(facts: PostCallInput) -> dict[str, object]:
    """The whole payload: JSON values, except what the caller's own data holds."""
    ids, dates = facts.ids, facts.dates
    payload: dict[str, object] = {
        "content_type": "text/json",
        "content_disposition": "agent.summary",
        "conversation_type": "voice",
        "action": "post_conversation",
        "project_id": ids.project_id,
        "space_id": ids.space_id,
        "call_id": ids.call_id,
        "ai_session_id": ids.ai_session_id,
        "app_name": ids.app_name,
        "global_data": dict(facts.global_data),
        "call_log": call_log(facts, raw=False),
        "raw_call_log": call_log(facts, raw=True),
        "call_timeline": call_timeline(facts),
        "times": [_times(item) for item in facts.generations],
        "swaig_log": [_swaig(tool) for tool in facts.tools],
    }
    payload |= _known(
        {
            "conversation_id": ids.conversation_id,
            "caller_id_name": ids.caller_id_name,
            "caller_id_number": ids.caller_id_number,
            "call_start_date": dates.call_start_us,
            "call_answer_date": dates.call_answer_us,
            "call_end_date": dates.call_end_us,
            "ai_start_date": dates.ai_start_us,
            "ai_end_date": dates.ai_end_us,
            "call_ended_by": facts.ended_by or None,
            "hard_timeout": True if facts.hard_timeout else None,
            "conversation_summary": facts.summary,
            "SWMLVars": None if facts.swml_vars is None else dict(facts.swml_vars),
            "SWMLCall": None if facts.swml_call is None else dict(facts.swml_call),
        }
    )
    if facts.previous_contexts:
        payload["previous_contexts"] = [
            [dict(entry) for entry in context] for context in facts.previous_contexts
        ]
    if facts.post_prompt_text is not None:
        payload["post_prompt_data"] = post_prompt_data(facts.post_prompt_text)
    payload |= _accounting(facts)
    payload[EXTENSION] = _extension(facts)
    return payload


def post_prompt_data(text: str) -> dict[str, object]:
    """raw: the model's text. parsed: the JSON objects in it. substituted: what is left then."""
    found = find_objects(text)
    return {"raw": text, "parsed": list(found.objects), "substituted": found.rest}


def call_timeline(facts: PostCallInput) -> list[Entry]:
    """Flat events in order of time: the session, turns, tools, and the trail as it is."""
    rows: list[Entry] = []
    if facts.dates.ai_start_us is not None:
        rows.append({"type": "session_start", "timestamp": facts.dates.ai_start_us})
    for turn in facts.turns:
        at = wall_us(facts, turn.start)
        if turn.speaker is Speaker.CALLER:
            rows.append({"type": "user_input", "timestamp": at, "content": turn.text})
        elif turn.utterances:
            row: Entry = {"type": "ai_response", "timestamp": at, "content": turn.heard_text}
            rows.append(row | ({"barged": True} if is_barged(turn) else {}))
    for tool in facts.tools:
        rows.append({"type": "function_call", "timestamp": tool.start_us, "function": tool.name})
        if tool.result is not None and not tool.error:
            end = tool.start_us if tool.end_us is None else tool.end_us
            rows.append({"type": "tool_result", "timestamp": end, "function": tool.name})
        if tool.error:
            end = tool.start_us if tool.end_us is None else tool.end_us
            rows.append(
                {
                    "type": "function_error",
                    "timestamp": end,
                    "function": tool.name,
                    "error_reason": tool.error,
                }
            )
    rows += [
        {**entry.fields, "type": entry.type, "timestamp": entry.at_us} for entry in facts.trail
    ]
    if facts.dates.ai_end_us is not None:
        rows.append({"type": "session_end", "timestamp": facts.dates.ai_end_us})
    return sorted(rows, key=_timestamp)


def _timestamp(row: Entry) -> int:
    value = row["timestamp"]
    return value if isinstance(value, int) else 0


def _times(item: Generation) -> Entry:
    """Seconds: answer_time from the request to the last token, token_time from the first token.

    avg_tps: tokens over answer_time; tps: over token_time.
    """
    entry: Entry = {
        "response": item.response,
        "response_word_count": len(item.response.split()),
    }
    streamed = None
    if item.total_us is not None and item.first_token_us is not None:
        streamed = max(item.total_us - item.first_token_us, 0)
    entry |= _known(
        {
            "tokens": item.tokens,
            "answer_time": _seconds(item.total_us),
            "token_time": _seconds(streamed),
        }
    )
    if item.tokens is not None and item.total_us:
        entry["avg_tps"] = item.tokens * 1e6 / item.total_us
    if item.tokens is not None and streamed:
        entry["tps"] = item.tokens * 1e6 / streamed
    return entry


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / 1e6


def _swaig(tool: ToolUse) -> Entry:
    entry: Entry = {
        "command_name": tool.name,
        "command_arg": tool.argument,
        "epoch_time": tool.start_us // 1_000_000,
        "active_count": "endless" if tool.active_count is None else tool.active_count,
    }
    return entry | _known(
        {
            "native": True if tool.native else None,
            "url": tool.url,
            "post_data": tool.post_data,
            "post_response": tool.post_response,
            "delayed_post_response": tool.delayed_post_response,
        }
    )


def _accounting(facts: PostCallInput) -> Entry:
    used = facts.accounting
    if used is None:
        return {}
    start, end = facts.dates.ai_start_us, facts.dates.ai_end_us
    minutes = None if start is None or end is None else (end - start) / 60e6
    per_minute = None
    if used.tts_chars is not None and minutes:
        per_minute = used.tts_chars / minutes
    return _known(
        {
            "total_minutes": minutes,
            "total_input_tokens": used.input_tokens,
            "total_output_tokens": used.output_tokens,
            "total_tts_chars": used.tts_chars,
            "total_tts_chars_per_min": per_minute,
            "total_asr_minutes": None if used.asr_ms is None else used.asr_ms / 60_000,
        }
    )


def _extension(facts: PostCallInput) -> Entry:
    used = facts.accounting
    cost = None
    if used is not None and used.cost_micros is not None:
        cost = {"micros": used.cost_micros, "currency": used.currency}
    return {
        "version": EXTENSION_VERSION,
        "transcript": [_transcript(facts, turn) for turn in facts.turns],
        "decisions": [
            {
                "timestamp": wall_us(facts, note.at),
                "name": note.name,
                "verdict": note.verdict,
                "evidence": note.evidence,
            }
            for note in facts.decisions
        ],
        "errors": [
            {
                "timestamp": error.at_us,
                "error_reason": error.reason,
                "fatal": error.fatal,
                "class": error.class_name,
                "message": error.message,
            }
            for error in facts.errors
        ],
        "cost": cost,
        "media": dict(facts.media),
    }


def _transcript(facts: PostCallInput, turn: Turn) -> Entry:
    """A turn with what was heard of each utterance; positions in ms after the media start."""
    entry: Entry = {
        "speaker": turn.speaker.value,
        "start_ms": _media_ms(facts, turn.start),
        "end_ms": _media_ms(facts, turn.end),
        "stage": turn.stage,
    }
    if turn.speaker is Speaker.CALLER:
        return entry | {"text": turn.text, "confidence": turn.confidence}
    return entry | {
        "utterances": [
            {
                "kind": u.kind.value,
                "state": u.state.value,
                "text": u.text,
                "heard": u.heard_text,
                "spans": [[s.start, s.end, s.heard] for s in u.all_spans()],
                "played_ms": _media_ms(facts, u.played_samples),
                "cut_ms": _media_ms(facts, u.cut_at),
            }
            for u in turn.utterances
        ]
    }


def _media_ms(facts: PostCallInput, samples: int | None) -> int | None:
    return None if samples is None else samples * 1000 // facts.srate_hz


def _known(values: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}
