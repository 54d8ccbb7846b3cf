"""Which parameters of a method are expanded when it starts, and which are left for later.

Nested statements and documents are expanded when they run. `ai` keeps the placeholders of its own
templates: they are filled at each tool call, from data that does not exist yet. The same goes for
the facts that prompts may use, which are known when the run begins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from mediacore.flow.expand import expand, expand_except
from mediacore.flow.methods import METHODS, State
from mediacore.flow.scope import Scope
from mediacore.flow.script import Evaluator

LATER: Final = frozenset(("on_return", "result", "confirm"))
_FREE: Final = frozenset(("set", "user_event", "request"))  # their keys are the author's own
_AI_TEMPLATE: Final = re.compile(
    r"\s*(?:(?:args|global_data|meta_data|prompt_vars|input|output|array|foreach|response"
    r"|call_direction|caller_id_name|caller_id_number|local_date|local_time|time_of_day"
    r"|supported_languages|default_language)(?![\w$])"
    r"|(?:lc|enc|fmt)\w*:|@)"
)


def is_ai_template(body: str) -> bool:
    """Whether a placeholder belongs to the templates of `ai` and not to the document."""
    return _AI_TEMPLATE.match(body) is not None


def expand_params(
    method: str, params: object, scope: Scope, evaluator: Evaluator
) -> dict[str, object]:
    """A method's parameters for carrying it out. A value that is no map stands under "value".

    Raises ScriptFault; in `ai`, a placeholder that cannot be evaluated stays as it is written.
    """
    if params is None:
        return {}
    if not isinstance(params, Mapping):
        params = {"value": params}
    known = METHODS.get(method)
    if known is not None and known.state is State.UNSUPPORTED:
        return dict(params)  # it fails whatever they are
    if method == "ai":
        return _ai(params, scope, evaluator)
    later = LATER if method not in _FREE else frozenset()
    raw = {k: v for k, v in params.items() if k in later and isinstance(v, list | Mapping)}
    now = expand({k: v for k, v in params.items() if k not in raw}, scope, evaluator)
    assert isinstance(now, dict)
    return {key: raw[key] if key in raw else now[key] for key in params}


def _ai(params: Mapping[str, object], scope: Scope, evaluator: Evaluator) -> dict[str, object]:
    made: dict[str, object] = {}
    for key, value in params.items():
        done = expand_except(value, scope, evaluator, keep=is_ai_template, lenient=True)
        made[key] = _with_data_maps(value, done) if key == "SWAIG" else done
    return made


def _with_data_maps(written: object, done: object) -> object:
    """Puts the untouched `data_map` of every function back."""
    if not (isinstance(written, Mapping) and isinstance(done, dict)):
        return done
    before, after = written.get("functions"), done.get("functions")
    if isinstance(before, list) and isinstance(after, list):
        for old, new in zip(before, after, strict=True):
            if isinstance(old, Mapping) and isinstance(new, dict) and "data_map" in old:
                new["data_map"] = old["data_map"]
    return done
