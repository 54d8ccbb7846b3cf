"""What Opus costs alone, as the core and as aiortc have it set."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Final

from aiortc.codecs.opus import OpusDecoder, OpusEncoder
from aiortc.jitterbuffer import JitterFrame

from mediacore._core import Codec, Resampler
from mediacore.bench.links_browsers import voice_frames
from mediacore.bench.sound import SRATE_HZ, shipped_callers, without_gaps
from mediacore.units import TICKS_PER_S

_CORE_HZ: Final = 16_000  # of a WebRTC leg


def core_opus_ms() -> float:
    """CPU milliseconds per second of speech, encoding and decoding."""
    codec = Codec("opus", _CORE_HZ)
    pcm = Resampler(SRATE_HZ, _CORE_HZ).run(without_gaps(shipped_callers()))
    frame = 2 * _CORE_HZ // TICKS_PER_S
    starts = range(0, len(pcm) - frame, frame)
    before = time.process_time()
    for at in starts:
        codec.decode(codec.encode(pcm[at : at + frame]))
    return 1000 * (time.process_time() - before) / (len(starts) / TICKS_PER_S)


def aiortc_opus_ms() -> float:
    """The same by aiortc: 48 kHz, stereo on the wire."""
    frames = voice_frames("opus")
    encoder, decoder = OpusEncoder(), OpusDecoder()
    before = time.process_time()
    for n, frame in enumerate(frames):
        frame.pts = n * frame.samples
        frame.time_base = Fraction(1, frame.sample_rate)
        payloads, _ = encoder.encode(frame)
        for payload in payloads:
            decoder.decode(JitterFrame(data=payload, timestamp=frame.pts))
    return 1000 * (time.process_time() - before) / (len(frames) / TICKS_PER_S)
