"""`mediacore worker`."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from mediacore.app_models import FORMS, make_llm
from mediacore.app_worker import DELIVERY_RULES, EXTRACTION_POLICY, handlers
from mediacore.cli.group import EXIT_FAILED
from mediacore.cli.output import echo_json
from mediacore.slots.driver import LlmDriver
from mediacore.store.queue import Job, QueueStats, SqliteQueue
from mediacore.store.worker import WorkRules, WorkStats, work
from mediacore.web.client import SafeClient

_LIMIT_SHARE = 0.8
EXAMPLE = """\b
Examples:
  mediacore worker --queue calls.queue --llm openai:gpt-4o-mini
  mediacore worker --queue calls.queue --once
"""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What `run_worker` needs. allow: as for SafeClient. revive: dead jobs get another chance."""

    queue: Path
    llm: str = ""
    once: bool = False
    revive: bool = False
    allow: tuple[str, ...] = ()
    lease_s: float = 150.0
    retry_ms: int = 2_000


class Draining:
    """A queue that ends the worker when nothing is due, or when it cannot be used."""

    def __init__(self, queue: SqliteQueue, stop: asyncio.Event) -> None:
        self._queue = queue
        self._stop = stop

    async def lease(self, worker: str, ttl_ms: int) -> Job | None:
        """See `Queue`."""
        job = None
        try:
            job = await self._queue.lease(worker, ttl_ms)
            return job
        finally:
            if job is None:
                self._stop.set()

    async def done(self, job: Job) -> bool:
        """See `Queue`."""
        return await self._queue.done(job)

    async def retry(self, job: Job, error: str, *, dead: bool = False) -> bool:
        """See `Queue`."""
        return await self._queue.retry(job, error, dead=dead)

    async def give_back(self, job: Job) -> bool:
        """See `Queue`."""
        return await self._queue.give_back(job)


async def run_worker(options: WorkerOptions) -> tuple[WorkStats, QueueStats]:
    """Work until SIGTERM or SIGINT, with `once` until nothing is due; what it did, what is left."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        llm = None
        if options.llm:
            model = make_llm(options.llm)
            llm = LlmDriver((model,), lambda: round(loop.time() * 1e6), EXTRACTION_POLICY)
            stack.push_async_callback(llm.aclose)
        client = SafeClient(allow=options.allow)
        stack.push_async_callback(client.aclose)
        queue = SqliteQueue(
            options.queue,
            lambda: time.time_ns() // 1_000_000,
            replace(DELIVERY_RULES, first_ms=options.retry_ms),
        )
        stack.push_async_callback(queue.close)
        await queue.snapshot()  # a file that cannot be used is told now, not retried for ever
        if options.revive:
            for key, _, _ in await queue.dead():
                await queue.revive(key)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
            stack.callback(loop.remove_signal_handler, number)
        stats = await work(
            Draining(queue, stop) if options.once else queue,
            handlers(client, queue, llm),
            stop,
            rules=WorkRules(options.lease_s, options.lease_s * _LIMIT_SHARE),
        )
        return stats, await queue.snapshot()


@click.command("worker", epilog=EXAMPLE)
@click.option(
    "--queue",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The queue of the serving process.",
)
@click.option("--llm", default="", metavar="SPEC", help=f"Model for extractions: {FORMS}.")
@click.option("--once", is_flag=True, help="Do what is due now, then exit.")
@click.option("--revive", is_flag=True, help="Try again what was given up.")
@click.option(
    "--allow",
    multiple=True,
    metavar="PLACE",
    help="A network, address or host that may be reached although it is not public.",
)
@click.option(
    "--lease",
    type=click.FloatRange(min=1),
    default=150.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a job is ours; another worker takes it up after that.",
)
@click.option(
    "--retry-ms",
    type=click.IntRange(min=1),
    default=2_000,
    show_default=True,
    metavar="MS",
    help="Wait before the second attempt; doubled for each one after it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    queue: Path,
    llm: str,
    once: bool,
    revive: bool,
    allow: tuple[str, ...],
    lease: float,
    retry_ms: int,
    as_json: bool,
) -> None:
    """Deliver what calls left to do: payloads, and extractions of missing fields.

    Any number of workers may share a queue. Exit code 1: with --once, something failed.
    """
    options = WorkerOptions(queue, llm, once, revive, allow, lease, retry_ms)
    stats, left = asyncio.run(run_worker(options))
    _say(stats, left, as_json=as_json)
    if once and (stats.failed or stats.queue_errors):
        ctx.exit(EXIT_FAILED)


def _say(stats: WorkStats, left: QueueStats, *, as_json: bool) -> None:
    if as_json:
        found: dict[str, Any] = {"worker": asdict(stats), "queue": asdict(left)}
        echo_json(found)
        return
    click.echo(
        f"{stats.done} done, {stats.failed} failed; the queue holds "
        f"{left.queued} waiting, {left.leased} in work, {left.dead} given up."
    )
    if left.dead:
        click.echo("  mediacore worker --revive tries again what was given up.", err=True)
