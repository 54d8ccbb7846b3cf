"""MP3 and MP4 files written as the audio comes. A crash loses the tail only: MP3 is whole at every
frame, MP4 is written in fragments (ISO/IEC 14496-12 §8.8)."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from mediacore.errors import ConfigError, MissingDependencyError

_BITS_PER_CHANNEL: Final = 32_000
_FORMATS: Final = MappingProxyType(
    {
        ".mp3": ("mp3", "libmp3lame", {"flush_packets": "1", "write_xing": "0"}),
        ".mp4": (
            "mp4",
            "aac",
            {"flush_packets": "1", "movflags": "empty_moov+frag_every_frame+default_base_moof"},
        ),
    }
)
"""By suffix: container, codec, and what makes it valid at any time."""


class EncodedWriter:
    """By the path's suffix, .mp3 or .mp4. Needs PyAV (extra `av`) with its encoder.

    write() and close() return the error, as `WavWriter` does; only opening raises.
    """

    def __init__(self, path: Path, srate_hz: int, channels: int) -> None:
        """Raises ConfigError, MissingDependencyError."""
        try:
            self._av: Any = importlib.import_module("av")
        except ImportError:
            raise MissingDependencyError(
                "PyAV, which writes MP3 and MP4 files,", "pip install 'mediacore[av]'"
            ) from None
        self._srate_hz = srate_hz
        self._channels = channels
        self._layout = "stereo" if channels == 2 else "mono"
        self._closed = False
        container, codec, options = _FORMATS[path.suffix]
        try:
            path.touch(mode=0o600)
            self._file: Any = self._av.open(str(path), "w", format=container, options=options)
            self._stream: Any = self._file.add_stream(codec, rate=srate_hz)
            self._stream.layout = self._layout
            self._stream.bit_rate = _BITS_PER_CHANNEL * channels
        except (self._av.FFmpegError, OSError, ValueError) as error:
            raise ConfigError(f"cannot write {path}: {error}") from None

    def write(self, pcm: bytes) -> OSError | None:
        """Append int16 PCM, channels interleaved, whole frames."""
        if not pcm:
            return None
        samples = len(pcm) // 2 // self._channels
        frame = self._av.AudioFrame(format="s16", layout=self._layout, samples=samples)
        plane = frame.planes[0]
        plane.update(pcm + bytes(plane.buffer_size - len(pcm)))
        frame.sample_rate = self._srate_hz
        return self._mux(frame)

    def close(self) -> OSError | None:
        """Write the rest. Idempotent."""
        if self._closed:
            return None
        self._closed = True
        error = self._mux(None)
        try:
            self._file.close()
        except (self._av.FFmpegError, OSError) as failed:
            return error or _as_os_error(failed)
        return error

    def _mux(self, frame: Any) -> OSError | None:
        try:
            self._file.mux(self._stream.encode(frame))
        except (self._av.FFmpegError, OSError) as error:
            return _as_os_error(error)
        return None


def _as_os_error(error: Exception) -> OSError:
    return error if isinstance(error, OSError) else OSError(str(error))
