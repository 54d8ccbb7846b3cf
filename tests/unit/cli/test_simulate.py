"""`mediacore simulate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mediacore.cli.group import main
from mediacore.runtime import dialing, ending


def run(*args: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["simulate", *args])
    return result.exit_code, result.stdout, result.stderr


def test_figures(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    code, out, _ = run("--runs", "60", "--seed", "3", "--json", str(file))
    assert code == 0
    assert "violations" in out
    figures = json.loads(file.read_text())["figures"]
    assert figures["runs"] == 60
    assert figures["violations"] == 0
    assert 30 < figures["interleavings"] <= 60
    assert figures["runs_per_cpu_s"] > 0


def test_figures_on_stdout() -> None:
    code, out, _ = run("--runs", "5", "--json", "-")
    assert code == 0
    assert json.loads(out)["figures"]["runs"] == 5


def test_a_story() -> None:
    code, out, _ = run("--replay", "4", "--scenario", "menu")
    assert code == 0
    assert "the document begins" in out
    assert "menu: " in out


def test_an_unknown_scenario_is_a_usage_error() -> None:
    code, _, err = run("--scenario", "nothing")
    assert code == 2
    assert "controlled" in err


def test_a_violation_is_told_in_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialing, "abort", lambda d, op, reason: ending.finish(d, op, "error"))
    code, out, _ = run("--runs", "40", "--scenario", "transfer")
    assert code == 1
    assert "The shortest order of events" in out
    assert "--scenario transfer --replay" in out
    seed = out.partition("--replay ")[2].split()[0]
    code, again, _ = run("--replay", seed, "--scenario", "transfer")
    assert code == 1
    assert "The shortest order of events" in again
