"""Descriptions under random input, and against another implementation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.targets import TARGETS
from mediacore.media import RtcpMode
from mediacore.wire.sdp import (
    CODECS,
    SUITES,
    Agreed,
    Attribute,
    Direction,
    Media,
    Negotiation,
    NothingInCommonError,
    Origin,
    SdpError,
    Session,
    SrtpPolicy,
    Terms,
    make_keys,
    parse,
)
from mediacore.wire.sdp.payloads import payloads
from support.sdp_offers import OFFERS

_WORD = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-._", min_size=1, max_size=12)
_HOST = st.sampled_from(("192.0.2.1", "2001:db8::7", "0.0.0.0", "::", "host.example"))
_TEXT = st.lists(_WORD, min_size=1, max_size=4).map(" ".join)
_ATTRIBUTES = st.lists(st.builds(Attribute, _WORD, st.none() | _TEXT), max_size=6).map(tuple)
_BANDWIDTH = st.lists(st.builds("AS:{}".format, st.integers(0, 999)), max_size=2).map(tuple)
_NUMBER = st.integers(0, 2**64).map(str)
_MEDIA = st.builds(
    Media,
    _WORD.map(str.lower),
    st.integers(0, 65_535),
    st.sampled_from(("RTP/AVP", "RTP/SAVP", "udptl")),
    st.lists(st.integers(0, 127).map(str), min_size=1, max_size=8).map(tuple),
    st.integers(1, 4),
    st.none() | _HOST,
    _BANDWIDTH,
    _ATTRIBUTES,
)
_SESSIONS = st.builds(
    Session,
    st.builds(Origin, _WORD, _NUMBER, _NUMBER, _HOST),
    _TEXT,
    st.none() | _HOST,
    _BANDWIDTH,
    _ATTRIBUTES,
    st.lists(_MEDIA, max_size=4).map(tuple),
)


@given(_SESSIONS)
def test_what_is_written_is_read_again(session: Session) -> None:
    assert parse(session.encode()) == session


@given(st.text(max_size=400) | st.binary(max_size=400))
def test_random_text_raises_only_sdp_errors(text: str | bytes) -> None:
    message = ""
    try:
        parse(text)
    except SdpError as error:
        message = str(error)
    assert message.isprintable()


_LINES = st.lists(
    st.sampled_from([line for offer in OFFERS for line in offer.text.split("\r\n")])
    | st.text(max_size=20),
    max_size=30,
)


@given(_LINES)
def test_shuffled_lines_of_real_offers_raise_only_sdp_errors(lines: list[str]) -> None:
    TARGETS["sdp"]("\n".join(["v=0", *lines]).encode("utf-8", "replace"))


@st.composite
def terms(draw: st.DrawFn, host: str) -> Terms:
    policy = draw(st.sampled_from(SrtpPolicy))
    suites = draw(st.lists(st.sampled_from(SUITES), min_size=1, unique=True))
    filler = draw(st.binary(min_size=1, max_size=1))
    off = policy is SrtpPolicy.OFF
    return Terms(
        host,
        draw(st.integers(1, 65_535)),
        tuple(draw(st.lists(st.sampled_from(list(CODECS)), min_size=1, unique=True))),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.sampled_from((20, 40, 60))),
        60,
        draw(st.sampled_from(((10, 20, 30, 40, 60), (20, 40, 60)))),
        draw(st.sampled_from(RtcpMode)),
        policy,
        () if off else make_keys(suites, lambda n: filler * n),
    )


def _mirror(ours: Agreed, theirs: Agreed) -> None:
    """What one side sends is what the other expects."""
    assert (ours.codec, ours.srate_hz) == (theirs.codec, theirs.srate_hz)
    assert (ours.payload_type, ours.tx_payload_type) == (
        theirs.tx_payload_type,
        theirs.payload_type,
    )
    assert (ours.event_payload_type, ours.tx_event_payload_type) == (
        theirs.tx_event_payload_type,
        theirs.event_payload_type,
    )
    assert ours.cn_payload_type == theirs.cn_payload_type
    assert (ours.send, ours.receive) == (theirs.receive, theirs.send)
    assert (ours.rtcp is RtcpMode.MUX) == (theirs.rtcp is RtcpMode.MUX)
    assert (ours.srtp is None) == (theirs.srtp is None)
    if ours.srtp and theirs.srtp:
        assert ours.srtp.suite == theirs.srtp.suite
        assert (ours.srtp.tx_key, ours.srtp.rx_key) == (theirs.srtp.rx_key, theirs.srtp.tx_key)


@given(
    terms("192.0.2.1"),
    terms("192.0.2.2"),
    st.lists(
        st.tuples(st.booleans(), st.sampled_from(Direction), st.none() | terms("192.0.2.1")),
        max_size=6,
    ),
)
@settings(deadline=None)
def test_whatever_is_answered_is_acceptable_to_the_offerer(
    ours: Terms, theirs: Terms, steps: list[tuple[bool, Direction, Terms | None]]
) -> None:
    first, second = Negotiation(ours, 1), Negotiation(theirs, 2)
    versions: dict[str, int] = {}
    for swapped, direction, changed in [(False, Direction.SENDRECV, None), *steps]:
        first.terms = changed or first.terms
        a, b = (second, first) if swapped else (first, second)
        offer = parse(a.offer(direction).encode())
        before = b.agreed
        try:
            answer, agreed = b.answer(offer)
        except NothingInCommonError:
            a.abandon()
            assert b.agreed == before
            continue
        _mirror(a.accept(parse(answer.encode())), agreed)
        assert len(answer.media) == len(offer.media)
        numbers = [p.number for p in payloads(offer.media[0])]
        assert len(numbers) == len(set(numbers))
        for session in (offer, answer):
            version = int(session.origin.version)
            assert version >= versions.get(session.origin.session_id, 0)
            versions[session.origin.session_id] = version


@given(st.sampled_from(OFFERS), st.integers(0, 3))
def test_sdp_transform_reads_the_same(offer: object, rounds: int) -> None:
    """Differential: every value that both modules read, on offers, on our answers and re-offers.

    What the other module cannot read (a user name with blanks) is compared as we write it again.
    """
    ours = Negotiation(Terms("192.0.2.1", 4000), 5)
    session = parse(offer.text)  # type: ignore[attr-defined]
    readable = "Front Desk" not in offer.text  # type: ignore[attr-defined]
    _compare(session, offer.text if readable else session.encode())  # type: ignore[attr-defined]
    try:
        session, _ = ours.answer(session)
    except SdpError:
        session = ours.offer()
        ours.abandon()
    for _ in range(rounds):
        session = ours.offer(Direction.SENDONLY)
        ours.abandon()
    _compare(session, session.encode())


def _compare(session: Session, text: str) -> None:
    oracle = pytest.importorskip("sdp_transform")
    theirs = oracle.parse("".join(line.strip() + "\r\n" for line in text.splitlines()))
    origin = theirs["origin"]
    assert session.origin.session_id == str(origin["sessionId"])
    assert session.origin.version == str(origin["sessionVersion"])
    assert session.origin.host == origin["address"]
    if session.connection is not None:
        assert session.connection == theirs["connection"]["ip"]
    assert len(session.media) == len(theirs["media"])
    for media, other in zip(session.media, theirs["media"], strict=True):
        assert (media.kind, media.port, media.proto) == (
            other["type"],
            other["port"],
            other["protocol"],
        )
        assert " ".join(media.formats) == str(other["payloads"])
        assert media.connection == other.get("connection", {}).get("ip")
        if media.kind == "audio":
            _compare_stream(session, media, other, theirs)


def _compare_stream(
    session: Session, media: Media, other: dict[str, object], whole: dict[str, object]
) -> None:
    read = {p.number: p for p in payloads(media)}
    for row in other["rtp"]:  # type: ignore[attr-defined]
        payload = read[row["payload"]]
        assert (payload.name, payload.clock_hz) == (row["codec"], row["rate"])
        assert payload.channels == int(row.get("encoding") or 1)
    for row in other["fmtp"]:  # type: ignore[attr-defined]
        assert read[row["payload"]].fmtp == str(row["config"])
    direction = other.get("direction") or whole.get("direction") or "sendrecv"
    assert session.direction(media) == direction
    crypto = [a.value for a in media.attributes if a.name == "crypto"]
    rows = other.get("crypto", [])
    assert [value.split()[:2] for value in crypto if value] == [
        [str(row["id"]), row["suite"]]
        for row in rows  # type: ignore[attr-defined]
    ]
