"""Programs of the published SDKs as processes; they say what happens as lines of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).resolve().parent / "programs"
SAID_S = 40


class SdkProgram:
    """A running program. Lines that are no JSON object are its log."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log: list[str] = []
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()
        self._taken = 0
        self._over = False

    async def read(self) -> None:
        """Take what it says until it ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip()
            said = _object(text)
            if said is None or "event" not in said:
                self.log.append(text)
            else:
                self.events.append(said)
            self._changed.set()
        self._over = True
        self._changed.set()

    async def said(self, event: str, seconds: float = SAID_S) -> dict[str, Any]:
        """The next `event` after the last one asked for; others between are passed over."""
        async with asyncio.timeout(seconds):
            while True:
                while self._taken < len(self.events):
                    self._taken += 1
                    if self.events[self._taken - 1]["event"] == event:
                        return self.events[self._taken - 1]
                assert not self._over, f"ended without {event}: {self.tail()}"
                self._changed.clear()
                await self._changed.wait()

    def all(self, event: str) -> list[dict[str, Any]]:
        """Everything it said of a kind so far."""
        return [said for said in self.events if said["event"] == event]

    def tail(self) -> str:
        """The end of its log."""
        return f"{self.events[-5:]}\n" + "\n".join(self.log[-30:])

    async def ended(self, seconds: float = SAID_S) -> int:
        """Its exit code, once it has ended by itself."""
        async with asyncio.timeout(seconds):
            return await self.process.wait()


@asynccontextmanager
async def sdk_program(
    python: Path, program: Path | str, *args: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[SdkProgram]:
    """Run a program of `programs/` (or a path) by an SDK's interpreter; killed on leaving."""
    file = PROGRAMS / program if isinstance(program, str) else program
    process = await asyncio.create_subprocess_exec(
        str(python),
        "-u",
        str(file),
        *args,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 24,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
    )
    run = SdkProgram(process)
    reader = asyncio.create_task(run.read())
    try:
        yield run
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reader
        process._transport.close()  # type: ignore[attr-defined]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
