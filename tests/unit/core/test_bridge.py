"""Bridge: legs hear each other, by the gains given."""

import gc
import struct
from random import Random

import pytest

from mediacore import _core
from mediacore.errors import MediaError, StaleError
from mediacore.media import LegConfig, Tap
from mediacore.transports.loopback import Link

LEG = LegConfig(vad_threshold_q15=None, taps=Tap.RX, tap_ms=4000)


class Party:
    """A far end, and the leg that it is connected to."""

    def __init__(self, engine: _core.Engine, seed: int) -> None:
        self.far = engine.open_leg(LegConfig(seed=seed, vad_threshold_q15=None, taps=Tap.RX))
        self.leg = engine.open_leg(LegConfig(seed=seed + 1, vad_threshold_q15=None))
        rng = Random(seed)
        self.links = (Link(self.far, self.leg, rng), Link(self.leg, self.far, rng))

    def move(self, now_us: int) -> None:
        for link in self.links:
            link.move(now_us)

    def heard(self) -> int:
        """Peak of the last second that the far end heard."""
        _, pcm = self.far.read_tap(100_000)
        return max((abs(v) for v in struct.unpack(f"={len(pcm) // 2}h", pcm)), default=0)

    def close(self) -> None:
        self.far.close()
        self.leg.close()


def speak(party: Party, ms: int = 900) -> None:
    samples = 8 * ms
    party.far.begin(1, 0)
    wave = [9000 if n // 8 % 2 else -9000 for n in range(samples)]
    party.far.say(struct.pack(f"={samples}h", *wave))
    party.far.end()


def run(engine: _core.Engine, parties: list[Party], start: int, ticks: int) -> int:
    for tick in range(start, start + ticks):
        engine.tick(tick * 20_000)
        for party in parties:
            party.move(tick * 20_000)
    engine.poll()
    return start + ticks


def test_members_hear_each_other_and_gains_apply(engine: _core.Engine) -> None:
    parties = [Party(engine, seed) for seed in (10, 20, 30)]
    a, b, c = parties
    with engine.open_bridge() as bridge:
        for party in parties:
            bridge.join(party.leg)
        bridge.gain(a.leg, c.leg, 0)
        speak(a)
        run(engine, parties, 0, 45)
        assert b.heard() > 7000
        assert c.heard() < 200
        assert a.heard() < 200
    for party in parties:
        party.close()


def test_who_left_hears_nothing(engine: _core.Engine) -> None:
    parties = [Party(engine, seed) for seed in (10, 20)]
    a, b = parties
    with engine.open_bridge(16000) as bridge:
        bridge.join(a.leg)
        bridge.join(b.leg)
        tick = run(engine, parties, 0, 5)
        bridge.leave(b.leg)
        tick = run(engine, parties, tick, 2)
        speak(a)
        run(engine, parties, tick, 40)
        assert b.heard() < 200
    for party in parties:
        party.close()


def test_refusals(engine: _core.Engine) -> None:
    with pytest.raises(TypeError):
        _core.Bridge()
    with pytest.raises(MediaError):
        engine.open_bridge(12345)
    with engine.open_leg(LEG) as leg, engine.open_bridge() as one, engine.open_bridge() as two:
        assert one.handle != two.handle
        with pytest.raises(StaleError):
            _core.Bridge.__new__(_core.Bridge).join(leg)
        one.join(leg)
        with pytest.raises(MediaError):
            two.join(leg)
        with pytest.raises(TypeError):
            one.join(None)  # type: ignore[arg-type]
        with pytest.raises(OverflowError):
            one.gain(leg, leg, 40_000)
        two.close()
        two.close()
        assert two.closed
        with pytest.raises(StaleError):
            two.join(leg)


def test_an_unclosed_bridge_warns(engine: _core.Engine) -> None:
    bridge = engine.open_bridge()
    with pytest.warns(ResourceWarning, match="unclosed mediacore Bridge"):
        del bridge
        gc.collect()
