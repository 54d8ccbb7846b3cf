"""`mediacore purge`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from mediacore.errors import MediacoreError
from mediacore.store.retention import Retention, purge

EPILOG = """\b
Examples:
  mediacore purge calls --days 30
  mediacore purge calls --days 365 --no-audio --no-text
"""


@click.command("purge", epilog=EPILOG)
@click.argument("records", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--days", type=click.IntRange(min=0), help="Remove calls of this age.")
@click.option("--no-audio", is_flag=True, help="Remove the recordings of younger calls.")
@click.option("--no-text", is_flag=True, help="Remove what was said from younger calls.")
def command(records: Path, days: int | None, no_audio: bool, no_text: bool) -> None:
    """Remove what is too old from a directory of call records."""
    if days is None and not no_audio and not no_text:
        raise click.UsageError("nothing to do: give --days, --no-audio or --no-text")
    rules = Retention(days, keep_audio=not no_audio, keep_text=not no_text)
    done = purge(records, rules, int(time.time()))
    click.echo(f"{done.calls} calls removed, {done.files} files of others removed or rewritten")
    if done.failed:
        raise MediacoreError("\n".join(done.failed))
