"""Conditions: `when` of cond and goto. Bare JavaScript; placeholders in it are read as values."""

from __future__ import annotations

from mediacore.flow.expand import find_placeholder
from mediacore.flow.findings import Code
from mediacore.flow.scope import Scope
from mediacore.flow.script import Evaluator, ScriptFault

_QUOTES = ('"', "'", "`")


def holds(when: object, scope: Scope, evaluator: Evaluator) -> bool:
    """Whether the condition is true, by JavaScript's idea of truth. Raises ScriptFault."""
    if isinstance(when, bool | int | float) or when is None:
        return bool(when)
    if not isinstance(when, str):
        raise ScriptFault(Code.PARAMETER_INVALID_VALUE, "a condition must be text")
    code = without_placeholders(when)
    if not code.strip():
        raise ScriptFault(Code.PARAMETER_INVALID_VALUE, "a condition is empty")
    return bool(evaluator.evaluate(f"!!(\n{code}\n)", scope.names()))


def without_placeholders(code: str) -> str:
    """`'%{a}' == 1` as `String(a) == 1`: the value is never spliced into the code as text."""
    out: list[str] = []
    at = 0
    while (found := find_placeholder(code, at)) is not None:
        start, end, body = found
        before, after = code[at:start], code[end : end + 1]
        if before[-1:] in _QUOTES and before[-1:] == after:
            out += (before[:-1], f"String({body})")
            at = end + 1
        else:
            out += (before, f"({body})")
            at = end
    out.append(code[at:])
    return "".join(out)
