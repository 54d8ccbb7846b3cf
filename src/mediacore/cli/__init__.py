"""The command `mediacore`. Sub-commands are imported when they are used."""

from mediacore.cli.group import main

__all__ = ["main"]
