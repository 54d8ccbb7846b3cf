"""Speech to text slot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from mediacore.slots.audio import PcmBlock


@dataclass(frozen=True, slots=True)
class SttInfo:
    """What a recogniser wants and gives.

    srate_hz: rate of the audio it takes. partials: text comes while the caller speaks.
    continuous: it wants all audio; otherwise blocks from a little before speech start to speech
    end are enough.
    """

    name: str
    srate_hz: int = 16000
    partials: bool = True
    continuous: bool = False


@dataclass(frozen=True, slots=True)
class SttPartial:
    """Text so far of the utterance in progress; replaces the previous partial.

    at: last audio sample covered, on the clock of the blocks it was given.
    """

    text: str
    at: int


@dataclass(frozen=True, slots=True)
class SttFinal:
    """The utterance's text, final. Empty text means that nothing was recognised.

    at: last audio sample covered. confidence: 0..1 where the recogniser gives one.
    """

    text: str
    at: int
    confidence: float | None = None


SttEvent = SttPartial | SttFinal


class Stt(Protocol):
    """A recogniser. One `run` per call; it ends when the audio iterator ends."""

    @property
    def info(self) -> SttInfo:
        """Constant facts about this recogniser."""
        ...

    def run(self, audio: AsyncIterator[PcmBlock]) -> AsyncIterator[SttEvent]:
        """Recognise a stream of blocks. Cancel by closing the returned iterator."""
        ...

    async def aclose(self) -> None:
        """Release everything; idempotent."""
        ...
