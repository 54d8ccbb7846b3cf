"""Audio for measurements: callers' recordings, and agent speech that can be told apart.

Coded speech is a fixed random row of loud G.711 levels. No sample of it is silent, and a stretch
of it found on the wire tells which samples of the utterance it is.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Final

from mediacore._core import Codec
from mediacore.transports.files import read_audio

SRATE_HZ: Final = 8000
FRAME: Final = 160
SILENT_CODE: Final = 0xFF  # µ-law; 0x7F is the other zero
_LEVELS: Final = bytes([*range(0x10), *range(0x80, 0x90)])  # beyond ±16000
_SOUNDS: Final = Path("/usr/share/asterisk/sounds/en")  # Debian: asterisk-core-sounds-en-wav
_NO_SPEECH: Final = ("beep", "tone", "silence", "ring", "music", "confbridge-join", "busy")
_ONSET_FRAME: Final = 40  # 5 ms
_ONSET_SHARE: Final = 0.06  # of the loudest 5 ms
_MIN_SPEECH: Final = 2400
NOISE_SHARE: Final = 10 ** (-30 / 20)
"""A low noise floor: 30 dB below the speech."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A caller. pcm at 8000 Hz; onset, end: samples where speech begins and ends, by energy."""

    name: str
    pcm: bytes
    onset: int
    end: int


def shipped_callers() -> list[Recording]:
    """The demo's callers; synthetic voices."""
    directory = Path(str(files("mediacore") / "demo" / "caller"))
    return [recording(path) for path in sorted(directory.glob("*.wav"))]


def human_prompts(limit: int) -> list[Recording]:
    """Prompts read by a person, if Debian's asterisk-core-sounds-en-wav is installed, spread over
    the directory."""
    names = [
        path
        for path in sorted(_SOUNDS.glob("*.wav"))
        if not any(word in path.name for word in _NO_SPEECH)
    ]
    step = max(len(names) // limit, 1)
    found = [recording(path) for path in names[::step][:limit]]
    return [r for r in found if r.end - r.onset >= _MIN_SPEECH]


def recording(path: Path) -> Recording:
    """Read a file and find its speech: 5 ms frames above 6 % of the loudest one's RMS."""
    pcm = read_audio(path, SRATE_HZ).pcm
    levels = [_rms(frame) for frame in _frames(pcm, _ONSET_FRAME)]
    limit = _ONSET_SHARE * max(levels)
    loud = [i for i, level in enumerate(levels) if level > limit]
    return Recording(path.stem, pcm, loud[0] * _ONSET_FRAME, (loud[-1] + 1) * _ONSET_FRAME)


def speech_level(rec: Recording) -> float:
    """RMS of the stretch from onset to end."""
    return _rms(array("h", rec.pcm)[rec.onset : rec.end])


def end_over(rec: Recording, rms: float) -> int:
    """Sample behind the last 5 ms that are louder than a noise floor of this RMS."""
    levels = [_rms(frame) for frame in _frames(rec.pcm, _ONSET_FRAME)]
    return (max(i for i, level in enumerate(levels) if level > rms) + 1) * _ONSET_FRAME


def without_gaps(recs: list[Recording]) -> bytes:
    """The recordings in one piece, silent 20 ms frames left out: speech all the time."""
    out = bytearray()
    for rec in recs:
        limit = 0.1 * speech_level(rec)
        for frame in _frames(rec.pcm, FRAME):
            if _rms(frame) > limit:
                out += frame.tobytes()
    return bytes(out)


def noise(rng: Random, samples: int, rms: float) -> array[int]:
    """White Gaussian noise."""
    return array("h", (round(rng.gauss(0, rms)) for _ in range(samples)))


def add(a: bytes, b: array[int]) -> bytes:
    """Two signals of one length, limited to int16."""
    pairs = zip(array("h", a), b, strict=True)
    return array("h", (min(max(x + y, -32768), 32767) for x, y in pairs)).tobytes()


@dataclass(frozen=True)
class Code:
    """Coded speech of so many samples; two codes of one seed are the same."""

    samples: int
    seed: int = 1

    @cached_property
    def wire(self) -> bytes:
        """µ-law payload, one byte a sample."""
        return bytes(Random(self.seed).choices(_LEVELS, k=self.samples))

    @cached_property
    def pcm(self) -> bytes:
        """The same as int16 PCM; encoding gives `wire` back."""
        codec = Codec("PCMU")
        wire = self.wire
        return b"".join(codec.decode(wire[i : i + 4000]) for i in range(0, len(wire), 4000))


def audible(payload: bytes) -> bytes:
    """One byte a sample of µ-law: 1 where it is not silent."""
    return payload.translate(_AUDIBLE)


def _audible_table() -> bytes:
    return bytes(0 if code in (0x7F, 0xFF) else 1 for code in range(256))


_AUDIBLE: Final = _audible_table()


def _frames(pcm: bytes, size: int) -> Iterator[array[int]]:
    samples = array("h", pcm)
    for start in range(0, len(samples) - size + 1, size):
        yield samples[start : start + size]


def _rms(samples: array[int]) -> float:
    return math.sqrt(sum(x * x for x in samples) / max(len(samples), 1))
