import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from mediacore.store.database import (
    Database,
    DatabaseBusyError,
    DatabaseError,
    DatabaseFullError,
    DatabaseThread,
)

ONE = ("CREATE TABLE a (x); CREATE TABLE b (y)",)


def test_migrates_once_and_further(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "db"
    for scripts in (ONE, ONE, (*ONE, "ALTER TABLE a ADD COLUMN z")):
        db = Database(path, scripts, 7)
        with db.transaction() as c:
            c.execute("INSERT INTO a (x) VALUES (1)")
        assert c.execute("PRAGMA user_version").fetchone() == (len(scripts),)
        assert c.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        db.close()
    with db.transaction() as c:
        assert c.execute("SELECT count(*), count(z) FROM a").fetchone() == (3, 0)
    db.close()
    db.close()


def test_failed_migration_leaves_the_old_version(tmp_path: Path) -> None:
    Database(tmp_path / "db", ONE, 7).connection().close()
    bad = Database(tmp_path / "db", (*ONE, "CREATE TABLE c (x); BROKEN"), 7)
    with pytest.raises(DatabaseError, match="SQLITE_ERROR"):
        bad.connection()
    good = Database(tmp_path / "db", (*ONE, "CREATE TABLE c (x)"), 7)
    with good.transaction() as c:
        assert c.execute("SELECT count(*) FROM c").fetchone() == (0,)
    good.close()


def test_foreign_and_newer_files_are_refused(tmp_path: Path) -> None:
    Database(tmp_path / "db", (*ONE, "CREATE TABLE c (x)"), 7).connection().close()
    with pytest.raises(DatabaseError, match="has version 2; this program knows up to 1"):
        Database(tmp_path / "db", ONE, 7).connection()
    with pytest.raises(DatabaseError, match="another program's database"):
        Database(tmp_path / "db", ONE, 8).connection()
    (tmp_path / "text").write_text("hello " * 1000)
    with pytest.raises(DatabaseError, match="SQLITE_NOTADB"):
        Database(tmp_path / "text", ONE, 7).connection()
    with pytest.raises(DatabaseError, match="cannot be used"):
        Database(tmp_path / "text" / "db", ONE, 7).connection()


def test_errors_roll_back(tmp_path: Path) -> None:
    db = Database(tmp_path / "db", ONE, 7)
    with pytest.raises(KeyError), db.transaction() as c:
        c.execute("INSERT INTO a VALUES (1)")
        raise KeyError
    with pytest.raises(DatabaseError) as caught, db.transaction() as c:
        c.execute("INSERT INTO a VALUES (1)")
        c.execute("INSERT INTO nowhere VALUES (1)")
    assert caught.value.place == str(tmp_path / "db")
    with db.transaction() as c:
        assert c.execute("SELECT count(*) FROM a").fetchone() == (0,)
    db.close()


def test_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    db = Database(tmp_path / "db", ONE, 7)
    with db.transaction() as c:
        c.execute("INSERT INTO a VALUES (1)")
    pages = c.execute("PRAGMA page_count").fetchone()[0]
    c.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(DatabaseFullError), db.transaction() as c:
        c.execute("INSERT INTO a VALUES (zeroblob(100000))")
    c.execute("PRAGMA max_page_count=100000")
    with db.transaction() as c:
        c.execute("INSERT INTO a VALUES (2)")
        assert c.execute("SELECT sum(x) FROM a").fetchone() == (3,)
    db.close()


def test_busy_is_told(tmp_path: Path) -> None:
    db = Database(tmp_path / "db", ONE, 7, busy_s=0.02)
    db.connection()
    other = sqlite3.connect(tmp_path / "db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseBusyError), db.transaction():
        pass
    with db.reading() as c:
        assert c.execute("SELECT count(*) FROM a").fetchone() == (0,)
    other.close()
    db.close()


def test_thread_undoes_what_a_cancelled_waiter_left() -> None:
    gate, undone = threading.Event(), []

    async def main() -> None:
        thread = DatabaseThread("t")

        def slow() -> str:
            gate.wait(5)
            return "kept"

        task = asyncio.create_task(thread.run(slow, undo=undone.append))
        await asyncio.sleep(0)
        queued = asyncio.create_task(thread.run(lambda: "never", undo=undone.append))
        await asyncio.sleep(0)
        for waiter in (task, queued):
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
        gate.set()
        await thread.close(lambda: None)
        await thread.close(lambda: None)

    asyncio.run(main())
    assert undone in (["kept"], ["kept", "never"])


def test_thread_passes_errors_on() -> None:
    async def main() -> None:
        thread = DatabaseThread("t")
        with pytest.raises(ZeroDivisionError):
            await thread.run(lambda: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            await thread.close(lambda: 1 // 0)  # type: ignore[arg-type,return-value]

    asyncio.run(main())
