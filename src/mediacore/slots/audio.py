"""Audio as it crosses a slot: blocks of int16 mono PCM with their place on the leg's clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PcmBlock:
    """20–100 ms of caller audio, int16 little-endian mono.

    pcm: bytes, 2 per sample. srate_hz: rate of `pcm`. at: first sample's position on the leg's
    receive clock, counted at `srate_hz`. speech: the voice activity detector's state at the end
    of the block. ends_speech: the caller stopped speaking inside this block; a recogniser that
    works per utterance finalises here.
    """

    pcm: bytes
    srate_hz: int
    at: int
    speech: bool = False
    ends_speech: bool = False

    @property
    def samples(self) -> int:
        """Number of samples in the block."""
        return len(self.pcm) // 2
