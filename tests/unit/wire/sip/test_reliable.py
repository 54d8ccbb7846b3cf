from __future__ import annotations

from mediacore.wire.sip.message import Request, Response, make_request
from mediacore.wire.sip.reliable import Given, RseqCounter, RseqOrder, required, supported


def provisional(rseq: str = "", require: str = "100rel") -> Response:
    made = Response(status=183)
    if require:
        made.headers.add("Require", require)
    if rseq:
        made.headers.add("RSeq", rseq)
    return made


def prack(rack: str) -> Request:
    return make_request("PRACK", "sip:x", [("RAck", rack)])


def test_only_new_ones_in_order_are_acknowledged() -> None:
    order = RseqOrder()
    assert order.take(provisional("", "")) is Given.PLAIN
    assert order.take(provisional("x")) is Given.PLAIN
    assert order.take(provisional("5")) is Given.NEW
    assert order.take(provisional("5")) is Given.OLD
    assert order.take(provisional("7")) is Given.OLD
    assert order.take(provisional("6")) is Given.NEW
    assert order.last == 6


def test_a_prack_must_name_what_waits() -> None:
    counter = RseqCounter(100, 7)
    assert not counter.acknowledged(prack("0 7 INVITE"))
    assert counter.number() == 100
    for wrong in ("", "100 7", "101 7 INVITE", "100 8 INVITE", "100 7 UPDATE"):
        assert not counter.acknowledged(prack(wrong))
    assert counter.acknowledged(prack("100 7 INVITE"))
    assert not counter.waiting
    assert not counter.acknowledged(prack("100 7 INVITE"))
    assert counter.number() == 101


def test_who_can_and_who_must() -> None:
    can = make_request("INVITE", "sip:x", [("Supported", "timer, 100REL")])
    must = make_request("INVITE", "sip:x", [("Require", "100rel")])
    assert supported(can) and not required(can)
    assert supported(must) and required(must)
