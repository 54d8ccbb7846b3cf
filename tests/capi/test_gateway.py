"""The example gateway in C: builds without Python, plays its beep, ends by itself."""

import shutil
import subprocess
from pathlib import Path

import pytest

CSRC = Path(__file__).parents[2] / "csrc"


@pytest.mark.timeout(120)
@pytest.mark.realtime
def test_the_example_gateway_ends_well(build: Path) -> None:
    assert shutil.which("make") is not None
    done = subprocess.run(
        ["make", "-s", "-C", str(CSRC), f"BUILD={build}", "CFLAGS=-O1", "example"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    events = [line.split(" event ")[1].split()[0] for line in lines if " event " in line]
    assert events.count("1") == 4  # opened
    assert events.count("2") == 4  # closed
    assert events.count("13") == 1  # the beep was played
    assert "15" in events  # the digit was heard
    assert lines[-1].startswith("phone A heard a peak of 7")
