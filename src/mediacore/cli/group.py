"""The command group: lazy sub-commands, and errors turned into one message and an exit code."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import click

from mediacore.errors import ConfigError, MediacoreError, MissingDependencyError

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_MISSING: Final = 3

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "demo": "Hold a complete conversation, offline, and show it.",
        "talk": "Talk to an agent through this machine's microphone.",
        "call": "Call an agent with recordings, or place a call: mediacore call sip:…",
        "serve": "Run calls by a document, an agent's server, or a controller.",
        "worker": "Deliver what calls left to do: payloads and extractions.",
        "check": "Say what of a flow document runs here, with line numbers.",
        "purge": "Remove old calls, or their sound and text, from a directory of records.",
        "report": "Make report.html and timeline.png of a recorded call.",
        "bench": "Measure this machine: frame cost, density, barge-in, heard text.",
        "simulate": "Run thousands of calls on virtual time and check every rule.",
        "doctor": "Say what is installed, what is missing, and how to add it.",
    }
)
"""Name and summary; the command is `command` in the module of its name."""

EPILOG: Final = """\b
Exit codes:
  0  done
  1  it failed; the message says why
  2  wrong usage: an option, argument or file that cannot be used
  3  a package, library, model or device is missing; the message names the fix
  130  interrupted
"""


def exit_code(error: MediacoreError) -> int:
    """The process's exit code for an error."""
    if isinstance(error, MissingDependencyError):
        return EXIT_MISSING
    return EXIT_USAGE if isinstance(error, ConfigError) else EXIT_FAILED


class LazyGroup(click.Group):
    """A group whose commands are imported on use, so that --help and --version are quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"mediacore.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run; an error raised on purpose becomes one message on stderr."""
        try:
            return super().invoke(ctx)
        except MediacoreError as error:
            if ctx.params.get("debug"):
                raise
            for line in (f"mediacore: {error}", *getattr(error, "__notes__", ())):
                click.echo(line, err=True)
            ctx.exit(exit_code(error))
        except KeyboardInterrupt:
            click.echo("mediacore: interrupted", err=True)
            ctx.exit(130)


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="mediacore", prog_name="mediacore")
def main(debug: bool) -> None:
    """Talk with people on the phone: an audio core in C, decisions in Python.

    Begin with `mediacore doctor`, then `mediacore demo`.
    """
