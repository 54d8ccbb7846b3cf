"""Calls from a browser: WebRTC with raw RTP into the core, and the page that places them.

aiortc does ICE, DTLS and the data channel and is imported when a server starts, not before.
"""

from mediacore.transports.webrtc.config import IceServer, WebRtcConfig
from mediacore.transports.webrtc.line import SESSION_HEADER, WebRtcLine
from mediacore.transports.webrtc.server import WebRtcServer, WebRtcStats

__all__ = [
    "SESSION_HEADER",
    "IceServer",
    "WebRtcConfig",
    "WebRtcLine",
    "WebRtcServer",
    "WebRtcStats",
]
