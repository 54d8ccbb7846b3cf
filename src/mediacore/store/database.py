"""One SQLite file with its own thread: transactions, migrations, clear errors.

Every statement runs on the one thread of the database, so that the event loop never waits for a
disk. Other processes may have the same file open; write-ahead logging and `BEGIN IMMEDIATE` order
them. A commit that returned is on the disk (`synchronous=FULL`).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from mediacore.errors import MediacoreError

T = TypeVar("T")

BUSY_S: Final = 10.0
_SHORT_S: Final = 0.01
_RETRY_S: Final = 0.001


class DatabaseError(MediacoreError):
    """A database could not be used; `place` is its file or address, without credentials."""

    def __init__(self, message: str, place: str) -> None:
        super().__init__(message)
        self.place = place


class DatabaseFullError(DatabaseError):
    """No room to write. What was committed before is still there; nothing new was counted."""


class DatabaseBusyError(DatabaseError):
    """Another process held the file for too long; nothing was changed."""


class Database:
    """A file and its connection. Used from one thread only; opened by the first use of it.

    migrations: one script for each version; they run once, in order. app_id: marks the file as
    ours, so that another database is not mistaken for it.
    """

    def __init__(
        self, path: Path, migrations: tuple[str, ...], app_id: int, busy_s: float = BUSY_S
    ) -> None:
        self.path = path
        self._busy_s = busy_s
        self._migrations = migrations
        self._app_id = app_id
        self._connection: sqlite3.Connection | None = None

    def connection(self) -> sqlite3.Connection:
        """The open connection; opens and migrates the file when needed."""
        if self._connection is None:
            with self._errors():
                self._connection = self._open()
        return self._connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: committed at the end of the block, rolled back on any error."""
        connection = self.connection()
        with self._errors():
            self._begin(connection, "BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A consistent view of the file; never waits for writers."""
        connection = self.connection()
        with self._errors():
            connection.execute("BEGIN")
            try:
                # The view begins at the first read, which waits while a crashed file is repaired.
                self._begin(connection, "SELECT 1 FROM sqlite_master LIMIT 1")
                yield connection
            finally:
                connection.execute("ROLLBACK")

    def _begin(self, connection: sqlite3.Connection, statement: str) -> None:
        """Run a statement that takes a lock, trying again at short, even intervals.

        SQLite's own waiting backs off to 100 ms, and processes that write all the time then
        starve the one that waits.
        """
        deadline = time.monotonic() + self._busy_s
        while True:
            try:
                connection.execute(statement)
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() >= deadline:
                    raise
                time.sleep(_RETRY_S)

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)  # it holds what callers said; its -wal gets the same mode
        connection = sqlite3.connect(
            self.path, timeout=_SHORT_S, isolation_level=None, check_same_thread=False
        )
        try:
            self._begin(connection, "PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        self._begin(connection, "BEGIN IMMEDIATE")
        try:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            app_id = int(connection.execute("PRAGMA application_id").fetchone()[0])
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables and app_id != self._app_id:
                raise DatabaseError(
                    f"{self.path} is another program's database; give another file", str(self.path)
                )
            if version > len(self._migrations):
                raise DatabaseError(
                    f"{self.path} has version {version}; this program knows up to "
                    f"{len(self._migrations)}. Use the mediacore release that wrote it.",
                    str(self.path),
                )
            for script in self._migrations[version:]:
                for statement in script.split(";"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id={self._app_id}")
            connection.execute(f"PRAGMA user_version={len(self._migrations)}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._as_ours(error) from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DatabaseError(f"{self.path} cannot be used: {reason}", str(self.path)) from None

    def _as_ours(self, error: sqlite3.Error) -> DatabaseError:
        code, place = _code(error), str(self.path)
        if code == sqlite3.SQLITE_FULL:
            return DatabaseFullError(f"{place}: no room left on the disk", place)
        if _is_busy(error):
            return DatabaseBusyError(f"{place} is held by another process", place)
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        return DatabaseError(f"{place} cannot be used: {name}", place)


def _is_busy(error: sqlite3.Error) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: sqlite3.Error) -> int:
    """The primary result code: extended codes keep it in their lowest byte."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


class DatabaseThread:
    """Runs functions on one thread, in order, for one event loop."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._closed = False

    async def run(self, function: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
        """Run `function`; when the waiter is cancelled, `undo` gets what it still returned."""
        future = self._pool.submit(function)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if undo is not None and not future.cancelled():
                self._pool.submit(_undo, future, undo)
            raise

    async def close(self, last: Callable[[], None]) -> None:
        """Run `last` after everything that was asked before, then end the thread. Idempotent."""
        if self._closed:
            return
        self._closed = True
        try:
            await asyncio.wrap_future(self._pool.submit(last))
        finally:
            self._pool.shutdown(wait=False)


def _undo(future: Future[T], undo: Callable[[T], object]) -> None:
    if not future.cancelled() and future.exception() is None:
        undo(future.result())
