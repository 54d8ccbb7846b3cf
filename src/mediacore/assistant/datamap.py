"""DataMap: a function that needs no web service of its own, run as a sans-I/O machine.

```
 start ── expressions match ──────────────────────────────────────────────► Result
   └─ first webhook whose require_args are there ─► Fetch ── resume ─┐
   └─ none ─► output ─► Result                                       │
 resume: reply good ─► foreach ─► expressions ─► output ─► Result ◄──┘
         reply failed ─► the map's own output, or the generic error ─► Result
```
One web request at most: a webhook that fails does not lead to the next one. Before the reply
templates read the call data (`args`, `global_data`, `meta_data`, prompt variables, …); after it
they read the reply, with the call data under `input`. Everything is bounded: see `_values`
(work, output, depth), `_pattern` (expressions) and `_webhook` (request).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mediacore.assistant._pattern import PatternError, occurs
from mediacore.assistant._values import (
    MISSING,
    Meter,
    TemplateLimitError,
    drop,
    has_member,
    json_text,
    json_value,
    leading_integer,
    lookup,
    member,
    overlay,
    put,
    put_if_absent,
    text_member,
)
from mediacore.assistant._webhook import Fetch, Reply, build_request, has_failed, read_reply
from mediacore.assistant.templates import MAX_SLEEP_MS, MAX_UNRESOLVED, TemplateClock, expand
from mediacore.errors import MediacoreError

__all__ = ["DataMapState", "Fetch", "Reply", "Result", "Step", "resume", "start"]

GENERIC_ERROR: Final = "The request could not be carried out."
MAX_WEBHOOKS: Final = 64
ROW_WORK: Final = 8
"""Units of work that a row costs beside what its template does."""


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a run.

    `value` is what the function returns, as a rule {"response": …, "action": [...]}. `reason` is
    empty, or says why `value` is the generic error: no_output | bad_output (the filled-in output
    is not JSON) | too_large | too_costly | too_deep. `notes` name patterns that were refused.
    """

    value: object
    reason: str = ""
    delay_ms: int = 0
    unresolved: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


Step = Fetch | Result


@dataclass(frozen=True, slots=True)
class DataMapState:
    """Between two steps. `webhook` is the one whose reply is awaited, None when the run is over.

    `judged` says that a failed reply is to be recognised (a single webhook object never is).
    """

    data_map: Mapping[str, object]
    call_data: Mapping[str, object]
    prompt_vars: Mapping[str, object]
    webhook: object = None
    judged: bool = False


@dataclass(slots=True)
class _Run:
    """What one step uses up and notes down."""

    clock: TemplateClock
    meter: Meter = field(default_factory=Meter)
    delay_ms: int = 0
    unresolved: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fill(self, template: str, data: object) -> str:
        return self._expanded(template, data, in_json=False)

    def fill_json(self, value: object, data: object) -> object:
        """A value with the templates inside it filled in; MISSING when that is not JSON."""
        return json_value(self._expanded(json_text(value, self.meter), data, in_json=True))

    def _expanded(self, template: str, data: object, *, in_json: bool) -> str:
        done = expand(template, data, self.clock, in_json=in_json, meter=self.meter)
        self.delay_ms = min(self.delay_ms + done.delay_ms, MAX_SLEEP_MS)
        self.unresolved.extend(done.unresolved)
        return done.text

    def result(self, value: object, reason: str = "") -> Result:
        unresolved = tuple(dict.fromkeys(self.unresolved))[:MAX_UNRESOLVED]
        return Result(value, reason, self.delay_ms, unresolved, tuple(self.notes))

    def end(self, value: object) -> Result:
        """The result of an output, good or not JSON."""
        return self.error("bad_output") if value is MISSING else self.result(value)

    def error(self, reason: str) -> Result:
        return self.result({"response": GENERIC_ERROR}, reason)


def start(
    data_map: Mapping[str, object], context: Mapping[str, object], clock: TemplateClock
) -> tuple[DataMapState, Step]:
    """Begin. `context` holds args, global_data, meta_data, prompt_vars and data of the call.

    Never raises for what a document, a model or a caller wrote.
    """
    call_data, prompt_vars = _call_data(context)
    state = DataMapState(data_map, call_data, prompt_vars)
    run = _Run(clock)
    try:
        found = _first_expression(run, member(data_map, "expressions"), call_data)
        if found is not MISSING:
            return state, run.result(found)
        return _request(run, state)
    except TemplateLimitError as error:
        return state, run.error(error.reason)


def resume(state: DataMapState, reply: Reply, clock: TemplateClock) -> tuple[DataMapState, Result]:
    """Go on with the reply to the request. Raises `MediacoreError` when none is awaited."""
    if state.webhook is None:
        raise MediacoreError("this DataMap awaits no reply")
    over = DataMapState(state.data_map, state.call_data, state.prompt_vars)
    run = _Run(clock)
    try:
        return over, _finish(run, state, reply)
    except TemplateLimitError as error:
        return over, run.error(error.reason)


def _call_data(
    context: Mapping[str, object],
) -> tuple[dict[str, object], Mapping[str, object]]:
    """The data that templates read before a reply, and the prompt variables.

    Prompt variables lie at the root; the function's meta_data lie over the global_data.
    """
    extra = dict(context)
    args, meta_data = extra.pop("args", {}), extra.pop("meta_data", None)
    prompt_vars = extra.pop("prompt_vars", None)
    prompt_vars = prompt_vars if isinstance(prompt_vars, Mapping) else {}
    data: dict[str, object] = {}
    overlay(data, extra)
    merged: dict[str, object] = {}
    for source in (member(data, "global_data"), meta_data):
        if isinstance(source, Mapping):
            overlay(merged, source)
    put(data, "meta_data", merged)
    overlay(data, prompt_vars)
    put_if_absent(data, "args", args)
    put_if_absent(data, "input", {})
    return data, prompt_vars


def _first_expression(run: _Run, expressions: object, data: object) -> object:
    items = expressions if isinstance(expressions, list) else [expressions]
    for item in items:
        found = _expression(run, item, data)
        if found is not MISSING:
            return found
    return MISSING


def _expression(run: _Run, item: object, data: object) -> object:
    """The output that an expression chooses, or MISSING.

    An `expr` is read as the text when there is no `string`; it is never evaluated.
    """
    subject = text_member(item, "string")
    if subject is None:
        subject = text_member(item, "expr")
    output = member(item, "output")
    if subject is None or output is MISSING:
        return MISSING
    text = run.fill(subject, data)
    if not _matches(run, text_member(item, "pattern"), text):
        output = member(item, "nomatch-output")
    return MISSING if output is MISSING else run.fill_json(output, data)


def _matches(run: _Run, pattern: str | None, text: str) -> bool:
    if pattern is None:
        return False
    try:
        return occurs(pattern, text, run.meter)
    except PatternError as error:
        run.notes.append(error.reason)
        return False


def _request(run: _Run, state: DataMapState) -> tuple[DataMapState, Step]:
    """The first webhook that may run, or the end."""
    listed = member(state.data_map, "webhooks")
    judged = isinstance(listed, list)
    webhooks = listed[:MAX_WEBHOOKS] if isinstance(listed, list) else [listed]
    for webhook in webhooks:
        if not _may_run(webhook, state.call_data, judged):
            continue
        fetch = build_request(webhook, state.call_data, run.clock, run.meter)
        if fetch is not None:
            waiting = DataMapState(
                state.data_map, state.call_data, state.prompt_vars, webhook, judged
            )
            return waiting, fetch
    return state, _own_output(run, state)


def _may_run(webhook: object, call_data: Mapping[str, object], judged: bool) -> bool:
    if not (has_member(webhook, "output") or has_member(webhook, "expressions")):
        return False
    required = member(webhook, "require_args")
    if required is MISSING or not judged:
        return True
    names = required if isinstance(required, list) else [required]
    args = member(call_data, "args")
    return any(isinstance(name, str) and has_member(args, name) for name in names)


def _finish(run: _Run, state: DataMapState, reply: Reply) -> Result:
    value = read_reply(reply)
    if isinstance(value, list):
        value = {"array": value}
    if state.judged and has_failed(value, state.webhook):
        return _own_output(run, state)
    data: dict[str, object] = dict(value) if isinstance(value, dict) else {}
    put_if_absent(data, "prompt_vars", state.prompt_vars)
    global_data = member(state.call_data, "global_data")
    if global_data is not MISSING:
        put_if_absent(data, "global_data", global_data)
    put_if_absent(data, "input", state.call_data)
    _fill_rows(run, member(state.webhook, "foreach"), data)
    found = _first_expression(run, member(state.webhook, "expressions"), data)
    if found is not MISSING:
        return run.result(found)
    output = member(state.webhook, "output")
    if output is not MISSING:
        return run.end(run.fill_json(output, data))
    return _own_output(run, state)


def _own_output(run: _Run, state: DataMapState) -> Result:
    """The output of the map itself, over the call data."""
    output = member(state.data_map, "output")
    if output is MISSING:
        return run.error("no_output")
    data = dict(state.call_data)
    put_if_absent(data, "prompt_vars", state.prompt_vars)
    return run.end(run.fill_json(output, data))


def _fill_rows(run: _Run, foreach: object, data: dict[str, object]) -> None:
    """Write one text per row of an array into the output key. `this` is the row."""
    input_key = text_member(foreach, "input_key")
    output_key = text_member(foreach, "output_key")
    append = text_member(foreach, "append")
    if input_key is None or output_key is None or append is None:
        return
    rows = lookup(data, input_key, run.meter)
    if not isinstance(rows, list):
        return
    limit = _limit(member(foreach, "max"))
    parts: list[str] = []
    for row in rows[:limit] if limit > 0 else rows:
        run.meter.spend(ROW_WORK)
        put(data, "this", row, run.meter)
        parts.append(run.fill(append, data))
    if rows:
        drop(data, "this")
    put_if_absent(data, output_key, "".join(parts))


def _limit(value: object) -> int:
    """The most rows; 0 is no limit."""
    if isinstance(value, str):
        return leading_integer(value)
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0
