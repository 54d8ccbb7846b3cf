"""Limit, hold, bed and forks through the binding."""

from __future__ import annotations

from array import array

import pytest

from mediacore._core import Codec, Engine, Leg
from mediacore.errors import MediaError, StaleError
from mediacore.events import CloseReason, LegClosed, UtteranceFinished
from mediacore.media import LegConfig

TONE = array("h", [6000, 6000, -6000, -6000] * 400)  # 200 ms at 8 kHz


class Clock:
    """Ticks an engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now_us = 0

    def run(self, ticks: int) -> list[object]:
        self.now_us = self.engine.tick_many(self.now_us, ticks)
        return list(self.engine.poll())


def sent(leg: Leg) -> int:
    """Peak of what the leg sent and nobody took yet."""
    codec = Codec("PCMU")
    top = 0
    while (packet := leg.pull_packet()) is not None:
        top = max(top, max(array("h", codec.decode(packet[12:]))))
    return top


def test_a_limit_ends_the_leg(engine: Engine) -> None:
    leg = engine.open_leg(LegConfig(seed=1))
    clock = Clock(engine)
    leg.limit(5)
    leg.limit(10)
    assert not any(isinstance(e, LegClosed) for e in clock.run(9))
    [closed] = [e for e in clock.run(1) if isinstance(e, LegClosed)]
    assert closed.reason is CloseReason.BUDGET
    with pytest.raises(MediaError):
        leg.limit(1 << 41)
    leg.free()
    with pytest.raises(StaleError):
        leg.limit(1)


def test_the_bed_plays_under_the_voice(engine: Engine) -> None:
    leg = engine.open_leg(LegConfig(seed=1, bed=True))
    clock = Clock(engine)
    leg.bed_gain(-20)
    assert leg.bed_room() == 12_800
    assert leg.bed(TONE) == 1600
    assert leg.bed(TONE, 1500) == 100
    assert leg.bed_room() == 12_800 - 1700
    clock.run(5)
    assert 550 < sent(leg) < 650
    leg.begin(1, 1)
    leg.say(TONE)
    leg.end()
    leg.bed_stop()
    clock.run(5)
    assert sent(leg) > 5800
    assert leg.bed_room() == 12_800
    for bad in (b"x", memoryview(b"xyz")):
        with pytest.raises(ValueError, match="whole"):
            leg.bed(bad)
    with pytest.raises(ValueError, match="offset"):
        leg.bed(TONE, 1601)
    with pytest.raises(MediaError):
        leg.bed_gain(21)
    leg.close()
    with pytest.raises(StaleError):
        leg.bed(TONE)


def test_a_leg_without_bed_says_so(engine: Engine) -> None:
    with engine.open_leg(LegConfig(seed=1)) as leg:
        assert leg.bed_room() == 0
        for call in (lambda: leg.bed(TONE), leg.bed_stop, lambda: leg.bed_gain(0)):
            with pytest.raises(MediaError):
                call()


def test_a_held_voice_waits(engine: Engine) -> None:
    clock = Clock(engine)
    with engine.open_leg(LegConfig(seed=1)) as leg:
        leg.hold(True)
        leg.begin(1, 1)
        leg.say(TONE)
        leg.end()
        clock.run(15)
        assert sent(leg) < 10
        leg.hold(False)
        events = clock.run(15)
        assert [e.position for e in events if isinstance(e, UtteranceFinished)] == [1600]
        assert sent(leg) > 5800


def test_a_fork_sends_what_the_other_sends(engine: Engine) -> None:
    clock = Clock(engine)
    target, source = (engine.open_leg(LegConfig(seed=seed)) for seed in (1, 2))
    with pytest.raises(MediaError):
        target.fork(source, rx=False, tx=False)
    with pytest.raises(TypeError):
        target.fork(None)  # type: ignore[arg-type]
    target.fork(source, rx=False)
    with pytest.raises(MediaError):
        source.fork(target)
    source.begin(1, 1)
    source.say(TONE)
    source.end()
    clock.run(5)
    assert sent(target) > 5800
    target.unfork()
    target.unfork()
    clock.run(10)
    sent(target)
    source.close()
    with pytest.raises(StaleError):
        target.fork(source)
    with (
        Engine(max_legs=2) as other,
        other.open_leg(LegConfig(seed=1)) as stranger,
        pytest.raises(MediaError),
    ):
        target.fork(stranger)
    target.close()
