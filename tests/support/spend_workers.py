"""Processes that spend and work until somebody kills them; importable by name in a child."""

import asyncio
import os
import random
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

from mediacore.policy.spend import Refused, Reservation
from mediacore.store.queue import QueueFile, RetryRules
from mediacore.store.spend import SpendFile
from mediacore.store.spend_pg import PostgresSpend

DAY = "2026-01-31"


def log_line(fd: int, text: str) -> None:
    """One write: a line is in the file whole or not at all, also when the process is killed."""
    os.write(fd, text.encode())


def spender(path: str, log: str, seed: int, cap: int, go: Barrier) -> None:
    """Reserve, settle for less or the same, release; tell the log after each commit."""
    rng = random.Random(seed)
    book = SpendFile(Path(path))
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    go.wait(20)
    for n in range(1_000_000):
        amount = rng.randrange(1, 40)
        got = book.reserve(Reservation(f"{seed}-{n}", "c", DAY, f"call{seed}", amount), cap)
        if isinstance(got, Refused):
            if got.used + 1 > cap:
                break
            continue
        log_line(fd, f"R {got.id} {amount}\n")
        if rng.random() < 0.2:
            continue
        actual = rng.choice([0, amount, rng.randrange(amount + 1)])
        log_line(fd, f"T {got.id} {actual}\n")
        if book.settle(got, actual):
            log_line(fd, f"S {got.id} {actual}\n")
    log_line(fd, "END 0 0\n")
    os.close(fd)


def queue_worker(path: str, log: str, go: Barrier) -> None:
    queue = QueueFile(Path(path), lambda: time.time_ns() // 1_000_000, RetryRules(attempts=1000))
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    go.wait(20)
    while queue.snapshot().done < 300:
        job = queue.lease(str(os.getpid()), 150)
        if job is not None and queue.done(job):
            log_line(fd, f"D {job.key} {job.attempt}\n")


def pg_spender(url: str, log: str, seed: int, cap: int, go: Barrier) -> None:
    async def main() -> None:
        rng = random.Random(seed)
        book = PostgresSpend(url, connections=1)
        fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        go.wait(20)
        while True:
            amount = rng.randrange(1, 40)
            got = await book.reserve("c", DAY, f"call{seed}", amount, cap)
            if isinstance(got, Refused):
                if got.used >= cap:
                    break
                continue
            log_line(fd, f"R {got.id} {amount}\n")
            if rng.random() < 0.2:
                continue
            actual = rng.randrange(amount + 1)
            log_line(fd, f"T {got.id} {actual}\n")
            if await book.settle(got, actual):
                log_line(fd, f"S {got.id} {actual}\n")
        await book.close()

    asyncio.run(main())
