"""Control flow of documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from mediacore.flow.document import Document, load_document
from mediacore.flow.findings import Code
from mediacore.flow.interpreter import (
    MAX_CALLS,
    MAX_TRANSFERS,
    Done,
    Effect,
    FlowState,
    Perform,
    Warn,
    advance,
    complete,
    fetch_failed,
    fetched,
    start,
)
from mediacore.flow.scope import Scope
from mediacore.flow.script import QuickJs
from mediacore.flow.source import from_value

JS = QuickJs()


def document(main: list[Any], **sections: list[Any]) -> Document:
    written = {"version": "1.0.0", "sections": {"main": main, **sections}}
    return load_document(from_value(written, "test"))


def play(text: str) -> dict[str, object]:
    return {"play": {"url": f"say:{text}"}}


class Player:
    """Runs a document; what is played, warned of and said at the end."""

    def __init__(self, main: list[Any], scope: Scope | None = None, **sections: list[Any]) -> None:
        self.state = start(document(main, **sections), scope or Scope())
        self.performed: list[tuple[str, Mapping[str, object]]] = []
        self.warned: list[str] = []
        self.done: Done | None = None

    def step(self) -> Effect:
        self.state, effects = advance(self.state, JS)
        for effect in effects:
            match effect:
                case Warn(code=code):
                    self.warned.append(code)
                case Perform(method=method, params=params):
                    self.performed.append((method, params))
                case Done():
                    self.done = effect
        return effects[-1]

    def run(self, limit: int = 1000) -> Player:
        for _ in range(limit):
            if isinstance(self.step(), Done):
                return self
            self.state = complete(self.state)
        raise AssertionError("the document does not end")

    @property
    def said(self) -> list[str]:
        return [str(p["url"])[4:] for m, p in self.performed if m == "play"]

    @property
    def vars(self) -> Mapping[str, object]:
        return self.state.scope.vars


def said(main: list[Any], scope: Scope | None = None, **sections: list[Any]) -> list[str]:
    return Player(main, scope, **sections).run().said


def test_statements_run_in_order_and_the_document_ends() -> None:
    player = Player([play("a"), "answer", play("b")]).run()
    assert player.said == ["a", "b"]
    assert player.done == Done(None, "end")
    assert player.state.finished
    assert advance(player.state, JS) == (player.state, (Done(None, "end"),))


def test_current_and_place_follow_the_statement() -> None:
    player = Player([play("a"), {"cond": [{"when": "true", "then": [play("b")]}]}])
    assert player.state.current is not None and player.state.current.method == "play"
    player.step()
    assert player.state.current.path == ("sections", "main", 0, "play")
    player.state = complete(player.state)
    player.step()
    inner = player.state.current
    assert inner is not None
    assert inner.path == ("sections", "main", 1, "cond", 0, "then", 0, "play")


def test_set_evaluates_in_order_and_keeps_types() -> None:
    player = Player(
        [
            {"set": {"price": 5, "vars.count": "${2 + 1}", "total": "${price * count}"}},
            {"set": {"tax": "${(total * 0.1).toFixed(2)}", "gone": 1, "gone2": 1}},
            {"unset": "gone"},
            {"unset": ["gone2", "absent"]},
            play("${total} ${tax}"),
        ]
    ).run()
    assert player.said == ["15 1.50"]
    assert player.vars == {"price": 5, "count": 3, "total": 15, "tax": "1.50"}


@pytest.mark.parametrize(
    ("n", "expected"), [(1, ["one"]), (2, ["two"]), (3, ["other"]), (4, ["inner else"])]
)
def test_cond(n: int, expected: list[str]) -> None:
    main = [
        {
            "cond": [
                {"when": "n == 1", "then": [play("one")]},
                {"when": "n == 2", "then": [play("two")]},
                {"when": "n != 4", "then": [play("other")], "else": [play("inner else")]},
            ]
        }
    ]
    assert said(main, Scope(vars={"n": n})) == expected


def test_a_condition_that_fails_is_false_and_told() -> None:
    player = Player(
        [{"cond": [{"when": "nothing.x", "then": [play("a")]}, {"else": [play("b")]}]}]
    ).run()
    assert player.said == ["b"]
    assert player.warned == [Code.JS_EVAL_ERROR]
    assert player.vars["script_error"] == "relay_script_js_eval_error"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", ["one"]), (1, ["one"]), (True, ["yes"]), ("zzz", ["default"]), (None, ["default"])],
)
def test_switch(value: object, expected: list[str]) -> None:
    switch = {
        "variable": "vars.v",
        "case": {"1": [play("one")], "true": [play("yes")]},
        "default": [play("default")],
    }
    assert said([{"switch": switch}], Scope(vars={"v": value})) == expected


def test_switch_without_match_is_a_script_error_and_the_document_goes_on() -> None:
    player = Player([{"switch": {"variable": "v", "case": {"1": []}}}, play("after")]).run()
    assert player.said == ["after"]
    assert player.warned == [Code.NO_MATCHING_CONDITION]


def test_goto_jumps_at_most_its_maximum() -> None:
    main: list[Any] = [{"label": "top"}, play("x"), {"goto": {"label": "top", "max": 3}}, play("y")]
    assert said(main) == ["x", "x", "x", "x", "y"]


def test_goto_counts_per_label_and_jumps_out_of_blocks() -> None:
    main: list[Any] = [
        {"set": {"i": 0}},
        {"label": "top"},
        {"set": {"i": "${i + 1}"}},
        {"cond": [{"when": "i < 3", "then": [play("low"), {"goto": "top"}, play("never")]}]},
        {"goto": {"label": "top", "when": "i < 5"}},
        play("${i}"),
    ]
    assert said(main) == ["low", "low", "5"]


def test_goto_forward_and_the_count_is_the_sections() -> None:
    main: list[Any] = [
        {"goto": "end"},
        play("skipped"),
        {"label": "end"},
        {"execute": "again"},
        {"execute": "again"},
    ]
    again: list[Any] = [{"label": "top"}, play("z"), {"goto": {"label": "top", "max": 1}}]
    assert said(main, again=again) == ["z", "z", "z", "z"]


def test_goto_without_its_label_ends_the_document() -> None:
    player = Player([{"goto": "${where}"}, play("x")], other=[{"label": "elsewhere"}])
    player.state = start(
        document([{"goto": "${where}"}, play("x")], other=[{"label": "elsewhere"}]),
        Scope(vars={"where": "elsewhere"}),
    )
    player.run()
    assert player.said == []
    assert player.done == Done(None, "error")
    assert player.warned == [Code.PARAMETER_INVALID_VALUE]


def test_a_tight_loop_of_gotos_is_bounded() -> None:
    main: list[Any] = [{"label": "a"}, {"label": "b"}, {"goto": "a"}, {"goto": "b"}, play("out")]
    assert said(main) == ["out"]


def test_execute_replaces_params_and_restores_them() -> None:
    main: list[Any] = [
        {"execute": {"dest": "sub", "params": {"a": "${n}", "b": 3}}},
        play("[${params.a}] ${return_value}"),
    ]
    sub: list[Any] = [{"return": "${params.a + params.b}"}, play("never")]
    scope = Scope(vars={"n": 2}, params={"a": "outer"})
    player = Player(main, scope, sub=sub).run()
    assert player.said == ["[outer] 5"]
    assert player.state.scope.params == {"a": "outer"}


def test_on_return_runs_before_result_and_result_only_with_a_value() -> None:
    after = {
        "on_return": [play("on_return")],
        "result": {"case": {"5": [play("five")]}, "default": [play("other")]},
    }
    main: list[Any] = [
        {"execute": {"dest": "five", **after}},
        {"execute": {"dest": "none", **after}},
        {
            "execute": {
                "dest": "five",
                "result": [{"when": "return_value > 4", "then": [play("c")]}],
            }
        },
    ]
    spoken = said(main, five=[{"return": 5}], none=[play("none")])
    assert spoken == ["on_return", "five", "none", "on_return", "c"]


def test_return_inside_blocks_leaves_the_section_only() -> None:
    sub: list[Any] = [{"cond": [{"when": "true", "then": [{"return": "v"}]}]}, play("never")]
    assert said([{"execute": "sub"}, play("${return_value}")], sub=sub) == ["v"]


def test_return_outside_of_a_call_ends_the_document_with_its_value() -> None:
    player = Player([{"return": {"a": "${1 + 1}"}}, play("never")]).run()
    assert player.done == Done({"a": 2}, "return")


def test_execute_of_no_section_is_a_script_error() -> None:
    player = Player([{"execute": {"dest": "${where}"}}, play("after")]).run()
    assert player.said == ["after"]
    assert player.warned == [Code.SECTION_UNDEFINED]


def test_execute_is_nested_so_deep_and_no_deeper() -> None:
    player = Player([play("x"), {"execute": "main"}]).run()
    assert player.said == ["x"] * (MAX_CALLS + 1)
    assert player.warned == [Code.NESTED_TOO_DEEP]


def test_execute_that_multiplies_is_stopped() -> None:
    player = Player([{"execute": "main"}, {"execute": "main"}]).run()
    assert player.done == Done(None, "error")
    assert player.warned[-1] == Code.TOO_MANY_STATEMENTS


@pytest.mark.parametrize(
    "dest",
    [
        json.dumps({"version": "1.0.0", "sections": {"main": [play("in ${params.p}")]}}),
        json.dumps([play("in ${params.p}")]),
        "version: 1.0.0\nsections:\n  main:\n  - play: {url: 'say:in ${params.p}'}\n",
        {"sections": {"main": [play("in ${params.p}")]}},
    ],
)
def test_inline_documents(dest: object) -> None:
    main: list[Any] = [{"execute": {"dest": dest, "params": {"p": 1}}}, play("back")]
    assert said(main) == ["in 1", "back"]
    assert said([{"transfer": {"dest": dest, "params": {"p": 2}}}, play("never")]) == ["in 2"]


def test_a_broken_inline_document_is_a_script_error() -> None:
    player = Player([{"execute": {"dest": "${d}"}}, play("after")], Scope(vars={"d": "{broken"}))
    player.run()
    assert player.said == ["after"]
    assert player.warned == [Code.PARSE_ERROR]


def test_transfer_keeps_variables_and_drops_the_rest() -> None:
    main: list[Any] = [
        {"set": {"v": 1}},
        {"execute": {"dest": "mid", "params": {"a": 1}}},
        play("x"),
    ]
    mid: list[Any] = [{"transfer": {"dest": "end", "params": {"b": 2}}}, play("never")]
    end: list[Any] = [play("${v}${params.a}${params.b}")]
    assert said(main, mid=mid, end=end) == ["12"]


def test_the_chain_of_transfers_is_capped() -> None:
    player = Player([play("x"), {"transfer": "main"}]).run()
    assert player.said == ["x"] * (MAX_TRANSFERS + 1)
    assert player.done == Done(None, "error")
    assert player.warned == [Code.TOO_MANY_TRANSFERS]


def test_a_url_is_fetched_and_called() -> None:
    player = Player(
        [
            {"execute": {"dest": "https://h/${p}", "params": {"a": 1}, "meta": {"m": "${p}"}}},
            play("${return_value}"),
        ],
        Scope(vars={"p": "x"}, params={"old": 1}),
    )
    assert isinstance(player.step(), Perform)
    assert player.performed == [
        (
            "fetch",
            {"url": "https://h/x", "purpose": "execute", "meta": {"m": "x"}, "params": {"a": 1}},
        )
    ]
    assert player.state.current is not None and player.state.current.method == "execute"
    player.state = fetched(player.state, document([{"return": "${params.a + 1}"}]))
    player.run()
    assert player.said == ["2"]
    assert player.state.scope.params == {"old": 1}


def test_a_url_is_fetched_and_gone_on_with() -> None:
    player = Player([{"transfer": {"dest": "https://h/", "params": {"a": 1}}}, play("never")])
    player.step()
    player.state = fetched(
        player.state, document([play("${params.a}"), {"execute": "sub"}], sub=["stop_tap"])
    )
    assert player.run().said == ["1"]


@pytest.mark.parametrize("method", ["execute", "transfer"])
def test_a_fetch_that_fails_is_a_script_error(method: str) -> None:
    player = Player([{method: "https://h/"}, play("${script_error}")])
    player.step()
    player.state = fetch_failed(player.state, Code.PARSE_ERROR, "it was nonsense")
    player.run()
    assert player.said == ["relay_script_parse_error"]
    assert player.warned == [Code.PARSE_ERROR]


def test_complete_sets_variables_and_a_failure_is_told() -> None:
    player = Player([play("a"), play("${play_result} ${return_value} ${script_error}")])
    player.step()
    player.state = complete(player.state, {"play_result": "failed"}, value=7, failed="no such file")
    player.run()
    assert player.said[1] == "failed 7 relay_script_method_execute_failed"
    assert player.warned == [Code.EXECUTE_FAILED]


def test_a_failure_may_name_its_code() -> None:
    player = Player([play("a")])
    player.step()
    player.state = complete(player.state, failed="relay_script_voice_unresolved")
    player.run()
    assert player.warned == [Code.VOICE_UNRESOLVED]


def test_hangup_ends_the_document_unless_it_failed() -> None:
    player = Player(["hangup", play("after")]).run()
    assert (player.said, player.done) == ([], Done(None, "hangup"))
    player = Player(["hangup", play("after")])
    player.step()
    player.state = complete(player.state, failed="no leg")
    assert player.run().said == ["after"]


def test_connect_runs_its_result() -> None:
    result = {"variable": "connect_result", "case": {"connected": [play("talked")]}, "default": []}
    player = Player([{"connect": {"to": "+1555", "result": result}}, play("after")])
    player.step()
    assert player.performed[0][1]["result"] == result
    player.state = complete(player.state, {"connect_result": "connected"})
    assert player.run().said == ["talked", "after"]


def test_a_method_whose_parameters_cannot_be_expanded_is_passed_by() -> None:
    player = Player([play("${nothing.x()}"), play("b")]).run()
    assert player.said == ["b"]
    assert player.warned == [Code.JS_EVAL_ERROR]


def test_endless_expressions_end_the_document() -> None:
    loop: list[Any] = [{"label": "a"}, {"set": {"x": "${nothing.x()}"}}, {"goto": "a"}]
    player = Player(loop).run()
    assert player.done == Done(None, "error")
    assert player.warned.count(Code.JS_EVAL_ERROR) == 17


def test_expressions_that_use_up_their_time_are_counted_for_the_whole_document() -> None:
    costly = {"set": {"x": "%{(() => { for (;;) {} })()}"}}
    cheap = {"set": {"x": "%{nothing.x()}"}}
    main = [each for n in range(8) for each in (play(str(n)), costly, cheap)]
    player = Player(main).run()
    assert player.said == ["0", "1", "2", "3"]
    assert player.done == Done(None, "error")
    assert player.state.costly == 4
    assert Player([play("a"), costly, play("b")]).run().done == Done(None, "end")


def test_answers_that_nobody_waits_for_are_refused() -> None:
    doc = document([play("a")])
    state = start(doc, Scope())
    with pytest.raises(ValueError, match="waited for"):
        complete(state)
    state, _ = advance(state, JS)
    with pytest.raises(ValueError, match="waited for"):
        fetched(state, doc)
    with pytest.raises(ValueError, match="not been answered"):
        advance(state, JS)


def test_another_section_may_be_started() -> None:
    state = start(document([play("a")], other=[play("b")]), Scope(), "other")
    _, effects = advance(state, JS)
    assert effects == (Perform("play", {"url": "say:b"}, effects[0].place),)
    assert advance(start(document(["answer"]), Scope(), "absent"), JS)[1] == (Done(None, "end"),)


def test_states_are_values() -> None:
    doc = document([{"set": {"a": 1}}, play("x")])
    first, second = start(doc, Scope()), start(doc, Scope())
    assert first == second
    moved: FlowState = advance(first, JS)[0]
    assert first == second
    assert moved != first
