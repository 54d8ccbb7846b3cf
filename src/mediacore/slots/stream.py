"""Async iterators that can be closed by anybody at any time, and closing with a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Generic, TypeVar

Event = TypeVar("Event")


def cancel_is_ours() -> bool:
    """Whether a CancelledError caught now was meant for this task.

    A provider that awaits something it has cancelled itself raises the same error.
    """
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def close_source(source: object, close_s: float) -> bool:
    """Close a provider's iterator. False when it failed or took longer than `close_s`."""
    close = getattr(source, "aclose", None)
    if close is None:
        return True
    try:
        async with asyncio.timeout(close_s):
            await close()
    except asyncio.CancelledError:
        if cancel_is_ours():
            raise
        return False
    except Exception:
        return False
    return True


async def next_within(source: AsyncIterator[Event], limit_s: float, close_s: float) -> Event:
    """The next event. TimeoutError after `limit_s`; StopAsyncIteration at the end.

    The deadline cancels the provider's step; a provider that waits inside its clean-up is
    cancelled a second time `close_s` later.
    """
    async with asyncio.timeout(limit_s + close_s), asyncio.timeout(limit_s):
        return await anext(source)


class SlotStream(Generic[Event]):
    """What a driver's `run` returns.

    One task reads. Any task may call `aclose`, as often as it likes; a step that is waiting then
    ends with StopAsyncIteration in the reader.
    """

    def __init__(self, events: AsyncGenerator[Event, None], close_ms: int) -> None:
        self._events = events
        self._close_s = close_ms / 1000
        self._closed = False
        self._done = asyncio.Event()
        self._closing = False
        self._abandoned = False
        self._scopes: tuple[asyncio.Timeout, asyncio.Timeout] | None = None
        self._idle = asyncio.Event()

    def __aiter__(self) -> SlotStream[Event]:
        return self

    async def __anext__(self) -> Event:
        if self._closed:
            raise StopAsyncIteration
        self._idle.clear()
        soft = asyncio.timeout(None)
        try:
            async with asyncio.timeout(None) as hard, soft:
                self._scopes = (hard, soft)
                return await anext(self._events)
        except TimeoutError:
            if not self._closed:
                raise
            raise StopAsyncIteration from None
        finally:
            self._scopes = None
            self._idle.set()
            if self._abandoned:
                await self._events.aclose()

    async def aclose(self) -> None:
        """Stop the provider and release what it holds; bounded by the policy's close_ms."""
        self._closed = True
        if self._closing:
            await self._done.wait()
            return
        self._closing = True
        try:
            if self._scopes is not None:
                hard, soft = self._scopes
                now = asyncio.get_running_loop().time()
                hard.reschedule(now + self._close_s)
                soft.reschedule(now)
                try:
                    async with asyncio.timeout(2 * self._close_s):
                        await self._idle.wait()
                except TimeoutError:
                    # It ignores both cancels: whoever is reading closes it when it comes back.
                    self._abandoned = True
                    return
            await self._events.aclose()
        finally:
            self._done.set()
