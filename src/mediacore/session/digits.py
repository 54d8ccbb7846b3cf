"""Digits with pauses, sent on a leg."""

from __future__ import annotations

import asyncio
import re

from mediacore._core import Leg
from mediacore.errors import QueueFullError, StaleError
from mediacore.runtime.keys import GAP_MS, KEY, PAUSE_MS, TONE_MS

_CHUNK = 16  # digits given to the core at once, of 32 that may wait there


class Digits:
    """Executes SendDigits for one leg, in the order given."""

    def __init__(self, leg: Leg, group: asyncio.TaskGroup) -> None:
        self._leg = leg
        self._group = group
        self._task: asyncio.Task[None] | None = None

    def send(self, digits: str) -> None:
        """Send after what is being sent. Characters that are no digits or pauses are left out."""
        self._task = self._group.create_task(self._send(digits, self._task))

    def close(self) -> None:
        """Send no more; idempotent. What waits for its turn ends with what it waits for."""
        if self._task is not None:
            self._task.cancel()

    async def _send(self, digits: str, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            try:
                await before
            except asyncio.CancelledError:
                before.cancel()
                raise
        try:
            for part in re.findall(rf"{KEY}{{1,{_CHUNK}}}|[wW,]", digits):
                if part in PAUSE_MS:
                    await asyncio.sleep(PAUSE_MS[part] / 1000)
                else:
                    await self._sound(part.upper())
        except StaleError:
            return  # the leg is gone

    async def _sound(self, digits: str) -> None:
        while True:
            try:
                self._leg.send_digits(digits, TONE_MS, GAP_MS)
                break
            except QueueFullError:
                await asyncio.sleep(GAP_MS / 1000)
        await asyncio.sleep(len(digits) * (TONE_MS + GAP_MS) / 1000)
