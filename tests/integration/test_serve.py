"""mediacore serve as a program: one call by a document, and a planned end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SERVE = (sys.executable, "-m", "mediacore", "serve", "--stt", "none", "--tts", "tones")

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]


def test_a_document_takes_a_call_and_the_program_ends_with_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *SERVE,
            *("--document", str(EXAMPLES / "ivr.yaml"), "--records", str(tmp_path / "calls")),
            *("--log", str(tmp_path / "decisions.log"), "--call", "01_check_order"),
        ],
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "collect" in done.stdout
    assert "ended: hangup" in done.stdout
    (record,) = (tmp_path / "calls").glob("*/call.json")
    found = json.loads(record.read_text())
    assert found["end_reason"] == "hangup"
    assert found["media"]["rx_packets"] > 50
    log = (tmp_path / "decisions.log").read_text()
    assert "decision=call_over verdict=hangup" in log
    assert f"call={record.parent.name} " in log
    assert "text(" not in log.replace("name=text(", "")  # ids and verdicts are readable


def test_a_signal_ends_it_in_order(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*SERVE, "--control", "0", "--records", str(tmp_path / "calls")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        assert program.stdout is not None
        lines = iter(program.stdout.readline, "")
        told = [line for line in (next(lines) for _ in range(4)) if line]
        assert any("wss://127.0.0.1:" in line for line in told)
        assert any("SIGNALWIRE_API_TOKEN=" in line for line in told)
        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == 0
