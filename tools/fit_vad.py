"""Fit the network of mc_vad and write csrc/mc_vad_net.h.

Speech is any tree of 8 kHz WAV prompts, one folder per voice; music any folder of WAV files. The
weights in the repository were fitted to Debian's asterisk-core-sounds-{es,fr,it,ru}-wav and to
three pieces of asterisk-moh-opsound-wav; neither is part of the repository.

Run: python tools/fit_vad.py --speech DIR [--speech DIR ...] --music DIR > csrc/mc_vad_net.h
Needs numpy and a C compiler. Takes some minutes; the result depends on the seed only.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import subprocess
import sys
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]
CSRC = Path(__file__).resolve().parent.parent / "csrc"
SRATE = 8000
FRAME = SRATE // 50
FEATURES = 64
HIDDEN = (48, 24)
FULL_SCALE = 32768.0


class VadConfig(ctypes.Structure):
    _fields_ = (
        ("srate", ctypes.c_uint32),
        ("threshold_q15", ctypes.c_int16),
        ("onset_frames", ctypes.c_uint16),
        ("hangover_ms", ctypes.c_uint16),
    )


def build_library(folder: Path) -> ctypes.CDLL:
    target = folder / "vad.so"
    sources = [str(CSRC / name) for name in ("mc_vad.c", "mc_decim.c", "mc_fft.c")]
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-shared", "-fPIC", f"-I{CSRC}/include"]
    subprocess.run(["cc", *flags, f"-I{CSRC}", *sources, "-lm", "-o", str(target)], check=True)
    lib = ctypes.CDLL(str(target))
    lib.mc_vad_size.restype = ctypes.c_size_t
    lib.mc_vad_features.restype = ctypes.POINTER(ctypes.c_float)
    lib.mc_vad_features.argtypes = [ctypes.c_void_p]
    lib.mc_vad_frame.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    return lib


def features(lib: ctypes.CDLL, pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    config = VadConfig(SRATE, 0, 0, 0)
    size = lib.mc_vad_size(ctypes.byref(config))
    memory = ctypes.create_string_buffer(size + 16)
    start = (ctypes.addressof(memory) + 15) // 16 * 16
    vad = ctypes.c_void_p()
    rc = lib.mc_vad_init(
        ctypes.byref(vad), ctypes.c_void_p(start), ctypes.c_size_t(size), ctypes.byref(config)
    )
    if rc:
        raise RuntimeError(f"mc_vad_init: {rc}")
    seen = np.ctypeslib.as_array(lib.mc_vad_features(vad), (FEATURES,))
    out = np.empty((len(pcm) // FRAME, FEATURES), np.float32)
    for i in range(len(out)):
        lib.mc_vad_frame(vad, pcm.ctypes.data + 2 * FRAME * i)
        out[i] = seen
    return out


def load(path: Path) -> Floats:
    with wave.open(str(path)) as w:
        if w.getframerate() != SRATE or w.getnchannels() != 1 or w.getsampwidth() != 2:
            raise ValueError(f"{path}: 8 kHz mono 16-bit wanted")
        return np.frombuffer(w.readframes(w.getnframes()), "<i2").astype(np.float64)


def clips(folder: Path) -> list[Floats]:
    out = []
    for path in sorted(folder.rglob("*.wav")):
        if any(word in path.name for word in ("silence", "beep", "tone")):
            continue
        pcm = load(path)
        if 0.8 <= len(pcm) / SRATE <= 15 and pcm.std() > 50:
            out.append(pcm)
    return out


def energy(pcm: Floats) -> Floats:
    n = len(pcm) // FRAME
    return np.asarray((pcm[: n * FRAME].reshape(n, FRAME) ** 2).mean(1) + 1e-9)


def active_level(pcm: Floats) -> float:
    e = energy(pcm)
    return float(np.sqrt(e[e > e.max() * 1e-3].mean()))


def labels(pcm: Floats) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Speech within 25 dB of the active level; short gaps and the tail of a word do not count."""
    speech = energy(pcm) > active_level(pcm) ** 2 * 10**-2.5
    weight = np.ones(len(speech))
    at = np.flatnonzero(speech)
    for a, b in itertools.pairwise(at):
        if 1 < b - a <= 11:
            weight[a + 1 : b] = 0
        elif b - a > 11:
            weight[a + 1 : a + 9] = 0
    if len(at):
        weight[at[-1] + 1 : at[-1] + 9] = 0
    return speech, weight


def shaped(x: Floats, gain: Callable[[Floats], Floats]) -> Floats:
    """Filter by a gain over frequency in Hz."""
    spectrum = np.fft.rfft(x)
    return np.fft.irfft(spectrum * gain(np.fft.rfftfreq(len(x), 1 / SRATE)), len(x))


def telephone_band(f: Floats, low: float, high: float, order: int) -> Floats:
    edges = (1 + (low / np.maximum(f, 1)) ** order) * (1 + (f / high) ** (4 * order))
    return np.asarray(1 / np.sqrt(edges))


def unit(x: Floats) -> Floats:
    return np.asarray(x / np.sqrt((x**2).mean() + 1e-12))


def mulaw(x: Floats) -> npt.NDArray[np.int16]:
    """Through G.711 and back."""
    x = np.clip(np.round(x), -32635, 32635)
    size = np.abs(x) + 132
    step = 2.0 ** (np.floor(np.log2(size)) - 4)
    y = np.floor(size / step) * step + step / 2 - 132
    return (np.sign(x) * np.where(np.abs(x) < 4, 0, y)).astype(np.int16)


def dbov(level: float) -> float:
    return float(FULL_SCALE * 10 ** (level / 20))


class Maker:
    """Random calls: prompts with pauses in one of many noises, labelled per frame."""

    KINDS: ClassVar[dict[str, float]] = {
        "none": 0.10, "white": 0.09, "pink": 0.11, "brown": 0.05, "hum": 0.12, "band": 0.05,
        "music": 0.12, "notes": 0.11, "babble": 0.12, "clicks": 0.05, "tones": 0.05, "mix": 0.03,
    }  # fmt: skip

    def __init__(self, voices: list[list[Floats]], music: list[Floats], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.voices = voices
        self.music = music
        self.pool = np.concatenate([c / active_level(c) for v in voices for c in v][::3])

    def noise(self, kind: str, n: int) -> Floats:
        r = self.rng
        t = np.arange(n) / SRATE
        white = r.standard_normal(n)
        x: Floats = np.zeros(n)
        if kind == "white":
            return white
        if kind == "pink":
            return unit(shaped(white, lambda f: 1 / np.sqrt(np.maximum(f, 1))))
        if kind == "brown":
            return unit(shaped(white, lambda f: 1 / np.sqrt(f**2 + 40.0**2)))
        if kind == "hum":
            hz = r.choice([50, 60, 100, 120]) * r.uniform(0.99, 1.01)
            for k in range(1, int(r.integers(3, 20))):
                phase = r.uniform(0, 6)
                x += r.uniform(0, 1) / k * np.sin(2 * np.pi * hz * k * t + phase)
            return unit(unit(x) + r.uniform(0.05, 0.6) * self.noise("pink", n))
        if kind == "band":
            low, high = r.uniform(100, 1500), r.uniform(1600, 3700)
            wave_ = 1 + 0.3 * np.sin(2 * np.pi * r.uniform(0.5, 9) * t)
            return unit(shaped(white, lambda f: ((f > low) & (f < high)) + 0.05) * wave_)
        if kind == "music":
            piece = self.music[r.integers(len(self.music))]
            at = int(r.integers(0, len(piece) - n))
            return unit(piece[at : at + n])
        if kind == "babble":
            for _ in range(8):
                at = int(r.integers(0, len(self.pool) - n))
                x += self.pool[at : at + n]
            return unit(x)
        if kind == "notes":
            return self.notes(n)
        if kind == "clicks":
            for _ in range(int(r.integers(3, 60))):
                at, d = int(r.integers(0, n - 4000)), int(r.uniform(8, 1600))
                burst = r.standard_normal(d) * np.exp(-np.arange(d) / d * 5)
                x[at : at + d] += burst * 10 ** (r.uniform(-20, 6) / 20)
            return np.asarray(x * 4.5 / (np.abs(x).max() + 1e-9) + 0.01 * white)
        if kind == "tones":
            at = 0
            while at < n:
                d = min(int(r.uniform(0.04, 2.5) * SRATE), n - at)
                a, b = r.uniform(200, 2500, 2)
                x[at : at + d] = np.sin(2 * np.pi * a * t[:d])
                x[at : at + d] += (r.random() < 0.6) * np.sin(2 * np.pi * b * t[:d])
                at += d + int(r.uniform(0.05, 2) * SRATE)
            return x + 0.003 * white
        return unit(self.noise("music", n) + self.noise("pink", n) + self.noise("clicks", n))

    def notes(self, n: int) -> Floats:
        """Plucked chords and drums."""
        r = self.rng
        t = np.arange(n) / SRATE
        x = np.zeros(n)
        beat, decay, dull = r.uniform(0.1, 0.5), r.uniform(1, 8), r.uniform(0.5, 2.5)
        steps = np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16, 19, 24])
        scale = r.uniform(80, 200) * 2 ** (steps / 12)
        at = 0
        while at < n - 800:
            for _ in range(int(r.integers(1, 5))):
                hz = scale[r.integers(len(scale))] * r.choice([1, 2, 4])
                d = min(int(beat * SRATE * r.integers(1, 9)), n - at)
                y = np.zeros(d)
                for k in range(1, 12):
                    if hz * k < 3900:
                        y += np.sin(2 * np.pi * hz * k * t[:d] + r.uniform(0, 6)) / k**dull
                rise = np.minimum(1, t[:d] * r.choice([20, 200]))
                x[at : at + d] += y * np.exp(-t[:d] * decay) * rise * r.uniform(0.2, 1)
            if r.random() < 0.4:
                d = min(1200, n - at)
                hit = r.standard_normal(d) * np.exp(-np.arange(d) / 200)
                x[at : at + d] += hit * r.uniform(0.2, 2)
            at += int(beat * SRATE)
        return unit(x)

    def call(self) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_], Floats]:
        r = self.rng
        n = int(r.integers(10, 22)) * SRATE
        clean = np.zeros(n)
        label, weight = np.zeros(n // FRAME, bool), np.ones(n // FRAME)
        level = dbov(r.uniform(-38, -14))
        talk = r.random() < 0.8
        voice = self.voices[r.integers(len(self.voices))]
        speed = r.choice([1, r.uniform(0.8, 1.25)])
        at = int(r.choice([0, r.uniform(0.05, 2.5)], p=[0.1, 0.9]) * SRATE)
        while talk and at < n - SRATE:
            c = voice[r.integers(len(voice))]
            if speed != 1:
                c = np.interp(np.arange(0, len(c) - 1, speed), np.arange(len(c)), c)
            c = (c / active_level(c) * level * 10 ** (r.uniform(-4, 4) / 20))[: n - at]
            if len(c) < 4000:
                break
            first = at // FRAME
            whole = np.concatenate([np.zeros(at - first * FRAME), c])
            whole = whole[: len(whole) // FRAME * FRAME]
            speech, w = labels(whole)
            clean[first * FRAME : first * FRAME + len(whole)] += whole
            label[first : first + len(speech)] = speech
            weight[first : first + len(speech)] = w
            at += len(c) + int(r.choice([r.uniform(0.2, 0.6), r.uniform(0.6, 3)]) * SRATE)
        kind = str(r.choice(list(self.KINDS), p=list(self.KINDS.values())))
        if kind == "none":
            quiet = 0.0 if r.random() < 0.4 else dbov(r.uniform(-85, -60))
            noise = quiet * r.standard_normal(n)
        else:
            gain = level * 10 ** (-r.uniform(4, 35) / 20) if talk else dbov(r.uniform(-65, -18))
            noise = self.noise(kind, n) * gain
            if r.random() < 0.3:
                noise[: int(r.uniform(0, n))] *= 10 ** (r.uniform(-40, 0) / 20)
            noise = noise + dbov(-78) * r.standard_normal(n)
        x = clean + noise
        if r.random() < 0.5:
            low, high, order = r.uniform(100, 350), r.uniform(3000, 3900), int(r.integers(2, 7))
            x = shaped(x, lambda f: telephone_band(f, low, high, order))
        if r.random() < 0.4:
            x = np.convolve(x, [1, r.uniform(-0.8, 0.6)])[:n]
        x = np.clip(x, -32000, 32000)
        pcm = mulaw(x) if r.random() < 0.8 else np.round(x).astype(np.int16)
        onset = np.flatnonzero(label[1:] & ~label[:-1]) + 1
        weight[onset] *= 0.5
        for late in (1, 2):
            weight[np.minimum(onset + late, len(weight) - 1)] *= 2.5
        return pcm, label, weight


def dataset(lib: ctypes.CDLL, maker: Maker, calls: int) -> tuple[Any, Any, Any]:
    rows = []
    for _ in range(calls):
        pcm, label, weight = maker.call()
        rows.append((features(lib, pcm), label, weight))
    f = np.concatenate([r[0] for r in rows])
    y = np.concatenate([r[1] for r in rows]).astype(np.float32)
    w = np.concatenate([r[2] for r in rows]).astype(np.float32)
    return f, y, w


def forward(p: list[Any], x: Any) -> tuple[Any, Any, Any]:
    a = np.maximum(x @ p[0] + p[1], 0)
    b = np.maximum(a @ p[2] + p[3], 0)
    return a, b, b @ p[4] + p[5]


def fit(f: Any, y: Any, w: Any, test: tuple[Any, Any, Any], seed: int, epochs: int) -> list[Any]:
    """Weighted cross entropy, Adam, cosine rate. Returns the weights for plain features."""
    r = np.random.default_rng(seed)
    h1, h2 = HIDDEN
    mean, spread = f.mean(0), f.std(0) + 1e-3
    p: list[Any] = [
        r.standard_normal((FEATURES, h1)) * np.sqrt(2 / FEATURES), np.zeros(h1),
        r.standard_normal((h1, h2)) * np.sqrt(2 / h1), np.zeros(h2),
        r.standard_normal(h2) * 0.3, np.zeros(1),
    ]  # fmt: skip
    p = [a.astype(np.float32) for a in p]
    m, v = [np.zeros_like(a) for a in p], [np.zeros_like(a) for a in p]
    use = w > 0
    x, y = ((f[use] - mean) / spread).astype(np.float32), y[use]
    w = w[use] * np.where(y > 0, 1, 1.3)
    batch = 1024
    steps, it = epochs * (len(x) // batch), 0
    for epoch in range(epochs):
        order = r.permutation(len(x))
        for j in range(0, len(x) - batch + 1, batch):
            q = order[j : j + batch]
            a, b, z = forward(p, x[q])
            g = (1 / (1 + np.exp(-z)) - (y[q] * 0.96 + 0.02)) * w[q] / batch
            gb = np.outer(g, p[4]) * (b > 0)
            ga = (gb @ p[2].T) * (a > 0)
            grads = [x[q].T @ ga, ga.sum(0), a.T @ gb, gb.sum(0), b.T @ g, g.sum(keepdims=True)]
            it += 1
            rate = 2e-3 * (0.5 + 0.5 * np.cos(np.pi * min(it / steps, 1))) + 1e-5
            for i, grad in enumerate(grads):
                m[i] = 0.9 * m[i] + 0.1 * grad
                v[i] = 0.999 * v[i] + 0.001 * grad**2
                step = m[i] / (1 - 0.9**it) / (np.sqrt(v[i] / (1 - 0.999**it)) + 1e-8)
                p[i] = (p[i] - rate * (step + 1e-4 * p[i])).astype(np.float32)
        if epoch % 5 == 4 or epoch == epochs - 1:
            tf, ty, tw = test
            said = forward(p, (tf - mean) / spread)[2] > 0
            miss = 100 * (~said[(tw > 0) & (ty > 0)]).mean()
            false = 100 * said[(tw > 0) & (ty <= 0)].mean()
            print(f"epoch {epoch + 1}: miss {miss:.2f} % false {false:.2f} %", file=sys.stderr)
    first = p[0] / spread[:, None]
    return [first.T, p[1] - (mean / spread) @ p[0], p[2].T, p[3], p[4], p[5]]


def c_array(name: str, values: Any) -> str:
    flat = [f"{v:#.5g}f," for v in np.asarray(values).ravel()]
    rows = "".join("\t" + " ".join(flat[i : i + 8]) + "\n" for i in range(0, len(flat), 8))
    return f"static const float {name}[{len(flat)}] = {{\n{rows}}};\n"


def header(p: list[Any]) -> str:
    h1, h2 = HIDDEN
    arrays = "".join(
        c_array(f"vad_net_{name}", values)
        for name, values in zip(("w1", "b1", "w2", "b2", "w3"), p[:5], strict=True)
    )
    return (
        "/* Made by tools/fit_vad.py: the network of mc_vad, ReLU. Fitted to recorded prompts of\n"
        " * four voices in noise, music and babble, most of it after G.711. */\n"
        "/* clang-format off */\n#ifndef MC_VAD_NET_H\n#define MC_VAD_NET_H\n\n"
        f"enum {{ VAD_NET_H1 = {h1}, VAD_NET_H2 = {h2} }};\n\n{arrays}"
        f"static const float vad_net_b3 = {p[5][0]:#.5g}f;\n\n#endif\n/* clang-format on */\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", type=Path, action="append", required=True)
    parser.add_argument("--music", type=Path, action="append", required=True)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    voices = [clips(folder) for folder in args.speech]
    music = [load(path) for folder in args.music for path in sorted(folder.rglob("*.wav"))]
    with tempfile.TemporaryDirectory() as folder:
        lib = build_library(Path(folder))
        train = dataset(lib, Maker(voices, music, args.seed), args.calls)
        test = dataset(lib, Maker(voices, music, args.seed + 1), 80)
    print(header(fit(*train, test, args.seed, args.epochs)), end="")


if __name__ == "__main__":
    main()
