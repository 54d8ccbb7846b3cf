import asyncio
import logging
from pathlib import Path

import pytest

from mediacore.store.database import DatabaseError
from mediacore.store.queue import Job, QueueFile, QueueStats, RetryRules
from mediacore.store.worker import PermanentError, WorkRules, WorkStats, work
from virtual import now_us, run_virtual


class Inline:
    """The queue on the loop's own thread and clock, with faults on demand."""

    def __init__(self, path: Path) -> None:
        self.file = QueueFile(path, lambda: now_us() // 1000, RetryRules(attempts=3))
        self.faults = 0

    async def lease(self, worker: str, ttl_ms: int) -> Job | None:
        if self.faults:
            self.faults -= 1
            raise DatabaseError("away", "q")
        return self.file.lease(worker, ttl_ms)

    async def done(self, job: Job) -> bool:
        return self.file.done(job)

    async def retry(self, job: Job, error: str, *, dead: bool = False) -> bool:
        return self.file.retry(job, error, dead=dead)

    async def give_back(self, job: Job) -> bool:
        return self.file.give_back(job)


def test_jobs_are_done_and_retried(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    async def flaky(job: Job) -> None:
        seen.append(job.key)
        if job.key == "flaky" and job.attempt < 3:
            raise ValueError("holds what a caller said")
        if job.key == "hopeless":
            raise PermanentError("no")
        if job.key == "slow":
            await asyncio.sleep(1000)

    async def main() -> WorkStats:
        queue = Inline(tmp_path / "q")
        queue.faults = 2
        for key in ("good", "flaky", "hopeless", "slow"):
            queue.file.enqueue(key, "post", b"")
        queue.file.enqueue("odd", "other", b"")
        stop = asyncio.Event()
        task = asyncio.create_task(work(queue, {"post": flaky}, stop))
        await asyncio.sleep(5000)
        stop.set()
        stats = await task
        assert queue.file.snapshot() == QueueStats(done=2, dead=3)
        queue.file.close()
        return stats

    with caplog.at_level(logging.WARNING, logger="mediacore.worker"):
        stats = run_virtual(main())
    assert stats == WorkStats(done=2, failed=9, lost=0, queue_errors=2)
    assert seen.count("good") == 1 and seen.count("flaky") == 3 and seen.count("slow") == 3
    assert seen.count("hopeless") == 1
    assert "kind=post attempt=1 error=ValueError" in caplog.text
    assert "caller said" not in caplog.text


def test_cancel_gives_the_job_back(tmp_path: Path) -> None:
    async def never(_job: Job) -> None:
        await asyncio.sleep(1000)

    async def main() -> None:
        queue = Inline(tmp_path / "q")
        queue.file.enqueue("k", "post", b"")
        task = asyncio.create_task(work(queue, {"post": never}, asyncio.Event()))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        job = queue.file.lease("next", 50)
        assert job is not None and job.attempt == 1
        queue.file.close()

    run_virtual(main())


def test_lost_lease_is_counted(tmp_path: Path) -> None:
    async def main() -> None:
        queue = Inline(tmp_path / "q")
        queue.file.enqueue("k", "post", b"")
        stop = asyncio.Event()

        async def slow(_job: Job) -> None:
            await asyncio.sleep(10)
            assert queue.file.lease("thief", 1_000_000) is not None
            stop.set()

        stats = await work(queue, {"post": slow}, stop, rules=WorkRules(ttl_s=5, limit_s=20))
        assert (stats.done, stats.lost) == (0, 1)
        queue.file.close()

    run_virtual(main())
