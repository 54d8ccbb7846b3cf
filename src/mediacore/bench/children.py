"""Processes of a measurement: told by one line, answering in lines, gone afterwards."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Final

Child = subprocess.Popen[str]
_PATIENCE_S: Final = 5


@contextmanager
def child(command: Sequence[str]) -> Iterator[Child]:
    """Run a command until the block is left, whatever happens in it."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def tell(process: Child, order: dict[str, object]) -> None:
    """Send one line of JSON."""
    pipe = _open(process.stdin)
    pipe.write(json.dumps(order) + "\n")
    pipe.flush()


def line(process: Child) -> str:
    """Wait for the next line. Raises RuntimeError when the process ended instead."""
    text = _open(process.stdout).readline()
    if not text:
        raise RuntimeError(f"a process of the measurement failed: {process.args!r}")
    return text


def _open(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
