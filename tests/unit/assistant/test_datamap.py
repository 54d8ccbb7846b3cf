import json
from datetime import UTC, datetime

import pytest

from mediacore.assistant.datamap import GENERIC_ERROR, Fetch, Reply, Result, resume, start
from mediacore.assistant.templates import TemplateClock
from mediacore.errors import MediacoreError

CLOCK = TemplateClock(datetime(2026, 1, 2, tzinfo=UTC))
URL = "https://api.example.test/"


def begin(data_map, **context):
    return start(data_map, context, CLOCK)


def run(data_map, reply=None, **context):
    """The result of a run, with one reply if it asks for one."""
    state, step = begin(data_map, **context)
    if isinstance(step, Fetch):
        assert reply is not None
        _, step = resume(state, reply, CLOCK)
    return step


def fetch(webhook, **context):
    """The request a webhook makes."""
    _, step = begin({"webhooks": [{"output": {}} | webhook]}, **context)
    assert isinstance(step, Fetch)
    return step


def reply(value, status=200, error=""):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Reply(status, {}, body, error)


def response(result):
    return result.value["response"]


def test_an_expression_that_matches_is_the_result():
    data_map = {
        "expressions": [
            {"string": "${args.d}", "pattern": "^sales$", "output": {"response": "no"}},
            {"string": "${args.d}", "pattern": "support", "output": {"response": "${lc:args.d}"}},
        ],
        "webhooks": [{"url": URL, "output": {"response": "never"}}],
    }
    assert run(data_map, args={"d": "Support"}) == Result({"response": "support"})


def test_an_expression_has_an_output_for_no_match():
    item = {"string": "x", "pattern": "y", "output": "a", "nomatch-output": {"response": "b"}}
    assert run({"expressions": item}).value == {"response": "b"}
    item = {"expr": "1 > 0", "pattern": "1", "output": {"response": "read as text"}}
    assert run({"expressions": item}).value == {"response": "read as text"}


@pytest.mark.parametrize(
    "item",
    [
        {},
        5,
        {"pattern": "x", "output": {}},
        {"string": "x", "pattern": "x"},
        {"string": "x", "output": {}},
        {"string": "x", "pattern": "y", "output": {}},
        {"string": "x", "pattern": "x", "output": {"r": "${o}"}},
    ],
)
def test_an_expression_without_a_result_lets_the_map_go_on(item):
    result = run({"expressions": [item], "output": {"response": "own"}}, o={"a": "b"})
    assert response(result) == "own"


def test_a_refused_pattern_is_noted_and_matches_nothing():
    item = {"string": "aa", "pattern": "(a)\\1", "output": {"response": "x"}}
    result = run({"expressions": [item]})
    assert (result.reason, result.notes) == ("no_output", ("unsupported_escape",))


def test_the_first_webhook_that_may_run_is_requested():
    out = {"output": {"response": "x"}}
    webhooks = [
        {"url": URL + "no-output"},
        {"url": URL + "no-args", "require_args": ["zip", "code"]} | out,
        out,
        {"url": URL + "this", "require_args": ["zip", "CITY"]} | out,
        {"url": URL + "later"} | out,
    ]
    _, step = begin({"webhooks": webhooks}, args={"city": "x"})
    assert step.url == URL + "this"


def test_a_reply_fills_the_output_and_the_call_data_are_under_input():
    webhook = {
        "url": URL,
        "output": {
            "response": "${temp} ${input.args.city} ${global_data.plan} ${prompt_vars.name} "
            "${input.meta_data.k}|${args.city}",
            "action": [{"set_global_data": {"t": "${temp}"}}],
        },
    }
    result = run(
        {"webhooks": [webhook]},
        reply({"temp": 21}),
        args={"city": "Rome"},
        global_data={"plan": "gold", "k": "g"},
        meta_data={"K": "m"},
        prompt_vars={"name": "Ann"},
    )
    assert result.value == {
        "response": "21 Rome gold Ann m|",
        "action": [{"set_global_data": {"t": "21"}}],
    }
    assert result.unresolved == ("${args.city}",)


def test_an_array_is_reached_as_array():
    webhook = {"url": URL, "output": {"response": "${array[0].joke}"}}
    assert response(run({"webhooks": [webhook]}, reply([{"joke": "ha"}]))) == "ha"


def test_foreach_writes_rows():
    webhook = {
        "url": URL,
        "foreach": {
            "input_key": "results",
            "output_key": "rows",
            "max": 2,
            "append": "${this.title} (${input.args.q})\n",
        },
        "output": {"response": "Found:\n${rows}${this.title}"},
    }
    found = {"results": [{"title": title} for title in "abc"]}
    result = run({"webhooks": [webhook]}, reply(found), args={"q": "x"})
    assert response(result) == "Found:\na (x)\nb (x)\n"


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("1", "a"), (0, "abc"), (-1, "abc"), ("x", "abc"), (2.9, "ab"), (None, "abc"), (1e999, "abc")],
)
def test_the_limit_of_foreach(limit, expected):
    foreach = {"input_key": "r", "output_key": "o", "append": "${this}", "max": limit}
    webhook = {"url": URL, "foreach": foreach, "output": {"response": "${o}"}}
    assert response(run({"webhooks": [webhook]}, reply({"r": ["a", "b", "c"]}))) == expected


@pytest.mark.parametrize("missing", ["input_key", "output_key", "append"])
def test_a_foreach_that_is_not_whole_is_skipped(missing):
    foreach = {"input_key": "r", "output_key": "o", "append": "x"}
    del foreach[missing]
    webhook = {"url": URL, "foreach": foreach, "output": {"response": "[${o}]"}}
    assert response(run({"webhooks": [webhook]}, reply({"r": [1]}))) == "[]"


def test_expressions_of_a_webhook_come_before_its_output():
    webhook = {
        "url": URL,
        "expressions": [{"string": "${state}", "pattern": "open", "output": {"response": "yes"}}],
        "output": {"response": "no"},
    }
    assert response(run({"webhooks": [webhook]}, reply({"state": "open"}))) == "yes"
    assert response(run({"webhooks": [webhook]}, reply({"state": "shut"}))) == "no"
    del webhook["output"]
    own = {"webhooks": [webhook], "output": {"response": "own"}}
    assert response(run(own, reply({"state": "shut"}))) == "own"


@pytest.mark.parametrize(
    "came",
    [
        reply(b"<html>"),
        reply(b""),
        reply({}, 0, "timeout"),
        reply({"error": None}),
        reply({"ERROR": 1}),
        reply({"protocol_error": False}),
        reply(b"\xff{"),
        reply(b'{"a": NaN}'),
        reply(b"[" * 100_000),
    ],
)
def test_a_failed_reply_gives_the_own_output_and_no_second_request(came):
    webhook = {"url": URL, "error_keys": ["error"], "output": {"response": "good"}}
    data_map = {"webhooks": [webhook, webhook]}
    assert run(data_map, came) == Result({"response": GENERIC_ERROR}, "no_output")
    own = data_map | {"output": {"response": "own ${args.a}"}}
    assert response(run(own, came, args={"a": 1})) == "own 1"


def test_a_status_beyond_200_is_no_failure_by_itself():
    webhook = {"url": URL, "output": {"response": "${http_code} ${detail}"}}
    assert response(run({"webhooks": [webhook]}, reply({"detail": "gone"}, 404))) == "404 gone"


def test_a_single_webhook_is_never_judged():
    webhook = {"url": URL, "output": {"response": "${http_req_result} ${http_code}"}}
    assert response(run({"webhooks": webhook}, reply(b"", 0, "timeout"))) == "28 0"
    assert response(run({"webhooks": webhook}, reply(b"", 0, "blocked_address"))) == "7 0"
    webhook = {"url": URL, "output": {"response": "${raw_response}"}}
    assert response(run({"webhooks": webhook}, reply(b"<b>"))) == "<b>"


@pytest.mark.parametrize("value", [5, "text", None, True])
def test_a_reply_that_is_no_object_has_no_members(value):
    webhook = {"url": URL, "output": {"response": "[${x}]${input.args.a}"}}
    assert response(run({"webhooks": [webhook]}, reply(value, 500), args={"a": 1})) == "[]1"


def test_a_get_request():
    made = fetch(
        {"url": URL + "?q=${enc:args.q}", "headers": {"X-K": "${args.q}", "N": 5}},
        args={"q": "a b"},
    )
    assert (made.method, made.url, made.body) == ("GET", URL + "?q=a%20b", b"")
    assert dict(made.headers) == {"content-type": "application/json", "x-k": "${args.q}"}
    assert (made.connect_ms, made.total_ms) == (30_000, 120_000)


def test_params_make_a_post():
    made = fetch(
        {"url": URL, "method": "GET", "params": {"q": "${args.q}", "n": 1}}, args={"q": 'a"'}
    )
    assert made.method == "POST"
    assert json.loads(made.body) == {"q": 'a"', "n": 1}


def test_a_form_param_makes_a_form():
    made = fetch({"url": URL, "params": {"q": "x"}, "form_param": "payload"})
    assert made.body == b"payload=%7B%0A%09%22q%22%3A%09%22x%22%0A%7D"
    assert dict(made.headers)["content-type"] == "application/x-www-form-urlencoded"


def test_arguments_as_params_replace_and_are_no_templates():
    webhook = {"url": URL, "input_args_as_params": "true", "params": {"A": "old", "k": "${g}"}}
    made = fetch(webhook, args={"a": "${g}", "b": [1]}, g="planted")
    assert json.loads(made.body) == {"k": "planted", "a": "${g}", "b": [1]}
    made = fetch({"url": URL, "input_args_as_params": True}, args={"b": 1})
    assert (made.method, json.loads(made.body)) == ("POST", {"b": 1})
    assert fetch({"url": URL, "input_args_as_params": "0"}, args={"b": 1}).body == b""
    assert fetch({"url": URL, "input_args_as_params": "maybe"}, args={"b": 1}).body == b""


def test_credentials_leave_the_url_before_values_are_filled_in():
    made = fetch({"url": "https://u:p%40@h.test/${args.q}"}, args={"q": "x@y"})
    assert made.url == "https://h.test/x@y"
    assert dict(made.headers)["authorization"] == "Basic dTpwQA=="


def test_a_header_name_that_is_none_is_left_out():
    made = fetch({"url": URL, "headers": {"bad name": "x", "Bad\r\nY": "x", "Good": "x"}})
    assert dict(made.headers) == {"content-type": "application/json", "good": "x"}


def test_sleeps_are_delays():
    made = fetch({"url": URL + "@{sleep 2}", "params": {"x": "@{sleep 1}"}})
    assert (made.url, made.delay_ms) == (URL, 3000)
    result = run({"output": {"response": "@{sleep 1.5}ok"}})
    assert (response(result), result.delay_ms) == ("ok", 1500)


def test_a_reply_is_never_a_template():
    webhook = {
        "url": URL,
        "expressions": [{"string": "x", "pattern": "x", "output": {"response": "${said}"}}],
    }
    said = {"said": "${global_data.secret} @{echo x}"}
    result = run({"webhooks": [webhook]}, reply(said), global_data={"secret": "planted"})
    assert response(result) == "${global_data.secret} @{echo x}"


def test_an_output_that_is_no_json_once_filled_in_is_the_generic_error():
    result = run({"output": {"response": "${args.o}"}}, args={"o": {"k": "v"}})
    assert result == Result({"response": GENERIC_ERROR}, "bad_output")


@pytest.mark.parametrize("data_map", [{}, {"webhooks": []}, {"webhooks": 5}, {"webhooks": [5, {}]}])
def test_nothing_to_do_is_the_generic_error(data_map):
    assert run(data_map) == Result({"response": GENERIC_ERROR}, "no_output")


@pytest.mark.parametrize(
    "context", [{"args": None}, {"prompt_vars": 5, "meta_data": "x"}, {"args": [1]}]
)
def test_odd_context_is_let_pass(context):
    webhook = {"url": URL, "require_args": "a", "output": {}}
    assert run({"webhooks": [webhook], "output": {"response": "ok"}}, **context).reason == ""


def test_an_output_beyond_the_caps_is_the_generic_error():
    rows = {"r": ["x" * 1000] * 900}
    foreach = {"input_key": "r", "output_key": "o", "append": "${this}"}
    webhook = {"url": URL, "foreach": foreach, "output": {"response": "${o}"}}
    result = run({"webhooks": [webhook]}, reply(rows))
    assert result == Result({"response": GENERIC_ERROR}, "too_large")
    result = run({"output": {"response": "${big}" * 40}}, big="x" * 10_000)
    assert result.reason == "too_large"


def test_too_much_work_is_the_generic_error():
    wide = {str(number): number for number in range(5000)}
    foreach = {"input_key": "r", "output_key": "o", "append": "${4999}"}
    webhook = {"url": URL, "foreach": foreach, "output": {"response": "${o}"}}
    result = run({"webhooks": [webhook]}, reply(wide | {"r": [1] * 5000}))
    assert result.reason == "too_costly"


@pytest.mark.parametrize(("keys", "rows"), [(0, 300_000), (5000, 5000)])
def test_rows_count_as_work_though_they_write_nothing(keys, rows):
    foreach = {"input_key": "r", "output_key": "o", "append": ""}
    webhook = {"url": URL, "foreach": foreach, "output": {"response": "${o}"}}
    wide = {str(number): 0 for number in range(keys)}
    assert run({"webhooks": [webhook]}, reply(wide | {"r": [1] * rows})).reason == "too_costly"


def test_a_large_context_is_no_quadratic_work():
    wide = {f"key{number}": number for number in range(50_000)}
    data_map = {"output": {"response": "ok"}}
    assert response(run(data_map, global_data=wide, prompt_vars=wide, **wide)) == "ok"


def test_later_names_replace_earlier_ones_in_any_case():
    data_map = {"output": {"response": "${a}${A} ${meta_data.k}"}}
    result = run(data_map, A="call", prompt_vars={"a": "var"}, global_data={"K": 1, "k": 2})
    assert response(result) == "varvar 2"


def test_many_costly_patterns_end_the_run():
    item = {"string": "${a}", "pattern": "(a?){300}b", "output": {}}
    result = run({"expressions": [item] * 50, "output": {"response": "own"}}, a="a" * 4000)
    assert result.reason == "too_costly"
    assert len(result.notes) < 5


def test_a_deep_output_is_the_generic_error():
    deep = []
    for _ in range(300):
        deep = [deep]
    assert run({"output": deep}).reason == "too_deep"


def test_a_run_that_is_over_takes_no_reply():
    state, _ = begin({"webhooks": [{"url": URL, "output": {"response": "x"}}]})
    over, result = resume(state, reply({}), CLOCK)
    assert isinstance(result, Result)
    with pytest.raises(MediacoreError, match="awaits no reply"):
        resume(over, reply({}), CLOCK)
