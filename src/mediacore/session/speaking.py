"""The agent's text on its way to playout: synthesis, resampling, marks, and feeding the core."""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Protocol

from mediacore._core import Leg, Resampler
from mediacore.call.actions import Speak
from mediacore.call.inputs import SpeechFailed, SpeechReady, SpeechSynthesised, SpeechWords
from mediacore.call.record import WordTime
from mediacore.errors import ErrorClass, MediaError, ProviderError, QueueFullError, StaleError
from mediacore.slots.report import OnReport
from mediacore.slots.stream import SlotStream
from mediacore.slots.tts import TtsAudio, TtsEvent, TtsRequest, TtsWord

SpeechNews = SpeechReady | SpeechWords | SpeechSynthesised | SpeechFailed
_SILENCE = 100  # samples below this magnitude are silence, for the ends of an utterance
_RETRY_S = 0.1  # when the core's queue of utterances is full
_FEED_S = 0.2  # look for room at least so often, should a PlayoutLow have been lost


class Voice(Protocol):
    """What speaks: the driver of the slot, or something in front of it."""

    def run(self, request: TtsRequest, on_report: OnReport = ...) -> SlotStream[TtsEvent]:
        """Synthesise one request."""
        ...


class _Utterance:
    """One utterance on its way: audio not yet taken by the core, and marks not yet set."""

    def __init__(self, leg: Leg, action: Speak) -> None:
        self.action = action
        self.pcm = bytearray()
        self.given = 0  # samples that the core took
        self.marks: deque[int] = deque()  # positions of words not marked yet
        self.mark = 0
        self._leg = leg

    def feed(self) -> None:
        """Give the core what it has room for, with the marks of that stretch."""
        if not self._all_given:
            self.given += self._leg.say(self.pcm, self.given)
        try:
            while self._mark_due:
                self._leg.mark(self.mark + 1, self.marks[0])
                self.mark += 1
                self.marks.popleft()
        except QueueFullError:
            return  # the next round sets it

    @property
    def fed(self) -> bool:
        """The core has all that was made so far."""
        return self._all_given and not self._mark_due

    @property
    def _all_given(self) -> bool:
        return self.given >= self.samples

    @property
    def _mark_due(self) -> bool:
        return bool(self.marks) and self.marks[0] <= self.given

    @property
    def samples(self) -> int:
        """Audio made so far, in leg samples."""
        return len(self.pcm) // 2


class Speaking:
    """Speaks utterances one after the other.

    `run` lives as long as the call. `speak`, `drop` and `room` are called by the owner. The core
    holds about a second of audio; the rest waits here, bounded by what the driver lets through.
    """

    def __init__(
        self,
        leg: Leg,
        driver: Voice,
        post: Callable[[SpeechNews], Awaitable[None]],
        on_report: OnReport,
        *,
        language: str,
        voice: str,
        respell: Callable[[str], str] | None = None,
    ) -> None:
        """respell: gives the text as it is to be pronounced; the transcript keeps the original,
        and word times of a text that was changed are not used."""
        self._leg = leg
        self._driver = driver
        self._post = post
        self._on_report = on_report
        self._language = language
        self.voice = voice
        self._respell = respell
        self._queue: deque[Speak] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._current: Speak | None = None
        self._task: asyncio.Task[None] | None = None
        self._open = False  # between begin and end in the core
        self._spoken_chars = 0

    @property
    def idle(self) -> bool:
        """The core has all that was asked for."""
        return self._current is None and not self._queue

    @property
    def spoken_chars(self) -> int:
        """Characters given to the synthesiser."""
        return self._spoken_chars

    def speak(self, action: Speak) -> None:
        """Queue an utterance."""
        self._queue.append(action)
        self._wake.set()

    def drop(self, below: int) -> None:
        """Forget everything made for a generation lower than `below`."""
        self._queue = deque(a for a in self._queue if a.generation >= below)
        if self._current is not None and self._current.generation < below and self._task:
            self._task.cancel()

    def room(self) -> None:
        """The core wants more audio."""
        self._room.set()

    async def run(self) -> None:
        """Speak until cancelled."""
        while True:
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            self._current = self._queue.popleft()
            async with asyncio.TaskGroup() as group:
                self._task = group.create_task(self._utter(self._current))
            self._current = self._task = None

    async def _begin(self, action: Speak) -> None:
        while True:
            try:
                self._end()
                self._leg.begin(action.utterance, action.generation)
                self._open = True
            except StaleError:
                raise
            except MediaError:  # the queue is full, or another voice has an utterance open
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def _utter(self, action: Speak) -> None:
        await self._begin(action)
        utterance = _Utterance(self._leg, action)
        try:
            try:
                await self._synthesise(utterance)
            except ProviderError as error:
                failed = SpeechFailed(action.utterance, error.error_class, utterance.samples)
                await self._post(failed)
            while not utterance.fed:
                self._room.clear()
                utterance.feed()
                if not utterance.fed:
                    await self._wait_room()
        finally:
            with suppress(QueueFullError):  # then the next utterance begins with it
                self._end()

    def _end(self) -> None:
        if self._open and not self._leg.closed:
            self._leg.end()
        self._open = False

    async def _wait_room(self) -> None:
        try:
            async with asyncio.timeout(_FEED_S):
                await self._room.wait()
        except TimeoutError:
            return

    async def _synthesise(self, utterance: _Utterance) -> None:
        action = utterance.action
        text = action.text if self._respell is None else self._respell(action.text)
        request = TtsRequest(text, self._language, self.voice)
        self._spoken_chars += len(action.text)
        resampler: Resampler | None = None
        srate_hz = 0
        words: list[WordTime] = []
        async with aclosing(self._driver.run(request, self._on_report)) as stream:
            async for event in stream:
                if isinstance(event, TtsWord):
                    if text == action.text:
                        words.append(self._word_time(event))
                    continue
                if words:
                    utterance.marks.extend(word.at for word in words if word.at > 0)
                    await self._post(SpeechWords(action.utterance, tuple(words)))
                    words = []
                if resampler is None:
                    srate_hz = event.srate_hz
                    resampler = Resampler(srate_hz, self._leg.srate_hz)
                elif event.srate_hz != srate_hz:
                    raise ProviderError(
                        ErrorClass.BAD_OUTPUT, "the sampling rate changed inside an utterance"
                    )
                await self._take(utterance, event, resampler)
        if words:
            await self._post(SpeechWords(action.utterance, tuple(words)))
        if resampler is not None:
            utterance.pcm += resampler.flush()
            utterance.feed()
        lead, tail = _silent_ends(utterance.pcm)
        await self._post(SpeechSynthesised(action.utterance, utterance.samples, lead, tail))

    async def _take(self, utterance: _Utterance, event: TtsAudio, resampler: Resampler) -> None:
        first = not utterance.pcm
        utterance.pcm += resampler.run(event.pcm)
        utterance.feed()
        if first:
            await self._post(SpeechReady(utterance.action.utterance, utterance.samples))

    def _word_time(self, word: TtsWord) -> WordTime:
        srate_hz = self._leg.srate_hz
        return WordTime(
            word.text_start,
            word.text_end,
            word.start_ms * srate_hz // 1000,
            word.end_ms * srate_hz // 1000,
        )


def _silent_ends(pcm: bytearray) -> tuple[int, int]:
    """Samples of silence at the beginning and at the end."""
    samples = array("h")
    samples.frombytes(bytes(pcm))
    lead = next((i for i, x in enumerate(samples) if abs(x) > _SILENCE), len(samples))
    tail = next((i for i, x in enumerate(reversed(samples)) if abs(x) > _SILENCE), len(samples))
    return lead, tail
