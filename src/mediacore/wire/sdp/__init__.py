"""Session descriptions (RFC 8866) and their negotiation (RFC 3264) for one audio stream.

Pure: keys and numbers that must be random are passed in. WebRTC's descriptions are not read here.
"""

from mediacore.wire.sdp.crypto import SUITES, SrtpKey, make_keys
from mediacore.wire.sdp.errors import NothingInCommonError, SdpError
from mediacore.wire.sdp.model import Attribute, Direction, Media, Origin, Session
from mediacore.wire.sdp.negotiation import Negotiation
from mediacore.wire.sdp.payloads import CODECS
from mediacore.wire.sdp.reader import parse
from mediacore.wire.sdp.terms import Agreed, SrtpPolicy, Terms

__all__ = [
    "CODECS",
    "SUITES",
    "Agreed",
    "Attribute",
    "Direction",
    "Media",
    "Negotiation",
    "NothingInCommonError",
    "Origin",
    "SdpError",
    "Session",
    "SrtpKey",
    "SrtpPolicy",
    "Terms",
    "make_keys",
    "parse",
]
