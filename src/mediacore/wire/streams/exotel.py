"""Exotel Voicebot: Twilio's shape in snake_case, raw PCM, large blocks.

Media must have at least 3.2 kB, a multiple of 320 bytes, and at most 100 kB: 200 ms at 8 kHz,
100 ms at 16 kHz. That block is the floor of what a flush leaves behind. Blocks are of 200 ms,
which suits every rate, unless the endpoint names the rate.
"""

from __future__ import annotations

from typing import Final

from mediacore.call.record import Accuracy
from mediacore.media import MediaDialect
from mediacore.units import TICK_MS
from mediacore.wire.streams.model import StreamOptions, Traits
from mediacore.wire.streams.twilio import Names, TwilioShaped

MIN_BYTES: Final = 3200
MULTIPLE_BYTES: Final = 320
_NAMES: Final = Names(
    stream_id="stream_sid",
    call_id=("call_sid",),
    account="account_sid",
    parameters="custom_parameters",
    format="media_format",
    codec="L16LE",
)


def block_frames(options: StreamOptions) -> int:
    """Frames of the shortest message that they take."""
    sample = 1 if options.codec in ("PCMU", "PCMA") else 2
    frame = (options.srate_hz or 8000) * TICK_MS // 1000 * sample
    frames = -(-MIN_BYTES // frame)
    while frames * frame % MULTIPLE_BYTES:
        frames += 1
    return frames


def exotel(options: StreamOptions) -> TwilioShaped:
    """Raw PCM unless `start` says µ-law."""
    media = MediaDialect(seq_key=("media", "chunk"), frames=block_frames(options))
    traits = Traits("exotel", Accuracy.MARK_BOUNDED, media, marks=True, digits=True)
    return TwilioShaped(traits, _NAMES, options)
