"""A phone by pjsua2 (PyPI pjsua2-python) in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

import pytest

from support.peers.process import LOOPBACK, free_port

PROGRAM = Path(__file__).parents[1] / "programs" / "pjsua_phone.py"


def need_pjsua() -> None:
    """Skip without the package; fail where it must be there (CI)."""
    if os.environ.get("CI"):
        __import__("pjsua2")
    pytest.importorskip("pjsua2")


class Pjsua:
    """One phone. options: of tests/support/programs/pjsua_phone.py. Use as a context."""

    def __init__(self, microphone: Path, folder: Path, *options: str) -> None:
        need_pjsua()
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.uri = f"sip:pjsua@{LOOPBACK}:{self.port}"
        self.recording = folder / "heard.wav"
        self.events: list[dict[str, Any]] = []
        self._log = folder / "pjsua.log"
        self._more = threading.Condition()
        self._arguments = [
            *(sys.executable, "-W", "ignore", str(PROGRAM), str(microphone), str(self.recording)),
            *("--port", str(self.port), "--rtp-port", str(free_port(even=True)), *options),
        ]

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.expect("ready")
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        if self._process.poll() is None:
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)
        self._reader.join(5)
        self._process.stdout.close()

    def do(self, command: str) -> None:
        """See the program for its commands."""
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")
        self._process.stdin.flush()

    def expect(self, kind: str, timeout_s: float = 10, **facts: Any) -> dict[str, Any]:
        """The first event of a kind with these facts, taken out of those that came so far."""
        end = time.monotonic() + timeout_s
        with self._more:
            while True:
                for event in self.events:
                    if event["event"] == kind and facts.items() <= event.items():
                        self.events.remove(event)
                        return event
                left_s = end - time.monotonic()
                if left_s <= 0:
                    log = self._log.read_text(errors="replace")[-3000:]
                    raise AssertionError(f"no {kind} {facts}; came: {self.events}\n{log}")
                self._more.wait(left_s)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._log.open("ab") as log:
            for line in self._process.stdout:
                if not line.startswith(b"{"):
                    log.write(line)
                    continue
                with self._more:
                    self.events.append(json.loads(line))
                    self._more.notify_all()
