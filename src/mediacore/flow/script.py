"""JavaScript in documents: one expression at a time, in a realm that nothing can change.

What does it do? Evaluates an expression over the variables of a call and answers plain data.
How does it work? The realm is built once: built-ins whose native loops cannot be interrupted get
bounds, what a document has no use for is removed, and everything reachable is frozen. An
expression then runs in a strict direct `eval` inside a `with` over a fresh copy of the names it
mentions: its declarations end with it, and there is nothing left to write to. Expressions that
name reflective machinery get a realm of their own, thrown away afterwards; so does every realm in
which a limit was hit.
How do I use it? One `QuickJs` per process, from one thread. Assignments inside an expression are
lost; `undefined` and functions answer None; NaN and infinities answer their text. `Date` follows
`now_ms` when it is given, else the clock of the machine; `Math.random` is never seeded.
Cost: about 10 µs for a short expression, 1.7 ms for a realm.
Limits: CPU time, memory and stack per evaluation. The engine polls its time limit in byte code,
regular expressions and most built-ins; the bounds here cover those built-ins known not to.
It is a guard against mistakes and mischief in documents, not a process boundary.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

# The engine itself: the package around it starts a thread when it is imported.
import _quickjs  # type: ignore[import-not-found]

from mediacore.flow.findings import Code

MAX_CODE_CHARS: Final = 4096
MAX_RESULT_CHARS: Final = 262_144
MEMORY_BYTES: Final = 8 << 20
STACK_BYTES: Final = 256 << 10
TIME_S: Final = 0.2
RUNS_PER_REALM: Final = 1000
"""A realm is replaced after so many runs, whatever they did."""

_WORD: Final = re.compile(r"[A-Za-z_$][\w$]*")
_LOUD: Final = frozenset(
    (
        *("Function", "Symbol", "__defineGetter__", "__defineSetter__", "__proto__", "arguments"),
        *("async", "await", "class", "constructor", "eval", "globalThis", "import", "prototype"),
        "yield",
    )
)
_BIGINT: Final = re.compile(r"(?<![\w$.])\d\w*n(?![\w$])")
_RESERVED: Final = frozenset(("eval", "arguments"))

_RUN: Final = "(function(){with(arguments[0]){return eval(arguments[1])}})"

_HARDEN: Final = r"""
(function (run, maxItems, maxWork, maxResult) {
  "use strict";
  const G = globalThis, isArray = Array.isArray, Str = String, Rx = RegExp, Err = Error;
  const Range = RangeError, Syntax = SyntaxError, NativeDate = Date, { stringify } = JSON;
  const own = Object.getOwnPropertyDescriptors, proto = Object.getPrototypeOf;
  const setProto = Object.setPrototypeOf, define = Object.defineProperty, keys = Reflect.ownKeys;
  const apply = Reflect.apply, finite = Number.isFinite, freeze = Object.freeze;
  let now = null;
  const put = (where, name, value) =>
    define(where, name, { value, writable: true, configurable: true, enumerable: false });
  const size = (list) => {
    if (!isArray(list)) throw new TypeError("not an array");
    if (list.length > maxItems) throw new Range("array too long");
  };
  const A = Array.prototype;
  for (const name of keys(A)) {
    const native = A[name];
    if (typeof native !== "function" || name === "constructor") continue;
    put(A, name, function (...args) {
      size(this);
      if (name === "concat") for (const each of args) if (isArray(each)) size(each);
      return apply(native, this, args);
    });
  }
  put(A, "flat", function (depth = 1) {
    const out = [];
    const walk = (list, left) => {
      size(list);
      for (const each of list) {
        if (isArray(each) && left > 0) walk(each, left - 1);
        else out[out.length] = each;
      }
    };
    walk(this, depth);
    return out;
  });
  const S = Str.prototype;
  for (const name of ["indexOf", "lastIndexOf", "includes", "split", "replace", "replaceAll"]) {
    const native = S[name];
    put(S, name, function (what, ...rest) {
      const text = Str(this);
      if (!(what instanceof Rx)) {
        if (!(name === "split" && what === undefined)) what = Str(what);
        if (what !== undefined && text.length * what.length > maxWork)
          throw new Range("text too long");
      }
      return apply(native, text, [what, ...rest]);
    });
  }
  const counted = (pick) => {
    let left = maxItems;
    return function (key, value) {
      if (--left < 0) throw new Range("value too large");
      return pick === undefined || key === "" || isArray(this) || pick.has(key) ? value : undefined;
    };
  };
  put(JSON, "stringify", function (value, pick, space) {
    if (typeof pick === "function") return stringify(value, pick, space);
    return stringify(value, counted(isArray(pick) ? new NewSet(pick.map(Str)) : undefined), space);
  });
  const Mapped = Map, Listed = Set;
  const addTo = Listed.prototype.add, setIn = Mapped.prototype.set;
  const NewSet = class Set extends Listed {
    constructor(items) {
      super();
      if (items != null) for (const x of items) apply(addTo, this, [x]);
    }
  };
  const NewMap = class Map extends Mapped {
    constructor(items) {
      super();
      if (items != null) for (const [k, v] of items) apply(setIn, this, [k, v]);
    }
  };
  put(G, "Set", NewSet);
  put(G, "Map", NewMap);
  put(Listed.prototype, "constructor", NewSet);
  put(Mapped.prototype, "constructor", NewMap);
  const Clocked = function Date(...args) {
    if (!new.target) return new NativeDate(now ?? NativeDate.now()).toString();
    return args.length || now === null ? new NativeDate(...args) : new NativeDate(now);
  };
  Clocked.prototype = NativeDate.prototype;
  put(Clocked, "now", () => now ?? NativeDate.now());
  put(Clocked, "parse", NativeDate.parse);
  put(Clocked, "UTC", NativeDate.UTC);
  put(NativeDate.prototype, "constructor", Clocked);
  put(G, "Date", Clocked);
  const iterators = proto(proto([].values()));
  for (const name of keys(iterators))
    if (name !== Symbol.iterator && name !== "constructor") delete iterators[name];
  delete Str.raw;
  delete Array.fromAsync;
  delete Object.groupBy;
  for (const name of ["Proxy", "Reflect", "SharedArrayBuffer", "Atomics", "WeakRef", "Promise",
    "FinalizationRegistry", "WeakMap", "WeakSet", "BigInt", "queueMicrotask", "performance",
    "Iterator", "DisposableStack", "AsyncDisposableStack", "DOMException", "ArrayBuffer",
    "DataView", "Uint8ClampedArray",
    "Int8Array", "Uint8Array", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array",
    "BigInt64Array", "BigUint64Array", "Float16Array", "Float32Array", "Float64Array"])
    delete G[name];
  const seen = new Listed();
  const harden = (value) => {
    if ((typeof value !== "object" && typeof value !== "function") || value === null) return;
    if (seen.has(value)) return;
    seen.add(value);
    freeze(value);
    const all = own(value);
    for (const key of keys(all)) {
      harden(all[key].value);
      harden(all[key].get);
      harden(all[key].set);
    }
    harden(proto(value));
  };
  for (const seed of [G, function* () {}, (function* () {})(), async function () {},
    async function* () {}, (async function* () {})(), [].values(), "".matchAll(/x/g),
    new NewSet().values(), new NewMap().values(), ""[Symbol.iterator](), run, Clocked])
    harden(seed);
  const attempt = (names, code) => {
    try {
      return run(names, '"use strict";(' + code + "\n)");
    } catch (e) {
      if (!(e instanceof Syntax)) throw e;
    }
    return run(names, '"use strict";' + code);
  };
  const plain = (value) => {
    if (typeof value === "number" && !finite(value)) value = Str(value);
    if (typeof value === "bigint") value = Str(value);
    const text = typeof value === "object" ? stringify(value, counted()) : stringify(value);
    if (text === undefined) return "null";
    if (text.length > maxResult) throw new Range("result too long");
    return text;
  };
  return function (code, names, clock) {
    now = clock;
    try {
      setProto(names, null);
      return plain(attempt(names, code));
    } catch (e) {
      if (e === null) return "!out of memory";
      return "!" + (e instanceof Err ? Str(e.name) + ": " + Str(e.message) : "thrown: " + Str(e));
    }
  };
})
"""


class ScriptFault(Exception):  # noqa: N818 - as documents call it
    """An expression could not be evaluated. code: a `relay_script_*` name; text: a sentence.

    costly: it ran into a limit of the engine, perhaps after using up its whole time.
    """

    def __init__(self, code: str, text: str, *, costly: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.costly = costly


class Evaluator(Protocol):
    """Evaluates one expression over a call's variables."""

    def evaluate(self, code: str, names: Mapping[str, object]) -> object:
        """The value as plain data (None, bool, numbers, str, list, dict); raises ScriptFault."""


class QuickJs:
    """The Evaluator. Not thread-safe, and bound to the thread of its first evaluation."""

    def __init__(self, *, time_s: float = TIME_S, now_ms: Callable[[], int] | None = None) -> None:
        self._time_s = time_s
        self._now_ms = now_ms
        self._realm: Any = None
        self._runs = 0

    def evaluate(self, code: str, names: Mapping[str, object]) -> object:
        """See Evaluator. Only the names that the code mentions reach the realm."""
        if len(code) > MAX_CODE_CHARS:
            raise _fault(f"an expression has {len(code)} characters; {MAX_CODE_CHARS} are allowed")
        if _BIGINT.search(code):  # writing a large one as decimals cannot be interrupted
            raise _fault("BigInt is not available")
        words = set(_WORD.findall(code))
        realm = self._realm_for(words)
        text = _dumps({w: names[w] for w in words if w in names and w not in _RESERVED})
        try:
            context, run = realm
            now = None if self._now_ms is None else self._now_ms()
            answer = run(code, context.parse_json(text), now)
        except (_quickjs.JSException, TypeError, UnicodeError, MemoryError) as error:
            self._realm = None
            raise ScriptFault(Code.JS_EVAL_ERROR, _limit(str(error)), costly=True) from None
        if answer.startswith("!"):
            if "memory" in answer or "stack" in answer:
                self._realm = None
            raise _fault(answer[1:201])
        return _loads(answer)

    def _realm_for(self, words: set[str]) -> tuple[Any, Any]:
        if words & _LOUD:
            return self._new_realm()
        if self._realm is None or self._runs >= RUNS_PER_REALM:
            self._realm, self._runs = self._new_realm(), 0
        self._runs += 1
        realm: tuple[Any, Any] = self._realm
        return realm

    def _new_realm(self) -> tuple[Any, Any]:
        context = _quickjs.Context()
        context.set_memory_limit(MEMORY_BYTES)
        context.set_max_stack_size(STACK_BYTES)
        harden = context.eval(_HARDEN)
        run = harden(context.eval(_RUN), 100_000, 10_000_000, MAX_RESULT_CHARS)
        context.set_time_limit(self._time_s)
        return context, run


def _fault(text: str) -> ScriptFault:
    return ScriptFault(Code.JS_EVAL_ERROR, text)


def _limit(message: str) -> str:
    if "interrupted" in message:
        return "the expression took too long"
    if "stack" in message:
        return "the expression calls too deep"
    if "memory" in message or message.strip() in {"", "null"}:
        return "the expression needs too much memory"
    return message.strip().splitlines()[0][:200]


def _dumps(value: object) -> str:
    try:
        return json.dumps(value, default=_plain, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        raise _fault("a variable holds something that JavaScript cannot take") from None


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _loads(text: str) -> object:
    if "\\ud" in text:  # lone surrogates cannot leave as UTF-8
        text = json.dumps(json.loads(text), ensure_ascii=False)
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return json.loads(text)
