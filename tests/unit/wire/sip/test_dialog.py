from __future__ import annotations

import pytest

from mediacore.wire.sip.dialog import MAX_ROUTES, Dialog
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.message import Request, make_request, make_response

HEADERS = [
    ("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"),
    ("From", '"A" <sip:a@x>;tag=ours'),
    ("To", "<sip:b@y>"),
    ("Call-ID", "c1"),
    ("CSeq", "7 INVITE"),
]


def invite(*more: tuple[str, str]) -> Request:
    return make_request("INVITE", "sip:b@y", [*HEADERS, *more])


def routes(*names: str, loose: bool = True) -> tuple[str, str]:
    lr = ";lr" if loose else ""
    return "Record-Route", ", ".join(f"<sip:{name}{lr}>" for name in names)


def test_the_called_side_answers_the_way_the_request_came() -> None:
    dialog = Dialog.uas(
        invite(("Contact", "<sip:a@10.0.0.9:5070>"), routes("p.one", "p.two")), "tagb"
    )
    request = dialog.request("BYE")
    assert request.uri == "sip:a@10.0.0.9:5070"
    assert request.headers.all("Route") == ["<sip:p.one;lr>", "<sip:p.two;lr>"]
    assert dialog.next_hop == "sip:p.one;lr"
    assert (request.from_tag, request.to_tag) == ("tagb", "ours")
    assert str(request.headers.get("CSeq")) == "1 BYE"
    assert request.headers.get("Max-Forwards") == "70"


def test_the_calling_side_reverses_the_route() -> None:
    request = invite(("Contact", "<sip:a@10.0.0.9>"))
    response = make_response(
        request,
        200,
        to_tag="theirs",
        headers=[("Contact", "<sip:b@10.0.0.2>"), routes("p.one", "p.two")],
    )
    dialog = Dialog.uac(request, response)
    bye = dialog.request("BYE", [("Reason", "SIP;cause=200")])
    assert bye.headers.all("Route") == ["<sip:p.two;lr>", "<sip:p.one;lr>"]
    assert bye.headers.get("CSeq") == "8 BYE"
    assert bye.headers.get("Reason") == "SIP;cause=200"
    assert dialog.request("ACK", cseq=7).headers.get("CSeq") == "7 ACK"


def test_a_strict_router_gets_the_request_uri() -> None:
    request = invite(("Contact", "<sip:a@10.0.0.9>"), routes("p.one", "p.two", loose=False))
    made = Dialog.uas(request, "t").request("BYE")
    assert made.uri == "sip:p.one"
    assert made.headers.all("Route") == ["<sip:p.two>", "<sip:a@10.0.0.9>"]


def test_old_requests_are_told_from_new_ones() -> None:
    dialog = Dialog.uas(invite(("Contact", "<sip:a@x>")), "t")
    assert not dialog.in_order(7)
    assert not dialog.in_order(6)
    assert dialog.in_order(9)
    assert not dialog.in_order(8)


def test_a_new_contact_counts_when_it_is_usable() -> None:
    dialog = Dialog.uas(invite(("Contact", "<sip:a@x>")), "t")
    dialog.retarget(invite(("Contact", "<sip:new@x>")))
    assert dialog.target == "sip:new@x"
    dialog.retarget(invite(("Contact", "*")))
    dialog.retarget(invite())
    assert dialog.target == "sip:new@x"


@pytest.mark.parametrize(
    "more",
    [
        [],
        [("Contact", "<sip:a@x>, <sip:b@x>")],
        [("Contact", "<http://x>")],
        [("Contact", "<sip:a@x>"), routes("not..valid")],
        [("Contact", "<sip:a@x>"), routes(*(f"p{n}.x" for n in range(MAX_ROUTES + 1)))],
    ],
)
def test_a_dialog_needs_one_usable_contact_and_few_routes(more: list[tuple[str, str]]) -> None:
    with pytest.raises(SipError):
        Dialog.uas(invite(*more), "t")
