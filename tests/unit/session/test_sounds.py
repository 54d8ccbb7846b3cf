"""Play items become audio, or a failure with a class."""

from __future__ import annotations

import asyncio
import math
from array import array
from pathlib import Path

import pytest

from mediacore.audiofile import write_wav
from mediacore.errors import ConfigError, ErrorClass, ProviderError
from mediacore.providers.scripted import ScriptedTts, Voice, voiced_audio
from mediacore.runtime.actions import PlayItem
from mediacore.session.ringback import RINGBACKS, ring_cycle
from mediacore.session.sounds import Fetch, Sounds, scale
from mediacore.slots.driver import TtsDriver
from virtual import now_us, run_virtual


async def audio(sounds: Sounds, item: PlayItem, srate_hz: int = 8000) -> bytes:
    return b"".join([pcm async for pcm in sounds.blocks(item, srate_hz)])


def make(item: PlayItem, sounds: Sounds | None = None, srate_hz: int = 8000) -> bytes:
    return run_virtual(audio(sounds or Sounds(None), item, srate_hz))


def fails(item: PlayItem, sounds: Sounds | None = None) -> ErrorClass:
    with pytest.raises(ProviderError) as error:
        make(item, sounds)
    return error.value.error_class


def body(tmp_path: Path, ms: int = 1000) -> bytes:
    path = tmp_path / "made.wav"
    write_wav(path, voiced_audio("x" * (ms // 60 + 1), 16000, 60)[: 32 * ms], 16000)
    return path.read_bytes()


def serve(data: bytes | Exception, seen: list[str]) -> Fetch:
    async def fetch(url: str) -> bytes:
        seen.append(url)
        if isinstance(data, Exception):
            raise data
        return data

    return fetch


def test_speech_takes_the_voice_and_language_of_the_item() -> None:
    tts = ScriptedTts(srate_hz=24000)

    async def main() -> int:
        sounds = Sounds(TtsDriver([tts], now_us), language="de-DE", voice="otto")
        first = await audio(sounds, PlayItem("say", "Guten Tag zusammen."))
        await audio(sounds, PlayItem("say", "Bonjour.", "marie", "fr-FR"))
        return len(first) // 2

    samples = run_virtual(main())
    assert abs(samples - 19 * 60 * 8) <= 200
    assert [(r.language, r.voice) for r in tts.requests] == [("de-DE", "otto"), ("fr-FR", "marie")]


def test_a_failing_voice_says_why() -> None:
    async def main() -> None:
        tts = ScriptedTts((Voice(error=ErrorClass.AUTH),))
        await audio(Sounds(TtsDriver([tts], now_us)), PlayItem("say", "Hello."))

    with pytest.raises(ProviderError) as error:
        run_virtual(main())
    assert error.value.error_class is ErrorClass.AUTH
    assert fails(PlayItem("say", "Hello.")) is ErrorClass.UNAVAILABLE


def test_silence_and_rings_have_their_length() -> None:
    assert make(PlayItem("silence", ms=250)) == bytes(4000)
    ring = array("h", make(PlayItem("ring", "DE", ms=12_000), srate_hz=16000))
    assert len(ring) == 12 * 16000
    for second in range(12):
        part = ring[second * 16000 : (second + 1) * 16000]
        assert (max(part) > 3000) == (second % 5 == 0)
    assert len(make(PlayItem("ring"))) == 2 * 8000 * 6  # one American cycle
    assert fails(PlayItem("ring", "atlantis")) is ErrorClass.BAD_INPUT


@pytest.mark.parametrize("country", sorted(RINGBACKS))
def test_tones_have_their_frequencies_without_a_seam(country: str) -> None:
    ringback = RINGBACKS[country]
    pcm = array("h", ring_cycle(ringback, 8000))
    assert len(pcm) == 8 * sum(ringback.cadence_ms)
    on = pcm[: 8 * ringback.cadence_ms[0]]
    for hz in (*ringback.tones_hz, 700):
        re = sum(x * math.cos(2 * math.pi * hz * i / 8000) for i, x in enumerate(on))
        im = sum(x * math.sin(2 * math.pi * hz * i / 8000) for i, x in enumerate(on))
        level = 2 * math.hypot(re, im) / len(on)
        assert (abs(level - 4600) < 250) == (hz in ringback.tones_hz)


def test_a_url_is_fetched_decoded_and_kept(tmp_path: Path) -> None:
    seen: list[str] = []

    async def main() -> None:
        sounds = Sounds(None, serve(body(tmp_path), seen))
        first = await audio(sounds, PlayItem("audio", "https://a.example/x.wav?y=1"))
        assert len(first) == 16000
        assert await audio(sounds, PlayItem("audio", "https://a.example/x.wav?y=1")) == first
        await audio(sounds, PlayItem("audio", "https://a.example/x.wav?y=1"), 16000)

    run_virtual(main())
    assert len(seen) == 2  # once for each rate


def test_the_cache_is_bounded(tmp_path: Path) -> None:
    seen: list[str] = []

    async def main() -> None:
        sounds = Sounds(None, serve(body(tmp_path), seen), cache_bytes=40_000)
        for name in "abcab":
            await audio(sounds, PlayItem("audio", f"http://a.example/{name}.wav"))
            assert sounds.cached_bytes <= 40_000
        small = Sounds(None, serve(body(tmp_path), seen), cache_bytes=100)
        await audio(small, PlayItem("audio", "http://a.example/a.wav"))
        assert small.cached_bytes == 0

    run_virtual(main())
    assert len(seen) == 6  # only the two last are kept


def test_what_cannot_be_played_has_a_class(tmp_path: Path) -> None:
    url = PlayItem("audio", "https://a.example/x.wav")
    seen: list[str] = []
    assert fails(url) is ErrorClass.BAD_INPUT
    assert fails(url, Sounds(None, serve(OSError("gone"), seen))) is ErrorClass.UNAVAILABLE
    assert fails(url, Sounds(None, serve(ConfigError("no"), seen))) is ErrorClass.UNAVAILABLE
    refused = ProviderError(ErrorClass.AUTH, "401")
    assert fails(url, Sounds(None, serve(refused, seen))) is ErrorClass.AUTH
    assert fails(url, Sounds(None, serve(b"RIFF1234WAVEjunk", seen))) is ErrorClass.BAD_OUTPUT
    assert fails(PlayItem("audio", "file:///etc/passwd")) is ErrorClass.BAD_INPUT


def test_names_lie_below_the_directory_of_sounds(tmp_path: Path) -> None:
    directory = tmp_path / "sounds"
    directory.mkdir()
    (directory / "hello.wav").write_bytes(body(tmp_path))
    (directory / "out.wav").symlink_to(tmp_path / "made.wav")
    sounds = Sounds(None, sounds_dir=directory)
    assert len(make(PlayItem("audio", "hello.wav"), sounds)) == 16000
    for name in ("../made.wav", "out.wav", str(tmp_path / "made.wav"), "missing.wav", "", "a\0b"):
        assert fails(PlayItem("audio", name), sounds) in (
            ErrorClass.BAD_INPUT,
            ErrorClass.UNAVAILABLE,
        )
    assert fails(PlayItem("audio", "hello.wav")) is ErrorClass.BAD_INPUT


def test_compressed_files_are_read(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    from mediacore.session.encoded import EncodedWriter

    writer = EncodedWriter(tmp_path / "a.mp3", 16000, 1)
    assert writer.write(voiced_audio("x" * 20, 16000, 50)) is None
    assert writer.close() is None
    data = (tmp_path / "a.mp3").read_bytes()
    pcm = make(PlayItem("audio", "http://a.example/a.mp3"), Sounds(None, serve(data, [])))
    assert av
    assert abs(len(pcm) // 2 - 8000) < 1200
    assert max(array("h", pcm)) > 1000


def test_volume_saturates() -> None:
    pcm = array("h", [0, 100, -100, 32767, -32768]).tobytes()
    assert scale(pcm, 0) is pcm
    assert array("h", scale(pcm, -6.0206)).tolist() == [0, 50, -50, 16383, -16384]
    assert array("h", scale(pcm, 40)).tolist() == [0, 10_000, -10_000, 32767, -32768]


def test_a_listener_may_stop_early() -> None:
    async def main() -> None:
        tts = ScriptedTts((Voice(endless=True),))
        stream = Sounds(TtsDriver([tts], now_us)).blocks(PlayItem("say", "Hello."), 8000)
        assert await anext(stream)
        await stream.aclose()
        await asyncio.sleep(0)

    run_virtual(main())
