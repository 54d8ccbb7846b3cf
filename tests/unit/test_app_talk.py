"""A call through a sound card that is not there: whole, with its files."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mediacore import _core, app_talk
from mediacore.agent import Agent
from mediacore.app_talk import TalkOptions, run_talk
from mediacore.audiofile import AudioFile
from mediacore.call.live import LiveModel
from mediacore.call.record import Speaker
from mediacore.cli.talk import command
from mediacore.errors import ConfigError, MissingDependencyError
from mediacore.providers.scripted import ScriptedLlm, ScriptedStt, ScriptedTts, Voice
from mediacore.transports import soundcard
from mediacore.transports.files import read_audio
from mediacore.transports.microphone import MicrophoneConfig
from support.fake_pyaudio import Module

CALLER = Path(__file__).parents[2] / "src" / "mediacore" / "demo" / "caller"

pytestmark = pytest.mark.realtime


def agent(path: Path | None = None) -> Agent:
    return Agent(
        stt=(ScriptedStt(["Is anybody there?"]),),
        llm=(ScriptedLlm(["Yes, I am."] * 4),),
        tts=(ScriptedTts((Voice(ms_per_char=30, first_delay_ms=20),)),),
        greeting="Hello.",
    )


def speech(after: int) -> Callable[[int], bytes]:
    """Frames of somebody who speaks after so many frames of silence."""
    audio: AudioFile = read_audio(CALLER / "04_confirm.wav")
    pcm = _core.Resampler(audio.srate_hz, 16000).run(audio.pcm)

    def frame(n: int) -> bytes:
        return (
            pcm[640 * (n - after) : 640 * (n - after + 1)].ljust(640, b"\0")
            if n >= after
            else bytes(640)
        )

    return frame


@contextmanager
def device(module: Module, microphone: Callable[[int], bytes]) -> Any:
    done = threading.Event()
    thread = threading.Thread(target=module.run, args=(microphone, done))
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_call_by_microphone(tmp_path: Path) -> None:
    module, models = Module(), []
    live = _core.live_objects()

    def watch(model: LiveModel) -> None:
        models.append(model)
        agent_turns = [t for t in model.turns if t.speaker is Speaker.AGENT]
        if len(agent_turns) >= 2 and model.state == "listening":
            os.kill(os.getpid(), signal.SIGINT)  # Ctrl+C

    options = TalkOptions(
        tmp_path / "call",
        microphone=MicrophoneConfig(headset=True),
        watch=watch,
        pyaudio=module,
        make_agent=agent,
    )
    with device(module, speech(75)):
        result = run_talk(options)
    record = result.record
    assert record.end_reason == "hangup"
    assert [t.full_text for t in record.turns] == ["Hello.", "Is anybody there?", "Yes, I am."]
    assert record.transport.kind == "microphone"
    assert record.media["device_taken"] > 100 and record.media["rx_lost"] == 0
    assert record.media["device_muted"] == 0
    assert json.loads((tmp_path / "call" / "call.json").read_text())["end_reason"] == "hangup"
    assert (tmp_path / "call" / "call.wav").stat().st_size > 100_000
    assert module.stream is not None and any(any(frame) for frame in module.stream.played)
    assert models[-1].ended
    assert _core.live_objects() == live
    assert module.open == 0


def test_a_document_by_microphone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_talk, "WhisperStt", lambda: ScriptedStt([]))
    monkeypatch.setattr(app_talk, "HibariTts", lambda: ScriptedTts((Voice(ms_per_char=20),)))
    document = tmp_path / "doc.json"
    document.write_text(
        '{"sections": {"main": [{"answer": {}}, {"play": "say:Goodbye."}, {"hangup": {}}]}}'
    )
    module, models = Module(), []
    options = TalkOptions(
        tmp_path / "calls", document=str(document), watch=models.append, pyaudio=module
    )
    with device(module, speech(10_000)):
        result = run_talk(options)
    assert result.record.end_reason == "hangup"
    assert (result.directory / "call.json").exists()
    assert result.record.media["device_muted"] > 0  # the agent was heard, without a headset
    assert models and models[-1].ended
    assert module.open == 0


def test_without_a_device_nothing_is_left(tmp_path: Path) -> None:
    live = _core.live_objects()
    with pytest.raises(MissingDependencyError, match="A microphone is missing"):
        run_talk(TalkOptions(tmp_path, pyaudio=Module(()), make_agent=agent))
    assert _core.live_objects() == live


def test_an_agent_and_a_document_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exclude"):
        TalkOptions(tmp_path, agent=tmp_path, document="x")


def test_the_command_tells_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundcard, "load_pyaudio", lambda: Module())
    listed = CliRunner().invoke(command, ["--list-devices"])
    assert listed.exit_code == 0
    assert listed.output.splitlines() == [
        "  0  in  0  out  2  Speakers",
        "  1  in  1  out  2  Headset",
    ]
    monkeypatch.setattr(soundcard, "load_pyaudio", lambda: Module(()))
    monkeypatch.setattr(app_talk, "run_talk", lambda options: pytest.fail("models were loaded"))
    refused = CliRunner().invoke(command, [])
    assert isinstance(refused.exception, MissingDependencyError), refused.output


def test_help_names_the_headset() -> None:
    told = CliRunner().invoke(command, ["--help"]).output
    assert "--headset" in told and "nothing here cancels echo" in told.replace("\n ", "")
