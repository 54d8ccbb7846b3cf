"""Hibari text to speech with word times, in a worker process.

    text → phrases → say_as → hibari's normaliser, G2P → ids → network → spectrum parts → waveform
                                                               ╰ frames per id → word times

The network computes how long each phoneme lasts, in steps of 25 ms, but does not give it out: the
tensor's name is added to the model's list of outputs. If the model file is another one (a path
from the configuration) or the sums do not agree, word times are shared out by spelling.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mediacore.errors import ErrorClass, ProviderError
from mediacore.providers.local import frames, weights
from mediacore.providers.local.align import align
from mediacore.providers.local.phrases import phrases
from mediacore.providers.local.say_as import Spoken, spoken
from mediacore.providers.local.serve import Handler, Step

SRATE_HZ: Final = 24000
WEIGHTS_SHA256: Final = "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8"
_PACKAGE: Final = "hibari"
_DURATIONS: Final = "/Clip_output_0"
_UNIT_SAMPLES: Final = 600  # 25 ms
_SEED: Final = 1
_HOP: Final = 120  # 5 ms, for finding the ends of the sound
_SILENCE: Final = 0.004  # about -48 dBov
_LEAD: Final = 30 * 24  # silence kept before the sound, of the 0.3 s that the model makes
_TAIL: Final = 220 * 24  # and after it: the pause to the next sentence
_TAIL_CLAUSE: Final = 90 * 24
_TEXT_MAX: Final = 5000
_SENTENCE_END: Final = ".!?…"

Floats = NDArray[np.float32]
WordTime = tuple[int, int, int, int]
"""text start, text end, start ms, end ms."""


def with_output(model: bytes, name: str) -> bytes:
    """An ONNX model with one more tensor among its outputs.

    Protocol buffers merge a repeated occurrence of a message field, so appending
    ModelProto{graph(7): GraphProto{output(12): ValueInfoProto{name(1): …}}} is enough.
    """
    raw = name.encode()
    for field in (1, 12, 7):
        if len(raw) > 127:
            raise ValueError("tensor name too long")
        raw = bytes((field << 3 | 2, len(raw))) + raw
    return model + raw


@dataclass(frozen=True, slots=True)
class Phonemes:
    """ids: network input. spans: for each written word, its first and last index in `ids`, or
    None if it is silent.
    """

    ids: list[int]
    spans: list[tuple[int, int] | None]


def collect(tokens: Sequence[Any], vocab: Mapping[str, int]) -> Phonemes:
    """Join G2P tokens to one id sequence; a token followed by a blank ends a written word."""
    ids, spans = [0], list[tuple[int, int] | None]()
    sounding: list[int] = []
    for number, token in enumerate(tokens):
        for char in token.phonemes or "":
            if char in vocab:
                if char.isalpha():
                    sounding.append(len(ids))
                ids.append(vocab[char])
        if token.whitespace or number == len(tokens) - 1:
            spans.append((sounding[0], sounding[-1]) if sounding else None)
            sounding = []
            if number < len(tokens) - 1 and len(ids) > 1:
                ids.append(vocab[" "])
    return Phonemes([*ids, 0], spans)


def sounding(audio: Floats) -> tuple[int, int]:
    """First and one past the last sample that is loud enough to hear; (0, all) if none is."""
    hops = len(audio) // _HOP
    if not hops:
        return 0, len(audio)
    rms = np.sqrt(np.mean(audio[: hops * _HOP].reshape(hops, _HOP) ** 2, axis=1))
    loud = np.flatnonzero(rms > _SILENCE)
    if not len(loud):
        return 0, len(audio)
    return int(loud[0]) * _HOP, (int(loud[-1]) + 1) * _HOP


def by_spelling(tokens: Sequence[Spoken], samples: int) -> list[tuple[int, int, int, int]]:
    """(text start, end, first sample, last sample) in proportion to the letters spoken."""
    sizes = [sum(map(str.isalnum, token.text)) for token in tokens]
    total = max(1, sum(sizes))
    times, at = [], 0
    for token, size in zip(tokens, sizes, strict=True):
        if size:
            begin, end = at * samples // total, (at + size) * samples // total
            times.append((token.start, token.end, begin, end))
        at += size
    return times


class Hibari:
    """The loaded model and its G2P."""

    def __init__(self, path: Path, sha256: str | None, assets: Path) -> None:
        self._dsp = weights.need("hibari.dsp")
        self._g2p = weights.need("hibari.g2p").G2P()
        self._normalize = weights.need("hibari.g2p.normalize").normalize
        self._vocab: dict[str, int] = json.loads((assets / "vocab.json").read_text("utf-8"))
        ort = weights.need("onnxruntime")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        model = weights.check_file(path, sha256).read_bytes()
        timed = sha256 == WEIGHTS_SHA256
        self._session = ort.InferenceSession(
            with_output(model, _DURATIONS) if timed else model,
            options,
            providers=["CPUExecutionProvider"],
        )
        self._outputs = ["lh", "theta", "ln", "lr", "phi", "f0"] + [_DURATIONS] * timed

    def synthesise(self, ids: Sequence[int], speed: float) -> tuple[Floats, NDArray[np.int64]]:
        """Audio at 24 kHz and the sample at which each id ends (empty if not known)."""
        feed = {
            "ids": np.asarray([ids], np.int64),
            "speed": np.asarray([speed], np.float32),
        }
        out = self._session.run(self._outputs, feed)
        parts = (part[0] for part in out[:6])
        audio: Floats = self._dsp.synth(*parts, np.random.default_rng(_SEED))
        if len(out) == 6:
            return audio, np.zeros(0, np.int64)
        ends = np.cumsum(np.rint(out[6].reshape(-1)).astype(np.int64)) * _UNIT_SAMPLES
        known = len(ends) == len(ids) and ends[-1] == len(audio)
        return audio, ends if known else np.zeros(0, np.int64)

    def speak(
        self, text: str, first: int, last: int, speed: float
    ) -> tuple[Floats, list[WordTime]]:
        """Audio of text[first:last], and its words relative to the audio's start."""
        tokens = [Spoken(t.text, t.start + first, t.end + first) for t in spoken(text[first:last])]
        before = [word for token in tokens for word in token.text.split()]
        owners = [i for i, token in enumerate(tokens) for _ in token.text.split()]
        after = self._normalize(" ".join(before))
        phonemes = collect(self._g2p.phonemize_tokens(self._g2p.tokenize(after)), self._vocab)
        if not any(phonemes.spans):
            return np.zeros(0, np.float32), []
        audio, ends = self.synthesise(phonemes.ids, speed)
        sentence = text[first:last].rstrip("\"”’')] \n")[-1:] in _SENTENCE_END
        loud_from, loud_to = sounding(audio)
        begin = max(0, loud_from - _LEAD)
        end = min(len(audio), loud_to + (_TAIL if sentence else _TAIL_CLAUSE))
        written = after.split()
        if len(ends) and len(written) == len(phonemes.spans):
            times = self._by_duration(tokens, align(owners, before, written), phonemes, ends)
        else:
            spans = by_spelling(tokens, loud_to - loud_from)
            times = [(s, e, b + loud_from, f + loud_from) for s, e, b, f in spans]
        # The model counts the silence at the end as part of the last phoneme.
        return audio[begin:end], _to_ms(times, begin, loud_to)

    @staticmethod
    def _by_duration(
        tokens: Sequence[Spoken], spans: Sequence[Any], phonemes: Phonemes, ends: NDArray[np.int64]
    ) -> list[tuple[int, int, int, int]]:
        times = []
        for span in spans:
            ids = [s for s in phonemes.spans[span.word_first : span.word_last + 1] if s is not None]
            if ids:
                start, end = tokens[span.first].start, tokens[span.last].end
                begin = int(ends[ids[0][0] - 1])
                times.append((start, end, begin, int(ends[ids[-1][1]])))
        return times

    def handle(self, head: frames.Head, body: bytes) -> Iterator[Step]:
        """Speak `text`: one message a phrase, int16 mono 24 kHz and its words."""
        text = str(head["text"])
        if len(text) > _TEXT_MAX:
            raise ProviderError(ErrorClass.BAD_INPUT, f"text longer than {_TEXT_MAX} characters")
        offset_ms = 0
        for first, last in phrases(text):
            audio, words = self.speak(text, first, last, float(head.get("speed", 1.0)))
            if not len(audio):
                continue
            shifted = [(s, e, b + offset_ms, f + offset_ms) for s, e, b, f in words]
            pcm = np.rint(np.clip(audio, -1.0, 1.0) * 32767).astype("<i2").tobytes()
            offset_ms += len(audio) * 1000 // SRATE_HZ
            yield {"words": shifted}, pcm


def _to_ms(times: Sequence[tuple[int, int, int, int]], begin: int, end: int) -> list[WordTime]:
    def place(sample: int) -> int:
        return (min(max(sample, begin), end) - begin) * 1000 // SRATE_HZ

    return [(s, e, place(b), place(f)) for s, e, b, f in times]


def load(config: Mapping[str, Any]) -> Handler:
    """Load the model and speak a word, so that the first request is not the slow one."""
    assets = weights.package_dir(_PACKAGE) / "assets"
    path: Path = assets / "hibari.onnx"
    sha256: str | None = WEIGHTS_SHA256
    if config.get("path"):
        path, sha256 = Path(config["path"]), config.get("sha256")
    model = Hibari(path, sha256, assets)
    for _ in model.handle({"text": "Hello, Xaviq."}, b""):
        pass
    return model.handle
