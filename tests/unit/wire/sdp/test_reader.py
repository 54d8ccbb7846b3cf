"""Reading and writing descriptions."""

from __future__ import annotations

import pytest

from mediacore.wire.sdp import Attribute, Direction, Media, Origin, SdpError, Session, parse
from mediacore.wire.sdp.reader import MAX_CHARS, MAX_FORMATS, MAX_LINES, MAX_MEDIA
from support.sdp_offers import KEY_A, OFFERS

BASE = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
FULL = Session(
    Origin("-", "1", "2", "192.0.2.1"),
    "a call",
    "192.0.2.1",
    ("AS:80",),
    (Attribute("sendonly"), Attribute("tool", "x:y z")),
    (
        Media("audio", 4000, "RTP/AVP", ("0", "101"), attributes=(Attribute("ptime", "20"),)),
        Media("video", 0, "RTP/AVP", ("96",), 2, "2001:db8::1", ("TIAS:5",)),
    ),
)


def test_what_is_written_is_read_again() -> None:
    text = FULL.encode()
    assert parse(text) == FULL
    assert text.endswith("\r\n") and "c=IN IP6 2001:db8::1\r\n" in text
    assert parse(text.replace("\r\n", "\n")) == parse(text.replace("\r\n", "\r")) == FULL


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: offer.name)
def test_a_read_offer_survives_writing(offer: object) -> None:
    session = parse(offer.text)  # type: ignore[attr-defined]
    assert parse(session.encode()) == session


def test_missing_lines_have_defaults() -> None:
    session = parse("v=0\nm=audio 4 RTP/AVP 0")
    assert session.origin == Origin("-", "0", "0", "0.0.0.0") and session.name == "-"
    assert session.host(session.media[0]) is None
    assert session.direction(session.media[0]) is Direction.SENDRECV


def test_bytes_that_are_not_utf8_are_latin_1() -> None:
    assert parse(b"v=0\ns=caf\xe9").name == "café"
    assert parse("v=0\ns=café".encode()).name == "café"


def test_blanks_in_a_user_name_and_a_ttl() -> None:
    session = parse("v=0\no=Front Desk 7 8 IN IP4 h.example\nc=IN IP4 224.2.1.1/127/3")
    assert session.origin == Origin("Front_Desk", "7", "8", "h.example")
    assert session.connection == "224.2.1.1"


def test_the_first_of_doubled_lines_counts_and_unknown_lines_do_not() -> None:
    session = parse(BASE + "c=IN IP4 192.0.2.9\r\no=- 9 9 IN IP4 x\r\nq=?\r\na=\r\nb=\r\ns=\r\n")
    assert session == parse(BASE)


def test_a_session_value_serves_where_the_stream_has_none() -> None:
    session = parse(
        BASE + "a=ptime:30\na=PTIME:20\nm=audio 4 RTP/AVP 0\nm=audio 6 RTP/AVP 0\na=ptime:40"
    )
    assert [session.value(media, "ptime") for media in session.media] == ["30", "40"]
    assert session.has(session.media[0], "ptime") and not session.has(session.media[0], "x")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 0, "empty"),
        ("\r\n\r\n", 0, "empty"),
        ("o=- 1 1 IN IP4 x", 1, "v=0"),
        ("v=1", 1, "v=0"),
        ("v=0\nhello", 2, "x=value"),
        ("v=0\no=- 1 1 IN IP4", 2, "o="),
        ("v=0\nc=IN IP4", 2, "c="),
        ("v=0\nc=IN IP4 /127", 2, "c="),
        ("v=0\nm=audio 4", 2, "m="),
        ("v=0\nm=audio x RTP/AVP 0", 2, "port"),
        ("v=0\nm=audio 65536 RTP/AVP 0", 2, "port"),
        ("v=0\nm=audio ²2 RTP/AVP 0", 2, "port"),
        ("v=0\nm=audio 4/x RTP/AVP 0", 2, "port"),
        ("v=0\nm=audio 4 RTP/AVP", 2, "formats"),
        ("v=0\n" + "m=audio 4 RTP/AVP 0\n" * (MAX_MEDIA + 1), MAX_MEDIA + 2, "streams"),
        ("v=0\nm=audio 4 RTP/AVP" + " 0" * (MAX_FORMATS + 1), 2, "formats"),
        ("v=0\n" * (MAX_LINES + 1), 0, "lines"),
        ("v=0\ns=" + "x" * MAX_CHARS, 0, "characters"),
    ],
)
def test_unusable_text_names_line_and_reason(text: str, line: int, says: str) -> None:
    with pytest.raises(SdpError, match=says) as caught:
        parse(text)
    assert caught.value.line == line and str(caught.value).isprintable()


def test_an_error_shows_no_key_and_no_control_character() -> None:
    with pytest.raises(SdpError) as caught:
        parse(f"v=0\ncrypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_A}")
    assert KEY_A not in str(caught.value) and caught.value.text == "(withheld)"
    with pytest.raises(SdpError) as caught:
        parse("v=0\n\x07\x1b[31m" + "y" * 200)
    assert caught.value.text.isprintable() and len(caught.value.text) == 81
    assert KEY_A not in repr(parse(BASE + f"a=crypto:1 X inline:{KEY_A}"))


def test_a_line_end_inside_a_value_is_not_written() -> None:
    with pytest.raises(ValueError, match="line end"):
        Session(Origin("-", "1", "1", "h\r\na=x")).encode()


@pytest.mark.parametrize("direction", Direction)
def test_a_direction_is_its_two_halves(direction: Direction) -> None:
    assert Direction.of(direction.sends, direction.receives) is direction
    assert direction.reversed.reversed is direction
    assert direction.reversed.sends == direction.receives
