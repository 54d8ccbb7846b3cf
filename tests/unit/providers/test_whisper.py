from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from mediacore.errors import ErrorClass, ProviderError
from mediacore.providers.whisper import WhisperStt
from mediacore.slots.audio import PcmBlock
from mediacore.slots.stt import SttEvent, SttFinal, SttPartial

RATE = 16000
BLOCK = 1600  # 100 ms


class FakeWorker:
    """Says how many ms it was given; answers after `delay` turns of the loop."""

    def __init__(self, delay: int = 1) -> None:
        self.delay = delay
        self.in_flight = 0
        self.calls: list[tuple[bool, int]] = []
        self.cancelled = 0
        self.errors: list[ProviderError] = []
        self.blocked: asyncio.Event | None = None

    async def call(
        self, head: Mapping[str, Any], body: bytes = b"", *, priority: int = 0
    ) -> AsyncIterator[tuple[dict[str, Any], bytes]]:
        ms = len(body) * 1000 // (2 * RATE)
        self.calls.append((bool(head["partial"]), ms))
        assert priority == (1 if head["partial"] else 0)
        self.in_flight += 1
        try:
            if self.blocked is not None and head["partial"]:
                await self.blocked.wait()
            for _ in range(self.delay):
                await asyncio.sleep(0)
            if self.errors:
                raise self.errors.pop(0)
            yield {"text": f"{ms}ms", "confidence": 0.5}, b""
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1


def blocks(script: str) -> list[PcmBlock]:
    """One 100 ms block a letter: `.` silence, `s` speech, `E` speech ends."""
    return [
        PcmBlock(b"\1\0" * BLOCK, RATE, i * BLOCK, speech=c == "s", ends_speech=c == "E")
        for i, c in enumerate(script)
    ]


async def feed(script: str, turns: int = 5) -> AsyncIterator[PcmBlock]:
    for block in blocks(script):
        yield block
        for _ in range(turns):
            await asyncio.sleep(0)


async def recognise(worker: FakeWorker, script: str, partial_ms: int = 500) -> list[SttEvent]:
    stt = WhisperStt(worker=worker, partial_ms=partial_ms)
    return [event async for event in stt.run(feed(script))]


def finals(events: list[SttEvent]) -> list[SttFinal]:
    return [event for event in events if isinstance(event, SttFinal)]


def partials(events: list[SttEvent]) -> list[SttPartial]:
    return [event for event in events if isinstance(event, SttPartial)]


def test_one_utterance_gives_partials_and_a_final() -> None:
    events = asyncio.run(recognise(FakeWorker(), "....." + "s" * 10 + "E..."))
    assert finals(events) == [SttFinal("1400ms", 16 * BLOCK - 1, 0.5)]
    assert [p.text for p in partials(events)] == ["500ms", "1000ms"]
    assert isinstance(events[-1], SttFinal)


def test_two_utterances_give_two_finals_in_order() -> None:
    events = asyncio.run(recognise(FakeWorker(delay=30), "..ssE.ssE...", partial_ms=0))
    assert [f.at for f in finals(events)] == [5 * BLOCK - 1, 9 * BLOCK - 1]
    assert partials(events) == []


def test_speech_still_going_at_the_end_of_the_stream_is_recognised() -> None:
    events = asyncio.run(recognise(FakeWorker(), "..sss", partial_ms=0))
    assert [f.text for f in finals(events)] == ["500ms"]


def test_silence_gives_nothing() -> None:
    worker = FakeWorker()
    assert asyncio.run(recognise(worker, "." * 30)) == []
    assert worker.calls == []


def test_a_final_does_not_wait_for_a_partial() -> None:
    async def run() -> tuple[FakeWorker, list[SttEvent]]:
        worker = FakeWorker()
        worker.blocked = asyncio.Event()  # partials never come back
        return worker, await recognise(worker, "s" * 8 + "E")

    worker, events = asyncio.run(run())
    assert [type(e) for e in events] == [SttFinal]
    assert worker.cancelled == 1


def test_partials_are_skipped_while_the_worker_is_busy_for_others() -> None:
    worker = FakeWorker()
    worker.in_flight = 1
    events = asyncio.run(recognise(worker, "s" * 20 + "E"))
    assert partials(events) == []
    assert len(finals(events)) == 1


def test_a_long_utterance_decodes_only_its_tail_for_partials() -> None:
    worker = FakeWorker()
    events = asyncio.run(recognise(worker, "s" * 250 + "E"))
    assert max(ms for partial, ms in worker.calls if partial) <= 12_100
    assert [f.text for f in finals(events)] == ["25100ms"]
    assert len(partials(events)[-1].text.split()) >= 2  # what was settled stays in front
    lengths = [p.at for p in partials(events)]
    assert lengths[-1] > 24 * RATE


def test_a_crash_is_survived_once_by_a_final_and_ignored_by_a_partial() -> None:
    crash = ProviderError(ErrorClass.CRASHED, "gone")
    worker = FakeWorker()
    worker.errors = [crash]
    assert [f.text for f in finals(asyncio.run(recognise(worker, "ssE", 0)))] == ["300ms"]
    worker.errors = [crash]
    events = asyncio.run(recognise(worker, "s" * 6 + "E"))
    assert [type(e) for e in events] == [SttFinal]
    worker.errors = [crash, crash]
    with pytest.raises(ProviderError):
        asyncio.run(recognise(worker, "ssE", 0))


def test_the_wrong_rate_is_refused() -> None:
    async def run() -> None:
        async def audio() -> AsyncIterator[PcmBlock]:
            yield PcmBlock(b"\0\0" * 160, 8000, 0)

        async for _ in WhisperStt(worker=FakeWorker()).run(audio()):
            pass

    with pytest.raises(ProviderError) as failure:
        asyncio.run(run())
    assert failure.value.error_class is ErrorClass.BAD_INPUT


def test_closing_cancels_the_work_and_the_source() -> None:
    closed: list[bool] = []

    async def audio() -> AsyncIterator[PcmBlock]:
        try:
            for block in blocks("s" * 6):
                yield block
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def run() -> None:
        worker = FakeWorker()
        events = WhisperStt(worker=worker, partial_ms=200).run(audio())
        assert isinstance(await anext(events), SttPartial)
        await asyncio.sleep(0)
        await events.aclose()
        assert worker.in_flight == 0

    asyncio.run(run())
    assert closed == [True]


def test_transcribe_splits_long_audio() -> None:
    worker = FakeWorker()
    stt = WhisperStt(worker=worker)
    text = asyncio.run(stt.transcribe(b"\1\0" * RATE * 60))
    assert sum(int(part[:-2]) for part in text.split()) in range(59_990, 60_001)
    assert all(ms <= 28_000 for _, ms in worker.calls)
