"""What running a document costs, by pytest-benchmark: pytest benchmarks/test_flow.py

Wall-clock times of single steps and expressions; `statements` in the extra info says how many
statements a step takes. Budget: 100 µs for a step whose values are plain paths.
"""

from __future__ import annotations

from typing import Any

import pytest

from mediacore.flow.document import load_document
from mediacore.flow.expand import expand
from mediacore.flow.interpreter import FlowState, advance, complete, start
from mediacore.flow.scope import Scope
from mediacore.flow.script import QuickJs
from mediacore.flow.source import from_value

pytest.importorskip("pytest_benchmark")

SCOPE = Scope(
    call={"from": "+15551234567", "to": "+15557654321", "type": "phone"},
    vars={f"name_{n}": f"value {n}" for n in range(50)},
)


def _start(*main: object, **sections: object) -> FlowState:
    written = {"sections": {"main": list(main), **sections}}
    return start(load_document(from_value(written, "bench")), SCOPE)


def test_step_of_plain_paths(benchmark: Any) -> None:
    """set, switch, play: what a menu does between two prompts."""
    state = _start(
        {"set": {"choice": "%{vars.name_7}", "who": "${call.from}"}},
        {"switch": {"variable": "choice", "case": {"value 7": [{"play": {"url": "say:${who}"}}]}}},
    )
    benchmark.extra_info["statements"] = 3
    js = QuickJs()
    assert len(benchmark(advance, state, js)[1]) == 1


def test_step_with_conditions(benchmark: Any) -> None:
    """cond with two expressions, and a play."""
    state = _start(
        {
            "cond": [
                {"when": "call.type == 'sip'", "then": ["hangup"]},
                {"when": "name_7.length > 3", "then": [{"play": {"url": "say:${name_7}"}}]},
            ]
        }
    )
    benchmark.extra_info["statements"] = 2
    js = QuickJs()
    assert len(benchmark(advance, state, js)[1]) == 1


def test_execute_and_return(benchmark: Any) -> None:
    state = _start(
        {"execute": {"dest": "sub", "params": {"a": "${call.from}"}}},
        {"play": {"url": "say:${return_value}"}},
        sub=[{"return": "${params.a}"}],
    )
    benchmark.extra_info["statements"] = 3
    js = QuickJs()
    assert len(benchmark(advance, state, js)[1]) == 1


def test_complete(benchmark: Any) -> None:
    state, _ = advance(_start({"play": {"url": "say:x"}}, "hangup"), QuickJs())
    benchmark(complete, state, {"play_result": "finished"})


def test_expand_text(benchmark: Any) -> None:
    js = QuickJs()
    text = "say:Hello ${vars.name_1}, you call from ${call.from} about %{name_2}."
    benchmark(expand, text, SCOPE, js)


def test_evaluate(benchmark: Any) -> None:
    js = QuickJs()
    names = SCOPE.names()
    assert benchmark(js.evaluate, "name_7.toUpperCase() + '!'", names) == "VALUE 7!"


def test_new_realm(benchmark: Any) -> None:
    """An expression that gets a realm of its own."""
    js = QuickJs()
    benchmark(js.evaluate, "'x'.constructor.name", {})
