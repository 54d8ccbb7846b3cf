import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest
from aiohttp import web

from mediacore.app_worker import (
    DELIVERY_RULES,
    BrokenJobError,
    DeliveryError,
    DeliveryRefusedError,
    NoModelError,
    extract_handler,
    handlers,
    post_prompt_handler,
)
from mediacore.errors import ErrorClass, ProviderError
from mediacore.policy.ending import FieldType
from mediacore.postcall.extract import FieldSpec
from mediacore.providers.scripted import Fail, ScriptedLlm
from mediacore.session.aftercall import EXTRACT, POST_PROMPT, ExtractJob, PostJob
from mediacore.slots.driver import LlmDriver
from mediacore.slots.policy import LlmPolicy
from mediacore.store.queue import Job
from mediacore.web.client import SafeClient
from support.http_server import LOOPBACK, serving, text

FIELDS = (
    FieldSpec("order", FieldType.DIGITS, True, "order number"),
    FieldSpec("city", FieldType.TEXT, True, "city"),
)
SAID = ("It is four seven one, please.", "Thanks, I live in Berlin.")
BODY = {"call_id": "c", "global_data": {"shop": "north"}, "mediacore": {"version": 1}}


def job(kind: str, payload: bytes, attempt: int = 1) -> Job:
    return Job("k", kind, payload, attempt)


def post_job(url: str) -> Job:
    return job(POST_PROMPT, msgspec.json.encode(PostJob(url, None, msgspec.Raw(b'{"a":1}'))))


def extract_job(**data: Any) -> Job:
    body = BODY | {"global_data": BODY["global_data"] | data}  # type: ignore[operator]
    wanted = ExtractJob(
        "k:extracted",
        "http://h.example/p",
        ("u", "p"),
        msgspec.Raw(json.dumps(body).encode()),
        FIELDS,
        SAID,
    )
    return job(EXTRACT, msgspec.json.encode(wanted))


class Memory:
    def __init__(self) -> None:
        self.jobs: dict[str, tuple[str, bytes]] = {}

    async def enqueue(self, key: str, kind: str, payload: bytes) -> bool:
        new = key not in self.jobs
        self.jobs.setdefault(key, (kind, payload))
        return new


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (204, None),
        (302, DeliveryRefusedError),
        (403, DeliveryRefusedError),
        (404, DeliveryRefusedError),
        (408, DeliveryError),
        (429, DeliveryError),
        (500, DeliveryError),
        (503, DeliveryError),
    ],
)
def test_verdicts_on_the_answer(status, error):
    async def main() -> None:
        client = SafeClient(allow=LOOPBACK)
        async with serving(text("", status, location="/x")) as url:
            work = post_prompt_handler(client)(post_job(url))
            if error is None:
                await work
            else:
                with pytest.raises(error):
                    await work
        await client.aclose()

    run(main())


def test_places_that_cannot_be_reached():
    async def main() -> None:
        client = SafeClient()
        deliver = post_prompt_handler(client)
        with pytest.raises(DeliveryRefusedError, match="blocked_address"):
            await deliver(post_job("http://127.0.0.1:1/"))
        with pytest.raises(DeliveryRefusedError, match="bad_url"):
            await deliver(post_job("ftp://h.example/"))
        await client.aclose()
        open_client = SafeClient(allow=LOOPBACK)
        with pytest.raises(DeliveryError, match="refused"):
            await post_prompt_handler(open_client)(post_job("http://127.0.0.1:1/"))
        await open_client.aclose()

    run(main())


def test_every_attempt_has_the_same_key_and_body():
    seen: list[tuple[str, bytes]] = []

    async def receive(request: web.Request) -> web.Response:
        seen.append((request.headers["Idempotency-Key"], await request.read()))
        return web.Response(status=500 if len(seen) < 2 else 200)

    async def main() -> None:
        client = SafeClient(allow=LOOPBACK)
        async with serving(receive) as url:
            with pytest.raises(DeliveryError):
                await post_prompt_handler(client)(post_job(url))
            await post_prompt_handler(client)(post_job(url))
        await client.aclose()

    run(main())
    assert seen == [("k", b'{"a":1}')] * 2


def driver(*replies: Any) -> tuple[LlmDriver, ScriptedLlm]:
    model = ScriptedLlm(replies, first_delay_ms=0, word_delay_ms=0)
    return LlmDriver((model,), lambda: 0, LlmPolicy(retries=0)), model


GOOD = json.dumps(
    {
        "order": {"value": "471", "quote": "four seven one"},
        "city": {"value": "Hamburg", "quote": "I live in Hamburg"},
    }
)


def test_only_quoted_values_are_delivered_as_an_update():
    llm, model = driver(GOOD)
    queue = Memory()
    run(extract_handler(llm, queue)(extract_job()))  # type: ignore[arg-type]
    kind, payload = queue.jobs["k:extracted"]
    update = msgspec.json.decode(payload, type=PostJob)
    body = json.loads(bytes(update.body))
    assert (kind, update.url, update.auth) == (POST_PROMPT, "http://h.example/p", ("u", "p"))
    assert body["global_data"] == {"shop": "north", "order": "471"}
    assert body["call_id"] == "c" and body["mediacore"]["version"] == 1
    assert body["mediacore"]["revision"] == 2
    assert body["mediacore"]["extracted"] == [
        {"key": "order", "verdict": "written", "quote": "four seven one", "caller_turn": 0},
        {"key": "city", "verdict": "quote_not_found"},
    ]
    (request,) = model.requests
    assert request.temperature == 0.0 and "order number" in request.messages[0].text


def test_a_second_run_changes_nothing():
    llm, _ = driver(GOOD, GOOD.replace("471", "470"))
    queue = Memory()
    for _ in range(2):
        run(extract_handler(llm, queue)(extract_job()))  # type: ignore[arg-type]
    assert list(queue.jobs) == ["k:extracted"]
    assert b'"471"' in queue.jobs["k:extracted"][1]


def test_what_is_there_is_never_touched_and_nothing_new_is_not_sent():
    llm, model = driver(GOOD)
    queue = Memory()
    run(extract_handler(llm, queue)(extract_job(order="999")))  # type: ignore[arg-type]
    assert queue.jobs == {} and len(model.requests) == 1
    run(extract_handler(llm, queue)(extract_job(order="1", city="Bonn")))  # type: ignore[arg-type]
    assert len(model.requests) == 1  # nothing is missing: nobody is asked


def test_a_model_that_talks_gives_nothing():
    llm, _ = driver("I would rather not say.")
    queue = Memory()
    run(extract_handler(llm, queue)(extract_job()))  # type: ignore[arg-type]
    assert queue.jobs == {}


def test_a_model_that_fails_leaves_the_job():
    llm, _ = driver((Fail(ErrorClass.UNAVAILABLE),))
    with pytest.raises(ProviderError):
        run(extract_handler(llm, Memory())(extract_job()))  # type: ignore[arg-type]


def test_broken_jobs_and_workers_without_a_model():
    client = SafeClient()
    found = handlers(client, Memory(), None)
    with pytest.raises(NoModelError):
        run(found[EXTRACT](extract_job()))  # type: ignore[arg-type]
    with pytest.raises(BrokenJobError):
        run(found[POST_PROMPT](job(POST_PROMPT, b"{")))  # type: ignore[arg-type]
    with pytest.raises(BrokenJobError):
        llm, _ = driver(GOOD)
        run(handlers(client, Memory(), llm)[EXTRACT](job(EXTRACT, b"[]")))  # type: ignore[arg-type]


def test_a_receiver_may_be_away_for_hours():
    waits = [DELIVERY_RULES.wait_ms(n) for n in range(1, DELIVERY_RULES.attempts)]
    assert waits[0] == 2_000 and 4 * 3_600_000 < sum(waits) < 6 * 3_600_000
