"""The drivers: what stands between a call and its providers.

Adapters stay naive. A driver is itself a provider of its slot; it adds deadlines, retry, fallback,
a circuit breaker, one error type and a report of every attempt. One driver serves many calls of a
process, so that they share the breakers; closing it closes its providers.

    driver = TtsDriver((local, cloud), clock_us=clock)
    async with aclosing(driver.run(TtsRequest("Hello."), on_report=reports.append)) as stream:
        async for event in stream:
            ...

The returned stream may be closed by any task at any time. A failure that cannot be repaired is
raised to the reader as ProviderError.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Generic, Protocol, TypeVar

from mediacore.errors import ConfigError
from mediacore.slots.attempt import Candidate
from mediacore.slots.attempts import Run, run_attempts
from mediacore.slots.audio import PcmBlock
from mediacore.slots.breaker import Breaker
from mediacore.slots.classify import as_provider_error
from mediacore.slots.llm import Llm, LlmEvent, LlmInfo, LlmRequest
from mediacore.slots.policy import LlmPolicy, SttPolicy, TtsPolicy, TurnPolicy
from mediacore.slots.recognise import Recognition
from mediacore.slots.report import (
    AttemptReport,
    CallTiming,
    Clock,
    OnReport,
    Outcome,
    no_report,
)
from mediacore.slots.screens import LlmScreen, TtsScreen
from mediacore.slots.stream import SlotStream, cancel_is_ours
from mediacore.slots.stt import Stt, SttEvent, SttInfo
from mediacore.slots.tts import Tts, TtsEvent, TtsInfo, TtsRequest
from mediacore.slots.turn import TurnContext, TurnDetector


class Closable(Protocol):
    """Anything with an `aclose`."""

    async def aclose(self) -> None:
        """Release everything; idempotent."""
        ...


P = TypeVar("P", bound=Closable)


class _Pool(Generic[P]):
    """The providers of one slot, in order of preference."""

    def __init__(
        self, named: Sequence[tuple[str, P]], clock_us: Clock, failures: int, rest_ms: int
    ) -> None:
        if not named:
            raise ConfigError("a driver needs at least one provider")
        self.candidates = tuple(
            Candidate(provider, name, Breaker(clock_us, failures, rest_ms))
            for name, provider in named
        )

    @property
    def first(self) -> P:
        """The preferred provider."""
        return self.candidates[0].provider

    async def aclose(self, close_ms: int) -> None:
        """Close all, each for at most `close_ms`; one that fails does not keep the others open."""
        for candidate in self.candidates:
            try:
                async with asyncio.timeout(close_ms / 1000):
                    await candidate.provider.aclose()
            except Exception:
                continue


class TtsDriver:
    """Speech synthesis. Falls back only before the first audio: nothing is ever said twice.

    A fallback may speak at another rate than `info` says; each TtsAudio names its own.
    """

    def __init__(
        self, providers: Sequence[Tts], clock_us: Clock, policy: TtsPolicy | None = None
    ) -> None:
        self._policy = policy or TtsPolicy()
        self._clock_us = clock_us
        self._pool = _Pool(
            [(p.info.name, p) for p in providers],
            clock_us,
            self._policy.breaker_failures,
            self._policy.breaker_rest_ms,
        )

    @property
    def info(self) -> TtsInfo:
        """Facts about the preferred provider."""
        return self._pool.first.info

    def run(self, request: TtsRequest, on_report: OnReport = no_report) -> SlotStream[TtsEvent]:
        """Synthesise one request. Cancel by closing the stream."""
        run = Run("tts", self._policy, self._clock_us, on_report)
        events = run_attempts(
            run,
            self._pool.candidates,
            lambda tts: tts.run(request),
            lambda tts: TtsScreen(tts.info, request, self._policy),
        )
        return SlotStream(events, self._policy.close_ms)

    async def aclose(self) -> None:
        """Close the providers."""
        await self._pool.aclose(self._policy.close_ms)


class LlmDriver:
    """A model or dialogue. Falls back only before the first text, tool call or hang-up."""

    def __init__(
        self, providers: Sequence[Llm], clock_us: Clock, policy: LlmPolicy | None = None
    ) -> None:
        self._policy = policy or LlmPolicy()
        self._clock_us = clock_us
        self._pool = _Pool(
            [(p.info.name, p) for p in providers],
            clock_us,
            self._policy.breaker_failures,
            self._policy.breaker_rest_ms,
        )

    @property
    def info(self) -> LlmInfo:
        """Facts about the preferred provider."""
        return self._pool.first.info

    def run(self, request: LlmRequest, on_report: OnReport = no_report) -> SlotStream[LlmEvent]:
        """Answer one turn. Cancel by closing the stream."""
        run = Run("llm", self._policy, self._clock_us, on_report)
        events = run_attempts(
            run,
            self._pool.candidates,
            lambda llm: llm.run(request),
            lambda _: LlmScreen(self._policy),
        )
        return SlotStream(events, self._policy.close_ms)

    async def aclose(self) -> None:
        """Close the providers."""
        await self._pool.aclose(self._policy.close_ms)


class SttDriver:
    """Recognition for as long as the call lasts; a failed recogniser is started again.

    Pass an AudioFeed: reads of it may be cancelled, which an async generator does not survive.
    Audio that comes while no recogniser runs waits there. When a recogniser fails during or after
    an utterance, its last partial text comes as an SttFinal with confidence 0 (empty when there
    was none), so that no turn waits for ever.
    """

    def __init__(
        self, providers: Sequence[Stt], clock_us: Clock, policy: SttPolicy | None = None
    ) -> None:
        self._policy = policy or SttPolicy()
        self._clock_us = clock_us
        if len({p.info.srate_hz for p in providers}) > 1:
            raise ConfigError("all recognisers of a driver must take the same sampling rate")
        self._pool = _Pool(
            [(p.info.name, p) for p in providers],
            clock_us,
            self._policy.breaker_failures,
            self._policy.breaker_rest_ms,
        )

    @property
    def info(self) -> SttInfo:
        """Facts about the preferred provider."""
        return self._pool.first.info

    def run(
        self, audio: AsyncIterator[PcmBlock], on_report: OnReport = no_report
    ) -> SlotStream[SttEvent]:
        """Recognise a call's audio. Cancel by closing the stream; `audio` stays open."""
        recognition = Recognition(
            self._pool.candidates, audio, self._policy, self._clock_us, on_report
        )
        return SlotStream(recognition.events(), self._policy.close_ms)

    async def aclose(self) -> None:
        """Close the providers."""
        await self._pool.aclose(self._policy.close_ms)


class TurnDriver:
    """A turn detector's vote, or 0.0 (no vote) when it fails or is late."""

    def __init__(
        self,
        detector: TurnDetector,
        clock_us: Clock,
        policy: TurnPolicy | None = None,
        name: str = "turn",
    ) -> None:
        self._policy = policy or TurnPolicy()
        self._clock_us = clock_us
        self._pool = _Pool(
            [(name, detector)],
            clock_us,
            self._policy.breaker_failures,
            self._policy.breaker_rest_ms,
        )

    async def predict(self, context: TurnContext, on_report: OnReport = no_report) -> float:
        """Probability 0..1 that the turn is complete; never raises but CancelledError."""
        candidate = self._pool.candidates[0]
        started_us = self._clock_us()
        if candidate.breaker.is_open:
            timing = CallTiming(started_us, None, started_us)
            on_report(AttemptReport("turn", candidate.name, 1, Outcome.SKIPPED, timing))
            return 0.0
        try:
            async with asyncio.timeout(self._policy.answer_ms / 1000):
                vote = await candidate.provider.predict(context)
        except asyncio.CancelledError as error:
            if cancel_is_ours():
                raise
            return self._failed(candidate, started_us, error, on_report)
        except Exception as error:
            return self._failed(candidate, started_us, error, on_report)
        candidate.breaker.succeeded()
        now_us = self._clock_us()
        timing = CallTiming(started_us, now_us, now_us)
        on_report(AttemptReport("turn", candidate.name, 1, Outcome.OK, timing, events=1))
        return min(1.0, max(0.0, vote))

    async def aclose(self) -> None:
        """Close the detector."""
        await self._pool.aclose(500)

    def _failed(
        self,
        candidate: Candidate[TurnDetector],
        started_us: int,
        error: BaseException,
        on_report: OnReport,
    ) -> float:
        candidate.breaker.failed()
        failure = as_provider_error(error, candidate.name)
        timing = CallTiming(started_us, None, self._clock_us())
        on_report(
            AttemptReport(
                "turn",
                candidate.name,
                1,
                Outcome.FAILED,
                timing,
                error=failure.error_class,
                detail=str(failure),
            )
        )
        return 0.0
