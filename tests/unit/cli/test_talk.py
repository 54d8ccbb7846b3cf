"""mediacore talk: what is missing is told with its fix and an exit code, before models load."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from click.testing import CliRunner

from mediacore import app_talk
from mediacore.cli import main
from mediacore.cli.group import EXIT_MISSING
from mediacore.transports import soundcard
from support.fake_pyaudio import Module


@pytest.fixture(autouse=True)
def _no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_talk(options: Any) -> None:
        pytest.fail("models were loaded")

    monkeypatch.setattr(app_talk, "run_talk", run_talk)


def talk() -> tuple[int, str]:
    result = CliRunner().invoke(main, ["talk"])
    return result.exit_code, result.output


def test_without_pyaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    code, text = talk()
    assert code == EXIT_MISSING
    assert "mediacore[mic]" in text
    assert "Traceback" not in text


def test_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundcard, "load_pyaudio", lambda: Module(()))
    code, text = talk()
    assert code == EXIT_MISSING
    assert text.startswith("mediacore: A microphone is missing. To add it:")
    assert "Traceback" not in text
