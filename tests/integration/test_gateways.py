"""serve and call as programs: SIP both ways, a drain, a second signal, and exit codes."""

from __future__ import annotations

import math
import os
import re
import select
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mediacore.transports.files import read_audio

ROOT = Path(__file__).parents[2]
WAV = ROOT / "src/mediacore/demo/caller/01_check_order.wav"
PROGRAM = (sys.executable, "-m", "mediacore")
CONFIG = f"""
[service]
document = "{ROOT / "examples" / "ivr.yaml"}"
stt = "none"
tts = "tones"
records = "calls"
drain_s = 60
[[sip.binds]]
transport = "UDP"
port = 0
"""

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]


class Serving:
    def __init__(self, program: subprocess.Popen[bytes]) -> None:
        self.program = program
        self.text = ""

    def wait_for(self, pattern: str, seconds: float = 30) -> re.Match[str]:
        out = self.program.stdout
        assert out is not None
        deadline = time.monotonic() + seconds
        while (found := re.search(pattern, self.text)) is None:
            assert time.monotonic() < deadline, self.text
            if select.select([out], [], [], 0.2)[0]:
                data = os.read(out.fileno(), 65536)
                assert data, self.text
                self.text += data.decode()
        return found


@contextmanager
def serving(tmp_path: Path) -> Iterator[tuple[Serving, str]]:
    (tmp_path / "m.toml").write_text(CONFIG)
    with subprocess.Popen(
        [*PROGRAM, "serve", "--config", str(tmp_path / "m.toml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    ) as program:
        run = Serving(program)
        try:
            address = run.wait_for(r"sip: UDP (\S+)")[1]
            run.wait_for("running")
            yield run, f"sip:100@{address}"
        finally:
            if program.poll() is None:
                program.kill()


def call(uri: str, out: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "call", uri, "--wav", str(WAV), "--out", str(out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def level(path: Path) -> float:
    samples = array("h", read_audio(path).pcm)
    return math.sqrt(sum(s * s for s in samples) / len(samples))


def test_a_call_by_sip_and_a_drain(tmp_path: Path) -> None:
    with serving(tmp_path) as (run, uri):
        first = call(uri, tmp_path / "first", "--stay", "6")
        run.wait_for("answered")
        run.program.send_signal(signal.SIGTERM)
        run.wait_for("draining: 1 calls")
        late = call(uri, tmp_path / "late")
        assert late.communicate(timeout=40)[0].count("over: error") == 1
        assert late.returncode == 1  # 503
        told = first.communicate(timeout=60)[0]
        assert first.returncode == 0, told
        assert "ringing" in told
        assert "answered: PCMU" in told
        assert run.program.wait(20) == 0
    assert level(tmp_path / "first" / "heard.wav") > 300  # the agent's tones


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as (run, uri):
        caller = call(uri, tmp_path / "out", "--stay", "50")
        run.wait_for("answered")
        run.program.send_signal(signal.SIGTERM)
        run.wait_for("draining")
        run.program.send_signal(signal.SIGTERM)
        assert run.program.wait(15) == 0
        assert "over: hangup" in caller.communicate(timeout=20)[0]
        assert caller.returncode == 0


def test_interrupting_a_call_hangs_up(tmp_path: Path) -> None:
    with serving(tmp_path) as (run, uri):
        caller = call(uri, tmp_path / "out", "--stay", "50")
        run.wait_for("answered")
        time.sleep(1.5)
        caller.send_signal(signal.SIGINT)
        assert "over: hangup" in caller.communicate(timeout=20)[0]
        assert caller.returncode == 0
        run.wait_for("call_state=ended")
    assert (tmp_path / "out" / "heard.wav").stat().st_size > 44


def test_nobody_there(tmp_path: Path) -> None:
    gone = call("sip:x@127.0.0.1:9", tmp_path / "out", "--ring", "3")
    told = gone.communicate(timeout=50)[0]
    assert gone.returncode in (1, 11), told
    assert "over:" in told
