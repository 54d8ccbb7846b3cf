"""After a call: the queue, a worker in its own process, and applications that receive payloads."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession, web

from mediacore.session.aftercall import AfterCall
from mediacore.store.queue import QueueStats, SqliteQueue
from mediacore.web.client import SafeClient
from mediacore.web.url import basic_authorization
from support import ended_run as given
from support.ended_run import ended_run, ordered
from support.http_server import serving
from support.sdk import SDK_375, sdk_python

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(60)]
PROGRAM = "from mediacore.cli.worker import command; command()"
SUMMARY_AGENT = Path(__file__).resolve().parents[1] / "support" / "summary_program.py"
SCRIPT = """\
- when: fill in missing fields
  say: '{"order": {"value": "471", "quote": "four seven one"},
         "city": {"value": "Paris", "quote": "I live in Paris"}}'
"""


class Consumer:
    """An application that takes each payload once, by its key. fails: how many attempts it breaks.

    hangs: it takes the first attempt, and never answers it.
    """

    def __init__(self, *, fails: int = 0, hangs: bool = False) -> None:
        self.taken: dict[str, dict[str, Any]] = {}
        self.attempts: list[str] = []
        self._fails = fails
        self._hangs = hangs

    async def receive(self, request: web.Request) -> web.Response:
        key = request.headers["Idempotency-Key"]
        body = await request.json()
        self.attempts.append(key)
        if len(self.attempts) <= self._fails:
            return web.Response(status=503)
        self.taken.setdefault(key, body)
        if self._hangs and len(self.attempts) == 1:
            await asyncio.sleep(30)
        return web.json_response({"success": True})


def open_queue(path: Path) -> SqliteQueue:
    return SqliteQueue(path, lambda: time.time_ns() // 1_000_000)


async def call_ends(path: Path, url: str, *, extract: bool = False, **changes: Any) -> None:
    """A call of this process ends: its payload is in the queue afterwards."""
    queue, client = open_queue(path), SafeClient()
    async with AfterCall(client, queue, extract=extract) as after:
        run = ended_run(**changes)
        after.deliver(ordered(run, url), run, given.line(), given.state())
    await client.aclose()
    await queue.close()


async def stats(path: Path) -> QueueStats:
    queue = open_queue(path)
    found = await queue.snapshot()
    await queue.close()
    return found


@asynccontextmanager
async def worker(path: Path, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process; whatever is left of it at the end is killed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, "--queue", str(path), "--allow", "localhost"),
        *("--allow", "127.0.0.1", "--retry-ms", "50", *more),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until(condition: Callable[[], Awaitable[bool] | bool], limit_s: float = 20) -> None:
    """Wait for something another process does."""
    async with asyncio.timeout(limit_s):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


async def all_done(path: Path) -> bool:
    found = await stats(path)
    return found.done > 0 and found.queued + found.leased + found.dead == 0


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def test_a_consumer_that_fails_twice(tmp_path):
    path, consumer = tmp_path / "queue", Consumer(fails=2)

    async def main() -> None:
        async with serving(consumer.receive) as url:
            await call_ends(path, url)
            async with worker(path) as process:
                await until(lambda: all_done(path))
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0

    run(main())
    assert consumer.attempts == ["call-1:3"] * 3
    assert list(consumer.taken) == ["call-1:3"]


def test_a_worker_that_is_killed_between_two_attempts(tmp_path):
    path, consumer = tmp_path / "queue", Consumer(fails=1)

    async def waits() -> bool:
        return bool(consumer.attempts) and (await stats(path)).queued == 1

    async def main() -> None:
        async with serving(consumer.receive) as url:
            await call_ends(path, url)
            async with worker(path, "--retry-ms", "3000") as process:
                await until(waits)
                process.kill()
                assert await process.wait() == -signal.SIGKILL
            assert consumer.taken == {}
            async with worker(path):
                await until(lambda: all_done(path))

    run(main())
    assert consumer.attempts == ["call-1:3"] * 2
    assert consumer.taken["call-1:3"]["call_id"] == "line-1"


def test_a_worker_that_is_killed_in_an_attempt(tmp_path):
    """The consumer has it, the worker never learns: it comes again, under the same key."""
    path, consumer = tmp_path / "queue", Consumer(hangs=True)

    async def main() -> None:
        async with serving(consumer.receive) as url:
            await call_ends(path, url)
            async with worker(path, "--lease", "2") as process:
                await until(lambda: bool(consumer.attempts))
                process.kill()
            assert (await stats(path)).leased == 1
            async with worker(path):
                await until(lambda: all_done(path))

    run(main())
    assert consumer.attempts == ["call-1:3"] * 2
    assert list(consumer.taken) == ["call-1:3"]


def test_a_consumer_that_refuses(tmp_path):
    path = tmp_path / "queue"

    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=403)

    async def main() -> None:
        async with serving(refuse) as url:
            await call_ends(path, url)
            async with worker(path, "--once") as process:
                assert await process.wait() == 1
        assert await stats(path) == QueueStats(dead=1)

    run(main())


# ------------------------------------------------------------------------ the published consumer


@asynccontextmanager
async def sdk_agent(out: Path) -> AsyncIterator[int]:
    """An agent of the published SDK, unmodified, in its own process. Gives its port."""
    python = sdk_python(SDK_375)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SWML"))}
    process = await asyncio.create_subprocess_exec(
        *(str(python), str(SUMMARY_AGENT), str(port), str(out)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=clean,
        cwd=out.parent,
    )
    try:
        yield port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def document_of(port: int, call_id: str) -> dict[str, Any]:
    """The `ai` method that the agent serves for a call; waits until the agent is up."""
    place = f"http://127.0.0.1:{port}/"
    login = {"Authorization": basic_authorization("bot", "secret")}
    async with asyncio.timeout(40), ClientSession(headers=login) as http:
        while True:
            try:
                async with http.post(place, json={"call": {"call_id": call_id}}) as reply:
                    document = await reply.json()
                    break
            except ClientConnectionError:
                await asyncio.sleep(0.1)
    found = next(s["ai"] for s in document["sections"]["main"] if "ai" in s)
    assert isinstance(found, dict)
    return found


@pytest.mark.timeout(240)
def test_an_agent_of_the_published_sdk_takes_the_payload(tmp_path):
    path, out, script = (tmp_path / name for name in ("queue", "out.jsonl", "script.yaml"))
    script.write_text(SCRIPT)

    async def main() -> None:
        async with sdk_agent(out) as port:
            ai = await document_of(port, "line-1")
            ai["params"] = given.DOCUMENT["params"]
            await call_ends(path, ai["post_prompt_url"], extract=True, document=ai)
            other = ai["post_prompt_url"].replace("__token=", "__token=x")
            await call_ends(path, other, document=ai, id=4)
            async with worker(path, "--once", "--llm", f"scripted:{script}") as process:
                assert await process.wait() == 1  # the wrong token is refused for good
        assert await stats(path) == QueueStats(done=3, dead=1)

    run(main())
    first, update = (json.loads(line) for line in out.read_text().splitlines())
    assert first["summary"] == {"order": "471"} == update["summary"]
    raw = first["raw"]
    assert raw["call_id"] == "line-1" and raw["action"] == "post_conversation"
    assert raw["global_data"] == {"shop": "north"} and raw["mediacore"]["revision"] == 1
    heard = [e for e in raw["call_log"] if e.get("barged")]
    assert [e["text_heard_approx"] for e in heard] == ["It is on its way"]
    assert raw["swaig_log"][0]["command_name"] == "lookup"
    assert update["raw"]["global_data"] == {"shop": "north", "order": "471"}
    verdicts = {e["key"]: e["verdict"] for e in update["raw"]["mediacore"]["extracted"]}
    assert verdicts == {"order": "written", "city": "quote_not_found"}
