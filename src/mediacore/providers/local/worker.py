"""The parent's half of a worker: one model in one child process, shared by all calls.

The event loop never waits: requests and replies are buffered by the pipe transports. A child that
dies fails the requests in flight with `ErrorClass.CRASHED` and is started again, at once if it had
been useful, else by the next request.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mediacore.errors import (
    ConfigError,
    ErrorClass,
    MediacoreError,
    MissingDependencyError,
    ProviderError,
)
from mediacore.providers.local import frames

_ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}
_SERVE: Final = "mediacore.providers.local.serve"
_LOAD_TIMEOUT_S: Final = 60.0
_EXIT_TIMEOUT_S: Final = 2.0

Reply = tuple[frames.Head, bytes]


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """What a worker has done since it was made. pid: None while no child runs."""

    pid: int | None
    in_flight: int
    requests: int
    starts: int
    crashes: int
    refused: int


class _Child(asyncio.Protocol):
    """One run of the child process and the requests it is working on. Protocol of its stdout.

    asyncio's own subprocess support is not used: cancelling it while it starts a process hangs
    in CPython 3.11.
    """

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], on_exit: Callable[[_Child], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.loaded = False
        self.useful = False
        self._name = name
        self._process = process
        self._on_exit = on_exit
        self._decoder = frames.Decoder()
        self._ids = itertools.count(1)
        # Unbounded per request, but a request's output is bounded by its input.
        self._replies: dict[int, asyncio.Queue[Reply | ProviderError]] = {}
        self._stdin: asyncio.WriteTransport | None = None

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    async def connect(self) -> None:
        """Attach the pipes to the event loop."""
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: self, self._process.stdout)
        transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, self._process.stdin)
        self._stdin = transport

    def data_received(self, data: bytes) -> None:
        try:
            for head, body in self._decoder.feed(data):
                self._take(head, body)
        except (frames.FrameError, KeyError, ValueError):
            self.kill()

    def connection_lost(self, exc: Exception | None) -> None:
        self.kill()
        self.close_input()
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, self._process.wait).add_done_callback(self._reaped)

    def _reaped(self, exit_code: asyncio.Future[int]) -> None:
        self._on_exit(self)  # before anybody can ask again
        code = None if exit_code.cancelled() else exit_code.result()
        error = ProviderError(ErrorClass.CRASHED, f"worker ended (exit {code})", self._name)
        for queue in self._replies.values():
            queue.put_nowait(error)
        self._not_ready(error)
        if not self.gone.done():
            self.gone.set_result(None)

    def kill(self) -> None:
        """End the child now."""
        self._process.kill()

    def close_input(self) -> None:
        """Tell the child to end."""
        if self._stdin is not None:
            self._stdin.close()

    async def request(
        self, head: Mapping[str, Any], body: bytes, priority: int
    ) -> AsyncGenerator[Reply, None]:
        """Send one request and yield its replies; closing the iterator cancels it."""
        ident = next(self._ids)
        queue: asyncio.Queue[Reply | ProviderError] = asyncio.Queue()
        if self.gone.done():
            raise ProviderError(ErrorClass.CRASHED, "worker is gone", self._name)
        self._replies[ident] = queue
        ended = False
        try:
            self._send({**head, "id": ident, "priority": priority}, body)
            while True:
                item = await queue.get()
                if isinstance(item, ProviderError):
                    ended = True
                    raise item
                if item[0].get("end"):
                    ended = True
                    return
                yield item
        finally:
            del self._replies[ident]
            if not ended:
                self._send({"cancel": ident})

    def _send(self, head: Mapping[str, Any], body: bytes = b"") -> None:
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.write(frames.encode(head, body))

    def _take(self, head: frames.Head, body: bytes) -> None:
        if "ready" in head:
            self.loaded = True
            if not self.ready.done():
                self.ready.set_result(None)
            return
        if "failed" in head:
            self._not_ready(_start_error(self._name, head))
            return
        self.useful = True
        queue = self._replies.get(head["id"])
        if queue is None:
            return  # cancelled meanwhile
        if "error" in head:
            error_class = ErrorClass(head["error"])
            queue.put_nowait(ProviderError(error_class, str(head["message"]), self._name))
        else:
            queue.put_nowait((head, body))

    def _not_ready(self, error: Exception) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)
            self.ready.exception()  # nobody may be left to see it: no complaint then


def _start_error(name: str, head: frames.Head) -> Exception:
    if head["failed"] == "missing":
        return MissingDependencyError(str(head["message"]), str(head["fix"]))
    if head["failed"] == "config":
        return ConfigError(str(head["message"]))
    message = f"worker did not start: {head['message']}"
    return ProviderError(ErrorClass.UNAVAILABLE, message, name)


def _environment() -> dict[str, str]:
    """The parent's environment, one thread per library, this very package importable."""
    source = str(Path(__file__).parents[3])
    inherited = os.environ.get("PYTHONPATH")
    path = source if inherited is None else source + os.pathsep + inherited
    return {**os.environ, **_ONE_THREAD, "PYTHONPATH": path}


def _spawn(command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=_environment(),
        start_new_session=True,  # an interrupt at the terminal is for the parent
    )


class Worker:
    """A model in a child process. Belongs to the event loop that first uses it.

    name: for error messages. module: has `load(config)`, see `serve`. config: JSON values.
    capacity: requests in flight, of all calls together; more are refused with RATE_LIMITED.
    """

    def __init__(
        self, name: str, module: str, config: Mapping[str, Any], *, capacity: int = 16
    ) -> None:
        self._name = name
        self._command = (sys.executable, "-m", _SERVE, module, json.dumps(dict(config)))
        self._capacity = capacity
        self._child: asyncio.Task[_Child] | None = None
        self._live: _Child | None = None
        self._closed = False
        self._in_flight = 0
        self._requests = 0
        self._starts = 0
        self._crashes = 0
        self._refused = 0

    @property
    def in_flight(self) -> int:
        """Requests queued or being worked on."""
        return self._in_flight

    def snapshot(self) -> WorkerStats:
        """Counters."""
        return WorkerStats(
            pid=None if self._live is None else self._live.pid,
            in_flight=self._in_flight,
            requests=self._requests,
            starts=self._starts,
            crashes=self._crashes,
            refused=self._refused,
        )

    async def prewarm(self) -> None:
        """Start the child and wait until its model is loaded."""
        await self._running()

    async def call(
        self, head: Mapping[str, Any], body: bytes = b"", *, priority: int = 0
    ) -> AsyncGenerator[Reply, None]:
        """Yield the replies to one request. Closing the iterator cancels it.

        priority: 0 first. Raises ProviderError (RATE_LIMITED, CRASHED or the model's own),
        MissingDependencyError or ConfigError.
        """
        if self._in_flight >= self._capacity:
            self._refused += 1
            raise ProviderError(ErrorClass.RATE_LIMITED, "worker queue is full", self._name)
        self._in_flight += 1
        self._requests += 1
        try:
            child = await self._running()
            async with aclosing(child.request(head, body, priority)) as replies:
                async for reply in replies:
                    yield reply
        finally:
            self._in_flight -= 1

    async def aclose(self) -> None:
        """End the child; requests in flight fail. Idempotent."""
        self._closed = True
        if self._child is not None and not self._child.done():
            if self._live is not None:
                self._live.kill()
            await asyncio.wait([self._child])
        if self._live is not None:
            await _end(self._live)

    async def _running(self) -> _Child:
        if self._closed:
            raise ProviderError(ErrorClass.UNAVAILABLE, "worker is closed", self._name)
        return await asyncio.shield(self._child or self._launch())

    def _launch(self) -> asyncio.Task[_Child]:
        self._child = asyncio.create_task(self._start(), name=f"worker {self._name}")
        self._child.add_done_callback(self._started)
        return self._child

    def _started(self, task: asyncio.Task[_Child]) -> None:
        failed = task.cancelled() or task.exception() is not None
        if failed and self._child is task:
            self._child = None

    async def _start(self) -> _Child:
        self._starts += 1
        child = _Child(self._name, _spawn(self._command), self._ended)
        self._live = child
        try:
            await child.connect()
            await self._loaded(child)
        except MediacoreError:
            child.kill()
            await asyncio.shield(child.gone)
            raise
        except asyncio.CancelledError:
            child.kill()
            raise
        return child

    async def _loaded(self, child: _Child) -> None:
        try:
            async with asyncio.timeout(_LOAD_TIMEOUT_S):
                await asyncio.shield(child.ready)
        except TimeoutError:
            message = f"worker did not load within {_LOAD_TIMEOUT_S:.0f} s"
            raise ProviderError(ErrorClass.TIMEOUT, message, self._name) from None

    def _ended(self, child: _Child) -> None:
        if self._live is child:
            self._live = None
        if child.loaded and not self._closed:
            self._crashes += 1
            self._child = None
            if child.useful:
                self._launch()


async def _end(child: _Child) -> None:
    child.close_input()
    try:
        async with asyncio.timeout(_EXIT_TIMEOUT_S):
            await asyncio.shield(child.gone)
    except TimeoutError:
        child.kill()
        await child.gone
