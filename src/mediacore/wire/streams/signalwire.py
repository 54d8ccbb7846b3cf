"""SignalWire cXML `<Stream>`: Twilio's messages; codec PCMU@8000h, L16@16000h or L16@24000h.

The stream needs the attribute realtime="true", else bursts are kept back and played late.
"""

from __future__ import annotations

from typing import Final

from mediacore.call.record import Accuracy
from mediacore.wire.streams.model import StreamOptions, Traits
from mediacore.wire.streams.twilio import CHUNKS, Names, TwilioShaped

_TRAITS: Final = Traits(
    "signalwire",
    Accuracy.MARK_BOUNDED,
    CHUNKS,
    marks=True,
    digits=True,
)


def signalwire(options: StreamOptions) -> TwilioShaped:
    """L16 is little-endian."""
    return TwilioShaped(_TRAITS, Names(), options)
