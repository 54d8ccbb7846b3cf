"""The spend counters in PostgreSQL (extra `pg`), for workers on many machines.

The same tables and the same rules as in `mediacore.store.spend`. One row for each campaign and
day; the conditional update of that row orders all workers.
"""

from __future__ import annotations

import asyncio
import importlib
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from mediacore.errors import MissingDependencyError
from mediacore.policy.spend import DaySpend, Refused, Reservation, SpendStore
from mediacore.store.database import DatabaseBusyError, DatabaseError, DatabaseFullError
from mediacore.store.spend import SqliteSpend, check_request, check_target, is_postgres

_VERSION: Final = 1
_LOCK: Final = 0x6D63_7370  # advisory lock for migrations
_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS mediacore_schema (version INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS mediacore_day_spend (
        campaign TEXT NOT NULL, day TEXT NOT NULL,
        settled BIGINT NOT NULL DEFAULT 0, reserved BIGINT NOT NULL DEFAULT 0,
        PRIMARY KEY (campaign, day));
    CREATE TABLE IF NOT EXISTS mediacore_reservation (
        id TEXT PRIMARY KEY, campaign TEXT NOT NULL, day TEXT NOT NULL,
        call_id TEXT NOT NULL, amount BIGINT NOT NULL);
    CREATE INDEX IF NOT EXISTS mediacore_reservation_day ON mediacore_reservation (campaign, day)
"""


def open_spend(target: str) -> SpendStore:
    """The store that a setting names: a file path, or a `postgresql://` address."""
    return PostgresSpend(target) if is_postgres(target) else SqliteSpend(check_target(target))


def _driver() -> Any:
    try:
        return importlib.import_module("asyncpg")
    except ImportError:
        raise MissingDependencyError(
            "The PostgreSQL driver (asyncpg)", "pip install 'mediacore[pg]'"
        ) from None


class PostgresSpend:
    """`SpendStore` on a PostgreSQL database. Connects at the first use."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 5.0,
        connections: int = 4,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._asyncpg = _driver()
        self._url = url
        self._timeout_s = timeout_s
        self._connections = connections
        self._new_id = new_id
        self._pool: Any = None
        self._opening = asyncio.Lock()
        parts = urlsplit(url)
        self._place = f"postgresql://{parts.hostname or ''}{parts.path}"

    async def reserve(
        self, campaign: str, day: str, call_id: str, amount: int, cap: int
    ) -> Reservation | Refused:
        """See `SpendStore`."""
        check_request(day, amount, cap)
        wanted = Reservation(self._new_id(), campaign, day, call_id, amount)
        try:
            return await self._reserve(wanted, cap)
        except asyncio.CancelledError:
            # The commit may have been under way. Give it back, but do not hold up the cancel.
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self.settle(wanted, 0)
            except (DatabaseError, TimeoutError):
                pass
            raise

    async def _reserve(self, r: Reservation, cap: int) -> Reservation | Refused:
        async with self._transaction() as db:
            await db.execute(
                "INSERT INTO mediacore_day_spend (campaign, day) VALUES ($1, $2) "
                "ON CONFLICT DO NOTHING",
                r.campaign,
                r.day,
            )
            fits = await db.fetchval(
                "UPDATE mediacore_day_spend SET reserved = reserved + $3 WHERE campaign = $1 "
                "AND day = $2 AND settled + reserved + $3 <= $4 RETURNING 1",
                r.campaign,
                r.day,
                r.amount,
                cap,
            )
            if not fits:
                return Refused(r.campaign, r.day, (await self._used(db, r)).total, cap)
            await db.execute(
                "INSERT INTO mediacore_reservation VALUES ($1, $2, $3, $4, $5)",
                r.id,
                r.campaign,
                r.day,
                r.call_id,
                r.amount,
            )
        return r

    async def settle(self, reservation: Reservation, actual: int) -> bool:
        """See `SpendStore`."""
        check_request(reservation.day, actual, 0)
        async with self._transaction() as db:
            row = await db.fetchrow(
                "DELETE FROM mediacore_reservation WHERE id = $1 RETURNING campaign, day, amount",
                reservation.id,
            )
            if row is None:
                return False
            await db.execute(
                "UPDATE mediacore_day_spend SET reserved = reserved - $3, settled = settled + $4 "
                "WHERE campaign = $1 AND day = $2",
                row["campaign"],
                row["day"],
                row["amount"],
                actual,
            )
        return True

    async def release(self, reservation: Reservation) -> bool:
        """See `SpendStore`."""
        return await self.settle(reservation, 0)

    async def used(self, campaign: str, day: str) -> DaySpend:
        """See `SpendStore`."""
        async with self._transaction() as db:
            return await self._used(db, Reservation("", campaign, day, "", 0))

    async def open_reservations(self, campaign: str, day: str) -> tuple[Reservation, ...]:
        """See `SpendStore`."""
        async with self._transaction() as db:
            rows = await db.fetch(
                "SELECT id, campaign, day, call_id, amount FROM mediacore_reservation "
                "WHERE campaign = $1 AND day = $2 ORDER BY id",
                campaign,
                day,
            )
        return tuple(Reservation(*row) for row in rows)

    async def close(self) -> None:
        """See `SpendStore`."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def _used(self, db: Any, r: Reservation) -> DaySpend:
        row = await db.fetchrow(
            "SELECT settled, reserved FROM mediacore_day_spend WHERE campaign = $1 AND day = $2",
            r.campaign,
            r.day,
        )
        return DaySpend(row["settled"], row["reserved"]) if row else DaySpend()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Any]:
        pg = self._asyncpg
        try:
            if self._pool is None:
                await self._open()
            async with (
                self._pool.acquire(timeout=self._timeout_s) as connection,
                connection.transaction(),
            ):
                yield connection
        except pg.DiskFullError:
            raise DatabaseFullError(f"{self._place}: no room left", self._place) from None
        except (pg.LockNotAvailableError, pg.TooManyConnectionsError, TimeoutError):
            raise DatabaseBusyError(f"{self._place} does not answer in time", self._place) from None
        except (pg.PostgresError, pg.InterfaceError, OSError) as error:
            name = type(error).__name__
            raise DatabaseError(f"{self._place} cannot be used: {name}", self._place) from None

    async def _open(self) -> None:
        async with self._opening:
            if self._pool is not None:
                return
            pool = await self._asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=self._connections,
                timeout=self._timeout_s,
                command_timeout=self._timeout_s,
            )
            try:
                async with pool.acquire() as connection:
                    await self._migrate(connection)
            except BaseException:
                pool.terminate()
                raise
            self._pool = pool

    async def _migrate(self, db: Any) -> None:
        async with db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await db.execute(_TABLES)
            version = await db.fetchval("SELECT max(version) FROM mediacore_schema")
            if version is None:
                await db.execute("INSERT INTO mediacore_schema VALUES ($1)", _VERSION)
            elif version > _VERSION:
                raise DatabaseError(
                    f"{self._place} has version {version}; this program knows {_VERSION}. Use "
                    "the mediacore release that wrote it.",
                    self._place,
                )
