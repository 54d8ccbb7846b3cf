"""Operations on a line's voice: order, loops, volume, stops, failures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mediacore.audiofile import write_wav
from mediacore.errors import ErrorClass
from mediacore.events import (
    PlayoutCut,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutUnderrun,
    UtteranceFinished,
)
from mediacore.providers.scripted import ScriptedTts, Voice
from mediacore.runtime.actions import PlayItem, SetVolume, StartPlay
from mediacore.runtime.inputs import PlayFailed
from mediacore.session.player import Player
from support.line_sim import LineSim, loud_ms, peak
from virtual import run_virtual

Scene = Callable[[LineSim, Player, list[PlayFailed]], Awaitable[None]]


def run(scene: Scene, tts: ScriptedTts | None = None, slots: int = 0, **options: object) -> LineSim:
    line = LineSim(command_slots=slots)

    async def main() -> None:
        async with line:
            failed: list[PlayFailed] = []
            player = Player(line.near, line.sounds(tts, **options), line.group, failed.append)
            line.player = player
            await scene(line, player, failed)
            player.close()

    run_virtual(main())
    return line


def play(op: str, *items: PlayItem, utterance: int = 1, loops: int = 1, db: float = 0) -> StartPlay:
    return StartPlay(op, "line", utterance, 1, items, db, loops)


RING = PlayItem("ring", "fr", ms=500)
WORDS = PlayItem("say", "One moment please.")


def test_items_are_one_utterance_and_operations_follow_each_other() -> None:
    async def scene(line: LineSim, player: Player, failed: list[PlayFailed]) -> None:
        player.start(play("a", RING, PlayItem("silence", ms=300), WORDS))
        player.start(play("b", RING, utterance=2))
        assert not player.idle
        await asyncio.sleep(5)
        assert player.idle
        assert not failed
        finished = line.named(UtteranceFinished)
        assert [e.utterance for e in finished] == [1, 2]
        made = 500 + 300 + 18 * 60
        assert abs(finished[0].position / 8 - made) < 30
        assert finished[1].position == 4000
        assert not line.named(PlayoutUnderrun)

    run(scene)


def test_loops_and_endless_ones() -> None:
    async def scene(line: LineSim, player: Player, failed: list[PlayFailed]) -> None:
        player.start(play("a", RING, loops=3))
        await asyncio.sleep(3)
        assert line.named(UtteranceFinished)[0].position == 12_000
        player.start(play("b", RING, utterance=2, loops=0))
        player.start(play("c", RING, utterance=3))
        await asyncio.sleep(30)
        assert len(line.named(UtteranceFinished)) == 1
        player.stop("b", 1)
        await asyncio.sleep(0.1)
        cut = line.named(PlayoutCut)[0]
        assert cut.utterance == 2
        assert cut.position > 8 * 29_000
        await asyncio.sleep(2)  # "c" was made for the same generation and is over as well
        assert player.idle
        player.stop("b", 1)
        assert loud_ms(line.sent()) < 33_000

    run(scene)


def test_forgetting_one_leaves_the_others() -> None:
    async def scene(line: LineSim, player: Player, failed: list[PlayFailed]) -> None:
        player.start(play("a", RING, loops=0))
        player.start(play("b", RING, utterance=2))
        player.start(play("c", WORDS, utterance=3))
        await asyncio.sleep(1)
        player.forget("b")
        player.forget("a")
        await asyncio.sleep(5)
        assert [e.utterance for e in line.named(UtteranceFinished)] == [1, 3]
        assert player.idle

    run(scene)


def test_volume_is_of_what_is_still_to_come() -> None:
    async def scene(line: LineSim, player: Player, failed: list[PlayFailed]) -> None:
        player.start(play("a", PlayItem("ring", "us", ms=2000), db=-20, loops=3))
        await asyncio.sleep(1)
        player.volume(SetVolume("other", 20))
        player.volume(SetVolume("a", -40))
        await asyncio.sleep(6)

    sent = run(scene).sent()
    assert 800 < peak(sent[:12_000]) < 1000
    assert 70 < peak(sent[30_000:44_000]) < 110


def test_pause_and_resume() -> None:
    async def scene(line: LineSim, player: Player, failed: list[PlayFailed]) -> None:
        player.start(play("a", PlayItem("ring", "us", ms=2000)))
        await asyncio.sleep(0.5)
        player.pause()
        await asyncio.sleep(5)
        assert line.named(PlayoutPaused)
        assert not line.named(UtteranceFinished)
        player.resume()
        await asyncio.sleep(3)
        assert line.named(PlayoutResumed)
        assert line.named(UtteranceFinished)[0].position == 16_000

    run(scene)


def test_failures_are_told_with_what_was_given_before(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", bytes(3200), 8000)

    async def scene(line: LineSim, player: Player, failed: list[PlayFailed]) -> None:
        player.start(play("a", PlayItem("audio", "b.wav"), RING))
        player.start(play("b", PlayItem("audio", "a.wav"), WORDS, RING, utterance=2))
        player.start(play("c", PlayItem("silence"), utterance=3, loops=0))
        player.start(play("d", RING, utterance=4))
        await asyncio.sleep(5)
        assert [(f.op, f.error_class, f.samples) for f in failed] == [
            ("a", ErrorClass.BAD_INPUT, 0),
            ("b", ErrorClass.AUTH, 1600),
            ("c", ErrorClass.BAD_OUTPUT, 0),
        ]
        assert [e.utterance for e in line.named(UtteranceFinished)] == [2, 4]

    run(scene, ScriptedTts((Voice(error=ErrorClass.AUTH),)), sounds_dir=tmp_path)


def test_nothing_to_play_still_finishes() -> None:
    async def scene(line: LineSim, player: Player, failed: list[PlayFailed]) -> None:
        player.start(play("a", PlayItem("silence")))
        await asyncio.sleep(0.2)
        assert [e.position for e in line.named(UtteranceFinished)] == [0]
        assert not failed

    run(scene)


def test_somebody_elses_utterance_is_waited_for() -> None:
    async def scene(line: LineSim, player: Player, failed: list[PlayFailed]) -> None:
        line.near.begin(7, 1)
        player.start(play("a", RING, utterance=8))
        await asyncio.sleep(1)
        assert not line.named(UtteranceFinished)
        line.near.end()
        await asyncio.sleep(1)
        assert [e.utterance for e in line.named(UtteranceFinished)] == [7, 8]

    run(scene)


def test_a_small_command_queue_delays_and_loses_nothing() -> None:
    async def scene(line: LineSim, player: Player, failed: list[PlayFailed]) -> None:
        for i in range(40):
            player.start(play(f"p{i}", PlayItem("ring", "fr", ms=100), utterance=i + 1))
        await asyncio.sleep(10)
        assert len(line.named(UtteranceFinished)) == 40

    run(scene, slots=16)


@pytest.mark.parametrize("after_ms", [0, 5, 300, 2000])
def test_closing_and_a_leg_that_goes_away_end_everything(after_ms: int) -> None:
    async def scene(line: LineSim, player: Player, failed: list[PlayFailed]) -> None:
        player.start(play("a", WORDS, loops=0))
        player.start(play("b", WORDS, utterance=2))
        await asyncio.sleep(after_ms / 1000)
        line.near.close()
        await asyncio.sleep(1)
        player.close()
        player.close()
        player.stop("a", 1)
        player.pause()
        player.resume()
        assert not failed

    run(scene)


def test_the_end_of_the_group_ends_the_player() -> None:
    async def main() -> None:
        async with LineSim() as line:
            player = None
            with pytest.raises(ExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    player = Player(line.near, line.sounds(), group, lambda failed: None)
                    player.start(play("a", RING, loops=0))
                    player.start(play("b", RING, utterance=2))
                    await asyncio.sleep(0.5)
                    raise OSError
            assert player is not None
            assert player.idle

    run_virtual(main())
