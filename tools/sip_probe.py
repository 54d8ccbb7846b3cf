"""A SIP peer made of one raw UDP socket that checks another one from outside.

    python tools/sip_probe.py 127.0.0.1:5060 [--uac-trigger 'COMMAND {uri}']

It shares no code with what it checks. The target must answer calls by itself. Checks of its
calling side need --uac-trigger: a shell command that makes it call {uri}; the command gets SIGINT
when it shall hang up. Prints a table; the exit code is 1 when a check failed. `n/a`: the target
did not get into the state that the check needs.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

WAIT_S = 3.0
COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
}


class FailedError(Exception):
    """The target did not do what it must."""


class NotApplicableError(Exception):
    """The check says nothing about this target."""


def must(good: object, why: str) -> None:
    if not good:
        raise FailedError(why)


@dataclass
class Message:
    start: str
    headers: list[tuple[str, str]]
    body: str
    at_s: float = 0.0

    @property
    def method(self) -> str:
        return "" if self.start.startswith("SIP/") else self.start.split(" ")[0]

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1]) if self.start.startswith("SIP/") else 0

    @property
    def uri(self) -> str:
        return self.start.split(" ")[1]

    def get(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def to_tag(self) -> str:
        return param(self.get("to"), "tag")

    @property
    def branch(self) -> str:
        return param(self.get("via"), "branch")

    @property
    def cseq(self) -> tuple[int, str]:
        number, _, method = self.get("cseq").partition(" ")
        return int(number), method.strip()

    @property
    def contact(self) -> str:
        found = re.search(r"<([^>]+)>", self.get("contact"))
        return found[1] if found else self.get("contact").partition(";")[0].strip()


def param(value: str, name: str) -> str:
    found = re.search(rf";\s*{name}\s*=\s*([^;,\s>]+)", value, re.IGNORECASE)
    return found[1] if found else ""


def read(data: bytes) -> Message | None:
    text = data.decode("utf-8", "replace")
    head, gap, body = text.partition("\r\n\r\n")
    if not gap or "SIP/2.0" not in head.split("\r\n")[0]:
        return None
    headers = []
    for line in re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")[1:]:
        name, _, value = line.partition(":")
        key = name.strip().lower()
        headers.append((COMPACT.get(key, key), value.strip()))
    return Message(head.split("\r\n")[0], headers, body, time.monotonic())


@dataclass
class Settings:
    target: tuple[str, int]
    bind: str
    user: str
    ring_user: str
    trigger: str
    auth: tuple[str, str] | None
    rng: random.Random
    sdp_version: int = 0


@dataclass
class Peer:
    """One phone: a socket, and everything that came in."""

    set: Settings
    seen: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((self.set.bind, 0))
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((self.set.bind, 0))
        self.port = self.sock.getsockname()[1]
        self.here = f"{self.set.bind}:{self.port}"
        self.there = self.set.target

    def close(self) -> None:
        self.sock.close()
        self.rtp.close()

    def new(self, prefix: str = "") -> str:
        return f"{prefix}{self.set.rng.getrandbits(64):016x}"

    def sdp(self, direction: str = "sendrecv", payload: str = "0 8 101", version: int = 1) -> str:
        lines = [
            "v=0",
            f"o=probe 1 {version} IN IP4 {self.set.bind}",
            "s=-",
            f"c=IN IP4 {self.set.bind}",
            "t=0 0",
            f"m=audio {self.rtp.getsockname()[1]} RTP/AVP {payload}",
        ]
        if "101" in payload.split():
            lines += ["a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15"]
        return "\r\n".join([*lines, "a=ptime:20", f"a={direction}", ""])

    def send(self, text: str, body: str = "") -> None:
        data = f"{text}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        self.sock.sendto(data, self.there)

    def messages(self, wait_s: float) -> Iterator[Message]:
        """What comes within so many seconds."""
        end_s = time.monotonic() + wait_s
        while (left_s := end_s - time.monotonic()) > 0:
            self.sock.settimeout(left_s)
            try:
                data, self.there = self.sock.recvfrom(65536)
            except TimeoutError:
                return
            message = read(data)
            if message is not None:
                self.seen.append(message)
                yield message

    def wait(self, fits: Callable[[Message], object], what: str, wait_s: float = WAIT_S) -> Message:
        for message in self.messages(wait_s):
            if fits(message):
                return message
        raise FailedError(f"no {what} within {wait_s:g} s")

    def final(self, request: Request, wait_s: float = WAIT_S) -> Message:
        return self.wait(
            lambda m: m.status >= 200 and m.branch == request.branch and m.cseq == request.cseq,
            f"final response to {request.method}",
            wait_s,
        )

    def absent(self, fits: Callable[[Message], object], wait_s: float, what: str) -> None:
        for message in self.messages(wait_s):
            must(not fits(message), f"{what}: {message.start}")

    def answer(
        self, request: Message, status: int, tag: str = "", body: str = "", more: str = ""
    ) -> None:
        lines = [f"SIP/2.0 {status} Probe"]
        lines += [f"Via: {value}" for value in request.all("via")]
        if 100 < status < 300:
            lines += [f"Record-Route: {value}" for value in request.all("record-route")]
        to = request.get("to")
        if tag and "tag=" not in to:
            to += f";tag={tag}"
        lines += [f"From: {request.get('from')}", f"To: {to}", f"Call-ID: {request.get('call-id')}"]
        lines += [f"CSeq: {request.get('cseq')}", f"Contact: <sip:probe@{self.here}>"]
        if body:
            lines.append("Content-Type: application/sdp")
        self.send("\r\n".join(lines) + "\r\n" + more, body)


@dataclass
class Request:
    peer: Peer
    method: str
    uri: str
    to: str
    from_tag: str
    call_id: str
    number: int
    branch: str
    more: str = ""
    body: str = ""
    content_type: str = "application/sdp"
    version: str = "SIP/2.0"

    @property
    def cseq(self) -> tuple[int, str]:
        return self.number, self.method

    def send(self) -> Request:
        lines = (
            f"{self.method} {self.uri} {self.version}\r\n"
            f"Via: SIP/2.0/UDP {self.peer.here};rport;branch={self.branch}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:probe@{self.peer.here}>;tag={self.from_tag}\r\n"
            f"To: {self.to}\r\nCall-ID: {self.call_id}\r\n"
            f"CSeq: {self.number} {self.method}\r\nContact: <sip:probe@{self.peer.here}>\r\n"
            f"{self.more}"
        )
        if self.body:
            lines += f"Content-Type: {self.content_type}\r\n"
        self.peer.there = self.peer.set.target
        self.peer.send(lines, self.body)
        return self


def start(
    peer: Peer, method: str, *, user: str | None = None, more: str = "", body: str = ""
) -> Request:
    host, port = peer.set.target
    uri = f"sip:{peer.set.user if user is None else user}@{host}:{port}"
    return Request(
        peer,
        method,
        uri,
        f"<{uri}>",
        peer.new("f"),
        peer.new("c"),
        1,
        peer.new("z9hG4bK"),
        more,
        body,
    )


def within(
    call: Request, ok: Message, method: str, *, number: int, more: str = "", body: str = ""
) -> Request:
    """A request of the dialog that `ok` made."""
    routes = "".join(f"Route: {r}\r\n" for r in reversed(ok.all("record-route")))
    return Request(
        call.peer,
        method,
        ok.contact or call.uri,
        ok.get("to"),
        call.from_tag,
        call.call_id,
        number,
        call.peer.new("z9hG4bK"),
        routes + more,
        body,
    )


def same(call: Request, method: str, to: str) -> Request:
    """The CANCEL of an INVITE, or the ACK of its refusal."""
    ids = (call.from_tag, call.call_id, call.number, call.branch)
    return Request(call.peer, method, call.uri, to, *ids)


def ack(call: Request, ok: Message, body: str = "") -> None:
    if ok.status < 300:
        within(call, ok, "ACK", number=call.number, body=body).send()
        return
    Request(
        call.peer,
        "ACK",
        call.uri,
        ok.get("to"),
        call.from_tag,
        call.call_id,
        call.number,
        call.branch,
    ).send()


def hang_up(call: Request, ok: Message, number: int = 9) -> Message:
    bye = within(call, ok, "BYE", number=number).send()
    return call.peer.final(bye)


def answered(peer: Peer, **changes: str) -> tuple[Request, Message]:
    """A call that the target has answered and that is ACKed."""
    call = start(peer, "INVITE", body=peer.sdp(), **changes).send()
    ok = peer.final(call, 10)
    must(ok.status == 200, f"INVITE got {ok.status}")
    ack(call, ok)
    return call, ok


def ringing(peer: Peer) -> tuple[Request, Message]:
    """A call that rings; n/a when it is answered at once."""
    call = start(peer, "INVITE", user=peer.set.ring_user or None, body=peer.sdp()).send()
    for message in peer.messages(2):
        if message.status == 200 and message.cseq == call.cseq:
            ack(call, message)
            hang_up(call, message)
            break
        if 100 < message.status < 200:
            return call, message
    raise NotApplicableError("the target does not ring")


def cancelled(peer: Peer) -> tuple[Request, Message]:
    """A ringing call that was cancelled; its 487, not ACKed."""
    call, _ = ringing(peer)
    same(call, "CANCEL", call.to).send()
    got = [m.status for m in (peer.wait(_final_of(call), "final response") for _ in range(2))]
    if 200 in [m.status for m in peer.seen if m.cseq == call.cseq]:
        raise NotApplicableError("answered before the CANCEL came")
    must(sorted(got) == [200, 487], f"CANCEL and INVITE got {got}")
    return call, next(m for m in peer.seen if m.status == 487)


def _final_of(call: Request) -> Callable[[Message], bool]:
    return lambda m: m.status >= 200 and m.branch == call.branch


# -- the target is called


def uas_options(peer: Peer) -> None:
    got = peer.final(start(peer, "OPTIONS").send())
    must(got.status == 200, f"got {got.status}")
    must("INVITE" in ",".join(got.all("allow")), "no Allow with INVITE")


def uas_call(peer: Peer) -> None:
    call, ok = answered(peer)
    must("m=audio" in ok.body and ok.contact and ok.to_tag, "200 without SDP, Contact or To tag")
    got = hang_up(call, ok)
    must(got.status == 200, f"BYE got {got.status}")


def uas_bye_again(peer: Peer) -> None:
    call, ok = answered(peer)
    bye = within(call, ok, "BYE", number=2).send()
    must(peer.final(bye).status == 200, "BYE refused")
    bye.send()
    got = peer.final(bye)
    must(got.status == 200, f"repeated BYE got {got.status}")


def uas_rings_once(peer: Peer) -> None:
    call, first = ringing(peer)
    for _ in range(2):
        call.send()
    tags = {first.to_tag}
    tags |= {m.to_tag for m in peer.messages(1) if m.cseq == call.cseq and m.status > 100}
    must(len(tags) == 1, "repeated INVITE made another call")
    _stop(peer, call)


def _stop(peer: Peer, call: Request) -> None:
    """End a call that may be ringing or answered."""
    for message in peer.seen:
        if message.status == 200 and message.cseq == call.cseq:
            ack(call, message)
            hang_up(call, message)
            return
    same(call, "CANCEL", call.to).send()
    for message in peer.messages(2):
        if message.status >= 200 and message.cseq == call.cseq:
            ack(call, message)
            return


def uas_cancel(peer: Peer) -> None:
    call, refused = cancelled(peer)
    ack(call, refused)


def uas_487_repeated(peer: Peer) -> None:
    call, refused = cancelled(peer)
    peer.wait(lambda m: m.status == 487, "repeated 487", 2)
    ack(call, refused)
    time.sleep(0.1)
    list(peer.messages(0.05))
    peer.absent(lambda m: m.status == 487, 2.5, "487 after its ACK")


def uas_200_repeated(peer: Peer) -> None:
    call = start(peer, "INVITE", body=peer.sdp()).send()
    ok = peer.final(call, 10)
    for _ in range(2):
        peer.wait(lambda m: m.status == 200 and m.to_tag == ok.to_tag, "repeated 200", 3)
    ack(call, ok)
    time.sleep(0.1)
    list(peer.messages(0.05))
    peer.absent(lambda m: m.status == 200, 4.5, "200 after its ACK")
    hang_up(call, ok)


def uas_invite_after_200(peer: Peer) -> None:
    call = start(peer, "INVITE", body=peer.sdp()).send()
    ok = peer.final(call, 10)
    call.send()
    for message in peer.messages(0.4):
        if message.cseq == call.cseq and message.status >= 200:
            must(message.status == 200, f"INVITE again got {message.status}")
            must(message.to_tag == ok.to_tag, "INVITE again made another call")
    ack(call, ok)
    must(hang_up(call, ok).status == 200, "call is gone")


def uas_info_dtmf(peer: Peer) -> None:
    call, ok = answered(peer)
    info = within(call, ok, "INFO", number=2, body="Signal=5\r\nDuration=160\r\n")
    info.content_type = "application/dtmf-relay"
    got = peer.final(info.send())
    must(got.status == 200, f"got {got.status}")
    hang_up(call, ok)


def uas_hold(peer: Peer) -> None:
    call, ok = answered(peer)
    for direction, due in (("sendonly", ("recvonly", "inactive")), ("sendrecv", ("sendrecv", ""))):
        number = 2 if direction == "sendonly" else 3
        body = peer.sdp(direction, version=number)
        hold = within(call, ok, "INVITE", number=number, body=body).send()
        got = peer.final(hold)
        must(got.status == 200, f"re-INVITE got {got.status}")
        ack(hold, got)
        said = re.search(r"a=(sendrecv|sendonly|recvonly|inactive)", got.body)
        must((said[1] if said else "") in due, f"{direction} answered {said and said[1]}")
    must(hang_up(call, ok).status == 200, "hold ended the call")


def uas_reinvite_without_sdp(peer: Peer) -> None:
    call, ok = answered(peer)
    again = within(call, ok, "INVITE", number=2).send()
    got = peer.final(again)
    must(got.status == 200 and "m=audio" in got.body, f"got {got.status}, offer missing")
    ack(again, got, peer.sdp(version=2))
    must(hang_up(call, ok).status == 200, "call is gone")


def uas_delayed_offer(peer: Peer) -> None:
    call = start(peer, "INVITE").send()
    ok = peer.final(call, 10)
    must(ok.status == 200 and "m=audio" in ok.body, f"got {ok.status}, offer missing")
    ack(call, ok, peer.sdp(payload="0"))
    must(hang_up(call, ok).status == 200, "call is gone")


def uas_record_route(peer: Peer) -> None:
    routes = [f"<sip:{peer.here};lr;p=1>", f"<sip:{peer.here};lr;p=2>"]
    more = "".join(f"Record-Route: {route}\r\n" for route in routes)
    call = start(peer, "INVITE", more=more, body=peer.sdp()).send()
    ok = peer.final(call, 10)
    got = [part.strip() for value in ok.all("record-route") for part in value.split(",")]
    ack(call, ok)
    must(got == routes, f"echoed {got}")
    hang_up(call, ok)


def uas_require_unknown(peer: Peer) -> None:
    call = start(peer, "INVITE", more="Require: no-such-thing\r\n", body=peer.sdp()).send()
    got = peer.final(call)
    ack(call, got)
    must(got.status == 420, f"got {got.status}")
    must("no-such-thing" in got.get("unsupported"), "no Unsupported")


def uas_bad_sdp(peer: Peer) -> None:
    call = start(peer, "INVITE", body="this is no session description\r\n").send()
    got = peer.final(call)
    ack(call, got)
    must(400 <= got.status < 500, f"got {got.status}")


def uas_no_codec(peer: Peer) -> None:
    call = start(peer, "INVITE", body=peer.sdp(payload="77")).send()
    got = peer.final(call)
    ack(call, got)
    must(got.status == 488, f"got {got.status}")


def uas_replaces_unknown(peer: Peer) -> None:
    more = f"Replaces: {peer.new()};to-tag=x;from-tag=y\r\n"
    call = start(peer, "INVITE", more=more, body=peer.sdp()).send()
    got = peer.final(call)
    ack(call, got)
    must(got.status == 481, f"got {got.status}")


def uas_stray_bye(peer: Peer) -> None:
    bye = start(peer, "BYE")
    bye.to += ";tag=unknown"
    got = peer.final(bye.send())
    must(got.status == 481, f"got {got.status}")


def uas_stray_cancel(peer: Peer) -> None:
    got = peer.final(start(peer, "CANCEL").send())
    must(got.status == 481, f"got {got.status}")


def uas_merged(peer: Peer) -> None:
    call = start(peer, "INVITE", body=peer.sdp()).send()
    copy = Request(**{**vars(call), "branch": peer.new("z9hG4bK")}).send()
    got = {}
    for message in peer.messages(3):
        if message.status >= 200:
            got[message.branch] = message
            ack(call if message.branch == call.branch else copy, message)
        if len(got) == 2:
            break
    must(len(got) == 2, "no final response to both")
    first, second = got[call.branch], got[copy.branch]
    must((first.status, second.status) == (200, 482), f"got {first.status} and {second.status}")
    hang_up(call, first)


def uas_version(peer: Peer) -> None:
    request = start(peer, "OPTIONS")
    request.version = "SIP/7.0"
    got = peer.final(request.send())
    must(got.status == 505, f"got {got.status}")


def uas_rport(peer: Peer) -> None:
    got = peer.final(start(peer, "OPTIONS").send())
    must(param(got.get("via"), "rport") == str(peer.port), "rport is not filled in")


# -- the target calls


@contextmanager
def triggered(peer: Peer) -> Iterator[tuple[Message, Callable[[], None]]]:
    """The INVITE of a call that the target was made to place, and how to make it hang up."""
    if not peer.set.trigger:
        raise NotApplicableError("no --uac-trigger")
    command = peer.set.trigger.replace("{uri}", f"sip:probe@{peer.here}")
    child = subprocess.Popen(
        command,
        shell=True,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def stop() -> None:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGINT)

    try:
        yield peer.wait(lambda m: m.method == "INVITE", "INVITE", 20), stop
    finally:
        stop()
        _leave(peer)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _leave(peer: Peer) -> None:
    """Be polite to whatever the target still sends."""
    for message in peer.messages(1):
        if message.method in ("BYE", "CANCEL", "OPTIONS"):
            peer.answer(message, 200, "left")
        elif message.method == "INVITE":
            peer.answer(message, 486, "left")


def pick_up(peer: Peer, invite: Message, tag: str = "t1", more: str = "") -> Message:
    """Answer; the target's ACK."""
    peer.answer(invite, 200, tag, peer.sdp(payload="0"), more)
    return peer.wait(lambda m: m.method == "ACK" and m.to_tag == tag, "ACK")


def bye_of(peer: Peer, wait_s: float = 10, tag: str = "t1") -> Message:
    bye = peer.wait(lambda m: m.method == "BYE" and m.to_tag == tag, "BYE", wait_s)
    peer.answer(bye, 200)
    return bye


def uac_invite_repeated(peer: Peer) -> None:
    with triggered(peer) as (invite, _):
        times = [invite.at_s]
        times += [m.at_s for m in peer.messages(4) if m.method == "INVITE"]
        gaps = [b - a for a, b in itertools.pairwise(times)]
        must(len(gaps) >= 2 and gaps[1] > gaps[0] * 1.5, f"gaps {[round(g, 2) for g in gaps]}")
        peer.answer(invite, 486, "t1")
        peer.wait(lambda m: m.method == "ACK", "ACK")


def uac_ack_of_4xx(peer: Peer) -> None:
    with triggered(peer) as (invite, _):
        for _ in range(2):
            peer.answer(invite, 486, "t1")
            got = peer.wait(lambda m: m.method == "ACK", "ACK")
            must(got.branch == invite.branch and got.to_tag == "t1", "ACK on another branch")
            must(got.cseq == (invite.cseq[0], "ACK") and got.uri == invite.uri, "ACK differs")


def uac_digest(peer: Peer) -> None:
    with triggered(peer) as (invite, _):
        nonce = peer.new()
        asked = f'Digest realm="probe", nonce="{nonce}", qop="auth", algorithm=MD5'
        more = f"WWW-Authenticate: {asked}\r\n"
        peer.answer(invite, 401, "t1", more=more)
        peer.wait(lambda m: m.method == "ACK" and m.branch == invite.branch, "ACK of the 401")
        if peer.set.auth is None:
            raise NotApplicableError("no --auth")
        again = peer.wait(
            lambda m: m.method == "INVITE" and m.get("authorization"), "second INVITE"
        )
        must(again.branch != invite.branch and again.cseq[0] == invite.cseq[0] + 1, "same CSeq")
        must(again.get("call-id") == invite.get("call-id"), "another Call-ID")
        _check_digest(again, nonce, *peer.set.auth)
        peer.answer(again, 486, "t2")
        peer.wait(lambda m: m.method == "ACK" and m.branch == again.branch, "ACK")


def _check_digest(request: Message, nonce: str, user: str, password: str) -> None:
    said = {
        key.lower(): quoted or plain
        for key, quoted, plain in re.findall(
            r'(\w+)=(?:"([^"]*)"|([^\s,"]+))', request.get("authorization")
        )
    }
    must(said.get("nonce") == nonce and said.get("username") == user, "other nonce or user")

    def h(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    secret, what = h(f"{user}:probe:{password}"), h(f"INVITE:{said.get('uri')}")
    middle = ":".join(said.get(key, "") for key in ("nonce", "nc", "cnonce", "qop"))
    must(said.get("response") == h(f"{secret}:{middle}:{what}"), "wrong response")


def uac_contact_and_route(peer: Peer) -> None:
    with triggered(peer) as (invite, stop):
        routes = [f"<sip:{peer.here};lr;p={n}>" for n in (1, 2)]
        more = "".join(f"Record-Route: {route}\r\n" for route in routes)
        got = pick_up(peer, invite, more=more)
        stop()
        for request in (got, bye_of(peer)):
            must(request.uri == f"sip:probe@{peer.here}", f"{request.method} to {request.uri}")
            said = [part.strip() for value in request.all("route") for part in value.split(",")]
            must(said == routes[::-1], f"{request.method} has Route {said}")


def uac_re_ack(peer: Peer) -> None:
    with triggered(peer) as (invite, _):
        pick_up(peer, invite)
        for _ in range(2):
            pick_up(peer, invite)


def uac_forked(peer: Peer) -> None:
    with triggered(peer) as (invite, _):
        pick_up(peer, invite)
        peer.answer(invite, 200, "t2", peer.sdp(payload="0"))
        got: set[str] = set()
        for message in peer.messages(4):
            must(not (message.method == "BYE" and message.to_tag == "t1"), "BYE to the first one")
            if message.method in ("ACK", "BYE") and message.to_tag == "t2":
                got.add(message.method)
            if message.method == "BYE":
                peer.answer(message, 200)
            if len(got) == 2:
                break
        must(got == {"ACK", "BYE"}, f"second 200 got {sorted(got) or 'nothing'}")


def uac_bye_repeated(peer: Peer) -> None:
    with triggered(peer) as (invite, stop):
        pick_up(peer, invite)
        stop()
        first = peer.wait(lambda m: m.method == "BYE", "BYE", 10)
        again = peer.wait(lambda m: m.method == "BYE", "repeated BYE", 2)
        must(again.branch == first.branch and again.cseq == first.cseq, "another BYE")
        peer.answer(again, 200)
        peer.absent(lambda m: m.method == "BYE", 2.5, "BYE after its 200")


def uac_cancel(peer: Peer) -> None:
    with triggered(peer) as (invite, stop):
        peer.answer(invite, 180, "t1")
        stop()
        cancel = peer.wait(lambda m: m.method == "CANCEL", "CANCEL", 10)
        must(cancel.branch == invite.branch and cancel.uri == invite.uri, "CANCEL does not match")
        peer.answer(cancel, 200, "t1")
        peer.answer(invite, 487, "t1")
        peer.wait(lambda m: m.method == "ACK" and m.branch == invite.branch, "ACK of the 487")


def uac_cancel_crossed(peer: Peer) -> None:
    with triggered(peer) as (invite, stop):
        peer.answer(invite, 180, "t1")
        stop()
        cancel = peer.wait(lambda m: m.method == "CANCEL", "CANCEL", 10)
        peer.answer(invite, 200, "t1", peer.sdp(payload="0"))
        peer.answer(cancel, 200, "t1")
        got: set[str] = set()
        for message in peer.messages(5):
            if message.method in ("ACK", "BYE"):
                got.add(message.method)
            if message.method == "BYE":
                peer.answer(message, 200)
            if len(got) == 2:
                break
        must(
            got == {"ACK", "BYE"}, f"200 after CANCEL got {sorted(got) or 'nothing'}: phantom call"
        )


def uac_peer_hangs_up(peer: Peer) -> None:
    with triggered(peer) as (invite, _):
        pick_up(peer, invite)
        time.sleep(0.2)
        bye = Request(
            peer,
            "BYE",
            invite.contact,
            invite.get("from"),
            "t1",
            invite.get("call-id"),
            1,
            peer.new("z9hG4bK"),
        )
        text = (
            f"BYE {bye.uri} SIP/2.0\r\nVia: SIP/2.0/UDP {peer.here};rport;branch={bye.branch}\r\n"
            f"Max-Forwards: 70\r\nFrom: {invite.get('to')};tag=t1\r\nTo: {bye.to}\r\n"
            f"Call-ID: {bye.call_id}\r\nCSeq: 1 BYE\r\n"
        )
        peer.send(text)
        got = peer.final(bye)
        must(got.status == 200, f"BYE got {got.status}")


CHECKS: dict[str, Callable[[Peer], None]] = {
    name: check
    for name, check in list(globals().items())
    if name.startswith(("uas_", "uac_")) and callable(check)
}


def run(settings: Settings, names: list[str]) -> list[tuple[str, str, str, float]]:
    rows = []
    for name in names:
        peer = Peer(settings)
        began_s = time.monotonic()
        try:
            CHECKS[name](peer)
            result, why = "pass", ""
        except NotApplicableError as skipped:
            result, why = "n/a", str(skipped)
        except (FailedError, ValueError, IndexError, OSError) as failed:
            result, why = "FAIL", str(failed)
        finally:
            peer.close()
        rows.append((name, result, why, time.monotonic() - began_s))
        print(f"{result:4}  {name:26}{rows[-1][3]:6.2f} s  {why}", flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("target", help="host:port of the SIP listener (UDP)")
    parser.add_argument("--uac-trigger", default="", help="shell command; {uri} is what to call")
    parser.add_argument("--bind", default="127.0.0.1", help="own address")
    parser.add_argument("--user", default="probe", help="user part that is called")
    parser.add_argument("--ring-user", default="", help="user part that rings for a while")
    parser.add_argument("--auth", default="", help="user:password that the target calls with")
    parser.add_argument("--only", default="", help="a part of the names of the checks to run")
    parser.add_argument("--seed", type=int, default=None, help="of all ids; new for each run")
    args = parser.parse_args()
    host, _, port = args.target.rpartition(":")
    user, colon, password = args.auth.partition(":")
    seed = time.time_ns() if args.seed is None else args.seed
    print(f"target {args.target}, seed {seed}")
    settings = Settings(
        (host, int(port)),
        args.bind,
        args.user,
        args.ring_user,
        args.uac_trigger,
        (user, password) if colon else None,
        random.Random(seed),
    )
    names = [name for name in CHECKS if args.only in name]
    rows = run(settings, names)
    count = {kind: sum(row[1] == kind for row in rows) for kind in ("pass", "FAIL", "n/a")}
    print(f"{count['pass']} passed, {count['FAIL']} failed, {count['n/a']} not applicable")
    return 1 if count["FAIL"] or not count["pass"] else 0


if __name__ == "__main__":
    sys.exit(main())
