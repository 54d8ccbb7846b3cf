"""Our DataMap against the executor that the public SDK ships, on generated cases.

Deliberate deviations, each with its own test at the end:
1. `@{...}` functions are run; the SDK's executor leaves them as written.
2. `enc:url:` encodes; the executor reads it as the path `url:...`, which finds nothing.
3. The output of a webhook's expressions is filled in once; the executor fills it in twice, so that
   a web service could have any value of the call put into its own answer.
4. Arguments sent by `input_args_as_params` are not templates; the executor expands them. Beside
   them every parameter is expanded on its own: a template cannot span two parameters.
5. An output that is not JSON once filled in gives the generic error text; the executor reports an
   `error` of its own. The generic text itself is ours.
6. Redirects: at most 3 where the executor follows 15 (transport, not compared here).
7. Patterns are matched without backtracking: look-around and backreferences never match.
8. NaN and Infinity in a reply are not JSON. The user agent is ours.
"""

from __future__ import annotations

import base64
import io
import json
import random
from contextlib import redirect_stderr
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from mediacore.assistant.datamap import GENERIC_ERROR, Fetch, Reply, Result, resume, start
from mediacore.assistant.templates import TemplateClock

# The vendor's SDK is an optional test dependency (extra `sdk-test`); where it is not installed
# there is nothing to compare with. CI installs it, so the comparison always runs there.
pytest.importorskip("signalwire")
requests = pytest.importorskip("requests")
oracle = pytest.importorskip("signalwire.cli.execution.datamap_exec")

CLOCK = TemplateClock(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
CASES = 600
ERRORS = {
    "": None,
    "timeout": requests.Timeout,
    "refused": requests.ConnectionError,
    "tls": requests.exceptions.SSLError,
    "bad_redirect": requests.TooManyRedirects,
}

WORDS = [
    "Sales",
    "new york",
    'say "hi"',
    "back\\slash",
    "ü%2Fé",
    "a/b,c",
    "",
    "yes",
    "42",
    "line\nend",
]
PATHS = [
    "args.city",
    "ARGS.City",
    "args.n",
    "args.flag",
    "args.none",
    "args.list",
    "args.list[0]",
    "args.list[-1]",
    "args.list[9]",
    "args.obj",
    "args.obj.k",
    "args.missing",
    "args.",
    ".args..city",
    "global_data.plan",
    "meta_data.table.sales",
    "meta_data.plan",
    "meta_data.table.${lc:args.dept}",
    "meta_data.table.%{args.dept}",
    "customer",
    "call_id",
    "input.args.city",
    "input.meta_data.plan",
    "prompt_vars.customer",
    "items[0].name",
    "items[1].price",
    "array[0]",
    "total",
    "this.name",
    "this.price",
    "this",
    "rows",
    "nested.deep[1]",
    "http_code",
    "",
]
PREFIXES = ["", "", "", "lc:", "LC:", "enc:", "lc:enc:", "enc:lc:", "fmt_ph:", "fmt_ph:enc:"]
LITERALS = [
    "Result: ",
    " and ",
    "$",
    "${",
    "}",
    "{x}",
    "%{",
    ' "q" ',
    "\\",
    "",
    "\t",
    "é",
    "$ {",
    "100%",
]
PATTERNS = [
    "sales",
    "/^Sales$/",
    "/sales/i",
    "/new.york/s",
    r"\d+",
    r"/^\d{1,3}$/",
    "(",
    "/unclosed",
    "^$",
    "[a-f]+|x",
    r"/\bhi\b/",
    "y(e|o)s?",
    "[^a-z ]",
    "a**",
    "",
    r"/^[\w\s]+$/",
    "x{2,1}",
    ".+",
]


class Maker:
    """Cases from one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def pick(self, options):
        return self.rng.choice(options)

    def some(self, share: float) -> bool:
        return self.rng.random() < share

    def template(self) -> str:
        parts = []
        for _ in range(self.rng.randrange(4)):
            if self.some(0.6):
                sign = self.pick("$$$%")
                parts.append(f"{sign}{{{self.pick(PREFIXES)}{self.pick(PATHS)}}}")
            else:
                parts.append(self.pick(LITERALS))
        return "".join(parts)

    def value(self, depth: int = 0):
        kind = self.rng.randrange(8 if depth < 3 else 5)
        if kind < 2:
            return self.template()
        if kind == 2:
            return self.pick([0, 1, -7, 72.5, 1e21, True, False, None])
        if kind in (3, 4):
            return self.pick(WORDS)
        if kind == 5:
            return [self.value(depth + 1) for _ in range(self.rng.randrange(3))]
        return {self.pick(["a", "B", "city", "${args.city}", "k"]): self.value(depth + 1)}

    def output(self):
        if self.some(0.1):
            return self.value()
        made = {"response": self.template()}
        if self.some(0.4):
            made["action"] = [{"set_global_data": {"x": self.value()}}]
        return made

    def expression(self):
        made = {}
        if self.some(0.9):
            made[self.pick(["string", "String"])] = self.template()
        if self.some(0.1):
            made["expr"] = "1 > 0"
        if self.some(0.9):
            made["pattern"] = self.pick(PATTERNS)
        if self.some(0.9):
            made["output"] = self.output()
        if self.some(0.2):
            made["nomatch-output"] = self.output()
        return made

    def expressions(self):
        if self.some(0.2):
            return self.expression()
        return [self.expression() for _ in range(self.rng.randrange(1, 3))]

    def webhook(self):
        made = {}
        if self.some(0.95):
            made["url"] = self.pick(
                [
                    "https://api.example.test/v1?q=${enc:args.city}",
                    "https://user:p%40ss@api.example.test/x/${args.list[0]}",
                    "http://api.example.test/%{lc:args.dept}",
                    "https://api.example.test/plain",
                ]
            )
        if self.some(0.6):
            made["method"] = self.pick(["GET", "POST", "post", "PUT", "get"])
        if self.some(0.4):
            made["params"] = {"q": self.value(), "City": self.template(), "n": 1.25}
        if self.some(0.15):
            made["form_param"] = "payload"
        if self.some(0.2):
            made["input_args_as_params"] = self.pick([True, "true", False, "0", "1"])
        if self.some(0.3):
            made["headers"] = {"X-Key": "k ${args.city}", "X-N": 5}
        if self.some(0.3):
            made["require_args"] = self.pick(
                [["city"], ["CITY", "zip"], ["zip"], "city", "zip", []]
            )
        if self.some(0.3):
            made["error_keys"] = self.pick([["error"], "error", ["Error", "fault"], []])
        if self.some(0.3):
            made["foreach"] = {
                "input_key": self.pick(["items", "array", "nested.deep", "total", "missing"]),
                "output_key": self.pick(["rows", "total"]),
                "append": self.template(),
            }
            if self.some(0.5):
                made["foreach"]["max"] = self.pick([1, 0, "2", "x", 1.9, True, None])
        if self.some(0.3):
            made["expressions"] = self.expressions()
        if self.some(0.85):
            made["output"] = self.output()
        return made

    def data_map(self):
        made = {}
        if self.some(0.3):
            made["expressions"] = self.expressions()
        if self.some(0.85):
            hooks = [self.webhook() for _ in range(self.rng.randrange(1, 3))]
            made["webhooks"] = hooks[0] if self.some(0.15) else hooks
        if self.some(0.4):
            made["output"] = self.output()
        return made

    def args(self):
        options = {
            "city": self.pick(WORDS),
            "dept": self.pick(["Sales", "SUPPORT", "none"]),
            "n": self.pick([3, 72.5, -1, 12345678901234567890]),
            "flag": self.pick([True, False, None]),
            "none": None,
            "list": self.pick([["x", 2], [], [[1]]]),
            "obj": self.pick([{"k": "v"}, {}, {"K": 1, "k": 2}]),
            "phone": self.pick(["+1 555 234 5678", "5552345678", "12", ""]),
        }
        return {name: value for name, value in options.items() if self.some(0.85)}

    def call_data(self):
        return {
            "call_id": "c-1",
            "global_data": {"plan": self.pick(WORDS), "table": {"support": "s"}},
            "prompt_vars": {"customer": self.pick(WORDS)},
        }

    def reply(self):
        body = self.pick(
            [
                {"items": [{"name": "A", "price": 1.5}, {"name": 'B"', "price": 2}], "total": 2},
                {"nested": {"deep": [1, "two", None]}, "Items": [], "this": "old"},
                [{"name": "row"}, "text", 3],
                {"error": "no such city"},
                {"Fault": None, "total": "7"},
                "just text",
                5,
                {},
            ]
        )
        text = self.pick(
            [
                json.dumps(body),
                json.dumps(body),
                json.dumps(body),
                "<html>",
                "",
                "\ufeff  " + json.dumps(body) + "x",
            ]
        )
        return self.pick([200, 200, 200, 201, 404, 500]), text

    def error(self) -> str:
        return self.pick(["", "", "", "", *ERRORS])


def run_oracle(monkeypatch, config, args, call_data, status, text, error):
    """Result and the request the executor would have sent."""
    sent = []

    def send(run, url, post, body, headers, auth, statuses):
        sent.append((url, post, body, headers, auth))
        if ERRORS[error] is not None:
            raise ERRORS[error]
        return SimpleNamespace(status_code=status, text=text)

    monkeypatch.setattr(oracle, "_send", send)
    monkeypatch.setattr(oracle, "_format_phone_national", oracle._format_nanp)
    with redirect_stderr(io.StringIO()):
        value = oracle.execute_datamap_function(config, args, call_data=call_data)
    return value, sent


def run_ours(config, args, call_data, status, text, error):
    context = {"function": config["function"], **call_data, "args": args}
    context["meta_data"] = config["meta_data"]
    state, step = start(config["data_map"], context, CLOCK)
    if isinstance(step, Result):
        return step, None
    body = b"" if error else text.encode()
    state, result = resume(state, Reply(0 if error else status, {}, body, error), CLOCK)
    return result, step


def same_request(fetch: Fetch, sent) -> None:
    url, post, body, headers, auth = sent
    assert fetch.url == url
    assert fetch.method == ("POST" if post else "GET")
    assert fetch.body == (body or "").encode()
    expected = {name.lower(): value for name, value in headers.items() if name != "User-Agent"}
    if auth is not None:
        expected["authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
    assert dict(fetch.headers) == expected


def expected_value(value):
    """The executor's result with the two texts that are ours (deviation 5)."""
    if value == {"response": oracle.PLATFORM_ERROR_RESPONSE}:
        return {"response": GENERIC_ERROR}
    if isinstance(value, dict) and set(value) == {"error"} and "valid JSON" in str(value["error"]):
        return {"response": GENERIC_ERROR}
    return value


def case(seed: int):
    maker = Maker(seed)
    config = {
        "function": "look_up",
        "meta_data": {"table": {"sales": "one", "support": "two"}, "Plan": "meta"},
        "data_map": maker.data_map(),
    }
    status, text = maker.reply()
    return config, maker.args(), maker.call_data(), status, text, maker.error()


@pytest.mark.parametrize("block", range(6))
def test_generated_cases_give_the_same_request_and_result(block, monkeypatch):
    fetched = 0
    for seed in range(block * CASES // 6, (block + 1) * CASES // 6):
        made = case(seed)
        value, sent = run_oracle(monkeypatch, *made)
        result, fetch = run_ours(*made)
        assert result.value == expected_value(value), f"seed {seed}"
        assert (fetch is not None) == bool(sent), f"seed {seed}"
        if fetch is not None:
            fetched += 1
            same_request(fetch, sent[0])
    assert fetched > 30


def both(monkeypatch, data_map, args, text="{}", call_data=None):
    config = {"function": "f", "meta_data": {}, "data_map": data_map}
    made = (config, args, call_data or {}, 200, text, "")
    value, sent = run_oracle(monkeypatch, *made)
    result, fetch = run_ours(*made)
    return value, sent, result, fetch


def test_deviation_1_functions_run(monkeypatch):
    value, _, result, _ = both(
        monkeypatch, {"output": {"response": "@{expr ${args.n} * 2}"}}, {"n": 21}
    )
    assert value == {"response": "@{expr 21 * 2}"}
    assert result.value == {"response": "42"}


def test_deviation_2_enc_url_encodes(monkeypatch):
    value, _, result, _ = both(
        monkeypatch, {"output": {"response": "${enc:url:args.q}"}}, {"q": "a b"}
    )
    assert value == {"response": ""}
    assert result.value == {"response": "a%20b"}


def test_deviation_3_a_reply_is_never_a_template(monkeypatch):
    data_map = {
        "webhooks": [
            {
                "url": "https://api.example.test/",
                "expressions": [{"string": "x", "pattern": "x", "output": {"response": "${said}"}}],
            }
        ]
    }
    value, _, result, _ = both(
        monkeypatch,
        data_map,
        {},
        text='{"said": "${global_data.secret}"}',
        call_data={"global_data": {"secret": "planted"}},
    )
    assert value == {"response": "planted"}
    assert result.value == {"response": "${global_data.secret}"}


def test_deviation_4_arguments_are_not_templates(monkeypatch):
    hook = {"url": "https://api.example.test/", "input_args_as_params": True, "output": {}}
    _, sent, _, fetch = both(
        monkeypatch,
        {"webhooks": [hook]},
        {"q": "${global_data.secret}"},
        call_data={"global_data": {"secret": "planted"}},
    )
    assert "planted" in sent[0][2]
    assert json.loads(fetch.body) == {"q": "${global_data.secret}"}


def test_deviation_5_an_output_that_is_not_json_has_a_reason(monkeypatch):
    value, _, result, _ = both(
        monkeypatch, {"output": {"response": "got ${args.o}"}}, {"o": {"k": "v"}}
    )
    assert set(value) == {"error"}
    assert result.value == {"response": GENERIC_ERROR}
    assert result.reason == "bad_output"


def test_deviation_7_look_around_never_matches(monkeypatch):
    item = {"string": "ab", "pattern": "a(?=b)", "output": {"response": "matched"}}
    value, _, result, _ = both(monkeypatch, {"expressions": [item]}, {})
    assert value == {"response": "matched"}
    assert result.reason == "no_output"
    assert result.notes == ("unsupported_group",)
