"""A voice that has its fixed lines ready: recovery needs no live synthesis.

Lines are synthesised one by one when the run begins, as long as nobody waits for the synthesiser,
and kept for the run. What is asked for before it is ready is synthesised live.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from mediacore.errors import ProviderError
from mediacore.session.sounds import scale
from mediacore.slots.driver import TtsDriver
from mediacore.slots.report import OnReport, no_report
from mediacore.slots.stream import SlotStream
from mediacore.slots.tts import TtsAudio, TtsEvent, TtsInfo, TtsRequest

_MAX_BYTES: Final = 8 << 20  # about four minutes at 16 kHz
_CLOSE_MS: Final = 500


class PrerenderedTts:
    """Stands in for a TtsDriver for one run."""

    def __init__(
        self, driver: TtsDriver, language: str, voice: str, *, volume_db: float = 0.0
    ) -> None:
        """volume_db: gain of everything that is spoken."""
        self._driver = driver
        self._language = language
        self._voice = voice
        self._volume_db = volume_db
        self._ready: dict[str, tuple[TtsEvent, ...]] = {}
        self._bytes = 0
        self._live = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @property
    def info(self) -> TtsInfo:
        """Facts about the preferred provider."""
        return self._driver.info

    @property
    def ready(self) -> frozenset[str]:
        """Lines that need no synthesis any more."""
        return frozenset(self._ready)

    async def warm(self, lines: Sequence[str], on_report: OnReport = no_report) -> None:
        """Synthesise the lines, in order; what fails is left to live synthesis."""
        for line in lines:
            await self._quiet.wait()
            if line in self._ready or self._bytes > _MAX_BYTES:
                continue
            request = TtsRequest(line, self._language, self._voice)
            events: list[TtsEvent] = []
            try:
                async with aclosing(self._driver.run(request, on_report)) as stream:
                    async for event in stream:
                        events.append(self._scaled(event))
            except ProviderError:
                continue
            self._bytes += sum(len(e.pcm) for e in events if isinstance(e, TtsAudio))
            self._ready[line] = tuple(events)

    def _scaled(self, event: TtsEvent) -> TtsEvent:
        if not self._volume_db or not isinstance(event, TtsAudio):
            return event
        return replace(event, pcm=scale(event.pcm, self._volume_db))

    def run(self, request: TtsRequest, on_report: OnReport = no_report) -> SlotStream[TtsEvent]:
        """Synthesise one request, or give what is ready."""
        return SlotStream(self._events(request, on_report), _CLOSE_MS)

    async def _events(
        self, request: TtsRequest, on_report: OnReport
    ) -> AsyncGenerator[TtsEvent, None]:
        known = self._ready.get(request.text)
        if known is not None and request.voice == self._voice:
            for event in known:
                yield event
            return
        self._live += 1
        self._quiet.clear()
        try:
            async with aclosing(self._driver.run(request, on_report)) as stream:
                async for event in stream:
                    yield self._scaled(event)
        finally:
            self._live -= 1
            if not self._live:
                self._quiet.set()
