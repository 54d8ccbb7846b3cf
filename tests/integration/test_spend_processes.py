"""Spend counters and the queue under real processes that are killed at random points."""

import asyncio
import multiprocessing as mp
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediacore.policy.spend import DaySpend, Refused, Reservation
from mediacore.store.database import DatabaseError
from mediacore.store.queue import QueueFile, QueueStats
from mediacore.store.spend import SpendFile
from mediacore.store.spend_pg import PostgresSpend
from support.spend_workers import DAY, pg_spender, queue_worker, spender

CTX = mp.get_context("forkserver")
CTX.set_forkserver_preload(["pytest", "mediacore.store.spend_pg", "mediacore.store.queue"])
pytestmark = pytest.mark.timeout(90)  # many process starts, on a machine that may be busy


def read_log(path: Path) -> list[tuple[str, str, int]]:
    if not path.exists():
        return []
    rows = (line.split() for line in path.read_text().splitlines())
    return [(kind, name, int(amount)) for kind, name, amount in rows]


def wait_for_a_line(logs: list[Path]) -> None:
    """Until somebody has committed something, so that the kills hit running work."""
    for _ in range(2000):
        if any(log.exists() and log.stat().st_size for log in logs):
            return
        time.sleep(0.01)
    raise AssertionError("no process began to work")


def check_counts(used: DaySpend, open_now: tuple[Reservation, ...], logs: list[Path]) -> int:
    """Nothing acknowledged is lost; what was never settled counts in full. Returns commits."""
    rows = [row for log in logs for row in read_log(log)]
    reserved = {name: amount for kind, name, amount in rows if kind == "R"}
    tried = {name: amount for kind, name, amount in rows if kind == "T"}
    settled = {name: amount for kind, name, amount in rows if kind == "S"}
    open_by_id = {r.id: r.amount for r in open_now}
    assert used.reserved == sum(open_by_id.values())
    for name, amount in reserved.items():
        if name in settled:
            assert name not in open_by_id
        elif name not in tried:
            assert open_by_id[name] == amount
    unclear = {n: a for n, a in tried.items() if n not in settled and n not in open_by_id}
    assert used.settled == sum(settled.values()) + sum(unclear.values())
    return len(reserved) + len(settled)


def test_no_cap_is_passed_and_nothing_is_lost(tmp_path: Path) -> None:
    """Four processes at a time, killed at seeded moments; at last four run to the end."""
    cap, rng = 40_000, random.Random(7)
    book = SpendFile(tmp_path / "spend.sqlite3")
    logs: list[Path] = []
    for wave in range(3):
        go = CTX.Barrier(5)
        workers = []
        for n in range(4):
            logs.append(tmp_path / f"log{wave}-{n}")
            args = (str(tmp_path / "spend.sqlite3"), str(logs[-1]), wave * 10 + n, cap, go)
            workers.append(CTX.Process(target=spender, args=args, daemon=True))
            workers[-1].start()
        go.wait(20)  # everyone has imported and works from here
        if wave < 2:
            wait_for_a_line(logs[-4:])
            for worker in workers:
                time.sleep(rng.uniform(0.02, 0.2))
                assert book.used("c", DAY).total <= cap
                worker.kill()
        for worker in workers:
            worker.join(30)
            assert worker.exitcode in ((0,) if wave == 2 else (0, -signal.SIGKILL))
        used = book.used("c", DAY)
        assert used.total <= cap
        commits = check_counts(used, book.open_reservations("c", DAY), logs)
    assert used.total == cap and commits > 500
    book.close()


def test_queue_survives_kills(tmp_path: Path) -> None:
    """Every job is finished exactly once, whoever dies while holding it."""
    path, rng = tmp_path / "queue.sqlite3", random.Random(3)
    queue = QueueFile(path, lambda: time.time_ns() // 1_000_000)
    assert all(queue.enqueue(f"k{n}", "post", b"x") for n in range(300))
    logs = []
    for wave in range(3):
        go = CTX.Barrier(4)
        workers = []
        for n in range(3):
            logs.append(tmp_path / f"log{wave}-{n}")
            args = (str(path), str(logs[-1]), go)
            workers.append(CTX.Process(target=queue_worker, args=args, daemon=True))
            workers[-1].start()
        go.wait(20)  # everyone has imported and works from here
        for worker in workers[: 3 if wave < 2 else 0]:
            time.sleep(rng.uniform(0.01, 0.06))
            worker.kill()
        for worker in workers:
            worker.join(30)
            assert worker.exitcode is not None
    assert queue.snapshot() == QueueStats(done=300)
    finished = [name for log in logs for _, name, _ in read_log(log)]
    assert len(finished) == len(set(finished)) >= 290
    queue.close()


# PostgreSQL --------------------------------------------------------------------------------


def _tool(name: str) -> str | None:
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(places[0]) if places else shutil.which(name)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A server of its own on a socket in a temporary directory; skipped where none is installed."""
    pytest.importorskip("asyncpg")
    initdb, pg_ctl = _tool("initdb"), _tool("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("PostgreSQL is not installed")
    root = Path(tempfile.mkdtemp(prefix="mcpg"))
    prefix: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        if shutil.which("runuser") is None:
            pytest.skip("PostgreSQL cannot be started as root")
        shutil.chown(root, "nobody")
        prefix = ["runuser", "-u", "nobody", "--"]
    data = str(root / "data")
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    options = f"-c listen_addresses='' -c unix_socket_directories={root} -c max_connections=40"
    try:
        subprocess.run([*prefix, initdb, "-D", data, "-A", "trust", "-U", "mc", "-N"], **quiet)
        start = [pg_ctl, "-D", data, "-o", options, "-l", str(root / "log"), "-w", "start"]
        subprocess.run([*prefix, *start], **quiet)
    except subprocess.CalledProcessError:
        pytest.skip("PostgreSQL could not be started here")
    try:
        yield f"postgresql://mc@/postgres?host={root}"
    finally:
        subprocess.run([*prefix, pg_ctl, "-D", data, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(root, ignore_errors=True)


def test_postgres_counts_like_sqlite(postgres: str) -> None:
    async def main() -> None:
        book = PostgresSpend(postgres)
        got = await asyncio.gather(*(book.reserve("one", DAY, f"c{n}", 10, 100) for n in range(25)))
        kept = [r for r in got if isinstance(r, Reservation)]
        assert len(kept) == 10
        assert {r.used for r in got if isinstance(r, Refused)} == {100}
        assert await book.settle(kept[0], 3) and not await book.settle(kept[0], 3)
        assert await book.release(kept[1])
        assert await book.used("one", DAY) == DaySpend(3, 80)
        assert len(await book.open_reservations("one", DAY)) == 8
        for delay in range(20):
            task = asyncio.create_task(book.reserve("one", DAY, "late", 5, 100))
            await asyncio.sleep(delay / 10_000)
            task.cancel()
            outcome = (await asyncio.gather(task, return_exceptions=True))[0]
            if isinstance(outcome, Reservation):
                await book.release(outcome)
        assert await book.used("one", DAY) == DaySpend(3, 80)
        assert await book.used("two", DAY) == DaySpend()
        await book.close()
        again = PostgresSpend(postgres)
        assert await again.used("one", DAY) == DaySpend(3, 80)
        await again.close()

    asyncio.run(main())


def test_postgres_that_is_away_refuses_to_spend(tmp_path: Path) -> None:
    pytest.importorskip("asyncpg")

    async def main() -> None:
        book = PostgresSpend(f"postgresql://me:secret@/db?host={tmp_path}", timeout_s=1)
        with pytest.raises(DatabaseError) as caught:
            await book.reserve("c", DAY, "x", 1, 10)
        assert "secret" not in str(caught.value)
        await book.close()

    asyncio.run(main())


def test_postgres_cap_holds_under_kills(postgres: str, tmp_path: Path) -> None:
    cap, rng, logs = 8_000, random.Random(5), []
    for wave in range(2):
        go = CTX.Barrier(4)
        workers = []
        for n in range(3):
            logs.append(tmp_path / f"log{wave}-{n}")
            args = (postgres, str(logs[-1]), wave * 10 + n, cap, go)
            workers.append(CTX.Process(target=pg_spender, args=args, daemon=True))
            workers[-1].start()
        go.wait(20)  # everyone has imported and works from here
        if wave == 0:
            wait_for_a_line(logs)
        for worker in workers[: 3 if wave == 0 else 0]:
            time.sleep(rng.uniform(0.05, 0.2))
            worker.kill()
        for worker in workers:
            worker.join(30)
            assert worker.exitcode in ((0,) if wave else (0, -signal.SIGKILL))

    async def main() -> None:
        book = PostgresSpend(postgres)
        used = await book.used("c", DAY)
        assert used.total == cap
        assert check_counts(used, await book.open_reservations("c", DAY), logs) > 100
        await book.close()

    asyncio.run(main())
