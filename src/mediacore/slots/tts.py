"""Text to speech slot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TtsInfo:
    """What a synthesiser gives. word_times: `TtsWord`s come with the audio."""

    name: str
    srate_hz: int
    word_times: bool = False


@dataclass(frozen=True, slots=True)
class TtsRequest:
    """One phrase or sentence to speak."""

    text: str
    language: str = "en-US"
    voice: str = ""


@dataclass(frozen=True, slots=True)
class TtsAudio:
    """The next piece of audio: int16 little-endian mono at `srate_hz`."""

    pcm: bytes
    srate_hz: int


@dataclass(frozen=True, slots=True)
class TtsWord:
    """One word of the request's text and when it sounds, relative to the request's first sample.

    text_start, text_end: character offsets into the request's text (end exclusive).
    """

    text_start: int
    text_end: int
    start_ms: int
    end_ms: int


TtsEvent = TtsAudio | TtsWord


class Tts(Protocol):
    """A synthesiser. Words of a piece of audio come before or with it, never after the end."""

    @property
    def info(self) -> TtsInfo:
        """Constant facts about this synthesiser."""
        ...

    def run(self, request: TtsRequest) -> AsyncIterator[TtsEvent]:
        """Synthesise one request. Cancel by closing the returned iterator."""
        ...

    async def aclose(self) -> None:
        """Release everything; idempotent."""
        ...
