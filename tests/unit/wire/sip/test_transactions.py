from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from mediacore.errors import ConfigError
from mediacore.wire.sip.admission import Admission, AdmissionLimits, Verdict
from mediacore.wire.sip.errors import SipBusyError, SipError
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.machines import TABLES, Event, Kind, Op, State, Times, render_transactions
from mediacore.wire.sip.message import Request, Response, make_request, make_response, parse
from mediacore.wire.sip.outputs import (
    AckMissing,
    AckReceived,
    CancelReceived,
    Ended,
    Output,
    RequestReceived,
    ResponseReceived,
    Send,
    TimedOut,
    TransportFailed,
)
from mediacore.wire.sip.resend import Due, Resend
from mediacore.wire.sip.transaction_config import TransactionConfig
from mediacore.wire.sip.transactions import Transactions
from mediacore.wire.sip.validate import Policy, Refusal

UDP = Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.2", 5070), "127.0.0.1:5060")
TCP = Flow("TCP", ("127.0.0.1", 5060), ("127.0.0.2", 5070), "127.0.0.1:5060", 3)
POLICY = Policy(("INVITE", "BYE", "OPTIONS", "INFO"))


def layer(**changes: object) -> Transactions:
    numbers = itertools.count(1)
    config = replace(TransactionConfig(), **changes)  # type: ignore[arg-type]
    return Transactions(config, POLICY, SipIds(lambda size: f"{next(numbers):0{2 * size}x}"))


def asked(method: str = "INVITE", **headers: str) -> Request:
    fields = {
        "From": "<sip:a@127.0.0.1>;tag=f",
        "To": "<sip:b@127.0.0.2>",
        "Call-ID": "c",
        "CSeq": f"1 {method}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return make_request(method, "sip:b@127.0.0.2", list(fields.items()))


def wire(request: Request, branch: str = "z9hG4bKx", more: str = ";rport") -> Request:
    """The request as it comes from the peer."""
    made = request.headers.copy()
    made.prepend("Via", f"SIP/2.0/UDP 127.0.0.2:5071;branch={branch}{more}")
    got = parse(replace(request, headers=made).encode())
    assert isinstance(got, Request)
    return got


def sends(outputs: list[Output]) -> list[Request | Response]:
    return [parse(out.data) for out in outputs if isinstance(out, Send)]


def news(outputs: list[Output]) -> list[Output]:
    return [out for out in outputs if not isinstance(out, Send)]


def kinds(outputs: list[Output]) -> list[str]:
    return [type(out).__name__ for out in outputs]


def called(t: Transactions, flow: Flow = UDP) -> tuple[int, Request]:
    """An INVITE that is under way, and as it went out."""
    tx, outputs = t.request(0, asked(), flow)
    sent = sends(outputs)[0]
    assert isinstance(sent, Request)
    return tx, sent


def run(t: Transactions, until_ms: int) -> list[tuple[int, Output]]:
    """Let time pass, waking only when the layer asks for it."""
    seen: list[tuple[int, Output]] = []
    while (due := t.next_ms) is not None and due <= until_ms:
        outputs = t.tick(due)
        seen += [(due, out) for out in outputs]
    return seen


def test_invite_is_repeated_and_given_up() -> None:
    t = layer()
    tx, sent = called(t)
    assert sent.headers.get("Max-Forwards") == "70" and sent.via.rport_asked
    seen = run(t, 100_000)
    assert [at for at, out in seen if isinstance(out, Send)] == [
        500, 1500, 3500, 7500, 15500, 31500,
    ]  # fmt: skip
    assert seen[-2:] == [(32_000, TimedOut(tx)), (32_000, Ended(tx))]
    assert t.snapshot().clients == 0 and t.next_ms is None


def test_invite_is_not_repeated_over_tcp() -> None:
    t = layer()
    tx, _ = called(t, TCP)
    assert run(t, 100_000) == [(32_000, TimedOut(tx)), (32_000, Ended(tx))]


def test_a_call_may_ring_for_long() -> None:
    t = layer()
    tx, sent = called(t)
    outputs = t.receive(100, make_response(sent, 180, to_tag="x"), UDP)
    assert kinds(outputs) == ["ResponseReceived"]
    assert run(t, 3_600_000) == []
    outputs = t.receive(3_600_000, make_response(sent, 200, to_tag="x"), UDP)
    assert isinstance(outputs[0], ResponseReceived) and outputs[0].tx == tx


def test_refusal_is_acknowledged_on_the_same_branch_every_time() -> None:
    t = layer()
    tx, outputs = t.request(0, asked(Route="<sip:p;lr>"), UDP)
    sent = sends(outputs)[0]
    assert isinstance(sent, Request)
    busy = make_response(sent, 486, to_tag="b")
    outputs = t.receive(100, busy, UDP)
    assert kinds(outputs) == ["Send", "ResponseReceived"]
    ack = sends(outputs)[0]
    assert isinstance(ack, Request) and ack.method == "ACK"
    assert ack.branch == sent.branch and ack.to_tag == "b" and str(ack.cseq) == "1 ACK"
    assert ack.headers.get("Route") == "<sip:p;lr>" and ack.uri == sent.uri
    assert kinds(t.receive(200, busy, UDP)) == ["Send"]
    assert run(t, 100_000) == [(32_100, Ended(tx))]


def test_over_tcp_a_refused_transaction_ends_at_once() -> None:
    t = layer()
    _, sent = called(t, TCP)
    outputs = t.receive(5, make_response(sent, 404, to_tag="b"), TCP)
    assert kinds(outputs) == ["Send", "ResponseReceived", "Ended"]


def test_every_2xx_is_told_until_timer_m() -> None:
    t = layer()
    tx, sent = called(t)
    for tag in ("one", "one", "two"):
        outputs = t.receive(100, make_response(sent, 200, to_tag=tag), UDP)
        assert [out.response.to_tag for out in outputs if isinstance(out, ResponseReceived)] == [
            tag
        ]
    assert t.receive(100, make_response(sent, 180, to_tag="one"), UDP) == []
    assert run(t, 100_000) == [(32_100, Ended(tx))]
    assert t.receive(99_000, make_response(sent, 200, to_tag="one"), UDP) == []
    assert t.snapshot().counters.stray_responses == 1


def test_ack_of_a_2xx_has_its_own_branch() -> None:
    t = layer()
    _, sent = called(t)
    ack = sends(t.send_ack(asked("ACK"), UDP))[0]
    assert ack.branch != sent.branch and len(t.send_ack(asked("ACK"), UDP)) == 1


def test_cancel_waits_for_a_provisional() -> None:
    t = layer()
    tx, sent = called(t)
    assert t.cancel(10, tx, [("Reason", "SIP;cause=200")]) == []
    assert t.cancel(20, tx) == []
    outputs = t.receive(100, make_response(sent, 100), UDP)
    cancel = sends(outputs)[0]
    assert isinstance(cancel, Request) and cancel.method == "CANCEL"
    assert cancel.branch == sent.branch and str(cancel.cseq) == "1 CANCEL"
    assert cancel.uri == sent.uri and cancel.to_tag == ""
    assert cancel.headers.get("Reason") == "SIP;cause=200"
    assert t.receive(150, make_response(cancel, 200, to_tag="q"), UDP) == []
    outputs = t.receive(200, make_response(sent, 487, to_tag="q"), UDP)
    assert kinds(outputs) == ["Send", "ResponseReceived"]
    assert news(t.tick(40_000)) == [Ended(tx)]
    assert t.snapshot().clients == 0


def test_cancel_is_repeated_and_its_invite_given_up() -> None:
    t = layer()
    tx, sent = called(t)
    t.receive(100, make_response(sent, 180, to_tag="q"), UDP)
    assert kinds(t.cancel(1000, tx)) == ["Send"]
    seen = run(t, 100_000)
    assert all(m.method == "CANCEL" for m in sends([o for _, o in seen]) if isinstance(m, Request))
    assert len(sends([out for _, out in seen])) == 10
    assert [out for at, out in seen if not isinstance(out, Send)] == [TimedOut(tx), Ended(tx)]
    assert t.snapshot().clients == 0


def test_cancel_crossed_by_a_200_leaves_the_200_to_the_user() -> None:
    t = layer()
    tx, sent = called(t)
    t.receive(100, make_response(sent, 180, to_tag="q"), UDP)
    t.cancel(200, tx)
    outputs = t.receive(201, make_response(sent, 200, to_tag="q"), UDP)
    assert isinstance(outputs[0], ResponseReceived) and outputs[0].response.status == 200
    assert t.cancel(300, tx) == [] and t.cancel(300, 999) == []
    assert news([out for _, out in run(t, 100_000)]) == [Ended(tx)]


def test_other_requests_are_repeated_until_their_answer() -> None:
    t = layer()
    tx, outputs = t.request(0, asked("BYE"), UDP)
    sent = sends(outputs)[0]
    assert isinstance(sent, Request)
    times = [at for at, out in run(t, 20_000) if isinstance(out, Send)]
    assert times == [500, 1500, 3500, 7500, 11500, 15500, 19500]
    assert kinds(t.receive(20_000, make_response(sent, 100), UDP)) == ["ResponseReceived"]
    times = [at for at, out in run(t, 30_000) if isinstance(out, Send)]
    assert times == [23_500, 27_500]
    done = make_response(sent, 200, to_tag="z")
    assert kinds(t.receive(30_000, done, UDP)) == ["ResponseReceived"]
    assert t.receive(30_001, done, UDP) == []
    assert run(t, 100_000) == [(35_000, Ended(tx))]


def test_other_requests_time_out() -> None:
    t = layer()
    tx, _ = t.request(0, asked("OPTIONS"), TCP)
    assert run(t, 100_000) == [(32_000, TimedOut(tx)), (32_000, Ended(tx))]
    assert t.snapshot().counters.timed_out == 1


def test_responses_that_are_not_ours() -> None:
    t = layer()
    _, sent = called(t)
    other = make_response(sent, 200, to_tag="x")
    other.headers.set("Via", f"SIP/2.0/UDP 9.9.9.9:1;branch={sent.branch}")
    assert t.receive(1, other, UDP) == []
    other = make_response(sent, 200, to_tag="x")
    other.headers.set("CSeq", "1 BYE")
    assert t.receive(1, other, UDP) == []
    other.headers.set("CSeq", "garbage")
    assert t.receive(1, other, UDP) == []
    counters = t.snapshot().counters
    assert (counters.stray_responses, counters.malformed) == (2, 1)


def test_transport_failure_of_a_client() -> None:
    t = layer()
    tx, _ = called(t, replace(TCP, connection=0))
    assert t.failed(5, replace(TCP, connection=9)) == [TransportFailed(tx), Ended(tx)]
    assert t.failed(5, TCP) == []
    tx, _ = called(t, TCP)
    assert t.failed(5, replace(TCP, connection=9)) == []
    assert t.failed(5, UDP) == []


def test_a_client_table_that_is_full() -> None:
    t = layer(max_transactions=1)
    called(t)
    with pytest.raises(SipBusyError):
        t.request(0, asked(), UDP)
    outputs = t.receive(0, wire(asked()), UDP)
    assert isinstance(answer := sends(outputs)[0], Response) and answer.status == 503
    assert answer.headers.get("Retry-After") == "5"
    assert t.snapshot().counters.full == 2


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_ack_and_cancel_are_made_here(method: str) -> None:
    with pytest.raises(SipError):
        layer().request(0, asked(method), UDP)


# -- server side


def ringing(t: Transactions, flow: Flow = UDP) -> RequestReceived:
    outputs = t.receive(0, wire(asked()), flow)
    assert kinds(outputs) == ["Send", "RequestReceived"]
    assert isinstance(outputs[1], RequestReceived)
    return outputs[1]


def test_an_invite_that_comes_again_is_one_call() -> None:
    t = layer()
    got = ringing(t)
    outputs = t.receive(500, wire(asked()), UDP)
    assert [m.status for m in sends(outputs) if isinstance(m, Response)] == [100]
    t.respond(600, got.tx, make_response(got.request, 180))
    outputs = t.receive(700, wire(asked()), UDP)
    assert kinds(outputs) == ["Send"]
    again = sends(outputs)[0]
    assert isinstance(again, Response) and again.status == 180 and again.to_tag == got.local_tag


def test_responses_go_where_rport_says() -> None:
    t = layer()
    outputs = t.receive(0, wire(asked()), UDP)
    assert isinstance(outputs[0], Send) and outputs[0].flow == UDP
    via = sends(outputs)[0].via
    assert via.params["rport"] == "5070" and via.params["received"] == "127.0.0.2"
    outputs = t.receive(0, wire(asked("OPTIONS", Call_ID="d"), "z9hG4bKy", ""), UDP)
    assert isinstance(outputs[0], RequestReceived)
    assert outputs[0].flow.remote == ("127.0.0.2", 5071)


def test_a_via_that_lies_about_its_host_gets_no_packet() -> None:
    t = layer()
    stranger = replace(UDP, remote=("127.0.0.66", 7))
    outputs = t.receive(0, wire(asked(), more=""), stranger)
    assert isinstance(outputs[0], Send) and outputs[0].flow.remote == ("127.0.0.66", 5071)
    assert sends(outputs)[0].via.params["received"] == "127.0.0.66"


def test_after_a_2xx_the_invite_is_absorbed_and_the_2xx_the_users() -> None:
    t = layer()
    got = ringing(t)
    ok = make_response(got.request, 200, to_tag=got.local_tag)
    assert kinds(t.respond(10, got.tx, ok)) == ["Send"]
    assert t.receive(500, wire(asked()), UDP) == []
    assert kinds(t.respond(510, got.tx, ok)) == ["Send"]
    with pytest.raises(SipError):
        t.respond(520, got.tx, make_response(got.request, 486))
    ack = wire(asked("ACK", To=f"<sip:b@127.0.0.2>;tag={got.local_tag}"), "z9hG4bKack")
    assert kinds(t.receive(600, ack, UDP)) == ["AckReceived"]
    assert run(t, 100_000) == [(32_010, Ended(got.tx))]
    with pytest.raises(SipError):
        t.respond(99_000, got.tx, ok)


def test_a_refusal_is_repeated_until_its_ack() -> None:
    t = layer()
    got = ringing(t)
    assert kinds(t.respond(0, got.tx, make_response(got.request, 486))) == ["Send"]
    times = [at for at, out in run(t, 12_000) if isinstance(out, Send)]
    assert times == [500, 1500, 3500, 7500, 11500]
    ack = wire(asked("ACK", To="<sip:b@127.0.0.2>;tag=1"))
    assert t.receive(12_000, ack, UDP) == []
    assert t.receive(12_001, ack, UDP) == [] and t.receive(12_002, wire(asked()), UDP) == []
    assert run(t, 100_000) == [(17_000, Ended(got.tx))]


def test_a_refusal_without_ack_is_given_up() -> None:
    t = layer()
    got = ringing(t)
    t.respond(0, got.tx, make_response(got.request, 486))
    seen = run(t, 100_000)
    assert len(sends([out for _, out in seen])) == 10
    assert seen[-2:] == [(32_000, AckMissing(got.tx)), (32_000, Ended(got.tx))]


def test_over_tcp_a_refusal_goes_out_once() -> None:
    t = layer()
    got = ringing(t, TCP)
    t.respond(0, got.tx, make_response(got.request, 486))
    assert run(t, 10_000) == []
    assert t.receive(10, wire(asked("ACK", To="<sip:b@h>;tag=1")), TCP) == [Ended(got.tx)]


def test_other_requests_get_their_answer_again() -> None:
    t = layer()
    bye = wire(asked("BYE", To="<sip:b@h>;tag=mine"))
    outputs = t.receive(0, bye, UDP)
    got = outputs[0]
    assert isinstance(got, RequestReceived) and got.local_tag == "mine"
    assert t.receive(1, wire(asked("BYE", To="<sip:b@h>;tag=mine")), UDP) == []
    first = t.respond(10, got.tx, make_response(got.request, 200))
    assert t.receive(500, bye, UDP) == first
    with pytest.raises(SipError):
        t.respond(20, got.tx, make_response(got.request, 200))
    assert run(t, 100_000) == [(32_010, Ended(got.tx))]


def test_over_tcp_the_answer_ends_it() -> None:
    t = layer()
    got = t.receive(0, wire(asked("OPTIONS")), TCP)[0]
    assert isinstance(got, RequestReceived)
    outputs = t.respond(0, got.tx, make_response(got.request, 200))
    assert kinds(outputs) == ["Send", "Ended"]


def test_what_nobody_answers_is_forgotten() -> None:
    t = layer()
    got = t.receive(0, wire(asked("OPTIONS")), UDP)[0]
    assert isinstance(got, RequestReceived)
    assert run(t, 100_000) == [(32_000, Ended(got.tx))]
    assert t.snapshot().counters.abandoned == 1


def test_cancel_of_a_ringing_call() -> None:
    t = layer()
    got = ringing(t)
    outputs = t.receive(10, wire(asked("CANCEL")), UDP)
    assert kinds(outputs) == ["Send", "CancelReceived"]
    answer = sends(outputs)[0]
    assert isinstance(answer, Response) and answer.status == 200
    assert answer.to_tag == got.local_tag
    cancelled = outputs[1]
    assert isinstance(cancelled, CancelReceived) and cancelled.tx == got.tx
    t.respond(11, got.tx, make_response(got.request, 487))
    assert kinds(t.receive(500, wire(asked("CANCEL")), UDP)) == ["Send"]


def test_cancel_of_nothing() -> None:
    t = layer()
    outputs = t.receive(0, wire(asked("CANCEL")), UDP)
    assert isinstance(answer := sends(outputs)[0], Response) and answer.status == 481
    assert t.snapshot().counters.stray_cancels == 1


def test_merged_requests() -> None:
    t = layer()
    ringing(t)
    outputs = t.receive(1, wire(asked(), "z9hG4bKother"), UDP)
    assert isinstance(answer := sends(outputs)[0], Response) and answer.status == 482
    in_dialog = wire(asked("INFO", To="<sip:b@h>;tag=x"), "z9hG4bKinfo")
    assert kinds(t.receive(2, in_dialog, UDP)) == ["RequestReceived"]
    assert t.snapshot().counters.merged == 1


def test_malformed_requests_are_answered_without_a_transaction() -> None:
    t = layer()
    outputs = t.receive(0, wire(asked(CSeq="x")), UDP)
    first = sends(outputs)[0]
    assert isinstance(first, Response) and (first.status, first.reason) == (
        400,
        "CSeq is not valid",
    )
    again = sends(t.receive(0, wire(asked(CSeq="x")), UDP))[0]
    assert again.to_tag == first.to_tag != ""
    assert t.snapshot().servers == 0
    request = asked()
    assert t.receive(0, request, UDP) == []
    ack = wire(asked("ACK", CSeq="x"))
    assert t.receive(0, ack, UDP) == []
    assert t.snapshot().counters.malformed == 2


def test_no_via_that_can_be_read_no_answer() -> None:
    t = layer()
    request = asked()
    request.headers.prepend("Via", "SIP/2.0/UDP ;branch=z9hG4bK1")
    assert t.receive(0, request, UDP) == []


def test_rfc_2543_requests_are_matched() -> None:
    t = layer()
    got = t.receive(0, wire(asked(), "1"), UDP)[1]
    assert isinstance(got, RequestReceived)
    assert kinds(t.receive(1, wire(asked(), "1"), UDP)) == ["Send"]
    t.respond(2, got.tx, make_response(got.request, 486))
    assert t.receive(3, wire(asked("ACK", To="<sip:b@h>;tag=9"), "1"), UDP) == []
    assert [m for _, m in run(t, 30_000)] == [Ended(got.tx)]


def test_draining() -> None:
    t = layer()
    t.draining = True
    answer = sends(t.receive(0, wire(asked()), UDP))[0]
    assert isinstance(answer, Response) and answer.status == 503
    in_dialog = wire(asked(To="<sip:b@h>;tag=x"), "z9hG4bK2")
    assert kinds(t.receive(0, in_dialog, UDP)) == ["Send", "RequestReceived"]
    assert kinds(t.receive(0, wire(asked("OPTIONS"), "z9hG4bK3"), UDP)) == ["RequestReceived"]


def test_a_server_whose_connection_dies() -> None:
    t = layer()
    got = ringing(t, TCP)
    assert t.failed(1, TCP) == [TransportFailed(got.tx), Ended(got.tx)]
    got = ringing(t, TCP)
    t.respond(2, got.tx, make_response(got.request, 200))
    assert t.failed(3, TCP) == [TransportFailed(got.tx)]


def test_the_programs_name_is_told() -> None:
    t = layer(server="mediacore")
    got = ringing(t)
    answer = sends(t.respond(0, got.tx, make_response(got.request, 180)))[0]
    assert answer.headers.get("Server") == "mediacore"
    _, sent = called(t)
    assert sent.headers.get("User-Agent") == "mediacore"


def test_a_flood_from_one_source_is_cheap_and_harms_nobody_else() -> None:
    t = layer()
    answers = 0
    for n in range(5000):
        flood = wire(asked(Call_ID=f"c{n}"), f"z9hG4bK{n}")
        answers += len(sends(t.receive(n // 5, flood, UDP)))
    counters = t.snapshot().counters
    assert t.snapshot().servers <= 301
    assert counters.refused <= 11 and counters.dropped > 4600
    assert answers <= 301 + 11
    other = replace(UDP, remote=("127.0.0.9", 5070))
    got = t.receive(1000, wire(asked(Call_ID="good"), "z9hG4bKgood"), other)
    assert kinds(got) == ["Send", "RequestReceived"]


def test_who_is_not_admitted_is_told_once_and_not_kept() -> None:
    refusal = Refusal(503, "", (("Retry-After", "30"),))
    numbers = itertools.count(1)
    ids = SipIds(lambda size: f"{next(numbers):0{2 * size}x}")
    t = Transactions(TransactionConfig(), POLICY, ids, lambda now_ms, request, flow: refusal)
    (answer,) = sends(t.receive(0, wire(asked()), UDP))
    assert isinstance(answer, Response) and answer.status == 503
    assert answer.headers.get("Retry-After") == "30"
    (again,) = sends(t.receive(500, wire(asked()), UDP))
    assert again.to_tag == answer.to_tag
    ack = asked("ACK", To=answer.headers.get("To") or "", CSeq="1 ACK")
    assert t.receive(600, wire(ack), UDP) == []
    assert t.receive(600, wire(asked("ACK", To="<sip:b@h>;tag=1")), UDP) != []
    inside = wire(asked("BYE", To="<sip:b@h>;tag=1"), "z9hG4bK2")
    assert kinds(t.receive(700, inside, UDP)) == ["RequestReceived"]
    assert t.snapshot().servers == 1 and run(t, 1000) == []


def test_admission_by_source() -> None:
    limits = AdmissionLimits(2, 2, 1, 2, frozenset({"10.0.0.1"}))
    gate = Admission(limits)
    assert [gate.admit(0, "a") for _ in range(4)] == [
        Verdict.ADMIT, Verdict.ADMIT, Verdict.REFUSE, Verdict.DROP,
    ]  # fmt: skip
    assert gate.admit(500, "a") is Verdict.ADMIT
    assert {gate.admit(0, "10.0.0.1") for _ in range(9)} == {Verdict.ADMIT}
    assert gate.admit(500, "b") is Verdict.ADMIT
    assert gate.admit(500, "c") is Verdict.DROP and len(gate) == 2
    assert gate.admit(500, "c") is Verdict.DROP
    assert gate.admit(9_000, "c") is Verdict.ADMIT and len(gate) == 1
    with pytest.raises(ConfigError):
        AdmissionLimits(per_s=0)
    with pytest.raises(ConfigError):
        TransactionConfig(max_transactions=0)


def test_resend() -> None:
    timer = Resend(0, Times())
    at = []
    while (due := timer.due(timer.next_ms)) is Due.SEND:
        at.append(timer.next_ms)
    assert due is Due.OVER
    assert at == [1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000]
    assert Resend(0, Times()).due(499) is Due.WAIT
    slow = Resend(0, Times(), capped=False)
    at = []
    while slow.due(slow.next_ms) is Due.SEND:
        at.append(slow.next_ms)
    assert at == [1500, 3500, 7500, 15500, 31500, 32000]


def test_every_state_and_event() -> None:
    for kind, table in TABLES.items():
        assert State.TERMINATED not in table
        for state, row in table.items():
            for step in row.values():
                assert step.to in table or step.to is State.TERMINATED, (kind, state)
    assert Event.TIMER_B not in TABLES[Kind.INVITE_CLIENT][State.PROCEEDING]
    named = {op for t in TABLES.values() for r in t.values() for s in r.values() for op in s.do}
    assert named <= set(Op)


def test_the_tables_as_text() -> None:
    text = render_transactions()
    assert "| Calling | timer A | repeat, start A | Calling |" in text
    assert all(kind.value in text for kind in Kind)


def test_ack_received_is_typed() -> None:
    out = layer().receive(0, wire(asked("ACK")), UDP)
    assert isinstance(out[0], AckReceived)
