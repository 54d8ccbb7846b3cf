"""Speech-to-speech slot: one model that hears and speaks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from mediacore.slots.audio import PcmBlock
from mediacore.slots.llm import LlmHangup, LlmUsage, ToolCall


@dataclass(frozen=True, slots=True)
class S2sInfo:
    """Rates the model hears and speaks at, in Hz."""

    name: str
    input_srate_hz: int
    output_srate_hz: int


@dataclass(frozen=True, slots=True)
class S2sAudio:
    """A piece of the reply `item`: int16 mono PCM and the text it carries, where known."""

    item: str
    pcm: bytes
    text: str = ""


@dataclass(frozen=True, slots=True)
class S2sDone:
    """The reply `item` is complete."""

    item: str


@dataclass(frozen=True, slots=True)
class S2sHeard:
    """What the model recognised of the caller. Empty while it only noticed speech."""

    text: str


S2sEvent = S2sAudio | S2sDone | S2sHeard | ToolCall | LlmUsage | LlmHangup


@dataclass(frozen=True, slots=True)
class Truncate:
    """The caller heard only `heard_ms` of reply `item`; the model must forget the rest."""

    item: str
    heard_ms: int


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The answer to a tool call, as text."""

    call_id: str
    text: str


S2sControl = Truncate | ToolResult


class SpeechToSpeech(Protocol):
    """One session per call; ends when the audio iterator ends."""

    @property
    def info(self) -> S2sInfo:
        """Constant facts about this model."""
        ...

    def run(
        self, audio: AsyncIterator[PcmBlock], control: AsyncIterator[S2sControl]
    ) -> AsyncIterator[S2sEvent]:
        """Converse. Cancel by closing the returned iterator."""
        ...

    async def aclose(self) -> None:
        """Release everything; idempotent."""
        ...
