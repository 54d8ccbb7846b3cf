from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from mediacore.errors import ErrorClass, ProviderError
from mediacore.providers.hibari import PIECE_MS, SRATE_HZ, HibariTts
from mediacore.slots.tts import TtsAudio, TtsEvent, TtsRequest, TtsWord


def pcm(ms: int) -> bytes:
    return b"\1\0" * (SRATE_HZ * ms // 1000)


class FakeWorker:
    def __init__(self, replies: list[tuple[dict[str, Any], bytes]]) -> None:
        self.replies = replies
        self.heads: list[Mapping[str, Any]] = []
        self.cancelled = False

    async def call(
        self, head: Mapping[str, Any], body: bytes = b"", *, priority: int = 0
    ) -> AsyncIterator[tuple[dict[str, Any], bytes]]:
        self.heads.append(head)
        try:
            for reply in self.replies:
                yield reply
        except GeneratorExit:
            self.cancelled = True
            raise


async def collect(tts: HibariTts, request: TtsRequest) -> list[TtsEvent]:
    return [event async for event in tts.run(request)]


def test_words_come_before_the_audio_they_begin_in() -> None:
    replies = [
        ({"words": [[0, 5, 30, 300], [6, 11, 350, 380]]}, pcm(400)),
        ({"words": [[12, 15, 430, 600]]}, pcm(250)),
    ]
    worker = FakeWorker(replies)
    tts = HibariTts(worker=worker, speed=1.1)
    events = asyncio.run(collect(tts, TtsRequest("Hello there. Yes")))
    assert b"".join(e.pcm for e in events if isinstance(e, TtsAudio)) == pcm(650)
    assert worker.heads == [{"text": "Hello there. Yes", "speed": 1.1}]
    played = 0
    for event in events:
        if isinstance(event, TtsAudio):
            assert event.srate_hz == SRATE_HZ
            assert len(event.pcm) <= len(pcm(PIECE_MS))
            played += len(event.pcm) * 1000 // (2 * SRATE_HZ)
        else:
            assert played <= event.start_ms < played + PIECE_MS
    assert [e for e in events if isinstance(e, TtsWord)][-1] == TtsWord(12, 15, 430, 600)


def test_no_word_is_lost_after_the_end() -> None:
    worker = FakeWorker([({"words": [[0, 2, 100, 200]]}, pcm(100))])
    events = asyncio.run(collect(HibariTts(worker=worker), TtsRequest("Hi")))
    assert isinstance(events[0], TtsWord)


def test_closing_cancels_the_work() -> None:
    worker = FakeWorker([({"words": []}, pcm(2000))] * 3)

    async def run() -> None:
        events = HibariTts(worker=worker).run(TtsRequest("Hi"))
        await anext(events)
        await events.aclose()

    asyncio.run(run())
    assert worker.cancelled


@pytest.mark.parametrize(
    "request_", [TtsRequest("x", voice="bella"), TtsRequest("x", language="de-DE")]
)
def test_what_it_cannot_speak_is_refused(request_: TtsRequest) -> None:
    with pytest.raises(ProviderError) as failure:
        asyncio.run(collect(HibariTts(worker=FakeWorker([])), request_))
    assert failure.value.error_class is ErrorClass.BAD_INPUT
