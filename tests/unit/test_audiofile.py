"""Files: every kind of WAV, other containers through PyAV, and a writer that survives."""

import errno
import math
import os
import struct
import sys
import wave
from array import array
from pathlib import Path
from typing import Any

import pytest

from mediacore import _core
from mediacore import audiofile as files
from mediacore.audiofile import WavWriter, read_audio, write_wav
from mediacore.errors import ConfigError, MissingDependencyError


def sine(hz: float, srate_hz: int, samples: int, amplitude: int = 10_000) -> "array[int]":
    step = 2 * math.pi * hz / srate_hz
    return array("h", [round(amplitude * math.sin(step * n)) for n in range(samples)])


def riff(
    coding: int, channels: int, srate_hz: int, bits: int, body: bytes, extra: bytes = b""
) -> bytes:
    block = channels * bits // 8
    fmt = struct.pack("<HHIIHH", coding, channels, srate_hz, srate_hz * block, block, bits) + extra
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt
    chunks += b"LIST" + struct.pack("<I", 3) + b"abc\0"  # odd: padded
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def values(pcm: bytes) -> list[int]:
    return list(struct.unpack(f"={len(pcm) // 2}h", pcm))


def test_16_bit_mono_is_read_as_it_is(tmp_path: Path) -> None:
    pcm = sine(440, 8000, 1000).tobytes()
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(pcm)
    audio = read_audio(path)
    assert (audio.pcm, audio.srate_hz, audio.samples) == (pcm, 8000, 1000)
    assert read_audio(str(path), 8000) == audio


def test_channels_are_mixed(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(riff(1, 2, 8000, 16, struct.pack("<6h", 100, 300, -50, -150, 32767, 32767)))
    assert values(read_audio(path).pcm) == [200, -100, 32767]


def test_8_bit_is_unsigned(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(riff(1, 1, 8000, 8, bytes([0, 128, 255])))
    assert values(read_audio(path).pcm) == [-32768, 0, 127 * 256]


@pytest.mark.parametrize(("coding", "codec"), [(7, "PCMU"), (6, "PCMA")])
def test_g711_is_decoded(tmp_path: Path, coding: int, codec: str) -> None:
    pcm = sine(440, 8000, 4000).tobytes()
    coder = _core.Codec(codec)
    body = coder.encode(pcm)
    path = tmp_path / "a.wav"
    path.write_bytes(riff(coding, 1, 8000, 8, body * 3, b"\0\0"))
    assert read_audio(path).pcm == coder.decode(body) * 3


def test_extensible_pcm_is_read(tmp_path: Path) -> None:
    extra = struct.pack("<HHIH", 22, 16, 4, 1) + bytes(14)
    path = tmp_path / "a.wav"
    path.write_bytes(riff(0xFFFE, 1, 16000, 16, struct.pack("<2h", 1, -1), extra))
    audio = read_audio(path)
    assert (values(audio.pcm), audio.srate_hz) == ([1, -1], 16000)


def test_resampling_keeps_length_and_place(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, sine(300, 24000, 24000).tobytes(), 24000)
    audio = read_audio(path, 8000)
    assert (audio.samples, audio.srate_hz) == (8000, 8000)
    want = sine(300, 8000, 8000)
    error = max(
        abs(g - w) for g, w in zip(values(audio.pcm)[100:-100], want[100:-100], strict=True)
    )
    assert error < 300


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (riff(1, 1, 8000, 16, b"")[:12], "damaged"),
        (b"RIFF\0\0\0\0WAVEfmt \x04\0\0\0abcd", "damaged"),
        (riff(1, 0, 8000, 16, b"ab"), "damaged"),
        (b"RIFF\0\0\0\0WAVEdata\x02\0\0\0ab", "damaged"),
    ],
)
def test_damaged_files_are_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_audio(path)


def test_a_file_cut_off_in_its_data_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(riff(1, 1, 8000, 16, bytes(1000))[:-501])
    assert read_audio(path).samples == 249


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_audio(tmp_path / "none.wav")


def test_a_rate_that_cannot_be_converted_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(riff(1, 1, 12345, 16, bytes(100)))
    with pytest.raises(ConfigError, match="convert the file"):
        read_audio(path, 8000)


@pytest.mark.parametrize("suffix", ["flac", "mp3", "wav"])
def test_other_codings_go_through_pyav(tmp_path: Path, suffix: str) -> None:
    av: Any = pytest.importorskip("av")
    path = tmp_path / f"a.{suffix}"
    pcm = sine(440, 16000, 16000)
    codec = {"flac": "flac", "mp3": "libmp3lame", "wav": "pcm_f32le"}[suffix]
    layout = {"flac": "s16", "mp3": "s16p", "wav": "flt"}[suffix]
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=16000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(pcm))
        frame.planes[0].update(pcm.tobytes())
        frame.sample_rate = 16000
        convert = av.AudioResampler(format=layout, layout="mono", rate=16000)
        size = stream.codec_context.frame_size
        fifo = av.AudioFifo()
        for part in convert.resample(frame):
            part.pts = None
            fifo.write(part)
        while (part := fifo.read(size or 1024, partial=True)) is not None:
            for packet in stream.encode(part):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    audio = read_audio(path, 8000)
    assert audio.srate_hz == 8000
    assert 7900 <= audio.samples <= 8400  # MP3 pads
    assert 9000 < max(values(audio.pcm)) < 11_000


def test_undecodable_files_are_told(tmp_path: Path) -> None:
    pytest.importorskip("av")
    path = tmp_path / "a.mp3"
    path.write_bytes(b"this is no audio" * 100)
    with pytest.raises(ConfigError, match="cannot decode"):
        read_audio(path)


def test_without_pyav_the_fix_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    path = tmp_path / "a.flac"
    path.write_bytes(b"fLaC")
    with pytest.raises(MissingDependencyError) as caught:
        read_audio(path)
    assert "mediacore[av]" in caught.value.fix


def test_the_writer_makes_a_stereo_wav(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with WavWriter(path, 8000) as writer:
        assert writer.write(struct.pack("<4h", 1, 2, 3, 4)) is None
    with wave.open(str(path), "rb") as got:
        assert (got.getnchannels(), got.getframerate(), got.getsampwidth()) == (2, 8000, 2)
        assert got.readframes(10) == struct.pack("<4h", 1, 2, 3, 4)
    assert writer.close() is None
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"")


def test_the_header_is_valid_up_to_the_last_flush_without_close(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    writer = WavWriter(path, 8000, sync_every_s=1)
    for _ in range(150):
        assert writer.write(bytes(160 * 4)) is None
    with wave.open(str(path), "rb") as got:
        assert got.getnframes() == 150 * 160 // 8000 * 8000
    assert writer.flush() is None
    with wave.open(str(path), "rb") as got:
        assert got.getnframes() == 150 * 160
    writer.close()


def test_frames_must_be_whole(tmp_path: Path) -> None:
    with WavWriter(tmp_path / "a.wav", 8000) as writer, pytest.raises(ValueError, match="whole"):
        writer.write(bytes(6))


def test_opening_raises(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write"):
        WavWriter(tmp_path / "none" / "a.wav", 8000)


def test_a_disk_full_for_a_while_leaves_silence_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    writer = WavWriter(path, 8000, channels=1)
    one, two, three = (struct.pack("<2h", n, n) for n in (1, 2, 3))
    assert writer.write(one) is None
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(fd: int, data: bytes, offset: int) -> int:
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "pwrite", refuse)
        assert writer.write(two) is full
        assert writer.flush() is full
    assert writer.write(three) is None
    assert writer.close() is None
    assert values(read_audio(path).pcm) == [1, 1, 0, 0, 3, 3]
    stats = writer.snapshot()
    assert (stats.frames, stats.lost_frames, stats.error) == (6, 2, full)


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(files.os, "pwrite", lambda fd, data, at: real(fd, bytes(data[:3]), at))
    pcm = sine(440, 8000, 100).tobytes()
    path = tmp_path / "a.wav"
    write_wav(path, pcm, 8000)
    assert read_audio(path).pcm == pcm


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_really_full_device_is_told() -> None:
    with pytest.raises(ConfigError, match="No space left"):
        write_wav("/dev/full", bytes(100), 8000)


def test_a_wav_ends_at_4_gib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "RIFF_MAX", 1000)
    writer = WavWriter(tmp_path / "a.wav", 8000, channels=1)
    assert writer.write(bytes(1000)) is None
    error = writer.write(bytes(2))
    assert error is not None
    assert error.errno == errno.EFBIG
    writer.close()
    assert read_audio(tmp_path / "a.wav").samples == 500
