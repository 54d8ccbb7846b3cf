"""What is kept of a call, on a disk that works and on one that does not."""

from __future__ import annotations

import threading
import wave
from array import array
from pathlib import Path

import pytest

from mediacore.call.record import MarkKind
from mediacore.media import LegConfig, Tap
from mediacore.providers.scripted import End, Say, ScriptedLlm, ScriptedStt, ScriptedTts
from mediacore.recording import WavSink
from support.session_sim import Stage, assert_ledger, play, say

LEG = LegConfig(taps=Tap.RX | Tap.RECORD | Tap.NOTES, seed=1, tap_ms=1500)


class Kept:
    """A sink in memory."""

    def __init__(self) -> None:
        self.blocks: list[tuple[int, bytes]] = []
        self.closed = 0

    def put(self, at: int, pcm: bytes) -> None:
        self.blocks.append((at, pcm))

    def close(self) -> str:
        self.closed += 1
        return ""


def call(audio: object) -> Stage:
    return play(
        Stage(
            stt=[ScriptedStt(["Where is my order?"])],
            llm=[ScriptedLlm([(Say("It comes on Friday. Goodbye."), End())])],
            tts=[ScriptedTts()],
            leg=LEG,
            audio=audio,  # type: ignore[arg-type]
            lines=[say("Where is my order please?")],
        )
    )


def test_the_recording_is_the_wire() -> None:
    sink = Kept()
    stage = call(sink)
    assert sink.closed == 1
    at = 0
    sent = array("h")
    for position, pcm in sink.blocks:
        assert position == at
        pairs = array("h", pcm)
        sent.extend(pairs[1::2])
        at += len(pairs) // 2
    assert at == stage.record.media["ticks"] * 160
    wire = stage.sent()
    # The wire went through µ-law: equal up to its step.
    assert max(abs(a - b) for a, b in zip(sent, wire, strict=False)) <= 1024
    assert [m.kind for m in stage.record.marks] == [MarkKind.HANGUP]
    assert_ledger(stage)


def test_a_wav_file_is_written(tmp_path: Path) -> None:
    stage = call(WavSink(tmp_path / "call.wav", 8000))
    assert stage.record.lost == ()
    with wave.open(str(tmp_path / "call.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)
        assert file.getnframes() == stage.record.media["ticks"] * 160


@pytest.mark.parametrize("path", ["/dev/full", "/nonexistent/call.wav"])
def test_a_full_disk_is_told_and_the_call_goes_on(path: str) -> None:
    if path == "/dev/full" and not Path(path).exists():
        pytest.skip("no /dev/full here")
    stage = call(WavSink(Path(path), 8000))
    record = stage.record
    assert record.end_reason == "completed"
    assert record.turns[-1].heard_text == "It comes on Friday. Goodbye."
    assert len(record.lost) == 1
    assert record.lost[0].startswith("recording: ")


def test_a_disk_that_fills_up_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    real, left = os.pwrite, [60_000]

    def pwrite(fd: int, data: bytes, offset: int) -> int:
        if threading.current_thread().name != "recording":
            return real(fd, data, offset)
        left[0] -= len(data)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    record = call(WavSink(tmp_path / "call.wav", 8000)).record
    assert record.end_reason == "completed"
    (lost,) = record.lost
    assert "No space left on device" in lost
    with wave.open(str(tmp_path / "call.wav")) as file:
        assert file.getnframes() >= 8000


def test_a_disk_that_hangs_does_not_hold_up_the_call(tmp_path: Path) -> None:
    sink = WavSink(tmp_path / "call.wav", 8000)
    go = threading.Event()
    sink._writer.write = lambda pcm: go.wait(10)  # type: ignore[method-assign,assignment]
    for n in range(150):
        sink.put(n * 800, bytes(3200))
    go.set()
    assert "too slow; " in sink.close()
