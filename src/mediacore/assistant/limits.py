"""Own keys of a document: budgets of a stage and the fields needed before a call may end.

Read here, enforced elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from mediacore.assistant.notes import (
    Notes,
    as_bool,
    as_list,
    as_map,
    as_text,
    join,
    read_float,
    read_int,
)

PLACES = 6


@dataclass(frozen=True, slots=True)
class StageBudget:
    """Limits of a run, context or step; None: no limit. `money` in the currency of the prices."""

    seconds: float | None = None
    turns: int | None = None
    tokens: int | None = None
    money: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RequiredField:
    """A field of global_data that must be filled before the end. `digits`: read it back singly."""

    key: str
    label: str
    digits: bool = False


def read_budget(fields: Mapping[str, object], path: str, notes: Notes) -> StageBudget:
    """The `mediacore_budget` among `fields`."""
    where = join(path, "mediacore_budget")
    budget = as_map(fields.get("mediacore_budget"), where, notes)
    notes.unknown(where, budget, frozenset({"seconds", "turns", "tokens", "money"}))
    money = _positive(budget, "money", where, notes)
    return StageBudget(
        seconds=_positive(budget, "seconds", where, notes),
        turns=_count(budget, "turns", where, notes),
        tokens=_count(budget, "tokens", where, notes),
        money=None if money is None else Decimal(str(round(money, PLACES))),
    )


def _positive(fields: Mapping[str, object], name: str, path: str, notes: Notes) -> float | None:
    if fields.get(name) is None:
        return None
    number = read_float(fields[name])
    if number is None or number < 0:
        notes.wrong(join(path, name), "a number of 0 or more")
        return None
    return number


def _count(fields: Mapping[str, object], name: str, path: str, notes: Notes) -> int | None:
    if fields.get(name) is None:
        return None
    number = read_int(fields[name])
    if number is None or number < 0:
        notes.wrong(join(path, name), "a whole number of 0 or more")
        return None
    return number


def read_required(
    fields: Mapping[str, object], path: str, notes: Notes
) -> tuple[RequiredField, ...]:
    """The `mediacore_required` list among `fields`: objects {key, label, digits} or plain keys."""
    where = join(path, "mediacore_required")
    found: dict[str, RequiredField] = {}
    for at, item in enumerate(as_list(fields.get("mediacore_required"), where, notes)):
        entry = {"key": item} if isinstance(item, str) else as_map(item, f"{where}[{at}]", notes)
        key = as_text(entry.get("key"), f"{where}[{at}].key", notes)
        if not key:
            notes.add(f"{where}[{at}]", "missing", "has no key; not used")
            continue
        label = as_text(entry.get("label"), f"{where}[{at}].label", notes) or key.replace("_", " ")
        digits = as_bool(entry.get("digits"), f"{where}[{at}].digits", notes)
        found.setdefault(key, RequiredField(key, label, digits))
    return tuple(found.values())
