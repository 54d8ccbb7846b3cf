"""Calls between two user agents in virtual time: who gets what, and how it ends."""

from __future__ import annotations

from itertools import count

import pytest

from mediacore.wire.sip.dialog import Dialog
from mediacore.wire.sip.digest import Credentials, DigestClient
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.info import RELAY
from mediacore.wire.sip.message import Request, Response, make_request, make_response, parse
from mediacore.wire.sip.outputs import Send
from mediacore.wire.sip.refer import Replaces
from mediacore.wire.sip.session_timer import TimerConfig
from mediacore.wire.sip.signals import (
    Accepted,
    Cause,
    Confirmed,
    DigitSent,
    Incoming,
    OfferAnswered,
    Offered,
    OfferRefused,
    OfferWanted,
    Over,
    Progressed,
    ReferAsked,
    ReferProgressed,
)
from mediacore.wire.sip.stack import UaConfig, sdp_of
from mediacore.wire.sip.user_agent import OutgoingCall
from mediacore.wire.sip.validate import Refusal
from support.sip_world import ANSWER, OFFER, Ua, World, overs

T64_MS = 32_000
NUMBERS = count()


@pytest.fixture
def world() -> World:
    return World()


def statuses(ua: Ua, method: str = "INVITE") -> list[int]:
    return [m.status for m in ua.sent if isinstance(m, Response) and m.cseq.method == method]


def methods(ua: Ua) -> list[str]:
    return [m.method for m in ua.sent if isinstance(m, Request)]


def raw(world: World, to: Ua, request: Request, host: str = "10.0.0.77") -> list[Response]:
    """Send a request from nowhere; the responses to it."""
    if "Via" not in request.headers:
        request.headers.prepend("Via", f"SIP/2.0/UDP {host};branch=z9hG4bK{world.rng.random()}")
    out = to.agent.receive(world.now_ms, parse(request.encode()), to.flow_to(host))
    world.do(to, [o for o in out if not isinstance(o, Send)])
    found = [parse(o.data) for o in out if isinstance(o, Send)]
    return [m for m in found if isinstance(m, Response)]


def request(method: str, *headers: tuple[str, str], to: str = "<sip:b@y>") -> Request:
    lines = [
        ("From", "<sip:x@10.0.0.77>;tag=raw"),
        ("To", to),
        ("Call-ID", f"raw-{next(NUMBERS)}"),
        ("CSeq", f"1 {method}"),
        ("Contact", "<sip:x@10.0.0.77>"),
        *headers,
    ]
    return make_request(method, "sip:b@10.0.0.2", lines)


def test_a_whole_call(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    call = world.dial(a, b)
    world.run(20)
    (incoming,) = b.of(Incoming)
    assert incoming.sdp == OFFER
    world.call(b, "ring", incoming.call)
    world.run(20)
    assert [p.status for p in a.of(Progressed)] == [180]
    world.call(b, "answer", incoming.call, ANSWER)
    world.run(20)
    assert a.of(Accepted) == [Accepted(call, ANSWER)]
    assert b.of(Confirmed) == [Confirmed(incoming.call, None)]
    world.call(b, "hangup", incoming.call, "SIP;cause=200")
    world.run(20)
    assert overs(a) == {call: Over(call, Cause.BYE, reason="SIP;cause=200")}
    assert overs(b)[incoming.call].cause is Cause.LOCAL
    world.run(2 * T64_MS)
    assert a.agent.sessions == b.agent.sessions == 0


def test_a_refusal_and_its_headers(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    call = world.dial(a, b)
    world.run(20)
    headers = (("Retry-After", "20 (later)"), ("Reason", "Q.850;cause=17"))
    world.call(b, "refuse", b.of(Incoming)[0].call, 503, headers)
    world.run(20)
    over = overs(a)[call]
    assert (over.cause, over.status, over.retry_after_s) == (Cause.REFUSED, 503, 20)
    assert over.reason == "Q.850;cause=17"


def test_contacts_of_a_redirection(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    call = world.dial(a, b)
    world.run(20)
    contact = ("Contact", "<sip:c@10.0.0.9>, <sip:d@10.0.0.9>;q=0.1")
    world.call(b, "refuse", b.of(Incoming)[0].call, 302, (contact,))
    world.run(20)
    assert overs(a)[call].contacts == ("sip:c@10.0.0.9", "sip:d@10.0.0.9")


def test_nobody_there_times_out(world: World) -> None:
    a = world.add("a")
    call = world.dial(a, "10.0.0.200")
    world.run(T64_MS + 100)
    assert overs(a)[call].status == 408
    assert a.agent.sessions == 0


def test_ringing_for_minutes_is_fine(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    call = world.dial(a, b)
    world.run(20)
    other = b.of(Incoming)[0].call
    world.call(b, "ring", other)
    world.run(170_000)
    assert statuses(b).count(180) == 3  # once a minute
    world.call(b, "answer", other, ANSWER)
    world.run(20)
    assert a.of(Accepted)[0].call == call
    assert not overs(a)


def test_cancel_needs_a_provisional_answer(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    world.drop = lambda host, message: isinstance(message, Response)
    call = world.dial(a, b)
    world.run(300)
    world.call(a, "hangup", call, "SIP;cause=200")
    assert overs(a)[call].cause is Cause.LOCAL
    assert "CANCEL" not in methods(a)
    world.drop = lambda host, message: False
    world.run(2_000)
    assert "CANCEL" in methods(a)
    over = overs(b)[b.of(Incoming)[0].call]
    assert (over.cause, over.reason) == (Cause.CANCEL, "SIP;cause=200")
    assert 487 in statuses(b)


def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_ended(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    call = world.dial(a, b)
    world.run(20)
    other = b.of(Incoming)[0].call
    world.call(b, "answer", other, ANSWER)
    world.call(a, "hangup", call)
    world.run(100)
    assert methods(a)[-2:] == ["ACK", "BYE"]
    assert overs(b)[other].cause is Cause.BYE
    assert not a.of(Accepted)


def test_a_second_answer_of_a_fork_is_ended(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    world.connect(a, b)
    invite = next(m for m in a.sent if isinstance(m, Request) and m.method == "INVITE")
    fork = make_response(
        invite,
        200,
        to_tag="fork",
        headers=[("Contact", "<sip:f@10.0.0.9>")],
        body=ANSWER,
        content_type="application/sdp",
    )
    sent = len(a.sent)
    for _ in range(2):
        world.do(a, a.agent.receive(world.now_ms, fork, a.flow_to(b.host)))
    made = [m for m in a.sent[sent:] if isinstance(m, Request)]
    assert [(m.method, m.to_tag) for m in made] == [
        ("ACK", "fork"),
        ("BYE", "fork"),
        ("ACK", "fork"),
    ]
    assert not overs(a)


def test_an_answer_without_sdp_is_no_call(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    call = world.dial(a, b)
    world.run(20)
    world.call(b, "answer", b.of(Incoming)[0].call, b"")
    world.run(50)
    assert overs(a)[call].cause is Cause.NO_ANSWER_SDP
    assert methods(a)[-1] == "BYE"


def test_a_peer_that_never_acknowledges_gets_bye(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    world.drop = lambda host, m: isinstance(m, Request) and m.method == "ACK"
    world.dial(a, b)
    world.run(20)
    other = b.of(Incoming)[0].call
    world.call(b, "answer", other, ANSWER)
    world.run(T64_MS + 100)
    assert statuses(b).count(200) > 8
    assert overs(b)[other].cause is Cause.SILENT
    assert "BYE" in methods(b)
    assert b.agent.unsettled == 0


def test_hanging_up_before_the_ack_waits_for_it(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    world.dial(a, b)
    world.run(20)
    other = b.of(Incoming)[0].call
    world.call(b, "answer", other, ANSWER)
    world.call(b, "hangup", other)
    assert overs(b)[other].cause is Cause.LOCAL
    assert "BYE" not in methods(b)
    world.run(50)
    assert "BYE" in methods(b)
    assert not b.of(Confirmed)


def test_delayed_offer_both_ways(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    call = world.dial(a, b, sdp=None)
    world.run(20)
    assert b.of(Incoming)[0].sdp is None
    other = b.of(Incoming)[0].call
    world.call(b, "answer", other, OFFER)
    world.run(20)
    assert a.of(Accepted) == [Accepted(call, OFFER, offer=True)]
    assert "ACK" not in methods(a)
    world.call(a, "confirm", call, ANSWER)
    world.run(20)
    assert b.of(Confirmed) == [Confirmed(other, ANSWER)]


def test_delayed_offer_that_is_given_up(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    call = world.dial(a, b, sdp=None)
    world.run(20)
    other = b.of(Incoming)[0].call
    world.call(b, "answer", other, OFFER)
    world.run(20)
    world.call(a, "hangup", call)
    world.run(100)
    assert overs(b)[other].cause in (Cause.NO_ANSWER_SDP, Cause.BYE)
    assert a.agent.unsettled == b.agent.unsettled == 0


def test_early_media_goes_by_prack_when_both_can(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    call = world.dial(a, b)
    world.run(20)
    other = b.of(Incoming)[0].call
    world.call(b, "ring", other, ANSWER)
    world.call(b, "answer", other, ANSWER)  # waits for the PRACK
    assert 200 not in statuses(b)
    world.run(50)
    assert "PRACK" in methods(a)
    assert a.of(Progressed) == [Progressed(call, 183, ANSWER)]
    final = [m for m in b.sent if isinstance(m, Response) and m.status == 200 and not m.body]
    assert final, "a reliable answer is not repeated in the 200"
    assert a.of(Accepted) == [Accepted(call, ANSWER)]


def test_without_100rel_early_media_is_plain(world: World) -> None:
    a, b = world.add("a", UaConfig(rel100=False)), world.add("b")
    world.dial(a, b)
    world.run(20)
    world.call(b, "ring", b.of(Incoming)[0].call, ANSWER)
    world.run(3_000)
    assert statuses(b) == [100, 183]
    assert "PRACK" not in methods(a)


def test_a_missing_prack_ends_the_call(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    world.drop = lambda host, m: isinstance(m, Request) and m.method == "PRACK"
    call = world.dial(a, b)
    world.run(20)
    world.call(b, "ring", b.of(Incoming)[0].call, ANSWER)
    world.run(T64_MS + 500)
    assert overs(a)[call].status == 504
    assert overs(b)[b.of(Incoming)[0].call].cause is Cause.SILENT


def test_a_required_100rel_without_offer_waits_for_the_answer(world: World) -> None:
    b = world.add("b")
    raw(world, b, request("INVITE", ("Require", "100rel")))
    world.call(b, "ring", b.of(Incoming)[0].call)
    assert 180 not in statuses(b)


def test_reoffers_and_their_refusal(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    first, second = world.connect(a, b)
    world.call(a, "reoffer", first, OFFER)
    world.run(20)
    assert b.of(Offered) == [Offered(second, OFFER)]
    world.call(b, "accept", second, ANSWER)
    world.run(50)
    assert a.of(OfferAnswered) == [OfferAnswered(first, ANSWER)]
    world.call(b, "reoffer", second, OFFER)
    world.run(20)
    world.call(a, "refuse_offer", first)
    world.run(20)
    assert b.of(OfferRefused) == [OfferRefused(second, 488)]
    assert not overs(a) and not overs(b)


def test_glare_is_retried_until_both_were_heard(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    first, second = world.connect(a, b)
    for ua, call in ((a, first), (b, second)):
        ua.on_signal = lambda s, ua=ua, call=call: (
            world.call(ua, "accept", call, ANSWER) if isinstance(s, Offered) else None
        )
    world.call(a, "reoffer", first, OFFER)
    world.call(b, "reoffer", second, OFFER)
    world.run(100)
    assert 491 in statuses(a) and 491 in statuses(b)
    world.run(6_000)
    assert a.of(OfferAnswered) and b.of(OfferAnswered)


def test_an_unacknowledged_reinvite_ends_the_call(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    first, second = world.connect(a, b)
    world.drop = lambda host, m: isinstance(m, Request) and m.method == "ACK"
    world.call(a, "reoffer", first, OFFER)
    world.run(20)
    world.call(b, "accept", second, ANSWER)
    world.run(T64_MS + 100)
    assert overs(b)[second].cause is Cause.SILENT
    assert overs(a)[first].cause is Cause.BYE


@pytest.mark.parametrize("update", [True, False])
def test_the_session_is_refreshed(world: World, update: bool) -> None:
    allow = UaConfig().allow if update else tuple(m for m in UaConfig().allow if m != "UPDATE")
    config = UaConfig(allow=allow, timer=TimerConfig(120, 90))
    a, b = world.add("a", config), world.add("b", config)
    first, second = world.connect(a, b)
    a.on_signal = lambda s: (
        world.call(a, "reoffer", first, OFFER) if isinstance(s, OfferWanted) else None
    )
    b.on_signal = lambda s: (
        world.call(b, "accept", second, ANSWER) if isinstance(s, Offered) else None
    )
    world.run(600_000)
    assert not overs(a) and not overs(b)
    assert methods(a).count("UPDATE" if update else "INVITE") >= 9


def test_a_dead_peer_is_noticed(world: World) -> None:
    config = UaConfig(timer=TimerConfig(120, 90))
    a, b = world.add("a", config), world.add("b", config)
    first, second = world.connect(a, b)
    world.drop = lambda host, message: True
    world.run(200_000)
    assert overs(a)[first].cause is Cause.EXPIRED
    assert overs(b)[second].cause is Cause.EXPIRED
    assert a.agent.sessions == b.agent.sessions == 0


def test_too_short_an_interval_is_negotiated(world: World) -> None:
    a = world.add("a", UaConfig(timer=TimerConfig(100, 90)))
    b = world.add("b", UaConfig(timer=TimerConfig(600, 300)))
    first, _ = world.connect(a, b)
    world.run(100)
    assert 422 in statuses(b)
    if not b.of(Confirmed):
        world.call(b, "answer", b.of(Incoming)[-1].call, ANSWER)
        world.run(50)
    assert a.of(Accepted)[0].call == first


def test_digits_by_info(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    first, second = world.connect(a, b)
    world.call(a, "send_digit", first, "#", 120)
    world.run(20)
    assert b.of(DigitSent) == [DigitSent(second, "#", 120)]
    assert statuses(b, "INFO") == [200]


def test_credentials_are_given_when_asked_for(world: World) -> None:
    seen: list[str] = []

    def admit(now_ms: int, got: Request, flow: object) -> Refusal | None:
        seen.append(got.headers.get("Authorization") or "")
        if len(seen) > 1:
            return None
        challenge = 'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"'
        return Refusal(401, "", (("WWW-Authenticate", challenge),))

    a, b = world.add("a"), world.add("b", admit=admit)
    client = DigestClient(Credentials("u", "p"), SipIds(lambda n: world.rng.randbytes(n).hex()))
    call = world.dial(a, b, digest=client)
    world.run(50)
    assert seen[0] == "" and 'username="u"' in seen[1]
    world.call(b, "answer", b.of(Incoming)[0].call, ANSWER)
    world.run(50)
    assert a.of(Accepted)[0].call == call
    world.call(a, "hangup", call)
    world.run(50)
    assert overs(b)[b.of(Incoming)[0].call].cause is Cause.BYE


def test_referring_the_peer(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    first, second = world.connect(a, b)
    world.call(a, "refer", first, "sip:c@10.0.0.9")
    world.run(20)
    (asked,) = b.of(ReferAsked)
    assert (asked.target, asked.replaces) == ("sip:c@10.0.0.9", "")
    assert asked.referred_by == "<sip:a@10.0.0.1>"
    world.call(b, "accept_refer", second)
    world.call(b, "report_refer", second, 180)
    world.run(50)
    world.call(b, "report_refer", second, 200, then_bye=True)
    world.run(50)
    told = [(p.status, p.final) for p in a.of(ReferProgressed)]
    assert told[0] == (202, False) and told[-1] == (200, True)
    assert overs(a)[first].cause is Cause.BYE


def test_a_refused_and_a_silent_referral(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    first, second = world.connect(a, b)
    world.call(a, "refer", first, "sip:c@10.0.0.9")
    world.run(20)
    world.call(b, "refuse_refer", second)
    world.run(20)
    assert a.of(ReferProgressed) == [ReferProgressed(first, 603, final=True)]
    a.signals.clear()
    world.call(a, "refer", first, "sip:c@10.0.0.9")
    world.run(20)
    world.call(b, "accept_refer", second)
    world.run(100_000)
    assert a.of(ReferProgressed)[-1] == ReferProgressed(first, 408, final=True)
    assert not overs(a)


def test_a_call_is_replaced_by_who_knows_its_tags(world: World) -> None:
    a, b, c = world.add("a"), world.add("b"), world.add("c")
    first, second = world.connect(a, b)
    named = a.agent.replaces_of(first)
    assert named is not None
    third = world.dial(c, b, headers=(("Replaces", str(named)), ("Require", "replaces")))
    world.run(20)
    incoming = b.of(Incoming)[-1]
    assert incoming.replaces == second
    world.call(b, "answer", incoming.call, ANSWER)
    world.call(b, "replace", second)
    world.run(50)
    assert overs(a)[first].cause is Cause.BYE
    assert overs(b)[second].cause is Cause.REPLACED
    assert c.of(Accepted)[0].call == third


def test_replaces_that_do_not_fit(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    first, _ = world.connect(a, b)
    named = a.agent.replaces_of(first)
    assert named is not None
    early = Replaces(named.call_id, named.to_tag, named.from_tag, early_only=True)
    swapped = Replaces(named.call_id, named.to_tag, "nobody")
    for value, status in ((str(early), 486), (str(swapped), 481), ("rubbish", 400)):
        got = raw(world, b, request("INVITE", ("Replaces", value)))
        assert got[-1].status == status
    world.call(b, "hangup", b.of(Incoming)[0].call)
    got = raw(world, b, request("INVITE", ("Replaces", str(named))))
    assert got[-1].status == 603


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("BYE", 481),
        ("INFO", 481),
        ("NOTIFY", 481),
        ("REFER", 403),
        ("MESSAGE", 405),
        ("OPTIONS", 200),
    ],
)
def test_requests_outside_of_any_call(world: World, method: str, status: int) -> None:
    b = world.add("b")
    assert raw(world, b, request(method))[-1].status == status
    if method != "OPTIONS":
        stranger = raw(world, b, request(method, to="<sip:b@y>;tag=none"))
        assert stranger[-1].status in (481, 405)


def test_options_say_what_is_possible_and_when_not(world: World) -> None:
    b = world.add("b")
    answer = raw(world, b, request("OPTIONS"))[-1]
    assert "INVITE" in (answer.headers.get("Allow") or "")
    assert answer.headers.get("Accept") == "application/sdp"
    assert "replaces" in answer.headers.tokens("Supported")
    b.agent.drain()
    busy = raw(world, b, request("OPTIONS"))[-1]
    assert busy.status == 503 and busy.headers.get("Retry-After")
    refused = raw(world, b, request("INVITE"))[-1]
    assert refused.status == 503


def in_dialog(world: World, b: Ua) -> Dialog:
    """A raw peer in a call with b."""
    invite = request("INVITE")
    invite.body = OFFER
    invite.headers.add("Content-Type", "application/sdp")
    answers = raw(world, b, invite)
    world.call(b, "answer", b.of(Incoming)[-1].call, ANSWER)
    final = next(m for m in b.sent[::-1] if isinstance(m, Response) and m.status == 200)
    dialog = Dialog.uac(invite, final)
    ack = dialog.request("ACK", cseq=1)
    raw(world, b, ack)
    assert answers[0].status == 100
    assert b.of(Confirmed)
    return dialog


def test_odd_requests_inside_a_call(world: World) -> None:
    b = world.add("b")
    dialog = in_dialog(world, b)

    def ask(method: str, *headers: tuple[str, str], body: bytes = b"", kind: str = "") -> int:
        return raw(world, b, dialog.request(method, headers, body, kind))[-1].status

    assert ask("INFO") == 200
    assert ask("INFO", body=b"Signal=x", kind=RELAY) == 400
    assert ask("INFO", body=b"?", kind="application/sdp") == 415
    assert ask("NOTIFY", ("Event", "presence")) == 489
    assert ask("NOTIFY", ("Event", "refer")) == 481
    assert ask("REFER") == 400
    assert ask("OPTIONS") == 200
    assert ask("PRACK", ("RAck", "1 1 INVITE")) == 481
    assert ask("UPDATE") == 200
    old = raw(world, b, dialog.request("INFO", cseq=1))
    assert old[-1].status == 500
    assert ask("BYE") == 200
    assert ask("INFO") == 481
    assert overs(b)[b.of(Incoming)[0].call].cause is Cause.BYE


def test_a_second_reinvite_has_to_wait(world: World) -> None:
    b = world.add("b")
    dialog = in_dialog(world, b)
    raw(world, b, dialog.request("INVITE", [("Contact", "<sip:x@10.0.0.77>")]))
    assert b.of(Offered)[0].sdp is None
    second = raw(world, b, dialog.request("INVITE", [("Contact", "<sip:x@10.0.0.77>")]))
    assert second[-1].status == 500 and second[-1].headers.get("Retry-After")
    world.call(b, "accept", b.of(Incoming)[0].call, OFFER)
    sent = [m for m in b.sent if isinstance(m, Response) and m.cseq.method == "INVITE"]
    assert sdp_of(sent[-1]) == OFFER
    raw(world, b, dialog.request("ACK", cseq=2))  # without the answer
    assert overs(b)[b.of(Incoming)[0].call].cause is Cause.NO_ANSWER_SDP


def test_a_bye_before_the_answer_ends_it(world: World) -> None:
    b = world.add("b")
    invite = request("INVITE")
    raw(world, b, invite)
    world.call(b, "ring", b.of(Incoming)[0].call)
    ringing = next(m for m in b.sent[::-1] if isinstance(m, Response) and m.status == 180)
    dialog = Dialog.uac(invite, ringing)
    assert {m.status for m in raw(world, b, dialog.request("BYE"))} == {200, 487}
    assert overs(b)[b.of(Incoming)[0].call].cause is Cause.BYE


def test_a_broken_connection_is_no_answer(world: World) -> None:
    a, b = world.add("a", transport="TCP"), world.add("b", transport="TCP")
    call = world.dial(a, b)
    world.do(a, a.agent.failed(world.now_ms, a.flow_to(b.host)))
    assert overs(a)[call].status == 503


def test_unknown_calls_are_ignored(world: World) -> None:
    a = world.add("a")
    for name, more in (
        ("ring", ()),
        ("answer", (ANSWER,)),
        ("refuse", (486,)),
        ("confirm", (ANSWER,)),
        ("hangup", ()),
        ("replace", ()),
        ("reoffer", (OFFER,)),
        ("accept", (ANSWER,)),
        ("refuse_offer", ()),
        ("send_digit", ("1",)),
        ("refer", ("sip:x@y",)),
        ("accept_refer", ()),
        ("refuse_refer", ()),
        ("report_refer", (200,)),
    ):
        world.call(a, name, 99, *more)
    assert a.signals == [] and a.sent == []
    assert a.agent.replaces_of(99) is None
    assert a.agent.local_of(99) == a.agent.host_of(99) == ""
    assert not a.agent.is_up(99)


def test_a_call_that_cannot_be_written_down_leaves_nothing(world: World) -> None:
    a, b = world.add("a"), world.add("b")
    outgoing = OutgoingCall(
        "sip:b@10.0.0.2",
        "<sip:a@x>",
        "<sip:b@y>",
        OFFER,
        a.flow_to("10.0.0.2"),
        (("X-A", "1\r\n2"),),
    )
    with pytest.raises(SipError):
        a.agent.dial(world.now_ms, outgoing)
    assert (a.agent.sessions, a.agent.snapshot().outgoing) == (0, 0)
    world.dial(a, b)
    world.run(20)
    assert b.of(Incoming)
