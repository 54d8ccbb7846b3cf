"""What is left when a run of the agent is over: its payload, kept safe and delivered.

    run over ─► facts ─► payload ─┬─► queue "post_prompt" ─► worker ─► the application
                                  └─► queue "extract", when required fields are still empty

With a queue the payload is on disk before anything is sent, and a worker delivers it, here or in
another process. Without one it is sent once, at once. None of it runs inside the call: the call
may be torn down in the step that ordered the delivery.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from mediacore.errors import MediacoreError
from mediacore.policy.ending import FieldType, is_blank
from mediacore.postcall.extract import FieldSpec
from mediacore.postcall.payload import EXTENSION, build_payload
from mediacore.runtime.actions import DeliverPayload
from mediacore.runtime.gate import required
from mediacore.runtime.state import AiRun, Line, RunState
from mediacore.session.callfacts import SessionFacts, caller_utterances, post_call_input
from mediacore.web.client import HttpReply, HttpRequest, SafeClient
from mediacore.web.url import basic_authorization, loggable

log = logging.getLogger("mediacore.aftercall")

POST_PROMPT: Final = "post_prompt"
EXTRACT: Final = "extract"
_POST_MS: Final = 30_000
_MAX_DEPTH: Final = 64
_RETRY_STATUS: Final = frozenset({408, 425, 429})
_HOPELESS: Final = frozenset({"bad_request", "bad_url", "blocked_address", "bad_redirect"})


class Enqueues(Protocol):
    """The side of the queue that calls see."""

    async def enqueue(self, key: str, kind: str, payload: bytes) -> bool:
        """Keep a job; False when the key is known already."""
        ...


class PostJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payload to be posted. auth: user and password, before credentials in the URL."""

    url: str
    auth: tuple[str, str] | None
    body: msgspec.Raw


class ExtractJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payload whose required fields may be filled from what the caller said.

    key: of the update's delivery.
    """

    key: str
    url: str
    auth: tuple[str, str] | None
    body: msgspec.Raw
    fields: tuple[FieldSpec, ...]
    utterances: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AfterCallStats:
    """queued: jobs put into the queue. sent: payloads sent without one. lost: neither worked."""

    queued: int = 0
    sent: int = 0
    lost: int = 0


class AfterCall:
    """Delivers payloads for the calls of a process. Use inside `async with`, around the calls.

    queue: None = everything is sent once, at once. extract: False = no extraction is asked for,
    because no worker has a model. keep(call id, file name, JSON): stores a copy; runs in a thread.
    """

    def __init__(
        self,
        client: SafeClient,
        queue: Enqueues | None = None,
        *,
        extract: bool = True,
        keep: Callable[[str, str, bytes], object] | None = None,
    ) -> None:
        self._client = client
        self._queue = queue
        self._extract = extract and queue is not None
        self._keep = keep
        self._group: asyncio.TaskGroup | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._queued = self._sent = self._lost = 0

    async def __aenter__(self) -> AfterCall:
        self._group = await asyncio.TaskGroup().__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Finishes what was begun: at most the time limit of one request."""
        group, self._group = self._group, None
        assert group is not None
        await group.__aexit__(None, None, None)

    def snapshot(self) -> AfterCallStats:
        """What became of the payloads so far."""
        return AfterCallStats(self._queued, self._sent, self._lost)

    async def wait_idle(self) -> None:
        """Until everything that was ordered so far is in the queue, sent or lost."""
        while self._running:
            await asyncio.wait(tuple(self._running))

    def deliver(
        self,
        action: DeliverPayload,
        run: AiRun,
        line: Line,
        state: RunState,
        facts: SessionFacts | None = None,
    ) -> None:
        """Take a run that is over. Returns at once; the call may end, the delivery goes on."""
        if self._group is None:
            raise RuntimeError("AfterCall is not open")
        known = facts or SessionFacts()
        task = self._group.create_task(self._guarded(action, run, line, state, known))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _guarded(
        self, action: DeliverPayload, run: AiRun, line: Line, state: RunState, facts: SessionFacts
    ) -> None:
        """One run. What fails in it must not touch the others."""
        try:
            data = payload_json(run, line, state, facts)
            if self._keep is not None:
                await self._copy(state.id, f"payload-{run.id}.json", data, self._keep)
            if action.url:
                await self._hand_on(action, run, data)
        except Exception as error:
            self._lost += 1
            log.error("payload failed", extra={"call": run.line, "error": type(error).__name__})

    async def _hand_on(self, action: DeliverPayload, run: AiRun, data: bytes) -> None:
        job = PostJob(action.url, action.auth, msgspec.Raw(data))
        if not await self._put(action.key, POST_PROMPT, msgspec.json.encode(job)):
            await self._send_once(action.key, job)
            return
        fields = missing_fields(run)
        said = caller_utterances(run)
        if self._extract and fields and said:
            update = f"{action.key}:extracted"
            wanted = ExtractJob(update, action.url, action.auth, msgspec.Raw(data), fields, said)
            await self._put(f"{action.key}:extract", EXTRACT, msgspec.json.encode(wanted))

    async def _copy(
        self, call: str, name: str, data: bytes, keep: Callable[[str, str, bytes], object]
    ) -> None:
        try:
            await asyncio.to_thread(keep, call, name, data)
        except (MediacoreError, OSError) as error:
            log.error("payload not kept", extra={"call": call, "error": type(error).__name__})

    async def _put(self, key: str, kind: str, payload: bytes) -> bool:
        """Whether the job is safe. A queue that fails is not allowed to lose the payload."""
        if self._queue is None:
            return False
        try:
            new = await self._queue.enqueue(key, kind, payload)
        except MediacoreError as error:
            log.error("payload not queued", extra={"kind": kind, "error": type(error).__name__})
            return False
        self._queued += new
        return True

    async def _send_once(self, key: str, job: PostJob) -> None:
        reply = await post(self._client, key, job)
        if accepted(reply):
            self._sent += 1
            return
        self._lost += 1
        log.error(
            "payload lost",
            extra={
                "url": loggable(job.url),
                "http_status": reply.status,
                "http_error": reply.error,
            },
        )


def payload_json(run: AiRun, line: Line, state: RunState, facts: SessionFacts) -> bytes:
    """The payload of a run, as first delivered."""
    body = build_payload(post_call_input(run, line, state, facts))
    extension = body[EXTENSION]
    assert isinstance(extension, dict)
    extension["revision"] = 1
    return encode_json(body)


def missing_fields(run: AiRun) -> tuple[FieldSpec, ...]:
    """Required fields of the run that hold nothing at its end."""
    data = run.session.global_data
    return tuple(
        FieldSpec(f.key, FieldType.DIGITS if f.digits else FieldType.TEXT, True, f.label)
        for f in required(run)
        if is_blank(data.get(f.key))
    )


async def post(client: SafeClient, key: str, job: PostJob) -> HttpReply:
    """Post a payload. key: the same for every attempt, so that a receiver can tell."""
    headers = {
        "content-type": "application/json",
        "accept": "application/json",
        "idempotency-key": key,
    }
    if job.auth is not None:
        headers["authorization"] = basic_authorization(*job.auth)
    return await client.send(
        HttpRequest("POST", job.url, headers, bytes(job.body), total_ms=_POST_MS)
    )


def accepted(reply: HttpReply) -> bool:
    """Whether the receiver has the payload, whatever it wrote back."""
    return 200 <= reply.status < 300


def hopeless(reply: HttpReply) -> bool:
    """Whether another attempt cannot help: a client error (RFC 9110 §15.5), or no such place."""
    if reply.error in _HOPELESS:
        return True
    return 400 <= reply.status < 500 and reply.status not in _RETRY_STATUS


def encode_json(body: object) -> bytes:
    """JSON, always: what JSON has no form for becomes text, what is too deep becomes null."""
    try:
        return msgspec.json.encode(body, enc_hook=_plain)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return msgspec.json.encode(_clean(body, 0))


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _clean(value: object, depth: int) -> object:
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if -(1 << 63) <= value < (1 << 63) else str(value)
        case str():
            return value.encode("utf-8", "replace").decode()
        case _ if depth >= _MAX_DEPTH:
            return None
        case Mapping():
            return {str(_clean(str(k), depth)): _clean(v, depth + 1) for k, v in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_clean(item, depth + 1) for item in value]
    return _clean(str(value), depth)
