"""HTTP work of a document: requests, document fetches, status posts."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine, Mapping

from mediacore.flow.document import load_document
from mediacore.flow.findings import Code
from mediacore.flow.source import DocumentError, read_source
from mediacore.runtime.actions import FetchDocument, PostStatus, SendRequest
from mediacore.runtime.inputs import DocumentFetched, Event, HttpReplied
from mediacore.session.services import Services
from mediacore.web.client import HttpRequest
from mediacore.web.signing import sign_document_request
from mediacore.web.url import loggable

_FETCH_MS = 30_000
_DOCUMENT_BYTES = 1 << 20
_STATUS_WAITING = 100  # status posts per call that may wait; more are dropped, oldest first
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
        self._status: deque[PostStatus] = deque(maxlen=_STATUS_WAITING)
        self._sender: asyncio.Task[None] | None = None

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
        """Tell a status URL, in order."""
        self._status.append(action)
        if self._sender is None or self._sender.done():
            self._sender = self._group.create_task(self._send_status())

    def close(self) -> None:
        """Cancel what runs; status posts that wait are still sent."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    def _start(self, op: str, work: Coroutine[object, object, None]) -> None:
        task = self._group.create_task(work)
        self._tasks[op] = task
        task.add_done_callback(lambda _: self._tasks.pop(op, None))

    async def _request(self, action: SendRequest) -> None:
        headers = dict(action.headers)
        body = b""
        if isinstance(action.body, str):
            body = action.body.encode()
        elif action.body is not None:
            body = json.dumps(action.body).encode()
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

    async def _send_status(self) -> None:
        while self._status:
            action = self._status.popleft()
            body = json.dumps(action.body).encode()
            await self._services.client.send(
                HttpRequest("POST", action.url, _JSON, body, total_ms=_FETCH_MS)
            )


async def fetch_document(
    services: Services, op: str, url: str, body: Mapping[str, object]
) -> DocumentFetched:
    """POST the call's data; read the document that comes back."""
    data = json.dumps(body).encode()
    headers = dict(_JSON)
    if services.document_secret:
        headers |= sign_document_request(services.document_secret, url, data)
    reply = await services.client.send(
        HttpRequest("POST", url, headers, data, total_ms=_FETCH_MS, max_bytes=_DOCUMENT_BYTES)
    )
    if reply.error or not 200 <= reply.status < 300:
        why = reply.error or f"http_{reply.status}"
        return DocumentFetched(op, None, Code.EXECUTE_FAILED, f"{loggable(url)}: {why}")
    try:
        document = load_document(read_source(reply.body, loggable(url)))
    except DocumentError as error:
        return DocumentFetched(op, None, error.code, str(error))
    return DocumentFetched(op, document)
