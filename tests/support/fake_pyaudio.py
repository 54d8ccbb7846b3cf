"""A sound card that is not there: PyAudio's interface, with the callback in the test's hands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

paInt16 = 8
paContinue = 0
paComplete = 1


class Stream:
    def __init__(self, **options: Any) -> None:
        self.options = options
        self.callback = options["stream_callback"]
        self.frames = options["frames_per_buffer"]
        self.started = self.closed = self.stalled = False
        self.played: list[bytes] = []

    def start_stream(self) -> None:
        self.started = True

    def is_active(self) -> bool:
        return self.started and not self.closed and not self.stalled

    def get_output_latency(self) -> float:
        return 0.03

    def close(self) -> None:
        self.closed = True

    def frame(self, data: bytes | None = None) -> int:
        """What PortAudio does every 20 ms, on a thread of its own."""
        data = bytes(2 * self.frames) if data is None else data
        out: list[tuple[bytes, int]] = []
        thread = threading.Thread(
            target=lambda: out.append(self.callback(data, self.frames, {}, 0))
        )
        thread.start()
        thread.join()
        self.played.append(out[0][0])
        return out[0][1]


class Module:
    """Stands for the module `pyaudio`. rates: those that the device can. devices: (name, ins,
    outs). microphone: gives frame n when the stream runs by itself (see `run`)."""

    paInt16, paContinue, paComplete = paInt16, paContinue, paComplete

    def __init__(
        self,
        devices: tuple[tuple[str, int, int], ...] = (("Speakers", 0, 2), ("Headset", 1, 2)),
        rates: tuple[int, ...] = (16000, 48000),
    ) -> None:
        self.devices = devices
        self.rates = rates
        self.open = 0
        self.stream: Stream | None = None

    def PyAudio(self) -> Any:
        self.open += 1
        return _Audio(self)

    def run(self, microphone: Callable[[int], bytes], until: threading.Event) -> None:
        """Be the device in real time, on the calling thread."""
        start, n = time.monotonic(), 0
        while not until.is_set():
            stream = self.stream
            if stream is not None and stream.is_active():
                data = microphone(n)
                out, more = stream.callback(data, stream.frames, {}, 0)
                stream.played.append(out)
                n += 1
                if more != paContinue:
                    return
            else:
                start, n = time.monotonic(), 0
            time.sleep(max(0.001, start + 0.02 * (n + 1) - time.monotonic()))


class _Audio:
    def __init__(self, module: Module) -> None:
        self._module = module

    def get_device_count(self) -> int:
        return len(self._module.devices)

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        name, ins, outs = self._module.devices[index]
        return {"name": name, "maxInputChannels": ins, "maxOutputChannels": outs}

    def open(self, **options: Any) -> Stream:
        if options["rate"] not in self._module.rates:
            raise OSError(-9997, "Invalid sample rate")
        self._module.stream = Stream(**options)
        return self._module.stream

    def terminate(self) -> None:
        self._module.open -= 1
