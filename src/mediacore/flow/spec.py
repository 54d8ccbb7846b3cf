"""How the tables of methods and parameters are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """What the engine does with a method or a parameter."""

    SUPPORTED = "supported"
    IGNORED = "ignored"  # accepted, not acted upon
    UNSUPPORTED = "unsupported"  # a method that fails at run time and lets the document go on


class Kind(StrEnum):
    """What may stand as a value. Where no statement is meant, text with ${…} or %{…} may too."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "true or false"
    MAP = "map"
    LIST = "list"
    ANY = "any value"
    NULL = "nothing"
    URL = "http(s) URL"
    PLAYABLE = "URL, say:, silence: or ring:"
    STATEMENTS = "list of statements"
    CASES = "map of value to statements"
    CONDITIONS = "list of when, then, else"
    DESTINATION = "section, URL or document"
    DOCUMENT = "document"


Shape = Mapping[str, "Param"]


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. default: what holds when it is absent, None when there is none.

    low, high: range of a number, both included. values: the words allowed, or the methods allowed
    in a list of statements. keys: the keys of a map, open: others may stand beside them. each:
    what every item of a list, or every value of a map, has to be.
    """

    kinds: tuple[Kind, ...]
    default: object = None
    unit: str = ""
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    required: bool = False
    state: State = State.SUPPORTED
    note: str = ""
    keys: Shape | None = None
    each: Param | None = None
    open: bool = False


_NO_PARAMS: Shape = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Method:
    """One method. bare: the parameter for which a value that is not a map stands.

    whole: the parameters are not a map of names but one value, described here.
    one_of: groups of parameters of which exactly one is given.
    """

    name: str
    state: State = State.SUPPORTED
    params: Shape = field(default_factory=lambda: _NO_PARAMS)
    whole: Param | None = None
    bare: str = ""
    one_of: tuple[tuple[str, ...], ...] = ()
    note: str = ""


def shape(**params: Param) -> Shape:
    """A table of parameters. A trailing underscore lets a Python keyword be a name."""
    return MappingProxyType({name.removesuffix("_"): param for name, param in params.items()})


def ignored(param: Param, note: str) -> Param:
    """The same parameter, accepted and not acted upon."""
    return replace(param, state=State.IGNORED, note=note)


def text(default: str | None = None, *values: str, required: bool = False, note: str = "") -> Param:
    """Text, one of `values` when there are any."""
    return Param((Kind.TEXT,), default, values=values, required=required, note=note)


def flag(default: bool | None = None, note: str = "") -> Param:
    """True or false."""
    return Param((Kind.FLAG,), default, note=note)


def integer(
    default: int | None = None,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    *,
    required: bool = False,
    note: str = "",
) -> Param:
    """A whole number."""
    return Param((Kind.INTEGER,), default, unit, low, high, required=required, note=note)


def number(
    default: float | None = None,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    note: str = "",
) -> Param:
    """A number."""
    return Param((Kind.NUMBER,), default, unit, low, high, note=note)


def url(required: bool = False, note: str = "") -> Param:
    """An http or https URL."""
    return Param((Kind.URL,), required=required, note=note)


def one(kind: Kind, *others: Kind, required: bool = False, note: str = "") -> Param:
    """A value of one of the kinds."""
    return Param((kind, *others), required=required, note=note)


def items(each: Param, *others: Kind, required: bool = False, note: str = "") -> Param:
    """A list, all of its items alike."""
    return Param((Kind.LIST, *others), required=required, note=note, each=each)


def mapping(
    keys: Shape | None = None, *others: Kind, required: bool = False, note: str = ""
) -> Param:
    """A map; with `keys`, of these keys."""
    return Param((Kind.MAP, *others), required=required, note=note, keys=keys)
