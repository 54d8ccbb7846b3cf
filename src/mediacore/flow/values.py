"""Whether a value may stand for a parameter. Lenient: numbers in quotes are numbers, and the other
way round; text that holds a variable may become anything."""

from __future__ import annotations

from typing import Final

from mediacore.flow.findings import did_you_mean
from mediacore.flow.place import shown
from mediacore.flow.spec import Kind, Param

_SCHEMES: Final = ("http://", "https://")
_PLAYED: Final = (*_SCHEMES, "say:", "silence:", "ring:")
_TYPES: Final = {
    Kind.TEXT: (str, int, float),
    Kind.INTEGER: (int, float, str),
    Kind.NUMBER: (int, float, str),
    Kind.FLAG: (bool, str),
    Kind.MAP: (dict,),
    Kind.LIST: (list,),
    Kind.ANY: (object,),
    Kind.NULL: (type(None),),
    Kind.URL: (str,),
    Kind.PLAYABLE: (str,),
    Kind.STATEMENTS: (list,),
    Kind.CASES: (dict,),
    Kind.CONDITIONS: (list,),
    Kind.DESTINATION: (str, dict),
    Kind.DOCUMENT: (dict,),
}
_NAMES: Final = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a map",
    type(None): "nothing",
}


def has_variable(value: object) -> bool:
    """Whether text will be expanded when it is used."""
    return isinstance(value, str) and ("${" in value or "%{" in value)


def kind_of(param: Param, value: object) -> Kind | None:
    """The kind of the parameter's kinds that the value has, by its type alone."""
    for kind in param.kinds:
        if isinstance(value, _TYPES[kind]):
            if isinstance(value, bool) and kind in (Kind.TEXT, Kind.INTEGER, Kind.NUMBER):
                continue
            return kind
    return None


def expected(param: Param, value: object) -> str:
    """In words: what was found, and what may stand there."""
    found = _NAMES.get(type(value), "something else")
    return f"{found} cannot stand here; expected {' or '.join(kind.value for kind in param.kinds)}"


def fault(kind: Kind, param: Param, value: object) -> str:
    """What is wrong with a scalar of the kind, in words; nothing when all is well."""
    if kind in (Kind.INTEGER, Kind.NUMBER):
        return _number_fault(kind, param, value)
    if kind is Kind.FLAG and isinstance(value, str) and value.lower() not in ("true", "false"):
        return f"'{shown(value)}' is neither true nor false"
    if not isinstance(value, str):
        return ""
    if kind is Kind.URL and not value.lower().startswith(_SCHEMES):
        return f"'{shown(value)}' is not an http or https URL"
    if kind is Kind.PLAYABLE and not value.lower().startswith(_PLAYED):
        return f"'{shown(value)}' cannot be played: it begins with none of {', '.join(_PLAYED)}"
    if kind is Kind.TEXT and param.values and value not in param.values:
        near = did_you_mean(value, param.values)
        return f"'{shown(value)}' is not one of {', '.join(param.values)}{near}"
    return ""


def _number_fault(kind: Kind, param: Param, value: object) -> str:
    assert isinstance(value, (int, float, str))
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return f"'{shown(str(value)[:100])}' is not a number"
    if kind is Kind.INTEGER and not number.is_integer():
        return f"{shown(str(value))} is not a whole number"
    low, high = param.low, param.high
    if (low is not None and number < low) or (high is not None and number > high):
        bounds = f"{low:g} … {high:g}" if low is not None and high is not None else None
        return f"{shown(str(value))} is outside {bounds or f'the range that begins at {low:g}'}"
    return ""
