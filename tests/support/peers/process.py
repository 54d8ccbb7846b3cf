"""Programs of other people, run for a test and ended with it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

LOOPBACK = "127.0.0.1"


def need_program(name: str) -> str:
    """Its path; without it the test is skipped, and fails where it must be there (CI)."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is not None:
        return path
    message = f"{name} is missing: tools/install_peers.sh"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM, *, even: bool = False) -> int:
    """A port that was free a moment ago, for programs that must be told one: below those that
    the kernel gives to everybody who asks for any."""
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        if even and port % 2:
            continue
        with socket.socket(socket.AF_INET, kind) as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port


class Program:
    """A process whose output goes to a file. Use as a context; SIGTERM ends it, then SIGKILL."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path) -> None:
        self.folder = folder
        self.log = folder / f"{Path(name).name}.log"
        self._arguments = [need_program(name), *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Program:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
            )
        return self

    def __exit__(self, *exc_info: object) -> None:
        process = self._process
        assert process is not None
        if process.stdin is not None:
            process.stdin.close()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        with suppress(ProcessLookupError):  # children that outlived it
            os.killpg(process.pid, signal.SIGKILL)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a crash would end it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(5)

    def wait(self, timeout_s: float) -> int:
        """Its exit code; fails with its output when it does not end."""
        assert self._process is not None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end in {timeout_s} s:\n{self.output()}") from None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def expect(self, text: str, timeout_s: float = 10, times: int = 1) -> None:
        """Wait until the output has `text` so many times."""
        self.until(lambda: self.output().count(text) >= times, timeout_s, repr(text))

    def until(self, true: Callable[[], bool], timeout_s: float, what: str) -> None:
        end = time.monotonic() + timeout_s
        while not true():
            assert self._process is not None
            if self._process.poll() is not None and not true():
                raise AssertionError(f"ended before {what}:\n{self.output()}")
            if time.monotonic() > end:
                raise AssertionError(f"no {what} in {timeout_s} s:\n{self.output()}")
            time.sleep(0.05)
