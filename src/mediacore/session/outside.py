"""HTTP work of a document: requests, document fetches, status posts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping

from mediacore.flow.document import load_document, requires_model
from mediacore.flow.findings import Code
from mediacore.flow.source import DocumentError, read_source
from mediacore.runtime.actions import FetchDocument, PostStatus, SendRequest
from mediacore.runtime.inputs import DocumentFetched, Event, HttpReplied
from mediacore.session.aftercall import encode_json
from mediacore.session.services import Services
from mediacore.web.client import HttpRequest
from mediacore.web.signing import sign_document_request
from mediacore.web.url import loggable

_FETCH_MS = 30_000
_DOCUMENT_BYTES = 1 << 20
_STATUS_WAITING = 100  # status posts per URL that may wait; more are dropped, oldest first
_LAST_S = 5.0  # for the status posts that are left when the call is over
_JSON = {"Content-Type": "application/json"}


class Outside:
    """One call's HTTP work. Everything it starts reports with its operation."""

    def __init__(
        self, services: Services, group: asyncio.TaskGroup, post: Callable[[Event], None]
    ) -> None:
        self._services = services
        self._group = group
        self._post = post
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._status: dict[str, deque[PostStatus]] = {}
        self._senders: set[asyncio.Task[None]] = set()
        self.dropped = 0
        """Status posts that nobody could be told any more."""

    def cancel(self, op: str) -> None:
        """Nobody waits for it any more."""
        task = self._tasks.pop(op, None)
        if task is not None:
            task.cancel()

    def request(self, action: SendRequest) -> None:
        """Send a request; HttpReplied follows."""
        self._start(action.op, self._request(action))

    def fetch(self, action: FetchDocument) -> None:
        """Fetch a document; DocumentFetched follows."""
        self._start(action.op, self._fetch(action))

    def status(self, action: PostStatus) -> None:
        """Tell a status URL: once, in order; a slow URL does not hold up the others."""
        waiting = self._status.get(action.url)
        if waiting is None:
            waiting = self._status[action.url] = deque()
            sender = self._group.create_task(self._send_status(action.url, waiting))
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        if len(waiting) >= _STATUS_WAITING:
            waiting.popleft()
            self.dropped += 1
        waiting.append(action)

    async def wait_told(self) -> None:
        """Wait until the status posts that are left were sent, at most 5 s."""
        if self._senders:
            await asyncio.wait(tuple(self._senders), timeout=_LAST_S)
        self.dropped += sum(len(waiting) for waiting in self._status.values())

    def _start(self, op: str, work: Coroutine[object, object, None]) -> None:
        task = self._group.create_task(work)
        self._tasks[op] = task
        task.add_done_callback(lambda done: self._forget(op, done))

    def _forget(self, op: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(op) is done:
            del self._tasks[op]

    async def _request(self, action: SendRequest) -> None:
        headers = dict(action.headers)
        body = b""
        if isinstance(action.body, str):
            body = action.body.encode("utf-8", "replace")
        elif action.body is not None:
            body = encode_json(action.body)
            headers.setdefault("Content-Type", "application/json")
        reply = await self._services.client.send(
            HttpRequest(
                action.method,
                action.url,
                headers,
                body,
                connect_ms=action.connect_ms,
                total_ms=action.timeout_ms,
            )
        )
        text = reply.body.decode("utf-8", "replace")
        self._post(HttpReplied(action.op, reply.status, reply.headers, text, reply.error))

    async def _fetch(self, action: FetchDocument) -> None:
        self._post(await fetch_document(self._services, action.op, action.url, action.body))

    async def _send_status(self, url: str, waiting: deque[PostStatus]) -> None:
        while waiting:
            body = encode_json(waiting.popleft().body)
            await self._services.client.send(
                HttpRequest("POST", url, _JSON, body, total_ms=_FETCH_MS)
            )
        del self._status[url]


async def fetch_document(
    services: Services, op: str, url: str, body: Mapping[str, object]
) -> DocumentFetched:
    """POST the call's data; read the document that comes back."""
    data = encode_json(body)
    headers = dict(_JSON)
    if services.document_secret:
        headers |= sign_document_request(services.document_secret, url, data)
    reply = await services.client.send(
        HttpRequest("POST", url, headers, data, total_ms=_FETCH_MS, max_bytes=_DOCUMENT_BYTES)
    )
    if reply.error or not 200 <= reply.status < 300:
        why = reply.error or f"http_{reply.status}"
        code = Code.DOCUMENT_TOO_LARGE if why == "too_large" else Code.EXECUTE_FAILED
        return DocumentFetched(op, None, code, f"{loggable(url)}: {why}")
    try:
        document = load_document(read_source(reply.body, loggable(url)))
    except DocumentError as error:
        return DocumentFetched(op, None, error.code, str(error))
    wants = requires_model(document)
    if wants is not None and services.llm is None:
        text = (
            f"{document.name}:{wants.place.line}: `ai` needs a language model, none is configured"
        )
        return DocumentFetched(op, None, Code.MODEL_MISSING, text)
    return DocumentFetched(op, document)
