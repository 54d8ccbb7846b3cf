"""Programs of the published SDKs as processes; they say what happens as lines of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).resolve().parent / "programs"
SAID_S = 40.0

Said = dict[str, Any]


class SdkProgram:
    """A running program. Lines that are no JSON object with an "event" are its log.

    Read by a thread, so that it may be shared by tests with loops of their own.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log: list[str] = []
        self.events: list[Said] = []
        self._taken = 0
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = _object(line)
            if said is None or "event" not in said:
                self.log.append(line.rstrip())
            else:
                self.events.append(said)

    def forget(self) -> None:
        """What was said so far is not waited for any more."""
        self._taken = len(self.events)

    async def said(self, event: str, seconds: float = SAID_S) -> Said:
        """The next `event` after the last one asked for; others between are passed over."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    over = not self._reader.is_alive()
                    while self._taken < len(self.events):
                        self._taken += 1
                        if self.events[self._taken - 1]["event"] == event:
                            return self.events[self._taken - 1]
                    assert not over, f"it ended without {event!r}: {self.tail()}"
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"it did not say {event!r}: {self.tail()}") from None

    def all(self, event: str, since: int = 0) -> list[Said]:
        """Everything it said of a kind."""
        return [said for said in self.events[since:] if said["event"] == event]

    def tail(self) -> str:
        """The end of what it said and of its log."""
        return "\n".join((*map(str, self.events[-5:]), *self.log[-30:]))

    async def ended(self, seconds: float = SAID_S) -> int:
        """Its exit code, once it has ended by itself."""
        async with asyncio.timeout(seconds):
            while (code := self.process.poll()) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return code

    def stop(self) -> None:
        """Kill it, unless it has ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def sdk_program(
    python: Path, program: Path | str, *args: str, env: Mapping[str, str] | None = None
) -> Iterator[SdkProgram]:
    """Run a program of `programs/` (or a path) by an SDK's interpreter; killed on leaving."""
    file = PROGRAMS / program if isinstance(program, str) else program
    process = subprocess.Popen(
        [str(python), "-u", str(file), *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
    )
    run = SdkProgram(process)
    try:
        yield run
    finally:
        run.stop()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_listening(port: int, gone: Callable[[], object], seconds: float = SAID_S) -> None:
    """Until something listens on the port. gone: True = it never will."""
    pause = threading.Event()
    for _ in range(round(seconds / 0.05)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert not gone(), "it ended before it listened"
        pause.wait(0.05)
    raise AssertionError(f"nothing listens on port {port}")


def _object(text: str) -> Said | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
