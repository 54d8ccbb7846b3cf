"""Settings of the SIP user agents of a measurement, on loopback and without limits."""

from __future__ import annotations

from typing import Final

from mediacore.transports.sip.config import SipBind
from mediacore.transports.sip.settings import SipConfig
from mediacore.wire.sdp import SrtpPolicy
from mediacore.wire.sip.admission import AdmissionLimits

HOST: Final = "127.0.0.1"
_PLENTY: Final = 100_000


def link_config(kind: str) -> SipConfig:
    """A UDP listener on any port. kind: "sip", or "srtp" for media with keys."""
    return SipConfig(
        binds=(SipBind("UDP", HOST, 0),),
        codecs=("PCMU",),
        srtp=SrtpPolicy.REQUIRED if kind == "srtp" else SrtpPolicy.OFF,
        max_calls=_PLENTY,
        max_calls_per_source=_PLENTY,
        admission=AdmissionLimits(unlimited=frozenset({HOST})),
    )
