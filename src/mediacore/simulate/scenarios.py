"""The calls that are simulated: documents, limits, and how busy everybody is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from mediacore.call.settings import CallSettings
from mediacore.flow.document import Document
from mediacore.flow.script import Evaluator
from mediacore.policy.budget import Budget
from mediacore.policy.prices import Price, PriceBook, PriceUnit
from mediacore.runtime.documents import inline_document
from mediacore.runtime.settings import Money, RunSettings
from mediacore.simulate.controllers import PROJECT

_WEBHOOK: Final = "https://tool.example/hook"
_PRICES: Final = PriceBook(
    "USD",
    "2026-01-01",
    "made up",
    (
        Price("sim", PriceUnit.INPUT_TOKENS_1M, 2_000_000),
        Price("sim", PriceUnit.OUTPUT_TOKENS_1M, 8_000_000),
        Price("sim", PriceUnit.CHARACTERS_1M, 20_000_000),
    ),
)
_FUNCTIONS: Final = [
    {"function": "look", "description": "looks", "fillers": {"en-US": ["Let me look."]}},
    {"function": "book", "description": "books"},
]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of call. document: None = only controllers. commands: how many of them at most,
    within `within_s` seconds. talkative: stretches of speech of the caller at most."""

    name: str
    document: Document | None
    settings: RunSettings
    commands: int = 0
    within_s: float = 20.0
    talkative: int = 8
    outbound: bool = False


def settings(evaluator: Evaluator) -> RunSettings:
    """Short limits, so that every deadline is met within a call."""
    talk = CallSettings(
        max_call_ms=45_000,
        dead_air_ms=6_000,
        reply_deadline_ms=5_000,
        tool_deadline_ms=8_000,
        limit_grace_ms=6_000,
        closing_ms=5_000,
        watchdog_ms=15_000,
        media_lost_ms=8_000,
    )
    return RunSettings(
        evaluator,
        talk,
        project=PROJECT,
        context="office",
        max_call_ms=90_000,
        answer_ms=15_000,
        closing_ms=2_000,
        play_stall_ms=3_000,
        work_ms=6_000,
        lease_ms=5_000,
        media_lost_ms=8_000,
    )


def agent(**more: Any) -> dict[str, object]:
    """An `ai` statement with two tools and data of its own."""
    params = {"end_of_speech_timeout": 300, **more.pop("params", {})}
    swaig = {
        "defaults": {"web_hook_url": _WEBHOOK},
        "functions": _FUNCTIONS,
        **more.pop("SWAIG", {}),
    }
    return {
        "ai": {
            "prompt": {"text": "You help."},
            "global_data": {"first": 1},
            "params": params,
            "SWAIG": swaig,
            **more,
        }
    }


def documents() -> Mapping[str, list[object]]:
    """Statements of each document by name."""
    confirm = [{"prompt": {"play": "say:press one to take it", "max_digits": 1}}]
    hooks = [*_FUNCTIONS, {"function": "startup_hook"}, {"function": "hangup_hook"}]
    return {
        "menu": [
            {"answer": {}},
            {"play": "say:welcome to the office"},
            {"prompt": {"play": "say:press a key please", "max_digits": 2, "digit_timeout": 2}},
            {"set": {"key": "%{prompt_value}"}},
            {"play": {"urls": ["say:thank you", "silence:1"]}},
            {"sleep": 400},
            {"prompt": {"play": "say:say something", "speech_end_timeout": 1}},
            {"hangup": {}},
        ],
        "agent": [
            {"answer": {}},
            agent(params={"wait_for_user": True}),
            {"play": "say:good bye then"},
            {"hangup": {}},
        ],
        "hooks": [
            agent(
                SWAIG={
                    "functions": hooks,
                    "includes": [{"url": "https://tool.example/inc", "functions": ["more"]}],
                },
                post_prompt={"text": "Summarise."},
                post_prompt_url=_WEBHOOK,
                params={"static_greeting": "Hello, how can I help?"},
            ),
            {"set": {"after": "1"}},
        ],
        "transfer": [
            {"answer": {}},
            {"play": "say:please hold"},
            {
                "connect": {
                    "serial_parallel": [
                        [{"to": "+1701"}, {"to": "+1702"}],
                        [{"to": "sip:desk@example.org"}],
                    ],
                    "timeout": 5,
                    "confirm": confirm,
                    "confirm_timeout": 6,
                }
            },
            {"play": "say:nobody is there"},
            {"connect": {"to": "+1703", "timeout": 4, "max_duration": 10}},
        ],
        "media": [
            {"record_call": {"control_id": "all", "stereo": True}},
            {"detect_machine": {"timeout": 4, "wait": False}},
            {"tap": {"uri": "rtp://192.0.2.1:4000", "control_id": "tap"}},
            {"stream": {"url": "wss://s.example/x", "control_id": "stream"}},
            {"record": {"beep": True, "max_length": 3, "end_silence_timeout": 1}},
            {"send_digits": {"digits": "1w2"}},
            {"sip_refer": {"to_uri": "sip:desk@example.org"}},
            {"stop_record_call": {"control_id": "all"}},
            {"stop_tap": {"control_id": "tap"}},
            {"play": "say:done"},
        ],
        "web": [
            {"request": {"url": "https://web.example/a", "method": "GET", "timeout": 3}},
            {"answer": {}},
            {"play": "say:one moment"},
            {"request": {"url": "https://web.example/b", "save_variables": True}},
            {"transfer": {"dest": "https://web.example/doc"}},
        ],
        "fetched": [{"play": "say:from elsewhere"}, {"sleep": 200}, {"hangup": {}}],
        "long": [{"answer": {}}, {"play": {"urls": ["silence:30"]}}, {"sleep": -1}],
    }


def scenarios(evaluator: Evaluator) -> tuple[Scenario, ...]:
    """All of them."""
    base = settings(evaluator)
    docs = {name: inline_document(found, name) for name, found in documents().items()}
    priced = Money(_PRICES, {"llm": "sim:m", "tts": "sim:v"})
    tight = replace(base, money=priced, budget=Budget(money_micros=9_000))
    daily = Money(_PRICES, priced.providers, day_cap_micros=20_000, unit_micros=4_000)
    timed = replace(base, budget=Budget(seconds=12, turns=3))
    return (
        Scenario("menu", docs["menu"], base, commands=1),
        Scenario("agent", docs["agent"], base, commands=1),
        Scenario("hooks", docs["hooks"], base, commands=2),
        Scenario("steered", docs["agent"], base, commands=9, within_s=12),
        Scenario("transfer", docs["transfer"], base, commands=1),
        Scenario("contested", docs["transfer"], base, commands=6, within_s=15),
        Scenario("media", docs["media"], base, commands=1),
        Scenario("web", docs["web"], base, commands=1),
        Scenario("money", docs["agent"], tight, talkative=12),
        Scenario("day", docs["agent"], replace(base, money=daily), talkative=12),
        Scenario("turns", docs["agent"], timed, talkative=12, commands=1),
        Scenario("time", docs["long"], timed, commands=1),
        Scenario("controlled", None, base, commands=10, within_s=12),
        Scenario("outbound", None, base, commands=8, within_s=15, outbound=True),
    )


def fetchable() -> tuple[Document, ...]:
    """Documents that a document server gives."""
    found = documents()
    return tuple(inline_document(found[name], name) for name in ("fetched", "menu", "transfer"))
