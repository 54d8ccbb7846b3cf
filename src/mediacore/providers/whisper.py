"""Speech to text with the embedded Whisper tiny.en: offline, English, one worker process.

An utterance is recognised when the caller stops, and about twice a second while he speaks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mediacore.errors import ErrorClass, ProviderError
from mediacore.providers.local.utterance import Clip, Utterances, quietest
from mediacore.providers.local.worker import Worker, WorkerStats
from mediacore.slots.audio import PcmBlock
from mediacore.slots.stt import SttEvent, SttFinal, SttInfo, SttPartial

NAME: Final = "whisper-tiny.en"
SRATE_HZ: Final = 16000
_MODULE: Final = "mediacore.providers.local.whisper_model"
_FINAL: Final = 0  # worker priorities
_PARTIAL: Final = 1
_TAIL_MAX: Final = 12 * SRATE_HZ
_TAIL_SPLIT: Final = (6 * SRATE_HZ, 11 * SRATE_HZ)
_LOOK_BACK: Final = 28 * SRATE_HZ


@dataclass(frozen=True, slots=True)
class _Heard:
    text: str
    confidence: float


class WhisperStt:
    """The embedded recogniser; one instance serves all calls of an event loop.

    model_dir: a CTranslate2 Whisper folder instead of the packaged one; sha256: digest its
    model.bin must have, None for no check. partial_ms: new speech between two partials, 0 for
    none. capacity: clips waiting in all, more are refused with RATE_LIMITED.
    """

    def __init__(
        self,
        *,
        model_dir: Path | None = None,
        sha256: str | None = None,
        partial_ms: int = 500,
        capacity: int = 16,
        worker: Worker | None = None,
    ) -> None:
        config = {"path": None if model_dir is None else str(model_dir), "sha256": sha256}
        self._worker = worker or Worker(NAME, _MODULE, config, capacity=capacity)
        self._partial_samples = partial_ms * SRATE_HZ // 1000

    @property
    def info(self) -> SttInfo:
        """Constant facts about this recogniser."""
        return SttInfo(NAME, SRATE_HZ, partials=self._partial_samples > 0, continuous=False)

    def snapshot(self) -> WorkerStats:
        """Counters of the worker."""
        return self._worker.snapshot()

    async def prewarm(self) -> None:
        """Load the model now instead of at the first utterance."""
        await self._worker.prewarm()

    async def aclose(self) -> None:
        """End the worker; idempotent."""
        await self._worker.aclose()

    async def run(self, audio: AsyncIterator[PcmBlock]) -> AsyncGenerator[SttEvent, None]:
        """Recognise a stream of 16 kHz blocks. Cancel by closing the returned iterator."""
        async with aclosing(_Session(self, self._partial_samples).run(audio)) as events:
            async for event in events:
                yield event

    async def transcribe(self, pcm: bytes, srate_hz: int = SRATE_HZ) -> str:
        """Text of a whole recording (int16 mono, 16 kHz), for tests and offline checks."""
        _check_rate(srate_hz)
        texts = []
        while pcm:
            end = len(pcm)
            if end > 2 * _LOOK_BACK:
                end = 2 * quietest(pcm, _LOOK_BACK - 6 * SRATE_HZ, _LOOK_BACK, SRATE_HZ)
            texts.append((await self._recognise(pcm[:end], final=True)).text)
            pcm = pcm[end:]
        return " ".join(text for text in texts if text)

    @property
    def idle(self) -> bool:
        """Whether the worker has nothing to do, so that a partial delays nobody."""
        return self._worker.in_flight == 0

    async def _recognise(self, pcm: bytes, *, final: bool) -> _Heard:
        try:
            return await self._decode(pcm, final=final)
        except ProviderError as error:
            # Nobody else still has the audio of this utterance: a fresh worker gets it once more.
            if not final or error.error_class is not ErrorClass.CRASHED:
                raise
        return await self._decode(pcm, final=final)

    async def _decode(self, pcm: bytes, *, final: bool) -> _Heard:
        priority = _FINAL if final else _PARTIAL
        async with aclosing(
            self._worker.call({"partial": not final}, pcm, priority=priority)
        ) as replies:
            async for head, _ in replies:
                return _Heard(str(head["text"]), float(head["confidence"]))
        raise ProviderError(ErrorClass.BAD_OUTPUT, "no text came back", NAME)


def _check_rate(srate_hz: int) -> None:
    if srate_hz != SRATE_HZ:
        message = f"wants audio at {SRATE_HZ} Hz, got {srate_hz} Hz"
        raise ProviderError(ErrorClass.BAD_INPUT, message, NAME)


class _Session:
    """One caller's stream: at most one clip is with the worker, finals before partials.

    Partials of a long utterance: what lies before a pause 6–11 s back is recognised once and
    kept as `_prefix`; only the rest is decoded again.
    """

    def __init__(self, stt: WhisperStt, partial_samples: int) -> None:
        self._stt = stt
        self._partial_samples = partial_samples
        self._utterances = Utterances(SRATE_HZ)
        self._finals: deque[Clip] = deque()
        self._block: asyncio.Future[PcmBlock | None] | None = None
        self._work: asyncio.Task[SttEvent | None] | None = None
        self._work_final = False
        self._shown = 0
        self._prefix = ""
        self._prefix_samples = 0

    async def run(self, audio: AsyncIterator[PcmBlock]) -> AsyncGenerator[SttEvent, None]:
        """Yield partials and finals until the audio and the last final are through."""
        try:
            ended = False
            while not ended or self._work is not None or self._finals:
                if self._block is None and not ended:
                    self._block = asyncio.ensure_future(anext(audio, None))
                self._begin()
                waiting = [task for task in (self._block, self._work) if task is not None]
                if waiting:
                    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if self._work is not None and self._work.done():
                    task, self._work = self._work, None
                    if (event := task.result()) is not None:
                        yield event
                if self._block is not None and self._block.done():
                    block, self._block = self._block.result(), None
                    ended = block is None
                    self._take(block)
        finally:
            await self._cancel()

    def _take(self, block: PcmBlock | None) -> None:
        if block is None:
            clips = self._utterances.flush()
        else:
            _check_rate(block.srate_hz)
            clips = self._utterances.push(block)
        if clips:
            self._finals += clips
            self._shown = self._prefix_samples = 0
            self._prefix = ""

    def _begin(self) -> None:
        """Give the worker the next clip, if it is free and there is one."""
        if self._finals:
            if self._work is not None and not self._work_final:
                self._work.cancel()
                self._work = None
            if self._work is None:
                self._work = asyncio.create_task(self._final(self._finals.popleft()))
                self._work_final = True
        elif self._partial_due():
            self._shown = self._utterances.samples
            self._work = asyncio.create_task(self._partial())
            self._work_final = False

    def _partial_due(self) -> bool:
        if self._work is not None or not self._partial_samples or not self._utterances.speaking:
            return False
        grown = self._utterances.samples - self._shown >= self._partial_samples
        return grown and self._stt.idle

    async def _final(self, clip: Clip) -> SttEvent:
        heard = await self._stt._recognise(clip.pcm, final=True)
        return SttFinal(heard.text, clip.end - 1, heard.confidence)

    async def _partial(self) -> SttEvent | None:
        clip = self._utterances.clip(self._prefix_samples)
        pcm, end = clip.pcm, clip.end
        settled = 0
        if len(pcm) > 2 * _TAIL_MAX:
            settled = quietest(pcm, *_TAIL_SPLIT, SRATE_HZ)
            end -= len(pcm) // 2 - settled
            pcm = pcm[: 2 * settled]
        try:
            heard = await self._stt._recognise(pcm, final=False)
        except ProviderError:
            return None
        text = f"{self._prefix} {heard.text}".strip()
        if settled:
            self._prefix, self._prefix_samples = text, self._prefix_samples + settled
        return SttPartial(text, end - 1) if text else None

    async def _cancel(self) -> None:
        tasks = [task for task in (self._block, self._work) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
