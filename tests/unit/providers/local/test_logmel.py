from __future__ import annotations

import numpy as np
import pytest

from mediacore.providers.local.logmel import SRATE_HZ, LogMel, mel_bands


def tone(hz: float, seconds: float) -> np.ndarray:
    at = np.arange(round(seconds * SRATE_HZ)) / SRATE_HZ
    return (0.1 * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def test_bands_cover_the_spectrum_with_equal_area() -> None:
    bands = mel_bands()
    assert bands.shape == (80, 201)
    centres = bands.argmax(axis=1)
    assert np.all(np.diff(centres) >= 0)
    wide = bands[40:].sum(axis=1) * 40  # 40 Hz a bin
    assert np.allclose(wide, 1.0, atol=0.12)


@pytest.mark.parametrize(("hz", "band"), [(500, 13), (1000, 27), (2000, 44), (4000, 62)])
def test_a_tone_is_loudest_in_its_band(hz: float, band: int) -> None:
    mel = LogMel()(tone(hz, 0.5), 0)
    assert abs(int(mel[:, 10:40].mean(axis=1).argmax()) - band) <= 1


def test_shape_padding_and_range() -> None:
    mel = LogMel()(tone(440, 1.005), 3 * SRATE_HZ)
    assert mel.shape == (80, 400)
    assert mel.dtype == np.float32
    assert mel.flags["C_CONTIGUOUS"]
    assert mel.max() - mel.min() <= 2.0 + 1e-6
    assert np.all(mel[:, 150:] == mel.min())
    assert LogMel()(tone(440, 31), 0).shape == (80, 3000)


def test_silence_is_flat() -> None:
    mel = LogMel()(np.zeros(SRATE_HZ, np.float32), 0)
    assert np.allclose(mel, (-10 + 4) / 4)


def test_against_a_slow_transform() -> None:
    pcm = np.random.default_rng(1).normal(0, 0.1, 1600).astype(np.float32)
    mel = LogMel()(pcm, 0)
    padded = np.pad(pcm.astype(np.float64), 200, mode="reflect")
    n = np.arange(400)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / 400)
    basis = np.exp(-2j * np.pi * np.outer(np.arange(201), n) / 400)
    power = np.stack(
        [abs(basis @ (padded[f * 160 : f * 160 + 400] * window)) ** 2 for f in range(10)]
    )
    log = np.log10(np.maximum(mel_bands() @ power.T, 1e-10))
    assert np.allclose(mel, (np.maximum(log, log.max() - 8) + 4) / 4, atol=1e-3)
