"""`mediacore call --wav` with people's voices."""

import json
import re
import subprocess
import sys

import jiwer
import pytest

from support.sounds import ASTERISK, POCKETSPHINX, need

pytestmark = [pytest.mark.local, pytest.mark.phone, pytest.mark.realtime, pytest.mark.timeout(120)]


def call(tmp_path, *arguments):
    command = [sys.executable, "-m", "mediacore", "call", "--out", str(tmp_path), "--json"]
    run = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("codec", ["PCMU", "G722"])
def test_a_studio_voice_is_understood(tmp_path, codec):
    recordings = [need(ASTERISK / f"{name}.wav") for name in ("tt-weasels", "vm-goodbye")]
    result = call(tmp_path, "--codec", codec, "--wav", *recordings)
    said = [t["text"].lower().strip(".!") for t in result["transcript"] if t["speaker"] == "caller"]
    assert "have eaten our phone system" in said[0]  # who did is heard as weasels or weasles
    assert "goodbye" in said[-1].replace(" ", "")
    assert result["end_reason"] == "completed"  # the dialogue understood the goodbye


def test_a_reader_interrupts(tmp_path):
    folder = POCKETSPHINX / "librivox"
    reading = need(folder / "sense_and_sensibility_01_austen_64kb-0870.wav")
    bye = need(ASTERISK / "vm-goodbye.wav")
    result = call(tmp_path, "--barge-in-after", "0.9", "--wav", reading, bye)
    greeting = result["transcript"][0]
    assert greeting["speaker"] == "agent"
    assert len(greeting["heard"]) < len(greeting["text"])
    said = next(t["text"] for t in result["transcript"] if t["speaker"] == "caller")
    lines = (folder / "transcription").read_text().splitlines()
    truth = next(line for line in lines if "0870" in line)
    words = truth.partition("<s>")[2].partition("</s>")[0].strip()
    plain = " ".join(re.findall(r"[a-z']+", said.lower()))
    assert jiwer.wer(words.lower(), plain) <= 0.3
