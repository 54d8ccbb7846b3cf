"""One statement of a document, and how it is read from what was written."""

from __future__ import annotations

from dataclasses import dataclass

from mediacore.flow.methods import METHODS
from mediacore.flow.parsed import Source
from mediacore.flow.place import NOWHERE, Path, Place
from mediacore.flow.spec import Kind, Method


@dataclass(frozen=True, slots=True)
class Statement:
    """A method and its parameters as written, nested statements included. Not to be changed.

    `"hangup"` and `{"hangup": null}` have the parameters {}; a bare value of a method that takes
    one (`{"sleep": 500}`) stands under its parameter's name.
    """

    method: str
    params: object
    path: Path
    place: Place = NOWHERE


class StatementError(ValueError):
    """What was written does not name exactly one method; the message says what it does."""


def read_statement(written: object, path: Path, source: Source) -> Statement:
    """Read a statement, of any method. path: of the statement within its list.

    The statement's own path is that of its method's key. Raises StatementError.
    """
    if isinstance(written, str):
        return Statement(written, {}, path, source.place(path))
    if not isinstance(written, dict):
        raise StatementError("a statement is a map with one method, or a method's name")
    if len(written) != 1:
        names = ", ".join(f"'{name}'" for name in list(written)[:4]) or "none"
        raise StatementError(f"a statement names exactly one method; this one names {names}")
    ((method, value),) = written.items()
    known = METHODS.get(method)
    below = (*path, method)
    return Statement(method, _params(known, value), below, source.place(below))


def _params(method: Method | None, value: object) -> object:
    if method is None or isinstance(value, dict):
        return value
    if method.whole is not None:
        takes_nothing = Kind.ANY in method.whole.kinds
        return {} if value is None and not takes_nothing else value
    if value is None:
        return {}
    return {method.bare: value} if method.bare else value
