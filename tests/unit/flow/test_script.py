"""The JavaScript sandbox: values, limits, and that nothing survives an evaluation."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from mediacore.flow.findings import Code
from mediacore.flow.script import MAX_CODE_CHARS, RUNS_PER_REALM, QuickJs, ScriptFault

NAMES: dict[str, object] = {
    "vars": {"a": 2},
    "n": 3,
    "text": "ab",
    "list": [3, 1, 2],
    "o": {"k": 1},
}
LIMIT_S = 1.0


@pytest.fixture
def js() -> QuickJs:
    return QuickJs(time_s=0.05)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("vars.a + n", 5),
        ("n / 2", 1.5),
        ("n > 2 ? 'yes' : 'no'", "yes"),
        ("text.toUpperCase().split('').join(' ')", "A B"),
        ("list.sort().map(x => x * 2)", [2, 4, 6]),
        ("[1, 2, 3].reduce((a, b) => a + b, 0)", 6),
        ("[...new Set([1, 1, 2])]", [1, 2]),
        ("[1, [2, [3]]].flat(Infinity)", [1, 2, 3]),
        ("'a-b-c'.replaceAll('-', '+').replace(/b/, 'x')", "a+x+c"),
        ("({a: 1, b: [true, null]})", {"a": 1, "b": [True, None]}),
        ("{a: 1}", {"a": 1}),
        ("var t = 1; t + 1", 2),
        ("n // note", 3),
        ("undefined", None),
        ("(() => 1)", None),
        ("parseInt('x')", "NaN"),
        ("1 / 0", "Infinity"),
        ("typeof nothing", "undefined"),
        ("JSON.stringify({b: 1, a: [2]}, ['a'])", '{"a":[2]}'),
        ("new Map([['k', 1]]).get('k')", 1),
        ("'\\ud800'", "\ufffd"),
        ("'\\u{1f600}'", "\U0001f600"),
        ("Object.keys(o).join()", "k"),
    ],
)
def test_values(js: QuickJs, code: str, value: object) -> None:
    assert js.evaluate(code, NAMES) == value


@pytest.mark.parametrize(
    "code",
    [
        "1 +",
        "nothing + 1",
        "throw 5",
        "throw {toString() { while (1); }}",
        "({toJSON() { while (1); }})",
        "while (1) {}",
        "(function f() { f() })()",
        "'x'.repeat(1e9)",
        "let a = []; while (1) a.push('x'.repeat(1000))",
        "/(a+)+$/.test('a'.repeat(40) + 'b')",
        "new Array(1e8).join('x')",
        "[].reverse.call({length: 9e15})",
        "[].concat(new Array(4294967295))",
        "[new Array(4294967295)].flat()",
        "'a'.repeat(3e6).indexOf('a'.repeat(1e6) + 'b')",
        "JSON.stringify({}, new Array(4e9))",
        "new Set(new Array(4e9)).size",
        "let a = []; for (let i = 0; i < 50; i++) a = [a, a]; a",
        "let a = []; for (let i = 0; i < 50; i++) a = [a, a]; JSON.stringify(a)",
        "let a = []; for (let i = 0; i < 50; i++) a = [a, a]; a.flat(Infinity)",
        "let a = [1]; for (let i = 0; i < 50; i++) a = [a, a]; '' + a",
        "let o = {}; o.o = o; o",
        "7n ** 300000n",
        "'x'.repeat(300000)",
        "eval('['.repeat(5000))",
        "Atomics",
        "new Proxy({}, {})",
        "require('fs')",
        "std.open",
        "x" * (MAX_CODE_CHARS + 1),
    ],
)
def test_faults_come_soon_and_the_next_evaluation_works(js: QuickJs, code: str) -> None:
    began = time.process_time()
    with pytest.raises(ScriptFault) as fault:
        js.evaluate(code, NAMES)
    assert time.process_time() - began < LIMIT_S
    assert fault.value.code == Code.JS_EVAL_ERROR
    assert 0 < len(fault.value.text) <= 200
    assert js.evaluate("n + 1", NAMES) == 4


@pytest.mark.parametrize(
    ("attack", "probe", "clean"),
    [
        ("leak = 1", "typeof leak", "undefined"),
        ("globalThis.leak = 1", "typeof leak", "undefined"),
        ("this.leak = 1", "typeof leak", "undefined"),
        ("var leak = 1; let other = 2; leak", "typeof leak + typeof other", "undefinedundefined"),
        (
            "(0, eval)('var leak = 1; let other = 1')",
            "typeof leak + typeof other",
            "undefinedundefined",
        ),
        ("Function('leak = 1')()", "typeof leak", "undefined"),
        (
            "1); var leak = 1; function other() {} (2",
            "typeof leak + typeof other",
            "undefinedundefined",
        ),
        ("1)}}}); globalThis.leak = 1; (function () { with ({}) { ((2", "typeof leak", "undefined"),
        ("Array.prototype.map = () => 'bad'", "[1].map(x => x + 1)", [2]),
        ("Object.prototype.leak = 1", "typeof ({}).leak", "undefined"),
        ("String.prototype.trim = () => 'bad'", "' a '.trim()", "a"),
        ("JSON.stringify = () => 'bad'", "JSON.stringify([1])", "[1]"),
        ("JSON.parse = () => 'bad'", "JSON.parse('[1]')", [1]),
        ("Math.max = () => 'bad'", "Math.max(1, 2)", 2),
        ("Date.now = () => 'bad'", "typeof Date.now()", "number"),
        ("({}).constructor.prototype.leak = 1", "typeof ({}).leak", "undefined"),
        ("({})['__pro' + 'to__'].leak = 1", "typeof ({}).leak", "undefined"),
        ("[].values()['__pro' + 'to__'].next = () => 1", "[...[1, 2]]", [1, 2]),
        (
            "(function* () {})['constr' + 'uctor'].leak = 1",
            "typeof (function* () {}).constructor.leak",
            "undefined",
        ),
        (
            "Object.defineProperty(Array.prototype, 'leak', {value: 1})",
            "typeof [].leak",
            "undefined",
        ),
        ("Object.setPrototypeOf(Array.prototype, null)", "[1].toString()", "1"),
        ("vars.a = 99; n = 99; o.k = 99", "vars.a + n + o.k", 6),
        ("arguments[0].vars = 1", "vars.a", 2),
        ("RegExp.prototype.exec = () => null", "/a/.test('a')", True),
        ("Set.prototype.add = () => 1", "new Set([1]).size", 1),
        ("new Set([1]).constructor.leak = 1", "typeof Set.leak", "undefined"),
        ("''.matchAll(/x/g)['__pro' + 'to__'].next = 1", "[...'axa'.matchAll(/a/g)].length", 2),
        ("Error.prototype.toString = () => 'bad'", "'' + new Error('x')", "Error: x"),
    ],
)
def test_nothing_survives_an_evaluation(
    js: QuickJs, attack: str, probe: str, clean: object
) -> None:
    with suppress(ScriptFault):
        js.evaluate(attack, NAMES)
    assert js.evaluate(probe, NAMES) == clean


@pytest.mark.parametrize("name", ["eval", "arguments", "run", "names", "code", "hasOwnProperty"])
def test_a_variable_may_have_any_name(js: QuickJs, name: str) -> None:
    value = js.evaluate("1 + 1", {name: "taken"})
    assert value == 2
    assert js.evaluate(f"typeof {name}", {}) in {"undefined", "function", "object"}


def test_bare_names_do_not_come_from_object_prototype(js: QuickJs) -> None:
    assert js.evaluate("typeof hasOwnPropertyX", {}) == "undefined"
    assert js.evaluate("n", {"n": 1, "valueOf": 2}) == 1


def test_the_clock_can_be_given() -> None:
    js = QuickJs(now_ms=lambda: 86_400_000)
    assert js.evaluate("new Date().toISOString()", {}) == "1970-01-02T00:00:00.000Z"
    assert js.evaluate("Date.now()", {}) == 86_400_000
    assert js.evaluate("new Date(0).getTime()", {}) == 0
    assert js.evaluate("new Date() instanceof Date", {}) is True


def test_a_value_json_cannot_hold_is_a_fault(js: QuickJs) -> None:
    with pytest.raises(ScriptFault):
        js.evaluate("n", {"n": float("nan")})
    assert js.evaluate("n.k", {"n": {"k": (1, 2)}}) == [1, 2]


def test_many_evaluations_keep_their_memory(js: QuickJs) -> None:
    for number in range(RUNS_PER_REALM + 5):
        assert js.evaluate("n + text.length", {"n": number, "text": "x" * 2000}) == number + 2000
