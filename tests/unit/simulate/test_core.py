"""The played audio core keeps the rules of the real one."""

from __future__ import annotations

from heapq import heappop
from typing import Any

import pytest

from mediacore.events import CutCause, PlayoutCut, PlayoutStarted, UtteranceFinished
from mediacore.events import UtteranceRefused as Refused
from mediacore.media import BargeAction, BargeIn
from mediacore.simulate.core import Leg, Voice
from mediacore.simulate.violation import Rule, Violation
from mediacore.simulate.world import WEATHERS, World

RUN = ("run", 1)


def leg_of(alive: bool = True) -> tuple[World, Leg]:
    world = World(1, WEATHERS[0], None)  # type: ignore[arg-type]
    return world, Leg(world, "a", 1, lambda owner: alive)


def events(world: World, until_us: int) -> list[Any]:
    """What the core reports up to a time."""
    found = []
    while world.queue and world.queue[0][0] <= until_us:
        at_us, _, _, name, what = heappop(world.queue)
        world.now = max(world.now, at_us)
        if name:
            found.append(what.event)  # type: ignore[union-attr]
        else:
            what()  # type: ignore[operator]
    world.now = until_us
    return found


def say(leg: Leg, number: int, generation: int, owner: tuple[str, object] = RUN) -> Voice:
    voice = Voice(number, generation, owner, 8000)
    leg.speak(voice)
    leg.ready(voice)
    return voice


def test_utterances_are_played_one_after_the_other() -> None:
    world, leg = leg_of()
    say(leg, 1, 1)
    say(leg, 2, 1)
    found = events(world, 3_000_000)
    assert [type(e) for e in found] == [PlayoutStarted, UtteranceFinished] * 2
    assert leg.heard(1) == leg.heard(2) == 8000


def test_a_cut_tells_the_position_and_moves_the_generation() -> None:
    world, leg = leg_of()
    say(leg, 1, 1)
    say(leg, 2, 1)
    events(world, 500_000)
    leg.cut(1)
    cut, refused = events(world, 900_000)
    assert isinstance(cut, PlayoutCut)
    assert (cut.position, cut.next_generation) == (4000, 1 << 32)
    assert isinstance(refused, Refused)
    assert (leg.heard(1), leg.heard(2)) == (4000, 0)


def test_speech_for_an_old_generation_is_refused_or_reported() -> None:
    world, leg = leg_of()
    leg.cut(0, CutCause.BARGE_IN)
    assert say(leg, 1, 0).over
    assert isinstance(events(world, 100_000)[-1], Refused)
    leg.cut(1 << 32)
    with pytest.raises(Violation) as caught:
        say(leg, 2, 0)
    assert caught.value.rule is Rule.STALE_AUDIO


def test_a_pause_holds_the_position() -> None:
    world, leg = leg_of()
    say(leg, 1, 1)
    events(world, 250_000)
    leg.pause()
    events(world, 800_000)
    assert leg.heard(1) == 2000
    leg.resume()
    events(world, 1_100_000)
    assert leg.heard(1) == 4400


def test_two_owners_are_reported() -> None:
    _, leg = leg_of()
    say(leg, 1, 1)
    with pytest.raises(Violation) as caught:
        say(leg, 2, 2, ("op", "play"))
    assert caught.value.rule is Rule.TWO_OWNERS


def test_speech_of_somebody_who_is_over_is_reported() -> None:
    _, leg = leg_of(alive=False)
    say(leg, 1, 1)
    with pytest.raises(Violation) as caught:
        leg.check()
    assert caught.value.rule is Rule.STALE_AUDIO


@pytest.mark.parametrize(
    ("action", "paused", "queued"),
    [(BargeAction.PAUSE, True, 1), (BargeAction.CUT, False, 0), (BargeAction.OFF, False, 1)],
)
def test_the_armed_policy_acts_at_once(action: BargeAction, paused: bool, queued: int) -> None:
    world, leg = leg_of()
    leg.armed = BargeIn(action=action, resume_ms=500)
    say(leg, 1, 1)
    events(world, 100_000)
    leg.voice_heard()
    assert (leg.paused, len(leg.queue)) == (paused, queued)
    leg.quiet()
    assert not leg.paused
