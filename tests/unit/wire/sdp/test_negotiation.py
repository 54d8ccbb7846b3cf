"""Offer and answer: the shapes of real offers, hold, re-offers, keys, errors."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from mediacore.media import RtcpMode, Srtp
from mediacore.wire.sdp import (
    SUITES,
    Agreed,
    Direction,
    Negotiation,
    NothingInCommonError,
    SdpError,
    Session,
    SrtpPolicy,
    Terms,
    make_keys,
    parse,
)
from support.sdp_offers import KEY_A, KEY_B, OFFERS, Offer

TERMS = Terms("192.0.2.1", 4000)
KEYS = make_keys(SUITES, lambda n: b"K" * n)
SECURE = replace(TERMS, srtp=SrtpPolicy.REQUIRED, keys=KEYS)
EITHER = replace(SECURE, srtp=SrtpPolicy.OPTIONAL)
SHA80 = SUITES[0]
TEXT = {offer.name: offer.text for offer in OFFERS}


def offered(body: str, host: str = "192.0.2.9", version: int = 1) -> Session:
    family = "IP6" if ":" in host else "IP4"
    text = f"v=0\no=- 5 {version} IN {family} {host}\ns=-\nc=IN {family} {host}\nt=0 0\n{body}"
    return parse(text)


def pair(ours: Terms = TERMS, theirs: Terms | None = None) -> tuple[Negotiation, Negotiation]:
    theirs = theirs or replace(ours, host="192.0.2.2", port=5000)
    return Negotiation(ours, 11), Negotiation(theirs, 22)


def exchange(
    caller: Negotiation, callee: Negotiation, direction: Direction = Direction.SENDRECV
) -> tuple[Session, Session]:
    """Offer and answer over the wire; both sides must see the same."""
    offer = caller.offer(direction)
    answer, theirs = callee.answer(parse(offer.encode()))
    ours = caller.accept(parse(answer.encode()))
    assert (ours.codec, ours.srate_hz, ours.rtcp) == (theirs.codec, theirs.srate_hz, theirs.rtcp)
    assert (ours.payload_type, ours.tx_payload_type) == (
        theirs.tx_payload_type,
        theirs.payload_type,
    )
    assert (ours.send, ours.receive) == (theirs.receive, theirs.send)
    return offer, answer


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.name)
def test_offers_in_the_shapes_of_the_world(offer: Offer) -> None:
    ours = Negotiation(TERMS, 1)
    if offer.expect is None:
        with pytest.raises(NothingInCommonError):
            ours.answer(parse(offer.text))
        assert ours.agreed is None and ours.local is None
        return
    answer, agreed = ours.answer(parse(offer.text))
    assert {name: getattr(agreed, name) for name in offer.expect} == offer.expect
    assert tuple(media.port for media in answer.media) == offer.ports
    assert [m.kind for m in answer.media] == [m.kind for m in parse(offer.text).media]
    again = parse(answer.encode())
    assert again == answer and again.connection == TERMS.host


def test_an_answer_names_one_codec_with_our_parameters() -> None:
    answer, agreed = Negotiation(TERMS, 9).answer(parse(TEXT["opus phone with video and AVPF"]))
    assert answer.encode() == (
        "v=0\r\no=- 9 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        "m=video 0 RTP/AVPF 96\r\n"
        "m=audio 4000 RTP/AVPF 96 101\r\n"
        "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"
        "a=rtpmap:101 telephone-event/48000\r\na=fmtp:101 0-15\r\n"
        "a=ptime:20\r\na=maxptime:60\r\na=rtcp-mux\r\na=sendrecv\r\n"
    )
    assert agreed.fmtp == "useinbandfec=1" and agreed.rtcp is RtcpMode.MUX


def test_both_sides_agree_and_an_unchanged_offer_keeps_its_version() -> None:
    a, b = pair()
    offer, answer = exchange(a, b)
    assert a.local is offer and b.local is answer and not a.pending
    again, second = exchange(a, b)
    assert answer.origin.version == second.origin.version == "1"
    # The codec in use and its events stand in front in a later offer; that is a change, once.
    assert again.origin.version in ("1", "2")
    assert exchange(a, b)[0] == again


def test_hold_and_resume_from_either_side() -> None:
    a, b = pair()
    exchange(a, b)
    held, answer = exchange(a, b, Direction.SENDONLY)
    assert a.agreed and b.agreed
    assert a.agreed.send and not a.agreed.receive and not a.agreed.held and b.agreed.held
    assert [s.direction(s.media[0]) for s in (held, answer)] == ["sendonly", "recvonly"]
    # The held side refreshes the session: our hold stays.
    exchange(b, a)
    assert a.agreed.send and not a.agreed.receive
    resumed, _ = exchange(a, b)
    assert a.agreed.send and a.agreed.receive
    versions = [int(s.origin.version) for s in (held, resumed)]
    assert versions == sorted(set(versions))
    exchange(a, b, Direction.INACTIVE)
    assert not (a.agreed.send or a.agreed.receive or b.agreed.send or b.agreed.receive)


def test_our_hold_can_be_put_into_an_answer() -> None:
    ours = Negotiation(TERMS, 1)
    offer = offered("m=audio 6000 RTP/AVP 0\n")
    answer, agreed = ours.answer(offer, Direction.SENDONLY)
    assert answer.direction(answer.media[0]) is Direction.SENDONLY and not agreed.receive
    assert ours.answer(offer)[1] == agreed
    assert ours.answer(offer, Direction.SENDRECV)[1].receive


@pytest.mark.parametrize(
    ("lines", "host", "direction"),
    [
        ("a=sendonly", "192.0.2.9", "recvonly"),
        ("a=recvonly", "192.0.2.9", "sendonly"),
        ("a=inactive", "192.0.2.9", "inactive"),
        ("", "0.0.0.0", "recvonly"),
        ("a=sendonly", "0.0.0.0", "recvonly"),
        ("a=recvonly", "0.0.0.0", "inactive"),
        ("a=inactive", "0.0.0.0", "inactive"),
        ("a=SendOnly", "192.0.2.9", "recvonly"),
    ],
)
def test_every_spelling_of_hold(lines: str, host: str, direction: str) -> None:
    ours = Negotiation(TERMS, 1)
    _, before = ours.answer(
        offered("m=audio 6000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000")
    )
    hold = offered(f"m=audio 6000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n{lines}", host)
    answer, agreed = ours.answer(hold)
    assert answer.direction(answer.media[0]) == direction
    assert answer.connection == TERMS.host, "our own address is never given as hold"
    assert (agreed.codec, agreed.event_payload_type) == (before.codec, before.event_payload_type)
    moved = {"remote"} if host == "0.0.0.0" else set()
    assert changed(before, agreed) - {"receive"} == moved | (
        {"send"} if agreed.send != before.send else set()
    )


def test_hold_by_the_unspecified_ipv6_address() -> None:
    ours = Negotiation(replace(TERMS, host="2001:db8::1"), 1)
    answer, agreed = ours.answer(offered("m=audio 6000 RTP/AVP 0", "2001:db8::2"))
    assert agreed.remote == ("2001:db8::2", 6000) and "IN IP6 2001:db8::1" in answer.encode()
    assert ours.answer(offered("m=audio 6000 RTP/AVP 0", "::"))[1].held


def changed(before: Agreed, after: Agreed) -> set[str]:
    return {f.name for f in fields(Agreed) if getattr(before, f.name) != getattr(after, f.name)}


def test_a_re_offer_changes_what_it_says_and_no_more() -> None:
    ours = Negotiation(TERMS, 1)
    first = offered("m=audio 6000 RTP/AVP 8 0")
    before = ours.answer(first)[1]
    assert ours.answer(first)[1] == before
    moved = ours.answer(offered("m=audio 6002 RTP/AVP 8 0", "192.0.2.77"))[1]
    assert changed(before, moved) == {"remote"} and moved.remote == ("192.0.2.77", 6002)
    # The running codec stays while it is offered, whatever the order.
    assert ours.answer(offered("m=audio 6002 RTP/AVP 0 8", "192.0.2.77"))[1] == moved
    other = ours.answer(offered("m=audio 6002 RTP/AVP 9", "192.0.2.77"))[1]
    assert changed(moved, other) == {"codec", "payload_type", "tx_payload_type"}


def test_a_failed_re_offer_leaves_the_call_as_it_was() -> None:
    ours = Negotiation(TERMS, 1)
    answer, agreed = ours.answer(offered("m=audio 6000 RTP/AVP 0"))
    with pytest.raises(NothingInCommonError):
        ours.answer(parse(TEXT["fax"]))
    assert ours.agreed == agreed and ours.local is answer
    assert ours.answer(offered("m=audio 6000 RTP/AVP 0"))[0] == answer


def test_our_later_offer_keeps_the_order_of_lines_and_the_numbers() -> None:
    ours = Negotiation(TERMS, 1)
    body = (
        "m=video 5998 RTP/AVP 31\nm=audio 6000 RTP/AVP 111 8\n"
        "a=rtpmap:111 telephone-event/8000\nm=audio 6004 RTP/AVP 0\n"
    )
    answer, agreed = ours.answer(offered(body))
    assert [m.port for m in answer.media] == [0, 4000, 0]
    again = ours.offer(Direction.SENDONLY)
    assert [(m.kind, m.port) for m in again.media] == [("video", 0), ("audio", 4000), ("audio", 0)]
    formats = again.media[1].formats
    assert formats[0] == str(agreed.payload_type) and "111" in formats
    assert "a=rtpmap:111 telephone-event/8000" in again.encode()
    assert "a=rtpmap:96 opus/48000/2" in again.encode()
    assert again.origin.version == "2"


def test_a_codec_that_the_terms_drop_is_not_offered_again() -> None:
    a, b = pair()
    exchange(a, b)
    a.terms = replace(a.terms, codecs=("PCMA",), port=4010)
    offer, _ = exchange(a, b)
    assert a.agreed and a.agreed.codec == "PCMA"
    assert offer.media[0].port == 4010 and "opus" not in offer.encode()


def test_delayed_offer_and_refused_offers() -> None:
    a, b = pair()
    with pytest.raises(RuntimeError):
        a.accept(b.offer())
    b.abandon()
    exchange(b, a)  # the callee's offer in the 200, the answer in the ACK
    before = b.agreed
    hold = b.offer(Direction.SENDONLY)
    with pytest.raises(RuntimeError, match="unanswered"):
        b.offer()
    with pytest.raises(RuntimeError, match="unanswered"):
        b.answer(hold)
    b.abandon()
    assert b.agreed == before and not b.pending
    later = b.offer(Direction.INACTIVE)
    assert int(later.origin.version) == int(hold.origin.version) + 1


def test_an_answer_may_number_its_types_anew() -> None:
    ours = Negotiation(TERMS, 1)
    ours.offer()
    agreed = ours.accept(
        offered(
            "m=audio 6000 RTP/AVP 96 97\na=rtpmap:96 opus/48000/2\na=fmtp:96 stereo=0\n"
            "a=rtpmap:97 telephone-event/48000\n"
        )
    )
    assert (agreed.payload_type, agreed.tx_payload_type) == (111, 96)
    assert (agreed.event_payload_type, agreed.tx_event_payload_type) == (110, 97)
    assert agreed.fmtp == "stereo=0"


def test_an_answer_without_maps_or_events_is_understood() -> None:
    ours = Negotiation(TERMS, 1)
    ours.offer()
    agreed = ours.accept(offered("m=audio 6000 RTP/AVP 111\n"))
    assert (agreed.codec, agreed.event_payload_type, agreed.tx_event_payload_type) == ("opus", 0, 0)
    ours.offer()
    agreed = ours.accept(offered("m=audio 6000 RTP/AVP 8 13 101\n"))
    assert (agreed.codec, agreed.cn_payload_type, agreed.event_payload_type) == ("PCMA", 13, 101)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "m=audio 0 RTP/AVP 0\n",
        "m=video 6000 RTP/AVP 0\n",
        "m=audio 6000 RTP/AVP 18\n",
        f"m=audio 6000 RTP/AVP 0\na=crypto:9 {SHA80} inline:{KEY_A}\n",
        "m=audio 6000 UDP/TLS/RTP/SAVPF 0\n",
    ],
)
def test_an_unusable_answer_leaves_the_offer_pending(body: str) -> None:
    ours = Negotiation(EITHER, 1)
    ours.offer()
    with pytest.raises(NothingInCommonError):
        ours.accept(offered(body))
    assert ours.pending and ours.agreed is None
    assert ours.accept(offered("m=audio 6000 RTP/AVP 0\n")).srtp is None


@pytest.mark.parametrize(
    ("host", "ok"),
    [("192.0.2.9", True), ("phone.example", True), ("239.1.1.1", False), ("2001:db8::1", False)],
)
def test_addresses(host: str, ok: bool) -> None:
    ours = Negotiation(TERMS, 1)
    offer = offered("m=audio 6000 RTP/AVP 0", host)
    if not ok:
        with pytest.raises(NothingInCommonError):
            ours.answer(offer)
        return
    expected = (host, 6000) if host[0].isdigit() else None
    agreed = ours.answer(offer)[1]
    assert agreed.remote == expected and agreed.send


def test_a_stream_without_an_address_or_a_description_without_streams() -> None:
    ours = Negotiation(TERMS, 1)
    with pytest.raises(SdpError, match="no c= line"):
        ours.answer(parse("v=0\nm=video 1 RTP/AVP 0\nm=audio 6000 RTP/AVP 0"))
    with pytest.raises(NothingInCommonError):
        ours.answer(parse("v=0"))
    with pytest.raises(NothingInCommonError, match="no codec in common; offered: G729/8000"):
        ours.answer(offered("m=audio 6000 RTP/AVP 18\nm=video 1 RTP/AVP 96"))


@pytest.mark.parametrize(
    ("lines", "mode", "where"),
    [
        ("", RtcpMode.PAIR, ("192.0.2.9", 6001)),
        ("a=rtcp:7000", RtcpMode.PAIR, ("192.0.2.9", 7000)),
        ("a=rtcp:7000 IN IP4 192.0.2.8", RtcpMode.PAIR, ("192.0.2.8", 7000)),
        ("a=rtcp:7000 IN IP4 0.0.0.0", RtcpMode.PAIR, ("192.0.2.9", 7000)),
        ("a=rtcp:x", RtcpMode.PAIR, ("192.0.2.9", 6001)),
        ("a=rtcp:99999", RtcpMode.PAIR, None),
        ("a=rtcp-mux", RtcpMode.MUX, None),
    ],
)
def test_where_reports_travel(lines: str, mode: RtcpMode, where: tuple[str, int] | None) -> None:
    offer = offered(f"m=audio 6000 RTP/AVP 0\n{lines}")
    answer, agreed = Negotiation(replace(TERMS, rtcp=RtcpMode.PAIR), 1).answer(offer)
    assert (agreed.rtcp, agreed.rtcp_remote) == (mode, where)
    assert ("rtcp-mux" in answer.encode()) == (mode is RtcpMode.MUX)
    for able in (RtcpMode.MUX, RtcpMode.NONE):
        agreed = Negotiation(replace(TERMS, rtcp=able), 1).answer(offer)[1]
        wanted = RtcpMode.MUX if mode is able is RtcpMode.MUX else RtcpMode.NONE
        assert (agreed.rtcp, agreed.rtcp_remote) == (wanted, None)


def test_the_answer_repeats_the_size_of_our_packets() -> None:
    answer, agreed = Negotiation(TERMS, 1).answer(
        offered("m=audio 6000 RTP/AVP 0\na=ptime:60\na=maxptime:30")
    )
    assert agreed.ptime_ms == 30 and "a=ptime:30\r\n" in answer.encode()


def test_keys_cross_over() -> None:
    theirs = make_keys(SUITES[2:], lambda n: b"T" * n)
    a, b = pair(SECURE, replace(EITHER, host="192.0.2.2", keys=theirs))
    offer, answer = exchange(a, b)
    assert offer.media[0].proto == answer.media[0].proto == "RTP/SAVP"
    assert a.agreed and a.agreed.srtp == Srtp("AEAD_AES_128_GCM", b"K" * 28, b"T" * 28)
    assert b.agreed and b.agreed.srtp == Srtp("AEAD_AES_128_GCM", b"T" * 28, b"K" * 28)
    assert "KKKK" not in repr(a.agreed)
    # A new key of ours in a later offer.
    a.terms = replace(SECURE, keys=make_keys(SUITES, lambda n: b"N" * n))
    exchange(a, b)
    assert b.agreed.srtp == Srtp("AEAD_AES_128_GCM", b"T" * 28, b"N" * 28)


def test_optional_keys() -> None:
    a, b = pair(EITHER)
    offer, answer = exchange(a, b)
    assert offer.media[0].proto == "RTP/AVP" and "a=crypto:1" in answer.encode()
    assert a.agreed and a.agreed.srtp is not None
    assert "a=crypto" in exchange(a, b)[0].encode()
    plain, other = pair(EITHER, replace(TERMS, host="192.0.2.2"))
    exchange(plain, other)
    assert plain.agreed and plain.agreed.srtp is None
    assert "a=crypto" not in exchange(plain, other)[0].encode()


def test_demanded_keys() -> None:
    offer = parse(TEXT["keys demanded"])
    answer, agreed = Negotiation(EITHER, 1).answer(offer)
    # The first line wants an MKI in each packet; the second one can be followed.
    assert agreed.srtp == Srtp(SHA80, b"K" * 30, b"B" * 30)
    assert "a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:" in answer.encode()
    with pytest.raises(NothingInCommonError, match="SRTP is off"):
        Negotiation(TERMS, 1).answer(offer)
    with pytest.raises(NothingInCommonError, match="no key line"):
        Negotiation(replace(EITHER, keys=KEYS[3:]), 1).answer(offer)
    with pytest.raises(NothingInCommonError, match="SRTP is required"):
        Negotiation(SECURE, 1).answer(offered("m=audio 6000 RTP/AVP 0"))
    with_keys = f"m=audio 6000 RTP/AVP 0\na=crypto:1 {SHA80} inline:{KEY_B}"
    assert Negotiation(SECURE, 1).answer(offered(with_keys))[1].srtp is not None


def test_of_two_audio_streams_the_one_that_serves_is_taken() -> None:
    body = f"m=audio 6000 RTP/SAVP 0\na=crypto:1 {SHA80} inline:{KEY_A}\nm=audio 6002 RTP/AVP 0\n"
    answer, agreed = Negotiation(TERMS, 1).answer(offered(body))
    assert [m.port for m in answer.media] == [0, 4000] and agreed.srtp is None
    ours = Negotiation(SECURE, 1)
    answer, agreed = ours.answer(offered(body))
    assert [m.port for m in answer.media] == [4000, 0] and agreed.srtp is not None
    # The line in use is kept when both would do.
    ours.terms = EITHER
    assert ours.answer(offered(body.replace("6000", "6010")))[1].remote == ("192.0.2.9", 6010)


def test_terms_that_came_to_require_keys() -> None:
    a, b = pair(EITHER, replace(TERMS, host="192.0.2.2"))
    exchange(a, b)
    a.terms = SECURE
    assert a.offer().media[0].proto == "RTP/SAVP"


def test_a_refusal_shows_no_control_character() -> None:
    offer = offered("m=audio 6000 RTP/AVP 96\na=rtpmap:96 PC\x01\0/8000")
    with pytest.raises(NothingInCommonError, match=r"offered: PC\?\?/8000"):
        Negotiation(TERMS, 1).answer(offer)
