"""The working copy of one step: a state to replace, actions to collect, and now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mediacore.call import actions as talk
from mediacore.call.changed import changed
from mediacore.flow.document import Document
from mediacore.runtime.actions import Action, Log, PostStatus, Publish
from mediacore.runtime.state import AiRun, Flow, Line, OpData, Operation, OpKind, RunState

Decision = (
    talk.StartReply
    | talk.CallTool
    | talk.ConversationOver
    | talk.HoldOver
    | talk.ErrorRaised
    | talk.TurnCompleted
    | talk.Speak
)
"""What a conversation decides that concerns more than the line's voice."""


Mark = tuple[RunState, tuple[int, ...], tuple[str, Document] | None, tuple[str, str] | None]
"""A place in a step."""


class Draft:
    """Lives for one step and is seen by its handlers only; the state itself stays frozen.

    What the settling of the step still has to do: decisions of the conversation, with their run;
    finished operations, that somebody may wait for; errands, inline documents to be begun;
    leaving, lines that a dial does not need any more;
    follow, the document that takes a line after its agent; hang_up, a line that the agent's last
    words ended.
    """

    __slots__ = (
        "actions",
        "decisions",
        "errands",
        "finished",
        "follow",
        "hang_up",
        "leaving",
        "now",
        "state",
    )

    def __init__(self, state: RunState, now: int) -> None:
        self.state = state
        self.now = now
        self.actions: list[Action] = []
        self.finished: list[tuple[Operation, str, Mapping[str, object]]] = []
        self.decisions: list[tuple[int, Decision]] = []
        self.errands: list[int] = []
        self.leaving: list[tuple[str, str]] = []
        self.follow: tuple[str, Document] | None = None
        self.hang_up: tuple[str, str] | None = None

    def mark(self) -> Mark:
        """Where the step is, to come back to with `undo`."""
        lengths = tuple(len(items) for items in self._lists())
        return self.state, lengths, self.follow, self.hang_up

    def undo(self, mark: Mark) -> None:
        """Forget everything since `mark`."""
        self.state, lengths, self.follow, self.hang_up = mark
        for items, length in zip(self._lists(), lengths, strict=True):
            del items[length:]

    def _lists(self) -> tuple[list[Any], ...]:
        return self.actions, self.finished, self.decisions, self.errands, self.leaving

    def set(self, **changes: Any) -> None:
        """Replace fields of the state."""
        self.state = changed(self.state, **changes)

    def emit(self, *actions: Action) -> None:
        """Add actions."""
        self.actions.extend(actions)

    def log(self, decision: str, verdict: str, /, **evidence: int | float | str | bool) -> None:
        """Add a decision to the log. Evidence never holds what somebody said."""
        self.actions.append(Log(decision, verdict, evidence))

    def refuse(self, reason: str, /, **evidence: int | float | str | bool) -> None:
        """Count something that came too late or must not be, and say why."""
        refused = dict(self.state.refused)
        refused[reason] = refused.get(reason, 0) + 1
        self.set(refused=refused)
        self.log("refused", reason, **evidence)

    def moved(self) -> None:
        """Something changed that a controller could have missed."""
        self.set(version=self.state.version + 1)

    def serial(self) -> int:
        """A number that this call has not used yet."""
        self.set(serial=self.state.serial + 1)
        return self.state.serial

    # -- lines

    def line(self, line: str) -> Line:
        """A line that is known to exist."""
        return self.state.lines[line]

    def set_line(self, line: str, **changes: Any) -> Line:
        """Replace fields of a line."""
        new = changed(self.state.lines[line], **changes)
        self.state = changed(self.state, lines={**self.state.lines, line: new})
        return new

    def add_line(self, line: Line) -> None:
        """A new line."""
        self.set(lines={**self.state.lines, line.id: line})

    # -- operations

    def open(
        self,
        kind: OpKind,
        line: str,
        owner: str,
        data: OpData,
        *,
        op: str = "",
        awaited: bool = False,
    ) -> Operation:
        """Begin an operation. op: its control id, made up when empty."""
        while not op or op in self.state.ops:
            op = f"{kind.value}-{self.serial()}"
        new = Operation(op, kind, line, owner, data, self.now, awaited)
        self.set(ops={**self.state.ops, op: new})
        return new

    def set_op(self, op: str, **changes: Any) -> Operation:
        """Replace fields of an operation's data."""
        old = self.state.ops[op]
        new = changed(old, data=changed(old.data, **changes))
        self.state = changed(self.state, ops={**self.state.ops, op: new})
        return new

    def drop_op(self, op: str) -> Operation | None:
        """Forget an operation; None when it is not there."""
        ops = dict(self.state.ops)
        old = ops.pop(op, None)
        alone_us = None if self.state.alone_us is None else self.now
        self.set(ops=ops, alone_us=alone_us)
        return old

    def ops_of(self, line: str, *kinds: OpKind) -> tuple[Operation, ...]:
        """Operations of a line in the order they began; all kinds when none is named."""
        found = self.state.ops.values()
        return tuple(o for o in found if o.line == line and (not kinds or o.kind in kinds))

    # -- flows and the run

    def flow(self, flow: int) -> Flow | None:
        """A flow that is still in progress."""
        return next((f for f in self.state.flows if f.id == flow), None)

    def set_flow(self, flow: int, **changes: Any) -> None:
        """Replace fields of a flow."""
        same = tuple(changed(f, **changes) if f.id == flow else f for f in self.state.flows)
        self.set(flows=same)

    @property
    def run(self) -> AiRun:
        """The open run. Only where one is known to be there."""
        run = self.state.run
        if run is None:
            raise AssertionError("no run is open")
        return run

    def set_run(self, **changes: Any) -> None:
        """Replace fields of the open run."""
        self.state = changed(self.state, run=changed(self.run, **changes))

    def set_data(self, data: Mapping[str, object]) -> None:
        """Replace the call's global data while a run is open."""
        run = self.run
        self.set_run(session=changed(run.session, global_data=dict(data)))

    # -- telling

    def publish(self, kind: str, line: str, params: Mapping[str, object], **to: str) -> None:
        """Tell the controllers about a line. kind: after "calling.call."."""
        body = {"call_id": line, **params}
        self.emit(Publish(f"calling.call.{kind}", line, body, **to))

    def status(self, url: str, body: Mapping[str, object]) -> None:
        """Tell a status URL, if there is one."""
        if url:
            self.emit(PostStatus(url, body))
