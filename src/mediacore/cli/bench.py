"""`mediacore bench`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from mediacore.app_options import BenchOptions
from mediacore.bench.goals import GOALS, verdicts
from mediacore.cli.environment import environment
from mediacore.cli.output import echo_json, need
from mediacore.store.records import write_atomic

BENCHES: Final = ("frame", "density", "bargein", "heard", "control", "links")

EXAMPLE = """\b
What is measured:
  frame    nanoseconds per 20 ms frame, whole and by stage
  density  concurrent calls per core, late frames, memory per call
  bargein  caller's onset to silence, decision to last sample
  heard    ledger against the wire, heard words against the truth
  control  decisions of 100 calls by documents: latency, CPU per call, commands
  links    CPU of a leg by RTP, SIP, SRTP, WebSocket, AudioSocket, WebRTC; of SIP call set-up

\b
Example:
  mediacore bench frame --json frame.json
"""


@click.command("bench", epilog=EXAMPLE)
@click.argument("name", type=click.Choice(BENCHES))
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Also write bench, figures, goals and environment here; - prints them, not the table.",
)
@click.option("--quick", is_flag=True, help="A shorter run: same figures, less exact.")
def command(name: str, json_file: Path | None, quick: bool) -> None:
    """Measure this machine. Figures are CPU seconds and ratios; close other programs."""
    run = need(f"mediacore.bench.{name}", "bench").run
    around = environment()
    figures: dict[str, float] = run(BenchOptions(quick, lambda line: click.echo(line, err=True)))
    goals = verdicts(name, figures)
    result = {"bench": name, "figures": figures, "goals": goals, "environment": around}
    if json_file == Path("-"):
        echo_json(result)
        return
    if json_file is not None:
        write_atomic(json_file, (json.dumps(result, indent=2) + "\n").encode())
    _print(name, figures, around)


def _print(name: str, figures: Mapping[str, float], around: Mapping[str, Any]) -> None:
    table = Table(title=f"mediacore bench {name}", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("goal")
    table.add_column("met")
    for key, value in figures.items():
        goal = GOALS.get((name, key))
        met = "" if goal is None else "yes" if goal.met_by(value) else "NO"
        table.add_row(key, number(value), str(goal or ""), met)
    console = Console()
    console.print(table)
    console.print(
        f"{around['cpu']}, {around['cores_usable']} cores, load {around['load_average']}, "
        f"{around['kernel']}, {around['python']}",
        style="dim",
        markup=False,
    )


def number(value: float) -> str:
    """A figure with four digits that count."""
    if isinstance(value, int) or not math.isfinite(value):
        return f"{value:,}"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 6)}f}"
