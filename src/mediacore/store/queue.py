"""A durable queue for the work after a call, in an SQLite file.

    enqueue ─► queued ─ lease ─► leased ─┬─ done ──► done
                 ▲                       ├─ retry ─► queued, later each time; `dead` after N leases
                 └── lease expired ◄─────┘

A key is enqueued once, ever (until `prune`). A lease that ran out gives the job to the next who
asks; the attempt number is the fence: whoever held it before can no longer finish it. A job
whose handler kills its process still uses up its attempts, so it cannot kill workers for ever.
A handler may run twice for one job: it must be idempotent by `Job.key`.

Times are wallclock milliseconds, so that they mean the same after a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from mediacore.store.database import Database, DatabaseThread

_APP_ID: Final = 0x6D63_716A
_MIGRATIONS: Final = (
    """
    CREATE TABLE job (
        key TEXT PRIMARY KEY, kind TEXT NOT NULL, payload BLOB NOT NULL,
        state TEXT NOT NULL DEFAULT 'queued', attempt INTEGER NOT NULL DEFAULT 0,
        ready_ms INTEGER NOT NULL, worker TEXT NOT NULL DEFAULT '',
        error TEXT NOT NULL DEFAULT '', made_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL);
    CREATE INDEX job_ready ON job (ready_ms) WHERE state IN ('queued', 'leased')
    """,
)


@dataclass(frozen=True, slots=True)
class Job:
    """Leased work. attempt: 1 for the first; it is also the fence."""

    key: str
    kind: str
    payload: bytes
    attempt: int


@dataclass(frozen=True, slots=True)
class RetryRules:
    """attempts: leases before a job is dead. Waits double from `first_ms` up to `most_ms`."""

    attempts: int = 8
    first_ms: int = 2_000
    most_ms: int = 3_600_000

    def wait_ms(self, attempt: int) -> int:
        """The wait after the failure of `attempt`."""
        return int(min(self.first_ms << min(max(attempt - 1, 0), 40), self.most_ms))


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Jobs by state."""

    queued: int = 0
    leased: int = 0
    done: int = 0
    dead: int = 0


class Queue(Protocol):
    """What a worker needs. All methods say False when the job is no longer theirs."""

    async def lease(self, worker: str, ttl_ms: int) -> Job | None:
        """Take the job that has waited longest, for `ttl_ms`."""
        ...

    async def done(self, job: Job) -> bool:
        """It is finished."""
        ...

    async def retry(self, job: Job, error: str, *, dead: bool = False) -> bool:
        """It failed: later again, or never with `dead`. error: a class name, no content."""
        ...

    async def give_back(self, job: Job) -> bool:
        """It was not tried: the attempt does not count."""
        ...


class QueueFile:
    """The queue in its file, for one thread; `SqliteQueue` is its asynchronous side.

    clock: wallclock milliseconds.
    """

    def __init__(
        self, path: Path, clock: Callable[[], int], rules: RetryRules | None = None
    ) -> None:
        self._db = Database(path, _MIGRATIONS, _APP_ID)
        self._clock = clock
        self._rules = rules or RetryRules()

    def enqueue(self, key: str, kind: str, payload: bytes) -> bool:
        """Add a job; False when the key is known already, in whatever state."""
        now = self._clock()
        with self._db.transaction() as db:
            cursor = db.execute(
                "INSERT INTO job (key, kind, payload, ready_ms, made_ms, changed_ms) "
                "VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING",
                (key, kind, payload, now, now, now),
            )
            return cursor.rowcount == 1

    def lease(self, worker: str, ttl_ms: int) -> Job | None:
        """Take the ready job that has waited longest; buries those that used up their attempts."""
        now = self._clock()
        with self._db.transaction() as db:
            db.execute(
                "UPDATE job SET state='dead', error=CASE error WHEN '' THEN 'lease_expired' "
                "ELSE error END, changed_ms=? "
                "WHERE state IN ('queued', 'leased') AND ready_ms<=? AND attempt>=?",
                (now, now, self._rules.attempts),
            )
            row = db.execute(
                "UPDATE job SET state='leased', worker=?, attempt=attempt+1, ready_ms=?, "
                "changed_ms=? WHERE key=(SELECT key FROM job WHERE state IN ('queued', 'leased') "
                "AND ready_ms<=? ORDER BY ready_ms, made_ms, key LIMIT 1) "
                "RETURNING key, kind, payload, attempt",
                (worker, now + ttl_ms, now, now),
            ).fetchone()
        return Job(*row) if row else None

    def extend(self, job: Job, ttl_ms: int) -> bool:
        """Keep a lease for `ttl_ms` from now."""
        return self._change(job, "ready_ms=:ready", ready=self._clock() + ttl_ms)

    def done(self, job: Job) -> bool:
        """It is finished; the payload is dropped, the key stays."""
        return self._change(job, "state='done', payload=x'', error=''")

    def retry(self, job: Job, error: str, *, dead: bool = False) -> bool:
        """It failed."""
        if dead or job.attempt >= self._rules.attempts:
            return self._change(job, "state='dead', error=:error", error=error)
        ready = self._clock() + self._rules.wait_ms(job.attempt)
        return self._change(
            job, "state='queued', ready_ms=:ready, error=:error", ready=ready, error=error
        )

    def give_back(self, job: Job) -> bool:
        """It was not tried."""
        return self._change(
            job, "state='queued', attempt=attempt-1, ready_ms=:ready", ready=self._clock()
        )

    def _change(self, job: Job, columns: str, **values: object) -> bool:
        """Change a job that is still leased under this attempt."""
        with self._db.transaction() as db:
            cursor = db.execute(
                f"UPDATE job SET {columns}, changed_ms=:now "
                "WHERE key=:key AND state='leased' AND attempt=:attempt",
                {"now": self._clock(), "key": job.key, "attempt": job.attempt, **values},
            )
            return cursor.rowcount == 1

    def dead(self) -> tuple[tuple[str, str, str], ...]:
        """Key, kind and last error of what was given up."""
        with self._db.reading() as db:
            rows = db.execute("SELECT key, kind, error FROM job WHERE state='dead' ORDER BY key")
            return tuple((str(k), str(kind), str(e)) for k, kind, e in rows)

    def revive(self, key: str) -> bool:
        """Give a dead job all its attempts again."""
        now = self._clock()
        with self._db.transaction() as db:
            cursor = db.execute(
                "UPDATE job SET state='queued', attempt=0, ready_ms=?, changed_ms=? "
                "WHERE key=? AND state='dead'",
                (now, now, key),
            )
            return cursor.rowcount == 1

    def prune(self, before_ms: int) -> int:
        """Forget finished jobs that ended before; their keys may then be enqueued again."""
        with self._db.transaction() as db:
            cursor = db.execute("DELETE FROM job WHERE state='done' AND changed_ms<?", (before_ms,))
            return cursor.rowcount

    def snapshot(self) -> QueueStats:
        """Jobs by state."""
        with self._db.reading() as db:
            rows = db.execute("SELECT state, count(*) FROM job GROUP BY state")
            return QueueStats(**dict(rows.fetchall()))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class SqliteQueue:
    """`Queue` on an SQLite file with its own thread."""

    def __init__(
        self, path: Path, clock: Callable[[], int], rules: RetryRules | None = None
    ) -> None:
        self.file = QueueFile(path, clock, rules)
        self._thread = DatabaseThread("queue")

    async def enqueue(self, key: str, kind: str, payload: bytes) -> bool:
        """See `QueueFile`."""
        return await self._thread.run(lambda: self.file.enqueue(key, kind, payload))

    async def lease(self, worker: str, ttl_ms: int) -> Job | None:
        """See `Queue`. Cancelled: the job is given back."""

        def undo(job: Job | None) -> None:
            if job is not None:
                self.file.give_back(job)

        return await self._thread.run(lambda: self.file.lease(worker, ttl_ms), undo=undo)

    async def extend(self, job: Job, ttl_ms: int) -> bool:
        """See `QueueFile`."""
        return await self._thread.run(lambda: self.file.extend(job, ttl_ms))

    async def done(self, job: Job) -> bool:
        """See `Queue`."""
        return await self._thread.run(lambda: self.file.done(job))

    async def retry(self, job: Job, error: str, *, dead: bool = False) -> bool:
        """See `Queue`."""
        return await self._thread.run(lambda: self.file.retry(job, error, dead=dead))

    async def give_back(self, job: Job) -> bool:
        """See `Queue`."""
        return await self._thread.run(lambda: self.file.give_back(job))

    async def dead(self) -> tuple[tuple[str, str, str], ...]:
        """See `QueueFile`."""
        return await self._thread.run(self.file.dead)

    async def revive(self, key: str) -> bool:
        """See `QueueFile`."""
        return await self._thread.run(lambda: self.file.revive(key))

    async def prune(self, before_ms: int) -> int:
        """See `QueueFile`."""
        return await self._thread.run(lambda: self.file.prune(before_ms))

    async def snapshot(self) -> QueueStats:
        """See `QueueFile`."""
        return await self._thread.run(self.file.snapshot)

    async def close(self) -> None:
        """Finish what was asked and let go of the file."""
        await self._thread.close(self.file.close)
