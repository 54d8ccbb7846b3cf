"""Telnyx media streaming, stream_bidirectional_mode=rtp: Twilio's shape in snake_case.

Messages may come out of order: `chunk` counts. The codec both ways is that of `start`; set the
endpoint's codec where stream_bidirectional_codec differs. L16 is little-endian.
"""

from __future__ import annotations

from typing import Final

from mediacore.call.record import Accuracy
from mediacore.wire.streams.model import StreamOptions, Traits
from mediacore.wire.streams.twilio import CHUNKS, Names, TwilioShaped

_TRAITS: Final = Traits(
    "telnyx",
    Accuracy.MARK_BOUNDED,
    CHUNKS,
    marks=True,
    digits=True,
)
_NAMES: Final = Names(
    stream_id="stream_id",
    call_id=("call_control_id",),
    account="user_id",
    parameters="custom_parameters",
    format="media_format",
    stream_id_goes_out=False,
)


def telnyx(options: StreamOptions) -> TwilioShaped:
    """PCMU, PCMA, G722, OPUS or L16 as `start` says."""
    return TwilioShaped(_TRAITS, _NAMES, options)
