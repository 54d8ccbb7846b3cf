"""Audio files in and out: any file to int16 mono, and a WAV writer that survives a crash.

WAV with PCM, µ-law or A-law is read here; every other container and coding through PyAV (extra
`av`). These functions block: call them outside of a running call, or in a thread.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import struct
import sys
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mediacore._core import Codec, Resampler
from mediacore.errors import ConfigError, MediaError, MissingDependencyError

WAVE_PCM: Final = 1
WAVE_ALAW: Final = 6
WAVE_MULAW: Final = 7
WAVE_EXTENSIBLE: Final = 0xFFFE
G711_BLOCK: Final = 4000
HEADER_BYTES: Final = 44
RIFF_MAX: Final = 0xFFFFFFFF - HEADER_BYTES
MAX_DECODED_MS: Final = 3_600_000


class _UnsupportedWavError(Exception):
    """A WAV file whose coding is not read here."""


@dataclass(frozen=True, slots=True)
class AudioFile:
    """int16 mono PCM in host order at srate_hz."""

    pcm: bytes
    srate_hz: int

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.pcm) // 2


def read_audio(path: str | Path, srate_hz: int | None = None) -> AudioFile:
    """Read a whole file, channels mixed to one. srate_hz: rate wanted, None = the file's own.

    Raises ConfigError when the file cannot be read or decoded, MissingDependencyError when it
    needs PyAV and that is not installed.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(12)
            data = head + file.read() if _is_wav(head) else None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    audio = _decode(data, str(path)) if data is not None else _read_with_av(str(path), str(path))
    return audio if srate_hz is None else resample(audio, srate_hz)


def decode_audio(
    data: bytes, name: str, srate_hz: int | None = None, *, max_ms: int = MAX_DECODED_MS
) -> AudioFile:
    """A whole file that is in memory already. name: for messages. max_ms: the rest is left out.

    Raises as `read_audio`.
    """
    if _is_wav(data[:12]):
        audio = _decode(data, name)
        audio = AudioFile(audio.pcm[: 2 * (audio.srate_hz * max_ms // 1000)], audio.srate_hz)
    else:
        audio = _read_with_av(io.BytesIO(data), name, max_ms)
    return audio if srate_hz is None else resample(audio, srate_hz)


def _is_wav(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def _decode(data: bytes, name: str) -> AudioFile:
    try:
        return _parse_wav(data[12:], name)
    except _UnsupportedWavError:
        return _read_with_av(io.BytesIO(data), name)


def resample(audio: AudioFile, srate_hz: int) -> AudioFile:
    """The same audio at another rate, aligned: the filter's delay is taken off."""
    if audio.srate_hz == srate_hz:
        return audio
    try:
        resampler = Resampler(audio.srate_hz, srate_hz)
    except MediaError as error:
        raise ConfigError(f"{error}; convert the file to 8, 16 or 48 kHz") from None
    pcm = resampler.run(audio.pcm) + resampler.flush()
    start = 2 * resampler.delay_samples
    wanted = 2 * (audio.samples * srate_hz // audio.srate_hz)
    return AudioFile(pcm[start : start + wanted], srate_hz)


def _parse_wav(data: bytes, path: str) -> AudioFile:
    """What follows the 12 bytes of a RIFF header. A data chunk beyond the end of the file, as a
    crashed writer leaves it, ends with the file."""
    offset = 0
    layout: tuple[int, int, int, int] | None = None
    while offset + 8 <= len(data):
        tag, size = struct.unpack_from("<4sI", data, offset)
        body = offset + 8
        if tag == b"fmt ":
            layout = _parse_format(data[body : body + size], path)
        elif tag == b"data":
            if layout is None:
                break
            return _to_mono(data[body : body + size], *layout)
        offset = body + size + (size & 1)
    raise ConfigError(f"{path} is a damaged WAV file: no format or no data")


def _parse_format(chunk: bytes, path: str) -> tuple[int, int, int, int]:
    """Returns (coding, channels, Hz, bits)."""
    if len(chunk) < 16:
        raise ConfigError(f"{path} is a damaged WAV file: its format is cut off")
    coding, channels, srate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if coding == WAVE_EXTENSIBLE and len(chunk) >= 26:
        coding = struct.unpack_from("<H", chunk, 24)[0]
    readable = (coding == WAVE_PCM and bits in (8, 16)) or (
        coding in (WAVE_ALAW, WAVE_MULAW) and bits == 8
    )
    if not readable:
        raise _UnsupportedWavError
    if not channels or not srate_hz:
        raise ConfigError(f"{path} is a damaged WAV file: {channels} channels at {srate_hz} Hz")
    return coding, channels, srate_hz, bits


def _to_mono(body: bytes, coding: int, channels: int, srate_hz: int, bits: int) -> AudioFile:
    if coding in (WAVE_ALAW, WAVE_MULAW):
        codec = Codec("PCMA" if coding == WAVE_ALAW else "PCMU")
        blocks = range(0, len(body), G711_BLOCK)
        pcm = array("h", b"".join(codec.decode(body[i : i + G711_BLOCK]) for i in blocks))
    elif bits == 8:
        pcm = array("h", [(value - 128) << 8 for value in body])
    else:
        pcm = array("h", body[: len(body) & ~1])
        if sys.byteorder == "big":
            pcm.byteswap()
    if channels > 1:
        whole = len(pcm) // channels * channels
        frames = zip(*(pcm[c:whole:channels] for c in range(channels)), strict=True)
        pcm = array("h", [sum(frame) // channels for frame in frames])
    return AudioFile(pcm.tobytes(), srate_hz)


def _read_with_av(source: str | io.BytesIO, name: str, max_ms: int = MAX_DECODED_MS) -> AudioFile:
    try:
        av: Any = importlib.import_module("av")
    except ImportError:
        raise MissingDependencyError(
            f"PyAV, which reads {Path(name).suffix or 'this kind of'} files,",
            "pip install 'mediacore[av]'",
        ) from None
    try:
        with av.open(source) as container:
            if not container.streams.audio:
                raise ConfigError(f"{name} has no audio")
            srate_hz = container.streams.audio[0].rate
            most = 2 * (srate_hz * max_ms // 1000)
            mono = av.AudioResampler(format="s16", layout="mono", rate=srate_hz)
            out = bytearray()
            for frame in container.decode(audio=0):
                for part in mono.resample(frame):
                    out += bytes(part.planes[0])[: 2 * part.samples]
                if len(out) >= most:
                    break
            else:
                for part in mono.resample(None):
                    out += bytes(part.planes[0])[: 2 * part.samples]
    except (av.FFmpegError, OSError) as error:
        raise ConfigError(f"cannot decode {name}: {error}") from None
    return AudioFile(bytes(out[:most]), srate_hz)


@dataclass(frozen=True, slots=True)
class WavStats:
    """frames: sample groups given. lost_frames: of them, those that reached no disk (they are
    silence in the file, if anything after them was written). error: the first failure."""

    frames: int
    lost_frames: int
    error: OSError | None


class WavWriter:
    """A PCM WAV file whose header is valid up to the last flush.

    A failing disk raises nothing: write() and flush() return the error, what could not be written
    becomes silence in its place, and the next write tries again. Only opening raises.
    """

    def __init__(
        self,
        path: str | Path,
        srate_hz: int,
        *,
        channels: int = 2,
        sync_every_s: int | None = None,
    ) -> None:
        """sync_every_s: flush, and force to the disk, after so many seconds of audio; None =
        flush once a second, the system writes when it likes. Raises ConfigError."""
        self._path = Path(path)
        self._srate_hz = srate_hz
        self._channels = channels
        self._sync = sync_every_s is not None
        self._flush_frames = srate_hz * (sync_every_s or 1)
        self._frames = 0  # given
        self._end = 0  # behind the last frame in the file
        self._flushed = 0  # frames given at the last flush
        self._lost = 0
        self._error: OSError | None = None
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)
            self._fd = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise ConfigError(f"cannot write {self._path}: {error.strerror}") from None
        try:
            self._write_all(self._header(), 0)
        except OSError as error:
            os.close(self._fd)
            raise ConfigError(f"cannot write {self._path}: {error.strerror}") from None

    def write(self, pcm: bytes) -> OSError | None:
        """Append int16 PCM, channels interleaved, whole frames. Blocks as long as the disk does."""
        block = 2 * self._channels
        if self._fd < 0:
            raise ValueError("write to a closed WavWriter")
        if len(pcm) % block:
            raise ValueError("PCM must be whole frames of all channels")
        if sys.byteorder == "big":
            swapped = array("h", pcm)
            swapped.byteswap()
            pcm = swapped.tobytes()
        frames = len(pcm) // block
        start = self._frames * block
        self._frames += frames
        try:
            if start + len(pcm) > RIFF_MAX:
                raise OSError(errno.EFBIG, "a WAV file ends at 4 GiB", str(self._path))
            self._write_all(pcm, HEADER_BYTES + start)
        except OSError as error:
            self._lost += frames
            return self._failed(error)
        self._end = self._frames
        if self._frames - self._flushed >= self._flush_frames:
            return self.flush()
        return None

    def flush(self) -> OSError | None:
        """Make the header tell all that was written."""
        self._flushed = self._frames
        try:
            if self._sync:
                os.fsync(self._fd)
            self._write_all(self._header(), 0)
            if self._sync:
                os.fsync(self._fd)
        except OSError as error:
            return self._failed(error)
        return None

    def close(self) -> OSError | None:
        """Flush and close. Idempotent."""
        if self._fd < 0:
            return None
        error = self.flush()
        try:
            os.close(self._fd)
        except OSError as close_error:
            error = error or self._failed(close_error)
        self._fd = -1
        return error

    def snapshot(self) -> WavStats:
        """What was given, and what of it was lost."""
        return WavStats(self._frames, self._lost, self._error)

    def __enter__(self) -> WavWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _failed(self, error: OSError) -> OSError:
        self._error = self._error or error
        return error

    def _write_all(self, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            n = os.pwrite(self._fd, view, offset)
            view = view[n:]
            offset += n

    def _header(self) -> bytes:
        block = 2 * self._channels
        size = self._end * block
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            HEADER_BYTES - 8 + size,
            b"WAVE",
            b"fmt ",
            16,
            WAVE_PCM,
            self._channels,
            self._srate_hz,
            self._srate_hz * block,
            block,
            16,
            b"data",
            size,
        )


def write_wav(path: str | Path, pcm: bytes, srate_hz: int, *, channels: int = 1) -> None:
    """Write a whole file. Raises ConfigError when the disk does not take it."""
    writer = WavWriter(path, srate_hz, channels=channels)
    error = writer.write(pcm)
    error = writer.close() or error
    if error is not None:
        raise ConfigError(f"cannot write {path}: {error.strerror}")
