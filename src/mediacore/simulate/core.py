"""The audio core of one line, as far as the reducer can tell: utterances, generations, cuts.

It keeps the core's rules (mc_playout.c): speech for an older generation is refused, a cut moves
the generation on, a pause holds the position. It knows exactly what was played, and says so when
something is heard that must not be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mediacore.call.state import next_generation_after_cut
from mediacore.events import (
    CutCause,
    LegOpened,
    MediaEvent,
    PlayoutCut,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    UtteranceFinished,
    UtteranceRefused,
)
from mediacore.media import BargeAction, BargeIn
from mediacore.runtime.inputs import Media, Resynced
from mediacore.simulate.violation import Rule, broken
from mediacore.simulate.world import MS, World

SAMPLE_US: Final = 125
CHAR_SAMPLES: Final = 400
_TICK_US: Final = 20_000


@dataclass(slots=True)
class Voice:
    """One utterance. owner: ("op", id) or ("run", number)."""

    id: int
    generation: int
    owner: tuple[str, object]
    samples: int
    ready: bool = False
    started: bool = False
    over: bool = False
    played: int = 0


class Leg:
    """One line's playout. `alive` says whether an owner may still be heard."""

    __slots__ = (
        "_losing",
        "_since",
        "_token",
        "_world",
        "alive",
        "armed",
        "closed",
        "generation",
        "handle",
        "line",
        "lossy",
        "opened_us",
        "ordered",
        "paused",
        "playing",
        "queue",
        "stops",
        "voices",
    )

    def __init__(
        self,
        world: World,
        line: str,
        handle: int,
        alive: Callable[[tuple[str, object]], bool],
    ) -> None:
        self._world = world
        self.line = line
        self.handle = handle
        self.alive = alive
        self.opened_us = world.now
        self.generation = 0
        self.ordered = False
        self.queue: list[Voice] = []
        self.voices: dict[int, Voice] = {}
        self.playing: Voice | None = None
        self.paused = False
        self.closed = False
        self.armed: BargeIn | None = None
        self.stops = False
        self.lossy = False
        self._losing = 0
        self._since = 0
        self._token = 0

    # -- what the call orders

    def speak(self, voice: Voice) -> None:
        """Queue an utterance; its audio comes with `ready`."""
        if self.closed:
            return
        for other in self.queue:
            if other.owner != voice.owner:
                broken(
                    Rule.TWO_OWNERS,
                    f"{self.line}: {voice.owner} speaks while {other.owner} has the voice",
                )
        self.voices[voice.id] = voice
        if voice.generation < self.generation:
            if self.ordered:
                broken(
                    Rule.STALE_AUDIO,
                    f"{self.line}: {voice.owner} speaks for generation {voice.generation}, which "
                    "the call itself has cut",
                )
            voice.over = True
            self._tell(UtteranceRefused, voice, 0)
            return
        self.generation = voice.generation
        self.queue.append(voice)

    def ready(self, voice: Voice) -> None:
        """The audio of an utterance is there."""
        if voice.over or self.closed:
            return
        voice.ready = True
        self._pump()

    def drop(self, voice: Voice) -> None:
        """The audio will never come."""
        if not voice.over:
            voice.over = True
            self.queue = [v for v in self.queue if v is not voice]
            if self.playing is None:
                self._pump()

    def cut(self, generation: int, cause: CutCause = CutCause.COMMAND) -> None:
        """Stop and flush everything up to this generation."""
        if self.closed:
            return
        self._settle()
        head = self.playing
        cut = head if head is not None and head.generation <= generation else None
        if self.generation <= generation:
            self.ordered = cause is CutCause.COMMAND
            self.generation = next_generation_after_cut(self.generation)
        flushed = [v for v in self.queue if v.generation <= generation]
        self.queue = [v for v in self.queue if v.generation > generation]
        if cut is not None:
            self.playing = None
            self._token += 1
            self.paused = False
        number = (cut.id, cut.generation, cut.played) if cut is not None else (0, 0, 0)
        wire = cut.played if cut is not None else 0
        self._media(
            PlayoutCut(
                self.handle, self._tick(), self._at(), *number, self.generation, 0, cause, wire
            )
        )
        for voice in flushed:
            voice.over = True
            if voice is not cut:
                self._tell(UtteranceRefused, voice, 0)
        self._pump()

    def pause(self) -> None:
        """Hold the voice where it is."""
        if self.closed or self.paused:
            return
        self._settle()
        self.paused = True
        self._token += 1
        if self.playing is not None:
            self._tell(PlayoutPaused, self.playing, self.playing.played)

    def resume(self) -> None:
        """Go on."""
        if self.closed or not self.paused:
            return
        self.paused = False
        voice = self.playing
        if voice is None:
            self._pump()
            return
        self._tell(PlayoutResumed, voice, voice.played)
        self._run(voice)

    def close(self) -> None:
        """The leg is gone."""
        self._settle()
        self.closed = True
        self.playing = None
        self._token += 1
        self.queue = []

    # -- what the line's party does

    def voice_heard(self) -> None:
        """The party speaks: the armed policy acts inside the frame."""
        if self.playing is None or self.paused or self.closed:
            return
        if self.stops:
            self.cut(self.playing.generation, CutCause.BARGE_IN)
            return
        action = self.armed.action if self.armed is not None else BargeAction.OFF
        if action is BargeAction.PAUSE:
            self.pause()
        elif action is BargeAction.CUT:
            self.cut(self.playing.generation, CutCause.BARGE_IN)

    def voice_goes_on(self) -> None:
        """They kept on speaking: a pause becomes a cut."""
        if self.paused and self.playing is not None and not self.closed:
            self.cut(self.playing.generation, CutCause.BARGE_IN)

    def quiet(self) -> None:
        """They went silent: an undecided pause is undone."""
        if self.armed is not None and self.armed.resume_ms:
            self.resume()

    # -- what is known

    def heard(self, utterance: int) -> int:
        """Samples of an utterance that were played so far."""
        self._settle()
        voice = self.voices.get(utterance)
        return voice.played if voice is not None else 0

    def check(self) -> None:
        """What plays now must belong to somebody."""
        voice = self.playing
        if voice is not None and not self.paused and not self.alive(voice.owner):
            broken(Rule.STALE_AUDIO, f"{self.line}: {voice.owner} is over and is still heard")

    def media(self, kind: type[MediaEvent], *more: object) -> None:
        """Report something that is not about the voice."""
        self._media(kind(self.handle, self._tick(), self._at(), *more))

    # -- inside

    def _pump(self) -> None:
        if self.playing is not None or self.paused or self.closed or not self.queue:
            return
        voice = self.queue[0]
        if not voice.ready:
            return
        self.playing = voice
        if not voice.started:
            voice.started = True
            self._tell(PlayoutStarted, voice, 0)
        self._run(voice)

    def _run(self, voice: Voice) -> None:
        self._since = self._world.now
        self._token += 1
        token = self._token
        left_us = (voice.samples - voice.played) * SAMPLE_US
        self._world.at(self._world.now + left_us, lambda: self._ended(token))

    def _ended(self, token: int) -> None:
        voice = self.playing
        if token != self._token or voice is None or self.closed:
            return
        voice.played = voice.samples
        voice.over = True
        self.queue = [v for v in self.queue if v is not voice]
        self.playing = None
        event = UtteranceFinished(
            self.handle,
            self._tick(),
            self._at(),
            voice.id,
            voice.generation,
            voice.played,
            voice.played,
        )
        self._media(event)
        self._pump()

    def _settle(self) -> None:
        voice = self.playing
        if voice is None or self.paused or self.closed:
            return
        voice.played = min(
            voice.samples, voice.played + (self._world.now - self._since) // SAMPLE_US
        )
        self._since = self._world.now

    def _at(self) -> int:
        return (self._world.now - self.opened_us) // SAMPLE_US

    def _tick(self) -> int:
        return (self._world.now - self.opened_us) // _TICK_US

    def _lost(self) -> bool:
        """The queue of events is full for a while; then the snapshot is read."""
        dice = self._world.dice["core"].random
        if not self._losing:
            if dice() > self._world.weather.lose / 3:
                return False
            self._losing = 1 + int(dice() * 3)
            self.lossy = True
        self._losing -= 1
        if not self._losing:
            self._world.at(self._world.now + self._world.delay("core", 5, 120), self._resync)
        return True

    def _resync(self) -> None:
        if self.closed:
            return
        drained = not self.queue
        snapshot = Resynced(self.line, self._tick(), self._at(), self.generation, None, drained)
        self._world.give("core", snapshot, self._world.delay("core", 1, 30), "core:" + self.line)

    def _tell(self, kind: type[MediaEvent], voice: Voice, position: int) -> None:
        self._media(
            kind(self.handle, self._tick(), self._at(), voice.id, voice.generation, position)  # type: ignore[call-arg]
        )

    def _media(self, event: MediaEvent) -> None:
        world = self._world
        may_go = self._losing or (world.weather.lose and not isinstance(event, LegOpened))
        if may_go and self._lost():
            return
        delay_us = world.delay("core", 1, 30)
        if world.weather.late and world.dice["core"].random() < world.weather.late / 4:
            delay_us += 150 * MS
        world.give("core", Media(self.line, event), delay_us, "core:" + self.line)
