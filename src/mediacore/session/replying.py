"""Replies and tools: what the reducer asks of the model, and the answers on their way back."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing

from mediacore.call.actions import CallTool, StartReply
from mediacore.call.context import ContextEntry
from mediacore.call.inputs import (
    ReplyEnded,
    ReplyFailed,
    ReplyHangup,
    ReplyText,
    ReplyToolCall,
    ToolFinished,
)
from mediacore.errors import ProviderError
from mediacore.session.parts import CallParts
from mediacore.slots.llm import LlmHangup, LlmRequest, LlmText, Message, ToolCall
from mediacore.slots.report import OnReport

ReplyNews = ReplyText | ReplyToolCall | ReplyHangup | ReplyEnded | ReplyFailed | ToolFinished
log = logging.getLogger(__name__)


class Replying:
    """Runs reply streams and tools in the call's task group. One stream per generation."""

    def __init__(
        self,
        parts: CallParts,
        group: asyncio.TaskGroup,
        post: Callable[[ReplyNews], Awaitable[None]],
        on_report: OnReport,
    ) -> None:
        self._parts = parts
        self._group = group
        self._post = post
        self._on_report = on_report
        self._streams: dict[int, asyncio.Task[None]] = {}
        self.input_tokens = 0
        self.output_tokens = 0

    def start(self, action: StartReply) -> None:
        """Ask for a reply."""
        self.cancel(action.generation)
        task = self._group.create_task(self._reply(action))
        self._streams[action.generation] = task

    def cancel(self, generation: int) -> None:
        """Close the stream of a generation; idempotent."""
        task = self._streams.pop(generation, None)
        if task is not None:
            task.cancel()

    def call_tool(self, action: CallTool) -> None:
        """Run a tool; it goes on when its turn is interrupted."""
        self._group.create_task(self._tool(action))

    async def _reply(self, action: StartReply) -> None:
        generation = action.generation
        request = LlmRequest(
            messages=self._messages(action.context),
            tools=tuple(tool.spec for tool in self._parts.tools.values()),
        )
        try:
            async with aclosing(self._parts.llm.run(request, self._on_report)) as stream:
                async for event in stream:
                    if isinstance(event, LlmText):
                        await self._post(ReplyText(generation, event.text))
                    elif isinstance(event, ToolCall):
                        call = ReplyToolCall(generation, event.id, event.name, event.arguments)
                        await self._post(call)
                    elif isinstance(event, LlmHangup):
                        await self._post(ReplyHangup(generation, event.reason))
                    else:
                        self.input_tokens += event.input_tokens
                        self.output_tokens += event.output_tokens
        except ProviderError as error:
            await self._post(ReplyFailed(generation, error.error_class))
        else:
            await self._post(ReplyEnded(generation))
        if self._streams.get(generation) is asyncio.current_task():
            del self._streams[generation]

    def _messages(self, context: tuple[ContextEntry, ...]) -> tuple[Message, ...]:
        system = (Message("system", self._parts.system),) if self._parts.system else ()
        return system + tuple(
            Message(
                entry.role.value,
                entry.text,
                tuple(ToolCall(t.id, t.name, t.arguments) for t in entry.tool_calls),
                entry.tool_call_id,
            )
            for entry in context
        )

    async def _tool(self, action: CallTool) -> None:
        tool = self._parts.tools.get(action.name)
        if tool is None:
            text, ok = f"There is no tool named {action.name}.", False
        else:
            try:
                arguments = json.loads(action.arguments or "{}")
                if not isinstance(arguments, Mapping):
                    raise ValueError("arguments must be an object")
                deadline_s = self._parts.settings.tool_deadline_ms / 1000
                async with asyncio.timeout(deadline_s):
                    text, ok = await tool.function(arguments), True
            except TimeoutError:
                text, ok = "The tool took too long.", False
            except Exception as error:
                log.warning(
                    "tool failed", extra={"tool": action.name, "error": type(error).__name__}
                )
                text, ok = "The tool failed.", False
        await self._post(ToolFinished(action.generation, action.id, text, ok))
