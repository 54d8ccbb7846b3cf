import wave
from array import array
from pathlib import Path

import pytest

from mediacore.observe.audio import AudioFileError, read_audio, ulaw
from support.sample_call import sample_audio, write_audio


def expand(code: int) -> int:
    """G.711 µ-law decoding, written out."""
    code = ~code & 0xFF
    value = (((code & 0x0F) << 3) + 132 << (code >> 4 & 7)) - 132
    return -value if code & 0x80 else value


def test_mu_law_is_within_half_a_step() -> None:
    pcm = array("h", range(-32000, 32000, 37))
    for sample, code in zip(pcm, ulaw(pcm), strict=True):
        step = max(8, (abs(sample) + 132) // 16)
        assert abs(expand(code) - sample) <= step // 2 + 4


def test_mu_law_of_the_ends() -> None:
    assert ulaw(array("h", [0, 32767, -32768])) == b"\xff\x80\x00"


def test_read_back(tmp_path: Path) -> None:
    audio = sample_audio()
    again = read_audio(write_audio(audio, tmp_path))
    assert again == audio
    assert again.samples == 36 * 8000
    assert again.caller[100] == audio.pcm[200]
    assert again.agent[100] == audio.pcm[201]


def test_mono_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with pytest.raises(AudioFileError, match=r"x\.wav does not exist"):
        read_audio(path)
    path.write_bytes(b"RIFF....junk")
    with pytest.raises(AudioFileError, match=r"x\.wav cannot be read as WAV"):
        read_audio(path)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(100))
    with pytest.raises(AudioFileError, match="not a 16-bit stereo"):
        read_audio(path)
