"""Plays items on a leg's voice, one operation after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import aclosing

from mediacore._core import Leg
from mediacore.errors import ErrorClass, MediaError, ProviderError, QueueFullError, StaleError
from mediacore.runtime.actions import SetVolume, StartPlay
from mediacore.runtime.inputs import PlayFailed
from mediacore.session.sounds import Sounds, scale

_RETRY_S = 0.02  # while the core's queue is full, or somebody else's utterance is open
_FEED_S = 0.2  # look for room at least so often, should a PlayoutLow have been lost


class _Playing:
    """One operation: what was given of it, and how loud."""

    def __init__(self, action: StartPlay) -> None:
        self.action = action
        self.volume_db = action.volume_db
        self.begun = False
        self.given = 0  # samples that the core took


class Player:
    """Executes StartPlay and what goes with it for one leg.

    Every method returns at once and may be called in any state. Each operation becomes one
    utterance of the core, which tells the rest; `post` gets a PlayFailed for what could not be
    made, at most one per operation.
    """

    def __init__(
        self,
        leg: Leg,
        sounds: Sounds,
        group: asyncio.TaskGroup,
        post: Callable[[PlayFailed], None],
    ) -> None:
        self._leg = leg
        self._sounds = sounds
        self._group = group
        self._post = post
        self._queue: deque[_Playing] = deque()
        self._current: _Playing | None = None
        self._task: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._open = False  # between begin and end in the core
        self._dropped = False  # the task was cancelled by us, and others may follow

    @property
    def idle(self) -> bool:
        """The core has all that was asked for."""
        return self._current is None and not self._queue

    def start(self, action: StartPlay) -> None:
        """Play after what was started before."""
        self._queue.append(_Playing(action))
        if self._task is None:
            self._next()

    def stop(self, op: str, generation: int) -> None:
        """Cut the operation in the core and make no more of it."""
        if not self._leg.closed:
            self._leg.cut(generation)
        self.forget(op)

    def forget(self, op: str) -> None:
        """Make no more of the operation; what the core has of it is left alone."""
        self._queue = deque(playing for playing in self._queue if playing.action.op != op)
        if self._current is not None and self._current.action.op == op and self._task is not None:
            self._dropped = True
            self._task.cancel()

    def cut(self, next_generation: int) -> None:
        """The core cut the voice: what is older than this generation is over."""
        self._queue = deque(p for p in self._queue if p.action.generation >= next_generation)
        if self._current is not None and self._current.action.generation < next_generation:
            self.forget(self._current.action.op)

    def pause(self) -> None:
        """Pause the line's voice."""
        if not self._leg.closed:
            self._leg.pause()

    def resume(self) -> None:
        """Go on."""
        if not self._leg.closed:
            self._leg.resume()

    def volume(self, action: SetVolume) -> None:
        """Level of what is given to playout from now on."""
        for playing in (*self._queue, *filter(None, [self._current])):
            if playing.action.op == action.op:
                playing.volume_db = action.volume_db

    def room(self) -> None:
        """The core wants more audio (PlayoutLow)."""
        self._room.set()

    def close(self) -> None:
        """Make no more of anything; idempotent."""
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()

    def _next(self) -> None:
        """Start on the head of the queue."""
        self._current = self._queue.popleft() if self._queue else None
        self._task = None
        if self._current is not None:
            self._task = self._group.create_task(self._play(self._current))
            self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        """Go on, unless the call ends: then the group takes no more tasks."""
        failed = not self._dropped if task.cancelled() else task.exception() is not None
        if failed:
            self._queue.clear()
        self._dropped = False
        self._next()

    async def _play(self, playing: _Playing) -> None:
        action = playing.action
        try:
            left = action.loops
            while True:
                before = playing.given
                for item in action.items:
                    async with aclosing(self._sounds.blocks(item, self._leg.srate_hz)) as blocks:
                        async for pcm in blocks:
                            await self._give(playing, pcm)
                left -= 1
                if left == 0:
                    break
                if playing.given == before:
                    raise ProviderError(ErrorClass.BAD_OUTPUT, "a loop without sound")
            await self._begin(playing)
        except ProviderError as error:
            self._post(PlayFailed(action.op, error.error_class, str(error), playing.given))
        except StaleError:
            return  # the leg is gone, and its last event said so
        finally:
            self._end()

    async def _give(self, playing: _Playing, pcm: bytes) -> None:
        if not pcm:
            return
        await self._begin(playing)
        pcm = scale(pcm, playing.volume_db)
        done = 0
        while True:
            taken = self._leg.say(pcm, done)
            done += taken
            playing.given += taken
            if 2 * done >= len(pcm):
                return
            self._room.clear()
            try:
                async with asyncio.timeout(_FEED_S):
                    await self._room.wait()
            except TimeoutError:
                continue

    async def _begin(self, playing: _Playing) -> None:
        """Announce the utterance once there is audio for it."""
        while not playing.begun:
            try:
                self._end()
                self._leg.begin(playing.action.utterance, playing.action.generation)
            except StaleError:
                raise
            except MediaError:
                await asyncio.sleep(_RETRY_S)
            else:
                playing.begun = self._open = True

    def _end(self) -> None:
        """End what is open; when the command queue is full, the next one begins with it."""
        if not self._open or self._leg.closed:
            return
        try:
            self._leg.end()
            self._open = False
        except QueueFullError:
            return
