"""The journal of open calls, and what is made of it after a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mediacore.call.record import CallRecord, TransportFacts
from mediacore.store.journal import SUFFIX, Journal, recover
from mediacore.store.records import StoreError, read_record, write_record

PROGRAM = """
import sys, time
from pathlib import Path
from mediacore.store.journal import Journal
directory = Path(sys.argv[1])
journal = Journal(directory)
for call in ("ended", "ringing", "talking", "recorded"):
    journal.note(call, "start", {})
journal.note("ended", "answer", {})
journal.note("talking", "answer", {"line": "talking"})
journal.note("ended", "end", {"reason": "hangup"})
while journal.snapshot().written < 7:
    time.sleep(0.01)
print("ready", flush=True)
time.sleep(60)
"""


def _lines(path: Path) -> list[tuple[str, str]]:
    entries = map(json.loads, path.read_text().splitlines())
    return [(entry["call"], entry["event"]) for entry in entries]


def test_events_are_on_disk_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.note("a", "start", {"from": "+1"})
    journal.note("a", "answer")
    journal.note("a", "end", {"reason": "hangup"})
    journal.close(keep=True)
    assert _lines(journal.path) == [("a", "start"), ("a", "answer"), ("a", "end")]
    assert journal.snapshot().written == 3


def test_a_journal_that_is_closed_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.note("a", "start")
    journal.close()
    assert list(tmp_path.glob(f"*{SUFFIX}")) == []
    assert recover(tmp_path) == ()


def test_a_living_process_keeps_its_calls(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.note("a", "start")
    assert recover(tmp_path) == ()
    journal.close(keep=True)
    assert recover(tmp_path) == ("a",)
    assert recover(tmp_path) == ()


def test_calls_of_a_killed_process_get_a_record(tmp_path: Path) -> None:
    args = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(args, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        facts = TransportFacts("rtp", "PCMU")
        kept = CallRecord("recorded", "2026-01-01T00:00:00+00:00", 9, 8000, facts, "hangup")
        write_record(kept, tmp_path / "recorded")
        os.kill(process.pid, signal.SIGKILL)
    assert recover(tmp_path) == ("ringing", "talking")
    talking = read_record(tmp_path / "talking")
    assert (talking.end_reason, talking.duration_ms) == ("lost", 0)
    assert talking.lost
    assert read_record(tmp_path / "recorded") == kept
    assert not (tmp_path / "ended").exists()
    assert list(tmp_path.glob(f"*{SUFFIX}")) == []


def test_torn_foreign_and_evil_lines_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / f"calls-x{SUFFIX}"
    good = '{"call": "ok", "event": "start", "at": "2026-01-01T00:00:00+00:00"}'
    answer = '{"call": "ok", "event": "answer", "at": "2026-01-01T00:00:01+00:00"}'
    evil = '{"call": "../evil", "event": "start", "at": ""}'
    path.write_text("\n".join([good, answer, evil, "[]", '{"call": 1}', '{"call": "torn"']))
    audio = tmp_path / "ok" / "call.wav"
    audio.parent.mkdir()
    audio.write_bytes(b"")
    os.utime(audio, (1767225611, 1767225611))  # ten seconds after the answer
    assert recover(tmp_path) == ("ok",)
    assert read_record(tmp_path / "ok").duration_ms == 10_000
    assert not (tmp_path.parent / "evil").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        Journal(blocked / "records")


def test_closing_without_the_directory_is_logged_and_not_raised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "calls"
    journal = Journal(directory)
    assert journal.path.stat().st_mode & 0o777 == 0o600
    directory.rename(tmp_path / "gone")
    directory.write_text("no directory")
    journal.close()
    assert "journal not removed" in caplog.text


def test_a_call_cannot_name_the_directory_above(tmp_path: Path) -> None:
    directory = tmp_path / "calls"
    directory.mkdir()
    line = json.dumps({"call": "..", "event": "start", "at": ""})
    (directory / f"a{SUFFIX}").write_text(line + "\n")
    assert recover(directory) == ()
    assert [path.name for path in tmp_path.iterdir()] == ["calls"]
