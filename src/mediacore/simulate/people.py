"""The far parties: they speak, press keys, make sounds and hang up, at any time."""

from __future__ import annotations

from functools import partial
from typing import Final

from mediacore.call.inputs import SttFailed, TranscriptFinal, TranscriptPartial
from mediacore.errors import ErrorClass
from mediacore.events import (
    DigitReceived,
    DigitSource,
    MediaLost,
    SpeechEnded,
    SpeechStarted,
    ToneDetected,
)
from mediacore.runtime.inputs import Heard, LineGone
from mediacore.simulate.core import SAMPLE_US, Leg
from mediacore.simulate.world import MS, World

SAID: Final = (
    "yes please.",
    "uh-huh",
    "no wait, stop.",
    "my number is",
    "I would like to know my balance.",
    "goodbye",
    "",
)
_DIGITS: Final = "1239#"
_PATIENCE: Final = (3, 10, 25, 45, 70)


class Person:
    """One far party, from the moment their line has media. talkative: stretches of speech."""

    __slots__ = ("_dice", "_leg", "_line", "_rate", "_world")

    def __init__(self, world: World, leg: Leg, talkative: int) -> None:
        self._world = world
        self._leg = leg
        self._line = leg.line
        self._dice = world.dice["people"]
        rolls = self._dice
        stays_us = int(rolls.choice(_PATIENCE) * rolls.uniform(0.3, 1.0) * 1_000_000)
        at_us = world.now
        for _ in range(rolls.randrange(talkative + 1)):
            at_us += int(rolls.uniform(0.2, 5.0) * 1_000_000)
            world.at(at_us, self._acts)
        world.at(world.now + stays_us, self._leaves)

    def _acts(self) -> None:
        if self._leg.closed:
            return
        roll = self._dice.random()
        if roll < 0.7:
            self._speaks()
        elif roll < 0.93:
            digit = self._dice.choice(_DIGITS)
            self._leg.media(DigitReceived, digit, 100, DigitSource.EVENT)
        else:
            self._leg.media(ToneDetected, self._dice.choice((6, 7)), 400)

    def _speaks(self) -> None:
        rolls, world = self._dice, self._world
        self._leg.media(SpeechStarted)
        self._leg.voice_heard()
        long_us = int(rolls.choice((0.2, 0.5, 1.2, 2.5)) * 1_000_000)
        if long_us > 600 * MS:
            world.at(world.now + 600 * MS, self._leg.voice_goes_on)
        said = rolls.choice(SAID)
        if rolls.random() < 0.3 and said:
            at = (world.now - self._leg.opened_us + long_us // 2) // SAMPLE_US
            world.send(
                "people", Heard(self._line, TranscriptPartial(said, at)), long_us // 2, self._line
            )
        world.at(world.now + long_us, partial(self._stops, said))

    def _stops(self, said: str) -> None:
        if self._leg.closed:
            return
        world = self._world
        self._leg.media(SpeechEnded)
        world.at(world.now + 1_500 * MS, self._leg.quiet)
        at = (world.now - self._leg.opened_us) // SAMPLE_US
        if world.fails("people"):
            result: TranscriptFinal | SttFailed = SttFailed(ErrorClass.UNAVAILABLE)
        else:
            result = TranscriptFinal(said, at, 0.9)
        world.send("people", Heard(self._line, result), world.delay("people", 30, 900), self._line)

    def _leaves(self) -> None:
        if self._leg.closed:
            return
        world = self._world
        if self._dice.random() < world.weather.lose:  # the hang-up is lost: the media just stops
            self._leg.media(MediaLost, 500)
            return
        world.give("gateway", LineGone(self._line, "hangup"), world.delay("gateway", 0, 400))
