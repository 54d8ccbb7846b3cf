"""Music under the voice: looped, replaced, faded, and nobody's speech."""

from __future__ import annotations

import asyncio

from mediacore.errors import ErrorClass
from mediacore.events import PlayoutStarted, UtteranceFinished
from mediacore.media import LegConfig, Tap
from mediacore.runtime.actions import PlayItem, StartBed, StartPlay
from mediacore.session.bed import Bed
from mediacore.session.player import Player
from support.line_sim import LineSim, loud_ms, peak
from virtual import run_virtual

TONE = PlayItem("ring", "us", ms=1000)


def test_a_bed_loops_without_gaps_until_it_is_stopped() -> None:
    line = LineSim()

    async def main() -> None:
        async with line:
            bed = Bed(line.near, line.sounds(), line.group)
            bed.start(StartBed("line", (TONE,), -6))
            await asyncio.sleep(10)
            bed.stop()
            bed.stop()
            await asyncio.sleep(2)
            assert not line.named(PlayoutStarted)
            assert line.near.stats().queued_samples == 0

    run_virtual(main())
    sent = line.sent()
    assert abs(loud_ms(sent) - 10_000) <= 60
    assert 4000 < peak(sent) < 4800  # two tones of 4600, 6 dB down


def test_a_second_bed_replaces_the_first_and_the_voice_is_over_it() -> None:
    line = LineSim()

    async def main() -> None:
        async with line:
            sounds = line.sounds()
            bed = Bed(line.near, sounds, line.group)
            player = line.player = Player(line.near, sounds, line.group, lambda failed: None)
            bed.start(StartBed("line", (TONE,), -40))
            await asyncio.sleep(1)
            bed.start(StartBed("line", (PlayItem("ring", "us", ms=700),), -20, loops=2))
            await asyncio.sleep(0.2)
            player.start(StartPlay("p", "line", 1, 1, (PlayItem("ring", "fr", ms=400),)))
            await asyncio.sleep(4)
            assert len(line.named(UtteranceFinished)) == 1
            bed.stop()

    run_virtual(main())
    sent = line.sent()
    assert peak(sent[800:7200]) < 120
    assert peak(sent[8500:10_000]) > 800
    assert peak(sent) > 5000  # both
    assert abs(loud_ms(sent, 200) - 1400) <= 80  # the second bed, twice 700 ms


def test_a_bed_that_cannot_be_made_is_silence_and_told_once() -> None:
    errors: list[ErrorClass] = []

    async def main() -> None:
        async with LineSim() as line:
            bed = Bed(
                line.near, line.sounds(), line.group, lambda error, text: errors.append(error)
            )
            bed.start(StartBed("line", (PlayItem("audio", "missing.wav"),)))
            await asyncio.sleep(10)
            bed.stop()
        async with LineSim(LegConfig(seed=1, taps=Tap.RECORD)) as line:
            bed = Bed(
                line.near, line.sounds(), line.group, lambda error, text: errors.append(error)
            )
            bed.start(StartBed("line", (TONE,)))
            await asyncio.sleep(1)

    run_virtual(main())
    assert errors == [ErrorClass.BAD_INPUT, ErrorClass.INTERNAL]


def test_a_leg_that_goes_away_ends_it() -> None:
    async def main() -> None:
        async with LineSim() as line:
            bed = Bed(line.near, line.sounds(), line.group)
            bed.start(StartBed("line", (TONE,)))
            await asyncio.sleep(0.5)
            line.near.close()
            await asyncio.sleep(1)
            bed.stop()
            bed.start(StartBed("line", (TONE,)))

    run_virtual(main())
