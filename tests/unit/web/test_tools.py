"""One tool job in, one outcome out, on real loopback servers."""

import asyncio
import itertools
import json
from datetime import UTC, datetime

import pytest
from aiohttp import web

from mediacore.assistant.datamap import GENERIC_ERROR
from mediacore.errors import ErrorClass
from mediacore.web import tools
from mediacore.web.client import HttpReply, SafeClient
from mediacore.web.tools import DataMapJob, WebhookJob, classify, read_tool_reply, run_tool
from support.http_server import LOOPBACK, serving, text


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch):
    monkeypatch.setattr(tools, "BACKOFF_MS", 1)


def wallclock():
    return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def run(handler, make_job, **client_options):
    """Run the job that `make_job(base_url)` gives against a server with this handler."""
    client_options.setdefault("allow", LOOPBACK)

    async def main():
        client = SafeClient(**client_options)
        clock_us = itertools.count(0, 1000).__next__
        async with serving(handler) as base:
            try:
                return await run_tool(client, make_job(base), clock_us, wallclock)
            finally:
                await client.aclose()

    return asyncio.run(main())


def hook(**fields):
    return lambda base: WebhookJob(base + "/tool", {"function": "f"}, **fields)


def test_a_webhook_posts_json_and_gives_the_decoded_object():
    seen = {}

    async def handler(request):
        seen["body"] = await request.json()
        seen["headers"] = {name.lower(): value for name, value in request.headers.items()}
        return web.json_response({"response": "done", "action": [{"hangup": True}]})

    outcome = run(handler, hook(auth=("u", "p"), key="k-1"))
    assert outcome.ok
    assert outcome.reply == {"response": "done", "action": [{"hangup": True}]}
    assert (outcome.status, outcome.error, outcome.error_class) == (200, "", None)
    assert outcome.attempts == 1
    assert outcome.took_ms > 0
    assert outcome.post_data == {"function": "f"}
    assert seen["body"] == {"function": "f"}
    assert seen["headers"]["content-type"] == "application/json"
    assert seen["headers"]["idempotency-key"] == "k-1"
    assert seen["headers"]["authorization"] == "Basic dTpw"


def test_the_outcome_holds_no_credentials():
    outcome = run(
        text('{"response": "x"}'),
        lambda base: WebhookJob(base.replace("//", "//user:secret@") + "/tool?a=b", {}),
    )
    assert outcome.ok
    assert "secret" not in str(outcome)
    assert outcome.url.endswith("/tool?a=b")


@pytest.mark.parametrize("statuses", [[500, 200], [503, 200]])
def test_a_5xx_is_retried_with_the_same_key(statuses):
    keys = []

    async def handler(request):
        keys.append(request.headers["idempotency-key"])
        return web.json_response({"response": "ok"}, status=statuses[len(keys) - 1])

    outcome = run(handler, hook(retries=2))
    assert (outcome.ok, outcome.attempts) == (True, 2)
    assert len(keys) == 2
    assert keys[0] == keys[1] != ""


def test_retries_are_counted_and_the_last_error_stays():
    outcome = run(text("x", 502), hook(retries=2))
    assert (outcome.ok, outcome.attempts, outcome.error) == (False, 3, "http_502")
    assert outcome.error_class is ErrorClass.UNAVAILABLE


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (400, ErrorClass.BAD_INPUT),
        (401, ErrorClass.AUTH),
        (404, ErrorClass.BAD_INPUT),
        (429, ErrorClass.RATE_LIMITED),
    ],
)
def test_a_4xx_is_not_retried(status, error_class):
    outcome = run(text("{}", status), hook(retries=3))
    assert (outcome.attempts, outcome.error) == (1, f"http_{status}")
    assert outcome.error_class is error_class


def test_a_timeout_is_retried_within_the_deadline():
    calls = 0

    async def handler(request):
        nonlocal calls
        calls += 1
        await asyncio.Event().wait()

    async def main():
        loop = asyncio.get_running_loop()
        client = SafeClient(allow=LOOPBACK)

        def clock_us():
            return int(loop.time() * 1e6)

        async with serving(handler) as base:
            job = WebhookJob(base, {}, retries=5, deadline_ms=150)
            outcome = await run_tool(client, job, clock_us, wallclock)
            await client.aclose()
        return outcome

    outcome = asyncio.run(main())
    assert (outcome.error, outcome.error_class) == ("timeout", ErrorClass.TIMEOUT)
    assert outcome.attempts == calls == 1


def test_no_time_at_all_is_a_timeout_without_an_attempt():
    outcome = run(text("{}"), hook(deadline_ms=1))
    assert (outcome.error, outcome.attempts) == ("timeout", 0)


def test_an_internal_address_is_not_retried():
    outcome = run(text("{}"), hook(retries=3), allow=())
    assert (outcome.error, outcome.attempts) == ("blocked_address", 1)
    assert outcome.error_class is ErrorClass.BAD_INPUT


def test_a_redirect_of_a_webhook_is_refused():
    outcome = run(text("", 302, Location="http://169.254.169.254/"), hook())
    assert outcome.error == "bad_redirect"


@pytest.mark.parametrize(
    ("body", "kind", "value", "error"),
    [
        (b'{"response": "x"}', "application/json", {"response": "x"}, ""),
        (b'\xef\xbb\xbf{"response": "x"}', "text/plain", {"response": "x"}, ""),
        (b'{"response": "x"}', "text/html", {"response": "x"}, ""),
        (b"It is sunny.", "text/plain; charset=utf-8", "It is sunny.", ""),
        (b"It is sunny.", "", "It is sunny.", ""),
        (b'"quoted"', "application/json", "quoted", ""),
        (b"", "application/json", "", "empty_reply"),
        (b"  \n", "text/plain", "", "empty_reply"),
        (b'""', "application/json", "", "empty_reply"),
        (b"<html>500</html>", "text/html", "", "html_reply"),
        (b"<html>500</html>", "text/plain", "", "html_reply"),
        (b"text", "text/html", "", "html_reply"),
        (b'{"response": ', "application/json", "", "bad_json"),
        (b"sunny", "application/json", "", "bad_json"),
        (b'{"a": NaN}', "application/json", "", "bad_json"),
        (b'{"a": "\xff"}', "application/json", "", "bad_json"),
        (b"[" * 100_000, "application/json", "", "bad_json"),
        (b"[1]", "application/json", "", "not_an_object"),
        (b"5", "application/json", "", "not_an_object"),
        (b"null", "application/json", "", "not_an_object"),
        (b"\xff\xfe\x00", "text/plain", "", "not_text"),
        (b"a\x00b", "text/plain", "", "not_text"),
        (b"x" * 70_000, "text/plain", "", "too_large"),
    ],
)
def test_what_a_reply_is_worth(body, kind, value, error):
    headers = {"content-type": kind} if kind else {}
    assert read_tool_reply(HttpReply(200, headers, body)) == (value, error)


def test_nonsense_is_named_and_not_retried():
    outcome = run(text("<h1>oops</h1>"), hook(retries=3))
    assert (outcome.ok, outcome.error, outcome.attempts) == (False, "html_reply", 1)
    assert outcome.error_class is ErrorClass.BAD_OUTPUT


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        ("timeout", 0, ErrorClass.TIMEOUT),
        ("refused", 0, ErrorClass.UNAVAILABLE),
        ("closed", 200, ErrorClass.UNAVAILABLE),
        ("dns", 0, ErrorClass.UNAVAILABLE),
        ("tls", 0, ErrorClass.AUTH),
        ("bad_request", 0, ErrorClass.BAD_INPUT),
        ("too_large", 200, ErrorClass.BAD_OUTPUT),
        ("http_403", 403, ErrorClass.AUTH),
        ("http_500", 500, ErrorClass.UNAVAILABLE),
    ],
)
def test_errors_have_classes(error, status, expected):
    assert classify(error, status) is expected


def datamap(**fields):
    def make(base):
        webhook = {
            "url": base + "/weather?q=${enc:args.city}",
            "headers": {"X-Key": "k"},
            "output": {"response": "It is ${temp} in ${input.args.city}."},
        }
        return DataMapJob({"webhooks": [webhook | fields]}, {"args": {"city": "New York"}})

    return make


def test_a_datamap_fetches_and_fills_its_output():
    seen = []

    async def handler(request):
        seen.append((request.method, request.raw_path, request.headers["x-key"]))
        return web.json_response({"temp": 21})

    outcome = run(handler, datamap())
    assert seen == [("GET", "/weather?q=New%20York", "k")]
    assert outcome.ok
    assert outcome.reply == {"response": "It is 21 in New York."}
    assert (outcome.status, outcome.attempts, outcome.post_data) == (200, 1, "")
    assert outcome.url.endswith("/weather?q=New%20York")


def test_a_datamap_posts_its_params():
    async def handler(request):
        return web.json_response({"temp": (await request.json())["q"]})

    outcome = run(handler, datamap(params={"q": "${args.city}!"}))
    assert outcome.reply == {"response": "It is New York! in New York."}
    assert json.loads(outcome.post_data) == {"q": "New York!"}


def test_a_datamap_follows_a_redirect_but_not_to_an_internal_address():
    async def handler(request):
        if request.path == "/weather":
            return web.Response(status=302, headers={"Location": "/moved"})
        return web.json_response({"temp": 5})

    assert run(handler, datamap()).reply == {"response": "It is 5 in New York."}
    outcome = run(text("", 302, Location="http://169.254.169.254/"), datamap())
    assert (outcome.ok, outcome.error) == (False, "blocked_address")
    assert outcome.reply == {"response": GENERIC_ERROR}


def test_a_datamap_whose_request_fails_uses_its_own_output():
    def make(base):
        job = datamap()(base)
        return DataMapJob(dict(job.data_map) | {"output": {"response": "Try later."}}, job.context)

    outcome = run(text("<html>"), make)
    assert (outcome.ok, outcome.error) == (True, "")
    assert outcome.reply == {"response": "Try later."}
    outcome = run(text("{}"), make, allow=())
    assert (outcome.ok, outcome.error) == (True, "blocked_address")


def test_a_datamap_without_a_result_says_why():
    outcome = run(text("{}"), lambda base: DataMapJob({}, {"args": {}}))
    assert (outcome.ok, outcome.error, outcome.attempts) == (False, "no_output", 0)
    assert outcome.error_class is ErrorClass.BAD_OUTPUT
    assert outcome.reply == {"response": GENERIC_ERROR}


def test_a_sleep_is_bounded_by_the_deadline():
    async def main():
        client = SafeClient()
        loop = asyncio.get_running_loop()
        began = loop.time()
        job = DataMapJob({"output": {"response": "@{sleep 30}ok"}}, {}, deadline_ms=60)
        outcome = await run_tool(client, job, lambda: int(loop.time() * 1e6), wallclock)
        await client.aclose()
        return outcome, loop.time() - began

    outcome, took_s = asyncio.run(main())
    assert outcome.reply == {"response": "ok"}
    assert 0.05 < took_s < 5


def test_no_time_left_after_a_sleep_is_a_timeout():
    def make(base):
        job = datamap(url=base + "/@{sleep 9}")(base)
        return DataMapJob(job.data_map, job.context, deadline_ms=1)

    outcome = run(text("{}"), make)
    assert (outcome.ok, outcome.error) == (False, "timeout")
    assert outcome.error_class is ErrorClass.TIMEOUT
