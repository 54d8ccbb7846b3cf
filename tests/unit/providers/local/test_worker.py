from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from mediacore.errors import ConfigError, ErrorClass, MissingDependencyError, ProviderError
from mediacore.providers.local.worker import Worker

MODEL = """
import os, time
from mediacore.errors import ConfigError, ErrorClass, MissingDependencyError, ProviderError

def load(config):
    mode = config.get("fail")
    if mode == "missing":
        raise MissingDependencyError("the weights", "install them")
    if mode == "config":
        raise ConfigError("sha256 differs")
    if mode == "crash":
        os._exit(3)
    if mode == "import":
        import no_such_library
    print("noise on stdout must not matter")
    return handle

def handle(head, body):
    op = head["op"]
    if op == "echo":
        for i in range(head.get("times", 1)):
            yield {"i": i, "threads": os.environ["OMP_NUM_THREADS"]}, body
    if op == "sleep":
        time.sleep(head["s"])
        yield {"slept": True}, b""
    if op == "crash":
        os._exit(9)
    if op == "raise":
        raise ProviderError(ErrorClass.BAD_INPUT, "no")
"""


@pytest.fixture(autouse=True)
def _model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model_for_test.py").write_text(MODEL)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def make(capacity: int = 16, **config: str) -> Worker:
    return Worker("test", "model_for_test", config, capacity=capacity)


async def ask(worker: Worker, op: str, body: bytes = b"", **head: object) -> list[object]:
    return [reply async for reply in worker.call({"op": op, **head}, body)]


def test_replies_come_in_order_with_their_bodies() -> None:
    async def run() -> None:
        worker = make()
        await worker.prewarm()
        replies = await ask(worker, "echo", b"\0\xff" * 100_000, times=3)
        assert [head["i"] for head, _ in replies] == [0, 1, 2]
        assert all(head["threads"] == "1" for head, _ in replies)
        assert all(body == b"\0\xff" * 100_000 for _, body in replies)
        many = await asyncio.gather(*(ask(worker, "echo", bytes([i])) for i in range(10)))
        assert [replies[0][1] for replies in many] == [bytes([i]) for i in range(10)]
        assert worker.in_flight == 0
        await worker.aclose()
        await worker.aclose()
        with pytest.raises(ProviderError):
            await ask(worker, "echo")

    asyncio.run(run())


def test_a_crash_fails_requests_in_flight_and_the_worker_comes_back() -> None:
    async def run() -> None:
        worker = make()
        await ask(worker, "echo")
        waiting = asyncio.create_task(ask(worker, "sleep", s=5))
        await asyncio.sleep(0.05)
        first = worker.snapshot().pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        with pytest.raises(ProviderError) as failure:
            await waiting
        assert failure.value.error_class is ErrorClass.CRASHED
        assert failure.value.error_class.retryable
        assert len(await ask(worker, "echo")) == 1
        stats = worker.snapshot()
        assert (stats.crashes, stats.starts) == (1, 2)
        assert stats.pid != first
        with pytest.raises(ProviderError):
            await ask(worker, "crash")
        assert len(await ask(worker, "echo")) == 1
        await worker.aclose()

    asyncio.run(run())


def test_cancelling_drops_queued_work() -> None:
    async def run() -> None:
        worker = make()
        await worker.prewarm()
        async with aclosing(worker.call({"op": "echo", "times": 100_000})) as replies:
            await anext(replies)
        started = time.monotonic()
        queued = [asyncio.create_task(ask(worker, "sleep", s=0.2)) for _ in range(5)]
        await asyncio.sleep(0.05)
        for task in queued[1:]:
            task.cancel()
        await asyncio.wait(queued)
        await ask(worker, "echo")
        assert time.monotonic() - started < 0.9  # five would need 1.0 s
        assert worker.in_flight == 0
        await worker.aclose()

    asyncio.run(run())


def test_a_full_queue_refuses() -> None:
    async def run() -> None:
        worker = make(capacity=2)
        await worker.prewarm()
        tasks = [asyncio.create_task(ask(worker, "sleep", s=0.1)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(ProviderError) as failure:
            await ask(worker, "echo")
        assert failure.value.error_class is ErrorClass.RATE_LIMITED
        await asyncio.gather(*tasks)
        assert len(await ask(worker, "echo")) == 1
        assert worker.snapshot().refused == 1
        await worker.aclose()

    asyncio.run(run())


def test_the_models_own_error_class_arrives() -> None:
    async def run() -> None:
        worker = make()
        with pytest.raises(ProviderError) as failure:
            await ask(worker, "raise")
        assert failure.value.error_class is ErrorClass.BAD_INPUT
        assert failure.value.provider == "test"
        await worker.aclose()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("missing", MissingDependencyError),
        ("import", MissingDependencyError),
        ("config", ConfigError),
        ("crash", ProviderError),
    ],
)
def test_a_model_that_does_not_load(mode: str, error: type[Exception]) -> None:
    async def run() -> None:
        worker = make(fail=mode)
        for _ in range(2):  # the second try starts the child again
            with pytest.raises(error):
                await worker.prewarm()
        assert worker.snapshot().starts == 2
        await worker.aclose()

    asyncio.run(run())


def test_closing_fails_what_waits_and_ends_the_child() -> None:
    async def run() -> None:
        worker = make()
        await worker.prewarm()
        waiting = asyncio.create_task(ask(worker, "sleep", s=30))
        await asyncio.sleep(0.05)
        pid = worker.snapshot().pid
        started = time.monotonic()
        await worker.aclose()
        with pytest.raises(ProviderError):
            await waiting
        assert time.monotonic() - started < 1.5
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    asyncio.run(run())


def test_closing_while_it_loads() -> None:
    async def run() -> None:
        worker = make()
        waiting = asyncio.create_task(worker.prewarm())
        await asyncio.sleep(0.01)
        await worker.aclose()
        with pytest.raises(ProviderError):
            await waiting

    asyncio.run(run())


def test_the_loop_is_never_blocked() -> None:
    async def run() -> None:
        worker = make()
        await worker.prewarm()
        task = asyncio.create_task(ask(worker, "sleep", b"\0" * 4_000_000, s=0.3))
        worst, last = 0.0, time.monotonic()
        while not task.done():
            await asyncio.sleep(0.005)
            now = time.monotonic()
            worst, last = max(worst, now - last), now
        assert worst < 0.15
        await worker.aclose()

    asyncio.run(run())
