"""The worker that does the jobs of a queue, one at a time.

It may run in the process of the calls or, better, in its own: it shares nothing with calls but
the queue's file.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mediacore.errors import MediacoreError
from mediacore.store.database import DatabaseError
from mediacore.store.queue import Job, Queue

Handler = Callable[[Job], Awaitable[None]]
_LOG: Final = logging.getLogger("mediacore.worker")


class PermanentError(MediacoreError):
    """Raised by a handler: no further try can help."""


@dataclass(frozen=True, slots=True)
class WorkRules:
    """ttl_s: lease. limit_s: longest run of a handler, shorter than the lease. poll_s: pause when
    nothing is ready, and after the queue itself failed.
    """

    ttl_s: float = 150.0
    limit_s: float = 120.0
    poll_s: float = 1.0


@dataclass(slots=True)
class WorkStats:
    """What a worker did."""

    done: int = 0
    failed: int = 0
    lost: int = 0  # finished after the lease had gone to another
    queue_errors: int = 0


async def work(
    queue: Queue,
    handlers: Mapping[str, Handler],
    stop: asyncio.Event,
    *,
    worker: str = "worker",
    rules: WorkRules | None = None,
    stats: WorkStats | None = None,
) -> WorkStats:
    """Do jobs until `stop` is set; the job at hand is finished first.

    A handler that raises or overruns gets its job again later. Cancelling gives the job back. All
    times are the event loop's.
    """
    rules = rules or WorkRules()
    stats = stats or WorkStats()
    while not stop.is_set():
        try:
            job = await queue.lease(worker, round(rules.ttl_s * 1000))
            if job is not None:
                await _do(queue, handlers, job, rules, stats)
                continue
        except DatabaseError as error:
            stats.queue_errors += 1
            _LOG.warning("queue error=%s", type(error).__name__)
        await _pause(stop, rules.poll_s)
    return stats


async def _do(
    queue: Queue, handlers: Mapping[str, Handler], job: Job, rules: WorkRules, stats: WorkStats
) -> None:
    failure, dead = "", False
    handler = handlers.get(job.kind)
    if handler is None:
        failure = "no_handler"
    else:
        try:
            async with asyncio.timeout(rules.limit_s):
                await handler(job)
        except asyncio.CancelledError:
            await queue.give_back(job)
            raise
        except Exception as error:
            failure, dead = type(error).__name__, isinstance(error, PermanentError)
    if failure:
        stats.failed += 1
        _LOG.warning("job kind=%s attempt=%d error=%s", job.kind, job.attempt, failure)
        ours = await queue.retry(job, failure, dead=dead)
    else:
        ours = await queue.done(job)
        stats.done += ours
    stats.lost += not ours


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
