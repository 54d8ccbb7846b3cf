"""Text to speech with the embedded Hibari voice: offline, US English, word times, one worker."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

from mediacore.errors import ErrorClass, ProviderError
from mediacore.providers.local.worker import Worker, WorkerStats
from mediacore.slots.tts import TtsAudio, TtsEvent, TtsInfo, TtsRequest, TtsWord

NAME: Final = "hibari"
VOICE: Final = "heart"
SRATE_HZ: Final = 24000
PIECE_MS: Final = 160
_MODULE: Final = "mediacore.providers.local.hibari_model"
_PIECE_BYTES: Final = 2 * SRATE_HZ * PIECE_MS // 1000


class HibariTts:
    """The embedded voice; one instance serves all calls of an event loop.

    model: an ONNX file instead of the packaged one; sha256: digest it must have, None for no
    check. speed: 0.5 slow … 2.0 fast. capacity: requests in all, more are refused with
    RATE_LIMITED. The same text gives the same samples on one machine.
    """

    def __init__(
        self,
        *,
        model: Path | None = None,
        sha256: str | None = None,
        speed: float = 1.0,
        capacity: int = 32,
        worker: Worker | None = None,
    ) -> None:
        config = {"path": None if model is None else str(model), "sha256": sha256}
        self._worker = worker or Worker(NAME, _MODULE, config, capacity=capacity)
        self._speed = speed

    @property
    def info(self) -> TtsInfo:
        """Constant facts about this synthesiser."""
        return TtsInfo(NAME, SRATE_HZ, word_times=True)

    def snapshot(self) -> WorkerStats:
        """Counters of the worker."""
        return self._worker.snapshot()

    async def prewarm(self) -> None:
        """Load the model now instead of at the first request."""
        await self._worker.prewarm()

    async def aclose(self) -> None:
        """End the worker; idempotent."""
        await self._worker.aclose()

    async def run(self, request: TtsRequest) -> AsyncGenerator[TtsEvent, None]:
        """Synthesise one request. Cancel by closing the returned iterator."""
        if request.voice not in ("", VOICE):
            raise ProviderError(ErrorClass.BAD_INPUT, f"has no voice {request.voice!r}", NAME)
        if not request.language.lower().startswith("en"):
            message = f"does not speak {request.language!r}"
            raise ProviderError(ErrorClass.BAD_INPUT, message, NAME)
        head = {"text": request.text, "speed": self._speed}
        offset = 0
        async with aclosing(self._worker.call(head)) as replies:
            async for reply, pcm in replies:
                for event in pieces([TtsWord(*word) for word in reply["words"]], pcm, offset):
                    yield event
                offset += len(pcm)


def pieces(words: list[TtsWord], pcm: bytes, offset: int) -> Iterator[TtsEvent]:
    """A phrase as short pieces of audio, each after the words that begin in it.

    offset: bytes of the request's audio before this phrase.
    """
    waiting = deque(words)
    for at in range(0, len(pcm), _PIECE_BYTES):
        end = min(at + _PIECE_BYTES, len(pcm))
        end_ms = (offset + end) * 1000 // (2 * SRATE_HZ)
        while waiting and (waiting[0].start_ms < end_ms or end == len(pcm)):
            yield waiting.popleft()
        yield TtsAudio(pcm[at:end], SRATE_HZ)
