"""`mediacore report`."""

from __future__ import annotations

from pathlib import Path

import click

from mediacore.cli.output import call_figures, echo_json, write_views
from mediacore.store.records import read_record

EXAMPLE = """\b
Examples:
  mediacore report demo-call
  mediacore report archive/2026-11-21/call.json --out /tmp/look
"""


@click.command("report", epilog=EXAMPLE)
@click.argument("call", type=click.Path(path_type=Path), metavar="CALL")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory for the files.  [default: beside the record]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the call's figures as JSON.")
def command(call: Path, out: Path | None, as_json: bool) -> None:
    """Make the page and the picture of a recorded call.

    CALL is the call's directory or its call.json. The page works offline and holds everything,
    the sound included.
    """
    record = read_record(call)
    source = call if call.is_dir() else call.parent
    files, lacking = write_views(record, source, out)
    if as_json:
        figures = call_figures(record)
        echo_json({**figures, "files": [str(path) for path in files], "missing": lacking})
        return
    for path in files:
        click.echo(str(path))
    for line in lacking:
        click.echo(line, err=True)
