from __future__ import annotations

import pytest

from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.fields import CSeq, NameAddr, Via, name_addr, parse_params, quote, unquote
from mediacore.wire.sip.headers import Headers, split_list
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.message import (
    MAX_HEADERS,
    Request,
    Response,
    make_request,
    make_response,
    parse,
    reason_of,
)
from mediacore.wire.sip.uri import SipUri, make_uri

INVITE = (
    b"INVITE sip:bob@192.0.2.4 SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKabc;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b'f: "Al, ice" <sip:alice@192.0.2.1>;tag=a1\r\n'
    b"To: <sip:bob@192.0.2.4>\r\n"
    b"i: c1@192.0.2.1\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n"
    b"l: 4\r\n"
    b"c: Application/SDP ;x=y\r\n"
    b"\r\n"
    b"v=0\n"
)


def test_a_request_is_read() -> None:
    request = parse(INVITE)
    assert isinstance(request, Request)
    assert (request.method, request.uri) == ("INVITE", "sip:bob@192.0.2.4")
    assert request.from_tag == "a1" and request.to_tag == ""
    assert request.call_id == "c1@192.0.2.1"
    assert request.cseq == CSeq(7, "INVITE")
    assert request.branch == "z9hG4bKabc" and request.via.rport_asked
    assert request.via.sent_by == "192.0.2.1:5070"
    assert request.content_type == "application/sdp"
    assert request.body == b"v=0\n" and request.faults == ()
    assert [name for name, _ in request.headers][:2] == ["Via", "Max-Forwards"]
    assert request.headers.items_of("record-route") == ["<sip:p1;lr>", "<sip:p2;lr>"]


def test_what_is_written_is_read_again() -> None:
    first = parse(INVITE)
    again = parse(first.encode())
    assert list(again.headers)[:-1] == [h for h in first.headers if h[0] != "Content-Length"]
    assert again.body == first.body
    assert again.encode() == first.encode()


def test_a_response_copies_what_it_must() -> None:
    request = parse(INVITE)
    assert isinstance(request, Request)
    made = make_response(request, 180, to_tag="t9", headers=[("Contact", "<sip:b@h>")])
    assert made.reason == "Ringing" and made.to_tag == "t9"
    assert made.headers.get("Record-Route") == "<sip:p1;lr>, <sip:p2;lr>"
    read = parse(made.encode())
    assert isinstance(read, Response) and read.status == 180
    assert read.headers.get("Content-Length") == "0"
    assert "Record-Route" not in make_response(request, 486, to_tag="x").headers
    assert make_response(request, 100).to_tag == ""
    assert make_response(made_in_dialog(), 200, to_tag="other").to_tag == "mine"


def made_in_dialog() -> Request:
    return make_request("BYE", "sip:a@b", [("To", "<sip:b@h>;tag=mine"), ("From", "<sip:a@h>")])


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (699, "Busy Everywhere")])
def test_reasons(status: int, reason: str) -> None:
    assert reason_of(status) == reason


def test_folded_lines_latin1_and_leading_breaks() -> None:
    data = INVITE.replace(b"Max-Forwards: 70", b"Subject: one\r\n\t two\r\n \r\nMax-Forwards:70")
    data = b"\r\n\r\n" + data.replace(b"Al, ice", b"Andr\xe9")
    request = parse(data)
    assert request.headers.get("Subject") == "one two"
    assert request.latin1
    assert NameAddr.parse(request.headers.get("From") or "").name == "André"
    assert b"Andr\xe9" in request.encode()


def test_bare_line_feeds_are_taken() -> None:
    request = parse(INVITE.replace(b"\r\n", b"\n"))
    assert request.faults == () and request.body == b"v=0\n"


def test_octets_behind_the_body_are_dropped() -> None:
    assert parse(INVITE + b"more").body == b"v=0\n"


def test_without_content_length_the_datagram_ends_the_body() -> None:
    assert parse(INVITE.replace(b"l: 4\r\n", b"") + b"x").body == b"v=0\nx"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"hello\r\n\r\n",
        b"INVITE sip:a@b HTTP/1.1\r\n\r\n",
        b"SIP/2.0 4294967301 Better not\r\n\r\n",
        b"SIP/2.0 099 X\r\n\r\n",
        b"SIP/3.0 200 OK\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\n" + b"A: b\r\n" * (MAX_HEADERS + 1) + b"\r\n",
        b"INVITE sip:a@b SIP/2.0\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
        b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"\0" * 12,
    ],
)
def test_what_cannot_be_framed(data: bytes) -> None:
    with pytest.raises(SipError):
        parse(data)


def test_faults_are_noted() -> None:
    cases = {
        b"INVITE sip:a@b SIP/2.0": "no empty line ends the header",
        b"INVITE  sip:a@b SIP/2.0\r\n\r\n": "malformed request line",
        b"IN\xc3\xa9 sip:a@b SIP/2.0\r\n\r\n": "malformed method",
        b"INVITE sip:a@b SIP/2.0\r\nno colon\r\n\r\n": "malformed header line",
        b"INVITE sip:a@b SIP/2.0\r\nA: b\0c\r\n\r\n": "control character in a header",
        b"INVITE sip:a@b SIP/2.0\r\nl: -9\r\n\r\n": "malformed Content-Length",
        b"INVITE sip:a@b SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\nab": "Content-Length values differ",
        b"INVITE sip:a@b SIP/2.0\r\nl: 9\r\n\r\nab": "Content-Length larger than the message",
    }
    for data, fault in cases.items():
        assert parse(data).faults == (fault,), data


def test_headers() -> None:
    headers = Headers([("Via", "a"), ("X-A", "1"), ("v", "b, c")])
    assert headers.all("VIA") == ["a", "b, c"] and "v" in headers and 3 not in headers
    headers.set_all("Via", ["d", "e"])
    assert list(headers) == [("Via", "d"), ("Via", "e"), ("X-A", "1")]
    headers.set("Y", "2")
    headers.prepend("Via", "top")
    copied = headers.copy()
    headers.remove("via")
    assert len(headers) == 2 and len(copied) == 5
    assert headers.get("Via") is None and headers.all("Via") == []
    assert Headers([("Require", "a,, b ,")]).tokens("Require") == ["a", "b"]
    assert "Via" in repr(copied)


@pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\nb", "a\0b"])
def test_no_value_breaks_out_of_its_line(value: str) -> None:
    with pytest.raises(SipError):
        Headers().add("X", value)
    with pytest.raises(SipError):
        Headers().set(value, "x")


def test_lists_are_split_outside_of_quotes() -> None:
    value = '"a,\\",b" <sip:x,y@h>;p="c,d" , <sip:z>,  sip:w'
    assert split_list(value) == ['"a,\\",b" <sip:x,y@h>;p="c,d"', "<sip:z>", "sip:w"]


def test_addresses() -> None:
    addr = NameAddr.parse('"Tom \\"T\\"" <sip:t@h;lr?a=b> ; tag=x;Flag')
    assert (addr.name, addr.uri, addr.tag) == ('Tom "T"', "sip:t@h;lr?a=b", "x")
    assert addr.params["flag"] == ""
    assert NameAddr.parse("sip:a@b;tag=1").params == {"tag": "1"}
    assert NameAddr.parse("Plain Name <tel:+123>").name == "Plain Name"
    assert name_addr("sip:a@b", 'x"y', [("tag", "1"), ("lr", "")]) == '"x\\"y" <sip:a@b>;tag=1;lr'
    assert NameAddr.parse(name_addr("sip:a@b")).sip().host == "b"
    for bad in ("", "<>", "<sip:a@b", 'x" <sip:a@b>', "<sip:a b>", "a;;b", "<sip:a@b>;;", "<1:2>"):
        with pytest.raises(SipError):
            NameAddr.parse(bad)


def test_quotes() -> None:
    assert unquote(quote('a"b\\c')) == 'a"b\\c'
    assert unquote("plain") == "plain"
    assert parse_params(' ; a = "x;y" ;b') == {"a": '"x;y"', "b": ""}


def test_via() -> None:
    via = Via.parse("SIP / 2.0 / udp  Host_1.example.com : 5070 ; Branch=z9 ;rport")
    assert (via.transport, via.sent_by, via.branch) == ("UDP", "host_1.example.com:5070", "z9")
    marked = via.marked(("192.0.2.9", 4444))
    assert marked.startswith("SIP/2.0/UDP Host_1.example.com:5070;branch=z9")
    assert ";rport=4444" in marked and ";received=192.0.2.9" in marked
    plain = Via.parse("SIP/2.0/TCP [2001:db8::1];branch=z;received=6.6.6.6")
    assert plain.marked(("2001:db8::1", 1)) == "SIP/2.0/TCP [2001:db8::1];branch=z"
    assert not plain.rport_asked
    for bad in ("", "SIP/2.0/UDP", "SIP/1.0/UDP h", "SIP/2.0/UDP h:99999", "SIP/2.0/UDP h;;a"):
        with pytest.raises(SipError):
            Via.parse(bad)


def test_cseq() -> None:
    assert str(CSeq.parse(" 0009   INVITE ")) == "9 INVITE"
    for bad in ("", "INVITE", "-1 BYE", "2147483648 BYE", "1  ", "1 A B"):
        with pytest.raises(SipError):
            CSeq.parse(bad)


def test_uris() -> None:
    uri = SipUri.parse("SIP:al%69ce:pw@My_Host.example:5070;Transport=TCP;lr?Replaces=a%3Bb&x=")
    assert (uri.scheme, uri.user, uri.password) == ("sip", "alice", "pw")
    assert (uri.host, uri.port, uri.transport) == ("my_host.example", 5070, "TCP")
    assert uri.loose and uri.headers == {"replaces": "a;b", "x": ""}
    assert uri.bare == "SIP:al%69ce:pw@My_Host.example:5070;Transport=TCP;lr"
    assert SipUri.parse("sip:a?b=c@h").user == "a?b=c"
    assert SipUri.parse("sips:[2001:db8::1]").address == ("2001:db8::1", 5061)
    assert SipUri.parse("sip:h").address == ("h", 5060)
    for host in ("pbx1", "k8s-node-2", "0a1b2c3d4e5f", "sip_1.local", "192.0.2.1", "a.b.c9"):
        assert SipUri.parse(f"sip:9@{host}:5070;lr").address == (host, 5070)
    tel = SipUri.parse("tel:+1-555-0100;phone-context=x")
    assert tel.user == "+1-555-0100" and tel.host == "" and str(tel) == tel.text
    bad = ("", "sip:", "sip:a@", "http://x", "sip:a@b:70000", "sip:a b@c", "sip:ä@b", "sip:a@b;;x")
    for text in (*bad, "sip:a@b;self=1;self=2" * 999, "sip:@b", "sip:a@b;=x"):
        with pytest.raises(SipError):
            SipUri.parse(text)


def test_a_parameter_called_self_is_no_crash() -> None:
    with pytest.raises(SipError):
        SipUri.parse("sip:a@b;self=1")


def test_make_uri() -> None:
    assert make_uri("a b", "2001:db8::1", 5070) == "sip:a%20b@[2001:db8::1]:5070"
    assert make_uri("", "h", params=[("transport", "tcp"), ("lr", "")]) == "sip:h;transport=tcp;lr"


@pytest.mark.parametrize("uri", ["", "sip:a b", "<sip:a>", "sip:a\r\nX: y"])
def test_request_uris_are_one_word(uri: str) -> None:
    with pytest.raises(SipError):
        make_request("INVITE", uri)


def test_ids() -> None:
    ids = SipIds(lambda size: "ab" * size)
    assert ids.branch().startswith("z9hG4bK") and len(ids.tag()) == 16
    assert ids.call_id() and ids.cnonce()
