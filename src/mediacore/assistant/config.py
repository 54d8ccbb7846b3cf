"""The parameters of one `ai` method, read into values.

`read_config` is lenient: what is odd is noted and replaced, so that the published examples all
run. Only parameters that cannot be run at all raise `AiError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mediacore.assistant.functions import (
    FILLER_KEYS,
    NATIVES,
    Defaults,
    Function,
    Include,
    read_auth,
    read_defaults,
    read_functions,
    read_includes,
    read_natives,
)
from mediacore.assistant.hidden import is_hidden, placeholders
from mediacore.assistant.limits import RequiredField, StageBudget, read_budget, read_required
from mediacore.assistant.notes import (
    AiError,
    Notes,
    ParamNote,
    as_list,
    as_map,
    as_text,
    join,
)
from mediacore.assistant.params import PARAMS, read_params
from mediacore.assistant.prompt import KNOBS, Prompt, read_knobs, read_prompt
from mediacore.assistant.stages import Contexts, read_contexts
from mediacore.assistant.words import (
    Fillers,
    Hint,
    Pronounce,
    read_fillers,
    read_hints,
    read_pronounce,
)

_KEYS = frozenset(
    {
        "prompt",
        "post_prompt",
        "post_prompt_url",
        "post_prompt_auth_user",
        "post_prompt_auth_password",
        "global_data",
        "hints",
        "languages",
        "multilingual",
        "pronounce",
        "params",
        "SWAIG",
    }
)
_SWAIG_KEYS = frozenset(
    {"functions", "defaults", "native_functions", "includes", "internal_fillers", "mcp_servers"}
)
_LANGUAGE_KEYS = frozenset(
    {"name", "code", "voice", "engine", "model", "params"}
    | {"fillers", "speech_fillers", "function_fillers", "emotion", "speed"}
)


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the agent. `voice` is as written: `engine.voice` or `engine.voice:model`."""

    name: str
    code: str
    voice: str = ""
    engine: str = ""
    model: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    speech_fillers: tuple[str, ...] = ()
    function_fillers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AiConfig:
    """Everything that one `ai` method says. `params` holds only what was given; see `param`."""

    prompt: Prompt
    post_prompt: Prompt | None = None
    post_prompt_url: str = ""
    post_prompt_auth: tuple[str, str] | None = None
    global_data: Mapping[str, object] = field(default_factory=dict)
    hints: tuple[Hint, ...] = ()
    languages: tuple[Language, ...] = ()
    pronounce: tuple[Pronounce, ...] = ()
    params: Mapping[str, object] = field(default_factory=dict)
    functions: tuple[Function, ...] = ()
    includes: tuple[Include, ...] = ()
    native_functions: tuple[str, ...] = ()
    internal_fillers: Mapping[str, Fillers] = field(default_factory=dict)
    contexts: Contexts | None = None
    defaults: Defaults = field(default_factory=Defaults)
    budget: StageBudget = field(default_factory=StageBudget)
    required: tuple[RequiredField, ...] = ()
    closing: str = ""
    notes: tuple[ParamNote, ...] = ()

    def param(self, name: str) -> object:
        """The parameter as given, or its published default. KeyError for an unknown name."""
        return self.params[name] if name in self.params else PARAMS[name].default

    def function(self, name: str) -> Function | None:
        """The declared function of that name."""
        return next((item for item in self.functions if item.name == name), None)


def read_config(params: Mapping[str, object]) -> AiConfig:
    """Read the value of an `ai` method.

    Raises `AiError`: `ai_not_an_object`, or `ai_prompt_missing` when there is neither prompt text
    nor a step with text.
    """
    if not isinstance(params, Mapping):
        raise AiError("ai_not_an_object", "ai", "must be an object")
    notes = Notes()
    fields = as_map(params, "ai", notes)
    notes.unknown("", fields, _KEYS)
    raw_params = as_map(fields.get("params"), "params", notes)
    values, found = read_params({k: v for k, v in raw_params.items() if k not in KNOBS})
    notes.extend(found)
    style = str(values.get("pom_format", "markdown"))
    prompt = _with_moved_knobs(
        read_prompt(fields.get("prompt"), "prompt", style, notes, frozenset({"contexts"})),
        raw_params,
        notes,
    )
    contexts = _contexts(fields.get("prompt"), style, notes)
    if not prompt.text.strip() and contexts is None:
        raise AiError("ai_prompt_missing", "prompt", "has no text, pom or contexts")
    swaig = as_map(fields.get("SWAIG"), "SWAIG", notes)
    notes.unknown("SWAIG", swaig, _SWAIG_KEYS)
    _ignored(swaig, "mcp_servers", "offer the tools as functions instead", notes)
    defaults = read_defaults(swaig.get("defaults"), "SWAIG.defaults", notes)
    natives = read_natives(swaig.get("native_functions"), "SWAIG.native_functions", notes)
    _ignored(fields, "multilingual", "list the languages in languages instead", notes)
    global_data = as_map(fields.get("global_data"), "global_data", notes)
    config = AiConfig(
        prompt=prompt,
        post_prompt=_post_prompt(fields.get("post_prompt"), style, notes),
        post_prompt_url=as_text(fields.get("post_prompt_url"), "post_prompt_url", notes),
        post_prompt_auth=read_auth(fields, "post_prompt_auth_"),
        global_data=global_data,
        hints=read_hints(fields.get("hints"), "hints", notes),
        languages=_languages(fields.get("languages"), notes),
        pronounce=read_pronounce(fields.get("pronounce"), "pronounce", notes),
        params=values,
        contexts=contexts,
        budget=read_budget(raw_params, "params", notes),
        required=read_required(raw_params, "params", notes),
        closing=as_text(
            raw_params.get("mediacore_closing"), join("params", "mediacore_closing"), notes
        ),
        defaults=defaults,
        functions=_functions(swaig, defaults, natives, notes),
        includes=read_includes(swaig.get("includes"), "SWAIG.includes", notes),
        native_functions=natives,
        internal_fillers=_internal_fillers(swaig, notes),
    )
    for path, text in _visible_texts(config):
        _note_placeholders(path, text, tuple(global_data), notes)
    return _with_notes(config, notes)


def _with_notes(config: AiConfig, notes: Notes) -> AiConfig:
    names = {item.name for item in config.functions} | NATIVES
    contexts = {} if config.contexts is None else config.contexts.items
    for context in contexts.values():
        for step in context.steps:
            asked = [] if step.gather is None else [q.functions for q in step.gather.questions]
            for name in (*(step.functions or ()), *(name for group in asked for name in group)):
                if name not in names and not config.includes:
                    path = f"prompt.contexts.{context.name}.{step.name}.functions"
                    notes.add(path, "missing", f"names {name}, which is not declared")
    return replace(config, notes=notes.freeze())


def _with_moved_knobs(prompt: Prompt, params: Mapping[str, object], notes: Notes) -> Prompt:
    moved = read_knobs(params, "params", notes)
    for name in moved:
        notes.add(join("params", name), "moved", "belongs to prompt and is taken for it")
    return Prompt(prompt.text, {**moved, **prompt.knobs}) if moved else prompt


def _contexts(raw: object, style: str, notes: Notes) -> Contexts | None:
    if not isinstance(raw, Mapping):
        return None
    return read_contexts(raw.get("contexts"), "prompt.contexts", style, notes)


def _post_prompt(raw: object, style: str, notes: Notes) -> Prompt | None:
    if raw is None:
        return None
    prompt = read_prompt(raw, "post_prompt", style, notes, frozenset())
    return prompt if prompt.text.strip() else None


def _ignored(fields: Mapping[str, object], key: str, text: str, notes: Notes) -> None:
    if fields.get(key) is not None:
        notes.add(key, "ignored", f"has no effect: {text}")


def _languages(raw: object, notes: Notes) -> tuple[Language, ...]:
    found: list[Language] = []
    for at, item in enumerate(as_list(raw, "languages", notes)):
        path = f"languages[{at}]"
        fields = as_map(item, path, notes)
        notes.unknown(path, fields, _LANGUAGE_KEYS)
        for key in ("emotion", "speed"):
            if fields.get(key) is not None:
                notes.add(join(path, key), "ignored", "has no effect")
        code = as_text(fields.get("code"), join(path, "code"), notes)
        name = as_text(fields.get("name"), join(path, "name"), notes) or code
        if not name:
            notes.add(path, "missing", "needs name or code; not used")
            continue
        both = _phrases(fields, "fillers", path, notes)
        found.append(
            Language(
                name,
                code,
                as_text(fields.get("voice"), join(path, "voice"), notes),
                as_text(fields.get("engine"), join(path, "engine"), notes),
                as_text(fields.get("model"), join(path, "model"), notes),
                as_map(fields.get("params"), join(path, "params"), notes),
                _phrases(fields, "speech_fillers", path, notes) or both,
                _phrases(fields, "function_fillers", path, notes) or both,
            )
        )
    return tuple(found)


def _phrases(fields: Mapping[str, object], key: str, path: str, notes: Notes) -> tuple[str, ...]:
    items: Sequence[object] = as_list(fields.get(key), join(path, key), notes)
    return tuple(item for item in items if isinstance(item, str) and item)


def _functions(
    swaig: Mapping[str, object], defaults: Defaults, natives: Sequence[str], notes: Notes
) -> tuple[Function, ...]:
    path = "SWAIG.functions"
    return read_functions(swaig.get("functions"), path, defaults, notes, frozenset(natives))


def _internal_fillers(swaig: Mapping[str, object], notes: Notes) -> Mapping[str, Fillers]:
    path = "SWAIG.internal_fillers"
    fields = as_map(swaig.get("internal_fillers"), path, notes)
    notes.unknown(path, fields, FILLER_KEYS)
    return {
        name: read_fillers(value, join(path, name), notes)
        for name, value in fields.items()
        if name in FILLER_KEYS
    }


def _visible_texts(config: AiConfig) -> Iterator[tuple[str, str]]:
    yield "prompt", config.prompt.text
    if config.post_prompt is not None:
        yield "post_prompt", config.post_prompt.text
    for item in config.functions:
        yield f"SWAIG.functions.{item.name}.description", item.description
    for context in () if config.contexts is None else config.contexts.items.values():
        path = f"prompt.contexts.{context.name}"
        yield path, "\n".join((context.text, context.system_prompt, context.user_prompt))
        for step in context.steps:
            yield f"{path}.{step.name}", "\n".join((step.text, step.criteria))
            for question in () if step.gather is None else step.gather.questions:
                yield f"{path}.{step.name}.{question.key}", f"{question.question}{question.prompt}"


def _note_placeholders(path: str, text: str, data_keys: Sequence[str], notes: Notes) -> None:
    for name in placeholders(text):
        if is_hidden(name, data_keys):
            why = "is hidden data, which the model never sees; empty text is used"
            notes.add(path, "refused", f"{name} {why}")
        else:
            notes.add(path, "unknown", f"{name} is not known to prompts; empty text is used")
