"""A peer made of one raw socket checks the SIP user agent from outside, both ways."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.peers.process import LOOPBACK, Program, free_port

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(90)]

ROOT = Path(__file__).parents[2]
PROBE = ROOT / "tools" / "sip_probe.py"
TARGET = ROOT / "tests" / "support" / "sip_target.py"
WHO = "probe:secret"


def probe(port: int, only: str) -> subprocess.Popen[str]:
    trigger = f"exec {sys.executable} {TARGET} --auth {WHO} call {{uri}}"
    options = ["--ring-user", "ring", "--uac-trigger", trigger, "--auth", WHO, "--only", only]
    return subprocess.Popen(
        [sys.executable, str(PROBE), f"{LOOPBACK}:{port}", "--seed", "7", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_every_check_passes(tmp_path: Path) -> None:
    port = free_port()
    arguments = [str(TARGET), "serve", "--port", str(port), "--ring-user", "ring"]
    with Program(sys.executable, arguments, tmp_path) as target:
        target.expect("listening")
        sides = [probe(port, only) for only in ("uas_", "uac_")]
        try:
            told = [side.communicate(timeout=80)[0] for side in sides]
        finally:
            for side in sides:
                side.kill()
        codes = [side.returncode for side in sides]
        assert codes == [0, 0], "\n".join([*told, target.output()])
        assert sum(text.count("\npass ") for text in told) >= 30, told
        assert not any("\nn/a" in text for text in told), told
