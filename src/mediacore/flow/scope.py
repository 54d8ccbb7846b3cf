"""The variables that a document sees: four scopes, never changed in place.

`call` describes the leg and is read-only, `params` belongs to the running execute or transfer,
`vars` belongs to the call and survives transfers, `envs` is configuration. A name without a scope
is looked for in `vars`, then `envs`; JavaScript also sees the fields of `call`.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

MISSING: Final = object()
"""What `Scope.lookup` answers when told to tell a missing variable from an empty one."""

_NAME: Final = r"[A-Za-z_$][\w$]*"
_STEP: Final = re.compile(
    r"""\.([\w$-]+)|\[\s*(\d{1,9})\s*\]|\[\s*"([^"\\\]]*)"\s*\]|\[\s*'([^'\\\]]*)'\s*\]"""
)
_HEAD: Final = re.compile(_NAME)


def parse_path(text: str) -> tuple[str | int, ...] | None:
    """`a.b[0]["c d"]` as keys and indexes; None when the text is not a plain path."""
    text = text.strip()
    head = _HEAD.match(text)
    if head is None:
        return None
    steps: list[str | int] = [head.group()]
    at = head.end()
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            return None
        name, index, double, single = step.groups()
        if index is not None:
            steps.append(int(index))
        else:
            steps.append(next(part for part in (name, double, single) if part is not None))
        at = step.end()
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class Scope:
    """One call's variables at one moment. Mappings are shared between scopes, never written."""

    call: Mapping[str, object] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)
    vars: Mapping[str, object] = field(default_factory=dict)
    envs: Mapping[str, object] = field(default_factory=dict)

    def with_vars(self, changes: Mapping[str, object]) -> Scope:
        """The scope with variables set."""
        return replace(self, vars={**self.vars, **changes}) if changes else self

    def without(self, names: Iterable[str]) -> Scope:
        """The scope with variables removed; those that do not exist are no error."""
        gone = set(names)
        return replace(self, vars={k: v for k, v in self.vars.items() if k not in gone})

    def with_params(self, params: Mapping[str, object]) -> Scope:
        """The scope with the parameters of another execute or transfer."""
        return replace(self, params=params)

    def names(self) -> Mapping[str, object]:
        """What JavaScript sees: the four scopes by name, then vars, envs, call by bare name."""
        scopes: dict[str, object] = {
            "vars": self.vars,
            "envs": self.envs,
            "call": self.call,
            "params": self.params,
        }
        # ChainMap is typed for writing, which nobody does.
        return ChainMap(scopes, *(dict(m) for m in (self.vars, self.envs, self.call)))

    def lookup(self, path: str | Sequence[str | int], default: object = "") -> object:
        """The value at a dotted and indexed path, `default` when there is none."""
        steps = parse_path(path) if isinstance(path, str) else tuple(path)
        if not steps:
            return default
        value = self._root(steps[0])
        for step in steps[1:]:
            value = _step(value, step)
        return default if value is MISSING else value

    def _root(self, name: str | int) -> object:
        match name:
            case "vars":
                return self.vars
            case "params":
                return self.params
            case "call":
                return self.call
            case "envs":
                return self.envs
            case str():
                return self.vars.get(name, self.envs.get(name, MISSING))
        return MISSING


def _step(value: object, step: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(str(step), MISSING)
    if isinstance(value, list | tuple):
        if isinstance(step, str) and step.isdecimal() and len(step) < 10:
            step = int(step)
        if isinstance(step, int) and step < len(value):
            return value[step]
    return MISSING
