"""SIP messages to begin with, for fuzzing: line feeds stand for CRLF."""

from __future__ import annotations

_COMMON = (
    "From: {f}<sip:a@127.0.0.2>;tag=f1\nTo: <sip:b@127.0.0.1{t}\nCall-ID: c1@127.0.0.2\n"
    "CSeq: 1 {m}\nMax-Forwards: 70\n"
)
_VIA = "Via: SIP/2.0/UDP 127.0.0.2:5070;rport;branch=z9hG4bKx\n"


def _request(method: str, more: str = "", body: str = "", tag: str = ">", name: str = "") -> str:
    common = _COMMON.format(f=name, t=tag, m=method)
    return (
        f"{method} sip:b@127.0.0.1:5060;transport=udp SIP/2.0\n{_VIA}{common}{more}"
        f"Content-Length: {len(body)}\n\n{body}"
    )


def _response(line: str, method: str, more: str = "") -> str:
    common = _COMMON.format(f="", t=">;tag=t1", m=method)
    return f"SIP/2.0 {line}\n{_VIA}{common}{more}Content-Length: 0\n\n"


TALK = (
    _request("INVITE", "Contact: <sip:a@127.0.0.2:5070>\nContent-Type: application/sdp\n", "v=0"),
    _request("INVITE", "Record-Route: <sip:p1;lr>, <sip:p2;lr>\nSupported: timer, 100rel\n"),
    _request("INVITE", "Require: 100rel,timer\nSession-Expires: 90;refresher=uac\n"),
    _request("OPTIONS", 'k: a\nm: "x,\\"y" <sip:a@[::1]:5070;ob>;q=0.3, tel:+1\n', name='"A, B" '),
    _request("ACK", tag=">;tag=t1"),
    _request("BYE", 'Reason: Q.850;cause=16;text="x"\nRoute: <sip:p;lr>\n', tag=">;tag=t1"),
    _request("CANCEL"),
    _request("REFER", "r: <sip:c@h?Replaces=a%3Bto-tag%3Db>\nb: <sip:a@h>\n", tag=">;tag=t1"),
    _request(
        "REGISTER",
        'Authorization: Digest username="u", realm="r", nonce="1.2.3", uri="sip:r", '
        'response="00", algorithm=SHA-256, qop=auth, nc=00000001, cnonce="x"\n',
    ),
    _request(
        "OPTIONS",
        'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth,auth-int", stale=true\n',
    ),
    _response("180 Ringing", "INVITE", "Record-Route: <sip:p;lr>\n"),
    _response("200 OK", "INVITE", "Contact: <sip:b@127.0.0.1>\n"),
    _response("401 Unauthorized", "INVITE", 'WWW-Authenticate: Digest realm="r", nonce="n"\n'),
    "\n\n",
    "\n\n" + _request("INFO", "Subject : one\n\t two\n", "Signal=5\n"),
    _request("INVITE").replace("z9hG4bKx", "1"),
)
SIP_WORDS = (
    "\r\n\r\n",
    "\r\n ",
    "SIP/2.0/UDP ",
    ";branch=z9hG4bK",
    ";rport",
    ";received=",
    "sip:",
    "sips:",
    "tel:",
    "Content-Length: ",
    "Digest ",
    "2147483648",
    "%00",
    "[::1]",
    "*",
)
