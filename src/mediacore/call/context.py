"""The conversation as the model sees it: what the caller said, what the caller heard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

INTERRUPTED_RESULT: Final = "No result: the caller interrupted before it arrived."


class Role(StrEnum):
    """Whose entry it is."""

    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    SYSTEM = "system"  # a note to the model, which nobody said


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A tool that the model asked for. arguments: a JSON object, as text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ContextEntry:
    """One entry. For the assistant, `text` is what was heard. tool_call_id: role TOOL only."""

    role: Role
    text: str
    tool_calls: tuple[ToolRequest, ...] = ()
    tool_call_id: str = ""


Context = tuple[ContextEntry, ...]


def with_user(context: Context, text: str) -> Context:
    """The context with the caller's words; two caller entries in a row become one."""
    if context and context[-1].role is Role.USER:
        last = context[-1]
        return (*context[:-1], replace(last, text=f"{last.text} {text}".strip()))
    return (*context, ContextEntry(Role.USER, text))


def without_last_user(context: Context) -> tuple[Context, str]:
    """Take the caller's last words back, when nothing came after them."""
    if context and context[-1].role is Role.USER:
        return context[:-1], context[-1].text
    return context, ""


def with_late_result(context: Context, call_id: str, text: str) -> Context | None:
    """Put in the result of a tool whose turn was interrupted. None when no such call is open."""
    for i in range(len(context) - 1, -1, -1):
        entry = context[i]
        if entry.tool_call_id == call_id and entry.text == INTERRUPTED_RESULT:
            return (*context[:i], replace(entry, text=text), *context[i + 1 :])
    return None


def latest(context: Context, turns: int) -> Context:
    """What the model is shown: the last `turns` caller's turns and all notes; 0 = everything.

    Cut before a caller's entry, so that no tool result loses its call.
    """
    if turns <= 0:
        return context
    starts = [i for i, entry in enumerate(context) if entry.role is Role.USER]
    if len(starts) <= turns:
        return context
    first = starts[-turns]
    notes = tuple(e for e in context[:first] if e.role is Role.SYSTEM)
    return notes + context[first:]


def mended(context: Context) -> Context:
    """A context from outside: results without a call are left out, calls without a result get one.

    The results of a call follow it directly.
    """
    out: list[ContextEntry] = []
    waiting: list[str] = []
    for entry in context:
        if entry.role is Role.TOOL:
            if entry.tool_call_id in waiting:
                waiting.remove(entry.tool_call_id)
                out.append(entry)
            continue
        out += [ContextEntry(Role.TOOL, INTERRUPTED_RESULT, tool_call_id=i) for i in waiting]
        waiting = [call.id for call in entry.tool_calls]
        out.append(entry)
    out += [ContextEntry(Role.TOOL, INTERRUPTED_RESULT, tool_call_id=i) for i in waiting]
    return tuple(out)
