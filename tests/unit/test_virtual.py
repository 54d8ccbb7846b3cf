import asyncio
import time

import pytest

from virtual import now_us, run_virtual


def test_an_hour_takes_no_time():
    async def main() -> int:
        await asyncio.sleep(3600)
        return now_us()

    begin = time.monotonic()
    assert run_virtual(main()) == 3600 * 1_000_000
    assert time.monotonic() - begin < 5


def test_timers_fire_in_order():
    async def main() -> list[tuple[str, int]]:
        seen = []

        async def after(ms: int, name: str) -> None:
            await asyncio.sleep(ms / 1000)
            seen.append((name, now_us()))

        async with asyncio.TaskGroup() as group:
            group.create_task(after(30, "c"))
            group.create_task(after(10, "a"))
            group.create_task(after(20, "b"))
        return seen

    assert run_virtual(main()) == [("a", 10_000), ("b", 20_000), ("c", 30_000)]


def test_real_blocking_fails():
    async def main() -> None:
        time.sleep(1.05)  # noqa: ASYNC251 - the point of the test
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="blocked"):
        run_virtual(main())


def test_deadlock_fails():
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="deadlock"):
        run_virtual(main())


def test_leftover_tasks_fail():
    async def main() -> None:
        main.task = asyncio.ensure_future(asyncio.sleep(5))

    with pytest.raises(AssertionError, match="left behind"):
        run_virtual(main())


def test_threads_still_work():
    async def main() -> int:
        return await asyncio.to_thread(lambda: 7)

    assert run_virtual(main()) == 7
