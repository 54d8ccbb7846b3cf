"""What the peer's description says about one audio stream, in checked form."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from mediacore.wire.sdp.crypto import Crypto, crypto_lines
from mediacore.wire.sdp.errors import NothingInCommonError, SdpError
from mediacore.wire.sdp.model import Direction, Media, Session

_PLAIN: Final = frozenset({"RTP/AVP", "RTP/AVPF"})
_SECURE: Final = frozenset({"RTP/SAVP", "RTP/SAVPF"})
_PTIME_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class PeerStream:
    """An audio stream of the peer.

    remote: None = a host name, or hold by address. direction: the peer's, with hold by address
    told as "does not receive". rtcp_remote: a=rtcp or the next port. wish_ms, most_ms: ptime and
    maxptime. keyed: has key lines. crypto: those that can be followed.
    """

    media: Media
    remote: tuple[str, int] | None
    rtcp_remote: tuple[str, int] | None
    direction: Direction
    mux: bool
    secure: bool
    keyed: bool
    crypto: tuple[Crypto, ...]
    wish_ms: int | None
    most_ms: int | None


def read_stream(session: Session, media: Media, ipv6: bool) -> PeerStream:
    """Check one stream. ipv6: of our address. Raises SdpError, NothingInCommonError."""
    if media.kind != "audio":
        raise NothingInCommonError(f"a stream of {media.kind[:20]!r}, not audio")
    if not media.port:
        raise NothingInCommonError("the audio stream is refused (port 0)")
    profile = media.proto.upper()
    if profile not in _PLAIN | _SECURE:
        raise NothingInCommonError(f"audio over {media.proto[:40]!r}")
    host = session.host(media)
    if host is None:
        raise SdpError("no c= line for the audio stream")
    numeric, held = _checked(host, ipv6)
    remote = (host, media.port) if numeric and not held else None
    direction = session.direction(media)
    if held:
        # RFC 3264 §8.4: the older way to ask for hold.
        direction = Direction.of(direction.sends, False)
    return PeerStream(
        media,
        remote,
        _rtcp(session, media, remote, ipv6),
        direction,
        session.has(media, "rtcp-mux"),
        profile in _SECURE,
        any(attribute.name.lower() == "crypto" for attribute in media.attributes),
        tuple(line for line in crypto_lines(media) if line.usable),
        _milliseconds(session.value(media, "ptime")),
        _milliseconds(session.value(media, "maxptime")),
    )


def _checked(host: str, ipv6: bool) -> tuple[bool, bool]:
    """Whether the host is numeric, and whether it means hold."""
    try:
        address = ip_address(host)
    except ValueError:
        return False, False
    if address.is_multicast or host == "255.255.255.255":
        raise NothingInCommonError("audio to a group address")
    if address.is_unspecified:
        return True, True
    if (address.version == 6) != ipv6:
        raise NothingInCommonError(f"audio over IPv{address.version}, which our address is not")
    return True, False


def _rtcp(
    session: Session, media: Media, remote: tuple[str, int] | None, ipv6: bool
) -> tuple[str, int] | None:
    """RFC 3605: `port [IN IP4 host]`; without it the next port."""
    if remote is None:
        return None
    fields = (session.value(media, "rtcp") or "").split()
    host, port = remote[0], remote[1] + 1
    if fields and fields[0].isascii() and fields[0].isdigit() and len(fields[0]) <= 5:
        port = int(fields[0])
        if len(fields) >= 4:
            numeric, held = _checked(fields[3], ipv6)
            host = fields[3] if numeric and not held else host
    return (host, port) if 0 < port < 65_536 else None


def _milliseconds(text: str | None) -> int | None:
    """Whole milliseconds; some phones write 20.0. None when absent or not to be believed."""
    whole = (text or "").strip().partition(".")[0]
    if whole.isascii() and whole.isdigit() and len(whole) <= _PTIME_DIGITS and int(whole):
        return int(whole)
    return None
