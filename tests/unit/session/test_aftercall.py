import asyncio
import base64
import json
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from aiohttp import web

from mediacore.errors import MediacoreError
from mediacore.policy.ending import FieldType
from mediacore.session.aftercall import (
    AfterCall,
    AfterCallStats,
    ExtractJob,
    PostJob,
    accepted,
    encode_json,
    hopeless,
    missing_fields,
)
from mediacore.session.callfacts import SessionFacts
from mediacore.web.client import HttpReply, SafeClient
from support import ended_run as given
from support.ended_run import ended_run, ordered
from support.http_server import LOOPBACK, serving, text


class Memory:
    """A queue in memory that can fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.jobs: dict[str, tuple[str, bytes]] = {}
        self.fails = fails

    async def enqueue(self, key: str, kind: str, payload: bytes) -> bool:
        if self.fails:
            raise MediacoreError("the disk is full")
        new = key not in self.jobs
        self.jobs.setdefault(key, (kind, payload))
        return new


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def test_the_payload_is_queued_with_the_extraction():
    queue = Memory()

    async def main() -> None:
        client = SafeClient()
        async with AfterCall(client, queue) as after:
            ended = ended_run()
            facts = SessionFacts(media={"ticks": 7})
            after.deliver(ordered(ended), ended, given.line(), given.state(), facts)
            after.deliver(ordered(ended), ended, given.line(), given.state())  # once, ever
        assert after.snapshot() == AfterCallStats(queued=2)
        await client.aclose()

    run(main())
    assert [kind for kind, _ in queue.jobs.values()] == ["post_prompt", "extract"]
    job = msgspec.json.decode(queue.jobs["call-1:3"][1], type=PostJob)
    body = json.loads(bytes(job.body))
    assert job.url == "http://bot:secret@127.0.0.1:9/post_prompt"
    assert body["call_id"] == "line-1" and body["action"] == "post_conversation"
    assert body["post_prompt_data"]["parsed"] == [{"order": "471"}]
    assert body["mediacore"]["revision"] == 1 and body["mediacore"]["media"] == {"ticks": 7}
    wanted = msgspec.json.decode(queue.jobs["call-1:3:extract"][1], type=ExtractJob)
    assert wanted.key == "call-1:3:extracted" and bytes(wanted.body) == bytes(job.body)
    assert [(f.key, f.type, f.hint) for f in wanted.fields] == [
        ("order", FieldType.DIGITS, "order number"),
        ("city", FieldType.TEXT, "city"),
    ]
    assert wanted.utterances[0] == "It is four seven one, please."


@pytest.mark.parametrize("case", ["no model", "all there", "nothing said", "nothing required"])
def test_no_extraction(case):
    ended, extract = ended_run(), True
    if case == "no model":
        extract = False
    elif case == "all there":
        data = {"order": "471", "city": "Berlin"}
        ended = replace(ended, session=replace(ended.session, global_data=data))
    elif case == "nothing said":
        ended = replace(ended, talk=replace(ended.talk, turns=given.TURNS[:1]))
    else:
        ended = ended_run(given.DOCUMENT | {"params": {}})
    queue = Memory()

    async def main() -> None:
        client = SafeClient()
        async with AfterCall(client, queue, extract=extract) as after:
            after.deliver(ordered(ended), ended, given.line(), given.state())
        await client.aclose()

    run(main())
    assert list(queue.jobs) == ["call-1:3"]


def test_a_field_that_holds_something_is_not_missing():
    ended = ended_run()
    some = replace(ended, session=replace(ended.session, global_data={"order": "471", "city": " "}))
    assert [f.key for f in missing_fields(some)] == ["city"]


@pytest.mark.parametrize("queue", [None, Memory(fails=True)])
def test_without_a_usable_queue_it_is_sent_once(queue):
    seen: list[tuple[dict[str, Any], web.Request]] = []

    async def receive(request: web.Request) -> web.Response:
        seen.append((await request.json(), request))
        return web.json_response({"success": True})

    async def main() -> None:
        client = SafeClient(allow=LOOPBACK)
        async with serving(receive) as url, AfterCall(client, queue) as after:
            ended = ended_run()
            where = url.replace("http://", "http://bot:secret@") + "/post_prompt?call_id=line-1"
            after.deliver(ordered(ended, where), ended, given.line(), given.state())
            await after.wait_idle()
            assert after.snapshot() == AfterCallStats(sent=1)
        await client.aclose()

    run(main())
    ((body, request),) = seen
    assert body["call_id"] == "line-1" and request.query["call_id"] == "line-1"
    assert request.headers["Idempotency-Key"] == "call-1:3"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"bot:secret").decode()


def test_a_pair_comes_before_credentials_in_the_url():
    seen: list[str] = []

    async def receive(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response()

    async def main() -> None:
        client = SafeClient(allow=LOOPBACK)
        async with serving(receive) as url, AfterCall(client) as after:
            ended = ended_run()
            action = replace(ordered(ended, url.replace("//", "//a:b@")), auth=("user", "pass"))
            after.deliver(action, ended, given.line(), given.state())
        await client.aclose()

    run(main())
    assert seen == ["Basic " + base64.b64encode(b"user:pass").decode()]


def test_what_cannot_be_sent_is_counted_and_told(caplog):
    async def main() -> None:
        client = SafeClient(allow=LOOPBACK)
        async with serving(text("no", 500)) as url, AfterCall(client) as after:
            ended = ended_run()
            where = url.replace("//", "//bot:secret@") + "/?token=t0p"
            after.deliver(ordered(ended, where), ended, given.line(), given.state())
            await after.wait_idle()
            assert after.snapshot() == AfterCallStats(lost=1)
        await client.aclose()

    with caplog.at_level(logging.ERROR, logger="mediacore.aftercall"):
        run(main())
    (entry,) = [r for r in caplog.records if r.name == "mediacore.aftercall"]
    assert entry.getMessage() == "payload lost" and entry.__dict__["http_status"] == 500
    assert "secret" not in str(entry.__dict__) and "t0p" not in str(entry.__dict__)


def test_the_delivery_outlives_the_task_that_ordered_it():
    queue = Memory()

    async def main() -> None:
        client = SafeClient()
        async with AfterCall(client, queue) as after:

            async def call() -> None:
                ended = ended_run()
                after.deliver(ordered(ended), ended, given.line(), given.state())
                await asyncio.sleep(60)

            task = asyncio.create_task(call())
            await asyncio.sleep(0)
            task.cancel()
        await client.aclose()

    run(main())
    assert "call-1:3" in queue.jobs


def test_a_copy_is_kept_even_when_nobody_wants_the_payload(caplog):
    kept: list[tuple[str, str, bytes]] = []
    queue = Memory()

    def full(*_: object) -> None:
        raise OSError("no room")

    async def main() -> None:
        client = SafeClient()
        ended = ended_run()
        for keep in (lambda *a: kept.append(a), full):
            async with AfterCall(client, queue, keep=keep) as after:
                after.deliver(ordered(ended, ""), ended, given.line(), given.state())
            assert after.snapshot() == AfterCallStats()
        await client.aclose()

    run(main())
    ((call, name, data),) = kept
    assert (call, name) == ("call-1", "payload-3.json")
    assert json.loads(data)["ai_session_id"] == "call-1:3"
    assert queue.jobs == {} and "payload not kept" in caplog.text


def test_one_broken_run_does_not_touch_the_others(caplog):
    queue = Memory()

    async def main() -> None:
        client = SafeClient()
        async with AfterCall(client, queue, extract=False) as after:
            good = ended_run()
            broken: Any = replace(good, id=4, session=None)
            after.deliver(ordered(good), broken, given.line(), given.state())
            after.deliver(ordered(good), good, given.line(), given.state())
        assert after.snapshot() == AfterCallStats(queued=1, lost=1)
        await client.aclose()

    run(main())
    assert "payload failed" in caplog.text


def test_it_must_be_open():
    ended = ended_run()
    with pytest.raises(RuntimeError, match="not open"):
        AfterCall(SafeClient()).deliver(ordered(ended), ended, given.line(), given.state())


def test_verdicts_on_replies():
    assert accepted(HttpReply(204)) and accepted(HttpReply(200, error="too_large"))
    assert not accepted(HttpReply(302, error="bad_redirect"))
    assert [s for s in (400, 401, 403, 404, 408, 410, 425, 429, 500, 503)
            if hopeless(HttpReply(s))] == [400, 401, 403, 404, 410]  # fmt: skip
    assert hopeless(HttpReply(0, error="blocked_address")) and hopeless(
        HttpReply(0, error="bad_url")
    )
    assert not hopeless(HttpReply(0, error="refused")) and not hopeless(
        HttpReply(0, error="timeout")
    )


def test_json_whatever_the_data_holds():
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]
    body = {"a": 1 << 80, "b": "\ud800", "c": {1: object}, "d": float("nan"), "e": deep, "f": {3}}
    found = json.loads(encode_json(body))
    assert found["a"] == str(1 << 80) and found["b"] == "?" and found["d"] is None
    assert list(found["c"]) == ["1"] and found["f"] == [3]
    assert json.loads(encode_json({"a": (1, None, True)})) == {"a": [1, None, True]}
