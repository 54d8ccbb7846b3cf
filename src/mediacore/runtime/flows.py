"""Documents in progress: from one statement of the interpreter to the next.

A flow runs until a statement needs the outside; that opens an operation which the flow waits for.
When the operation is over, its outcome becomes variables, and the flow goes on in the same step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mediacore.flow import interpreter
from mediacore.flow.document import Document
from mediacore.flow.scope import Scope
from mediacore.runtime import lines
from mediacore.runtime.actions import Publish
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import Flow, Line, Operation, OpKind

MAIN: Final = "main"
ERRAND: Final = "errand"
CONFIRM: Final = "confirm"


def begin(d: Draft, document: Document, line: str, purpose: str, **more: object) -> Flow:
    """A document begins on a line. Call `methods.drive` after it."""
    flow_id = d.serial()
    state = interpreter.start(document, scope_for(d, d.line(line), more.pop("params", None)))
    flow = Flow(flow_id, purpose, line, state, **more)  # type: ignore[arg-type]
    d.set(flows=(*d.state.flows, flow))
    d.moved()
    d.log("document", "begins", purpose=purpose, line=line, name=document.name[:64])
    return flow


def scope_for(d: Draft, line: Line, params: object = None) -> Scope:
    """What a document on this line can see."""
    settings = d.state.settings
    given = params if isinstance(params, Mapping) else {}
    return Scope(lines.call_facts(d.state, line), given, dict(d.state.vars), settings.envs)


def main_flow(d: Draft, line: str) -> Flow | None:
    """The document that the line belongs to."""
    return next((f for f in d.state.flows if f.purpose == MAIN and f.line == line), None)


def owner_of(op: Operation) -> int | None:
    """The flow that an operation belongs to."""
    kind, _, flow = op.owner.partition(":")
    return int(flow) if kind == "flow" else None


def refresh(d: Draft, flow: Flow) -> Flow:
    """Let the document see the line and the call's variables as they are now."""
    call = lines.call_facts(d.state, d.line(flow.line))
    scope = replace(flow.state.scope, call=call, vars=d.state.vars)
    d.set_flow(flow.id, state=replace(flow.state, scope=scope))
    found = d.flow(flow.id)
    assert found is not None
    return found


def keep_vars(d: Draft, flow: Flow) -> None:
    """What the document set stays with the call."""
    if flow.state.scope.vars is not d.state.vars:
        d.set(vars=flow.state.scope.vars)


def warn(d: Draft, line: str, code: str, text: str, place: object = None) -> None:
    """A script error, as controllers hear of it. Texts come from the document, not the caller."""
    body: dict[str, object] = {"code": code, "message": text[:500]}
    where = getattr(place, "line", 0)
    if where:
        body["line"] = where
    d.log("script", code, line=line, at_line=where)
    d.emit(Publish("calling.script.warning", line, {"call_id": line, **body}))


def wait_for(d: Draft, flow: Flow, op: Operation) -> None:
    """The flow goes on when the operation is over."""
    d.set_flow(flow.id, waits=op.id)


def open_op(d: Draft, flow: Flow, kind: OpKind, data: object, op: str = "") -> Operation:
    """An operation that the flow waits for."""
    new = d.open(kind, flow.line, f"flow:{flow.id}", data, op=op, awaited=True)  # type: ignore[arg-type]
    wait_for(d, flow, new)
    return new
