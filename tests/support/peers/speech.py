"""Speech files for phones, and what became of them at the other end."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate, resample_poly

from support.sounds import ASTERISK, need

Samples = NDArray[np.float64]


def prompt(name: str, srate_hz: int = 8000) -> Samples:
    """A recording of Debian's asterisk-core-sounds, -1..1."""
    samples, srate = read_wav(need(ASTERISK / f"{name}.wav"))
    return resample_poly(samples, srate_hz, srate) if srate != srate_hz else samples


def read_wav(path: Path) -> tuple[Samples, int]:
    """(first channel -1..1, Hz)."""
    with wave.open(str(path)) as file:
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return data[:: file.getnchannels()] / 32768.0, file.getframerate()


def write_wav(path: Path, samples: Samples, srate_hz: int = 8000, channels: int = 1) -> Path:
    """channels: of `samples`, interleaved."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(srate_hz)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def padded(*pieces: Samples | float, srate_hz: int = 8000) -> Samples:
    """Speech and seconds of silence, one after the other."""
    return np.concatenate(
        [np.zeros(int(p * srate_hz)) if isinstance(p, int | float) else p for p in pieces]
    )


def similarity(said: Samples, heard: Samples) -> float:
    """Correlation at the best lag, 0..1, of the whole of `said` within `heard`."""
    if len(heard) < len(said):
        heard = np.concatenate([heard, np.zeros(len(said) - len(heard))])
    cross = correlate(heard, said, mode="valid", method="fft")
    power = np.concatenate([[0.0], np.cumsum(heard**2)])
    energy = power[len(said) :] - power[: -len(said)]
    norm = np.sqrt(np.maximum(energy, 1e-9) * np.sum(said**2))
    return float(np.max(cross / norm)) if np.sum(said**2) else 0.0
