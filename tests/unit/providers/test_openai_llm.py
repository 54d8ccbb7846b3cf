from __future__ import annotations

import asyncio
import importlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from mediacore.errors import ErrorClass, MissingDependencyError, ProviderError
from mediacore.providers.openai_llm import OpenAiLlm
from mediacore.slots.llm import (
    LlmEvent,
    LlmRequest,
    LlmText,
    LlmUsage,
    Message,
    ToolCall,
    ToolSpec,
)

pytest.importorskip("openai")

Serve = Callable[[web.Request, web.StreamResponse], Awaitable[None]]
ASK = LlmRequest((Message("user", "Where is my order?"),))


def chunk(
    content: str | None = None,
    *,
    calls: list[dict[str, Any]] | None = None,
    finish: str | None = None,
    usage: tuple[int, int] | None = None,
) -> bytes:
    delta: dict[str, Any] = {"content": content}
    if calls is not None:
        delta["tool_calls"] = calls
    data: dict[str, Any] = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    if usage is not None:
        data["choices"] = []
        data["usage"] = {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
            "total_tokens": sum(usage),
        }
    return b"data: " + json.dumps(data).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


class Server:
    """A chat completions endpoint that does what a test wants."""

    def __init__(self, serve: Serve | int) -> None:
        self.serve = serve
        self.bodies: list[dict[str, Any]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        if isinstance(self.serve, int):
            secret = {"error": {"message": "Where is my order?", "type": "x"}}
            return web.json_response(secret, status=self.serve)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await self.serve(request, response)
        return response


@asynccontextmanager
async def serving(serve: Serve | int) -> AsyncIterator[tuple[Server, OpenAiLlm]]:
    server = Server(serve)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    llm = OpenAiLlm("m", api_key="k", base_url=server.url)
    try:
        yield server, llm
    finally:
        await llm.aclose()
        await llm.aclose()
        await runner.cleanup()


def sending(*parts: bytes) -> Serve:
    async def serve(_: web.Request, response: web.StreamResponse) -> None:
        for part in parts:
            await response.write(part)

    return serve


async def ask(serve: Serve | int, request: LlmRequest = ASK) -> tuple[list[LlmEvent], Server]:
    async with serving(serve) as (server, llm):
        return [event async for event in llm.run(request)], server


def failure(serve: Serve | int) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        asyncio.run(ask(serve))
    assert "order" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def test_text_streams_and_usage_follows() -> None:
    parts = [chunk("It is "), chunk("on its way."), chunk(finish="stop"), chunk(usage=(9, 5)), DONE]
    events, server = asyncio.run(ask(sending(*parts)))
    assert events == [LlmText("It is "), LlmText("on its way."), LlmUsage(9, 5)]
    (body,) = server.bodies
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert body["max_tokens"] == ASK.max_tokens
    assert body["messages"] == [{"role": "user", "content": "Where is my order?"}]
    assert "tools" not in body


def test_tool_calls_are_put_together_from_deltas() -> None:
    def part(index: int, arguments: str, **first: str) -> dict[str, Any]:
        function = {"arguments": arguments}
        if "name" in first:
            function["name"] = first["name"]
        return {"index": index, "id": first.get("id"), "type": "function", "function": function}

    events, server = asyncio.run(
        ask(
            sending(
                chunk("Let me look."),
                chunk(calls=[part(0, "", id="a", name="status")]),
                chunk(calls=[part(0, '{"order":')]),
                chunk(calls=[part(1, "", id="b", name="hours"), part(0, '"471925"}')]),
                chunk(finish="tool_calls"),
                DONE,
            ),
            LlmRequest(
                (
                    Message("system", "Be brief."),
                    Message("assistant", "", (ToolCall("z", "hours", "{}"),)),
                    Message("tool", "9 to 5", tool_call_id="z"),
                ),
                tools=(
                    ToolSpec("status", "Order status", {"type": "object"}),
                    ToolSpec("hours", ""),
                ),
            ),
        )
    )
    assert events == [
        LlmText("Let me look."),
        ToolCall("a", "status", '{"order":"471925"}'),
        ToolCall("b", "hours", "{}"),
    ]
    (body,) = server.bodies
    assert body["messages"][1]["tool_calls"][0]["function"] == {"name": "hours", "arguments": "{}"}
    assert body["messages"][2] == {"role": "tool", "content": "9 to 5", "tool_call_id": "z"}
    assert body["tools"][1]["function"]["parameters"] == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (400, ErrorClass.BAD_INPUT),
        (401, ErrorClass.AUTH),
        (403, ErrorClass.AUTH),
        (404, ErrorClass.BAD_INPUT),
        (408, ErrorClass.TIMEOUT),
        (429, ErrorClass.RATE_LIMITED),
        (500, ErrorClass.UNAVAILABLE),
        (503, ErrorClass.UNAVAILABLE),
    ],
)
def test_status_codes_have_their_class(status: int, error_class: ErrorClass) -> None:
    error = failure(status)
    assert error.error_class is error_class
    assert error.provider == "openai:m"


def test_a_reset_in_mid_stream_is_unavailable() -> None:
    async def serve(request: web.Request, response: web.StreamResponse) -> None:
        await response.write(chunk("It is"))
        assert request.transport is not None
        request.transport.abort()

    assert failure(serve).error_class is ErrorClass.UNAVAILABLE


def test_a_stream_that_ends_without_a_reason_is_unavailable() -> None:
    assert failure(sending(chunk("It is"))).error_class is ErrorClass.UNAVAILABLE


def test_an_error_event_in_the_stream_is_unavailable() -> None:
    event = b'data: {"error": {"message": "order of the caller"}}\n\n'
    assert failure(sending(chunk("It is"), event)).error_class is ErrorClass.UNAVAILABLE


@pytest.mark.parametrize("arguments", ["{broken", "[]"])
def test_a_tool_call_that_is_not_an_object_is_bad_output(arguments: str) -> None:
    call = {"index": 0, "id": "a", "function": {"name": "x", "arguments": arguments}}
    parts = [chunk(calls=[call]), chunk(finish="tool_calls"), DONE]
    assert failure(sending(*parts)).error_class is ErrorClass.BAD_OUTPUT


def test_garbage_in_the_stream_is_bad_output() -> None:
    assert failure(sending(b"data: {nonsense\n\n")).error_class is ErrorClass.BAD_OUTPUT


def test_nobody_listening_is_unavailable() -> None:
    async def run() -> None:
        llm = OpenAiLlm("m", api_key="k", base_url="http://127.0.0.1:9/v1")
        try:
            async for _ in llm.run(ASK):
                pass
        finally:
            await llm.aclose()

    with pytest.raises(ProviderError) as caught:
        asyncio.run(run())
    assert caught.value.error_class is ErrorClass.UNAVAILABLE


def test_cancel_closes_the_stream_at_once() -> None:
    async def run() -> None:
        gone = asyncio.Event()

        async def serve(_: web.Request, response: web.StreamResponse) -> None:
            try:
                while True:
                    await response.write(chunk("word "))
                    await asyncio.sleep(0.005)
            finally:
                gone.set()

        async with serving(serve) as (_, llm):
            events = llm.run(ASK)
            assert await anext(events) == LlmText("word ")
            started = time.monotonic()
            await events.aclose()
            assert time.monotonic() - started < 0.5
            async with asyncio.timeout(2):
                await gone.wait()

    asyncio.run(run())


def test_cancel_while_the_first_byte_is_awaited() -> None:
    async def run() -> None:
        reached = asyncio.Event()

        async def serve(_: web.Request, __: web.StreamResponse) -> None:
            reached.set()
            await asyncio.sleep(30)

        async with serving(serve) as (_, llm):
            task = asyncio.ensure_future(anext(llm.run(ASK)))
            await reached.wait()
            started = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - started < 1.0

    asyncio.run(run())


def test_without_the_sdk_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(MissingDependencyError, match=r"mediacore\[openai\]"):
        OpenAiLlm("m", api_key="k")
