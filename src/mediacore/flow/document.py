"""A document that can be run: its sections and statements, and what was found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mediacore.flow.findings import Code, Finding, Severity
from mediacore.flow.parsed import DocumentError, Source
from mediacore.flow.place import Path
from mediacore.flow.statement import Statement, StatementError, read_statement
from mediacore.flow.validate import ParamState, examine

__all__ = ["Document", "Statement", "load_document", "read_block", "requires_model"]


@dataclass(frozen=True, slots=True)
class Document:
    """Sections of statements. statements: every one in document order, nested ones included."""

    name: str
    sections: Mapping[str, tuple[Statement, ...]]
    findings: tuple[Finding, ...] = ()
    statements: tuple[Statement, ...] = ()


def load_document(
    source: Source,
    *,
    strict: bool = False,
    ai_params: Mapping[str, ParamState] | None = None,
) -> Document:
    """Make a document. strict: refuse methods that are known and not supported, too.

    ai_params: known keys of `ai.params`; without it they are not looked at. Raises DocumentError
    for the first error in document order.
    """
    found = examine(source, ai_params=ai_params)
    fatal = {Severity.ERROR, Severity.UNSUPPORTED} if strict else {Severity.ERROR}
    for finding in found.findings:
        if finding.severity in fatal:
            raise DocumentError(
                source.name, finding.place, finding.path, finding.code, finding.text
            )
    return Document(source.name, found.sections, found.findings, found.statements)


def read_block(written: object, path: Path, source: Source) -> tuple[Statement, ...]:
    """The statements of a nested list: `then`, `else`, a case, `on_return`, `confirm`.

    path: of the list. Raises DocumentError when one of them is not a statement; methods are not
    looked up.
    """
    if not isinstance(written, list):
        text = "a block is a list of statements"
        raise DocumentError(source.name, source.place(path), path, Code.ELEMENT_WRONG_TYPE, text)
    made: list[Statement] = []
    for index, item in enumerate(written):
        below = (*path, index)
        try:
            made.append(read_statement(item, below, source))
        except StatementError as error:
            raise DocumentError(
                source.name, source.place(below), below, Code.METHOD_MISSING_NAME, str(error)
            ) from None
    return tuple(made)


def requires_model(document: Document) -> Statement | None:
    """The first `ai` statement, nested ones included; None when no language model is needed."""
    for statement in document.statements:
        if statement.method == "ai":
            return statement
    return None
