"""What happened on a leg: the events that reach Python from the audio core.

Past tense, frozen. `leg` is the leg's handle, `tick` the engine tick in which it happened, `at`
the position in samples on the leg's clock since it opened (receive clock for what the caller did,
transmit clock for what was played: both start with the leg and run together).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class CutCause(IntEnum):
    """Who cut the playout."""

    COMMAND = 0
    BARGE_IN = 1
    BUDGET = 2
    CLOSE = 3


class CloseReason(IntEnum):
    """Why a leg closed."""

    COMMAND = 0
    BUDGET = 1


class DigitSource(IntEnum):
    """How a digit came in."""

    EVENT = 0
    IN_BAND = 1
    SIGNALLED = 2


class MediaLoss(IntEnum):
    """What kind of silence on the wire a MediaLost tells."""

    NEVER = 0  # nothing came since the leg opened or was given a new address
    STOPPED = 1
    ON_HOLD = 2  # nothing came while held, or while one direction is off


@dataclass(frozen=True, slots=True)
class MediaEvent:
    """Fields that every media event has."""

    leg: int
    tick: int
    at: int


@dataclass(frozen=True, slots=True)
class LegOpened(MediaEvent):
    """The leg runs in the tick."""


@dataclass(frozen=True, slots=True)
class LegClosed(MediaEvent):
    """The leg's last event."""

    reason: CloseReason


@dataclass(frozen=True, slots=True)
class SpeechStarted(MediaEvent):
    """The caller speaks; `at` is the onset."""


@dataclass(frozen=True, slots=True)
class SpeechEnded(MediaEvent):
    """The caller is silent; `at` is the end of speech, the VAD's hangover already taken off."""


@dataclass(frozen=True, slots=True)
class PlayoutEvent(MediaEvent):
    """About an utterance. position: samples of the utterance played so far."""

    utterance: int
    generation: int
    position: int


@dataclass(frozen=True, slots=True)
class PlayoutStarted(PlayoutEvent):
    """The utterance's first sample goes out at `at`."""


@dataclass(frozen=True, slots=True)
class PlayoutDucked(PlayoutEvent):
    """The agent's level was lowered (`ducked`) or restored."""

    ducked: bool


@dataclass(frozen=True, slots=True)
class PlayoutPaused(PlayoutEvent):
    """The agent is silent; `position` is where it would go on."""


@dataclass(frozen=True, slots=True)
class PlayoutResumed(PlayoutEvent):
    """The agent goes on from `position`."""


@dataclass(frozen=True, slots=True)
class PlayoutCut(PlayoutEvent):
    """The utterance was stopped for good after `position` samples; the queue was flushed.

    next_generation: the leg's generation from now on. mark: last mark reached, 0 for none.
    wire_samples: samples put on the wire, replays after a resume included.
    """

    next_generation: int
    mark: int
    cause: CutCause
    wire_samples: int


@dataclass(frozen=True, slots=True)
class PlayoutLow(PlayoutEvent):
    """The core wants more audio of this utterance."""


@dataclass(frozen=True, slots=True)
class PlayoutUnderrun(PlayoutEvent):
    """The audio did not come in time; the caller hears a pause inside the utterance."""


@dataclass(frozen=True, slots=True)
class MarkReached(PlayoutEvent):
    """Playout passed a mark."""

    mark: int


@dataclass(frozen=True, slots=True)
class UtteranceFinished(PlayoutEvent):
    """All of the utterance was played; `position` is its length."""

    wire_samples: int


@dataclass(frozen=True, slots=True)
class UtteranceRefused(PlayoutEvent):
    """The utterance was made for a generation that is over; none of it is played."""


@dataclass(frozen=True, slots=True)
class DigitReceived(MediaEvent):
    """The caller pressed a key."""

    digit: str
    duration_ms: int
    source: DigitSource


@dataclass(frozen=True, slots=True)
class ToneDetected(MediaEvent):
    """A signalling tone was heard; `kind` as named by the tone table."""

    kind: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class MediaLost(MediaEvent):
    """No packet for `silent_ms`."""

    silent_ms: int
    kind: MediaLoss = MediaLoss.STOPPED


@dataclass(frozen=True, slots=True)
class MediaResumed(MediaEvent):
    """Packets come again."""


@dataclass(frozen=True, slots=True)
class TapReady(MediaEvent):
    """Tap data can be read."""

    taps: int


@dataclass(frozen=True, slots=True)
class EventsLost(MediaEvent):
    """The event queue was full; `count` events are gone. Read the snapshots."""

    count: int
