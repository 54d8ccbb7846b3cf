"""Seeds of the targets in media_targets.py: whole calls, whole connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from fuzz.media_targets import CUT, Host
from mediacore.wire import audiosocket
from mediacore.wire.sip.message import Request, parse
from mediacore.wire.streams.catalog import DIALECTS
from support.stream_peers import SHAPES

_ID: Final = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")
_SDP: Final = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n"
    "m=audio 4002 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)
_INSIDE: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "short": (("BYE", "", ""),),
    "hold": (
        ("INVITE", "", _SDP + "a=sendonly\r\n"),
        ("INVITE", "Require: timer\r\nSession-Expires: 90;refresher=uac\r\n", _SDP),
        ("INVITE", "", ""),
        ("BYE", "Reason: Q.850;cause=16\r\n", ""),
    ),
    "keys": (
        ("INFO", "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\nDuration=160\r\n"),
        ("UPDATE", "", _SDP),
        ("OPTIONS", "", ""),
    ),
    "transfer": (
        ("REFER", "Refer-To: <sip:c@127.0.0.3>\r\nReferred-By: <sip:a@127.0.0.2>\r\n", ""),
        ("NOTIFY", "Event: refer\r\nSubscription-State: terminated\r\n", "SIP/2.0 200 OK\r\n"),
    ),
}


def call_seeds() -> Iterator[bytes]:
    """Calls as a peer makes them, and as it takes ours."""
    for more in ("", "Supported: 100rel, timer\r\nSession-Expires: 1800\r\n", "Require: 100rel\r\n"):
        for name, inside in _INSIDE.items():
            yield CUT.join(_caller(name, more, inside))
    for statuses in ((180, 200), (183, 486), (401,), (302,), (200, 200)):
        yield CUT.join(_called(statuses))


def _caller(name: str, more: str, inside: tuple[tuple[str, str, str], ...]) -> Iterator[bytes]:
    """INVITE, ACK, what is inside. The tag of the answer is found by asking."""
    host = Host()
    host.dial()
    invite = _request(name, "INVITE", 1, "", more, _SDP)
    host.hear(invite)
    yield invite
    answer = parse(host.sent[-1])
    rel = answer.headers.get("RSeq")
    if rel:
        yield _request(name, "PRACK", 2, answer.to_tag, f"RAck: {rel} 1 INVITE\r\n", "")
    yield _request(name, "ACK", 1, answer.to_tag, "", "")
    for number, (method, headers, body) in enumerate(inside, start=3):
        yield _request(name, method, number, answer.to_tag, headers, body)


def _request(name: str, method: str, number: int, tag: str, more: str, body: str) -> bytes:
    kind = "Content-Type: application/sdp\r\n" if body.startswith("v=0") else ""
    return (
        f"{method} sip:mediacore@127.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.2:5070;rport;branch=z9hG4bK{name}{number}{method}\r\n"
        f"From: <sip:a@127.0.0.2>;tag=f1\r\nTo: <sip:b@127.0.0.1>{tag and ';tag='}{tag}\r\n"
        f"Call-ID: {name}@127.0.0.2\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n"
        f"Contact: <sip:a@127.0.0.2:5070>\r\n{more}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _called(statuses: tuple[int, ...]) -> Iterator[bytes]:
    """Answers to the call that we make."""
    host = Host()
    host.dial()
    invite = parse(host.sent[0])
    assert isinstance(invite, Request)
    copied = "".join(
        f"{field}: {invite.headers.get(field)}\r\n" for field in ("Via", "From", "Call-ID", "CSeq")
    )
    for number, status in enumerate(statuses):
        body = _SDP if status in (183, 200) else ""
        kind = "Content-Type: application/sdp\r\n" if body else ""
        extra = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n'
        yield (
            f"SIP/2.0 {status} Seed\r\n{copied}To: {invite.headers.get('To')};tag=t{number}\r\n"
            f"Contact: <sip:b@127.0.0.2:5070>\r\n{extra if status == 401 else ''}{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


def stream_seeds() -> Iterator[bytes]:
    """What each provider sends in a short call."""
    for key, make in SHAPES.items():
        shape = make()
        audio = shape.silence * (shape.frame_bytes // len(shape.silence))
        said = [*shape.hello(), shape.media(1, audio), shape.media(3, audio)]
        said += [shape.digit("5"), shape.echo("m1"), *shape.cleared(["m1"]), *shape.stop()]
        lines = [text.encode() for text in said if isinstance(text, str)]
        assert lines, key
        yield bytes([list(DIALECTS).index(shape.kind), 0]) + b"\n".join(lines)


def audiosocket_seeds() -> Iterator[bytes]:
    """Connections of Asterisk."""
    begin = audiosocket.identify(_ID)
    for srate_hz in (8000, 16_000, 44_100):
        yield begin + audiosocket.audio(srate_hz, bytes(40)) * 2 + audiosocket.hangup()
    yield begin + audiosocket.digit("5") + audiosocket.digit("#") + b"\xff\0\1\2" + b"\x20\0\0"
    yield b"\x10\0\2\0\0" + begin
