"""Cuts a stream of audio blocks into utterances for a recogniser that works on whole clips.

    blocks   . . . s s s s s s s s E . . . s s E
             ╰pre-roll╯            ╰ final       ╰ final
    s = speech at the end of the block, E = the caller stopped inside it

Memory: at most `SPLIT_MAX_S` of audio; a longer utterance is split at its quietest point.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Final

from mediacore.slots.audio import PcmBlock

PREROLL_MS: Final = 300
SPLIT_MAX_S: Final = 28
_SPLIT_SEARCH_S: Final = 6
_HOP_MS: Final = 20
_STRIDE: Final = 4  # every fourth sample is enough to find a pause


@dataclass(frozen=True, slots=True)
class Clip:
    """int16 mono audio. end: the receive clock one past its last sample."""

    pcm: bytes
    end: int


def quietest(pcm: bytes, first: int, last: int, srate_hz: int) -> int:
    """Sample position of the quietest 20 ms between samples `first` and `last`."""
    samples = memoryview(pcm).cast("h")
    hop = srate_hz * _HOP_MS // 1000
    starts = range(first, max(last - hop, first) + 1, hop)
    loudness = {at: sum(map(abs, samples[at : at + hop : _STRIDE].tolist())) for at in starts}
    return min(loudness, key=loudness.__getitem__) + hop // 2


class Utterances:
    """Collects one caller's blocks. Feed with `push`, read `clip` while somebody speaks."""

    def __init__(self, srate_hz: int) -> None:
        self._srate_hz = srate_hz
        self._preroll = srate_hz * PREROLL_MS // 1000
        self._audio = array("h")
        self._end = 0
        self.speaking = False

    @property
    def samples(self) -> int:
        """Samples of the utterance in progress, or of the pre-roll."""
        return len(self._audio)

    def push(self, block: PcmBlock) -> list[Clip]:
        """Add a block; return the utterances that it completes."""
        if self._audio and block.at != self._end:
            self._gap()
        self._audio.frombytes(block.pcm)
        self._end = block.at + block.samples
        done: list[Clip] = []
        if block.ends_speech:
            done.append(self._take(len(self._audio)))
            self.speaking = False
        self.speaking = self.speaking or block.speech
        if not self.speaking:
            del self._audio[: max(0, len(self._audio) - self._preroll)]
        elif len(self._audio) >= SPLIT_MAX_S * self._srate_hz:
            done.append(self._split())
        return done

    def flush(self) -> list[Clip]:
        """The utterance in progress when the stream ends."""
        if not self.speaking:
            return []
        self.speaking = False
        return [self._take(len(self._audio))]

    def clip(self, first: int = 0) -> Clip:
        """The utterance so far, from its sample `first`."""
        return Clip(self._audio[first:].tobytes(), self._end)

    def _gap(self) -> None:
        """Blocks are missing: while somebody speaks join what there is, else start anew."""
        if not self.speaking:
            del self._audio[:]

    def _take(self, count: int) -> Clip:
        rest = len(self._audio) - count
        clip = Clip(self._audio[:count].tobytes(), self._end - rest)
        del self._audio[:count]
        return clip

    def _split(self) -> Clip:
        last = len(self._audio)
        first = last - _SPLIT_SEARCH_S * self._srate_hz
        return self._take(quietest(self._audio.tobytes(), first, last, self._srate_hz))
