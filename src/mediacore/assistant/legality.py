"""Which tools the model may use now, and whether one call of it is legal.

The same rules build the list that the model is given and check what it does: a model that calls a
tool that was not offered is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mediacore.assistant.functions import HOOKS, NATIVES, NAVIGATION
from mediacore.assistant.gather import submit_schema
from mediacore.assistant.hidden import expand_visible
from mediacore.assistant.schema import problem
from mediacore.assistant.session import AiSession, call_key, legal_contexts, legal_steps

REPEATED = 3
CONSECUTIVE = (12, 24, 100)
"""Tool calls in a row without a turn of the caller, by `back_to_back_functions`."""
_DESCRIPTIONS: Mapping[str, str] = {
    "next_step": "Go on to the named step once the current one is done.",
    "change_context": "Move the conversation to another context.",
    "gather_submit": "Hand in the caller's answer to the current question.",
    "check_time": "Tell the current date and time.",
    "wait_seconds": "Say nothing for some seconds.",
    "wait_for_user": "Stop talking until the caller speaks.",
    "adjust_response_latency": "Answer sooner or later after the caller stops speaking.",
}
_SCHEMAS: Mapping[str, Mapping[str, object]] = {
    "check_time": {
        "type": "object",
        "properties": {"timezone": {"type": "string", "description": "IANA name, if asked for"}},
    },
    "wait_seconds": {
        "type": "object",
        "properties": {"seconds": {"type": "integer", "minimum": 1, "maximum": 60}},
        "required": ["seconds"],
    },
    "wait_for_user": {"type": "object", "properties": {}},
    "adjust_response_latency": {
        "type": "object",
        "properties": {"direction": {"type": "string", "enum": ["faster", "slower"]}},
        "required": ["direction"],
    },
}


@dataclass(frozen=True, slots=True)
class ToolView:
    """One tool as the model sees it."""

    name: str
    description: str
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a tool call is not made.

    `code`: unknown_tool, not_in_step, inactive, locked_by_gather, bad_arguments, loop or
    transition_refused. `error_reason`: the public reason, invalid_function or invalid_params.
    `text`: what the model is told as the tool's result.
    """

    code: str
    error_reason: str
    text: str


def tools(session: AiSession) -> tuple[ToolView, ...]:
    """The tools to offer for the next answer, in order of declaration, the engine's own last."""
    natives = [
        _native(name, _SCHEMAS[name])
        for name in session.config.native_functions
        if not _closed(session, name)
    ]
    question = session.question()
    if question is not None:
        natives.append(_native("gather_submit", submit_schema(question)))
    steps, contexts = legal_steps(session), legal_contexts(session)
    if steps:
        natives.append(_native("next_step", _choice("step", steps)))
    if contexts:
        natives.append(_native("change_context", _choice("context", contexts)))
    declared = (
        ToolView(item.name, expand_visible(item.description, session.visible).text, item.parameters)
        for item in session.functions
        if not _closed(session, item.name)
    )
    return (*declared, *natives)


def _native(name: str, schema: Mapping[str, object]) -> ToolView:
    return ToolView(name, _DESCRIPTIONS[name], schema)


def _choice(key: str, names: tuple[str, ...]) -> Mapping[str, object]:
    required = [key] if len(names) > 1 else []
    return {
        "type": "object",
        "properties": {key: {"type": "string", "enum": list(names)}},
        "required": required,
    }


def _closed(session: AiSession, name: str) -> str:
    """The code of the rule that closes a declared or selected tool now; "" when it is open."""
    function = session.function(name)
    if name in HOOKS or (function is None and name not in session.config.native_functions):
        return "unknown_tool"
    question = session.question()
    if question is not None:
        if name not in question.functions:
            return "locked_by_gather"
    elif session.allowed is not None and name not in session.allowed:
        return "not_in_step"
    if function is not None and session.uses_left(function) == 0:
        return "inactive"
    return ""


def may_call(session: AiSession, name: str, arguments: object) -> Refusal | None:
    """Whether the model may make this call now; None when it may. Changes nothing.

    Whether a transition leads somewhere legal is decided by `call_native`, which also logs it.
    """
    code = _navigation_closed(session, name) if name in NAVIGATION else _closed(session, name)
    if code:
        return _refused(session, code)
    if not isinstance(arguments, Mapping):
        return Refusal("bad_arguments", "invalid_params", "The arguments must be an object.")
    wrong = _bad_arguments(session, name, arguments)
    if wrong:
        text = f"The arguments do not fit: {wrong}."
        return Refusal("bad_arguments", "invalid_params", text)
    if _loops(session, name, arguments):
        text = "This was done too often in a row. Talk to the caller before using tools again."
        return Refusal("loop", "invalid_function", text)
    return None


def _navigation_closed(session: AiSession, name: str) -> str:
    if session.question() is not None:
        return "" if name == "gather_submit" else "locked_by_gather"
    if name == "next_step":
        return "" if legal_steps(session) else "not_in_step"
    if name == "change_context":
        return "" if legal_contexts(session) else "not_in_step"
    return "not_in_step"


def _refused(session: AiSession, code: str) -> Refusal:
    if code == "locked_by_gather":
        return Refusal(code, "invalid_function", "Ask the current question first.")
    names = ", ".join(tool.name for tool in tools(session)) or "none"
    what = "There is no such tool." if code == "unknown_tool" else "That tool is not open now."
    return Refusal(code, "invalid_function", f"{what} Open tools: {names}.")


def _bad_arguments(session: AiSession, name: str, arguments: Mapping[object, object]) -> str:
    if name in NAVIGATION:
        return ""
    function = session.function(name)
    if function is None:
        return problem(arguments, _SCHEMAS[name]) if name in NATIVES else ""
    return problem(arguments, function.parameters)


def _loops(session: AiSession, name: str, arguments: Mapping[object, object]) -> bool:
    if len(session.calls) >= CONSECUTIVE[min(session.back_to_back, len(CONSECUTIVE) - 1)]:
        return True
    key = call_key(name, {str(item): value for item, value in arguments.items()})
    return name != "gather_submit" and session.calls.count(key) >= REPEATED
