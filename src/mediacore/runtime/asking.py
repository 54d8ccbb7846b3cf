"""What all commands of controllers need: refusals, names, who holds the call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mediacore.runtime import agent, ending, reading
from mediacore.runtime.draft import Draft
from mediacore.runtime.ports import Command
from mediacore.runtime.reading import BadParams, Params
from mediacore.runtime.state import Line, Operation, OpKind
from mediacore.runtime.yielding import drop_flows


@dataclass(frozen=True, slots=True)
class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """The command is not carried out."""

    code: str
    message: str


Data = Mapping[str, object]
Handler = Callable[[Draft, Line, Command], Data | None]


FINISHED: Final = "finished"


def up(line: Line) -> None:
    """Refuse unless the line has media."""
    if not line.up:
        raise Refusal("409", f"the call is {line.state.value}")


def new_id(d: Draft, params: Params) -> str:
    """The control id that is asked for, "" when none is. Refuses one in use."""
    op = reading.text(params, "control_id")
    if op in d.state.ops:
        raise Refusal("409", "control_id is in use")
    if len(d.state.ops) >= d.state.settings.max_operations:
        raise Refusal("429", "too many operations on this call")
    if len(op) > reading.MAX_ID:
        raise BadParams(f"control_id: at most {reading.MAX_ID} characters")
    return op


def named(d: Draft, line: Line, command: Command, *kinds: OpKind) -> Operation:
    """The operation that `control_id` names, of this line and these kinds."""
    name = reading.text(command.params, "control_id")
    op = d.state.ops.get(name)
    if op is None or op.line != line.id or (kinds and op.kind not in kinds):
        raise Refusal("404", "no such control_id")
    return op


def started(op: Operation) -> Data:
    """The answer to a command that began an operation."""
    return {"control_id": op.id, "call_id": op.line}


def leased(d: Draft, command: Command) -> bool:
    """Whether this controller holds the lease."""
    lease = d.state.lease
    return lease is not None and lease.holder == command.issuer and d.now < lease.until_us


def yield_line(d: Draft, line: Line, reason: str) -> None:
    """Whatever has the line gives it up, with its terminal events."""
    agent.stop(d, line.id, reason)
    drop_flows(d, line.id, reason)
    for op in d.ops_of(line.id, OpKind.PLAY, OpKind.PROMPT, OpKind.COLLECT, OpKind.SLEEP):
        if op.id in d.state.ops:
            ending.abort(d, op, reason)
