"""The shape of the `ai` method. Its `params` have a table of their own, given by the caller."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from mediacore.flow.spec import (
    Kind,
    Method,
    Param,
    flag,
    ignored,
    integer,
    items,
    mapping,
    number,
    one,
    shape,
    text,
)

_LATER: Final = "not acted upon"
_WEBHOOK: Final = text(note="http(s) URL, user and password allowed")
_FILLERS: Final = one(Kind.MAP, Kind.LIST, note="language to phrases, or phrases")

_KNOBS: Final = {
    "temperature": number(1.0, "", 0, 1.5),
    "top_p": number(1.0, "", 0, 1),
    "confidence": number(0.6, "", 0, 1),
    "barge_confidence": number(0.0, "", 0, 1),
    "presence_penalty": number(0.0, "", -2, 2),
    "frequency_penalty": number(0.0, "", -2, 2),
    "max_tokens": integer(256, "tokens", 0, 4096),
    "model": ignored(text(), "`ai_model` in `params` names the model"),
}

BESIDE_PROMPT: Final = frozenset(_KNOBS)
"""Settings of the model that stand in `prompt` and `post_prompt`, not in `params`."""

_HISTORY: Final = text("default", "keep", "default", "hide")
_BUDGET: Final = mapping(
    shape(
        seconds=number(None, "s", 0),
        turns=integer(None, "turns", 0),
        tokens=integer(None, "tokens", 0),
        money=number(None, "", 0),
    ),
    note="own key: hard limits",
)
_REQUIRED: Final = items(
    Param(
        (Kind.MAP, Kind.TEXT),
        keys=shape(key=text(required=True), label=text(), digits=flag(False)),
    ),
    note="own key: fields of global_data needed before the end",
)

_QUESTION: Final = shape(
    key=text(required=True),
    question=text(required=True),
    type=text("string"),
    confirm=flag(False),
    prompt=text(),
    functions=items(text()),
    isolated=flag(False),
)
_GATHER: Final = shape(
    questions=items(mapping(_QUESTION), required=True),
    output_key=text(),
    completion_action=text(),
    prompt=text(),
    isolated=flag(False),
)
_RESET: Final = shape(
    system_prompt=text(), user_prompt=text(), consolidate=flag(False), full_reset=flag(False)
)
_STEP: Final = shape(
    name=text(required=True),
    text=text(),
    pom=items(mapping()),
    step_criteria=text(),
    functions=one(Kind.LIST, Kind.TEXT, note="absent: as before; [] or none: no function"),
    valid_steps=items(text()),
    valid_contexts=items(text()),
    skip_user_turn=flag(False),
    skip_to_next_step=flag(False),
    end=flag(False),
    reset=mapping(_RESET),
    gather_info=mapping(_GATHER),
    history=_HISTORY,
    mediacore_budget=_BUDGET,
    mediacore_required=_REQUIRED,
    mediacore_closing=text(note="own key: spoken as the one closing"),
    mediacore_sensitive=flag(False, note="own key: what is said is left out of records"),
)
_CONTEXT: Final = shape(
    steps=items(mapping(_STEP), required=True),
    initial_step=text(),
    isolated=flag(False),
    enter_fillers=_FILLERS,
    exit_fillers=_FILLERS,
    text=text(),
    pom=items(mapping()),
    prompt=one(Kind.TEXT, Kind.MAP, Kind.LIST),
    system_prompt=text(),
    user_prompt=text(),
    post_prompt=one(Kind.TEXT, Kind.MAP),
    consolidate=flag(False),
    full_reset=flag(False),
    valid_contexts=items(text()),
    valid_steps=items(text()),
    history=_HISTORY,
    mediacore_budget=_BUDGET,
    mediacore_required=_REQUIRED,
)
_CONTEXTS: Final = Param((Kind.MAP,), note="name to context", each=mapping(_CONTEXT))

_ACTION_KEYS: Final = shape(SWML=one(Kind.DOCUMENT, Kind.TEXT))
_ACTION: Final = Param(
    (Kind.LIST, Kind.MAP),
    note="tool actions; a document under `SWML`",
    keys=_ACTION_KEYS,
    open=True,
    each=Param((Kind.MAP,), keys=_ACTION_KEYS, open=True),
)
_OUTPUT: Final = Param(
    (Kind.MAP, Kind.TEXT),
    keys=shape(response=one(Kind.ANY), action=_ACTION, post_process=flag(False)),
)
_EXPRESSION: Final = shape(
    string=one(Kind.TEXT, required=True),
    pattern=one(Kind.TEXT, required=True),
    output=_OUTPUT,
    nomatch_output=_OUTPUT,
)
_EXPRESSIONS: Final = items(mapping(_EXPRESSION))
_WEBHOOK_KEYS: Final = {
    "url": text(required=True),
    "method": text("POST", "GET", "POST", "PUT", "DELETE", "PATCH", "get", "post", "put", "delete"),
    "headers": mapping(),
    "params": one(Kind.MAP, Kind.LIST),
    "body": one(Kind.ANY),
    "form_param": text(),
    "input_args_as_params": flag(False),
    "require_args": one(Kind.TEXT, Kind.LIST),
    "error_keys": one(Kind.TEXT, Kind.LIST),
    "expressions": _EXPRESSIONS,
    "output": _OUTPUT,
    "foreach": mapping(
        shape(input_key=text(), output_key=text(), max=integer(None, "items", 0), append=text())
    ),
}
DATA_MAP: Final = shape(
    expressions=_EXPRESSIONS,
    webhooks=items(mapping(MappingProxyType(_WEBHOOK_KEYS))),
    output=_OUTPUT,
    error_keys=one(Kind.TEXT, Kind.LIST),
)

FUNCTION: Final = shape(
    function=text(required=True),
    description=text(note="`purpose` is its old name"),
    purpose=text(),
    parameters=mapping(),
    argument=mapping(note="old name of `parameters`"),
    active=flag(True),
    data_map=mapping(DATA_MAP),
    web_hook_url=_WEBHOOK,
    web_hook_auth_user=text(),
    web_hook_auth_password=text(),
    fillers=_FILLERS,
    skip_fillers=flag(False),
    wait_for_fillers=flag(False),
    wait_file=text(),
    wait_file_loops=one(Kind.INTEGER, Kind.TEXT),
    meta_data=mapping(),
    meta_data_token=text(),
)
_INCLUDE: Final = shape(
    url=text(required=True),
    functions=items(text(), required=True),
    meta_data=mapping(),
    auth_user=text(),
    auth_password=text(),
)
SWAIG: Final = shape(
    defaults=mapping(
        shape(
            web_hook_url=_WEBHOOK,
            web_hook_auth_user=text(),
            web_hook_auth_password=text(),
            meta_data=mapping(),
            meta_data_token=text(),
        )
    ),
    native_functions=items(text()),
    includes=items(mapping(_INCLUDE)),
    functions=items(mapping(FUNCTION)),
    internal_fillers=mapping(),
    mcp_servers=ignored(one(Kind.LIST), "tool servers are not contacted"),
)

_LANGUAGE: Final = shape(
    name=text(),
    code=text(required=True),
    voice=text(note="`engine.voice`"),
    model=text(),
    engine=text(),
    params=mapping(),
    speed=ignored(one(Kind.TEXT, Kind.NUMBER), _LATER),
    emotion=ignored(text(), _LATER),
    fillers=_FILLERS,
    speech_fillers=_FILLERS,
    function_fillers=_FILLERS,
)
_HINT: Final = Param(
    (Kind.TEXT, Kind.MAP),
    keys=shape(hint=text(required=True), pattern=text(), replace=text(), ignore_case=flag(False)),
)
_PRONOUNCE: Final = shape(
    replace=text(required=True), with_=text(required=True), ignore_case=flag(True)
)

AI: Final = Method(
    "ai",
    params=MappingProxyType(
        {
            "prompt": Param(
                (Kind.MAP, Kind.TEXT),
                keys=MappingProxyType(
                    {"text": text(), "pom": items(mapping()), **_KNOBS, "contexts": _CONTEXTS}
                ),
                required=True,
            ),
            "post_prompt": Param(
                (Kind.MAP, Kind.TEXT),
                keys=MappingProxyType({"text": text(), "pom": items(mapping()), **_KNOBS}),
            ),
            "post_prompt_url": text(note="http(s) URL, user and password allowed"),
            "post_prompt_auth_user": text(),
            "post_prompt_auth_password": text(),
            "global_data": mapping(note="tools get it, the model does not"),
            "hints": items(_HINT),
            "languages": items(mapping(_LANGUAGE)),
            "multilingual": ignored(mapping(), _LATER),
            "pronounce": items(mapping(_PRONOUNCE)),
            "params": mapping(note="see the table below"),
            "SWAIG": mapping(SWAIG),
        }
    ),
    note="Sets ai_result, return_value.",
)
