import asyncio
from pathlib import Path

import pytest

from mediacore.store.queue import Job, QueueFile, QueueStats, RetryRules, SqliteQueue


class Clock:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(tmp_path: Path, clock: Clock) -> QueueFile:
    return QueueFile(tmp_path / "q", clock, RetryRules(attempts=3, first_ms=100, most_ms=150))


def test_once_by_key(queue: QueueFile) -> None:
    assert queue.enqueue("k", "post", b"1") and not queue.enqueue("k", "post", b"2")
    job = queue.lease("w", 50)
    assert job == Job("k", "post", b"1", 1)
    assert queue.lease("w", 50) is None
    assert queue.done(job) and not queue.done(job)
    assert not queue.enqueue("k", "post", b"3")
    assert queue.snapshot() == QueueStats(done=1)


def test_oldest_first(queue: QueueFile, clock: Clock) -> None:
    for name in "bac":
        queue.enqueue(name, "post", b"")
        clock.now += 1
    assert [job.key for job in (queue.lease("w", 50) for _ in range(3)) if job] == ["b", "a", "c"]


def test_expired_lease_is_fenced(queue: QueueFile, clock: Clock) -> None:
    queue.enqueue("k", "post", b"")
    first = queue.lease("dead", 50)
    assert first is not None
    clock.now += 50
    second = queue.lease("live", 50)
    assert second is not None and second.attempt == 2
    assert not queue.done(first) and not queue.retry(first, "x") and not queue.extend(first, 9)
    assert queue.done(second)


def test_extend_keeps_a_lease(queue: QueueFile, clock: Clock) -> None:
    queue.enqueue("k", "post", b"")
    job = queue.lease("w", 50)
    assert job is not None
    clock.now += 40
    assert queue.extend(job, 50)
    clock.now += 40
    assert queue.lease("other", 50) is None


def test_retry_waits_longer_and_gives_up(queue: QueueFile, clock: Clock) -> None:
    queue.enqueue("k", "post", b"")
    for wait in (100, 150):
        job = queue.lease("w", 50)
        assert job is not None and queue.retry(job, "TimeoutError")
        clock.now += wait - 1
        assert queue.lease("w", 50) is None
        clock.now += 1
    job = queue.lease("w", 50)
    assert job is not None and job.attempt == 3 and queue.retry(job, "ValueError")
    assert queue.dead() == (("k", "post", "ValueError"),)
    assert queue.revive("k") and not queue.revive("k")
    job = queue.lease("w", 50)
    assert job is not None and job.attempt == 1
    assert queue.retry(job, "PermanentError", dead=True)
    assert queue.snapshot() == QueueStats(dead=1)


def test_killer_job_is_buried(queue: QueueFile, clock: Clock) -> None:
    queue.enqueue("k", "post", b"")
    for _ in range(3):
        assert queue.lease("w", 50) is not None
        clock.now += 50
    assert queue.lease("w", 50) is None
    assert queue.dead() == (("k", "post", "lease_expired"),)


def test_give_back_does_not_count(queue: QueueFile) -> None:
    queue.enqueue("k", "post", b"")
    for _ in range(5):
        job = queue.lease("w", 50)
        assert job is not None and job.attempt == 1 and queue.give_back(job)


def test_prune(queue: QueueFile, clock: Clock) -> None:
    for name in "ab":
        queue.enqueue(name, "post", b"")
    job = queue.lease("w", 50)
    assert job is not None and queue.done(job)
    assert queue.prune(clock.now) == 0 and queue.prune(clock.now + 1) == 1
    assert queue.snapshot() == QueueStats(queued=0, leased=0, done=0) or queue.enqueue(
        "a", "p", b""
    )


def test_survives_reopening(tmp_path: Path, clock: Clock, queue: QueueFile) -> None:
    queue.enqueue("k", "post", b"\x00\xff")
    queue.close()
    again = QueueFile(tmp_path / "q", clock)
    assert again.lease("w", 50) == Job("k", "post", b"\x00\xff", 1)
    again.close()


def test_waits_are_bounded() -> None:
    rules = RetryRules()
    assert [rules.wait_ms(n) for n in (0, 1, 2, 3, 10_000)] == [2000, 2000, 4000, 8000, 3_600_000]


def test_asynchronous_side(tmp_path: Path, clock: Clock) -> None:
    async def main() -> None:
        queue = SqliteQueue(tmp_path / "q", clock)
        assert all(await asyncio.gather(*(queue.enqueue(f"k{n}", "p", b"") for n in range(6))))
        jobs = [await queue.lease("w", 50) for _ in range(4)]
        a, b, c, d = (job for job in jobs if job)
        assert await queue.done(a) and await queue.retry(b, "E", dead=True)
        assert await queue.give_back(c) and await queue.extend(d, 99)
        assert await queue.dead() == (("k1", "p", "E"),) and await queue.revive("k1")
        task = asyncio.create_task(queue.lease("w", 50))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await queue.snapshot() == QueueStats(queued=4, leased=1, done=1)
        assert await queue.prune(clock.now + 1) == 1
        await queue.close()

    asyncio.run(main())
