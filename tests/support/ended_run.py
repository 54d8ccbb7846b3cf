"""A run of the agent that is over, as the runtime would leave it: two turns, tools, a trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mediacore.assistant import session as assistant
from mediacore.assistant.config import read_config
from mediacore.call import ErrorReason, FailureClass, initial_state
from mediacore.call.actions import ErrorRaised
from mediacore.call.clock import MediaClock
from mediacore.call.context import ContextEntry, Role, ToolRequest
from mediacore.call.record import (
    PlayoutBand,
    Speaker,
    Turn,
    UtteranceKind,
    UtteranceRecord,
    UtteranceState,
)
from mediacore.call.settings import CallSettings
from mediacore.flow.script import QuickJs
from mediacore.policy.prices import Price, PriceBook, PriceUnit
from mediacore.runtime.actions import DeliverPayload
from mediacore.runtime.settings import Money, RunSettings
from mediacore.runtime.state import AiRun, Line, LineState, RunState, Stage, ToolNote

WALL_US = 1_700_000_000_000_000
S = 1_000_000
DOCUMENT: dict[str, Any] = {
    "prompt": {"text": "You take orders."},
    "post_prompt": {"text": "Summarise as JSON."},
    "post_prompt_url": "http://bot:secret@127.0.0.1:9/post_prompt",
    "global_data": {"shop": "north"},
    "params": {
        "mediacore_required": [{"key": "order", "label": "order number", "digits": True}, "city"]
    },
    "SWAIG": {
        "functions": [
            {
                "function": "lookup",
                "description": "Look an order up.",
                "web_hook_url": "http://127.0.0.1:9/swaig",
            }
        ]
    },
}
GREETING = UtteranceRecord(
    1,
    1,
    UtteranceKind.GREETING,
    "Hello, which order?",
    UtteranceState.FINISHED,
    19,
    playout=(PlayoutBand(0, 8_000),),
)
ANSWER = UtteranceRecord(
    2,
    2,
    UtteranceKind.REPLY,
    "It is on its way to Berlin.",
    UtteranceState.CUT,
    16,
    playout=(PlayoutBand(40_000, 48_000),),
    cut_at=48_000,
    cut_cause="barge_in",
)
TURNS = (
    Turn(0, Speaker.AGENT, 0, 8_000, utterances=(GREETING,)),
    Turn(1, Speaker.CALLER, 16_000, 30_000, text="It is four seven one, please.", confidence=0.9),
    Turn(2, Speaker.AGENT, 40_000, 48_000, utterances=(ANSWER,)),
    Turn(3, Speaker.CALLER, 46_000, 56_000, text="Thanks, I live in Berlin."),
)
CONTEXT = (
    ContextEntry(Role.ASSISTANT, "Hello, which order?"),
    ContextEntry(Role.USER, "It is four seven one, please."),
    ContextEntry(Role.ASSISTANT, "", (ToolRequest("call_7", "lookup", '{"order": "471"}'),)),
    ContextEntry(Role.TOOL, "On its way.", tool_call_id="call_7"),
    ContextEntry(Role.ASSISTANT, "It is on its way"),
    ContextEntry(Role.USER, "Thanks, I live in Berlin."),
)
PRICES = PriceBook(
    "EUR",
    "2026-01-31",
    "a test",
    (
        Price("acme", PriceUnit.INPUT_TOKENS_1M, 1_000_000),
        Price("acme", PriceUnit.OUTPUT_TOKENS_1M, 2_000_000),
        Price("voice", PriceUnit.CHARACTERS_1M, 3_000_000),
        Price("ear", PriceUnit.AUDIO_SECOND, 10),
    ),
)
PRICED = Money(PRICES, {"llm": "acme:big", "tts": "voice", "stt": "ear"})


def ended_run(document: Mapping[str, Any] | None = None, **changes: Any) -> AiRun:
    """The run; `changes` replace fields of it."""
    session = assistant.begin(read_config(DOCUMENT if document is None else document))
    session = assistant.noted(session, "gather_start", step="one")
    session = assistant.noted(session, "function_call", function="lookup")
    session = assistant.noted(session, "step_change", **{"from": "one", "to": "two"})
    talk = replace(
        initial_state(CallSettings(), ()),
        clock=MediaClock(8000, 0, 12 * S),
        turns=TURNS,
        context=CONTEXT,
    )
    run = AiRun(
        3,
        "ai-1",
        "line-1",
        "flow:1",
        session,
        talk,
        stage=Stage.CLOSING,
        tools=(
            ToolNote(
                "lookup",
                '{"order": "471"}',
                16 * S,
                250,
                native=False,
                url="http://127.0.0.1:9/swaig",
                response="On its way.",
            ),
            ToolNote("nothing", "{}", 18 * S, 0, native=False, ok=False, error="unknown"),
        ),
        errors=(
            ErrorRaised(FailureClass.LLM_TRANSIENT, ErrorReason.LLM_RETRY, False, 0, "late", 2),
            ErrorRaised(FailureClass.STT_UNAVAILABLE, None, False),
        ),
        input_tokens=1_000,
        output_tokens=200,
        spoken_chars=46,
        started_us=11 * S,
        opened_us=12 * S,
        closing_us=20 * S,
        end_reason="hangup",
        summary='{"order": "471"}',
    )
    return replace(run, **changes)


def line(**changes: Any) -> Line:
    """The line of the run, over in the same step."""
    base = Line(
        "line-1",
        "phone",
        "inbound",
        "+15550100001",
        "+15550100002",
        state=LineState.ENDED,
        created_us=10 * S,
        answered_us=11 * S,
        closing_us=20 * S,
        end_reason="hangup",
    )
    return replace(base, **changes)


def state(**changes: Any) -> RunState:
    """The call's state."""
    settings = RunSettings(QuickJs(), project="project-1", space="space-1")
    base = RunState(settings, "call-1", vars={"record_url": "file:///r.wav"}, wall_us=WALL_US)
    return replace(base, **changes)


def ordered(run: AiRun, url: str | None = None) -> DeliverPayload:
    """The delivery as the runtime orders it."""
    config = run.session.config
    where = config.post_prompt_url if url is None else url
    return DeliverPayload(f"call-1:{run.id}", where, config.post_prompt_auth, run)
