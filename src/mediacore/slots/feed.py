"""Caller audio on its way to a recogniser."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace

from mediacore.slots.audio import PcmBlock


class AudioFeed:
    """A bounded queue of blocks that is an async iterator and survives cancelled reads.

    When full the oldest block is dropped and counted; the end of speech it carried moves to the
    block after it. One task reads at a time; `put` and `close` may be called from the same loop.
    """

    def __init__(self, max_blocks: int = 500) -> None:
        self._blocks: deque[PcmBlock] = deque()
        self._max_blocks = max_blocks
        self._wake = asyncio.Event()
        self._closed = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Blocks lost because nobody read them in time."""
        return self._dropped

    @property
    def depth(self) -> int:
        """Blocks waiting."""
        return len(self._blocks)

    def put(self, block: PcmBlock) -> bool:
        """Add a block. False when the oldest was dropped for it, or the feed is closed."""
        if self._closed:
            return False
        self._blocks.append(block)
        full = len(self._blocks) > self._max_blocks
        if full:
            lost = self._blocks.popleft()
            self._dropped += 1
            if lost.ends_speech:
                self._blocks[0] = replace(self._blocks[0], ends_speech=True)
        self._wake.set()
        return not full

    def close(self) -> None:
        """No more audio; readers end after what is queued."""
        self._closed = True
        self._wake.set()

    def __aiter__(self) -> AudioFeed:
        return self

    async def __anext__(self) -> PcmBlock:
        while not self._blocks:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._blocks.popleft()
