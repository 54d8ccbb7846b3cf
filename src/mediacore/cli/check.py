"""`mediacore check`."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mediacore.assistant.params import known_params
from mediacore.cli.group import EXIT_FAILED
from mediacore.cli.output import echo_json
from mediacore.flow.findings import Finding, Severity
from mediacore.flow.methods import METHODS
from mediacore.flow.parsed import MAX_BYTES, DocumentError
from mediacore.flow.place import format_path, shown
from mediacore.flow.source import read_source
from mediacore.flow.spec import State
from mediacore.flow.statement import Statement
from mediacore.flow.validate import ParamState, examine

EXIT_PARTLY: Final = 3
ENDINGS: Final = (".json", ".yaml", ".yml")
STDIN: Final = "-"

EPILOG: Final = """\b
Examples:
  mediacore check agent.yaml
  mediacore check flows/ 'more/*.json' --strict
  curl -s http://127.0.0.1:3000/agent | mediacore check - --json

\b
Exit codes, the highest of all documents, 1 before 3:
  0  every document runs
  1  a document is refused
  2  wrong usage, or no document found
  3  every document runs, but something in one does not: a method that is
     not supported, a key or value that means nothing
"""


class Verdict(StrEnum):
    """What becomes of a document."""

    RUNS = "runs"
    PARTLY = "runs in part"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Checked:
    """One document and what was found. statements: those of methods that are supported."""

    name: str
    verdict: Verdict
    statements: tuple[Statement, ...]
    findings: tuple[Finding, ...]


@click.command("check", epilog=EPILOG)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--strict", is_flag=True, help="Refuse methods that are known but not supported.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], strict: bool, as_json: bool) -> None:
    """Say what of a document runs here: supported, ignored, unsupported, with line numbers.

    FILE is a document in JSON or YAML, a directory of them, a pattern, or - for standard input.
    Nothing in a document is fetched or executed.
    """
    table = known_params()
    checked = [_check(name, data, strict, table) for name, data in _documents(files)]
    if as_json:
        echo_json(_as_json(checked))
    else:
        _print(checked)
    code = exit_code(checked)
    if code:
        ctx.exit(code)


def exit_code(checked: Iterable[Checked]) -> int:
    """0, 1 or 3, as the help says."""
    verdicts = {one.verdict for one in checked}
    if Verdict.REFUSED in verdicts:
        return EXIT_FAILED
    return EXIT_PARTLY if Verdict.PARTLY in verdicts else 0


def _documents(names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Name and text of every document, each file once. Reads no more than is allowed, plus one."""
    done: set[Path] = set()
    for name in names:
        if name == STDIN:
            yield "<stdin>", sys.stdin.buffer.read(MAX_BYTES + 1)
            continue
        for path in _paths(name):
            if path.resolve() in done:
                continue
            done.add(path.resolve())
            try:
                with path.open("rb") as stream:
                    yield str(path), stream.read(MAX_BYTES + 1)
            except OSError as error:
                raise click.UsageError(f"{path}: {error.strerror}") from None


def _paths(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix in ENDINGS and p.is_file())
        if not found:
            raise click.UsageError(f"{name}: no {', '.join(ENDINGS)} file in this directory")
        return found
    if path.exists():
        return [path]
    matches = sorted(Path(match) for match in glob.glob(name, recursive=True))
    found = [match for match in matches if match.is_file()]
    if not found:
        raise click.UsageError(f"{name}: no such file")
    return found


def _check(name: str, data: bytes, strict: bool, table: Mapping[str, ParamState]) -> Checked:
    try:
        source = read_source(data, name)
    except DocumentError as error:
        finding = Finding(Severity.ERROR, error.place, error.path, error.code, error.text)
        return Checked(name, Verdict.REFUSED, (), (finding,))
    found = examine(source, ai_params=table)
    supported = tuple(
        statement
        for statement in found.statements
        if statement.method in METHODS and METHODS[statement.method].state is State.SUPPORTED
    )
    return Checked(name, _verdict(found.findings, strict), supported, found.findings)


def _verdict(findings: Iterable[Finding], strict: bool) -> Verdict:
    severities = {finding.severity for finding in findings}
    if Severity.ERROR in severities or (strict and Severity.UNSUPPORTED in severities):
        return Verdict.REFUSED
    if severities & {Severity.WARNING, Severity.UNSUPPORTED}:
        return Verdict.PARTLY
    return Verdict.RUNS


def _counts(checked: Iterable[Checked]) -> dict[str, int]:
    counts = {verdict.value: 0 for verdict in Verdict}
    for one in checked:
        counts[one.verdict.value] += 1
    return counts


def _as_json(checked: list[Checked]) -> dict[str, Any]:
    return {
        "documents": [
            {
                "name": one.name,
                "verdict": one.verdict.value,
                "supported": [
                    {
                        "method": statement.method,
                        "line": statement.place.line,
                        "column": statement.place.column,
                        "path": format_path(statement.path),
                    }
                    for statement in one.statements
                ],
                "findings": [
                    {
                        "severity": finding.severity.value,
                        "line": finding.place.line,
                        "column": finding.place.column,
                        "path": format_path(finding.path),
                        "code": str(finding.code),
                        "text": finding.text,
                    }
                    for finding in one.findings
                ],
            }
            for one in checked
        ],
        "summary": _counts(checked),
    }


_STYLES: Final = {
    Severity.ERROR: "bold red",
    Severity.WARNING: "yellow",
    Severity.IGNORED: "dim",
    Severity.UNSUPPORTED: "magenta",
    Severity.SUPPORTED: "green",
}
_VERDICT_STYLES: Final = {
    Verdict.RUNS: "bold green",
    Verdict.PARTLY: "bold yellow",
    Verdict.REFUSED: "bold red",
}


def _print(checked: list[Checked]) -> None:
    console = Console(highlight=False)
    for one in checked:
        console.print(
            Text(shown_name(one.name))
            .append(": ")
            .append(one.verdict.value, _VERDICT_STYLES[one.verdict])
        )
        console.print(_table(one))
        console.print()
    counts = _counts(checked)
    total = len(checked)
    parts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    console.print(f"{total} document{'s' if total != 1 else ''}: {parts}.")


def shown_name(name: str) -> str:
    """A file's name for the terminal, whole."""
    return "".join(shown(char) for char in name)


def _table(one: Checked) -> Table:
    table = Table(box=None, pad_edge=True, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    lines: dict[str, list[int]] = {}
    for statement in one.statements:
        lines.setdefault(statement.method, []).append(statement.place.line)
    for method, at in lines.items():
        word = Text(Severity.SUPPORTED.value, _STYLES[Severity.SUPPORTED])
        others = sorted(set(at) - {at[0]})
        rest = f" ×{len(at)}" if at[1:] else ""
        rest += f" (also in {_some(others)})" if others else ""
        table.add_row(word, str(at[0] or ""), Text(method).append(rest, "dim"))
    for finding in sorted(one.findings, key=lambda one: (one.place.line, one.place.column)):
        table.add_row(
            Text(finding.severity.value, _STYLES[finding.severity]),
            str(finding.place.line or ""),
            Text(finding.text).append(f"  {format_path(finding.path)}", "dim"),
        )
    return table


def _some(lines: list[int]) -> str:
    few = ", ".join(str(line) for line in lines[:8])
    return few + (f" and {len(lines) - 8} more" if len(lines) > 8 else "")
