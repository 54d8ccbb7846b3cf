"""The audio core: `Engine`, `Leg`, `Bridge`, and offline codec, resampler and speech detector."""

from mediacore._core._core import (
    VERSION,
    Bridge,
    Codec,
    Engine,
    Leg,
    MediaSocket,
    Resampler,
    Vad,
    live_objects,
    now_us,
    opus_version,
    srtp_version,
    udp_open,
)
from mediacore._core.libopus import opus_load
from mediacore._core.libsrtp import srtp_load

__all__ = [
    "VERSION",
    "Bridge",
    "Codec",
    "Engine",
    "Leg",
    "MediaSocket",
    "Resampler",
    "Vad",
    "live_objects",
    "now_us",
    "opus_load",
    "opus_version",
    "srtp_load",
    "srtp_version",
    "udp_open",
]
