"""One audio stream: our m= section for an offer or an answer, and what a pair of them agrees on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mediacore.media import RtcpMode, Srtp
from mediacore.wire.sdp.crypto import Crypto, crypto_lines, our_lines
from mediacore.wire.sdp.errors import NothingInCommonError
from mediacore.wire.sdp.model import Attribute, Direction, Media
from mediacore.wire.sdp.payloads import (
    CODECS,
    EVENT,
    EVENT_CODES,
    Payload,
    attributes_of,
    codec_of,
    find_comfort_noise,
    find_event,
    our_payloads,
    payloads,
)
from mediacore.wire.sdp.peer import PeerStream
from mediacore.wire.sdp.terms import Agreed, SrtpPolicy, Terms


@dataclass(frozen=True, slots=True)
class _Choice:
    """Payload types of a codec that both sides have, as one of them numbers them."""

    name: str
    audio: Payload
    event: Payload | None
    noise: Payload | None


def offer_stream(
    terms: Terms,
    direction: Direction,
    earlier: Iterable[Payload] = (),
    first: str | None = None,
    proto: str | None = None,
    keyed: bool = True,
) -> Media:
    """Our stream in an offer.

    earlier: payload types that have their meaning already. first: codec to put in front. proto:
    of a stream that exists; keyed: whether keys are offered on RTP/AVP.
    """
    names = list(terms.codecs)
    if first is not None:
        names = [first, *(name for name in names if name != first)]
    offered = our_payloads(names, terms.events, terms.comfort_noise, earlier)
    required = terms.srtp is SrtpPolicy.REQUIRED
    if proto is None or required:
        proto = "RTP/SAVP" if required else "RTP/AVP"
    secret = "SAVP" in proto.upper() or (keyed and terms.srtp is SrtpPolicy.OPTIONAL)
    crypto = tuple(our_lines(terms.keys)) if secret else ()
    return _media(terms, proto, offered, direction, terms.ptime_ms, crypto)


def answer_stream(
    terms: Terms, peer: PeerStream, direction: Direction, current: str | None
) -> tuple[Media, Agreed]:
    """Our answer to the peer's stream. Raises NothingInCommonError.

    direction: the most we want. current: codec in use; it stays when it is still on offer.
    """
    choice = _choose(payloads(peer.media), terms, current)
    theirs, ours = _answer_keys(terms, peer)
    mine = _bounded(direction, peer)
    mux = peer.mux and terms.rtcp is not RtcpMode.NONE
    agreed = _agreed(terms, peer, choice, choice, mine, _rtcp_mode(terms, mux), theirs, ours)
    chosen = [choice.audio]
    if choice.noise is not None:
        chosen.append(choice.noise)
    if choice.event is not None:
        chosen.append(choice.event)
    codec = CODECS[choice.name]
    described = [_ours(payload, codec.fmtp) for payload in chosen]
    crypto = (ours,) if ours is not None else ()
    proto = peer.media.proto
    return _media(terms, proto, described, mine, agreed.ptime_ms, crypto, mux), agreed


def accept_stream(terms: Terms, offered: Media, peer: PeerStream, direction: Direction) -> Agreed:
    """What the peer's answer to our stream makes of it. Raises NothingInCommonError."""
    known = payloads(offered)
    names = [n for n in (codec_of(p, CODECS) for p in known) if n is not None]
    theirs = _choose(payloads(peer.media, known), terms, None, names)
    mine = _choose(known, terms, None, [theirs.name])
    secure, ours = _accept_keys(offered, peer)
    mux = peer.mux and _flag(offered, "rtcp-mux")
    mode = _rtcp_mode(terms, mux)
    return _agreed(terms, peer, mine, theirs, _bounded(direction, peer), mode, secure, ours)


def _choose(
    choices: Sequence[Payload],
    terms: Terms,
    current: str | None = None,
    names: Sequence[str] | None = None,
) -> _Choice:
    able = terms.codecs if names is None else names
    wanted = [current] if current is not None and current in able else []
    for some in (wanted, able):
        for payload in choices:
            name = codec_of(payload, some)
            if name is not None:
                codec = CODECS[name]
                event = find_event(choices, codec.clock_hz) if terms.events else None
                noise = find_comfort_noise(choices, codec.srate_hz) if terms.comfort_noise else None
                return _Choice(name, payload, event, noise)
    offered = ", ".join(f"{p.name[:20]}/{p.clock_hz}" for p in choices[:8]) or "nothing known"
    raise NothingInCommonError(f"no codec in common; offered: {offered}")


def _bounded(direction: Direction, peer: PeerStream) -> Direction:
    """RFC 3264 §6.1: what we want within what the peer's direction leaves."""
    most = peer.direction.reversed
    return Direction.of(direction.sends and most.sends, direction.receives and most.receives)


def _rtcp_mode(terms: Terms, mux: bool) -> RtcpMode:
    if mux:
        return RtcpMode.MUX
    return RtcpMode.PAIR if terms.rtcp is RtcpMode.PAIR else RtcpMode.NONE


def _answer_keys(terms: Terms, peer: PeerStream) -> tuple[Crypto | None, Crypto | None]:
    """The peer's line that we follow and ours for it; None, None = plain RTP."""
    for theirs in peer.crypto:
        for key in terms.keys:
            if key.suite == theirs.suite:
                return theirs, Crypto(theirs.tag, key.suite, key.key)
    if peer.secure:
        why = "SRTP is off" if terms.srtp is SrtpPolicy.OFF else "no key line with a suite of ours"
        raise NothingInCommonError(f"{peer.media.proto} is asked for, but {why}")
    if terms.srtp is SrtpPolicy.REQUIRED:
        raise NothingInCommonError("plain RTP, where SRTP is required")
    return None, None


def _accept_keys(offered: Media, peer: PeerStream) -> tuple[Crypto | None, Crypto | None]:
    """RFC 4568 §5.1.3: the answer names the tag and the suite of one of our lines."""
    for theirs in peer.crypto:
        for ours in crypto_lines(offered):
            if (ours.tag, ours.suite) == (theirs.tag, theirs.suite):
                return theirs, ours
    if "SAVP" in offered.proto.upper() or peer.secure or peer.keyed:
        raise NothingInCommonError("the answer has no key line for one of ours")
    return None, None


def _agreed(
    terms: Terms,
    peer: PeerStream,
    mine: _Choice,
    theirs: _Choice,
    direction: Direction,
    rtcp: RtcpMode,
    their_key: Crypto | None,
    our_key: Crypto | None,
) -> Agreed:
    codec = CODECS[theirs.name]
    event, noise = theirs.event is not None, theirs.noise is not None
    srtp = None
    if their_key is not None and our_key is not None:
        srtp = Srtp(our_key.suite, tx_key=our_key.key, rx_key=their_key.key)
    return Agreed(
        codec=codec.name,
        srate_hz=codec.leg_srate_hz,
        payload_type=mine.audio.number,
        tx_payload_type=theirs.audio.number,
        event_payload_type=_number(mine.event) if event else 0,
        tx_event_payload_type=_number(theirs.event) if mine.event is not None else 0,
        cn_payload_type=_number(mine.noise) if noise else 0,
        ptime_ms=terms.packet_ms(codec, peer.wish_ms, peer.most_ms),
        remote=peer.remote,
        rtcp_remote=peer.rtcp_remote if rtcp is RtcpMode.PAIR else None,
        send=direction.sends,
        receive=direction.receives,
        rtcp=rtcp,
        srtp=srtp,
        fmtp=theirs.audio.fmtp,
    )


def _number(payload: Payload | None) -> int:
    return payload.number if payload is not None else 0


def _ours(payload: Payload, codec_fmtp: str) -> Payload:
    """The peer's payload type with our parameters (RFC 3264 §6.1)."""
    codec = codec_of(payload, CODECS)
    fmtp = codec_fmtp if codec is not None else ""
    if payload.name.lower() == EVENT:
        fmtp = EVENT_CODES
    return Payload(payload.number, payload.name, payload.clock_hz, payload.channels, fmtp)


def _media(
    terms: Terms,
    proto: str,
    types: Sequence[Payload],
    direction: Direction,
    ptime_ms: int,
    crypto: Sequence[Crypto],
    mux: bool = True,
) -> Media:
    formats = tuple(str(payload.number) for payload in types)
    attributes = _attributes(terms, types, direction, ptime_ms, crypto, mux)
    return Media("audio", terms.port, proto, formats, attributes=tuple(attributes))


def _attributes(
    terms: Terms,
    types: Sequence[Payload],
    direction: Direction,
    ptime_ms: int,
    crypto: Sequence[Crypto],
    mux: bool,
) -> Iterator[Attribute]:
    for payload in types:
        yield from attributes_of(payload)
    yield Attribute("ptime", str(ptime_ms))
    yield Attribute("maxptime", str(terms.maxptime_ms))
    if mux and terms.rtcp is not RtcpMode.NONE:
        yield Attribute("rtcp-mux")
    for line in crypto:
        yield line.attribute()
    yield Attribute(direction)


def _flag(media: Media, name: str) -> bool:
    return any(attribute.name == name for attribute in media.attributes)
