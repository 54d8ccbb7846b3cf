"""What is to be played, as audio: speech, files, silence, ringing."""

from __future__ import annotations

import asyncio
from array import array
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from urllib.parse import urlsplit

from mediacore._core import Resampler
from mediacore.audiofile import decode_audio
from mediacore.errors import (
    ConfigError,
    ErrorClass,
    MediacoreError,
    MissingDependencyError,
    ProviderError,
)
from mediacore.runtime.actions import PlayItem
from mediacore.session.ringback import RINGBACKS, ring_cycle
from mediacore.slots.driver import TtsDriver
from mediacore.slots.report import OnReport, no_report
from mediacore.slots.tts import TtsAudio, TtsRequest

Fetch = Callable[[str], Awaitable[bytes]]
_BLOCK_MS = 100
_MAX_FILE_MS = 1_800_000
_MAX_FILE_BYTES = 64 << 20
_LEVELS = 32768


class Sounds:
    """Makes PCM of play items for all calls of a process.

    fetch: gives the body of an http(s) URL, with its own deadline and limits; None = no URLs.
    sounds_dir: files named without a scheme lie below it; None = there are none. cache_bytes:
    decoded audio kept for the next time. language, voice: where an item names none.
    """

    def __init__(
        self,
        speech: TtsDriver | None,
        fetch: Fetch | None = None,
        *,
        sounds_dir: Path | None = None,
        cache_bytes: int = 32 << 20,
        language: str = "en-US",
        voice: str = "",
        on_report: OnReport = no_report,
    ) -> None:
        self._speech = speech
        self._fetch = fetch
        self._dir = sounds_dir.resolve() if sounds_dir is not None else None
        self._cache_bytes = cache_bytes
        self._language = language
        self._voice = voice
        self._on_report = on_report
        self._cache: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._cached_bytes = 0

    @property
    def cached_bytes(self) -> int:
        """Decoded audio kept at present."""
        return self._cached_bytes

    async def blocks(self, item: PlayItem, srate_hz: int) -> AsyncGenerator[bytes, None]:
        """The item as blocks of int16 mono PCM at srate_hz, at most 100 ms each where it is up to
        us. Close it to stop early. Raises ProviderError."""
        match item.kind:
            case "say":
                async with aclosing(self._say(item, srate_hz)) as stream:
                    async for pcm in stream:
                        yield pcm
                return
            case "audio":
                pcm = await self._file(item.text, srate_hz)
            case "silence":
                pcm = bytes(2 * (srate_hz * item.ms // 1000))
            case "ring":
                pcm = self._ring(item, srate_hz)
        step = 2 * (srate_hz * _BLOCK_MS // 1000)
        for start in range(0, len(pcm), step):
            yield pcm[start : start + step]

    async def _say(self, item: PlayItem, srate_hz: int) -> AsyncGenerator[bytes, None]:
        if self._speech is None:
            raise ProviderError(ErrorClass.UNAVAILABLE, "there is no speech synthesis")
        request = TtsRequest(item.text, item.language or self._language, item.voice or self._voice)
        resampler: Resampler | None = None
        made_hz = 0
        async with aclosing(self._speech.run(request, self._on_report)) as stream:
            async for event in stream:
                if not isinstance(event, TtsAudio):
                    continue
                if resampler is None:
                    made_hz = event.srate_hz
                    resampler = Resampler(made_hz, srate_hz)
                elif event.srate_hz != made_hz:
                    raise ProviderError(
                        ErrorClass.BAD_OUTPUT, "the sampling rate changed inside an utterance"
                    )
                yield resampler.run(event.pcm)
        if resampler is not None:
            yield resampler.flush()

    def _ring(self, item: PlayItem, srate_hz: int) -> bytes:
        """One cycle of the cadence when the item names no time."""
        ringback = RINGBACKS.get(item.text.lower() or "us")
        if ringback is None:
            raise ProviderError(ErrorClass.BAD_INPUT, f"no ringing tone of {item.text!r} is known")
        cycle = ring_cycle(ringback, srate_hz)
        if not item.ms:
            return cycle
        wanted = 2 * (srate_hz * item.ms // 1000)
        return (cycle * (wanted // len(cycle) + 1))[:wanted]

    async def _file(self, url: str, srate_hz: int) -> bytes:
        key = (url, srate_hz)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        data = await self._load(url)
        try:
            audio = await asyncio.to_thread(
                decode_audio, data, urlsplit(url).path, srate_hz, max_ms=_MAX_FILE_MS
            )
        except MissingDependencyError as error:
            raise ProviderError(ErrorClass.INTERNAL, str(error)) from None
        except ConfigError as error:
            raise ProviderError(ErrorClass.BAD_OUTPUT, str(error)) from None
        self._keep(key, audio.pcm)
        return audio.pcm

    async def _load(self, url: str) -> bytes:
        scheme = urlsplit(url).scheme.lower()
        if scheme in ("http", "https"):
            if self._fetch is None:
                raise ProviderError(ErrorClass.BAD_INPUT, "URLs cannot be played here")
            try:
                return await self._fetch(url)
            except ProviderError:
                raise
            except (MediacoreError, OSError) as error:
                raise ProviderError(ErrorClass.UNAVAILABLE, str(error)) from None
        if scheme:
            raise ProviderError(ErrorClass.BAD_INPUT, f"cannot play {scheme}: URLs")
        return await asyncio.to_thread(self._read, url)

    def _read(self, name: str) -> bytes:
        if self._dir is None:
            raise ProviderError(ErrorClass.BAD_INPUT, "there is no directory of sounds")
        try:
            path = (self._dir / name).resolve()
            if not path.is_relative_to(self._dir) or not path.is_file():
                raise ProviderError(ErrorClass.BAD_INPUT, f"there is no sound {name!r}")
            if path.stat().st_size > _MAX_FILE_BYTES:
                raise ProviderError(ErrorClass.BAD_INPUT, f"the sound {name!r} is too large")
            return path.read_bytes()
        except (OSError, ValueError) as error:
            raise ProviderError(ErrorClass.UNAVAILABLE, f"cannot read {name!r}: {error}") from None

    def _keep(self, key: tuple[str, int], pcm: bytes) -> None:
        if len(pcm) > self._cache_bytes:
            return
        self._cached_bytes += len(pcm) - len(self._cache.pop(key, b""))
        self._cache[key] = pcm
        while self._cached_bytes > self._cache_bytes:
            self._cached_bytes -= len(self._cache.popitem(last=False)[1])


def scale(pcm: bytes, volume_db: float) -> bytes:
    """int16 PCM at another level, saturated; 0 dB gives it back as it is."""
    if not volume_db:
        return pcm
    gain: float = 10 ** (volume_db / 20)
    samples = array("h", pcm)
    top, bottom = _LEVELS - 1, -_LEVELS
    return array("h", [max(bottom, min(top, round(x * gain))) for x in samples]).tobytes()
