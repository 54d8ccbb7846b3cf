"""A call's audio on its way to the disk, on a thread of its own."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

from mediacore.errors import ConfigError
from mediacore.transports.files import WavWriter

_WAITING_BLOCKS = 100  # about 10 s of audio; more means that the disk has stopped


class WavSink:
    """Writes a WAV file from its own thread, so that a slow disk never holds up the call.

    Full queue: the block becomes silence and is counted. Nothing here raises into the call, not
    even a file that cannot be opened.
    """

    def __init__(self, path: Path, srate_hz: int) -> None:
        self._failed = ""
        self._queue: queue.Queue[tuple[int, bytes] | None] = queue.Queue(_WAITING_BLOCKS)
        self._refused = 0
        try:
            self._writer = WavWriter(path, srate_hz, channels=2)
        except ConfigError as error:
            self._failed = f"recording: {error}"
            return
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def put(self, at: int, pcm: bytes) -> None:
        """Queue stereo PCM whose first pair is at `at`; a gap before it becomes silence."""
        if self._failed:
            return
        try:
            self._queue.put_nowait((at, pcm))
        except queue.Full:
            self._refused += 1

    def close(self) -> str:
        """Finish the file. Blocks; at most 5 s. Returns what was lost, in words, or ''."""
        if self._failed:
            return self._failed
        try:
            self._queue.put(None, timeout=5)
            self._thread.join(5)
        except queue.Full:
            pass
        stats = self._writer.snapshot()
        if stats.error is not None:
            return f"recording: {stats.error.strerror}; {stats.lost_frames} samples are silence"
        if self._refused or self._thread.is_alive():
            return f"recording: the disk was too slow; {self._refused} blocks are silence"
        return ""

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            at, pcm = item
            missing = at - self._writer.snapshot().frames
            if missing > 0:
                self._writer.write(bytes(4 * missing))
            self._writer.write(pcm)
        self._writer.close()
