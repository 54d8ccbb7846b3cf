import asyncio
import sys
from pathlib import Path

import pytest

from mediacore.errors import ConfigError, MissingDependencyError
from mediacore.policy.spend import DaySpend, Refused, Reservation
from mediacore.store.database import DatabaseError, DatabaseFullError
from mediacore.store.spend import SpendFile, SqliteSpend, is_postgres
from mediacore.store.spend_pg import open_spend

DAY = "2026-01-31"


def one(name: str, amount: int, day: str = DAY) -> Reservation:
    return Reservation(name, "spring", day, f"call-{name}", amount)


def test_cap_counts_open_reservations_in_full(tmp_path: Path) -> None:
    book = SpendFile(tmp_path / "s")
    assert book.reserve(one("a", 60), 100) == one("a", 60)
    assert book.reserve(one("b", 41), 100) == Refused("spring", DAY, 60, 100)
    assert book.reserve(one("b", 40), 100) == one("b", 40)
    assert book.used("spring", DAY) == DaySpend(0, 100)
    assert book.settle(one("a", 60), 10)
    assert book.used("spring", DAY) == DaySpend(10, 40)
    assert book.open_reservations("spring", DAY) == (one("b", 40),)
    assert book.settle(one("b", 40), 0)
    assert book.used("spring", DAY) == DaySpend(10, 0)
    book.close()


def test_days_and_campaigns_are_apart(tmp_path: Path) -> None:
    book = SpendFile(tmp_path / "s")
    book.reserve(one("a", 100), 100)
    assert isinstance(book.reserve(one("b", 100, "2026-02-01"), 100), Reservation)
    assert book.used("autumn", DAY) == DaySpend()
    book.close()


def test_overrun_is_counted(tmp_path: Path) -> None:
    book = SpendFile(tmp_path / "s")
    book.reserve(one("a", 60), 100)
    book.settle(one("a", 60), 150)
    assert book.used("spring", DAY).total == 150
    assert book.reserve(one("b", 0), 100) == Refused("spring", DAY, 150, 100)
    book.close()


def test_settling_twice_changes_nothing(tmp_path: Path) -> None:
    book = SpendFile(tmp_path / "s")
    book.reserve(one("a", 60), 100)
    assert book.settle(one("a", 60), 5) and not book.settle(one("a", 60), 5)
    assert book.used("spring", DAY) == DaySpend(5, 0)
    with pytest.raises(DatabaseError):
        book.reserve(one("b", 1), 100)
        book.reserve(one("b", 1), 100)
    assert book.reserve(one("b", 1), 100, confirm=True) == one("b", 1)
    assert book.used("spring", DAY) == DaySpend(5, 1)
    book.close()


def test_survives_reopening(tmp_path: Path) -> None:
    book = SpendFile(tmp_path / "s")
    book.reserve(one("a", 60), 100)
    book.close()
    assert SpendFile(tmp_path / "s").used("spring", DAY) == DaySpend(0, 60)


@pytest.mark.parametrize(
    ("day", "amount", "cap"), [("today", 1, 1), (DAY, -1, 1), (DAY, 1, -1), (DAY, 10**16, 1)]
)
def test_nonsense_is_refused(tmp_path: Path, day: str, amount: int, cap: int) -> None:
    with pytest.raises(ValueError, match=r"micros|isoformat"):
        SpendFile(tmp_path / "s").reserve(one("a", amount, day), cap)


def test_full_disk_refuses_to_spend(tmp_path: Path) -> None:
    book = SpendFile(tmp_path / "s")
    book.reserve(one("a", 60), 10**9)
    connection = book._db.connection()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(DatabaseFullError):
        for at in range(1000):
            book.reserve(Reservation("x" * 900 + str(at), "spring", DAY, "c", 1), 10**9)
    used = book.used("spring", DAY)
    open_now = book.open_reservations("spring", DAY)
    assert used.reserved == sum(r.amount for r in open_now) >= 60
    book.close()


def test_asynchronous_side(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteSpend(tmp_path / "s")
        got = await asyncio.gather(
            *(store.reserve("spring", DAY, f"c{n}", 10, 100) for n in range(25))
        )
        kept = [r for r in got if isinstance(r, Reservation)]
        assert len(kept) == 10 and len({r.id for r in kept}) == 10
        assert await store.settle(kept[0], 3) and await store.release(kept[1])
        assert await store.used("spring", DAY) == DaySpend(3, 80)
        assert len(await store.open_reservations("spring", DAY)) == 8
        task = asyncio.create_task(store.reserve("spring", DAY, "late", 5, 100))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await store.used("spring", DAY) == DaySpend(3, 80)
        await store.close()

    asyncio.run(main())


def test_open_spend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_spend(str(tmp_path / "s")), SqliteSpend)
    assert is_postgres("postgresql://h/db") and is_postgres("postgres://h/db")
    for target in ("mysql://x", " "):
        with pytest.raises(ConfigError, match="expected a file"):
            open_spend(target)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(MissingDependencyError, match=r"mediacore\[pg\]"):
        open_spend("postgresql://localhost/x")
