"""Actions that a tool returns, read from JSON into checked values.

The names are those of the published action list (SDK 3.7.5) with `SWML` and `change_voice`.
Reading never raises: what makes no sense is left out with a note.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mediacore.assistant.functions import read_active
from mediacore.assistant.notes import (
    Notes,
    ParamNote,
    as_map,
    is_list,
    join,
    read_bool,
    read_float,
    read_int,
    read_names,
    read_text,
)
from mediacore.assistant.orders import Hold, PlayBackground, TransferTo, WaitForUser
from mediacore.assistant.params import PARAMS, ParamSpec, read_value
from mediacore.assistant.prompt import KNOBS, render_pom
from mediacore.assistant.times import HOLD_SECONDS, hold_seconds
from mediacore.assistant.words import Hint, read_hints

MOST_ACTIONS = 100
_FOREVER = 2


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action: its class, the form of its value, and whether it has an effect here."""

    name: str
    group: str
    form: str
    state: Literal["supported", "ignored"] = "supported"
    note: str = ""


@dataclass(frozen=True, slots=True)
class AiAction:
    """One action with its checked value. `transfer` belongs to `SWML`: leave the `ai` method."""

    name: str
    value: object = None
    transfer: bool = False


@dataclass(frozen=True, slots=True)
class Toggle:
    """Switch functions: `active` is true, false or a number of uses."""

    names: tuple[str, ...]
    active: bool | int


@dataclass(frozen=True, slots=True)
class Switch:
    """A new prompt for the conversation."""

    system_prompt: str = ""
    user_prompt: str = ""
    consolidate: bool = False
    full_reset: bool = False


def _specs(*rows: tuple[str, str, str]) -> tuple[ActionSpec, ...]:
    return tuple(ActionSpec(*row) for row in rows)


ACTIONS: Mapping[str, ActionSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            *_specs(
                ("SWML", "document", "document; beside it transfer true: leave the agent"),
                ("transfer", "document", "address, or {dest, summarize}"),
                ("hangup", "call", "true"),
                ("stop", "call", "true"),
                ("hold", "call", "seconds, 5m, 1:30, or {timeout, step, timeout_step}"),
                ("say", "call", "text"),
                ("playback_bg", "call", "URL, or {file, wait}"),
                ("stop_playback_bg", "call", "true"),
                ("user_event", "call", "object"),
                ("change_step", "conversation", "name of a step, or next"),
                ("change_context", "conversation", "name of a context"),
                (
                    "context_switch",
                    "conversation",
                    "text, or {system_prompt, user_prompt, system_pom, user_pom, consolidate, "
                    "full_reset}",
                ),
                ("user_input", "conversation", "text"),
                ("replace_in_history", "conversation", "text, or true"),
                ("wait_for_user", "conversation", "true, a number, or answer_first"),
                ("back_to_back_functions", "conversation", "true, or forever"),
                ("change_voice", "conversation", "engine.voice"),
                ("set_global_data", "data", "object; needs swaig_set_global_data"),
                ("unset_global_data", "data", "key or keys; needs swaig_set_global_data"),
                ("set_meta_data", "data", "object"),
                ("unset_meta_data", "data", "key or keys"),
                ("toggle_functions", "tools", "[{function, active}]"),
                ("functions_on_speaker_timeout", "tools", "true or false"),
                ("end_of_speech_timeout", "tuning", "milliseconds"),
                ("speech_event_timeout", "tuning", "milliseconds"),
                ("settings", "tuning", "object; needs swaig_allow_settings"),
                ("add_dynamic_hints", "tuning", "[text or {hint, pattern, replace, ignore_case}]"),
                ("clear_dynamic_hints", "tuning", "true or {}"),
            ),
            ActionSpec(
                "extensive_data", "data", "true or false", "ignored", "results are kept as they are"
            ),
        )
    }
)
"""All actions by name."""


def read_actions(raw: object) -> tuple[tuple[AiAction, ...], tuple[ParamNote, ...]]:
    """The actions of a reply, in order: an object, or an array of objects. Never raises."""
    notes = Notes()
    if raw is None:
        return (), ()
    items: Sequence[object] = raw if is_list(raw) else (raw,)
    actions: list[AiAction] = []
    for at, item in enumerate(items):
        path = f"action[{at}]" if is_list(raw) else "action"
        for name, value in _entries(item, path, notes):
            if len(actions) == MOST_ACTIONS:
                notes.add(path, "refused", f"is more than {MOST_ACTIONS} actions; not executed")
                return tuple(actions), notes.freeze()
            action = _action(name, value, item, path, notes)
            if action is not None:
                actions.append(action)
    return tuple(actions), notes.freeze()


def _entries(item: object, path: str, notes: Notes) -> Sequence[tuple[str, object]]:
    if isinstance(item, str):
        return ((item, True),)
    entries = as_map(item, path, notes)
    with_document = "SWML" in entries
    return [
        (name, value)
        for name, value in entries.items()
        if not (with_document and name == "transfer")
    ]


def _action(name: str, value: object, item: object, path: str, notes: Notes) -> AiAction | None:
    where = join(path, name)
    reader = _READERS.get(name)
    if reader is None:
        notes.add(where, "unknown", "is not a known action; not executed")
        return None
    read = reader(value, where, notes)
    if read is None:
        return None
    leave = isinstance(item, Mapping) and read_bool(item.get("transfer")) is True
    return AiAction(name, read, name == "SWML" and leave)


def _switch(value: object, path: str, notes: Notes) -> object:
    # Any value but a plain no asks for the action: true, {} and null are all in use.
    if value is False or read_bool(value) is False:
        notes.add(path, "refused", "is false; not executed")
        return None
    return True


def _words(value: object, path: str, notes: Notes) -> object:
    text = read_text(value)
    if text is None or not text.strip():
        notes.wrong(path, "text")
        return None
    return text


def _flag(value: object, path: str, notes: Notes) -> object:
    truth = read_bool(value)
    if truth is None:
        notes.wrong(path, "true or false")
    return truth


def _object(value: object, path: str, notes: Notes) -> object:
    if not isinstance(value, Mapping):
        notes.wrong(path, "an object")
        return None
    return as_map(value, path, notes)


def _names(value: object, path: str, notes: Notes) -> object:
    names = read_names(value)
    if not names:
        notes.wrong(path, "a key or a list of keys")
        return None
    return names


def _document(value: object, path: str, notes: Notes) -> object:
    if isinstance(value, str) and value.strip():
        return value
    return _object(value, path, notes)


def _transfer(value: object, path: str, notes: Notes) -> object:
    if isinstance(value, str) and value.strip():
        return TransferTo(value)
    fields = as_map(value, path, notes)
    dest = fields.get("dest")
    if not isinstance(dest, str | Mapping) or not dest:
        notes.add(path, "missing", "has no dest; not executed")
        return None
    return TransferTo(dest, read_bool(fields.get("summarize")) is True)


def _hold(value: object, path: str, notes: Notes) -> object:
    if isinstance(value, Mapping):
        seconds = hold_seconds(value.get("timeout", HOLD_SECONDS), path, notes)
        step, timeout_step = value.get("step"), value.get("timeout_step")
        return Hold(
            seconds,
            step if isinstance(step, str) else "",
            timeout_step if isinstance(timeout_step, str) else "",
        )
    if value is False:
        return _switch(value, path, notes)
    if value is True or value is None:
        return Hold(HOLD_SECONDS)
    return Hold(hold_seconds(value, path, notes))


def _background(value: object, path: str, notes: Notes) -> object:
    if isinstance(value, str) and value.strip():
        return PlayBackground(value)
    fields = as_map(value, path, notes)
    file = fields.get("file")
    if not isinstance(file, str) or not file.strip():
        notes.add(path, "missing", "has no file; not executed")
        return None
    return PlayBackground(file, read_bool(fields.get("wait")) is True)


def _context_switch(value: object, path: str, notes: Notes) -> object:
    if isinstance(value, str) and value.strip():
        return Switch(value)
    fields = as_map(value, path, notes)

    def text(kind: str) -> str:
        given = fields.get(f"{kind}_prompt")
        pom = render_pom(fields.get(f"{kind}_pom"), "markdown", join(path, f"{kind}_pom"), notes)
        parts = (given if isinstance(given, str) else "", pom)
        return "\n\n".join(part for part in parts if part)

    switch = Switch(
        text("system"),
        text("user"),
        read_bool(fields.get("consolidate")) is True,
        read_bool(fields.get("full_reset")) is True,
    )
    if switch == Switch():
        notes.add(path, "missing", "has nothing to switch to; not executed")
        return None
    return switch


def _replace(value: object, path: str, notes: Notes) -> object:
    if value is True or (isinstance(value, str) and value):
        return value
    return _switch(False, path, notes)


def _wait(value: object, path: str, notes: Notes) -> object:
    if value == "answer_first":
        return WaitForUser(answer_first=True)
    if isinstance(value, bool) or read_int(value) is None:
        truth = read_bool(value)
        if truth is None:
            notes.wrong(path, "true, false, a number or answer_first")
            return None
        return WaitForUser(truth)
    count = read_int(value) or 0
    return WaitForUser(count > 0, max(count, 0))


def _back_to_back(value: object, path: str, notes: Notes) -> object:
    if value == "forever":
        return _FOREVER
    number = read_int(value)
    if number is not None and 0 <= number <= _FOREVER:
        return number
    truth = _flag(value, path, notes)
    return None if truth is None else int(truth is True)


def _toggles(value: object, path: str, notes: Notes) -> object:
    found: list[Toggle] = []
    items: Sequence[object] = value if is_list(value) else (value,)
    for at, item in enumerate(items):
        where = f"{path}[{at}]"
        fields = as_map(item, where, notes)
        names = read_names(fields.get("function"))
        if not names:
            notes.add(where, "missing", "names no function; not executed")
            continue
        found.append(Toggle(names, read_active(fields.get("active", True), where, notes)))
    return tuple(found) or None


def _tuned(name: str) -> Callable[[object, str, Notes], object]:
    spec = PARAMS[name]

    def read(value: object, path: str, notes: Notes) -> object:
        number = read_float(value)
        if number is not None and number <= 0:
            notes.add(path, "refused", "must be more than 0; not executed")
            return None
        return read_value(spec, value, path, notes)

    return read


def _settings(value: object, path: str, notes: Notes) -> object:
    found: dict[str, object] = {}
    for key, item in as_map(value, path, notes).items():
        name = key.replace("-", "_")
        spec: ParamSpec | None = KNOBS.get(name) or PARAMS.get(name)
        where = join(path, key)
        if spec is None:
            notes.add(where, "unknown", "is not a known setting; not used")
        elif spec.state == "ignored":
            notes.add(where, "ignored", f"has no effect: {spec.note}")
        elif name.startswith("swaig_"):
            notes.add(where, "refused", "a tool may not change what tools may do; not used")
        else:
            typed = read_value(spec, item, where, notes)
            if typed is not None:
                found[name] = typed
    return found or None


def _hints(value: object, path: str, notes: Notes) -> object:
    hints: tuple[Hint, ...] = read_hints(value, path, notes)
    return hints or None


_READERS: Mapping[str, Callable[[object, str, Notes], object]] = MappingProxyType(
    {
        "SWML": _document,
        "transfer": _transfer,
        "hangup": _switch,
        "stop": _switch,
        "hold": _hold,
        "say": _words,
        "playback_bg": _background,
        "stop_playback_bg": _switch,
        "user_event": _object,
        "change_step": _words,
        "change_context": _words,
        "context_switch": _context_switch,
        "user_input": _words,
        "replace_in_history": _replace,
        "wait_for_user": _wait,
        "back_to_back_functions": _back_to_back,
        "change_voice": _words,
        "set_global_data": _object,
        "unset_global_data": _names,
        "set_meta_data": _object,
        "unset_meta_data": _names,
        "extensive_data": _flag,
        "toggle_functions": _toggles,
        "functions_on_speaker_timeout": _flag,
        "end_of_speech_timeout": _tuned("end_of_speech_timeout"),
        "speech_event_timeout": _tuned("speech_event_timeout"),
        "settings": _settings,
        "add_dynamic_hints": _hints,
        "clear_dynamic_hints": _switch,
    }
)
