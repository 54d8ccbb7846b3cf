"""The dialects by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from mediacore.wire.streams.asterisk import chan_websocket
from mediacore.wire.streams.exotel import exotel
from mediacore.wire.streams.forked import audio_fork, audio_stream, jambonz
from mediacore.wire.streams.genesys import genesys
from mediacore.wire.streams.model import Dialect, StreamOptions
from mediacore.wire.streams.plivo import plivo
from mediacore.wire.streams.signalwire import signalwire
from mediacore.wire.streams.telnyx import telnyx
from mediacore.wire.streams.twilio import twilio
from mediacore.wire.streams.vonage import vonage

DIALECTS: Final[Mapping[str, Callable[[StreamOptions], Dialect]]] = MappingProxyType(
    {
        "twilio": twilio,
        "telnyx": telnyx,
        "plivo": plivo,
        "vonage": vonage,
        "signalwire": signalwire,
        "exotel": exotel,
        "genesys": genesys,
        "jambonz": jambonz,
        "audio_fork": audio_fork,
        "audio_stream": audio_stream,
        "chan_websocket": chan_websocket,
    }
)
"""Each makes the dialect of one connection."""
