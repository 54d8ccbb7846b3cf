"""Runs one tool of the assistant: a webhook or a DataMap. One job in, one outcome out."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import msgspec

from mediacore.assistant.datamap import Fetch, Reply, Result, resume, start
from mediacore.assistant.templates import TemplateClock
from mediacore.errors import ErrorClass
from mediacore.web.client import HttpReply, HttpRequest, SafeClient
from mediacore.web.url import basic_authorization, strip_credentials

MAX_TEXT: Final = 65_536
"""Characters of a reply that is text and not JSON."""
BACKOFF_MS: Final = 250
MIN_ATTEMPT_MS: Final = 50

_ERROR_CLASSES: Final = {
    "timeout": ErrorClass.TIMEOUT,
    "refused": ErrorClass.UNAVAILABLE,
    "closed": ErrorClass.UNAVAILABLE,
    "dns": ErrorClass.UNAVAILABLE,
    "tls": ErrorClass.AUTH,
    "bad_request": ErrorClass.BAD_INPUT,
    "bad_url": ErrorClass.BAD_INPUT,
    "blocked_address": ErrorClass.BAD_INPUT,
}


@dataclass(frozen=True, slots=True)
class WebhookJob:
    """Post `payload` as JSON to `url`.

    `retries` further attempts follow a timeout, a broken connection or a 5xx, all within
    `deadline_ms`. Every attempt carries the same `key` as Idempotency-Key (made when empty).
    `auth` is (user, password) and comes before credentials in the URL.
    """

    url: str
    payload: Mapping[str, object]
    auth: tuple[str, str] | None = field(default=None, repr=False)
    retries: int = 1
    deadline_ms: int = 15_000
    key: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DataMapJob:
    """Run a DataMap over the data of the call; `deadline_ms` bounds its request and its sleeps."""

    data_map: Mapping[str, object]
    context: Mapping[str, object]
    deadline_ms: int = 120_000


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """How a tool ended.

    `reply` is the decoded JSON object, or text that is the response itself. `error` is empty or a
    name: those of HttpReply, http_<status>, empty_reply, html_reply, not_text, bad_json,
    not_an_object, too_large; for a DataMap also no_output, bad_output, too_costly, too_deep (its
    `reply` then holds the generic error text). `error` may be set though `ok`: a DataMap whose
    request failed can still have an output. `url` holds no credentials. `took_ms` is on the
    injected clock.
    """

    ok: bool
    reply: object
    status: int
    error: str
    error_class: ErrorClass | None
    took_ms: int
    attempts: int
    url: str
    post_data: object
    notes: tuple[str, ...] = ()


async def run_tool(
    client: SafeClient,
    job: WebhookJob | DataMapJob,
    clock_us: Callable[[], int],
    wallclock: Callable[[], datetime],
) -> ToolOutcome:
    """Run a job. Never raises for what a service, document or model did; cancelling is safe.

    `clock_us` is monotonic; `wallclock` gives aware UTC time for templates.
    """
    began_us = clock_us()
    if isinstance(job, WebhookJob):
        outcome = await _run_webhook(client, job, clock_us)
    else:
        outcome = await _run_datamap(client, job, clock_us, TemplateClock(wallclock()))
    return replace(outcome, took_ms=(clock_us() - began_us) // 1000)


async def _run_webhook(
    client: SafeClient, job: WebhookJob, clock_us: Callable[[], int]
) -> ToolOutcome:
    deadline_us = clock_us() + job.deadline_ms * 1000
    try:
        request = _webhook_request(job, clock_us())
    except (ValueError, TypeError, RecursionError):
        return _outcome(job, HttpReply(0, error="bad_request"), 0)
    outcome = _outcome(job, HttpReply(0, error="timeout"), 0)
    for attempt in range(1, job.retries + 2):
        left_ms = (deadline_us - clock_us()) // 1000
        if left_ms < MIN_ATTEMPT_MS:
            break
        reply = await client.send(
            replace(request, total_ms=left_ms, connect_ms=min(request.connect_ms, left_ms))
        )
        outcome = _outcome(job, reply, attempt)
        if not _worth_retrying(outcome) or attempt > job.retries:
            break
        left_ms = (deadline_us - clock_us()) // 1000
        if left_ms < attempt * BACKOFF_MS + MIN_ATTEMPT_MS:
            break
        await asyncio.sleep(attempt * BACKOFF_MS / 1000)
    return outcome


def _worth_retrying(outcome: ToolOutcome) -> bool:
    return outcome.error_class is not None and outcome.error_class.retryable


def _webhook_request(job: WebhookJob, now_us: int) -> HttpRequest:
    body = msgspec.json.encode(job.payload)
    key = job.key or hashlib.sha256(body + str(now_us).encode()).hexdigest()[:32]
    headers = {
        **job.headers,
        "content-type": "application/json",
        "accept": "application/json",
        "idempotency-key": key,
    }
    if job.auth is not None:
        headers["authorization"] = basic_authorization(*job.auth)
    return HttpRequest("POST", job.url, headers, body)


def _outcome(job: WebhookJob, reply: HttpReply, attempts: int) -> ToolOutcome:
    value, error = read_tool_reply(reply)
    return ToolOutcome(
        ok=not error,
        reply=value,
        status=reply.status,
        error=error,
        error_class=classify(error, reply.status) if error else None,
        took_ms=0,
        attempts=attempts,
        url=strip_credentials(job.url),
        post_data=job.payload,
    )


def classify(error: str, status: int) -> ErrorClass:
    """The class of a named error; a status that names one goes first."""
    if error == f"http_{status}":
        if status in (401, 403):
            return ErrorClass.AUTH
        if status == 429:
            return ErrorClass.RATE_LIMITED
        return ErrorClass.UNAVAILABLE if status >= 500 else ErrorClass.BAD_INPUT
    return _ERROR_CLASSES.get(error, ErrorClass.BAD_OUTPUT)


def read_tool_reply(reply: HttpReply) -> tuple[object, str]:
    """(value, error) of a tool's reply: a JSON object, or plain text as the response itself."""
    if reply.error:
        return "", reply.error
    if not 200 <= reply.status <= 299:
        return "", f"http_{reply.status}"
    body = reply.body.removeprefix(b"\xef\xbb\xbf").strip()
    if not body:
        return "", "empty_reply"
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if "json" in kind or body[:1] in (b"{", b"[", b'"'):
        return _json_reply(body)
    if "html" in kind or "xml" in kind or body[:1] == b"<":
        return "", "html_reply"
    return _text_reply(body)


def _json_reply(body: bytes) -> tuple[object, str]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return "", "bad_json"
    if isinstance(value, str):
        return _text_reply(value.encode("utf-8", "replace"))
    return (value, "") if isinstance(value, dict) else ("", "not_an_object")


def _text_reply(body: bytes) -> tuple[object, str]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "", "not_text"
    if "\x00" in text:
        return "", "not_text"
    if not text.strip():
        return "", "empty_reply"
    return (text, "") if len(text) <= MAX_TEXT else ("", "too_large")


async def _run_datamap(
    client: SafeClient, job: DataMapJob, clock_us: Callable[[], int], clock: TemplateClock
) -> ToolOutcome:
    deadline_us = clock_us() + job.deadline_ms * 1000
    state, step = start(job.data_map, job.context, clock)
    fetch = None
    reply = HttpReply(0)
    if isinstance(step, Fetch):
        fetch = step
        await _wait(fetch.delay_ms, deadline_us, clock_us)
        reply = await _fetch(client, fetch, (deadline_us - clock_us()) // 1000)
        answer = Reply(reply.status, reply.headers, reply.body, reply.error)
        state, step = resume(state, answer, clock)
    await _wait(step.delay_ms, deadline_us, clock_us)
    return _datamap_outcome(step, fetch, reply)


async def _wait(delay_ms: int, deadline_us: int, clock_us: Callable[[], int]) -> None:
    left_ms = (deadline_us - clock_us()) // 1000
    if delay_ms > 0 and left_ms > 0:
        await asyncio.sleep(min(delay_ms, left_ms) / 1000)


async def _fetch(client: SafeClient, fetch: Fetch, left_ms: int) -> HttpReply:
    if left_ms < MIN_ATTEMPT_MS:
        return HttpReply(0, error="timeout")
    return await client.send(
        HttpRequest(
            fetch.method,
            fetch.url,
            dict(fetch.headers),
            fetch.body,
            connect_ms=min(fetch.connect_ms, left_ms),
            total_ms=min(fetch.total_ms, left_ms),
            redirects=fetch.redirects,
        )
    )


def _datamap_outcome(result: Result, fetch: Fetch | None, reply: HttpReply) -> ToolOutcome:
    ok = not result.reason
    error = reply.error or result.reason
    return ToolOutcome(
        ok=ok,
        reply=result.value,
        status=reply.status,
        error=error,
        error_class=None if ok else classify(error, reply.status),
        took_ms=0,
        attempts=0 if fetch is None else 1,
        url="" if fetch is None else strip_credentials(fetch.url),
        post_data="" if fetch is None else fetch.body.decode("utf-8", "replace"),
        notes=result.notes + result.unresolved,
    )
