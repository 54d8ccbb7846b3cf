"""Look through a document: every statement, every parameter, nested blocks and documents.

Lenient: what cannot be understood is a finding; only a document without a main section, a method
that does not exist, and limits are errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from mediacore.flow.findings import Code, Finding, Severity, did_you_mean
from mediacore.flow.methods import METHODS
from mediacore.flow.methods_ai import BESIDE_PROMPT
from mediacore.flow.parsed import Source
from mediacore.flow.place import Path, shown
from mediacore.flow.spec import Kind, Method, Param, Shape, State
from mediacore.flow.statement import Statement, StatementError, read_statement
from mediacore.flow.values import expected, fault, has_variable, kind_of

MAX_STATEMENTS: Final = 2000
"""In one document, nested ones counted."""
MAX_NESTING: Final = 16
"""Of blocks of statements and documents within each other."""

_CONDITION_KEYS: Final = frozenset({"when", "then", "else"})
_TOP: Final = ("version", "sections")


class ParamState(Protocol):
    """What a table of `ai` parameters has to say about one of them."""

    @property
    def state(self) -> str:
        """Either "supported" or "ignored"."""

    @property
    def note(self) -> str:
        """Why, in words."""


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was found. statements: every one in document order, nested ones included."""

    name: str
    sections: Mapping[str, tuple[Statement, ...]]
    statements: tuple[Statement, ...]
    findings: tuple[Finding, ...]


def examine(source: Source, *, ai_params: Mapping[str, ParamState] | None = None) -> Examination:
    """Look through a whole document. Never raises.

    ai_params: the known keys of `ai.params`; without it they are not looked at.
    """
    walk = _Walk(source, ai_params)
    sections: dict[str, tuple[Statement, ...]] = {}
    with suppress(_TooManyError):
        sections = walk.document(source.value, (), 0)
    return Examination(source.name, sections, tuple(walk.statements), tuple(walk.findings))


class _TooManyError(Exception):
    """The document has more statements than allowed."""


@dataclass(slots=True)
class _Scope:
    """What the statements of one section can refer to."""

    sections: Iterable[str]
    labels: dict[str, Path] = field(default_factory=dict)
    gotos: list[tuple[str, Path]] = field(default_factory=list)


class _Walk:
    """One pass over one document."""

    def __init__(self, source: Source, ai_params: Mapping[str, ParamState] | None) -> None:
        self.source = source
        self.ai_params = ai_params
        self.statements: list[Statement] = []
        self.findings: list[Finding] = []

    def find(self, severity: Severity, path: Path, code: Code, text: str) -> None:
        self.findings.append(Finding(severity, self.source.place(path), path, code, text))

    def warn(self, path: Path, code: Code, text: str) -> None:
        self.find(Severity.WARNING, path, code, text)

    def document(self, value: object, path: Path, depth: int) -> dict[str, tuple[Statement, ...]]:
        """Sections of a document at `path`. Faults of form are errors at the top only: a document
        within a document fails when it is reached."""
        form = Severity.WARNING if path else Severity.ERROR
        if not isinstance(value, dict):
            text = "a document is a map with 'sections'"
            code = Code.SECTIONS_MISSING if value is None else Code.ELEMENT_WRONG_TYPE
            self.find(form, path, code, text)
            return {}
        for key in value:
            if key not in _TOP:
                text = f"'{shown(key)}' means nothing at the top{did_you_mean(key, _TOP)}"
                self.warn((*path, key), Code.ELEMENT_UNDEFINED, text)
        version = value.get("version", "1.0.0")
        if not (has_variable(version) or str(version).partition(".")[0] == "1"):
            text = f"version '{shown(str(version))}' is not known; 1.0.0 is"
            self.find(form, (*path, "version"), Code.VERSION_INVALID, text)
        below = (*path, "sections")
        sections = value.get("sections")
        if sections is None:
            self.find(form, path, Code.SECTIONS_MISSING, "there is no 'sections'")
        elif not isinstance(sections, dict):
            text = "'sections' is a map of name to list of statements"
            self.find(form, below, Code.ELEMENT_WRONG_TYPE, text)
        else:
            if "main" not in sections:
                near = did_you_mean("main", sections)
                self.find(form, below, Code.MAIN_SECTION_MISSING, f"there is no 'main'{near}")
            return {
                name: self.section(listed, (*below, name), depth, sections, form)
                for name, listed in sections.items()
            }
        return {}

    def section(
        self, listed: object, path: Path, depth: int, sections: Iterable[str], form: Severity
    ) -> tuple[Statement, ...]:
        """One section: its statements, and the jumps among them."""
        if not isinstance(listed, list):
            self.find(form, path, Code.ELEMENT_WRONG_TYPE, "a section is a list of statements")
            return ()
        if not listed:
            self.warn(path, Code.SECTION_CODE_MISSING, "the section holds no statement")
        scope = _Scope(sections)
        made = self.block(listed, path, depth + 1, scope)
        for label, where in scope.gotos:
            if label not in scope.labels:
                near = did_you_mean(label, scope.labels)
                text = f"this section has no label '{shown(label)}'{near}"
                self.warn(where, Code.LABEL_UNDEFINED, text)
        return made

    def block(
        self, listed: list[object], path: Path, depth: int, scope: _Scope
    ) -> tuple[Statement, ...]:
        """A list of statements."""
        if depth > MAX_NESTING:
            text = f"statements are nested more than {MAX_NESTING} deep"
            self.find(Severity.ERROR, path, Code.NESTED_TOO_DEEP, text)
            return ()
        made: list[Statement] = []
        for index, written in enumerate(listed):
            below = (*path, index)
            if len(self.statements) >= MAX_STATEMENTS:
                text = f"more than {MAX_STATEMENTS} statements"
                self.find(Severity.ERROR, below, Code.TOO_MANY_STATEMENTS, text)
                raise _TooManyError
            try:
                statement = read_statement(written, below, self.source)
            except StatementError as error:
                self.find(Severity.ERROR, below, Code.METHOD_MISSING_NAME, clean(str(error)))
                continue
            made.append(statement)
            self.statements.append(statement)
            self.statement(statement, depth, scope)
        return tuple(made)

    def statement(self, statement: Statement, depth: int, scope: _Scope) -> None:
        """One statement of a known method; of an unknown one, the error."""
        name, params, path = statement.method, statement.params, statement.path
        method = METHODS.get(name)
        if method is None:
            text = f"there is no method '{shown(name)}'{did_you_mean(name, METHODS)}"
            self.find(Severity.ERROR, path, Code.METHOD_UNDEFINED, text)
            return
        if method.state is State.UNSUPPORTED:
            text = f"'{name}' is not supported; {name}_result becomes 'failed' and the call goes on"
            self.find(Severity.UNSUPPORTED, path, Code.METHOD_UNSUPPORTED, text)
            return
        if method.whole is not None:
            self.value(method.whole, params, path, depth, scope)
        elif isinstance(params, dict):
            self.keys(method.params, params, path, depth, scope)
            self.groups(method, params, path)
        elif not has_variable(params):
            text = f"the parameters of '{name}' are a map"
            self.warn(path, Code.ELEMENT_WRONG_TYPE, text)
        self.references(statement, scope)

    def references(self, statement: Statement, scope: _Scope) -> None:
        """Labels, jumps, and the keys of `ai.params`."""
        params, path = statement.params, statement.path
        if statement.method == "label" and isinstance(params, (str, int)):
            first = scope.labels.setdefault(str(params), path)
            if first is not path:
                line = self.source.place(first).line
                where = f"; first in line {line}" if line else ""
                text = f"label '{shown(str(params))}' stands twice in this section{where}"
                self.warn(path, Code.ELEMENT_DUPLICATED, text)
        elif not isinstance(params, dict):
            return
        elif statement.method == "goto":
            label = params.get("label")
            if isinstance(label, (str, int)) and not has_variable(label):
                scope.gotos.append((str(label), (*path, "label")))
        elif statement.method == "ai" and self.ai_params is not None:
            self.ai(params.get("params"), (*path, "params"))

    def ai(self, params: object, path: Path) -> None:
        """The keys of `ai.params`, by the table that was given."""
        assert self.ai_params is not None
        for key in params if isinstance(params, dict) else ():
            spec = self.ai_params.get(key)
            if spec is None and key in BESIDE_PROMPT:
                text = f"'{key}' means nothing here; it stands in 'prompt'"
                self.warn((*path, key), Code.PARAMETER_UNDEFINED, text)
            elif spec is None:
                self.unknown(key, self.ai_params, path)
            elif spec.state == State.IGNORED:
                self.ignored(key, spec.note, path)

    def keys(
        self, known: Shape, given: dict[str, object], path: Path, depth: int, scope: _Scope
    ) -> None:
        """The keys of a map, and those that are missing."""
        for key, value in given.items():
            param = known.get(key)
            if param is None:
                self.unknown(key, known, path)
                continue
            if param.state is State.IGNORED:
                self.ignored(key, param.note, path)
            if value is not None:
                self.value(param, value, (*path, key), depth, scope)
        for key, param in known.items():
            if param.required and given.get(key) is None:
                self.warn(path, Code.PARAMETER_MISSING, f"'{key}' is missing")

    def unknown(self, key: str, known: Iterable[str], path: Path) -> None:
        text = f"'{shown(key)}' means nothing here{did_you_mean(key, known)}"
        self.warn((*path, key), Code.PARAMETER_UNDEFINED, text)

    def ignored(self, key: str, note: str, path: Path) -> None:
        text = f"'{shown(key)}' is not acted upon: {note}" if note else f"'{key}' is not acted upon"
        self.find(Severity.IGNORED, (*path, key), Code.PARAMETER_IGNORED, text)

    def groups(self, method: Method, given: dict[str, object], path: Path) -> None:
        """Parameters of which exactly one is given."""
        for group in method.one_of:
            there = [name for name in group if given.get(name) is not None]
            if not there:
                text = f"one of {', '.join(group)} is needed"
                self.warn(path, Code.PARAMETER_MISSING, text)
            elif len(there) > 1:
                text = f"{' and '.join(there)} exclude each other"
                self.warn(path, Code.PARAMETER_CONFLICT, text)

    def value(self, param: Param, value: object, path: Path, depth: int, scope: _Scope) -> None:
        """One value, and what is nested in it."""
        if has_variable(value):
            return
        kind = kind_of(param, value)
        if kind is None:
            self.warn(path, Code.ELEMENT_WRONG_TYPE, expected(param, value))
        elif kind is Kind.STATEMENTS and isinstance(value, list):
            self.statements_in(param, value, path, depth, scope)
        elif kind is Kind.CONDITIONS and isinstance(value, list):
            for index, entry in enumerate(value):
                self.condition(entry, (*path, index), depth, scope)
        elif kind is Kind.CASES and isinstance(value, dict):
            blocks = Param((Kind.STATEMENTS,))
            for case, listed in value.items():
                self.value(blocks, listed, (*path, case), depth, scope)
        elif isinstance(value, dict):
            if kind in (Kind.DESTINATION, Kind.DOCUMENT):
                self.document(value, path, depth)
            elif kind is Kind.MAP:
                self.map(param, value, path, depth, scope)
        elif isinstance(value, list):
            for index, item in enumerate(value if param.each else ()):
                assert param.each is not None
                self.value(param.each, item, (*path, index), depth, scope)
        elif kind is Kind.DESTINATION and isinstance(value, str):
            self.destination(value, path, scope)
        elif text := fault(kind, param, value):
            self.warn(path, Code.PARAMETER_INVALID_VALUE, text)

    def map(
        self, param: Param, value: dict[str, object], path: Path, depth: int, scope: _Scope
    ) -> None:
        """A map: of keys that are known, of values that are alike, or of anything."""
        if param.open and param.keys is not None:
            value = {key: item for key, item in value.items() if key in param.keys}
        if param.keys is not None:
            self.keys(param.keys, value, path, depth, scope)
        elif param.each is not None:
            for key, item in value.items():
                self.value(param.each, item, (*path, key), depth, scope)

    def statements_in(
        self, param: Param, value: list[object], path: Path, depth: int, scope: _Scope
    ) -> None:
        """A nested block; where only some methods are allowed, the others are told."""
        for statement in self.block(value, path, depth + 1, scope):
            method = statement.method
            if param.values and method in METHODS and method not in param.values:
                text = f"'{method}' cannot stand in '{path[-1]}'"
                self.warn(statement.path, Code.ELEMENT_INVALID_VALUE, text)

    def condition(self, entry: object, path: Path, depth: int, scope: _Scope) -> None:
        """One entry of a `cond`."""
        if not isinstance(entry, dict):
            text = "an entry is a map with 'when' and 'then', or with 'else'"
            self.warn(path, Code.ELEMENT_WRONG_TYPE, text)
            return
        for key in entry:
            if key not in _CONDITION_KEYS:
                self.unknown(key, _CONDITION_KEYS, path)
        when = entry.get("when")
        if when is None and "else" not in entry:
            self.warn(path, Code.PARAMETER_MISSING, "'when' is missing")
        elif when is not None and not isinstance(when, (str, bool)):
            text = "'when' is a JavaScript expression"
            self.warn((*path, "when"), Code.ELEMENT_WRONG_TYPE, text)
        if when is not None and "then" not in entry:
            self.warn(path, Code.PARAMETER_MISSING, "'then' is missing")
        blocks = Param((Kind.STATEMENTS,))
        for branch in ("then", "else"):
            if entry.get(branch) is not None:
                self.value(blocks, entry[branch], (*path, branch), depth, scope)

    def destination(self, value: str, path: Path, scope: _Scope) -> None:
        """A section of this document, or something with the look of a URL or a document."""
        if value in scope.sections or any(sign in value for sign in ":/{"):
            return
        near = did_you_mean(value, scope.sections)
        text = f"there is no section '{shown(value)}'{near}"
        self.warn(path, Code.SECTION_UNDEFINED, text)


def clean(text: str) -> str:
    """A message that holds words of the document, without control characters."""
    return "".join(shown(char) for char in text)
