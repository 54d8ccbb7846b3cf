import asyncio
import json
import signal
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from mediacore.cli.worker import WorkerOptions, command, run_worker
from mediacore.policy.ending import FieldType
from mediacore.postcall.extract import FieldSpec
from mediacore.session.aftercall import EXTRACT, POST_PROMPT, ExtractJob, PostJob
from mediacore.store.queue import QueueFile, QueueStats
from mediacore.store.worker import WorkStats
from support.http_server import serving

BODY = b'{"call_id": "c", "global_data": {}}'
SCRIPT = """\
- say: '{"order": {"value": "471", "quote": "four seven one"}}'
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "calls.queue"


def put(place: Path, *jobs: tuple[str, str, bytes]) -> None:
    queue = QueueFile(place, lambda: 0)
    for key, kind, payload in jobs:
        queue.enqueue(key, kind, payload)
    queue.close()


def post_job(url: str) -> bytes:
    return msgspec.json.encode(PostJob(url, None, msgspec.Raw(BODY)))


def extract_job(url: str) -> bytes:
    fields = (FieldSpec("order", FieldType.DIGITS),)
    said = ("It is four seven one.",)
    return msgspec.json.encode(ExtractJob("k:x", url, None, msgspec.Raw(BODY), fields, said))


def worker(*args: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in args])


def test_once_does_what_is_due_and_leaves_the_rest(place):
    seen: list[dict[str, object]] = []

    async def receive(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.Response(status=503 if request.path == "/later" else 200)

    async def main() -> None:
        async with serving(receive) as url:
            put(
                place,
                ("a", POST_PROMPT, post_job(url)),
                ("b", POST_PROMPT, post_job(url + "/later")),
                ("x", EXTRACT, extract_job(url)),
            )
            script = place.with_suffix(".yaml")
            script.write_text(SCRIPT)
            options = WorkerOptions(place, f"scripted:{script}", once=True, allow=("127.0.0.1",))
            stats, left = await run_worker(options)
        assert stats == WorkStats(done=3, failed=1)  # the update is a job of its own
        assert left == QueueStats(queued=1, done=3)

    asyncio.run(main())
    assert len(seen) == 3 and seen[-1]["global_data"] == {"order": "471"}


def test_it_stops_on_a_signal(place):
    async def main() -> None:
        task = asyncio.create_task(run_worker(WorkerOptions(place)))
        await asyncio.sleep(0.2)
        signal.raise_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            stats, _ = await task
        assert stats == WorkStats()

    asyncio.run(main())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_without_a_model_extractions_are_put_aside_until_revived(place):
    put(place, ("x", EXTRACT, extract_job("http://127.0.0.1:1/")))
    result = worker("--queue", place, "--once")
    assert result.exit_code == 1
    assert "0 done, 1 failed; the queue holds 0 waiting, 0 in work, 1 given up." in result.output
    assert "--revive" in result.output
    again = worker("--queue", place, "--once")
    assert again.exit_code == 0 and "0 done, 0 failed" in again.output
    script = place.with_suffix(".yaml")
    script.write_text("- I cannot tell.\n")
    spec = f"scripted:{script}"
    revived = worker("--queue", place, "--once", "--revive", "--llm", spec, "--json")
    assert revived.exit_code == 0
    found = json.loads(revived.stdout)
    assert found["worker"]["done"] == 1 and found["queue"]["dead"] == 0


def test_wrong_use_is_said(place, tmp_path):
    assert worker("--once").exit_code == 2
    assert worker("--queue", tmp_path, "--once").exit_code == 2
    bad = worker("--queue", place, "--once", "--llm", "gpt")
    assert "expected openai:MODEL" in str(bad.exception)
    (tmp_path / "text").write_text("not a database " * 100)
    broken = worker("--queue", tmp_path / "text", "--once")
    assert broken.exit_code != 0 and "cannot be used" in str(broken.exception)
