"""Tools of an `ai` run: functions of the application, included ones, and the engine's own.

Read from `SWAIG`. A tool is reached by a webhook or answered by a data map; which tools are legal
at a moment is decided in `session`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import urlsplit, urlunsplit

from mediacore.assistant.notes import (
    Notes,
    as_bool,
    as_list,
    as_map,
    as_names,
    as_text,
    join,
    read_bool,
    read_int,
)
from mediacore.assistant.words import Fillers, read_fillers

UNLIMITED = -1
HOOKS = frozenset(
    {
        "startup_hook",
        "hangup_hook",
        "check_for_input",
        "summarize_conversation",
        "get_ideal_strategy",
    }
)
"""Functions that the engine calls itself; never offered to the model, never switched off."""
PROTECTED = HOOKS | {"gather_submit"}
NAVIGATION = frozenset({"next_step", "change_context", "gather_submit"})
"""Native tools that appear by themselves when the stage allows them."""
NATIVES = frozenset({"check_time", "wait_seconds", "wait_for_user", "adjust_response_latency"})
"""Native tools that a document selects by name."""
FILLER_KEYS = NATIVES | {
    "hangup",
    "next_step",
    "change_context",
    "get_visual_input",
    "get_ideal_strategy",
}
_HOOK_NAMES = MappingProxyType({"start_hook": "startup_hook", "stop_hook": "hangup_hook"})
_KEYS = frozenset(
    {
        "function",
        "description",
        "purpose",
        "parameters",
        "argument",
        "active",
        "web_hook_url",
        "web_hook_auth_user",
        "web_hook_auth_password",
        "data_map",
        "meta_data",
        "meta_data_token",
        "fillers",
        "skip_fillers",
        "wait_for_fillers",
        "wait_file",
        "wait_file_loops",
    }
)
_SCHEMA_WORDS = frozenset({"type", "properties", "required", "$ref", "oneOf", "anyOf", "allOf"})


@dataclass(frozen=True, slots=True)
class Function:
    """One tool.

    `parameters` is a JSON schema of type object. `active` is true, false or how often it may be
    used. Functions with the same `meta_data_token` share meta_data and may switch each other.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    active: bool | int = True
    web_hook_url: str = ""
    auth: tuple[str, str] | None = None
    data_map: Mapping[str, object] | None = None
    meta_data: Mapping[str, object] = field(default_factory=dict)
    meta_data_token: str = ""
    fillers: Fillers = field(default_factory=dict)
    skip_fillers: bool = False
    wait_for_fillers: bool = False
    wait_file: str = ""
    wait_file_loops: int | None = None
    native: bool = False

    @property
    def limit(self) -> int:
        """How often it may be used: -1 without limit, 0 never."""
        if isinstance(self.active, bool):
            return UNLIMITED if self.active else 0
        return self.active


@dataclass(frozen=True, slots=True)
class Defaults:
    """Where functions without an own address are called."""

    web_hook_url: str = ""
    auth: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Include:
    """A remote list of functions, to be fetched when the run begins."""

    url: str
    functions: tuple[str, ...] = ()
    meta_data: Mapping[str, object] = field(default_factory=dict)
    auth: tuple[str, str] | None = None


def read_auth(fields: Mapping[str, object], prefix: str) -> tuple[str, str] | None:
    """Credentials from the two keys `<prefix>user` and `<prefix>password`, or None."""
    user, password = fields.get(f"{prefix}user"), fields.get(f"{prefix}password")
    if isinstance(user, str) and user:
        return user, password if isinstance(password, str) else ""
    return None


def read_defaults(raw: object, path: str, notes: Notes) -> Defaults:
    """The `SWAIG.defaults` object."""
    fields = as_map(raw, path, notes)
    known = frozenset({"web_hook_url", "web_hook_auth_user", "web_hook_auth_password"})
    notes.unknown(path, fields, known)
    url = as_text(fields.get("web_hook_url"), join(path, "web_hook_url"), notes)
    return Defaults(url, read_auth(fields, "web_hook_auth_"))


def read_functions(
    raw: object, path: str, defaults: Defaults, notes: Notes, taken: frozenset[str] = frozenset()
) -> tuple[Function, ...]:
    """The functions of a list. Of two with one name, or a name in `taken`, the first stays."""
    found: dict[str, Function] = {}
    for at, item in enumerate(as_list(raw, path, notes)):
        where = f"{path}[{at}]"
        function = _function(as_map(item, where, notes), where, defaults, notes)
        if function is None:
            continue
        if function.name in found or function.name in taken:
            notes.add(where, "duplicate", f"{function.name} is there already; not used")
        elif function.name in NAVIGATION:
            notes.add(where, "refused", f"{function.name} is a name of the engine; not used")
        else:
            found[function.name] = function
    return tuple(found.values())


def _function(
    fields: Mapping[str, object], path: str, defaults: Defaults, notes: Notes
) -> Function | None:
    name = as_text(fields.get("function"), join(path, "function"), notes).strip()
    if not name:
        notes.add(path, "missing", "has no function name; not used")
        return None
    notes.unknown(path, fields, _KEYS)
    url = as_text(fields.get("web_hook_url"), join(path, "web_hook_url"), notes)
    auth = read_auth(fields, "web_hook_auth_") or (None if url else defaults.auth)
    data_map = fields.get("data_map")
    old = "purpose" if "description" not in fields else "description"
    schema = fields.get("parameters", fields.get("argument"))
    loops = fields.get("wait_file_loops")
    function = Function(
        name=_HOOK_NAMES.get(name, name),
        description=as_text(fields.get(old), join(path, old), notes),
        parameters=read_schema(schema, join(path, "parameters"), notes),
        active=read_active(fields.get("active", True), join(path, "active"), notes),
        web_hook_url=url or defaults.web_hook_url,
        auth=auth,
        data_map=None if data_map is None else as_map(data_map, join(path, "data_map"), notes),
        meta_data=as_map(fields.get("meta_data"), join(path, "meta_data"), notes),
        fillers=read_fillers(fields.get("fillers"), join(path, "fillers"), notes),
        skip_fillers=as_bool(fields.get("skip_fillers"), join(path, "skip_fillers"), notes),
        wait_for_fillers=as_bool(
            fields.get("wait_for_fillers"), join(path, "wait_for_fillers"), notes
        ),
        wait_file=as_text(fields.get("wait_file"), join(path, "wait_file"), notes),
        wait_file_loops=None if loops is None else read_int(loops),
    )
    if not function.web_hook_url and function.data_map is None:
        notes.add(path, "missing", "has neither web_hook_url nor data_map; calls to it fail")
    token = as_text(fields.get("meta_data_token"), join(path, "meta_data_token"), notes)
    return replace(function, meta_data_token=token or default_token(function))


def default_token(function: Function) -> str:
    """The scope of a function's meta_data when none is given.

    Derived from address and credentials, without the query: applications put a token for each
    function into the query, and their functions still belong together.
    """
    if not function.web_hook_url:
        return f"function:{function.name}"
    parts = urlsplit_or_none(function.web_hook_url)
    address = function.web_hook_url if parts is None else parts
    material = "\0".join((address, *(function.auth or ())))
    return hashlib.sha256(material.encode("utf-8", "replace")).hexdigest()[:32]


def urlsplit_or_none(url: str) -> str | None:
    """`url` without query and fragment; None when it is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def read_active(value: object, path: str, notes: Notes) -> bool | int:
    """A switch: true, false, or a number of uses (negative: without limit)."""
    if isinstance(value, bool):
        return value
    count = read_int(value)
    if count is not None:
        return count if count >= 0 else True
    truth = read_bool(value)
    if truth is None:
        notes.wrong(path, "true, false or a number")
        return True
    return truth


def read_schema(raw: object, path: str, notes: Notes) -> Mapping[str, object]:
    """A schema of type object: given as one, as its properties alone, or in the old text form."""
    fields = as_map(raw, path, notes)
    if not fields:
        return {"type": "object", "properties": {}}
    if fields.get("type") == "string" and "properties" not in fields:
        return {"type": "object", "properties": {"argument": dict(fields)}}
    if not _SCHEMA_WORDS & fields.keys():
        return {"type": "object", "properties": dict(fields)}
    schema = {"properties": {}, **fields}
    schema["type"] = "object"
    if not isinstance(schema["properties"], Mapping):
        notes.wrong(join(path, "properties"), "an object")
        schema["properties"] = {}
    return schema


def read_includes(raw: object, path: str, notes: Notes) -> tuple[Include, ...]:
    """The `SWAIG.includes` list."""
    found: list[Include] = []
    for at, item in enumerate(as_list(raw, path, notes)):
        where = f"{path}[{at}]"
        fields = as_map(item, where, notes)
        url = as_text(fields.get("url"), join(where, "url"), notes)
        if not url:
            notes.add(where, "missing", "has no url; not used")
            continue
        known = frozenset({"url", "functions", "meta_data", "auth_user", "auth_password"})
        notes.unknown(where, fields, known)
        names = as_names(fields.get("functions"), join(where, "functions"), notes)
        meta_data = as_map(fields.get("meta_data"), join(where, "meta_data"), notes)
        found.append(Include(url, names, meta_data, read_auth(fields, "auth_")))
    return tuple(found)


def read_natives(raw: object, path: str, notes: Notes) -> tuple[str, ...]:
    """The native functions that a document selects; unknown names are noted."""
    chosen: list[str] = []
    for name in as_names(raw, path, notes):
        if name in NATIVES:
            chosen.append(name)
        else:
            notes.add(join(path, name), "unknown", "is not a native function; not used")
    return tuple(dict.fromkeys(chosen))
