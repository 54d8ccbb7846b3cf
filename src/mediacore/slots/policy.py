"""How long a driver waits for a provider, and what it does when the provider fails."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlotPolicy:
    """Limits of a slot that answers requests. Deadlines count time spent waiting for the provider.

    first_ms: until the first piece of output, per attempt. gap_ms: between pieces after that.
    total_ms: for the whole request, all attempts together. close_ms: for a provider to clean up.
    retries: more attempts on the same provider, `retry_wait_ms` apart, when the error is worth it.
    max_events: events of one attempt; more is a runaway. breaker_failures: consecutive failures
    after which the provider is skipped for breaker_rest_ms.
    """

    first_ms: int = 3000
    gap_ms: int = 2000
    total_ms: int = 30_000
    close_ms: int = 500
    retries: int = 1
    retry_wait_ms: int = 50
    max_events: int = 50_000
    breaker_failures: int = 3
    breaker_rest_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class TtsPolicy(SlotPolicy):
    """Audio may be no longer than max_audio_ms + max_audio_ms_per_char times the text's length."""

    max_audio_ms: int = 4000
    max_audio_ms_per_char: int = 250


@dataclass(frozen=True, slots=True)
class LlmPolicy(SlotPolicy):
    """A reply may have no more than max_chars characters."""

    first_ms: int = 6000
    gap_ms: int = 5000
    max_chars: int = 8000


@dataclass(frozen=True, slots=True)
class SttPolicy:
    """Limits of a recogniser, which runs as long as the call does.

    read_ms: from taking a block until it asks for the next. final_ms: from the end of the
    caller's speech until the final text, and from the end of the audio until it ends.
    restart_wait_ms: before the first restart; doubles with each failure in a row up to
    restart_wait_max_ms. max_restarts: restarts without any text between them.
    """

    read_ms: int = 5000
    final_ms: int = 4000
    close_ms: int = 500
    restart_wait_ms: int = 100
    restart_wait_max_ms: int = 2000
    max_restarts: int = 10
    breaker_failures: int = 3
    breaker_rest_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class TurnPolicy:
    """A turn detector's vote is worth nothing when it comes late."""

    answer_ms: int = 150
    breaker_failures: int = 3
    breaker_rest_ms: int = 30_000
