"""Recordings of a line: what is in the file, pauses, and disks that fail."""

from __future__ import annotations

import asyncio
import errno
import re
import sys
import wave
from array import array
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import sleep
from urllib.parse import unquote, urlsplit

import pytest

from mediacore import audiofile
from mediacore.audiofile import read_audio
from mediacore.media import LegConfig, Tap
from mediacore.runtime.actions import StartRecording
from mediacore.runtime.inputs import RecordingStored
from mediacore.session.taping import Taping, _file_name
from support.line_sim import NEAR, LineSim, loud_ms, peak
from virtual import run_virtual

Scene = Callable[[LineSim, Taping], Awaitable[None]]


def run(scene: Scene, tmp_path: Path, near: LegConfig = NEAR) -> list[RecordingStored]:
    stored: list[RecordingStored] = []

    async def main() -> None:
        async with LineSim(near) as line:
            taping = Taping(
                line.near, line.tap, line.group, stored.append, directory=tmp_path, stem="call/1"
            )
            await scene(line, taping)
            await taping.close()

    run_virtual(main())
    return stored


def start(
    op: str = "r", form: str = "wav", direction: str = "both", *, stereo: bool = False
) -> StartRecording:
    return StartRecording(op, "line", form, stereo, direction, beep=False)


async def talk(line: LineSim, near: bool, s: float = 1.0) -> None:
    """One side sounds for so long."""
    leg, level = (line.near, 6000) if near else (line.far, 3000)
    leg.begin(len(line.packets) + 1, 1)
    assert leg.say(array("h", [level, level, -level, -level] * round(2000 * s)).tobytes())
    leg.end()
    await asyncio.sleep(s + 0.3)


async def dialogue(line: LineSim, taping: Taping) -> None:
    await talk(line, near=True)
    await talk(line, near=False)


def channels(path: Path) -> list[array[int]]:
    with wave.open(str(path)) as file:
        pcm = array("h", file.readframes(file.getnframes()))
        return [pcm[c :: file.getnchannels()] for c in range(file.getnchannels())]


def test_stereo_has_the_far_party_on_the_left(tmp_path: Path) -> None:
    async def scene(line: LineSim, taping: Taping) -> None:
        taping.start(start(stereo=True))
        taping.start(start(stereo=True))  # twice is once
        await dialogue(line, taping)
        taping.stop("r")
        taping.stop("r")
        await asyncio.sleep(1)

    [done] = run(scene, tmp_path)
    path = Path(unquote(urlsplit(done.url).path))
    assert done.ok
    assert path == tmp_path / "call_1-r.wav"
    assert done.size == path.stat().st_size
    left, right = channels(path)
    assert abs(done.duration_ms - 2600) <= 40
    assert len(left) == done.duration_ms * 8
    assert 2500 < peak(left) < 3600
    assert 5500 < peak(right) < 6600
    assert abs(loud_ms(left, 500) - 1000) <= 60
    assert abs(loud_ms(right, 500) - 1000) <= 60
    assert loud_ms(array("h", map(min, map(abs, left), map(abs, right))), 500) == 0  # in turn


@pytest.mark.parametrize(("direction", "level"), [("speak", 3000), ("listen", 6000)])
def test_one_direction(tmp_path: Path, direction: str, level: int) -> None:
    async def scene(line: LineSim, taping: Taping) -> None:
        taping.start(start(direction=direction, stereo=True))
        await dialogue(line, taping)

    [done] = run(scene, tmp_path)
    [mono] = channels(tmp_path / "call_1-r.wav")
    assert done.ok
    assert abs(peak(mono) - level) < 600
    assert abs(loud_ms(mono, 500) - 1000) <= 60


def test_several_at_a_time_and_pauses_that_skip_or_are_silent(tmp_path: Path) -> None:
    async def scene(line: LineSim, taping: Taping) -> None:
        for op in ("all", "skip", "mute"):
            taping.start(start(op))
        await talk(line, near=True)
        taping.pause("skip", "skip")
        taping.pause("mute", "silence")
        await talk(line, near=True)
        for op in ("skip", "mute", "unknown"):
            taping.resume(op)
        await talk(line, near=True)
        taping.pause("unknown", "skip")

    stored = {done.op: done for done in run(scene, tmp_path)}
    loud = {op: loud_ms(channels(tmp_path / f"call_1-{op}.wav")[0], 500) for op in stored}
    assert abs(loud["all"] - 3000) <= 100
    assert abs(loud["skip"] - 2000) <= 100
    assert abs(loud["mute"] - 2000) <= 100
    assert stored["all"].duration_ms == stored["mute"].duration_ms
    assert abs(stored["all"].duration_ms - stored["skip"].duration_ms - 1300) <= 40


@pytest.mark.parametrize("form", ["mp3", "mp4"])
def test_encoded_files(tmp_path: Path, form: str) -> None:
    pytest.importorskip("av")

    async def scene(line: LineSim, taping: Taping) -> None:
        taping.start(start("m", form))
        taping.start(start("s", form, stereo=True))
        await dialogue(line, taping)

    stored = run(scene, tmp_path)
    assert [done.ok for done in stored] == [True, True]
    for op in ("m", "s"):
        audio = read_audio(tmp_path / f"call_1-{op}.{form}")
        assert audio.srate_hz == 8000
        assert abs(audio.samples - 2600 * 8) < 2000
        assert abs(loud_ms(array("h", audio.pcm), 500) - 2000) < 300


def test_without_the_encoder_it_fails_and_the_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)

    async def scene(line: LineSim, taping: Taping) -> None:
        taping.start(start(form="mp3"))
        taping.start(start("w"))
        await talk(line, near=True)

    stored = {done.op: done for done in run(scene, tmp_path)}
    assert not stored["r"].ok
    assert stored["r"].url == ""
    assert stored["w"].ok


def test_a_full_disk_and_a_directory_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = audiofile.os.pwrite
    room = 20_000

    def pwrite(fd: int, data: bytes, at: int) -> int:
        if at + len(data) > room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data, at)

    monkeypatch.setattr(audiofile.os, "pwrite", pwrite)

    async def scene(line: LineSim, taping: Taping) -> None:
        taping.start(start())
        await talk(line, near=True, s=2)

    [done] = run(scene, tmp_path)
    assert not done.ok
    assert read_audio(tmp_path / "call_1-r.wav").samples > 0  # what fitted can be read
    (tmp_path / "file").write_text("")
    [done] = run(scene, tmp_path / "file")
    assert not done.ok


def test_a_file_cut_off_at_any_time_is_valid(tmp_path: Path) -> None:
    async def scene(line: LineSim, taping: Taping) -> None:
        taping.start(start())
        for _ in range(4):
            await talk(line, near=True, s=0.8)
        for _ in range(500):  # the writer has a thread of its own
            path = tmp_path / "call_1-r.wav"
            if path.exists() and path.stat().st_size > 20_000:
                break
            await asyncio.to_thread(sleep, 0.01)
        copy = (tmp_path / "call_1-r.wav").read_bytes()
        (tmp_path / "killed.wav").write_bytes(copy)

    run(scene, tmp_path)
    [pcm] = channels(tmp_path / "killed.wav")
    assert len(pcm) >= 8000


def test_the_beep_is_heard_and_does_not_disturb_a_bed(tmp_path: Path) -> None:
    sent: list[int] = []

    async def scene(line: LineSim, taping: Taping) -> None:
        beep = StartRecording("r", "line", "wav", False, "both", beep=True)
        taping.start(beep)
        await asyncio.sleep(1)
        sent.append(loud_ms(line.sent()))
        line.near.bed(array("h", [3000, -3000] * 2000).tobytes())
        taping.start(StartRecording("s", "line", "wav", False, "both", beep=True))
        await asyncio.sleep(1)
        sent.append(loud_ms(line.sent(), 2000))

    assert all(done.ok for done in run(scene, tmp_path))
    assert 200 <= sent[0] <= 260
    assert abs(sent[1] - sent[0] - 480) <= 60
    plain = LegConfig(seed=1, taps=Tap.RECORD)
    assert all(done.ok for done in run(scene_beep, tmp_path, plain))


async def scene_beep(line: LineSim, taping: Taping) -> None:
    taping.start(StartRecording("r", "line", "wav", False, "both", beep=True))
    await asyncio.sleep(0.5)
    line.near.close()
    await asyncio.sleep(0.1)
    taping.stop("r")


def test_names_that_controllers_choose_are_safe_and_stay_apart() -> None:
    names = [_file_name(op) for op in ("r1", "a/b", "a_b", "../../etc", "x" * 300, "x" * 301, "\0")]
    assert names[0] == "r1"
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,120}", name) for name in names)
