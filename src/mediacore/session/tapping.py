"""One reader of a leg's record tap, many who want its audio."""

from __future__ import annotations

from typing import Protocol

from mediacore._core import Leg

_READ_PAIRS = 48000


class PairSink(Protocol):
    """Takes stereo audio. Nothing here may block or raise."""

    def put(self, at: int, pcm: bytes) -> None:
        """Stereo int16 PCM (left what was received, right what was sent) whose first pair is at
        sample `at` of the leg's clock. Blocks ascend; a late reader leaves a gap before one."""
        ...


class RecordTap:
    """Reads the record tap of one leg, opened with `Tap.RECORD`, and hands each block on.

    `take` on every TapReady. A sink gets what is read after it was added; `take` before adding
    makes that exact to the tick.
    """

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._sinks: list[PairSink] = []
        self._muted = False

    @property
    def srate_hz(self) -> int:
        """Rate of the leg in Hz."""
        return self._leg.srate_hz

    def add(self, sink: PairSink) -> None:
        """Hand on from now on."""
        self._sinks.append(sink)

    def remove(self, sink: PairSink) -> None:
        """No more for this one; idempotent."""
        if sink in self._sinks:
            self._sinks.remove(sink)

    def mute(self, *, on: bool) -> None:
        """Hand on silence instead of the audio from now on, or the audio again."""
        self.take()
        self._muted = on

    def take(self) -> None:
        """Hand on all that the tap holds."""
        while True:
            at, pcm = self._leg.read_record(_READ_PAIRS)
            if not pcm:
                return
            given = bytes(len(pcm)) if self._muted else pcm
            for sink in tuple(self._sinks):
                sink.put(at, given)
