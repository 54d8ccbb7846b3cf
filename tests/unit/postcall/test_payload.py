import json
from dataclasses import replace

from mediacore.call.record import (
    DecisionNote,
    LatencyStamps,
    PlayoutBand,
    Speaker,
    Turn,
    UtteranceKind,
    UtteranceRecord,
    UtteranceState,
)
from mediacore.postcall.facts import (
    Accounting,
    CallDates,
    CallIds,
    Generation,
    PostCallInput,
    PublicError,
    SystemText,
    ToolUse,
    TrailEntry,
)
from mediacore.postcall.payload import build_payload, post_prompt_data

T0 = 1_700_000_000_000_000


def utterance(text: str, **changes: object) -> UtteranceRecord:
    base = UtteranceRecord(1, 1, UtteranceKind.REPLY, text, UtteranceState.FINISHED, len(text))
    return replace(base, **changes)


CUT = utterance(
    "The address is twelve Main Street.",
    state=UtteranceState.CUT,
    heard_chars=14,
    playout=(PlayoutBand(32_000, 40_000),),
    cut_at=40_000,
    cut_cause="barge_in",
)
TURNS = (
    Turn(0, Speaker.AGENT, 0, 8_000, utterances=(utterance("Hello."),)),
    Turn(1, Speaker.CALLER, 16_000, 24_000, text="where are you", confidence=0.9),
    Turn(
        2,
        Speaker.AGENT,
        32_000,
        40_000,
        utterances=(CUT, utterance("Anything else?", state=UtteranceState.REFUSED, heard_chars=0)),
        latency=LatencyStamps(23_000, 200_000, 480_000, 700_000, 800_000, 900_000, 1_125_000),
    ),
)
TOOL = ToolUse(
    "c1", "lookup", '{"q":"x"}', T0 + 2_500_000, T0 + 2_600_000, "found", url="https://h.example/t",
    post_data={"function": "lookup"}, post_response={"response": "found"},
)  # fmt: skip
FACTS = PostCallInput(
    CallIds("call-1", "ai-1", "proj", "space", "app", caller_id_number="+15550101234"),
    CallDates(T0 - 5, T0 - 1, None, T0, T0 + 90_000_000),
    srate_hz=8000,
    media_start_us=T0,
    ended_by="caller",
    turns=TURNS,
    tools=(TOOL,),
    trail=(TrailEntry("step_change", T0 + 3_000_000, {"from": "a", "to": "b"}),),
    system=(SystemText(T0 - 1, "Be kind.", step="a"),),
    generations=(Generation("Hello there", 10, 500_000, 1_000_000), Generation("x")),
    global_data={"k": 1},
    post_prompt_text='Summary: {"ok": true}',
    accounting=Accounting(100, 20, 90, 30_000, 42, "USD"),
    decisions=(DecisionNote(100, "barge_in", "cut", "140 ms"),),
    errors=(PublicError(T0, "llm_retry", False, "timeout"),),
    media={"lost": 3},
)


def test_identity_and_dates() -> None:
    payload = build_payload(FACTS)
    assert payload["action"] == "post_conversation"
    assert payload["content_disposition"] == "agent.summary"
    assert (payload["call_id"], payload["ai_session_id"]) == ("call-1", "ai-1")
    assert (payload["project_id"], payload["space_id"], payload["app_name"]) == (
        "proj", "space", "app",
    )  # fmt: skip
    assert payload["ai_start_date"] == T0 and payload["ai_end_date"] == T0 + 90_000_000
    assert payload["call_ended_by"] == "caller"
    assert payload["global_data"] == {"k": 1}
    json.dumps(payload)


def test_unknown_is_absent() -> None:
    payload = build_payload(FACTS)
    absent = ("call_end_date", "hard_timeout", "conversation_id", "caller_id_name", "SWMLVars",
              "previous_contexts", "conversation_summary")  # fmt: skip
    assert [key for key in absent if key in payload] == []
    bare = PostCallInput(CallIds("c", "a"), CallDates(), 8000, 0)
    payload = build_payload(bare)
    assert "post_prompt_data" not in payload and "total_minutes" not in payload
    assert payload["call_log"] == [] and payload["times"] == []
    assert payload["call_timeline"] == []
    full = replace(
        bare, hard_timeout=True, summary="s", swml_vars={"a": 1}, swml_call={"b": 2},
        previous_contexts=(({"role": "user"},),),
    )  # fmt: skip
    payload = build_payload(full)
    assert payload["hard_timeout"] is True and payload["SWMLVars"] == {"a": 1}
    assert payload["SWMLCall"] == {"b": 2} and payload["previous_contexts"] == [[{"role": "user"}]]


def test_interruption_is_exact() -> None:
    payload = build_payload(FACTS)
    raw = [e for e in payload["raw_call_log"] if e.get("barged")]  # type: ignore[attr-defined]
    log = [e for e in payload["call_log"] if e.get("barged")]  # type: ignore[attr-defined]
    assert len(raw) == len(log) == 1
    assert raw[0]["text_heard_approx"] == "The address is"
    assert raw[0]["text_spoken_total"] == "The address is twelve Main Street. Anything else?"
    assert raw[0]["barge_elapsed_ms"] == 1000
    assert raw[0]["content"] == raw[0]["text_spoken_total"]
    assert log[0]["content"] == "The address is"


def test_cut_by_a_command_is_no_interruption() -> None:
    turn = replace(TURNS[2], utterances=(replace(CUT, cut_cause="command"),))
    entry = build_payload(replace(FACTS, turns=(turn,)))["call_log"][-1]  # type: ignore[index]
    assert entry["content"] == "The address is" and "barged" not in entry


def test_unplayed_cut_has_no_elapsed_time() -> None:
    turn = replace(TURNS[2], utterances=(replace(CUT, playout=(), heard_chars=0),))
    payload = build_payload(replace(FACTS, turns=(turn,), tools=(), system=()))
    assert payload["call_log"] == []
    (entry,) = payload["raw_call_log"]  # type: ignore[misc]
    assert "barge_elapsed_ms" not in entry and entry["text_heard_approx"] == ""


def test_latencies_and_user_entry() -> None:
    log = build_payload(FACTS)["call_log"]
    assert [e["role"] for e in log] == [  # type: ignore[attr-defined]
        "system", "assistant", "user", "assistant", "tool", "assistant",
    ]  # fmt: skip
    user, answer = log[2], log[5]  # type: ignore[index]
    assert user["start_timestamp"] == T0 + 2_000_000 and user["end_timestamp"] == T0 + 3_000_000
    assert user["confidence"] == 0.9 and user["turn_detection_to_final_event"] == 280
    assert (answer["latency"], answer["utterance_latency"]) == (700, 800)
    assert (answer["audio_latency"], answer["acoustic_latency"]) == (900, 1125)
    assert answer["last_word_end_wall_us"] == T0 + 2_875_000
    assert answer["turn_decided_wall_us"] == T0 + 3_075_000
    turn = replace(TURNS[2], latency=LatencyStamps(23_000))
    entry = build_payload(replace(FACTS, turns=(turn,)))["call_log"][-1]  # type: ignore[index]
    assert entry["acoustic_latency"] is None and "turn_decided_wall_us" not in entry


def test_tools() -> None:
    payload = build_payload(FACTS)
    (row,) = payload["swaig_log"]  # type: ignore[misc]
    assert row["command_name"] == "lookup" and row["command_arg"] == '{"q":"x"}'
    assert row["epoch_time"] == T0 // 1_000_000 + 2 and row["active_count"] == "endless"
    assert row["post_response"] == {"response": "found"} and "native" not in row
    request, result = payload["call_log"][3:5]  # type: ignore[index]
    assert request["tool_calls"][0]["function"] == {"name": "lookup", "arguments": '{"q":"x"}'}
    assert result["content"] == "found" and result["function_latency"] == 100
    native = ToolUse("c2", "check_time", "{}", T0, native=True, active_count=2)
    payload = build_payload(replace(FACTS, tools=(native,)))
    (row,) = payload["swaig_log"]  # type: ignore[misc]
    assert row["native"] is True and row["active_count"] == 2 and "url" not in row
    assert [e["role"] for e in payload["call_log"]].count("tool") == 0  # type: ignore[attr-defined]


def test_timeline() -> None:
    failed = replace(TOOL, error="webhook_http_failure", end_us=None)
    timeline = build_payload(replace(FACTS, tools=(TOOL, failed)))["call_timeline"]
    assert [e["type"] for e in timeline] == [  # type: ignore[attr-defined]
        "session_start", "ai_response", "user_input", "function_call", "function_call",
        "function_error", "tool_result", "step_change", "ai_response", "session_end",
    ]  # fmt: skip
    assert timeline[8]["barged"] is True  # type: ignore[index]
    assert timeline[7]["to"] == "b"  # type: ignore[index]


def test_times_and_accounting() -> None:
    payload = build_payload(FACTS)
    first, second = payload["times"]  # type: ignore[misc]
    assert first == {
        "response": "Hello there", "response_word_count": 2, "tokens": 10, "answer_time": 1.0,
        "token_time": 0.5, "avg_tps": 10.0, "tps": 20.0,
    }  # fmt: skip
    assert second == {"response": "x", "response_word_count": 1}
    assert payload["total_minutes"] == 1.5 and payload["total_asr_minutes"] == 0.5
    assert payload["total_tts_chars_per_min"] == 60 and payload["total_input_tokens"] == 100
    assert "total_wire_input_tokens" not in payload


def test_extension() -> None:
    own = build_payload(FACTS)["mediacore"]
    assert isinstance(own, dict)
    assert own["transcript"][1] == {
        "speaker": "caller", "start_ms": 2000, "end_ms": 3000, "stage": "",
        "text": "where are you", "confidence": 0.9,
    }  # fmt: skip
    cut = own["transcript"][2]["utterances"][0]
    assert cut["heard"] == "The address is" and cut["cut_ms"] == 5000
    assert cut["spans"] == [[0, 14, True], [14, 34, False]]
    assert own["cost"] == {"micros": 42, "currency": "USD"} and own["media"] == {"lost": 3}
    assert own["decisions"][0]["verdict"] == "cut"
    assert own["errors"][0]["error_reason"] == "llm_retry"
    bare = build_payload(replace(FACTS, accounting=None))["mediacore"]
    assert bare["cost"] is None  # type: ignore[index]


def test_post_prompt_data() -> None:
    assert post_prompt_data('Summary: {"ok": true}') == {
        "raw": 'Summary: {"ok": true}',
        "parsed": [{"ok": True}],
        "substituted": "Summary:",
    }
    assert post_prompt_data("text")["parsed"] == []
