"""Offers: what is taken of them, what is answered, and what is refused without a crash."""

from __future__ import annotations

import random

import pytest

from mediacore.transports.webrtc.offer import (
    MAX_CHARS,
    Candidate,
    OfferError,
    Peer,
    agree,
    parse_offer,
    write_answer,
)
from support.webrtc_sim import FINGERPRINT, OFFER

LOCAL = Peer(
    "wxyz",
    "p" * 24,
    (("sha-256", FINGERPRINT),),
    (
        Candidate("1", 2130706431, "127.0.0.1", 4000),
        Candidate("2", 1, "192.0.2.1", 5, "srflx", "127.0.0.1", 4000),
    ),
)


def answer(offer: str, codecs: tuple[str, ...] = ("opus", "PCMU")) -> list[str]:
    parsed = parse_offer(offer)
    return write_answer(parsed, agree(parsed, codecs), LOCAL, 7).split("\r\n")


def test_the_offer_of_a_browser_is_understood() -> None:
    offer = parse_offer(OFFER)
    agreed = agree(offer, ("opus", "PCMU"))
    assert (agreed.payload.type, agreed.payload.name, agreed.payload.clock_hz) == (
        111,
        "opus",
        48000,
    )
    assert agreed.event_payload_type == 110  # of the same clock
    assert agreed.data is not None and agreed.data.sctp_port == 5000
    assert agreed.tagged is agreed.audio
    # A name and TCP are left out.
    assert agreed.audio.peer.candidates == (Candidate("1", 2122260223, "127.0.0.1", 50000),)
    assert agreed.audio.peer.ufrag == "abcd"


def test_our_order_of_codecs_counts() -> None:
    agreed = agree(parse_offer(OFFER), ("PCMU", "opus"))
    assert (agreed.payload.type, agreed.event_payload_type) == (0, 126)


def test_the_answer_has_what_a_browser_needs() -> None:
    lines = answer(OFFER)
    assert lines[0] == "v=0" and lines[-1] == ""
    assert "a=group:BUNDLE 0 1" in lines
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 111 110" in lines
    assert "a=rtpmap:111 opus/48000/2" in lines
    assert "a=rtcp-mux" in lines
    assert lines.count("a=setup:active") == 2
    assert lines.count("a=ice-ufrag:wxyz") == 2
    assert "a=candidate:1 1 udp 2130706431 127.0.0.1 4000 typ host" in lines
    assert "a=candidate:2 1 udp 1 192.0.2.1 5 typ srflx raddr 127.0.0.1 rport 4000" in lines
    assert "m=application 9 UDP/DTLS/SCTP webrtc-datachannel" in lines
    assert "a=sctp-port:5000" in lines


def test_other_sections_are_refused_in_place() -> None:
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=rtpmap:96 VP8/90000\r\n"
    head, tail = OFFER.split("m=application", 1)
    lines = answer(head + video + "m=application" + tail)
    media = [line for line in lines if line.startswith("m=")]
    assert [line.split()[0:2] for line in media] == [
        ["m=audio", "9"],
        ["m=video", "0"],
        ["m=application", "9"],
    ]


def test_credentials_come_from_the_first_section_of_the_bundle() -> None:
    text = OFFER.replace("BUNDLE 0 1", "BUNDLE 1 0")
    agreed = agree(parse_offer(text), ("opus",))
    assert agreed.tagged is agreed.data


def test_attributes_of_the_session_hold_for_its_sections() -> None:
    line = f"a=fingerprint:sha-256 {FINGERPRINT}"
    text = OFFER.replace(line + "\r\n", "").replace("a=extmap-allow-mixed", line)
    assert agree(parse_offer(text), ("opus",)).tagged.peer.fingerprints == (
        ("sha-256", FINGERPRINT),
    )


def test_audio_alone_is_enough() -> None:
    text = OFFER.split("m=application", 1)[0].replace("BUNDLE 0 1", "BUNDLE 0")
    assert agree(parse_offer(text), ("opus",)).data is None


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("m=audio 50000", "m=audio 0", "no audio"),
        ("SAVPF 111", "AVP 111", "no audio"),
        ("a=group:BUNDLE 0 1", "a=group:LS 0 1", "no audio"),
        ("a=sendrecv", "a=sendonly", "sent and received"),
        ("a=rtcp-mux", "a=x", "rtcp-mux"),
        ("opus/48000/2", "speex/8000", "no codec"),
        ("a=ice-ufrag:abcd", "a=x", "ICE"),
        ("a=ice-pwd:0123456789abcdefghijklmn", "a=ice-pwd:a b", "ICE"),
        (f"a=fingerprint:sha-256 {FINGERPRINT}", "a=x", "fingerprint"),
        ("a=setup:actpass", "a=setup:active", "DTLS"),
        ("v=0", "v=1", "not SDP"),
        ("m=audio 50000 UDP", "m=audio x UDP", "m-line"),
        ("m=audio 50000 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126", "m=audio 9", "m-line"),
        ("a=mid:0", "a=mid:" + "x" * 300, "names"),
        ("a=extmap-allow-mixed", "a=x\r\n" * 2001, "not SDP"),
        ("a=extmap-allow-mixed", "a=x\r\n" + "m=audio 9 x 0\r\n" * 17, "sections"),
        ("a=extmap-allow-mixed", "x" * MAX_CHARS, "too long"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_the_reason(old: str, new: str, why: str) -> None:
    assert old in OFFER
    with pytest.raises(OfferError, match=why):
        agree(parse_offer(OFFER.replace(old, new)), ("opus",))


def test_damaged_offers_are_errors_and_nothing_else() -> None:
    rng = random.Random(5)
    lines = OFFER.split("\r\n")
    for _ in range(3000):
        damaged = list(lines)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(damaged))
            line = damaged[at]
            cut = rng.randrange(len(line) + 1)
            junk = rng.choice(["", " ", ":", "\u00b2", "99999999999", "0", "=", "\0", line])
            damaged[at] = line[:cut] + junk + line[cut + rng.randint(0, 3) :]
        try:
            parsed = parse_offer("\r\n".join(damaged))
            write_answer(parsed, agree(parsed, ("opus", "PCMU")), LOCAL, 1)
        except OfferError:
            pass
