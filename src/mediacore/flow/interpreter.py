"""Runs a document's control flow as a pure function of its state.

`start` → `advance` → carry out the Perform → `complete` → `advance` → … → Done. A script error sets
the variable script_error to its code, is told as a Warn, and the document goes on with the next
statement; it ends the document only where going on has no meaning: a goto without its label, more
than 32 transfers, more steps or expressions than one `advance` may take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mediacore.flow.document import Document
from mediacore.flow.findings import Code
from mediacore.flow.frames import (
    Call,
    Done,
    Effect,
    FlowState,
    Frame,
    Perform,
    Waiting,
    Warn,
    loaded,
)
from mediacore.flow.jump import MAX_CALLS, MAX_TRANSFERS, Run, TooManyExpressionsError
from mediacore.flow.params import expand_params
from mediacore.flow.scope import Scope
from mediacore.flow.script import Evaluator, ScriptFault
from mediacore.flow.steps import STEPS

__all__ = [
    "MAX_CALLS",
    "MAX_STEPS",
    "MAX_TRANSFERS",
    "Done",
    "Effect",
    "FlowState",
    "Perform",
    "Warn",
    "advance",
    "complete",
    "fetch_failed",
    "fetched",
    "start",
]

MAX_STEPS: Final = 10_000
"""Statements between two methods that are performed."""

_WITH_RESULT: Final = frozenset(("connect", "join_conference"))


def start(document: Document, scope: Scope, section: str = "main") -> FlowState:
    """A document about to run its first statement. A section that is not there is empty."""
    statements = document.sections.get(section, ())
    return FlowState((Frame(loaded(document), statements, section=True),), scope)


def advance(state: FlowState, evaluator: Evaluator) -> tuple[FlowState, tuple[Effect, ...]]:
    """Run until something is to be done outside, or the document is over.

    The last effect is the one Perform or Done, Warns come before it. A finished state answers its
    Done again. Raises ValueError while a Perform has not been answered.
    """
    if state.outcome is not None:
        done = replace(state, warnings=()) if state.warnings else state
        return done, (*state.warnings, state.outcome)
    if state.waiting is not None:
        raise ValueError(f"'{state.waiting.statement.method}' has not been answered")
    run = Run(state, evaluator)
    try:
        _run(run)
    except TooManyExpressionsError:
        run.fail(Code.JS_EVAL_ERROR, "too many expressions, or too many failed", run.state().place)
    return run.state(), tuple(run.effects)


def _run(run: Run) -> None:
    steps = 0
    while run.waiting is None and run.outcome is None:
        statement = run.next()
        if statement is None:
            run.end(Done(None, "end"))
            return
        steps += 1
        if steps > MAX_STEPS:
            text = f"over {MAX_STEPS} statements without doing anything"
            run.fail(Code.TOO_MANY_STATEMENTS, text, statement.place)
            return
        step = STEPS.get(statement.method)
        try:
            if step is not None:
                step(run, statement)
                continue
            params = expand_params(statement.method, statement.params, run.scope, run)
        except ScriptFault as fault:
            run.warn(fault.code, fault.text, statement.place)
            continue
        run.waiting = Waiting(statement)
        run.effects.append(Perform(statement.method, params, statement.place))


def complete(
    state: FlowState,
    variables: Mapping[str, object] | None = None,
    *,
    value: object = None,
    failed: str = "",
) -> FlowState:
    """The outcome of a Perform: variables it sets, its return_value, why it failed.

    failed: a `relay_script_*` code, or a sentence under relay_script_method_execute_failed; the
    Warn comes with the next `advance`. A hangup that did not fail ends the document. Raises
    ValueError when no method is waited for.
    """
    waiting = _waiting(state, "method")
    changes = dict(variables or {})
    if value is not None:
        changes["return_value"] = value
    state = replace(state, scope=state.scope.with_vars(changes), waiting=None)
    if failed:
        is_code = failed.startswith("relay_script_") and " " not in failed
        code = failed if is_code else Code.EXECUTE_FAILED
        text = f"'{waiting.statement.method}' failed" if is_code else failed
        state = _warned(state, waiting, code, text)
    elif waiting.statement.method == "hangup":
        return replace(state, frames=(), outcome=Done(None, "hangup"))
    params = waiting.statement.params
    if waiting.statement.method in _WITH_RESULT and isinstance(params, Mapping):
        return _with_result(state, waiting, params.get("result"))
    return state


def fetched(state: FlowState, document: Document) -> FlowState:
    """The document that a fetch was for: called (execute) or gone on with (transfer)."""
    waiting = _waiting(state, "execute", "transfer")
    frames = state.frames
    call = None
    if waiting.kind == "execute":
        if sum(1 for frame in frames if frame.call is not None) >= MAX_CALLS:
            text = f"execute is nested over {MAX_CALLS} deep"
            state = replace(state, waiting=None)
            return _warned(state, waiting, Code.NESTED_TOO_DEEP, text)
        call = Call(waiting.statement, state.scope.params)
    else:
        frames = ()
    statements = document.sections.get("main", ())
    frame = Frame(loaded(document), statements, section=True, call=call)
    scope = state.scope.with_params(waiting.params)
    return replace(state, frames=(*frames, frame), scope=scope, waiting=None)


def fetch_failed(state: FlowState, code: str, text: str) -> FlowState:
    """No document came: a script error, and the document goes on after the statement."""
    waiting = _waiting(state, "execute", "transfer")
    return _warned(replace(state, waiting=None), waiting, code, text)


def _waiting(state: FlowState, *kinds: str) -> Waiting:
    if state.waiting is None or state.waiting.kind not in kinds:
        raise ValueError(f"nothing of kind {' or '.join(kinds)} is waited for")
    return state.waiting


def _warned(state: FlowState, waiting: Waiting, code: str, text: str) -> FlowState:
    warn = Warn(code, text, waiting.statement.place)
    scope = state.scope.with_vars({"script_error": str(code)})
    return replace(state, scope=scope, warnings=(*state.warnings, warn))


def _with_result(state: FlowState, waiting: Waiting, written: object) -> FlowState:
    run = Run(state, _NoScript())
    run.result(waiting.statement, written)
    return replace(state, frames=tuple(run.frames))


class _NoScript:
    """Arranging a result evaluates nothing."""

    def evaluate(self, code: str, names: Mapping[str, object]) -> object:
        raise ScriptFault(Code.INTERNAL_ERROR, "no expression belongs here")
