"""Virtual time for asyncio: the clock jumps to the next timer whenever nothing can run.

`run_virtual(main())` runs a coroutine to its end; an hour of sleeping takes no time. It fails when
a callback really blocks for more than a second, when nothing is left that could ever run, and when
the coroutine leaves tasks behind.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

BLOCK_LIMIT_S = 1.0


class _JumpSelector(selectors.DefaultSelector):
    """Never waits for a timer: moves `now_s` instead. Real descriptors and threads still work."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self._left_s = time.monotonic()

    def select(self, timeout: float | None = None) -> list[Any]:
        blocked_s = time.monotonic() - self._left_s
        self._left_s = time.monotonic()
        if blocked_s > BLOCK_LIMIT_S:
            raise RuntimeError(f"the event loop was blocked for {blocked_s:.2f} s of real time")
        ready = super().select(BLOCK_LIMIT_S if timeout is None else 0)
        self._left_s = time.monotonic()
        if not ready and timeout is None:
            raise RuntimeError("deadlock: nothing is ready and no timer is set")
        if not ready and timeout:
            self.now_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time, starting at 0."""

    def __init__(self) -> None:
        self._jump = _JumpSelector()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now_s


def now_us() -> int:
    """The running loop's clock in microseconds; a clock to inject."""
    return round(asyncio.get_running_loop().time() * 1e6)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a fresh virtual loop."""

    async def watched() -> T:
        result = await main
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"
        return result

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(watched())
