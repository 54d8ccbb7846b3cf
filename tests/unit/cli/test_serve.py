"""mediacore serve: what its options mean, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mediacore import app_serve
from mediacore.cli import main


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Options that reached the service, which is not started."""
    found: list[Any] = []
    monkeypatch.setattr(app_serve, "run_serve", lambda options, watch: found.append(options))
    return found


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["serve", *arguments])
    return result.exit_code, result.output


def test_options_arrive(given: list[Any], tmp_path: Path) -> None:
    wav = tmp_path / "a.wav"
    wav.write_bytes(b"")
    code, text = run(
        *("--document", "flow.yaml", "--llm", "scripted:x", "--llm", "tiny"),
        *("--control", "0.0.0.0:7443", "--call", str(wav), "01_check_order"),
        *("--phone", f"+1777={wav},{wav}", "--budget", "seconds=1h,money=0.5,turns=9"),
        *("--allow", "10.0.0.0/8", "--records", str(tmp_path / "calls")),
    )
    assert (code, text) == (0, "")
    (options,) = given
    assert options.llm == ("scripted:x", "tiny")
    assert options.control == ("0.0.0.0", 7443)
    assert options.call[0] == wav
    assert options.call[1].name == "01_check_order.wav"  # one of the demo's
    assert options.call[1].is_file()
    assert options.phones == {"+1777": (wav, wav)}
    assert (options.budget.seconds, options.budget.money_micros) == (3600, 500_000)
    assert options.budget.turns == 9


def test_controllers_are_on_loopback_unless_told_otherwise(given: list[Any]) -> None:
    assert run("--control", "7443")[0] == 0
    assert given[0].control == ("127.0.0.1", 7443)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--control", "here"), "[HOST:]PORT"),
        (("--phone", "+1777"), "NUMBER=FILE"),
        (("--phone", "+1777=missing.wav"), "missing.wav"),
        (("--day-cap", "much"), "--day-cap"),
        (("--day-cap", "-1"), "--day-cap"),
        (("--budget", "hours=3"), "hours"),
        (("--call", "missing.wav"), "missing.wav"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    given: list[Any], arguments: tuple[str, ...], told: str
) -> None:
    code, text = run(*arguments)
    assert code == 2
    assert told in text
    assert not given


def test_a_days_cap_needs_prices_and_a_store(tmp_path: Path) -> None:
    code, text = run("--day-cap", "10", "--tts", "tones", "--stt", "none")
    assert code == 2
    assert "--prices" in text


def test_an_agent_without_a_model_is_refused_with_its_line(tmp_path: Path) -> None:
    flow = tmp_path / "flow.yaml"
    flow.write_text("sections:\n  main:\n    - answer: {}\n    - ai: {prompt: {text: Hello}}\n")
    code, text = run("--document", str(flow), "--tts", "tones", "--stt", "none")
    assert code == 2
    assert f"{flow}:4" in text
    assert "--llm" in text


def test_a_file_and_what_overrides_it(given: list[Any], tmp_path: Path) -> None:
    config = tmp_path / "m.toml"
    config.write_text(
        "[service]\ndocument = 'flow.yaml'\nstt = 'none'\nmax_calls = 7\nlanguage = 'de-DE'\n"
        "[control]\nport = 7000\n[audiosocket]\nport = 9099\n"
    )
    arguments = ("--config", str(config), "--stt", "local", "--control", "7001", "--drain", "3")
    assert run(*arguments) == (0, "")
    (options,) = given
    assert options.document == str(tmp_path / "flow.yaml")
    assert (options.stt, options.control) == ("local", ("127.0.0.1", 7001))
    assert (options.max_calls, options.language, options.drain_s) == (7, "de-DE", 3)
    assert options.gateways.audiosocket.port == 9099


def test_a_file_that_cannot_be_used(given: list[Any], tmp_path: Path) -> None:
    config = tmp_path / "m.toml"
    config.write_text("[service]\ndocumnt = 'x'\n")
    code, text = run("--config", str(config))
    assert code == 2
    assert "m.toml:2: service.documnt: unknown key; did you mean document?" in text
    assert not given


def test_a_public_listener_for_anybody_is_not_started(tmp_path: Path) -> None:
    config = tmp_path / "m.toml"
    config.write_text(
        "[service]\nstt = 'none'\ntts = 'tones'\n"
        "[audiosocket]\nhost = '0.0.0.0'\nexpected = ['0.0.0.0/0']\n"
    )
    code, text = run("--config", str(config))
    assert code == 2
    assert "[audiosocket] on 0.0.0.0:9092 would take calls from anybody" in text
