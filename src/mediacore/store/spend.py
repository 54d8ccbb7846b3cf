"""What a campaign spent on a day, exact for any number of processes and across crashes.

How does it work? Money is reserved before it is spent and settled after. A reservation counts in
full from the moment it is committed until it is settled or released, also when the process that
made it is dead: spend is never under-counted, and a cap is never passed by reserving. Settling for
more than was reserved (a provider overran its plan) counts what it was.

    ┌ reserve(≤ cap) ─► open ─┬─ settle(actual) ─► spent
    └ Refused                 └─ release ────────► nothing

`open_spend(target)` takes a file (SQLite) or a `postgresql://` address (extra `pg`). When the
disk is full or the database is away, `reserve` raises: whoever asked must not spend.
Amounts are micros of one currency; a day is text like 2026-01-31, chosen by the caller.
"""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mediacore.errors import ConfigError
from mediacore.policy.spend import DaySpend, Refused, Reservation
from mediacore.store.database import Database, DatabaseThread

_APP_ID: Final = 0x6D63_7370
_MIGRATIONS: Final = (
    """
    CREATE TABLE day_spend (
        campaign TEXT NOT NULL, day TEXT NOT NULL,
        settled INTEGER NOT NULL DEFAULT 0, reserved INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (campaign, day)) WITHOUT ROWID;
    CREATE TABLE reservation (
        id TEXT PRIMARY KEY, campaign TEXT NOT NULL, day TEXT NOT NULL,
        call_id TEXT NOT NULL, amount INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX reservation_day ON reservation (campaign, day)
    """,
)
_MAX_MICROS: Final = 10**15


def check_request(day: str, amount: int, cap: int) -> None:
    """Refuse what no store may count. ValueError: a mistake of the caller."""
    datetime.date.fromisoformat(day)
    if not 0 <= amount <= _MAX_MICROS or cap < 0:
        raise ValueError("an amount is 0 to 10**15 micros and a cap is not negative")


class SpendFile:
    """The counters in an SQLite file, for one thread; `SqliteSpend` is its asynchronous side."""

    def __init__(self, path: Path) -> None:
        self._db = Database(path, _MIGRATIONS, _APP_ID)

    def reserve(
        self, reservation: Reservation, cap: int, *, confirm: bool = False
    ) -> Reservation | Refused:
        """Insert `reservation` unless the cap forbids it. confirm: it may be there already."""
        check_request(reservation.day, reservation.amount, cap)
        r = reservation
        with self._db.transaction() as db:
            if confirm and db.execute("SELECT 1 FROM reservation WHERE id=?", (r.id,)).fetchone():
                return r
            row = db.execute(
                "SELECT settled + reserved FROM day_spend WHERE campaign=? AND day=?",
                (r.campaign, r.day),
            ).fetchone()
            used = int(row[0]) if row else 0
            if used + r.amount > cap:
                return Refused(r.campaign, r.day, used, cap)
            db.execute(
                "INSERT INTO day_spend (campaign, day, reserved) VALUES (?,?,?) "
                "ON CONFLICT (campaign, day) DO UPDATE SET reserved = reserved + excluded.reserved",
                (r.campaign, r.day, r.amount),
            )
            db.execute(
                "INSERT INTO reservation VALUES (?,?,?,?,?)",
                (r.id, r.campaign, r.day, r.call_id, r.amount),
            )
        return r

    def settle(self, reservation: Reservation, actual: int) -> bool:
        """Replace an open reservation by `actual`; 0 releases it."""
        check_request(reservation.day, actual, 0)
        with self._db.transaction() as db:
            row = db.execute(
                "DELETE FROM reservation WHERE id=? RETURNING campaign, day, amount",
                (reservation.id,),
            ).fetchone()
            if row is None:
                return False
            db.execute(
                "UPDATE day_spend SET reserved = reserved - ?, settled = settled + ? "
                "WHERE campaign=? AND day=?",
                (row[2], actual, row[0], row[1]),
            )
        return True

    def used(self, campaign: str, day: str) -> DaySpend:
        """What counts on that day."""
        with self._db.reading() as db:
            row = db.execute(
                "SELECT settled, reserved FROM day_spend WHERE campaign=? AND day=?",
                (campaign, day),
            ).fetchone()
        return DaySpend(*row) if row else DaySpend()

    def open_reservations(self, campaign: str, day: str) -> tuple[Reservation, ...]:
        """What was never settled, by id."""
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT id, campaign, day, call_id, amount FROM reservation "
                "WHERE campaign=? AND day=? ORDER BY id",
                (campaign, day),
            ).fetchall()
        return tuple(Reservation(*row) for row in rows)

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _new_id() -> str:
    return uuid.uuid4().hex


class SqliteSpend:
    """`SpendStore` on an SQLite file with its own thread."""

    def __init__(self, path: Path, new_id: Callable[[], str] = _new_id) -> None:
        self._file = SpendFile(path)
        self._thread = DatabaseThread("spend")
        self._new_id = new_id

    async def reserve(
        self, campaign: str, day: str, call_id: str, amount: int, cap: int
    ) -> Reservation | Refused:
        """See `SpendStore`."""
        wanted = Reservation(self._new_id(), campaign, day, call_id, amount)
        return await self._thread.run(lambda: self._file.reserve(wanted, cap), undo=self._give_back)

    def _give_back(self, outcome: Reservation | Refused) -> None:
        if isinstance(outcome, Reservation):
            self._file.settle(outcome, 0)

    async def settle(self, reservation: Reservation, actual: int) -> bool:
        """See `SpendStore`."""
        return await self._thread.run(lambda: self._file.settle(reservation, actual))

    async def release(self, reservation: Reservation) -> bool:
        """See `SpendStore`."""
        return await self._thread.run(lambda: self._file.settle(reservation, 0))

    async def used(self, campaign: str, day: str) -> DaySpend:
        """See `SpendStore`."""
        return await self._thread.run(lambda: self._file.used(campaign, day))

    async def open_reservations(self, campaign: str, day: str) -> tuple[Reservation, ...]:
        """See `SpendStore`."""
        return await self._thread.run(lambda: self._file.open_reservations(campaign, day))

    async def close(self) -> None:
        """See `SpendStore`."""
        await self._thread.close(self._file.close)


_ADDRESS: Final = re.compile(r"postgres(?:ql)?://", re.IGNORECASE)


def is_postgres(target: str) -> bool:
    """Whether a setting names a PostgreSQL server and not a file."""
    return bool(_ADDRESS.match(target))


def check_target(target: str) -> Path:
    """The file that a setting names."""
    if "://" in target:
        raise ConfigError("spend store: expected a file or a postgresql:// address")
    if not target.strip():
        raise ConfigError("spend store: expected a file, got nothing")
    return Path(target)
