"""Resampler, codecs, speech detector and libopus outside of a leg."""

import math
import struct
from array import array
from pathlib import Path
from random import Random

import pytest

from mediacore import _core
from mediacore._core import libopus
from mediacore.errors import MediaError
from mediacore.media import LegConfig


def sine(hz: float, srate_hz: int, samples: int, amplitude: float = 10_000) -> bytes:
    step = 2 * math.pi * hz / srate_hz
    return array("h", [round(amplitude * math.sin(step * n)) for n in range(samples)]).tobytes()


def samples_of(pcm: bytes) -> list[int]:
    return list(struct.unpack(f"={len(pcm) // 2}h", pcm))


@pytest.mark.parametrize(("in_hz", "out_hz"), [(8000, 16000), (24000, 8000), (22050, 8000)])
def test_resampling_keeps_a_tone(in_hz: int, out_hz: int) -> None:
    resampler = _core.Resampler(in_hz, out_hz)
    pcm = resampler.run(sine(440, in_hz, in_hz // 2)) + resampler.flush()
    got = samples_of(pcm)[resampler.delay_samples :]
    want = samples_of(sine(440, out_hz, out_hz // 2))
    assert abs(len(got) - len(want)) <= 2
    middle = slice(out_hz // 8, out_hz // 4)
    error = max(abs(g - w) for g, w in zip(got[middle], want[middle], strict=True))
    assert error < 400  # up to half a sample of delay is rounded away


def test_chunks_of_any_size_give_the_same_stream() -> None:
    pcm = sine(300, 24000, 20_000)
    whole = _core.Resampler(24000, 8000).run(pcm)
    chunked = _core.Resampler(24000, 8000)
    rng = Random(1)
    out, at = b"", 0
    while at < len(pcm):
        step = 2 * rng.randint(0, 500)
        out += chunked.run(pcm[at : at + step])
        at += step
    assert out == whole


def test_long_input_is_taken_whole() -> None:
    assert len(_core.Resampler(8000, 16000).run(bytes(600_000))) == 1_200_000


def test_flush_begins_a_new_stream() -> None:
    resampler = _core.Resampler(8000, 24000)
    pcm = sine(500, 8000, 800)
    first = resampler.run(pcm) + resampler.flush()
    assert resampler.run(pcm) + resampler.flush() == first


def test_refused_resamplers() -> None:
    with pytest.raises(MediaError):
        _core.Resampler(8000, 12345)
    with pytest.raises(OverflowError):
        _core.Resampler(-1, 8000)
    with pytest.raises(ValueError, match="whole"):
        _core.Resampler(8000, 16000).run(b"abc")


@pytest.mark.parametrize(
    ("name", "srate_hz", "rate", "clock_hz", "payload_type", "payload_bytes", "snr_db"),
    [
        ("PCMU", 0, 8000, 8000, 0, 160, 30),
        ("pcma", 8000, 8000, 8000, 8, 160, 30),
        ("G722", 0, 16000, 8000, 9, 160, 15),
        ("L16", 16000, 16000, 16000, None, 640, 90),
    ],
)
def test_codecs_round_trip(
    name: str,
    srate_hz: int,
    rate: int,
    clock_hz: int,
    payload_type: int | None,
    payload_bytes: int,
    snr_db: int,
) -> None:
    codec = _core.Codec(name, srate_hz)
    assert (codec.srate_hz, codec.clock_rate_hz) == (rate, clock_hz)
    assert codec.static_payload_type == payload_type
    frame = rate // 50
    pcm = sine(400, rate, frame * 20)
    out = b""
    for at in range(0, len(pcm), 2 * frame):
        payload = codec.encode(pcm[at : at + 2 * frame])
        assert len(payload) == payload_bytes
        out += codec.decode(payload)
    got, want = samples_of(out), samples_of(pcm)
    best = max(_snr(got[lag:], want) for lag in range(30))
    assert best > snr_db


def _snr(got: list[int], want: list[int]) -> float:
    pairs = list(zip(got, want, strict=False))[1000:]
    noise = sum((g - w) ** 2 for g, w in pairs) or 1e-9
    return 10 * math.log10(sum(w * w for _, w in pairs) / noise)


def test_codec_refusals() -> None:
    for name, srate_hz in (("nonsense", 0), ("PCMU", 16000), ("", 0)):
        with pytest.raises(MediaError):
            _core.Codec(name, srate_hz)
    codec = _core.Codec("PCMU")
    with pytest.raises(MediaError):
        codec.decode(bytes(100_000))
    with pytest.raises(MediaError):
        codec.encode(bytes(100_000))
    with pytest.raises(ValueError, match="whole"):
        codec.encode(b"abc")


def test_opus_is_found_and_round_trips() -> None:
    version = _core.opus_load()
    if version is None:
        pytest.skip("no libopus on this machine")
    assert version == _core.opus_version() == _core.opus_load("/nowhere/libopus.so")
    codec = _core.Codec("opus", 16000)
    assert (codec.srate_hz, codec.clock_rate_hz) == (16000, 48000)
    pcm = sine(300, 16000, 320 * 10)
    out = [codec.decode(codec.encode(pcm[at : at + 640])) for at in range(0, len(pcm), 640)]
    assert [len(frame) for frame in out] == [640] * 10
    assert max(samples_of(out[-1])) > 7000
    with pytest.raises(MediaError):
        codec.encode(pcm[:200])
    with _core.Engine() as engine:
        engine.open_leg(LegConfig(codec="opus", payload_type=111, srate_hz=16000)).close()


def test_the_copy_inside_pyav_is_found() -> None:
    pytest.importorskip("av")
    copies = libopus.bundled_libopus()
    assert copies
    assert all(isinstance(path, Path) and path.is_file() for path in copies)


def test_the_speech_detector_keeps_quiet_in_silence() -> None:
    vad = _core.Vad(8000)
    probabilities, edges = vad.run(bytes(160 * 2 * 100))
    assert len(probabilities) == 100
    assert edges == []
    assert not vad.active
    assert vad.noise_dbov < -60


def test_the_speech_detector_finds_a_voice_like_burst() -> None:
    srate_hz = 8000
    silence = [0] * srate_hz
    burst = []
    for n in range(srate_hz):
        t = n / srate_hz
        pitch = 120 + 15 * math.sin(2 * math.pi * 3 * t)
        envelope = max(0.0, math.sin(2 * math.pi * 4 * t)) ** 0.5
        harmonics = sum(
            math.sin(2 * math.pi * pitch * k * t) / (1 + abs(k * pitch - 600) / 300)
            for k in range(1, 20)
        )
        burst.append(round(2500 * envelope * harmonics))
    pcm = array("h", [max(-32768, min(32767, v)) for v in silence + burst + silence]).tobytes()
    vad = _core.Vad(srate_hz, onset_frames=2, hangover_ms=400)
    _, edges = vad.run(pcm)
    assert [edge.started for edge in edges] == [True, False]
    assert abs(edges[0].at - srate_hz) < 0.15 * srate_hz
    assert abs(edges[1].at - 2 * srate_hz) < 0.25 * srate_hz
    vad.reset()
    assert not vad.active


def test_speech_detector_refusals() -> None:
    with pytest.raises(MediaError):
        _core.Vad(11025)
    with pytest.raises(ValueError, match="whole 20 ms"):
        _core.Vad(8000).run(bytes(100))
