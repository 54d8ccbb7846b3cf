"""Turn detector and voice activity slots: optional votes beside the core's own decisions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from mediacore.slots.audio import PcmBlock


@dataclass(frozen=True, slots=True)
class TurnContext:
    """What is known when the caller has gone silent.

    text: the utterance so far. audio: up to the last 8 s of the caller, ending now.
    silence_ms: since speech end.
    """

    text: str
    audio: PcmBlock
    silence_ms: int


class TurnDetector(Protocol):
    """Says how likely it is that the caller has finished. It may only shorten the wait."""

    async def predict(self, context: TurnContext) -> float:
        """Probability 0..1 that the turn is complete."""
        ...

    async def aclose(self) -> None:
        """Release everything; idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class VadDecision:
    """Speech probability 0..1 of the audio up to sample `at`."""

    probability: float
    at: int


class Vad(Protocol):
    """A second opinion on speech, slower and better than the one in the core."""

    def run(self, audio: AsyncIterator[PcmBlock]) -> AsyncIterator[VadDecision]:
        """Judge a stream of blocks."""
        ...

    async def aclose(self) -> None:
        """Release everything; idempotent."""
        ...
