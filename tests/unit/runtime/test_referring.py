"""Sending the party elsewhere: the document waits, controllers are told, nothing waits for ever."""

from __future__ import annotations

from typing import Any

import pytest

from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.state import OpKind
from support.runtime_call import Phone

DESK = "sip:desk@example.org"


def waiting(**more: Any) -> tuple[Phone, a.ReferLine]:
    refer = {"to_uri": DESK, **more}
    phone = Phone([{"answer": {}}, {"sip_refer": refer}, {"sleep": -1}])
    phone.answered()
    return phone, phone.of(a.ReferLine)[-1]


def events(phone: Phone) -> list[dict[str, Any]]:
    return [dict(p.params) for p in phone.of(a.Publish) if p.event_type == "calling.call.refer"]


@pytest.mark.parametrize(
    ("response", "notify", "result"),
    [(202, 200, "success"), (202, 486, "failed"), (603, 0, "failed"), (202, 0, "failed")],
)
def test_the_document_goes_on_with_what_became_of_it(
    response: int, notify: int, result: str
) -> None:
    phone, asked = waiting()
    assert asked.to_uri == DESK
    phone.do(i.LineReferred(asked.op, response, notify))
    assert phone.vars["sip_refer_result"] == phone.vars["return_value"] == result
    assert phone.vars["sip_refer_to"] == DESK
    assert phone.vars["sip_refer_response_code"] == str(response)
    assert phone.vars["sip_refer_to_response_code"] == (str(notify) if notify else "")
    assert [e["state"] for e in events(phone)] == ["inProgress", result]


def test_a_status_url_gets_each_step() -> None:
    phone, asked = waiting(status_url="https://x.example/status")
    phone.do(i.LineReferred(asked.op, 202, 200))
    told = [p.body["params"] for p in phone.of(a.PostStatus)]
    assert [t["state"] for t in told] == ["inProgress", "success"]


def test_no_report_is_a_time_out() -> None:
    phone, asked = waiting()
    phone.wait(61_000)
    assert phone.vars["sip_refer_result"] == "failed"
    assert phone.vars["sip_refer_to_response_code"] == "408"
    phone.do(i.LineReferred(asked.op, 202, 200))
    assert phone.state.refused == {"stale_refer": 1}


def test_a_party_that_was_served_hangs_up() -> None:
    phone, _ = waiting()
    phone.do(i.LineGone("L1", "hangup"))
    assert phone.state.over
    assert events(phone)[-1]["state"] == "failed"  # it never said that it was served


@pytest.mark.parametrize("uri", ["", "tel:+1", "sip:a b", "sip:a\r\nX: y", "sip:" + "a" * 2000])
def test_what_is_no_address_is_not_sent(uri: str) -> None:
    phone = Phone([{"answer": {}}, {"sip_refer": {"to_uri": uri}}, {"sleep": -1}])
    phone.answered()
    assert not phone.of(a.ReferLine)


def test_a_controller_refers_once_at_a_time() -> None:
    phone = Phone()
    phone.ok("answer")
    phone.answered()
    device = {"device": {"type": "sip", "params": {"to": DESK}}}
    answer = phone.ok("refer", {"control_id": "r", **device})
    assert answer.data["control_id"] == "r"
    assert phone.command("refer", device).code == "409"
    assert [o.kind for o in phone.state.ops.values()] == [OpKind.REFER]
    phone.do(i.LineReferred("r", 202, 200))
    assert events(phone)[-1] == {
        "call_id": phone.state.main,
        "control_id": "r",
        "state": "success",
        "sip_refer_to": DESK,
        "sip_refer_response_code": "202",
        "sip_notify_response_code": "200",
    }
