"""What goes to a tool's webhook and what comes back.

Field names are those of the published webhook payload (SDK 3.7.5). Hidden data goes out here and
only here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mediacore.assistant.actions import AiAction, read_actions
from mediacore.assistant.functions import (
    Function,
    Include,
    default_token,
    read_functions,
)
from mediacore.assistant.hidden import expand_visible
from mediacore.assistant.notes import Notes, ParamNote, is_list, read_bool, read_names, read_text
from mediacore.assistant.session import AiSession, initial_meta_data, noted

NO_OUTPUT = "The tool gave no result. Tell the caller that this did not work."
LONGEST_TEXT = 32_768
CONTENT = "text/swaig"
DISPOSITION = "SWAIG Function"
VERSION = "2.0"


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What the engine knows of the call when a tool is called. None: left out of the body."""

    call_id: str
    ai_session_id: str = ""
    project_id: str = ""
    space_id: str = ""
    caller_id_name: str = ""
    caller_id_num: str = ""
    channel_active: bool = True
    channel_offhook: bool = True
    channel_ready: bool = True
    swml_vars: Mapping[str, object] = field(default_factory=dict)
    swml_call: Mapping[str, object] = field(default_factory=dict)
    call_log: Sequence[object] = ()
    raw_call_log: Sequence[object] = ()
    fatal_error: bool = False
    error_reason: str = ""


@dataclass(frozen=True, slots=True)
class ToolReply:
    """A tool's reply. `response` is data for the model, `tool_prompt` what it should do next.

    `post_process`: the actions wait until the agent has spoken once more. `failed`: there was
    nothing usable, and `response` is the fixed error text.
    """

    response: str
    tool_prompt: str = ""
    actions: tuple[AiAction, ...] = ()
    post_process: bool = False
    failed: bool = False
    notes: tuple[ParamNote, ...] = ()


def read_reply(body: object) -> ToolReply:
    """A reply from the JSON body of a webhook or the output of a data map. Never raises.

    Text alone is taken as the response. A reply without response but with actions is empty, not
    failed.
    """
    notes = Notes()
    if isinstance(body, str):
        body = {"response": body}
    if not isinstance(body, Mapping):
        notes.wrong("reply", "an object")
        return ToolReply(NO_OUTPUT, failed=True, notes=notes.freeze())
    known = frozenset({"response", "action", "actions", "post_process"})
    notes.unknown("reply", {str(key): value for key, value in body.items()}, known)
    response, prompt = _response(body.get("response"), notes)
    actions, found = read_actions(body.get("action", body.get("actions")))
    notes.extend(found)
    failed = not response and not prompt and not actions
    return ToolReply(
        NO_OUTPUT if failed else response,
        prompt,
        actions,
        read_bool(body.get("post_process")) is True,
        failed,
        notes.freeze(),
    )


def _response(raw: object, notes: Notes) -> tuple[str, str]:
    if isinstance(raw, Mapping) and {"tool_result", "tool_prompt"} & raw.keys():
        result = _flat(raw.get("tool_result"), "response.tool_result", notes)
        return result, _flat(raw.get("tool_prompt"), "response.tool_prompt", notes)
    return _flat(raw, "response", notes), ""


def _flat(raw: object, path: str, notes: Notes) -> str:
    if raw is None:
        return ""
    text = read_text(raw)
    if text is None:
        text = _written(raw, path, notes)
    if len(text) > LONGEST_TEXT:
        notes.add(path, "clamped", f"is longer than {LONGEST_TEXT} characters; the rest is cut")
    return text[:LONGEST_TEXT]


def _written(raw: object, path: str, notes: Notes) -> str:
    try:
        return json.dumps(raw, ensure_ascii=False, default=str)
    except (ValueError, TypeError, RecursionError):
        notes.wrong(path, "text")
        return ""


def result_text(session: AiSession, reply: ToolReply) -> str:
    """What the model is given as the tool's result, as one JSON object marked as data.

    A result that reads like an instruction stays data; the application's own instruction stands in
    its own field. Placeholders for hidden data are empty.
    """
    fields = {"tool_result": expand_visible(reply.response, session.visible).text}
    if reply.tool_prompt:
        fields["tool_prompt"] = expand_visible(reply.tool_prompt, session.visible).text
    return json.dumps(fields, ensure_ascii=False)


def parse_arguments(raw: str) -> list[object]:
    """The argument objects in what the model wrote; [] when it is no JSON."""
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        return []
    if is_list(parsed):
        return list(parsed)
    return [parsed] if isinstance(parsed, Mapping) else []


def request_body(
    session: AiSession, function: Function, arguments_raw: str, facts: CallFacts
) -> dict[str, object]:
    """The body that is posted to a tool's webhook."""
    body: dict[str, object] = {
        "function": function.name,
        "argument": {"parsed": parse_arguments(arguments_raw), "raw": arguments_raw},
        "argument_desc": dict(function.parameters),
        "description": function.description,
        "call_id": facts.call_id,
        "ai_session_id": facts.ai_session_id,
        "app_name": session.param("app_name"),
        "global_data": dict(session.global_data),
        "meta_data_token": function.meta_data_token,
        "meta_data": dict(session.meta_data.get(function.meta_data_token, {})),
        "caller_id_name": facts.caller_id_name,
        "caller_id_num": facts.caller_id_num,
        "channel_active": facts.channel_active,
        "channel_offhook": facts.channel_offhook,
        "channel_ready": facts.channel_ready,
        "content_type": CONTENT,
        "content_disposition": DISPOSITION,
        "version": VERSION,
        "conversation_type": "voice",
        "project_id": facts.project_id,
        "space_id": facts.space_id,
    }
    if session.param("conversation_id"):
        body["conversation_id"] = session.param("conversation_id")
    if session.param("swaig_post_conversation") is True:
        body["call_log"] = list(facts.call_log)
        body["raw_call_log"] = list(facts.raw_call_log)
    body.update(_variables(session.param("swaig_post_swml_vars"), facts))
    if facts.fatal_error:
        body["fatal_error"] = True
        body["error_reason"] = facts.error_reason
    return body


def _variables(wanted: object, facts: CallFacts) -> dict[str, object]:
    if read_bool(wanted) is True:
        return {"SWMLVars": dict(facts.swml_vars), "SWMLCall": dict(facts.swml_call)}
    names = () if isinstance(wanted, bool) else read_names(wanted) or ()
    if not names:
        return {}
    plain = {name.removeprefix("vars.") for name in names}
    chosen = {name: value for name, value in facts.swml_vars.items() if name in plain}
    return {"SWMLVars": chosen, "SWMLCall": dict(facts.swml_call)}


def signature_request(include: Include) -> dict[str, object]:
    """The body that asks a remote address for the functions of an include."""
    return {
        "action": "get_signature",
        "functions": list(include.functions),
        "meta_data": dict(include.meta_data),
        "content_type": CONTENT,
        "content_disposition": "function signature request",
        "version": VERSION,
    }


def add_included(
    session: AiSession, include: Include, reply: object
) -> tuple[AiSession, tuple[ParamNote, ...]]:
    """Register the functions that an include gave: a list, or an object with `functions`.

    Only functions that the include names are taken, all when it names none. They are called at the
    include's address unless they bring their own.
    """
    notes = Notes()
    raw = reply.get("functions") if isinstance(reply, Mapping) else reply
    items = raw if is_list(raw) else (raw,)
    taken = frozenset(item.name for item in session.functions) | frozenset(
        session.config.native_functions
    )
    found = read_functions(items, f"include {include.url}", session.config.defaults, notes, taken)
    wanted = tuple(
        _included(item, include, session)
        for item in found
        if not include.functions or item.name in include.functions
    )
    for name in set(include.functions) - {item.name for item in wanted} - taken:
        notes.add(f"include {include.url}", "missing", f"gave no function {name}")
    meta_data = initial_meta_data(wanted, session.meta_data)
    session = replace(session, functions=(*session.functions, *wanted), meta_data=meta_data)
    return noted(session, "functions_included", count=len(wanted)), notes.freeze()


def _included(item: Function, include: Include, session: AiSession) -> Function:
    default = session.config.defaults.web_hook_url
    own = item.web_hook_url and item.web_hook_url != default
    placed = item if own else replace(item, web_hook_url=include.url, auth=include.auth)
    derived = item.meta_data_token == default_token(item)
    token = default_token(placed) if derived else item.meta_data_token
    meta_data = {**include.meta_data, **item.meta_data}
    return replace(placed, meta_data=meta_data, meta_data_token=token)
