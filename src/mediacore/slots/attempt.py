"""One run of one provider: pull events, screen them, close, and tell how it went."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Protocol, TypeVar

from mediacore.errors import ErrorClass, ProviderError
from mediacore.slots.breaker import Breaker
from mediacore.slots.classify import as_provider_error
from mediacore.slots.report import AttemptReport, CallTiming, Clock, NextStep, Outcome
from mediacore.slots.stream import cancel_is_ours, close_source

Provider = TypeVar("Provider")
Event = TypeVar("Event")
Judged_contra = TypeVar("Judged_contra", contravariant=True)


class Verdict(Enum):
    """What an event is worth."""

    SKIP = "skip"  # nothing in it; no progress
    HOLD = "hold"  # kept back until something useful comes
    COMMIT = "commit"  # useful: from here on nothing may be repeated


class Screen(Protocol[Judged_contra]):
    """Judges one attempt's events. Raises ProviderError(BAD_OUTPUT) for what is unusable."""

    def admit(self, event: Judged_contra) -> Verdict:
        """Judge the next event."""
        ...

    def finish(self) -> None:
        """The provider says that it is done."""
        ...


class Puller(Protocol[Event]):
    """Waits for events as long as the policy allows."""

    async def pull(self, source: AsyncIterator[Event]) -> Event:
        """The next event; TimeoutError when it is late, StopAsyncIteration at the end."""
        ...

    def progressed(self) -> None:
        """An event was worth something."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Provider]):
    """A provider of a slot, its name for reports, and its breaker."""

    provider: Provider
    name: str
    breaker: Breaker


@dataclass(slots=True)
class Attempt(Generic[Event]):
    """Read `events` to its end or close it; then `outcome`, `failure` and `report` are final."""

    slot: str
    name: str
    number: int
    clock_us: Clock
    close_s: float
    open_run: Callable[[], AsyncIterator[Event]]
    puller: Puller[Event]
    screen: Screen[Event]
    committed: bool = False
    failure: ProviderError | None = None
    outcome: Outcome = Outcome.CLOSED
    count: int = 0
    _clean: bool = True
    _first_us: int | None = None
    _started_us: int = 0
    _ended_us: int = 0
    _held: list[Event] = field(default_factory=list)

    async def events(self) -> AsyncGenerator[Event, None]:
        """The provider's events that may be handed on. Failures end it and are kept."""
        self._started_us = self.clock_us()
        source: AsyncIterator[Event] | None = None
        try:
            source = self.open_run()
            while True:
                try:
                    event = await self.puller.pull(source)
                except StopAsyncIteration:
                    break
                for admitted in self._admit(event):
                    self.count += 1
                    yield admitted
            self.screen.finish()
            self.outcome = Outcome.OK
        except asyncio.CancelledError as error:
            if cancel_is_ours():
                raise
            self._fail(error)
        except Exception as error:
            self._fail(error)
        finally:
            self._clean = await close_source(source, self.close_s)
            self._ended_us = self.clock_us()

    def report(self, then: NextStep) -> AttemptReport:
        """What to tell about this attempt once it has ended."""
        failure = self.failure
        return AttemptReport(
            slot=self.slot,
            provider=self.name,
            number=self.number,
            outcome=self.outcome,
            timing=CallTiming(self._started_us, self._first_us, self._ended_us),
            events=self.count,
            error=failure.error_class if failure else None,
            detail=str(failure) if failure else "",
            then=then,
            clean=self._clean,
        )

    def settle(self, breaker: Breaker) -> None:
        """Count the outcome. What we sent ourselves is no mark against the provider."""
        if self.failure is None:
            if self.committed:
                breaker.succeeded()
        elif self.failure.error_class is not ErrorClass.BAD_INPUT:
            breaker.failed()

    def _fail(self, error: BaseException) -> None:
        self.failure = as_provider_error(error, self.name)
        self.outcome = Outcome.FAILED

    def _admit(self, event: Event) -> Iterator[Event]:
        verdict = self.screen.admit(event)
        if verdict is Verdict.SKIP:
            return
        if verdict is Verdict.HOLD and not self.committed:
            self._held.append(event)
            return
        self.puller.progressed()
        if not self.committed:
            self.committed = True
            self._first_us = self.clock_us()
            yield from self._held
            self._held.clear()
        yield event
