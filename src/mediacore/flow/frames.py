"""The state of a running document, and what running it asks of the outside. All immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mediacore.flow.document import Document, Statement, read_block
from mediacore.flow.parsed import Source
from mediacore.flow.place import NOWHERE, Path, Place
from mediacore.flow.scope import Scope


@dataclass(frozen=True, slots=True)
class Perform:
    """A method for the outside to carry out, its parameters expanded. Answered by `complete`.

    The method "fetch" {url, purpose: execute|transfer, meta, params} is answered by `fetched` or
    `fetch_failed` instead.
    """

    method: str
    params: Mapping[str, object]
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Warn:
    """A script error that the document survives; the variable script_error holds its code."""

    code: str
    text: str
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Done:
    """The document is over. value: of a `return`."""

    value: object = None
    reason: Literal["end", "return", "hangup", "error"] = "end"


Effect = Perform | Warn | Done


@dataclass(frozen=True, slots=True)
class Loaded:
    """A document with its statements by path, so that a nested block is not read again."""

    document: Document
    by_path: Mapping[Path, Statement] = field(compare=False, repr=False)

    def block(self, written: object, path: Path, place: Place) -> tuple[Statement, ...]:
        """The statements of a nested list. A single statement counts as a list of one.

        Raises DocumentError.
        """
        listed = written if isinstance(written, list) else [written]
        known: list[Statement] = []
        for index, item in enumerate(listed):
            below: Path = (*path, index)
            if isinstance(item, dict) and len(item) == 1:
                below = (*below, *item)
            found = self.by_path.get(below)
            if found is None:
                source = Source(self.document.name, None, _Everywhere(place))
                return read_block(listed, path, source)
            known.append(found)
        return tuple(known)


class _Everywhere:
    """Places of a block that the document does not know: that of the statement it belongs to."""

    __slots__ = ("_place",)

    def __init__(self, place: Place) -> None:
        self._place = place

    def get(self, path: Path, /) -> Place | None:
        return self._place


def loaded(document: Document) -> Loaded:
    """Index a document, once for all the sections it runs."""
    return Loaded(document, {each.path: each for each in document.statements})


@dataclass(frozen=True, slots=True)
class Call:
    """An execute that has not come back: its statement and the params to restore."""

    statement: Statement
    params: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Frame:
    """A list of statements being run. section: it is a section, and gotos stay inside.

    jumps: per label, for the section; call: set when it runs for an execute.
    """

    loaded: Loaded
    statements: tuple[Statement, ...]
    index: int = 0
    section: bool = False
    jumps: Mapping[str, int] = field(default_factory=dict)
    call: Call | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A Perform that has not been answered. kind: what the answer has to be."""

    statement: Statement
    kind: Literal["method", "execute", "transfer"] = "method"
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FlowState:
    """A document in progress. Frames: outermost first. Never changed, only replaced.

    costly: expressions so far that ran into a limit of the engine.
    """

    frames: tuple[Frame, ...]
    scope: Scope
    waiting: Waiting | None = None
    outcome: Done | None = None
    warnings: tuple[Warn, ...] = ()
    transfers: int = 0
    costly: int = 0

    @property
    def finished(self) -> bool:
        """Whether nothing is left to run."""
        return self.outcome is not None

    @property
    def current(self) -> Statement | None:
        """The statement being performed, else the next one; None when there is none."""
        if self.waiting is not None:
            return self.waiting.statement
        for frame in reversed(self.frames):
            if frame.index < len(frame.statements):
                return frame.statements[frame.index]
        return None

    @property
    def place(self) -> Place:
        """Of the current statement."""
        current = self.current
        return NOWHERE if current is None else current.place
