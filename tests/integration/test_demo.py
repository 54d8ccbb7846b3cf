"""The demo as a user runs it, in real time, judged by ear: recognition of what was recorded."""

import asyncio
import json
import math
import os
import subprocess
import sys
import time
from array import array

import jiwer
import pytest

from mediacore.call.record import Speaker, UtteranceState
from mediacore.observe.audio import read_audio
from mediacore.providers.whisper import WhisperStt
from mediacore.store.records import read_record
from mediacore.transports.files import AudioFile, resample

pytestmark = [pytest.mark.local, pytest.mark.phone, pytest.mark.realtime, pytest.mark.timeout(180)]

PLAIN = jiwer.Compose(
    [
        jiwer.ToLowerCase(),
        jiwer.SubstituteRegexes({r"[-,.?!]": " "}),
        jiwer.SubstituteWords(
            {"nine": "9", "twelve": "12", "one": "1", "two": "2", "six": "6", "half": "half"}
        ),
        jiwer.SubstituteRegexes({r"(\d)": r" \1 "}),
        jiwer.RemoveMultipleSpaces(),
        jiwer.Strip(),
    ]
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    began = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-m", "mediacore", "demo", "--out", str(out), "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert run.returncode == 0, run.stderr
    return out, json.loads(run.stdout), time.monotonic() - began


def dbov(pcm):
    energy = sum(x * x for x in pcm) / max(1, len(pcm))
    return 10 * math.log10(max(energy, 1e-9) / 32768**2)


def test_it_is_complete_and_short(demo):
    out, result, took_s = demo
    assert result["end_reason"] == "completed"
    assert result["cuts"] >= 1
    assert result["errors"] == 0
    assert took_s < 60
    for name in ("call.json", "call.wav", "report.html", "timeline.png"):
        assert (out / name).stat().st_size > 10_000, name


def test_the_caller_was_understood(demo):
    _, result, _ = demo
    said = [t["text"] for t in result["transcript"] if t["speaker"] == "caller"]
    expected = [
        "Hi, I'd like to check on an order, please.",
        "Sure. It's 4 7 1 9 2 5.",
        "Yes, that's right.",
        "Sorry, wait. When does it arrive?",
        "Actually, can I book an appointment for a fitting?",
        "Tuesday morning would be great.",
        "No, that's all. Thank you, bye.",
    ]
    assert jiwer.wer([PLAIN(t) for t in expected], [PLAIN(t) for t in said]) <= 0.1


def test_the_agents_channel_holds_what_the_ledger_says_was_heard(demo):
    out, _, _ = demo
    record, audio = read_record(out), read_audio(out / "call.wav")
    turns = [t for t in record.turns if t.speaker is Speaker.AGENT]
    spoken = [
        audio.agent[t.utterances[0].playout[0].start : t.end]
        for t in turns
        if t.utterances and t.utterances[0].playout
    ]

    async def recognise():
        stt = WhisperStt()
        try:
            return [
                await stt.transcribe(resample(AudioFile(pcm.tobytes(), 8000), 16000).pcm)
                for pcm in spoken
            ]
        finally:
            await stt.aclose()

    recognised = asyncio.run(recognise())
    heard = [t.heard_text for t in turns]
    assert jiwer.wer([PLAIN(t) for t in heard], [PLAIN(t) for t in recognised]) <= 0.15
    cut = next(i for i, t in enumerate(turns) if t.was_cut)
    unheard = PLAIN(turns[cut].full_text[len(turns[cut].heard_text) + 20 :])
    assert unheard
    assert unheard.split()[-1] not in PLAIN(recognised[cut]).split()


def test_levels_and_ledger(demo):
    out, _, _ = demo
    record, audio = read_record(out), read_audio(out / "call.wav")
    assert len(audio.caller) == len(audio.agent)
    caller = array("h", (x for b in record.speech for x in audio.caller[b.start : b.end]))
    agent = array("h", (x for x in audio.agent if abs(x) > 200))
    assert -35 < dbov(caller) < -15
    assert -35 < dbov(agent) < -10
    assert max(map(abs, audio.agent)) < 32767
    utterances = [u for t in record.turns for u in t.utterances]
    assert sum(u.wire_samples for u in utterances) == record.media["wire_samples"]
    assert record.media["underruns"] == 0
    cut = next(u for u in utterances if u.state is UtteranceState.CUT)
    silent = audio.agent[cut.playout[-1].end : cut.playout[-1].end + 800]
    assert max(map(abs, silent)) <= 8  # nothing after the cut


def test_the_page_needs_no_network(demo):
    out, _, _ = demo
    page = (out / "report.html").read_text()
    assert "http://" not in page and "https://" not in page
    assert "<s>" in page or "<del" in page  # struck-out words
