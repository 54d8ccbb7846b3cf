"""HTTP work of a call: requests, documents, status posts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from mediacore.runtime.actions import FetchDocument, PostStatus, SendRequest
from mediacore.runtime.inputs import DocumentFetched, HttpReplied
from mediacore.session import outside as outside_module
from mediacore.session.outside import Outside
from mediacore.web.client import HttpReply
from support.host_sim import FakeClient
from virtual import run_virtual

Scene = Callable[[Outside, FakeClient, list[Any]], Awaitable[None]]


def run(scene: Scene, secret: str = "") -> tuple[FakeClient, list[Any]]:
    client, events = FakeClient(), list[Any]()

    async def main() -> None:
        services: Any = SimpleNamespace(client=client, document_secret=secret, llm=None)
        async with asyncio.TaskGroup() as group:
            await scene(Outside(services, group, events.append), client, events)

    run_virtual(main())
    return client, events


def _request(op: str = "r", body: object = None) -> SendRequest:
    return SendRequest(op, "https://a.test/x", "POST", {"x-a": "1"}, body, 5000, 1000)


def test_a_request_reports_its_reply() -> None:
    async def scene(outside: Outside, client: FakeClient, events: list[Any]) -> None:
        client.script = lambda r: HttpReply(201, {"a": "b"}, b"made \xff")
        outside.request(_request(body={"k": {1: object()}}))

    client, events = run(scene)
    assert events == [HttpReplied("r", 201, {"a": "b"}, "made \ufffd", "")]
    sent = client.requests[0]
    assert sent.headers["Content-Type"] == "application/json"
    assert json.loads(sent.body)  # whatever was in it
    assert (sent.total_ms, sent.connect_ms) == (5000, 1000)


def test_text_that_is_no_text_is_sent_all_the_same() -> None:
    async def scene(outside: Outside, client: FakeClient, events: list[Any]) -> None:
        outside.request(_request(body="a\ud800b"))

    client, _ = run(scene)
    assert client.requests[0].body == b"a?b"


def test_a_cancelled_request_reports_nothing() -> None:
    async def scene(outside: Outside, client: FakeClient, events: list[Any]) -> None:
        outside.request(_request())
        await asyncio.sleep(0.01)
        outside.cancel("r")
        outside.cancel("r")
        outside.request(_request())  # the same name again is another request
        outside.cancel("unknown")

    _, events = run(scene)
    assert len(events) == 1


def test_documents_are_fetched_signed_and_read() -> None:
    good = b'{"version": "1.0.0", "sections": {"main": ["hangup"]}}'
    replies = [HttpReply(200, {}, good), HttpReply(200, {}, b"{"), HttpReply(500), HttpReply(0)]

    async def scene(outside: Outside, client: FakeClient, events: list[Any]) -> None:
        client.script = lambda r: replies[len(client.requests) - 1]
        for op in "abcd":
            outside.fetch(FetchDocument(op, "https://user:pw@a.test/d?k=v", {"call": 1}))
            await asyncio.sleep(1)

    client, events = run(scene, secret="s3cret")
    assert all(isinstance(e, DocumentFetched) for e in events)
    assert [e.document is not None for e in events] == [True, False, False, False]
    assert events[2].text.endswith("http_500")
    assert not any("pw" in e.text or "k=v" in e.text for e in events)
    assert len(client.requests[0].headers) > 1  # the signature


def test_status_posts_keep_their_order_and_do_not_wait_for_each_other() -> None:
    times: list[tuple[float, str]] = []

    async def scene(outside: Outside, client: FakeClient, events: list[Any]) -> None:
        loop = asyncio.get_running_loop()
        client.delay_s = 1.0

        def note(request: Any) -> HttpReply:
            times.append((round(loop.time()), f"{request.url[-1]}{json.loads(request.body)['n']}"))
            return HttpReply(500)

        client.script = note
        for n in range(3):
            outside.status(PostStatus("https://a.test/a", {"n": n}))
            outside.status(PostStatus("https://a.test/b", {"n": n}))
        await outside.wait_told()
        assert outside.dropped == 0

    run(scene)
    assert times == [(1, "a0"), (1, "b0"), (2, "a1"), (2, "b1"), (3, "a2"), (3, "b2")]


def test_too_many_status_posts_lose_the_oldest_and_the_end_does_not_wait_for_ever() -> None:
    async def scene(outside: Outside, client: FakeClient, events: list[Any]) -> None:
        client.delay_s = 100.0
        for n in range(outside_module._STATUS_WAITING + 10):
            outside.status(PostStatus("https://a.test/a", {"n": n}))
        assert outside.dropped == 10
        await outside.wait_told()
        assert asyncio.get_running_loop().time() < 6
        assert outside.dropped > 100
        for task in outside._senders:
            task.cancel()

    run(scene)


def test_a_document_that_needs_a_model_is_refused_where_there_is_none() -> None:
    page = b'{"sections": {"main": [{"ai": {"prompt": {"text": "Be kind."}}}]}}'

    async def scene(outside: Outside, client: FakeClient, events: list[Any]) -> None:
        client.script = lambda r: HttpReply(200, {}, page)
        outside.fetch(FetchDocument("d", "https://a.test/agent", {}))

    _, [fetched] = run(scene)
    assert fetched.document is None
    assert fetched.code == "relay_script_model_missing"
    assert "https://a.test/agent:1" in fetched.text


def test_a_document_that_is_too_large_says_so() -> None:
    async def scene(outside: Outside, client: FakeClient, events: list[Any]) -> None:
        client.script = lambda r: HttpReply(200, error="too_large")
        outside.fetch(FetchDocument("d", "https://a.test/agent", {}))

    _, [fetched] = run(scene)
    assert fetched.code == "relay_script_document_too_large"
