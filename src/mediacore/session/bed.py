"""Sound under a leg's voice: music on hold, ringback, background."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from mediacore._core import Leg
from mediacore.errors import ErrorClass, MediaError, ProviderError, StaleError
from mediacore.runtime.actions import StartBed
from mediacore.session.sounds import Sounds

_FEED_S = 0.2  # of the 1.6 s that the core holds
_FAILED_S = 1.0  # before a source that gave nothing is asked again


class Bed:
    """Executes StartBed and StopBed for one leg, opened with `bed`.

    Nothing here is reported to the call: a bed that cannot be made is silence. on_error: gets
    what was wrong, once per start.
    """

    def __init__(
        self,
        leg: Leg,
        sounds: Sounds,
        group: asyncio.TaskGroup,
        on_error: Callable[[ErrorClass, str], None] = lambda error, detail: None,
    ) -> None:
        self._leg = leg
        self._sounds = sounds
        self._group = group
        self._on_error = on_error
        self._task: asyncio.Task[None] | None = None

    def start(self, action: StartBed) -> None:
        """Fade out what plays, and play this."""
        self.stop()
        if not self._leg.closed:
            self._task = self._group.create_task(self._run(action))

    def stop(self) -> None:
        """Fade out; idempotent."""
        if self._task is None:
            return
        self._task.cancel()
        self._task = None
        if not self._leg.closed:
            self._leg.bed_stop()

    async def _run(self, action: StartBed) -> None:
        try:
            self._leg.bed_gain(action.volume_db)
            left = action.loops
            told = False
            while True:
                given = 0
                try:
                    for item in action.items:
                        async with aclosing(
                            self._sounds.blocks(item, self._leg.srate_hz)
                        ) as blocks:
                            async for pcm in blocks:
                                given += await self._give(pcm)
                except ProviderError as error:
                    if not told:
                        self._on_error(error.error_class, str(error))
                    told = True
                left -= 1
                if left == 0:
                    return
                if not given:
                    await asyncio.sleep(_FAILED_S)
        except StaleError:
            return  # the leg is gone
        except MediaError as error:
            self._on_error(ErrorClass.INTERNAL, str(error))

    async def _give(self, pcm: bytes) -> int:
        done = 0
        while 2 * done < len(pcm):
            done += self._leg.bed(pcm, done)
            if 2 * done < len(pcm):
                await asyncio.sleep(_FEED_S)
        return done
