"""One engine, one event loop: media events on their way to the calls they belong to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from mediacore._core import Engine, Leg
from mediacore.events import EventsLost, MediaEvent

Sink = Callable[[MediaEvent], None]


class MediaHub:
    """Hands every event of an engine to the sink of its leg, in order.

    In real time `start` lets the media thread run and the loop wake for events. Without it the
    engine is ticked by hand (tests, offline) and `pump` is called after the ticks.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sinks: dict[int, Sink] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unclaimed = 0

    @property
    def unclaimed(self) -> int:
        """Events of legs that nobody listens to any more."""
        return self._unclaimed

    def attach(self, leg: Leg, sink: Sink) -> None:
        """Send the leg's events to `sink` from now on. The sink must not block."""
        self._sinks[leg.handle] = sink

    def detach(self, leg: Leg) -> None:
        """Nobody listens to this leg any more; idempotent."""
        self._sinks.pop(leg.handle, None)

    def pump(self) -> int:
        """Deliver what waits. Returns the number of events."""
        events = self.engine.poll()
        for event in events:
            if isinstance(event, EventsLost):
                for sink in list(self._sinks.values()):
                    sink(event)
                continue
            target = self._sinks.get(event.leg)
            if target is None:
                self._unclaimed += 1
            else:
                target(event)
        return len(events)

    def start(self, *, realtime: bool = False) -> None:
        """Run in real time. realtime: ask for a real-time priority of the media thread."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.engine.event_fd, self.pump)
        self.engine.start(realtime)

    def stop(self) -> None:
        """Stop the media thread and deliver what is left; idempotent."""
        if self._loop is None:
            return
        self._loop.remove_reader(self.engine.event_fd)
        self._loop = None
        self.engine.stop()
        self.pump()

    def __enter__(self) -> MediaHub:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self.engine.close()
