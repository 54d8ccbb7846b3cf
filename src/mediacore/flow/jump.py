"""Where control goes: blocks, sections, calls and returns, labels. Works on a Run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mediacore.flow.document import Statement
from mediacore.flow.findings import Code
from mediacore.flow.frames import (
    Call,
    Done,
    Effect,
    FlowState,
    Frame,
    Loaded,
    Waiting,
    Warn,
)
from mediacore.flow.parsed import DocumentError
from mediacore.flow.place import Path, Place
from mediacore.flow.scope import Scope
from mediacore.flow.script import Evaluator, ScriptFault

MAX_CALLS: Final = 16
"""Executes within each other; the format names an error for it, but no number."""
MAX_BLOCKS: Final = 100
"""Blocks within each other, of all calls together."""
MAX_TRANSFERS: Final = 32
MAX_EVALUATIONS: Final = 500
"""Expressions between two methods that are performed."""
MAX_FAULTS: Final = 16
"""Failed expressions between two methods that are performed."""
MAX_COSTLY: Final = 4
"""Expressions of one document that used up their time: all calls of the process wait meanwhile."""


class TooManyExpressionsError(Exception):
    """The expressions of one step have used up what a step may use."""


class Run:
    """One `advance`: the state being worked on, private to it, and the effects so far."""

    def __init__(self, state: FlowState, evaluator: Evaluator) -> None:
        self.frames = list(state.frames)
        self.scope: Scope = state.scope
        self.waiting: Waiting | None = None
        self.outcome: Done | None = None
        self.transfers = state.transfers
        self.costly = state.costly
        self.effects: list[Effect] = list(state.warnings)
        self._evaluator = evaluator
        self._evaluations = 0
        self._faults = 0

    def state(self) -> FlowState:
        """What became of it."""
        frames = tuple(self.frames)
        return FlowState(
            frames, self.scope, self.waiting, self.outcome, (), self.transfers, self.costly
        )

    def evaluate(self, code: str, names: Mapping[str, object]) -> object:
        """As Evaluator, within the limits of one step."""
        self._evaluations += 1
        if self._evaluations > MAX_EVALUATIONS or self._faults >= MAX_FAULTS:
            raise TooManyExpressionsError
        if self.costly >= MAX_COSTLY:
            raise TooManyExpressionsError
        try:
            return self._evaluator.evaluate(code, names)
        except ScriptFault as fault:
            self._faults += 1
            self.costly += fault.costly
            raise

    def warn(self, code: str, text: str, place: Place) -> None:
        """Report a script error and let the document see it."""
        self.effects.append(Warn(code, text, place))
        self.scope = self.scope.with_vars({"script_error": str(code)})

    def end(self, done: Done) -> None:
        """Leave the document."""
        self.frames.clear()
        self.outcome = done
        self.effects.append(done)

    def fail(self, code: str, text: str, place: Place) -> None:
        """A script error that the document does not survive."""
        self.warn(code, text, place)
        self.end(Done(None, "error"))

    def next(self) -> Statement | None:
        """Step on to the next statement; frames that are through are left."""
        while self.frames:
            frame = self.frames[-1]
            if frame.index < len(frame.statements):
                self.frames[-1] = replace(frame, index=frame.index + 1)
                return frame.statements[frame.index]
            self.frames.pop()
            if frame.call is not None:
                self._came_back(frame.call, returned=False)
        return None

    def block(self, written: object, path: Path, place: Place) -> None:
        """Run nested statements next."""
        if written is None or not self.frames:
            return
        if len(self.frames) >= MAX_BLOCKS:
            self.warn(Code.NESTED_TOO_DEEP, f"blocks are nested over {MAX_BLOCKS} deep", place)
            return
        holder = self.frames[-1].loaded
        try:
            statements = holder.block(written, path, place)
        except DocumentError as error:
            self.warn(error.code, error.text, error.place)
            return
        if statements:
            self.frames.append(Frame(holder, statements))

    def enter(
        self, holder: Loaded, section: str, params: Mapping[str, object], statement: Statement
    ) -> None:
        """Call a section for an execute."""
        if sum(1 for frame in self.frames if frame.call is not None) >= MAX_CALLS:
            text = f"execute is nested over {MAX_CALLS} deep"
            self.warn(Code.NESTED_TOO_DEEP, text, statement.place)
            return
        call = Call(statement, self.scope.params)
        statements = holder.document.sections.get(section, ())
        self.frames.append(Frame(holder, statements, section=True, call=call))
        self.scope = self.scope.with_params(params)

    def replace_all(self, holder: Loaded, section: str, params: Mapping[str, object]) -> None:
        """Go on elsewhere for good, for a transfer."""
        statements = holder.document.sections.get(section, ())
        self.frames[:] = [Frame(holder, statements, section=True)]
        self.scope = self.scope.with_params(params)

    def come_back(self, value: object) -> None:
        """Leave the section with a value; outside of any execute that ends the document."""
        while self.frames:
            frame = self.frames.pop()
            if frame.call is not None:
                self.scope = self.scope.with_vars({"return_value": value})
                self._came_back(frame.call, returned=True)
                return
        self.end(Done(value, "return"))

    def goto(self, label: str, most: int, place: Place) -> None:
        """Jump within the section; a label that has used up its jumps is passed by."""
        base = self._section()
        target = self._find(label, base)
        if target is None:
            self.fail(Code.PARAMETER_INVALID_VALUE, f"there is no label '{label[:60]}'", place)
            return
        count = self.frames[base].jumps.get(label, 0)
        if count >= most:
            return
        jumps = {**self.frames[base].jumps, label: count + 1}
        self.frames[base] = replace(self.frames[base], jumps=jumps)
        level, index = target
        del self.frames[level + 1 :]
        self.frames[level] = replace(self.frames[level], index=index + 1)

    def _section(self) -> int:
        for level in range(len(self.frames) - 1, -1, -1):
            if self.frames[level].section:
                return level
        return 0

    def _find(self, label: str, base: int) -> tuple[int, int] | None:
        for level in range(len(self.frames) - 1, base - 1, -1):
            for index, statement in enumerate(self.frames[level].statements):
                if statement.method == "label" and label_of(statement) == label:
                    return level, index
        return None

    def _came_back(self, call: Call, *, returned: bool) -> None:
        self.scope = self.scope.with_params(call.params)
        params = call.statement.params
        if isinstance(params, Mapping):
            self.result(call.statement, params.get("result") if returned else None)
            path = (*call.statement.path, "on_return")
            self.block(params.get("on_return"), path, call.statement.place)

    def result(self, statement: Statement, written: object) -> None:
        """Run a `result`: a map is a switch on return_value, a list a cond."""
        if written is None or not self.frames:
            return
        path = (*statement.path, "result")
        if isinstance(written, Mapping):
            method, params = "switch", {"variable": "return_value", **written}
            made = Statement(method, params, path, statement.place)
        else:
            made = Statement("cond", written, path, statement.place)
        self.frames.append(Frame(self.frames[-1].loaded, (made,)))


def label_of(statement: Statement) -> str:
    """The name a label statement gives."""
    params = statement.params
    if isinstance(params, Mapping):
        params = params.get("label", params.get("value"))
    return str(params)
