"""Placeholders: look-ups, expressions, types, what stays literal, limits, and the rules of `ai`."""

from __future__ import annotations

import pytest

from mediacore.flow.expand import MAX_STRING_CHARS, as_text, expand, find_placeholder
from mediacore.flow.findings import Code
from mediacore.flow.params import expand_params
from mediacore.flow.scope import Scope
from mediacore.flow.script import QuickJs, ScriptFault

SCOPE = Scope(
    call={"from": "+15551234567", "type": "sip"},
    params={"a": "2", "b": 3},
    vars={"n": 5, "name": "Ada", "flag": True, "items": ["x", "y"], "half": 0.5, "two": 2.0},
    envs={"key": "k"},
)
JS = QuickJs()


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("plain", "plain"),
        ("Hi ${name}!", "Hi Ada!"),
        ("Hi %{vars.name}, %{call.from}", "Hi Ada, +15551234567"),
        ("${n}", 5),
        ("%{flag}", True),
        ("is ${flag}", "is true"),
        ("${items}", ["x", "y"]),
        ("got ${items}", 'got ["x","y"]'),
        ("${missing}", ""),
        ("[${missing.deep[3]}]", "[]"),
        ("${parseInt(params.a) + params.b}", 5),
        ("sum ${n + 1}.", "sum 6."),
        ("${two} and ${half}", "2 and 0.5"),
        ("${(items.length)}", 2),
        ("${items.length}", ""),
        ("${n > 3 ? '}' : '{'}", "}"),
        ("${({a: {b: 1}}).a.b}", 1),
        ("${undefined}", ""),
        ("${}", ""),
        ("${from}", ""),
        ("${type.toUpperCase()}", "SIP"),
        ("%{unterminated", "%{unterminated"),
        ("a ${n} b ${open", "a 5 b ${open"),
        ("costs $5 {x} 100%", "costs $5 {x} 100%"),
        ({"k": ["${n}", {"${n}": "%{n}"}]}, {"k": [5, {"${n}": 5}]}),
        (7, 7),
        (None, None),
    ],
)
def test_expand(written: object, made: object) -> None:
    assert expand(written, SCOPE, JS) == made


def test_an_expression_that_fails_is_a_fault() -> None:
    with pytest.raises(ScriptFault) as fault:
        expand("say ${nothing.at.all()}", SCOPE, JS)
    assert fault.value.code == Code.JS_EVAL_ERROR


def test_what_is_expanded_is_not_expanded_again() -> None:
    assert expand("${x}", Scope(vars={"x": "${n}", "n": 1}), JS) == "${n}"


@pytest.mark.parametrize(
    "written",
    [
        "${big}${big}",
        ["${big}"] * 9,
        "${n}" * 600,
        "${'x'.repeat(70000)}",
    ],
)
def test_limits(written: object) -> None:
    scope = Scope(vars={"big": "x" * (MAX_STRING_CHARS - 10), "n": 1})
    with pytest.raises(ScriptFault) as fault:
        expand(written, scope, JS)
    assert fault.value.code == Code.PARAMETER_INVALID_VALUE


def test_too_deep_is_a_fault() -> None:
    value: object = "${n}"
    for _ in range(70):
        value = [value]
    with pytest.raises(ScriptFault) as fault:
        expand(value, SCOPE, JS)
    assert fault.value.code == Code.NESTED_TOO_DEEP


def test_text_full_of_openings_is_literal() -> None:
    text = "${" * 20_000
    assert expand(text, SCOPE, JS) == text
    assert find_placeholder("no placeholder") is None


def test_as_text() -> None:
    made = [as_text(v) for v in (None, True, 1, 1.5, 1e3, "s", {"a": [None]})]
    assert made == ["", "true", "1", "1.5", "1000", "s", '{"a":[null]}']


def test_nested_statements_are_left_for_later() -> None:
    params = {
        "to": "${name}",
        "confirm": [{"play": {"url": "say:${n}"}}],
        "result": {"case": {"${n}": ["hangup"]}},
    }
    made = expand_params("connect", params, SCOPE, JS)
    assert made == {**params, "to": "Ada"}
    assert expand_params("connect", {"confirm": "https://h/${n}"}, SCOPE, JS) == {
        "confirm": "https://h/5"
    }
    assert expand_params("play", "say:${n}", SCOPE, JS) == {"value": "say:5"}
    assert expand_params("hangup", None, SCOPE, JS) == {}
    assert expand_params("user_event", {"result": {"a": "${n}"}}, SCOPE, JS) == {"result": {"a": 5}}


def test_ai_keeps_its_own_templates() -> None:
    data_map = {"webhooks": [{"url": "https://h/${n}/${args.city}"}]}
    params = {
        "prompt": {"text": "Caller ${call.from}, plan ${global_data.plan}, ${meta_data.x} %{lc:a}"},
        "post_prompt": "text with ${no such code} stays",
        "SWAIG": {
            "defaults": {"web_hook_url": "https://h/${key}"},
            "functions": [
                {"function": "f", "data_map": data_map, "description": "${args.x} ${n}"},
                {"function": "g"},
            ],
        },
    }
    made = expand_params("ai", params, SCOPE, JS)
    assert made == {
        "prompt": {"text": "Caller +15551234567, plan ${global_data.plan}, ${meta_data.x} %{lc:a}"},
        "post_prompt": "text with ${no such code} stays",
        "SWAIG": {
            "defaults": {"web_hook_url": "https://h/k"},
            "functions": [
                {"function": "f", "data_map": data_map, "description": "${args.x} 5"},
                {"function": "g"},
            ],
        },
    }
