"""The sound card's queues, and what is said when there is none."""

from __future__ import annotations

import asyncio
import builtins
import sys
from typing import Any

import pytest

from mediacore.errors import MissingDependencyError
from mediacore.transports.soundcard import (
    Device,
    SoundCard,
    check_devices,
    list_devices,
    load_pyaudio,
)
from support.fake_pyaudio import Module, paComplete, paContinue

LOUD = b"\x10\x20" * 320
SILENCE = bytes(640)


def test_frames_go_both_ways() -> None:
    async def main() -> None:
        module, woken = Module(), []
        card = SoundCard(lambda: woken.append(1), pyaudio=module)
        stream = module.stream
        assert stream is not None and card.srate_hz == 16000 and stream.frames == 320
        assert not card.running
        card.start()
        assert card.running and card.delay_ms == 30
        assert stream.frame(LOUD) == paContinue
        await asyncio.sleep(0)
        assert woken == [1]
        assert card.take() == [LOUD] and card.take() == []
        card.play(LOUD)
        assert card.delay_ms == 90  # a dry loudspeaker begins with 40 ms
        for _ in range(4):
            stream.frame()
        assert stream.played == [SILENCE, SILENCE, SILENCE, LOUD, SILENCE]
        stats = card.snapshot()
        assert (stats.taken, stats.played, stats.dry) == (5, 3, 2)
        card.close()
        card.close()
        assert stream.closed and module.open == 0
        assert stream.frame() == paComplete and card.delay_ms == 0

    asyncio.run(main())


def test_both_queues_are_bounded() -> None:
    async def main() -> None:
        module = Module()
        card = SoundCard(lambda: None, pyaudio=module)
        stream = module.stream
        assert stream is not None
        for n in range(15):
            stream.frame(bytes([n]) * 640)
            card.play(bytes([n]) * 640)
        frames = card.take()
        assert [f[0] for f in frames] == list(range(5, 15))
        assert card.snapshot().late == 5
        for n in range(20):
            card.play(bytes([n]) * 640)
        assert card.delay_ms == 8 * 20 + 30
        assert card.snapshot().skipped > 0
        stream.frames = 160  # a device that wants less
        stream.frame()
        assert len(stream.played[-1]) == 320
        card.close()

    asyncio.run(main())


def test_another_rate_is_tried() -> None:
    async def main() -> None:
        card = SoundCard(lambda: None, pyaudio=Module(rates=(48000,)))
        assert card.srate_hz == 48000
        card.close()
        module = Module(rates=())
        with pytest.raises(MissingDependencyError, match=r"usable sound device.*Invalid sample"):
            SoundCard(lambda: None, pyaudio=module)
        assert module.open == 0

    asyncio.run(main())


def test_devices_are_chosen_by_number_or_name() -> None:
    async def main() -> None:
        module = Module()
        card = SoundCard(lambda: None, source="head", sink="0", pyaudio=module)
        assert module.stream is not None
        assert module.stream.options["input_device_index"] == 1
        assert module.stream.options["output_device_index"] == 0
        card.close()
        for options, what in (
            ({"source": "0"}, "microphone '0'"),  # it has no input
            ({"source": "bluetooth"}, "microphone 'bluetooth'"),
            ({"sink": "7"}, "loudspeaker '7'"),
        ):
            with pytest.raises(MissingDependencyError, match=f"{what}.*0: Speakers, 1: Headset"):
                SoundCard(lambda: None, pyaudio=module, **options)
        assert module.open == 0

    asyncio.run(main())
    assert list_devices(Module()) == [Device(0, "Speakers", 0, 2), Device(1, "Headset", 1, 2)]


def test_devices_can_be_checked_before() -> None:
    check_devices("1", "speak", Module())
    with pytest.raises(MissingDependencyError, match="loudspeaker"):
        check_devices("1", "kitchen", Module())


def test_no_device_is_told() -> None:
    async def main() -> None:
        with pytest.raises(MissingDependencyError, match=r"A microphone is missing.*no device"):
            SoundCard(lambda: None, pyaudio=Module(()))
        with pytest.raises(MissingDependencyError, match="A loudspeaker is missing"):
            SoundCard(lambda: None, pyaudio=Module((("Mic", 1, 0),)))

    asyncio.run(main())


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (ImportError("No module named 'pyaudio'", name="pyaudio"), r"mediacore\[mic\]"),
        (
            ImportError("libportaudio.so.2: cannot open shared object file: No such file"),
            "libportaudio2",
        ),
    ],
)
def test_what_is_not_installed_is_told(
    error: ImportError, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def broken(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pyaudio":
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "pyaudio", raising=False)
    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(MissingDependencyError, match=fix):
        load_pyaudio()


def test_the_real_one_lists_devices() -> None:
    """Also where there is none: PortAudio's own words do not come through."""
    pyaudio = pytest.importorskip("pyaudio")
    assert isinstance(list_devices(pyaudio), list)
