"""The caller's audio on its way to recognition, and what was recognised on its way back."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from mediacore._core import Leg, Resampler
from mediacore.call.inputs import SttFailed, TranscriptFinal, TranscriptPartial
from mediacore.errors import ProviderError
from mediacore.slots.audio import PcmBlock
from mediacore.slots.driver import SttDriver
from mediacore.slots.feed import AudioFeed
from mediacore.slots.report import OnReport
from mediacore.slots.stt import SttPartial

Heard = TranscriptPartial | TranscriptFinal | SttFailed
_READ_SAMPLES = 48000
_DETECTOR_MS = 8000


class Hearing:
    """Feeds one leg's receive tap to a recogniser.

    `take` on every TapReady, `speech` on every edge of the caller's speech; both come from the
    owner, in the order of events. `run` lives as long as the call.
    """

    def __init__(
        self,
        leg: Leg,
        driver: SttDriver,
        post: Callable[[Heard], Awaitable[None]],
        on_report: OnReport,
    ) -> None:
        self._leg = leg
        self._driver = driver
        self._post = post
        self._on_report = on_report
        self._srate_hz = driver.info.srate_hz
        self._feed = AudioFeed()
        self._resampler = Resampler(leg.srate_hz, self._srate_hz)
        self._next_at = 0  # leg samples: where the next block should begin
        self._speaking = False
        self._recent: deque[PcmBlock] = deque()
        self._recognised_samples = 0

    @property
    def speaking(self) -> bool:
        """The caller speaks, by the last edge seen."""
        return self._speaking

    @property
    def dropped_blocks(self) -> int:
        """Audio blocks that the recogniser was too slow for."""
        return self._feed.dropped

    @property
    def recognised_ms(self) -> int:
        """Caller speech given to the recogniser."""
        return self._recognised_samples * 1000 // self._srate_hz

    def take(self, *, ends_speech: bool = False) -> None:
        """Move what the tap holds to the recogniser."""
        while True:
            at, pcm = self._leg.read_tap(_READ_SAMPLES)
            if not pcm:
                break
            if at != self._next_at:  # we were late and audio is gone: start a new stream
                self._resampler = Resampler(self._leg.srate_hz, self._srate_hz)
            self._next_at = at + len(pcm) // 2
            self._put(self._resampler.run(pcm), at)
        if ends_speech:
            self._put(b"", self._next_at, ends_speech=True)

    def speech(self, *, started: bool) -> None:
        """The detector saw an edge; a start counts for the audio from now on."""
        self.take()
        self._speaking = started
        if not started:
            self.take(ends_speech=True)

    def recent(self) -> PcmBlock:
        """Up to the last 8 s of the caller, for a turn detector."""
        pcm = b"".join(block.pcm for block in self._recent)
        at = self._recent[0].at if self._recent else 0
        return PcmBlock(pcm, self._srate_hz, at, self._speaking)

    def close(self) -> None:
        """No more audio: `run` ends soon."""
        self._feed.close()

    async def run(self) -> None:
        """Recognise until the feed is closed."""
        try:
            async with aclosing(self._driver.run(self._feed, self._on_report)) as stream:
                async for event in stream:
                    at = event.at * self._leg.srate_hz // self._srate_hz
                    if isinstance(event, SttPartial):
                        await self._post(TranscriptPartial(event.text, at))
                    else:
                        await self._post(TranscriptFinal(event.text, at, event.confidence))
        except ProviderError as error:
            await self._post(SttFailed(error.error_class))

    def _put(self, pcm: bytes, leg_at: int, *, ends_speech: bool = False) -> None:
        at = leg_at * self._srate_hz // self._leg.srate_hz
        block = PcmBlock(pcm, self._srate_hz, at, self._speaking, ends_speech)
        self._feed.put(block)
        if self._speaking:
            self._recognised_samples += block.samples
        self._recent.append(block)
        total = sum(b.samples for b in self._recent)
        while total - self._recent[0].samples > _DETECTOR_MS * self._srate_hz // 1000:
            total -= self._recent.popleft().samples
