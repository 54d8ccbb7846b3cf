"""A recogniser for a whole call: restarted after failures, going on with the next audio.

An attempt reads the call's audio through an `Intake`, which tells a `Watch` what was taken. The
watch keeps two deadlines: to come back for more audio, and to give a final text after the end of
speech.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from mediacore.errors import ConfigError, ErrorClass, ProviderError
from mediacore.slots.attempt import Attempt, Candidate, Verdict
from mediacore.slots.audio import PcmBlock
from mediacore.slots.policy import SttPolicy
from mediacore.slots.report import Clock, NextStep, OnReport
from mediacore.slots.stt import Stt, SttEvent, SttFinal, SttPartial


class Watch:
    """Puller whose deadlines move while a step is waiting, as audio goes in.

    All times are on the driver's clock. The reader's own time does not count.
    """

    def __init__(self, policy: SttPolicy, clock_us: Clock, continuous: bool) -> None:
        self._policy = policy
        self._clock_us = clock_us
        self._continuous = continuous
        self._read_due_us: int | None = None
        self._final_due_us: int | None = None
        self._left_us = clock_us()
        self._scopes: tuple[asyncio.Timeout, asyncio.Timeout] | None = None
        self._partial = SttPartial("", 0)
        self._ended_at: int | None = None

    async def pull(self, source: AsyncIterator[SttEvent]) -> SttEvent:
        """The next event, or TimeoutError."""
        paused_us = self._clock_us() - self._left_us
        if self._read_due_us is not None:
            self._read_due_us += paused_us
        if self._final_due_us is not None:
            self._final_due_us += paused_us
        try:
            async with asyncio.timeout(None) as hard, asyncio.timeout(None) as soft:
                self._scopes = (hard, soft)
                self._apply()
                return await anext(source)
        finally:
            self._scopes = None
            self._left_us = self._clock_us()

    def progressed(self) -> None:
        """Deadlines of a recogniser follow the audio, not the text."""

    def asked(self) -> None:
        """The provider wants audio."""
        self._read_due_us = None
        self._apply()

    def gave(self, block: PcmBlock) -> None:
        """The provider got audio."""
        now_us = self._clock_us()
        self._read_due_us = now_us + self._policy.read_ms * 1000
        if block.ends_speech:
            self._ended_at = block.at + block.samples
            if self._partial.text or not self._continuous:
                self._final_due_us = now_us + self._policy.final_ms * 1000
        elif block.speech:
            self._ended_at = None
            self._final_due_us = None
        self._apply()

    def audio_ended(self) -> None:
        """The provider was told that no more audio comes."""
        self._final_due_us = self._clock_us() + self._policy.final_ms * 1000
        self._apply()

    def read_cancelled(self) -> None:
        """The provider's read was cancelled; its clean-up may take close_ms."""
        self._read_due_us = self._clock_us() + self._policy.close_ms * 1000
        self._apply()

    def saw(self, event: SttEvent) -> None:
        """The provider gave an event."""
        if isinstance(event, SttPartial):
            self._partial = event
            return
        self._partial = SttPartial("", 0)
        self._ended_at = None
        self._final_due_us = None

    def unfinished(self) -> SttFinal | None:
        """What stands in for a final text that will not come any more."""
        if self._ended_at is not None:
            return SttFinal(self._partial.text, self._ended_at, confidence=0.0)
        if self._partial.text:
            return SttFinal(self._partial.text, self._partial.at, confidence=0.0)
        return None

    def _apply(self) -> None:
        if self._scopes is None or self._scopes[1].expired():
            return
        dues = [due for due in (self._read_due_us, self._final_due_us) if due is not None]
        hard, soft = self._scopes
        if not dues:
            soft.reschedule(None)
            hard.reschedule(None)
            return
        now_s = asyncio.get_running_loop().time()
        due_s = now_s + max(0, min(dues) - self._clock_us()) / 1e6
        soft.reschedule(due_s)
        hard.reschedule(due_s + self._policy.close_ms / 1000)


class Intake:
    """The audio iterator that one attempt gets."""

    def __init__(self, audio: AsyncIterator[PcmBlock], watch: Watch) -> None:
        self._audio = audio
        self._watch = watch
        self._closed = False
        self.blocks = 0
        self.ended = False
        self.cut_short = False
        self.error: Exception | None = None

    def __aiter__(self) -> Intake:
        return self

    async def __anext__(self) -> PcmBlock:
        if self._closed or self.ended:
            raise StopAsyncIteration
        self._watch.asked()
        try:
            block = await anext(self._audio)
        except StopAsyncIteration:
            self.ended = True
            self._watch.audio_ended()
            raise
        except asyncio.CancelledError:
            self.cut_short = True
            self._watch.read_cancelled()
            raise
        except Exception as error:
            self.error = error
            raise
        self.blocks += 1
        self._watch.gave(block)
        return block

    def close(self) -> None:
        """No more audio for this attempt, whoever may still hold it."""
        self._closed = True


class SttScreen:
    """Text events, and an end only when the audio has ended."""

    def __init__(self, watch: Watch, intake: Intake) -> None:
        self._watch = watch
        self._intake = intake

    def admit(self, event: SttEvent) -> Verdict:
        """Every partial and final is handed on."""
        if not isinstance(event, SttPartial | SttFinal):
            raise ProviderError(ErrorClass.BAD_OUTPUT, "not an SttEvent")
        self._watch.saw(event)
        return Verdict.COMMIT

    def finish(self) -> None:
        """A recogniser runs as long as there is audio."""
        if not self._intake.ended:
            raise ProviderError(ErrorClass.UNAVAILABLE, "ended before the audio did")


@dataclass(slots=True)
class Recognition:
    """One run of the driver over a call's audio."""

    candidates: Sequence[Candidate[Stt]]
    audio: AsyncIterator[PcmBlock]
    policy: SttPolicy
    clock_us: Clock
    on_report: OnReport
    _number: int = 0
    _in_row: int = 0

    async def events(self) -> AsyncGenerator[SttEvent, None]:
        """Text for as long as there is audio. ProviderError when no provider is left."""
        usable = list(self.candidates)
        while True:
            candidate = pick(usable)
            watch = Watch(self.policy, self.clock_us, candidate.provider.info.continuous)
            intake = Intake(self.audio, watch)
            attempt = self._attempt(candidate, watch, intake)
            then = NextStep.NOTHING
            try:
                async with aclosing(attempt.events()) as events:
                    async for event in events:
                        self._in_row = 0
                        yield event
            finally:
                intake.close()
                attempt.settle(candidate.breaker)
                then = self._next_step(attempt, candidate, usable)
                self.on_report(attempt.report(then))
            self._check_source(intake)
            if attempt.failure is None:
                return
            stand_in = watch.unfinished()
            if stand_in is not None:
                yield stand_in
            if then is NextStep.RAISE:
                raise attempt.failure
            await asyncio.sleep(self._back_off_s())

    def _attempt(
        self, candidate: Candidate[Stt], watch: Watch, intake: Intake
    ) -> Attempt[SttEvent]:
        self._number += 1
        return Attempt(
            slot="stt",
            name=candidate.name,
            number=self._number,
            clock_us=self.clock_us,
            close_s=self.policy.close_ms / 1000,
            open_run=lambda: candidate.provider.run(intake),
            puller=watch,
            screen=SttScreen(watch, intake),
        )

    def _next_step(
        self, attempt: Attempt[SttEvent], candidate: Candidate[Stt], usable: list[Candidate[Stt]]
    ) -> NextStep:
        if attempt.failure is None:
            return NextStep.NOTHING
        self._in_row += 1
        if not attempt.failure.error_class.retryable:
            usable.remove(candidate)
        if not usable or self._in_row > self.policy.max_restarts:
            return NextStep.RAISE
        return NextStep.RETRY if pick(usable) is candidate else NextStep.FALLBACK

    def _check_source(self, intake: Intake) -> None:
        """A cancelled read ends an async generator; the call would be deaf from then on."""
        if intake.error is not None:
            raise intake.error
        if intake.cut_short and isinstance(self.audio, AsyncGenerator):
            raise ConfigError("the audio did not survive a restart; pass an AudioFeed")

    def _back_off_s(self) -> float:
        wait_ms: int = self.policy.restart_wait_ms * 2 ** (self._in_row - 1)
        return min(wait_ms, self.policy.restart_wait_max_ms) / 1000


def pick(usable: Sequence[Candidate[Stt]]) -> Candidate[Stt]:
    """The first that does not rest. A call is never left deaf: else whoever rests the shortest."""
    for candidate in usable:
        if not candidate.breaker.is_open:
            return candidate
    return min(usable, key=lambda c: c.breaker.open_until_us)
