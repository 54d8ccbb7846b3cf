"""What the worker of the post-call queue does with a job: the queue joined to calls and models.

Handlers may run twice for one job, so both are idempotent. A payload is posted with the job's key
as Idempotency-Key on every attempt. An extraction ends in one more job with a key of its own,
which the queue takes once; a model that answers differently the second time changes nothing.
"""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import Final, TypeVar

import msgspec

from mediacore.errors import MediacoreError
from mediacore.postcall.extract import ExtractDecision, accept, build_request, parse_proposals
from mediacore.postcall.payload import EXTENSION
from mediacore.session.aftercall import (
    EXTRACT,
    POST_PROMPT,
    Enqueues,
    ExtractJob,
    PostJob,
    accepted,
    hopeless,
    post,
)
from mediacore.slots.driver import LlmDriver
from mediacore.slots.llm import LlmRequest, LlmText, Message
from mediacore.slots.policy import LlmPolicy
from mediacore.store.queue import Job, RetryRules
from mediacore.store.worker import Handler, PermanentError
from mediacore.web.client import SafeClient
from mediacore.web.url import loggable

log = logging.getLogger("mediacore.worker")
Work = TypeVar("Work", bound=msgspec.Struct)

EXTRACTION_POLICY: Final = LlmPolicy(
    first_ms=45_000, gap_ms=20_000, total_ms=100_000, retries=0, max_chars=32_000
)
"""Nobody waits on the line: a slow model is better than none."""
DELIVERY_RULES: Final = RetryRules(attempts=16)
"""Waits from 2 s to an hour: a receiver may be away for four hours before a job is given up."""
_MAX_TOKENS: Final = 1_000


class DeliveryError(MediacoreError):
    """The receiver did not take a payload; a later attempt may work."""


class DeliveryRefusedError(PermanentError):
    """The receiver refused a payload, or its address cannot be used: no attempt can work."""


class BrokenJobError(PermanentError):
    """A job of the queue cannot be read."""


class NoModelError(PermanentError):
    """An extraction waits for a worker that has a model."""


def handlers(client: SafeClient, queue: Enqueues, llm: LlmDriver | None) -> dict[str, Handler]:
    """The handlers of all kinds of jobs. llm: None = extractions are put aside as dead."""
    extraction = _no_model if llm is None else extract_handler(llm, queue)
    return {POST_PROMPT: post_prompt_handler(client), EXTRACT: extraction}


def post_prompt_handler(client: SafeClient) -> Handler:
    """Post a payload: 2xx is delivered, other 4xx than 408, 425 and 429 are final."""

    async def handle(job: Job) -> None:
        work = _decoded(job, PostJob)
        reply = await post(client, job.key, work)
        if accepted(reply):
            return
        log.warning(
            "payload not taken",
            extra={
                "url": loggable(work.url),
                "http_status": reply.status,
                "http_error": reply.error,
                "attempt": job.attempt,
            },
        )
        why = reply.error or f"HTTP {reply.status}"
        raise DeliveryRefusedError(why) if hopeless(reply) else DeliveryError(why)

    return handle


def extract_handler(llm: LlmDriver, queue: Enqueues) -> Handler:
    """Ask the model for the empty required fields; what it can quote is delivered as an update."""

    async def handle(job: Job) -> None:
        work = _decoded(job, ExtractJob)
        body = msgspec.json.decode(work.body, type=dict[str, object])
        data = body.get("global_data")
        known = data if isinstance(data, dict) else {}
        request = build_request(work.fields, known, work.utterances)
        if not request:
            return
        proposals = parse_proposals(await _answer(llm, request))
        filled, decisions = accept(work.fields, known, proposals, work.utterances)
        written = sum(d.written for d in decisions)
        log.info("extraction", extra={"fields": len(work.fields), "written": written})
        if not written:
            return
        extension = body.get(EXTENSION)
        body["global_data"] = filled
        body[EXTENSION] = {
            **(extension if isinstance(extension, dict) else {}),
            "revision": 2,
            "extracted": [_told(d, work.utterances) for d in decisions],
        }
        update = PostJob(work.url, work.auth, msgspec.Raw(msgspec.json.encode(body)))
        await queue.enqueue(work.key, POST_PROMPT, msgspec.json.encode(update))

    return handle


async def _no_model(_job: Job) -> None:
    raise NoModelError("this worker has no model")


async def _answer(llm: LlmDriver, text: str) -> str:
    request = LlmRequest((Message("user", text),), max_tokens=_MAX_TOKENS, temperature=0.0)
    parts: list[str] = []
    async with aclosing(llm.run(request)) as stream:
        async for event in stream:
            if isinstance(event, LlmText):
                parts.append(event.text)
    return "".join(parts)


def _told(decision: ExtractDecision, utterances: tuple[str, ...]) -> dict[str, object]:
    entry: dict[str, object] = {"key": decision.key, "verdict": decision.reason.value}
    if decision.utterance is not None:
        said = utterances[decision.utterance]
        entry["quote"] = said[decision.start : decision.end]
        entry["caller_turn"] = decision.utterance
    return entry


def _decoded(job: Job, kind: type[Work]) -> Work:
    try:
        return msgspec.json.decode(job.payload, type=kind)
    except msgspec.DecodeError:
        raise BrokenJobError("the job cannot be read") from None
