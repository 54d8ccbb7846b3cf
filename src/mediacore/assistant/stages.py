"""Contexts and steps: the stage graph of a conversation, and which transitions it allows.

Rules: a step that names no `valid_steps` (itself or by its context) leads to the next step in
order; one that names no `valid_contexts` takes those of its context, else none; an `end` step leads
nowhere. The limits hold for the model; the application's own actions may go to any stage there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mediacore.assistant.gather import NEXT_STEP, GatherInfo, read_gather
from mediacore.assistant.limits import RequiredField, StageBudget, read_budget, read_required
from mediacore.assistant.notes import (
    Notes,
    as_bool,
    as_list,
    as_map,
    as_names,
    as_text,
    join,
    read_names,
)
from mediacore.assistant.prompt import render_pom
from mediacore.assistant.words import Fillers, read_fillers

History = Literal["keep", "default", "hide"]
NEXT = "next"
NONE = "none"
FIRST_CONTEXT = "default"
MOST_CONTEXTS = 50
MOST_STEPS = 100
_MODES: Mapping[str, History] = {"keep": "keep", "default": "default", "hide": "hide"}
_SHARED = frozenset({"valid_steps", "valid_contexts", "history", "pom", "text", "mediacore_budget"})
_CONTEXT_KEYS = _SHARED | {
    "steps",
    "initial_step",
    "isolated",
    "enter_fillers",
    "exit_fillers",
    "prompt",
    "post_prompt",
    "system_prompt",
    "user_prompt",
    "consolidate",
    "full_reset",
    "mediacore_required",
}
_STEP_KEYS = _SHARED | {
    "name",
    "step_criteria",
    "functions",
    "skip_user_turn",
    "skip_to_next_step",
    "end",
    "reset",
    "gather_info",
    "mediacore_required",
    "mediacore_closing",
    "mediacore_sensitive",
}


@dataclass(frozen=True, slots=True)
class Reset:
    """What leaving a step does to the conversation."""

    system_prompt: str = ""
    user_prompt: str = ""
    consolidate: bool = False
    full_reset: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `functions` None: those of the step before stay legal; (): none are."""

    name: str
    text: str = ""
    criteria: str = ""
    functions: tuple[str, ...] | None = None
    valid_steps: tuple[str, ...] | None = None
    valid_contexts: tuple[str, ...] | None = None
    skip_user_turn: bool = False
    skip_to_next_step: bool = False
    end: bool = False
    history: History = "default"
    reset: Reset | None = None
    gather: GatherInfo | None = None
    budget: StageBudget = field(default_factory=StageBudget)
    required: tuple[RequiredField, ...] = ()
    closing: str = ""
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """A list of steps with what holds for all of them and what happens on entry."""

    name: str
    steps: tuple[Step, ...]
    initial_step: str = ""
    text: str = ""
    system_prompt: str = ""
    user_prompt: str = ""
    post_prompt: str = ""
    isolated: bool = False
    consolidate: bool = False
    full_reset: bool = False
    valid_steps: tuple[str, ...] | None = None
    valid_contexts: tuple[str, ...] | None = None
    enter_fillers: Fillers = field(default_factory=dict)
    exit_fillers: Fillers = field(default_factory=dict)
    budget: StageBudget = field(default_factory=StageBudget)
    required: tuple[RequiredField, ...] = ()

    def step(self, name: str) -> Step | None:
        """The step of that name."""
        return next((step for step in self.steps if step.name == name), None)

    def after(self, name: str) -> str:
        """The name of the step that comes next in order; "" after the last."""
        names = [step.name for step in self.steps]
        at = names.index(name) + 1 if name in names else len(names)
        return names[at] if at < len(names) else ""

    def first(self) -> str:
        """The step to begin with."""
        return self.initial_step or self.steps[0].name

    def resolve(self, name: str, here: str) -> str:
        """The step that `name` means from step `here`, "next" included; "" when there is none."""
        if name == NEXT and self.step(NEXT) is None:
            return self.after(here)
        return name if self.step(name) is not None else ""


@dataclass(frozen=True, slots=True)
class Contexts:
    """All contexts by name, and the one to begin in."""

    items: Mapping[str, Context]
    start: str

    def step(self, context: str, step: str) -> Step | None:
        """The step, or None when there is no such context or step."""
        found = self.items.get(context)
        return None if found is None else found.step(step)

    def steps_from(self, context: str, step: str) -> tuple[str, ...]:
        """The steps that the model may go to from here, in order."""
        here = self.items.get(context)
        now = None if here is None else here.step(step)
        if here is None or now is None or now.end:
            return ()
        listed = now.valid_steps if now.valid_steps is not None else here.valid_steps
        targets = (here.resolve(name, step) for name in listed or (NEXT,))
        return tuple(dict.fromkeys(name for name in targets if name))

    def contexts_from(self, context: str, step: str) -> tuple[str, ...]:
        """The contexts that the model may go to from here, in order."""
        here = self.items.get(context)
        if here is None:
            return ()
        now = here.step(step)
        if now is not None and now.end:
            return ()
        own = None if now is None else now.valid_contexts
        listed = own if own is not None else here.valid_contexts
        return tuple(dict.fromkeys(name for name in listed or () if name in self.items))


def read_contexts(raw: object, path: str, style: str, notes: Notes) -> Contexts | None:
    """The contexts of a prompt; None when there are none that have a step."""
    if raw is None:
        return None
    found: dict[str, Context] = {}
    for name, value in as_map(raw, path, notes).items():
        where = join(path, name)
        if len(found) == MOST_CONTEXTS:
            notes.add(where, "refused", f"is more than {MOST_CONTEXTS} contexts; not used")
            continue
        context = _context(name, as_map(value, where, notes), where, style, notes)
        if context is not None:
            found[name] = context
    if not found:
        notes.add(path, "missing", "has no context with a step; not used")
        return None
    start = FIRST_CONTEXT if FIRST_CONTEXT in found else next(iter(found))
    for context in found.values():
        _check_links(context, frozenset(found), join(path, context.name), notes)
    return Contexts(found, start)


def _context(
    name: str, fields: Mapping[str, object], path: str, style: str, notes: Notes
) -> Context | None:
    found: dict[str, Step] = {}
    history = _history(fields, path, "default", notes)
    for at, item in enumerate(as_list(fields.get("steps"), join(path, "steps"), notes)):
        where = f"{path}.steps[{at}]"
        step = _step(as_map(item, where, notes), where, style, history, notes)
        if step is None:
            continue
        if step.name in found or len(found) == MOST_STEPS:
            notes.add(where, "duplicate", "is a second step of that name or one too many; not used")
        else:
            found[step.name] = step
    if not found:
        notes.add(path, "missing", "has no steps; not used")
        return None
    notes.unknown(path, fields, _CONTEXT_KEYS)
    initial = as_text(fields.get("initial_step"), join(path, "initial_step"), notes)
    if initial and initial not in found:
        notes.add(join(path, "initial_step"), "missing", "is not a step; the first one is taken")
        initial = ""

    def text(key: str) -> str:
        return as_text(fields.get(key), join(path, key), notes)

    def flag(key: str) -> bool:
        return as_bool(fields.get(key), join(path, key), notes)

    return Context(
        name=name,
        steps=tuple(found.values()),
        initial_step=initial,
        text=_text(fields, path, style, notes),
        system_prompt=text("system_prompt"),
        user_prompt=text("user_prompt"),
        post_prompt=text("post_prompt"),
        isolated=flag("isolated"),
        consolidate=flag("consolidate"),
        full_reset=flag("full_reset"),
        valid_steps=_optional(fields, "valid_steps", path, notes),
        valid_contexts=_optional(fields, "valid_contexts", path, notes),
        enter_fillers=read_fillers(fields.get("enter_fillers"), join(path, "enter_fillers"), notes),
        exit_fillers=read_fillers(fields.get("exit_fillers"), join(path, "exit_fillers"), notes),
        budget=read_budget(fields, path, notes),
        required=read_required(fields, path, notes),
    )


def _step(
    fields: Mapping[str, object], path: str, style: str, history: History, notes: Notes
) -> Step | None:
    name = as_text(fields.get("name"), join(path, "name"), notes).strip()
    if not name or name == NEXT:
        notes.add(path, "missing", "needs a name other than next; not used")
        return None
    notes.unknown(path, fields, _STEP_KEYS)

    def flag(key: str) -> bool:
        return as_bool(fields.get(key), join(path, key), notes)

    return Step(
        name=name,
        text=_text(fields, path, style, notes),
        criteria=as_text(fields.get("step_criteria"), join(path, "step_criteria"), notes),
        functions=_functions(fields, path, notes),
        valid_steps=_optional(fields, "valid_steps", path, notes),
        valid_contexts=_optional(fields, "valid_contexts", path, notes),
        skip_user_turn=flag("skip_user_turn"),
        skip_to_next_step=flag("skip_to_next_step"),
        end=flag("end"),
        history=_history(fields, path, history, notes),
        reset=_reset(fields.get("reset"), join(path, "reset"), notes),
        gather=read_gather(fields.get("gather_info"), join(path, "gather_info"), notes),
        budget=read_budget(fields, path, notes),
        required=read_required(fields, path, notes),
        closing=as_text(fields.get("mediacore_closing"), join(path, "mediacore_closing"), notes),
        sensitive=flag("mediacore_sensitive"),
    )


def _text(fields: Mapping[str, object], path: str, style: str, notes: Notes) -> str:
    parts = [as_text(fields.get(key), join(path, key), notes) for key in ("text", "prompt")]
    parts.append(render_pom(fields.get("pom"), style, join(path, "pom"), notes))
    return "\n\n".join(part for part in parts if part)


def _history(fields: Mapping[str, object], path: str, default: History, notes: Notes) -> History:
    value = fields.get("history")
    if value is None:
        return default
    mode = _MODES.get(value) if isinstance(value, str) else None
    if mode is None:
        notes.wrong(join(path, "history"), "keep, default or hide")
    return mode or default


def _functions(fields: Mapping[str, object], path: str, notes: Notes) -> tuple[str, ...] | None:
    value = fields.get("functions")
    if value is None:
        return None
    names = read_names(value)
    if names is None:
        # Without a usable list the strict reading is taken: a lock that cannot be read stays shut.
        notes.add(join(path, "functions"), "wrong_type", "is not a list; no function is legal")
        return ()
    return () if names == (NONE,) else names


def _optional(
    fields: Mapping[str, object], key: str, path: str, notes: Notes
) -> tuple[str, ...] | None:
    return None if fields.get(key) is None else as_names(fields[key], join(path, key), notes)


def _reset(raw: object, path: str, notes: Notes) -> Reset | None:
    if raw is None:
        return None
    fields = as_map(raw, path, notes)
    known = frozenset({"system_prompt", "user_prompt", "consolidate", "full_reset"})
    notes.unknown(path, fields, known)
    return Reset(
        as_text(fields.get("system_prompt"), join(path, "system_prompt"), notes),
        as_text(fields.get("user_prompt"), join(path, "user_prompt"), notes),
        as_bool(fields.get("consolidate"), join(path, "consolidate"), notes),
        as_bool(fields.get("full_reset"), join(path, "full_reset"), notes),
    )


def _check_links(context: Context, contexts: frozenset[str], path: str, notes: Notes) -> None:
    def missing(where: str, name: str, what: str) -> None:
        notes.add(where, "missing", f"names {name}, which is not a {what} here")

    for name in context.valid_contexts or ():
        if name not in contexts:
            missing(join(path, "valid_contexts"), name, "context")
    for step in context.steps:
        where = join(path, step.name)
        for name in step.valid_steps or ():
            if name != NEXT and context.step(name) is None:
                missing(join(where, "valid_steps"), name, "step")
        for name in step.valid_contexts or ():
            if name not in contexts:
                missing(join(where, "valid_contexts"), name, "context")
        action = "" if step.gather is None else step.gather.completion_action
        target = context.after(step.name) if action == NEXT_STEP else action
        if action and context.step(target) is None:
            missing(join(where, "gather_info.completion_action"), action, "step")
