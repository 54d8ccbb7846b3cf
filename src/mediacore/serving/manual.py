"""What the configuration page says of keys whose dataclasses leave them to their names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MANUAL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sip.user": "our name in addresses, where neither trunk nor caller gives one",
        "sip.codecs": "in order of preference",
        "sip.ptime_ms": "audio in a sent packet, where the far side does not ask for another",
        "sip.rtcp": "no reports, on the RTP port, or on the next one",
        "sip.srtp": "SRTP with keys in SDP: not at all, when offered, or always; needs libsrtp2",
        "sip.realm": "of the digest that `users` answer",
        "sip.open": "anybody who reaches the port may call",
        "sip.retry_after_s": "told to callers who are refused for want of room",
        "sip.rel100": "reliable provisional answers, RFC 3262",
        "sip.min_se_s": "shortest session interval that is accepted, RFC 4028",
        "sip.session_expires_s": "session timers, RFC 4028; 0 = none",
        "sip.transfers": "where a party may send its call: nowhere, to its own host and numbers "
        "of our trunk that the dial policy allows, or wherever it allows",
        "sip.trunk": "who takes calls to numbers",
        "sip.registrations": "addresses to be known by at registrars",
        "sip.admission": "requests of one source that are looked at",
        "sip.streams": "limits of TCP and TLS connections",
        "sip.t1_ms": "estimate of the round trip, T1 of RFC 3261",
        "sip.binds.transport": '"UDP", "TCP" or "TLS"',
        "sip.trunk.host": "its name or address",
        "sip.trunk.name": "in logs",
        "sip.trunk.port": "0 = the usual one",
        "sip.trunk.transport": '"UDP", "TCP" or "TLS"',
        "sip.trunk.user": "our name there",
        "sip.trunk.password": "asked for by its digest",
        "sip.registrations.user": "the address's user",
        "sip.registrations.password": "asked for by the registrar's digest",
        "sip.registrations.name": "in logs",
        "sip.registrations.domain": "the address's domain; \"\" = the registrar's host",
        "sip.registrations.auth_user": 'name for the digest; "" = user',
        "sip.registrations.expires_s": "how long a registration is asked to last",
        "sip.registrations.keepalive_ms": "between keep-alives on the way there; 0 = none",
        "sip.registrations.realms": "those that get our password; [] = any",
        "webrtc.ice_servers.username": "of a TURN server",
        "webrtc.ice_servers.credential": "of a TURN server",
    }
)
"""By section and key."""
