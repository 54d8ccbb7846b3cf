"""Dump the documents of the examples that the installed SDK ships, by their own commands.

    python dump_examples.py OUT.json "NAME" "NAME CLASS" "NAME --option …" …

Without options it is the SDK's own `swaig-test NAME.py --dump-swml --raw`, with a class where a
file has several agents; with options the example itself is run with them. OUT.json maps each of
the arguments to {"document"} or {"why"}: what was said instead of a document. Importing the SDK
takes long and dumping does not, so that each example gets a fork of one interpreter.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import signalwire
from signalwire.cli import test_swaig

LIMIT_S = 30
EXAMPLES = Path(signalwire.__file__).parent / "_docs" / "examples"


def dump(wanted: str) -> dict[str, Any]:
    name, *options = wanted.split()
    file = str(EXAMPLES / f"{name}.py")
    if options[:1] and options[0].startswith("--"):
        said = in_child([file, *options], lambda: runpy.run_path(file, run_name="__main__"))
        return found(said) or {"why": said}
    which = ["--agent-class", *options] if options else []
    said = in_child(["swaig-test", file, *which, "--dump-swml", "--raw"], test_swaig.main)
    return found(said) or {
        "why": said + in_child(["swaig-test", file, *which, "--list-tools"], test_swaig.main)
    }


def found(said: str) -> dict[str, Any] | None:
    """The document, which may come after lines of a log."""
    lines = said.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("{"):
            try:
                document = json.loads("\n".join(lines[number:]))
            except ValueError:
                continue
            if "sections" in document:
                return {"document": document}
    return None


def in_child(argv: list[str], act: Callable[[], object]) -> str:
    """Everything that a command says."""
    with tempfile.TemporaryFile() as out:
        child = os.fork()
        if child == 0:
            signal.alarm(LIMIT_S)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
            sys.argv = argv
            try:
                act()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)
        os.waitpid(child, 0)
        out.seek(0)
        return out.read().decode(errors="replace")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps({name: dump(name) for name in sys.argv[2:]}))
