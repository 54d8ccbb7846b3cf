"""The recording of a call as the page and the picture need it."""

from __future__ import annotations

import sys
import wave
from array import array
from dataclasses import dataclass
from pathlib import Path

from mediacore.errors import MediacoreError


class AudioFileError(MediacoreError):
    """The recording cannot be read; the message names the file."""


@dataclass(frozen=True, slots=True)
class StereoAudio:
    """Left the caller, right the agent. pcm: interleaved int16 in host order."""

    srate_hz: int
    pcm: array[int]

    @property
    def samples(self) -> int:
        """Samples per side."""
        return len(self.pcm) // 2

    @property
    def caller(self) -> array[int]:
        """The left side."""
        return self.pcm[0::2]

    @property
    def agent(self) -> array[int]:
        """The right side."""
        return self.pcm[1::2]


def read_audio(path: Path) -> StereoAudio:
    """Read a stereo 16-bit PCM WAV file. A file cut short gives what is there."""
    try:
        with wave.open(str(path), "rb") as source:
            if source.getnchannels() != 2 or source.getsampwidth() != 2:
                raise AudioFileError(f"{path} is not a 16-bit stereo WAV file.")
            raw = source.readframes(source.getnframes())
            srate_hz = source.getframerate()
    except FileNotFoundError:
        raise AudioFileError(f"{path} does not exist.") from None
    except (OSError, EOFError, wave.Error) as error:
        raise AudioFileError(f"{path} cannot be read as WAV: {error}") from None
    pcm = array("h")
    pcm.frombytes(raw[: len(raw) // 4 * 4])
    if sys.byteorder == "big":
        pcm.byteswap()
    return StereoAudio(srate_hz, pcm)


def ulaw(pcm: array[int]) -> bytes:
    """µ-law bytes of int16 samples (G.711), for a page half the size."""
    table = _ulaw_table()
    return bytes([table[sample & 0xFFFF] for sample in pcm])


def _ulaw_table() -> bytes:
    """The code of every sample, indexed by its unsigned 16-bit value."""
    out = bytearray(65536)
    for index in range(65536):
        sample = index - 65536 if index > 32767 else index
        sign = 0x80 if sample < 0 else 0
        magnitude = min(abs(sample), 32635) + 132
        exponent = magnitude.bit_length() - 8
        mantissa = (magnitude >> (exponent + 3)) & 0x0F
        out[index] = ~(sign | (exponent << 4) | mantissa) & 0xFF
    return bytes(out)
