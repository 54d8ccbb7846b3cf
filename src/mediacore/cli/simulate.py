"""`mediacore simulate`."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mediacore.cli.environment import environment
from mediacore.cli.output import echo_json
from mediacore.errors import ConfigError
from mediacore.flow.script import QuickJs
from mediacore.simulate.figures import Figures, simulate
from mediacore.simulate.runner import Simulator
from mediacore.simulate.scenarios import fetchable, scenarios
from mediacore.simulate.shrink import broken_rule, shrink, story
from mediacore.store.records import write_atomic

EXAMPLE = """\b
Every call is a function of its seed. When a rule is broken, the seed is printed with the shortest
order of events that breaks it, and the exit code is 1.

\b
Example:
  mediacore simulate --runs 20000 --seed 1 --json simulate.json
  mediacore simulate --replay 4711
"""


@click.command("simulate", epilog=EXAMPLE)
@click.option("--runs", type=click.IntRange(1), default=2000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The first.")
@click.option("--scenario", metavar="NAME", help="Only this kind of call.")
@click.option("--replay", type=click.IntRange(0), metavar="SEED", help="Tell one call's story.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Also write figures and environment here; - prints them instead of the table.",
)
def command(
    runs: int, seed: int, scenario: str | None, replay: int | None, json_file: Path | None
) -> None:
    """Run whole calls on virtual time, with everything late, lost, doubled or out of order.

    People, providers, webhooks, transfer targets and controllers are played from a seed around the
    reducer that runs real calls; its rules are checked after every step.
    """
    simulator = _simulator(scenario)
    if replay is not None:
        click.get_current_context().exit(_replay(simulator, replay, scenario))
    figures = _run(simulator, seed, runs)
    result = {"figures": figures.as_json(), "environment": environment()}
    if json_file == Path("-"):
        echo_json(result)
    else:
        if json_file is not None:
            write_atomic(json_file, (json.dumps(result, indent=2) + "\n").encode())
        _print(figures)
    if figures.violations:
        first = {broken_rule(o): o.seed for o in reversed(figures.found)}
        for found in first.values():
            _tell(simulator, found, scenario)
        click.get_current_context().exit(1)


def _simulator(name: str | None) -> Simulator:
    found = scenarios(QuickJs())
    if name is not None:
        chosen = tuple(s for s in found if s.name == name)
        if not chosen:
            names = ", ".join(s.name for s in found)
            raise ConfigError(f"no scenario {name!r}; there are {names}")
        found = chosen
    return Simulator(found, fetchable())


def _run(simulator: Simulator, seed: int, runs: int) -> Figures:
    console = Console(stderr=True)
    columns = (TextColumn("calls"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("calls", total=runs)

        def done(number: int) -> None:
            progress.update(task, completed=number)

        return simulate(simulator, seed, runs, time.process_time, done)


def _print(figures: Figures) -> None:
    table = Table(title="mediacore simulate", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    rows = figures.as_json()
    for key in ("runs", "interleavings", "violations", "runs_per_cpu_s", "steps", "virtual_hours"):
        table.add_row(key, f"{rows[key]:,}")
    Console().print(table)


def _tell(simulator: Simulator, seed: int, scenario: str | None) -> None:
    shrunk = shrink(simulator, seed)
    if shrunk is None:
        return
    chosen = f" --scenario {scenario}" if scenario else ""
    click.echo()
    click.echo(f"seed {seed} ({shrunk.outcome.scenario}): {shrunk.outcome.violation}")
    click.echo(f"again: mediacore simulate{chosen} --replay {seed}")
    click.echo("The shortest order of events that shows it:")
    for line in shrunk.lines:
        click.echo(f"  {line}")


def _replay(simulator: Simulator, seed: int, scenario: str | None) -> int:
    outcome, lines = story(simulator, seed, None)
    for line in lines:
        click.echo(line)
    if outcome.violation is None:
        click.echo(f"{outcome.scenario}: {outcome.steps} steps, all rules held.")
        return 0
    _tell(simulator, seed, scenario)
    return 1
