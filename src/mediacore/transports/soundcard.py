"""The microphone and loudspeaker of this machine through PyAudio, 20 ms at a time.

PortAudio calls back on a thread of its own, once per frame. The callback only moves one frame each
way between two bounded queues and wakes the event loop:

  microphone ─► callback ─► heard (at most 200 ms, oldest dropped) ─► take()
  loudspeaker ◄─ callback ◄─ play (kept near 40 ms, at most 160 ms) ◄─ play()
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from mediacore.errors import MissingDependencyError
from mediacore.units import TICK_MS

_RATES: Final = (16000, 48000, 8000)
_HEARD: Final = 10
_AHEAD: Final = 2  # frames of silence that a dry loudspeaker starts with
_MOST: Final = 8
_SAMPLE: Final = 2
_PYAUDIO: Final = "pip install 'mediacore[mic]'"
_PORTAUDIO: Final = "apt install libportaudio2 (macOS: brew install portaudio)"


@dataclass(frozen=True, slots=True)
class Device:
    """A sound device. index: PortAudio's number. ins, outs: channels."""

    index: int
    name: str
    ins: int
    outs: int


@dataclass(frozen=True, slots=True)
class SoundStats:
    """Frames of 20 ms. taken, played: moved. dry: silence because nothing was there to play.
    late: microphone frames dropped because nobody took them. skipped: dropped to catch up."""

    taken: int
    played: int
    dry: int
    late: int
    skipped: int


def load_pyaudio() -> Any:
    """The module. Raises MissingDependencyError with what to install."""
    try:
        import pyaudio  # noqa: PLC0415
    except ImportError as error:
        text = str(error)
        if "portaudio" in text and ("shared object" in text or "Library not loaded" in text):
            raise MissingDependencyError("The library PortAudio", _PORTAUDIO) from None
        raise MissingDependencyError("Python package 'PyAudio'", _PYAUDIO) from None
    return pyaudio


def list_devices(pyaudio: Any | None = None) -> list[Device]:
    """What PortAudio sees. Raises MissingDependencyError."""
    with _portaudio(pyaudio or load_pyaudio()) as audio:
        return _devices(audio)


def check_devices(source: str = "", sink: str = "", pyaudio: Any | None = None) -> None:
    """Raises MissingDependencyError when SoundCard could not find these devices."""
    devices = list_devices(pyaudio)
    _inputs(devices, source)
    _outputs(devices, sink)


def _inputs(devices: list[Device], source: str) -> int | None:
    return _choose(devices, source, "microphone", lambda d: d.ins)


def _outputs(devices: list[Device], sink: str) -> int | None:
    return _choose(devices, sink, "loudspeaker", lambda d: d.outs)


def _devices(audio: Any) -> list[Device]:
    found = []
    for index in range(audio.get_device_count()):
        info = audio.get_device_info_by_index(index)
        ins, outs = int(info["maxInputChannels"]), int(info["maxOutputChannels"])
        found.append(Device(index, str(info["name"]), ins, outs))
    return found


class SoundCard:
    """One running stream, both ways, mono int16. `take` and `play` on the loop.

    source, sink: device number or part of its name, "" = the system's own choice. on_frame: called
    on the loop after each frame. Raises MissingDependencyError.
    """

    def __init__(
        self,
        on_frame: Callable[[], None],
        *,
        source: str = "",
        sink: str = "",
        pyaudio: Any | None = None,
    ) -> None:
        module = pyaudio or load_pyaudio()
        self._on_frame = on_frame
        self._continue = module.paContinue
        self._complete = module.paComplete
        self._loop = asyncio.get_running_loop()
        self._heard: deque[bytes] = deque()
        self._play: deque[bytes] = deque()
        self._taken = self._played = self._dry = self._late = self._skipped = 0
        self._closed = False
        self._stream: Any = None
        self.srate_hz = 0
        self._silence = b""
        with _quiet():
            self._audio = module.PyAudio()
        try:
            self._open(module, source, sink)
        except BaseException:
            self._audio.terminate()
            raise

    def _open(self, module: Any, source: str, sink: str) -> None:
        devices = _devices(self._audio)
        inputs, outputs = _inputs(devices, source), _outputs(devices, sink)
        error: Exception | None = None
        for rate in _RATES:
            self.srate_hz = rate
            self._silence = bytes(_SAMPLE * rate * TICK_MS // 1000)
            try:
                with _quiet():
                    self._stream = self._audio.open(
                        rate=rate,
                        channels=1,
                        format=module.paInt16,
                        input=True,
                        output=True,
                        input_device_index=inputs,
                        output_device_index=outputs,
                        frames_per_buffer=rate * TICK_MS // 1000,
                        stream_callback=self._callback,
                        start=False,
                    )
            except (OSError, ValueError) as failure:
                error = failure
            else:
                return
        raise MissingDependencyError(
            f"A usable sound device ({error})", f"choose another; {_told(devices)}"
        )

    def start(self) -> None:
        """Let it run."""
        self._stream.start_stream()

    def close(self) -> None:
        """Stop; waits for the callback in progress. Idempotent."""
        if self._closed:
            return
        self._closed = True
        with suppress(OSError):
            if self._stream is not None:
                self._stream.close()
        self._audio.terminate()

    @property
    def running(self) -> bool:
        """The device still calls back."""
        return not self._closed and bool(self._stream.is_active())

    @property
    def delay_ms(self) -> int:
        """From `play` to the ear, as far as PortAudio knows it."""
        if self._closed:
            return 0
        device_ms = int(1000 * float(self._stream.get_output_latency()))
        return len(self._play) * TICK_MS + device_ms

    def take(self) -> list[bytes]:
        """Frames from the microphone since the last time, oldest first."""
        frames = []
        with suppress(IndexError):
            while True:
                frames.append(self._heard.popleft())
        return frames

    def play(self, frame: bytes) -> None:
        """Queue a frame. A queue that has run dry begins with 40 ms of silence."""
        if not self._play:
            self._play.extend([self._silence] * _AHEAD)
        self._play.append(frame)
        while len(self._play) > _MOST:
            with suppress(IndexError):
                self._play.popleft()
                self._skipped += 1

    def snapshot(self) -> SoundStats:
        """Counters."""
        return SoundStats(self._taken, self._played, self._dry, self._late, self._skipped)

    def _callback(
        self, data: bytes | None, frames: int, when: object, status: int
    ) -> tuple[bytes, int]:
        """On PortAudio's thread."""
        if self._closed:
            return self._silence, self._complete
        if data:
            self._heard.append(data)
            self._taken += 1
            if len(self._heard) > _HEARD:
                with suppress(IndexError):
                    self._heard.popleft()
                    self._late += 1
        try:
            out = self._play.popleft()
            self._played += 1
        except IndexError:
            out = self._silence
            self._dry += 1
        try:
            self._loop.call_soon_threadsafe(self._on_frame)
        except RuntimeError:  # the loop is closed
            return self._silence, self._complete
        size = frames * _SAMPLE
        return (out if len(out) == size else out[:size].ljust(size, b"\0")), self._continue


def _choose(
    devices: list[Device], wanted: str, what: str, channels: Callable[[Device], int]
) -> int | None:
    """The device's number; None = the system's default. Raises MissingDependencyError."""
    usable = [d for d in devices if channels(d) > 0]
    if not usable:
        raise MissingDependencyError(f"A {what}", f"connect one; {_told(devices)}")
    if not wanted:
        return None
    for device in usable:
        named = wanted.lower() in device.name.lower()
        if wanted == str(device.index) or (named and not wanted.isdigit()):
            return device.index
    raise MissingDependencyError(f"The {what} {wanted!r}", f"choose another; {_told(devices)}")


def _told(devices: list[Device]) -> str:
    names = ", ".join(f"{d.index}: {d.name}" for d in devices)
    return f"PortAudio sees {names or 'no device'}"


@contextmanager
def _portaudio(module: Any) -> Iterator[Any]:
    with _quiet():
        audio = module.PyAudio()
    try:
        yield audio
    finally:
        audio.terminate()


@contextmanager
def _quiet() -> Iterator[None]:
    """ALSA writes about every device that it does not find to standard error."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
