"""The browser's offer and our answer: the part of SDP that WebRTC needs (RFC 8866, RFC 9429).

One audio section and at most one for data channels (RFC 8841) are taken, in one bundle (RFC 9143)
with rtcp-mux; every other section is refused with port 0. Trickled candidates are not awaited.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from mediacore.errors import MediacoreError

MAX_CHARS: Final = 65_536
_MAX_LINES: Final = 2000
_MAX_SECTIONS: Final = 16
_MAX_CANDIDATES: Final = 32
_STATIC: Final = {0: ("PCMU", 8000), 8: ("PCMA", 8000)}
_TOKEN = re.compile(r"[!-~]{1,256}")
_SCTP_PORT: Final = 5000
_MESSAGE_BYTES: Final = 65_536


class OfferError(MediacoreError):
    """The offer cannot be read, or has nothing that we take."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload type. clock_hz: RTP timestamp rate."""

    type: int
    name: str
    clock_hz: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A UDP address of one side (RFC 8839 §5.1)."""

    foundation: str
    priority: int
    host: str
    port: int
    kind: str = "host"
    related_host: str = ""
    related_port: int = 0

    def encode(self) -> str:
        """The attribute's value."""
        text = f"{self.foundation} 1 udp {self.priority} {self.host} {self.port} typ {self.kind}"
        if self.related_host:
            text += f" raddr {self.related_host} rport {self.related_port}"
        return text


@dataclass(frozen=True, slots=True)
class Peer:
    """What one side says of its ICE and DTLS. fingerprints: (hash, value)."""

    ufrag: str
    password: str = field(repr=False)
    fingerprints: tuple[tuple[str, str], ...]
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One m-line. payloads: those whose mapping is known, in order of preference."""

    kind: str
    protocol: str
    formats: str
    mid: str
    refused: bool
    payloads: tuple[Payload, ...]
    direction: str
    peer: Peer
    setup: str
    muxed: bool
    sctp_port: int


@dataclass(frozen=True, slots=True)
class Offer:
    """What the browser offers. bundle: mids in the first BUNDLE group."""

    sections: tuple[Section, ...]
    bundle: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AgreedMedia:
    """What of an offer is taken. tagged: the section whose addresses count."""

    audio: Section
    payload: Payload
    event_payload_type: int
    data: Section | None
    tagged: Section


def parse_offer(text: str) -> Offer:
    """Read an offer. Raises OfferError."""
    if len(text) > MAX_CHARS:
        raise OfferError("the offer is too long")
    lines = text.replace("\r\n", "\n").split("\n")
    if len(lines) > _MAX_LINES or lines[0] != "v=0":
        raise OfferError("the offer is not SDP")
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            blocks.append([])
        blocks[-1].append(line)
    if len(blocks) - 1 > _MAX_SECTIONS:
        raise OfferError("the offer has too many sections")
    session = _attributes(blocks[0])
    groups = (value.split() for value in session.get("group", ()))
    bundle = next((tuple(words[1:]) for words in groups if words[:1] == ["BUNDLE"]), ())
    sections = tuple(_section(block, session) for block in blocks[1:])
    if not all(_TOKEN.fullmatch(word) for word in (*bundle, *(s.mid for s in sections if s.mid))):
        raise OfferError("the offer has unusable names")
    return Offer(sections, bundle)


def agree(offer: Offer, codecs: Sequence[str]) -> AgreedMedia:
    """Choose what is taken: our first codec that the browser knows. Raises OfferError."""
    live = [s for s in offer.sections if s.mid in offer.bundle and not s.refused]
    audio = next((s for s in live if s.kind == "audio" and "SAVPF" in s.protocol), None)
    if audio is None:
        raise OfferError("the offer has no audio in a bundle")
    if audio.direction != "sendrecv" or not audio.muxed:
        raise OfferError("the audio must be sent and received, with rtcp-mux")
    payload = _preferred(audio, codecs)
    data = next((s for s in live if s.kind == "application" and "DTLS/SCTP" in s.protocol), None)
    taken = [s for s in (audio, data) if s is not None]
    tagged = min(taken, key=lambda s: offer.bundle.index(s.mid))
    peer = tagged.peer
    if not (_TOKEN.fullmatch(peer.ufrag) and _TOKEN.fullmatch(peer.password)):
        raise OfferError("the offer has no ICE credentials")
    if not peer.fingerprints:
        raise OfferError("the offer has no DTLS fingerprint")
    if tagged.setup not in ("actpass", "passive"):
        raise OfferError("the offer must let us begin with DTLS")
    events = (p for p in audio.payloads if p.name.lower() == "telephone-event")
    event = next((p.type for p in events if p.clock_hz == payload.clock_hz), 0)
    return AgreedMedia(audio, payload, event, data, tagged)


def write_answer(offer: Offer, agreed: AgreedMedia, local: Peer, session_id: int) -> str:
    """Our answer, complete with candidates."""
    taken = {s.mid for s in (agreed.audio, agreed.data) if s is not None}
    group = " ".join(mid for mid in offer.bundle if mid in taken)
    lines = ["v=0", f"o=- {session_id} 1 IN IP4 0.0.0.0", "s=-", "t=0 0", f"a=group:BUNDLE {group}"]
    for section in offer.sections:
        if section is agreed.audio:
            lines += _audio_lines(agreed)
        elif section is agreed.data:
            lines += [
                f"m=application 9 {section.protocol} webrtc-datachannel",
                "c=IN IP4 0.0.0.0",
                f"a=sctp-port:{_SCTP_PORT}",
                f"a=max-message-size:{_MESSAGE_BYTES}",
            ]
        else:
            lines += [
                f"m={section.kind} 0 {section.protocol} {section.formats}",
                "c=IN IP4 0.0.0.0",
            ]
            lines += [f"a=mid:{section.mid}", "a=inactive"] if section.mid else ["a=inactive"]
            continue
        lines += [f"a=mid:{section.mid}", *_peer_lines(local)]
    return "\r\n".join(lines) + "\r\n"


def _audio_lines(agreed: AgreedMedia) -> list[str]:
    payload, event = agreed.payload, agreed.event_payload_type
    formats = f"{payload.type} {event}" if event else f"{payload.type}"
    lines = [
        f"m=audio 9 {agreed.audio.protocol} {formats}",
        "c=IN IP4 0.0.0.0",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=msid:agent agent-audio",
        "a=ptime:20",
    ]
    if payload.name.lower() == "opus":
        # RFC 7587 §7: the encoding parameter is always 2; speech is mono.
        lines.append(f"a=rtpmap:{payload.type} opus/48000/2")
        lines.append(f"a=fmtp:{payload.type} minptime=20;useinbandfec=1;stereo=0;usedtx=0")
    else:
        lines.append(f"a=rtpmap:{payload.type} {payload.name}/{payload.clock_hz}")
    if event:
        lines.append(f"a=rtpmap:{event} telephone-event/{payload.clock_hz}")
        lines.append(f"a=fmtp:{event} 0-15")
    return lines


def _peer_lines(local: Peer) -> list[str]:
    return [
        f"a=ice-ufrag:{local.ufrag}",
        f"a=ice-pwd:{local.password}",
        *(f"a=fingerprint:{name} {value}" for name, value in local.fingerprints),
        "a=setup:active",
        *(f"a=candidate:{candidate.encode()}" for candidate in local.candidates),
        "a=end-of-candidates",
    ]


def _preferred(audio: Section, codecs: Sequence[str]) -> Payload:
    for codec in codecs:
        for payload in audio.payloads:
            if payload.name.lower() == codec.lower():
                return payload
    raise OfferError("no codec in common")


def _attributes(lines: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("a="):
            name, _, value = line[2:].partition(":")
            found.setdefault(name, []).append(value)
    return found


def _section(lines: Sequence[str], session: dict[str, list[str]]) -> Section:
    words = lines[0][2:].split()
    if len(words) < 4 or not _is_number(words[1], 65535):
        raise OfferError("the offer has an unusable m-line")
    own = _attributes(lines[1:])

    def one(name: str) -> str:
        return (own.get(name) or session.get(name) or [""])[0].strip()

    directions = ("sendrecv", "sendonly", "recvonly", "inactive")
    direction = next((d for d in directions if d in own), "")
    direction = direction or next((d for d in directions if d in session), "sendrecv")
    pairs = (value.split() for value in own.get("fingerprint") or session.get("fingerprint") or [])
    port = one("sctp-port")
    return Section(
        kind=words[0],
        protocol=words[2],
        formats=" ".join(words[3:]),
        mid=one("mid") if "mid" in own else "",
        refused=words[1] == "0" and "bundle-only" not in own,
        payloads=tuple(_payloads(words[3:], own.get("rtpmap", []))),
        direction=direction,
        peer=Peer(
            one("ice-ufrag"),
            one("ice-pwd"),
            tuple((p[0].lower(), p[1]) for p in pairs if len(p) == 2),
            tuple(_candidates(own.get("candidate", []))),
        ),
        setup=one("setup"),
        muxed="rtcp-mux" in own,
        sctp_port=int(port) if _is_number(port, 65535) else _SCTP_PORT,
    )


def _payloads(formats: Sequence[str], maps: Sequence[str]) -> list[Payload]:
    mapped: dict[str, tuple[str, int]] = {}
    for value in maps:
        number, _, encoding = value.partition(" ")
        name, clock, *_ = (*encoding.split("/"), "")
        if _is_number(clock, 1_000_000):
            mapped[number] = (name, int(clock))
    out = []
    for number in formats:
        if not _is_number(number, 127):
            continue
        found = mapped.get(number) or _STATIC.get(int(number))
        if found is not None:
            out.append(Payload(int(number), *found))
    return out


def _candidates(values: Sequence[str]) -> list[Candidate]:
    """UDP candidates with plain addresses. Names (mDNS) are left out: such a browser reaches us
    first and is then known by its packets (RFC 8445 §7.3.1.3)."""
    out = []
    for value in values[:_MAX_CANDIDATES]:
        words = value.split()
        usable = (
            len(words) >= 8
            and words[1] == "1"
            and words[2].lower() == "udp"
            and _is_number(words[3], (1 << 32) - 1)
            and _is_address(words[4])
            and _is_number(words[5], 65535)
            and words[7] in ("host", "srflx", "prflx", "relay")
        )
        if usable:
            out.append(Candidate(words[0][:32], int(words[3]), words[4], int(words[5]), words[7]))
    return out


def _is_number(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most


def _is_address(text: str) -> bool:
    try:
        return not ip_address(text).is_unspecified
    except ValueError:
        return False
