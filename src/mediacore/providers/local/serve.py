"""The child's half of a worker: `python -m mediacore.providers.local.serve MODULE CONFIG_JSON`.

MODULE has `load(config) -> Handler`. Once loaded, the child says so and then works on requests
one step at a time: lowest priority number first, equal ones in turn, so that a long reply of one
call does not hold up the others. It ends when its standard input ends, even in the middle of a
computation; so it cannot outlive its parent.

    parent → child   {"id": n, "priority": p, …} + body │ {"cancel": n}
    child → parent   {"ready": true} │ {"failed": class, "message": …, "fix": …}     once, first
                     {"id": n, …} + body, any number; then {"id": n, "end": true}
                     or {"id": n, "error": class, "message": …}
"""

from __future__ import annotations

import heapq
import importlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from mediacore.errors import (
    ConfigError,
    ErrorClass,
    MediacoreError,
    MissingDependencyError,
    ProviderError,
)
from mediacore.providers.local import frames
from mediacore.providers.local.weights import FIX_LOCAL

Step = tuple[frames.Head, bytes] | None
"""A message to send, or None: a point where other work may go first."""

Handler = Callable[[frames.Head, bytes], Iterator[Step]]


@dataclass(order=True, slots=True)
class _Job:
    priority: int
    turn: int
    ident: int = field(compare=False)
    steps: Iterator[Step] = field(compare=False)


class Jobs:
    """Requests waiting for their next step; shared by the reader thread and the worker."""

    def __init__(self) -> None:
        self._waiting: list[_Job] = []
        self._known: set[int] = set()
        self._turn = 0
        self._changed = threading.Condition()

    def add(self, ident: int, priority: int, steps: Iterator[Step]) -> None:
        """Queue a new request."""
        with self._changed:
            self._known.add(ident)
            self._push(_Job(priority, 0, ident, steps))
            self._changed.notify()

    def again(self, job: _Job) -> None:
        """Queue a request's next step, behind others of its priority."""
        with self._changed:
            self._push(job)

    def cancel(self, ident: int) -> None:
        """Forget a request; its next step will not run."""
        with self._changed:
            self._known.discard(ident)

    def done(self, ident: int) -> bool:
        """Mark a request as ended; False if it had been cancelled."""
        with self._changed:
            known = ident in self._known
            self._known.discard(ident)
            return known

    def wait_next(self) -> _Job:
        """The job to step now; blocks until there is one that was not cancelled."""
        with self._changed:
            while True:
                while self._waiting:
                    job = heapq.heappop(self._waiting)
                    if job.ident in self._known:
                        return job
                self._changed.wait()

    def _push(self, job: _Job) -> None:
        self._turn += 1
        job.turn = self._turn
        heapq.heappush(self._waiting, job)


def describe(error: Exception) -> tuple[ErrorClass, str]:
    """Error class and message for the parent. Foreign messages may hold what was said: dropped."""
    if isinstance(error, ProviderError):
        return error.error_class, str(error)
    return ErrorClass.INTERNAL, f"{type(error).__name__} in the worker"


def load(module: str, config: Any) -> Handler:
    """Import the model's module and load its weights."""
    try:
        handler: Handler = importlib.import_module(module).load(config)
    except ImportError as error:
        raise MissingDependencyError(f"Python package {error.name!r}", FIX_LOCAL) from None
    return handler


def _failure(error: Exception) -> frames.Head:
    if isinstance(error, MissingDependencyError):
        return {"failed": "missing", "message": error.what, "fix": error.fix}
    kind = "config" if isinstance(error, ConfigError) else "other"
    text = str(error) if isinstance(error, MediacoreError) else f"{type(error).__name__}: {error}"
    return {"failed": kind, "message": text}


def step(job: _Job, jobs: Jobs, send: Callable[[bytes], object]) -> None:
    """Run one step of a request and send what came of it."""
    try:
        result = next(job.steps)
    except StopIteration:
        if jobs.done(job.ident):
            send(frames.encode({"id": job.ident, "end": True}))
    except Exception as error:
        error_class, message = describe(error)
        if jobs.done(job.ident):
            send(frames.encode({"id": job.ident, "error": error_class, "message": message}))
    else:
        if result is not None:
            head, body = result
            send(frames.encode({**head, "id": job.ident}, body))
        jobs.again(job)


def _read_requests(stream: BinaryIO, jobs: Jobs, handler: Handler) -> None:
    while (message := frames.read(stream)) is not None:
        head, body = message
        if "cancel" in head:
            jobs.cancel(head["cancel"])
        else:
            jobs.add(head["id"], head.get("priority", 0), handler(head, body))
    os._exit(0)


def main(argv: list[str]) -> int:
    """Serve requests until standard input ends."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # libraries that print must not write into the replies

    def send(data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[replies.write(view) :]

    try:
        handler = load(argv[0], json.loads(argv[1]))
    except Exception as error:
        send(frames.encode(_failure(error)))
        return 1
    send(frames.encode({"ready": True}))
    jobs = Jobs()
    reader = threading.Thread(target=_read_requests, args=(requests, jobs, handler), daemon=True)
    reader.start()
    while True:
        step(jobs.wait_next(), jobs, send)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
