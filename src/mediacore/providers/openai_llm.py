"""Any server with OpenAI's chat completions, streamed, with tools: also llama.cpp and vLLM."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final

from mediacore.errors import ErrorClass, MissingDependencyError, ProviderError
from mediacore.slots.llm import (
    LlmEvent,
    LlmInfo,
    LlmRequest,
    LlmText,
    LlmUsage,
    Message,
    ToolCall,
    ToolSpec,
)

NAME: Final = "openai"
_FIX: Final = "pip install 'mediacore[openai]'"
_CLOSE_TIMEOUT_S: Final = 1.0
_TIMEOUT_S: Final = 60.0  # a last resort; the deadline of a turn belongs to the driver


def _sdk() -> Any:
    """The official SDK, imported when the first adapter is made: it costs half a second."""
    try:
        return importlib.import_module("openai")
    except ImportError:
        raise MissingDependencyError("Python package 'openai'", _FIX) from None


@dataclass(slots=True)
class _PartialCall:
    """A tool call as its deltas have filled it so far."""

    id: str = ""
    name: str = ""
    arguments: str = ""


class OpenAiLlm:
    """A chat model behind an OpenAI-compatible endpoint.

    base_url: None for OpenAI itself, else for example "http://127.0.0.1:8080/v1". api_key: local
    servers take any. usage: ask for token counts with the stream; a few servers refuse that.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: str,
        base_url: str | None = None,
        usage: bool = True,
        tools: bool = True,
    ) -> None:
        self._openai = _sdk()
        self._client = self._openai.AsyncOpenAI(
            api_key=api_key, base_url=base_url, max_retries=0, timeout=_TIMEOUT_S
        )
        self._model = model
        self._info = LlmInfo(f"{NAME}:{model}", tools=tools)
        self._usage = usage
        # OpenAI's newer models know only the long name, older local servers only the short one.
        self._limit = "max_completion_tokens" if base_url is None else "max_tokens"

    @property
    def info(self) -> LlmInfo:
        """Constant facts about this model."""
        return self._info

    async def aclose(self) -> None:
        """Close all connections; idempotent."""
        await self._client.close()

    async def run(self, request: LlmRequest) -> AsyncGenerator[LlmEvent, None]:
        """Answer one turn. Closing the iterator closes the HTTP stream at once."""
        calls: dict[int, _PartialCall] = {}
        finished = False
        stream: Any = None
        try:
            stream = await self._client.chat.completions.create(**self._arguments(request))
            async for chunk in stream:
                if chunk.usage is not None:
                    yield LlmUsage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                for choice in chunk.choices[:1]:
                    if choice.delta.content:
                        yield LlmText(choice.delta.content)
                    _collect(calls, choice.delta.tool_calls or ())
                    finished = finished or choice.finish_reason is not None
        except (self._openai.OpenAIError, ValueError, OSError) as error:
            raise self._error(error) from None  # its text may hold the conversation
        finally:
            if stream is not None:
                await _close(stream)
        if not finished:
            raise ProviderError(ErrorClass.UNAVAILABLE, "the stream broke off", self._info.name)
        for _, call in sorted(calls.items()):
            yield self._tool_call(call)

    def _arguments(self, request: LlmRequest) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": self._model,
            "messages": [_message(message) for message in request.messages],
            "temperature": request.temperature,
            self._limit: request.max_tokens,
            "stream": True,
        }
        if self._usage:
            arguments["stream_options"] = {"include_usage": True}
        if request.tools:
            arguments["tools"] = [_tool(tool) for tool in request.tools]
        return arguments

    def _tool_call(self, call: _PartialCall) -> ToolCall:
        text = call.arguments or "{}"
        try:
            usable = bool(call.name) and isinstance(json.loads(text), dict)
        except ValueError:
            usable = False
        if not usable:
            message = "a tool call without a name or a JSON object"
            raise ProviderError(ErrorClass.BAD_OUTPUT, message, self._info.name)
        return ToolCall(call.id, call.name, text)

    def _error(self, error: Exception) -> ProviderError:
        error_class = classify(self._openai, error)
        status = getattr(error, "status_code", None)
        detail = type(error).__name__ + (f" (HTTP {status})" if status else "")
        return ProviderError(error_class, detail, self._info.name)


def classify(openai: Any, error: Exception) -> ErrorClass:
    """Error class of what the SDK raised."""
    if isinstance(error, openai.APITimeoutError):
        return ErrorClass.TIMEOUT
    if isinstance(error, openai.APIConnectionError | OSError):
        return ErrorClass.UNAVAILABLE
    if isinstance(error, openai.APIStatusError):
        return _of_status(error.status_code)
    if isinstance(error, openai.APIResponseValidationError | ValueError):
        return ErrorClass.BAD_OUTPUT
    if isinstance(error, openai.APIError):
        return ErrorClass.UNAVAILABLE  # an error event inside the stream
    return ErrorClass.INTERNAL


def _of_status(status: int) -> ErrorClass:
    if status in (401, 403):
        return ErrorClass.AUTH
    if status == 429:
        return ErrorClass.RATE_LIMITED
    if status in (408, 504):
        return ErrorClass.TIMEOUT
    if status >= 500 or status == 409:
        return ErrorClass.UNAVAILABLE
    return ErrorClass.BAD_INPUT


def _collect(calls: dict[int, _PartialCall], deltas: Any) -> None:
    for delta in deltas:
        call = calls.setdefault(delta.index, _PartialCall())
        call.id = delta.id or call.id
        if delta.function is not None:
            call.name = delta.function.name or call.name
            call.arguments += delta.function.arguments or ""


def _message(message: Message) -> dict[str, Any]:
    entry: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_calls:
        entry["content"] = message.text or None
        entry["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        entry["tool_call_id"] = message.tool_call_id
    return entry


def _tool(tool: ToolSpec) -> dict[str, Any]:
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


async def _close(stream: Any) -> None:
    """Drop the connection; a server that does not answer must not hold up the next turn."""
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await stream.close()
    except (TimeoutError, OSError):
        return
