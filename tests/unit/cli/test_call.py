"""mediacore call URI: what its options mean, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mediacore import app_call
from mediacore.app_call import Outcome
from mediacore.cli import main
from mediacore.slots.gateway import LineEnd


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """[what comes of the call, options that were given …]."""
    seen: list[Any] = [Outcome(True, LineEnd.HANGUP)]

    def run_call(options: Any, tell: Any) -> Outcome:
        tell("calling")
        seen.append(options)
        outcome: Outcome = seen[0]
        return outcome

    monkeypatch.setattr(app_call, "run_call", run_call)
    return seen


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["call", *arguments])
    return result.exit_code, result.output


def test_options_arrive(placed: list[Any], tmp_path: Path, monkeypatch: Any) -> None:
    wav = tmp_path / "a.wav"
    wav.write_bytes(b"")
    monkeypatch.setenv("PW", "s3cret")
    code, text = run(
        *("sip:a@b", "--wav", str(wav), str(wav), "--codec", "PCMA", "--user", "me"),
        *("--password-env", "PW", "--from", "+1", "--ring", "5", "--stay", "1", "--limit", "9"),
        *("--bind", "127.0.0.1", "--out", str(tmp_path)),
    )
    assert (code, text) == (0, "calling\n")
    options = placed[1]
    assert options.wavs == (wav, wav)
    assert (options.stay_s, options.limit_s, options.out) == (1, 9, tmp_path)
    to = options.to
    assert (to.target, to.host, to.from_number, to.codecs) == (
        *("sip:a@b", "127.0.0.1", "+1", ("PCMA",)),
    )
    assert (to.username, to.password, to.ring_s) == ("me", "s3cret", 5)
    assert "s3cret" not in repr(options)


def test_an_agent_talks_unless_told_otherwise(placed: list[Any]) -> None:
    assert run("+15550100")[0] == 0
    assert (placed[1].wavs, placed[1].agent, placed[1].document) == ((), None, None)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (LineEnd.BUSY, 10),
        (LineEnd.NO_ANSWER, 11),
        (LineEnd.DECLINE, 12),
        (LineEnd.NOT_FOUND, 13),
        (LineEnd.ERROR, 1),
        (LineEnd.CANCEL, 1),
    ],
)
def test_exit_codes(placed: list[Any], end: LineEnd, code: int) -> None:
    placed[0] = Outcome(False, end)
    assert run("sip:a@b")[0] == code


def test_json(placed: list[Any]) -> None:
    placed[0] = Outcome(True, LineEnd.HANGUP, heard=Path("x/heard.wav"))
    result = CliRunner().invoke(main, ["call", "sip:a@b", "--json"])
    assert json.loads(result.stdout) == {
        "answered": True,
        "end": "hangup",
        "files": ["x/heard.wav"],
    }


def test_usage(placed: list[Any]) -> None:
    assert run()[0] == 2
    code, text = run("sip:a@b", "--password-env", "NONE_SUCH")
    assert code == 2
    assert "NONE_SUCH is not set" in text
    assert len(placed) == 1
