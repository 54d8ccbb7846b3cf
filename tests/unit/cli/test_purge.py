"""mediacore purge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner

from mediacore.cli import main
from mediacore.store.records import write_record
from support.sample_call import sample_record


def call_in(directory: Path) -> Path:
    call = directory / "call-1"
    call.mkdir(parents=True)
    write_record(replace(sample_record(), started_at="2020-01-01T00:00:00Z"), call)
    (call / "call.wav").write_bytes(b"RIFF")
    return call


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["purge", *arguments])
    return result.exit_code, result.output


def test_old_calls_go(tmp_path: Path) -> None:
    call = call_in(tmp_path)
    code, text = run(str(tmp_path), "--days", "0")
    assert code == 0 and "1 calls removed" in text
    assert not call.exists()


def test_the_sound_of_a_young_call_goes_and_its_record_stays(tmp_path: Path) -> None:
    call = call_in(tmp_path)
    code, _ = run(str(tmp_path), "--days", "100000", "--no-audio")
    assert code == 0
    assert (call / "call.json").exists() and not (call / "call.wav").exists()


def test_without_a_rule_it_says_what_to_give(tmp_path: Path) -> None:
    code, text = run(str(tmp_path))
    assert code == 2 and "--days" in text
