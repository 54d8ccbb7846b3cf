"""A phone in somebody's hand: presses keys, speaks, whistles, and listens to the line."""

from __future__ import annotations

import asyncio
import io
import wave
from array import array
from collections.abc import Callable
from math import pi, sin

import numpy as np

from mediacore._core import Leg
from mediacore.errors import MediaError
from mediacore.events import (
    DigitReceived,
    LegClosed,
    MediaEvent,
    SpeechEnded,
    SpeechStarted,
    TapReady,
    UtteranceFinished,
)
from mediacore.providers.scripted import voiced_audio
from mediacore.session.hub import MediaHub
from mediacore.slots.gateway import LineEnd
from mediacore.transports.exchange import ExchangeCall

WAIT_S = 20.0
SPEECH_DBOV = -50.0
"""Above it a frame of 20 ms counts as sound."""


class Handset:
    """One answered call at a phone. `pcm` is everything heard so far, int16 at `srate_hz`."""

    def __init__(self, hub: MediaHub, call: ExchangeCall, leg: Leg) -> None:
        self.call = call
        self.leg = leg
        self.srate_hz = leg.srate_hz
        self.digits = ""
        self.pcm = bytearray()
        self.speaking = False
        """Whether the far party speaks now, by the core's own detector."""
        self.starts = 0
        """How often it began to."""
        self._utterance = 0
        self._said = 0
        self._closed = False
        self._changed = asyncio.Event()
        hub.attach(leg, self._event)

    def _event(self, event: MediaEvent) -> None:
        match event:
            case DigitReceived():
                self.digits += event.digit
            case SpeechStarted():
                self.speaking = True
                self.starts += 1
            case SpeechEnded():
                self.speaking = False
            case TapReady():
                self._take()
            case LegClosed():
                self._take()
                self._closed = True
            case UtteranceFinished():
                self._said += 1
            case _:
                return
        self._changed.set()

    def _take(self) -> None:
        while True:
            _, pcm = self.leg.read_tap(self.srate_hz)
            if not pcm:
                return
            self.pcm += pcm

    # -- acting

    def press(self, digits: str) -> None:
        """Press keys, as RFC 4733 events."""
        self.leg.send_digits(digits)

    async def say(self, text: str, ms_per_char: int = 60) -> None:
        """Speak, and wait until it is out or the call is over."""
        await self.play(voiced_audio(text, self.srate_hz, ms_per_char))

    async def whistle(self, hz: int, ms: int) -> None:
        """A tone of -15 dBov, and wait until it is out or the call is over."""
        await self.play(tone(hz, ms, self.srate_hz))

    async def play(self, pcm: bytes) -> None:
        """Send audio, and wait until it is out or the call is over."""
        self._utterance += 1
        try:
            self.leg.begin(self._utterance, self._utterance)
            self.leg.say(pcm)
            self.leg.end()
        except MediaError:
            return
        await self.until(lambda: self._said >= self._utterance or self.over)

    def hang_up(self) -> None:
        """End the call."""
        self.call.hangup()

    async def put_away(self) -> None:
        """The call is over: give the leg back."""
        await self.until(lambda: self._closed)
        self.leg.free()

    # -- listening

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self.leg.closed

    @property
    def heard_ms(self) -> int:
        """Length of everything heard: a place to listen from."""
        return len(self.pcm) * 500 // self.srate_hz

    async def until(self, what: Callable[[], object], seconds: float = WAIT_S) -> None:
        """Wait until something is so; looked at whenever something happens on the line."""
        async with asyncio.timeout(seconds):
            while not what():
                self._changed.clear()
                try:
                    async with asyncio.timeout(0.1):
                        await self._changed.wait()
                except TimeoutError:
                    continue

    async def heard_speech(self, count: int = 1) -> None:
        """Until the far party has spoken `count` times and is silent."""
        await self.until(lambda: (self.starts >= count and not self.speaking) or self.over)

    async def gone(self, seconds: float = WAIT_S) -> LineEnd:
        """Until the call is over."""
        async with asyncio.timeout(seconds):
            return await self.call.wait_gone()

    def sound_ms(self, from_ms: int = 0, to_ms: int | None = None) -> int:
        """How much of what was heard in a stretch was sound."""
        levels = levels_dbov(self._stretch(from_ms, to_ms), self.srate_hz)
        return 20 * int((levels > SPEECH_DBOV).sum())

    def tone_dbov(self, hz: int, from_ms: int = 0, to_ms: int | None = None) -> float:
        """The loudest 200 ms of a tone in a stretch."""
        return tone_dbov(self._stretch(from_ms, to_ms), self.srate_hz, hz)

    def _stretch(self, from_ms: int, to_ms: int | None) -> bytes:
        per_ms = self.srate_hz // 500
        return bytes(self.pcm[from_ms * per_ms : None if to_ms is None else to_ms * per_ms])


def tone(hz: int, ms: int, srate_hz: int) -> bytes:
    """A sine of -15 dBov."""
    count = srate_hz * ms // 1000
    return array(
        "h", (round(8200 * sin(2 * pi * hz * i / srate_hz)) for i in range(count))
    ).tobytes()


def tone_wav(hz: int, ms: int) -> bytes:
    """The same as a file, at 8 kHz."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(tone(hz, ms, 8000))
    return out.getvalue()


def levels_dbov(pcm: bytes, srate_hz: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """RMS level of each 20 ms."""
    frame = srate_hz // 50
    samples = np.frombuffer(pcm, dtype=np.int16).astype(np.float64)
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    power = (frames**2).mean(axis=1) if len(frames) else np.zeros(0)
    return np.asarray(10 * np.log10(np.maximum(power, 1e-3) / 32768.0**2))


def tone_dbov(pcm: bytes, srate_hz: int, hz: int) -> float:
    """Level of a tone in the 200 ms in which it is loudest; -120 when there is nothing."""
    window = srate_hz // 5
    samples = np.frombuffer(pcm, dtype=np.int16).astype(np.float64) / 32768.0
    probe = np.exp(-2j * np.pi * hz * np.arange(window) / srate_hz)
    best = 0.0
    for start in range(0, len(samples) - window + 1, window // 2):
        amplitude = 2 * abs(np.dot(samples[start : start + window], probe)) / window
        best = max(best, float(amplitude))
    return 20 * float(np.log10(max(best / 2**0.5, 1e-6)))
