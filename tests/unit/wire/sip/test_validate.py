"""Messages in the style of RFC 4475, written from its descriptions."""

from __future__ import annotations

import pytest

from mediacore.wire.sip.message import Request, Response, parse
from mediacore.wire.sip.validate import Policy, check_response, validate

POLICY = Policy(
    methods=("INVITE", "BYE", "OPTIONS", "REFER", "INFO", "UPDATE", "PRACK", "NOTIFY"),
    extensions=("100rel", "timer", "replaces"),
)
BASE = {
    "Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKok",
    "From": "<sip:caller@192.0.2.1>;tag=1",
    "To": "<sip:bob@192.0.2.2>",
    "Call-ID": "ok@192.0.2.1",
    "CSeq": "1 OPTIONS",
    "Max-Forwards": "70",
    "Content-Length": "0",
}


def build(line: str = "OPTIONS sip:bob@192.0.2.2 SIP/2.0", body: str = "", **changes: str) -> bytes:
    fields = dict(BASE)
    method = line.split()[0]
    fields["CSeq"] = f"1 {method}"
    extra = ""
    for name, value in changes.items():
        header = name.replace("_", "-")
        if header in fields:
            fields[header] = value
        else:
            extra += f"{header}: {value}\r\n"
    if body:
        fields["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"{line}\r\n{lines}{extra}\r\n{body}".encode()


def owed(data: bytes) -> int:
    message = parse(data)
    assert isinstance(message, Request)
    refusal = validate(message, POLICY)
    return 200 if refusal is None else refusal.status


TORTUOUS = (
    "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\n"
    "TO :\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\n"
    'from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>\n  ;\n  tag = 98asjd8\n'
    "MaX-fOrWaRdS: 0068\nCall-ID: wsinv.ndaksdj@192.0.2.1\nContent-Length   : 0\n"
    "cseq: 0009\n  INVITE\nVia  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=390skdjuw\n"
    "s :\nNewFangledHeader:   newfangled value\n continued newfangled value\n"
    "UnknownHeaderWithUnusualValue: ;;,,;;,;\nContent-Type: application/sdp\n"
    "Route:\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\n"
    "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\n  branch  =   z9hG4bK9ikj8  ,\n"
    " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\n"
    'm:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =\n      newvalue ;\n'
    "  secondparam ; q = 0.33\n\n"
).replace("\n", "\r\n")

STRANGE_BUT_VALID = {
    "tortuous": TORTUOUS.encode(),
    "escapes": build("OPTIONS sip:sips%3Auser%40example.com@example.net SIP/2.0"),
    "escaped null": build(From="<sip:null-%00-null@example.com>;tag=8"),
    "percent that is no escape": build(From='"%Z%45" <sip:resource@example.com>;tag=1'),
    "no space before the angle": build(From="caller<sip:caller@example.com>;tag=323"),
    "many values": build(
        From=f'"{"I have a user name of extreme proportion " * 12}"<sip:a@b>;tag=1',
        To=f"<sip:{'a' * 800}@b>;unknown={'x' * 500}",
    ),
    "octets behind the end": build() + b"INVITE sip:bob@192.0.2.2 SIP/2.0\r\n\r\n",
    "semicolons in the user": build("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0"),
    "odd transports": build(
        Via="SIP/2.0/UDP t1;branch=z9hG4bKa, SIP/2.0/SCTP t2;branch=z9hG4bKb, "
        "SIP/2.0/UNKNOWN t3;branch=z9hG4bKc"
    ),
    "Max-Forwards of zero": build(Max_Forwards="0"),
    "RFC 2543": build(Via="SIP/2.0/UDP 192.0.2.1", From="<sip:a@b>", Max_Forwards=""),
    "no transaction id": build(Via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"),
    "unknown scheme in To": build(To="<isbn:2983792873>"),
    "unknown Authorization": build(Authorization="NoOneKnowsThisScheme opaque-data=here"),
    "nonsense in Date": build(Date="Fri, 01 Jan 2010 16:00:00 EST"),
    "IPv6": build("OPTIONS sip:[2001:db8::10]:5070 SIP/2.0", Via="SIP/2.0/UDP [2001:db8::9]:5060"),
    "body that nobody must read": build(
        "INVITE sip:b@h SIP/2.0",
        body="x",
        Content_Type="foo/bar",
        Content_Disposition="x;handling=optional",
    ),
    "multipart": build("REFER sip:b@h SIP/2.0", body="", Content_Type="multipart/mixed;boundary=7"),
    "tel URI": build("OPTIONS tel:+15550100 SIP/2.0"),
}


@pytest.mark.parametrize("name", STRANGE_BUT_VALID)
def test_strange_but_valid(name: str) -> None:
    assert owed(STRANGE_BUT_VALID[name]) == 200


INVALID = {
    "extraneous separators": (400, build(Contact='"Joe" <sip:joe@example.org>;;;;')),
    "empty Via elements": (400, build(Via="SIP/2.0/UDP 192.0.2.15;branch=z9hG4bK1,,")),
    "Content-Length too large": (400, build(Content_Length="9999")),
    "Content-Length negative": (400, build(Content_Length="-999")),
    "request scalars too large": (400, build(CSeq="36893488147419103232 OPTIONS")),
    "Max-Forwards of 300": (400, build(Max_Forwards="300")),
    "Max-Forwards no number": (400, build(Max_Forwards="many")),
    "unterminated quote": (400, build(To='"Mr. J. User <sip:j.user@example.com>')),
    "angle brackets around the URI": (400, build("OPTIONS <sip:bob@192.0.2.2> SIP/2.0")),
    "white space in the URI": (400, build("OPTIONS sip:bob@192.0.2.2; lr SIP/2.0")),
    "several spaces in the line": (400, build("OPTIONS  sip:bob@192.0.2.2  SIP/2.0")),
    "space behind the line": (400, build("OPTIONS sip:bob@192.0.2.2 SIP/2.0  ")),
    "headers in the URI": (400, build("OPTIONS sip:bob@192.0.2.2?Route=%3Csip:x%3E SIP/2.0")),
    "space within an address": (400, build(To='"Watson" < sip:t.watson@example.org >')),
    "display name needs quotes": (400, build(To="Bell, Alexander <sip:a.g.bell@example.com>")),
    "unknown version": (505, build("OPTIONS sip:t.watson@example.org SIP/7.0")),
    "methods differ": (400, build(CSeq="8 INVITE")),
    "methods differ, unknown": (400, build("NEWMETHOD sip:a@b SIP/2.0", CSeq="8 INVITE")),
    "unknown method": (501, build("!interesting-Method0123456789_*+`.%indeed'~ sip:a@b SIP/2.0")),
    "known method, not served": (405, build("SUBSCRIBE sip:a@b SIP/2.0")),
    "several From": (400, build(From="<sip:a@b>;tag=1\r\nFrom: <sip:c@d>;tag=2")),
    "several Call-ID": (400, build(Call_ID="a\r\nCall-ID: b")),
    "no From": (400, build(From="")),
    "no To": (400, build(To="")),
    "no Call-ID": (400, build(Call_ID="")),
    "no CSeq": (400, build(CSeq="")),
    "unknown scheme": (416, build("OPTIONS nobodyKnowsThisScheme:totallyopaque SIP/2.0")),
    "atypical scheme": (416, build("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0")),
    "no scheme": (400, build("OPTIONS bob SIP/2.0")),
    "sip without a host": (400, build("OPTIONS sip:bob@ SIP/2.0")),
    "unknown extensions": (420, build(Require="nothingSupportsThis, nothingSupportsThisEither")),
    "unknown body": (415, build("INVITE sip:b@h SIP/2.0", body="<a/>", Content_Type="a/unknown")),
    "encoded body": (
        415,
        build(
            "INVITE sip:b@h SIP/2.0",
            body="x",
            Content_Type="application/sdp",
            Content_Encoding="gzip",
        ),
    ),
    "no Via": (0, build(Via="")),
    "broken Via": (0, build(Via="SIP/2.0/UDP ;branch=z9hG4bK")),
    "header without a name": (400, build(Max_Forwards="70\r\n: x")),
    "end is missing": (400, build()[:-2]),
    "Route broken": (400, build(Route="<sip:a@b")),
    "Call-ID with a space": (400, build(Call_ID="a b")),
    "a later Via broken": (400, build(Via="SIP/2.0/UDP a;branch=z9hG4bK1, nonsense")),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid(name: str) -> None:
    status, data = INVALID[name]
    assert owed(data) == status


def test_refusals_say_what_is_missing() -> None:
    request = parse(INVALID["unknown extensions"][1])
    assert isinstance(request, Request)
    refusal = validate(request, POLICY)
    assert refusal is not None
    assert refusal.headers == (("Unsupported", "nothingSupportsThis, nothingSupportsThisEither"),)
    request = parse(INVALID["known method, not served"][1])
    assert isinstance(request, Request)
    refusal = validate(request, POLICY)
    assert refusal is not None
    assert dict(refusal.headers)["Allow"].startswith("INVITE, BYE")


def test_cancel_and_ack_require_nothing() -> None:
    assert owed(build("CANCEL sip:a@b SIP/2.0", Require="unheard-of")) == 200
    assert owed(build("ACK sip:a@b SIP/2.0", Require="unheard-of")) == 200


def response(line: str = "SIP/2.0 200 OK", **changes: str) -> str | None:
    data = build("OPTIONS sip:a@b SIP/2.0", **changes).split(b"\r\n", 1)[1]
    message = parse(line.encode() + b"\r\n" + data)
    assert isinstance(message, Response)
    return check_response(message)


def test_responses() -> None:
    assert response() is None
    assert response("SIP/2.0 100 ") is None
    assert response("SIP/2.0 200") is None
    assert response("SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое") is None
    broadcast = "SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1, SIP/2.0/UDP 255.255.255.255"
    for changes in (
        {"Via": broadcast},
        {"Via": ""},
        {"Via": "nonsense"},
        {"CSeq": "9292394834772304023312 OPTIONS"},
        {"CSeq": ""},
        {"From": ""},
        {"To": "<"},
        {"Call_ID": ""},
        {"Content_Length": "77"},
    ):
        assert response(**changes) is not None, changes
