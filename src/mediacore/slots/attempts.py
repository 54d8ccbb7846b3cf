"""One request, several attempts: deadlines, retry and fallback until the first useful output.

Once something was handed on that the caller hears (or that acts), nothing is repeated: a later
failure goes to the reader as ProviderError.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from mediacore.errors import ErrorClass, ProviderError
from mediacore.slots.attempt import Attempt, Candidate, Screen
from mediacore.slots.breaker import Breaker
from mediacore.slots.policy import SlotPolicy
from mediacore.slots.report import (
    AttemptReport,
    CallTiming,
    Clock,
    NextStep,
    OnReport,
    Outcome,
)
from mediacore.slots.stream import next_within

Provider = TypeVar("Provider")
Event = TypeVar("Event")


@dataclass(slots=True)
class Run:
    """What all attempts of one request share."""

    slot: str
    policy: SlotPolicy
    clock_us: Clock
    on_report: OnReport
    waited_us: int = 0
    attempts: int = 0

    @property
    def left_us(self) -> int:
        """What remains of the total deadline."""
        return self.policy.total_ms * 1000 - self.waited_us


class Patience(Generic[Event]):
    """Puller with a deadline for the first useful event, for gaps, and for the whole run.

    Only time spent waiting counts; the reader may take as long as it likes.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._window_ms = run.policy.first_ms
        self._idle_us = 0
        self._pulls_left = run.policy.max_events

    async def pull(self, source: AsyncIterator[Event]) -> Event:
        """The next event, or ProviderError(TIMEOUT)."""
        self._pulls_left -= 1
        if self._pulls_left < 0:
            raise ProviderError(ErrorClass.BAD_OUTPUT, "the output does not end")
        policy = self._run.policy
        limit_us = max(0, min(self._window_ms * 1000 - self._idle_us, self._run.left_us))
        begin_us = self._run.clock_us()
        try:
            return await next_within(source, limit_us / 1e6, policy.close_ms / 1000)
        except TimeoutError:
            message = f"nothing within {self._window_ms} ms"
            raise ProviderError(ErrorClass.TIMEOUT, message) from None
        finally:
            waited_us = self._run.clock_us() - begin_us
            self._idle_us += waited_us
            self._run.waited_us += waited_us

    def progressed(self) -> None:
        """From now on the gap deadline holds, starting anew."""
        self._window_ms = self._run.policy.gap_ms
        self._idle_us = 0


async def run_attempts(
    run: Run,
    candidates: Sequence[Candidate[Provider]],
    open_run: Callable[[Provider], AsyncIterator[Event]],
    make_screen: Callable[[Provider], Screen[Event]],
) -> AsyncGenerator[Event, None]:
    """Stream a reply from the first candidate that gives one. ProviderError when none does."""
    failure = ProviderError(ErrorClass.UNAVAILABLE, "every provider rests after failures")
    for index, candidate in enumerate(candidates):
        last = index + 1 == len(candidates)
        for tries_left in range(run.policy.retries, -1, -1):
            run.attempts += 1
            then = NextStep.NOTHING
            if candidate.breaker.is_open:
                run.on_report(_skipped(run, candidate.name, last))
                break
            attempt: Attempt[Event] = Attempt(
                slot=run.slot,
                name=candidate.name,
                number=run.attempts,
                clock_us=run.clock_us,
                close_s=run.policy.close_ms / 1000,
                open_run=partial(open_run, candidate.provider),
                puller=Patience(run),
                screen=make_screen(candidate.provider),
            )
            try:
                async with aclosing(attempt.events()) as events:
                    async for event in events:
                        yield event
            finally:
                attempt.settle(candidate.breaker)
                then = _next_step(run, attempt, candidate.breaker, tries_left, last)
                run.on_report(attempt.report(then))
            if attempt.failure is None:
                return
            failure = attempt.failure
            if then is not NextStep.RETRY:
                break
            await asyncio.sleep(run.policy.retry_wait_ms / 1000)
        if then is NextStep.RAISE:
            break
    raise failure


def _next_step(
    run: Run, attempt: Attempt[Event], breaker: Breaker, tries_left: int, last: bool
) -> NextStep:
    if attempt.failure is None:
        return NextStep.NOTHING
    if attempt.committed or run.left_us <= 0:
        return NextStep.RAISE
    if attempt.failure.error_class.retryable and tries_left and not breaker.is_open:
        return NextStep.RETRY
    return NextStep.RAISE if last else NextStep.FALLBACK


def _skipped(run: Run, name: str, last: bool) -> AttemptReport:
    now_us = run.clock_us()
    return AttemptReport(
        slot=run.slot,
        provider=name,
        number=run.attempts,
        outcome=Outcome.SKIPPED,
        timing=CallTiming(now_us, None, now_us),
        then=NextStep.RAISE if last else NextStep.FALLBACK,
    )
