from __future__ import annotations

import pytest

from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.message import Request, Response, make_request
from mediacore.wire.sip.refer import (
    Replaces,
    fragment,
    read_fragment,
    read_refer,
    read_replaces,
    wants_no_reports,
)
from mediacore.wire.sip.uri import SipUri


def refer(*headers: tuple[str, str]) -> Request:
    return make_request("REFER", "sip:x", [("From", '"A" <sip:a@x>;tag=1'), *headers])


def test_what_a_refer_asks_for() -> None:
    named = Replaces("c@1", "t1", "f;1")
    wanted = read_refer(refer(("Refer-To", named.in_uri("sip:c@y;transport=tcp"))))
    assert wanted.target == "sip:c@y;transport=tcp"
    assert wanted.replaces == str(named)
    assert wanted.referred_by == "<sip:a@x>"
    assert not wanted.silent
    quiet = read_refer(
        refer(("Refer-To", "<sip:c@y>"), ("Refer-Sub", "False"), ("Referred-By", "<sip:boss@x>"))
    )
    assert (quiet.replaces, quiet.referred_by, quiet.silent) == ("", "<sip:boss@x>", True)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Refer-To", "<sip:a@x>"), ("Refer-To", "<sip:b@x>")],
        [("Refer-To", "<http://x>")],
        [("Refer-To", "<sip:a@x;method=BYE>")],
    ],
)
def test_unusable_refers(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(SipError):
        read_refer(refer(*headers))


def notify(body: bytes, state: str = "active") -> Request:
    return make_request("NOTIFY", "sip:x", [("Subscription-State", state)], body)


def test_reports_are_read() -> None:
    assert read_fragment(notify(fragment(180))) == (180, False)
    assert read_fragment(notify(fragment(200), "terminated;reason=noresource")) == (200, True)
    assert read_fragment(notify(fragment(486))) == (486, True)
    assert read_fragment(notify(b"", "terminated;reason=timeout")) == (408, True)
    for body in (b"", b"HTTP/1.1 200 OK", b"SIP/2.0 2x0 OK", b"SIP/2.0"):
        with pytest.raises(SipError):
            read_fragment(notify(body))


def test_replaces_goes_there_and_back() -> None:
    named = Replaces("c%1@h", "a", "b", early_only=True)
    assert read_replaces([str(named)]) == named
    uri = SipUri.parse(named.in_uri("sip:x@y?X-A=1")[1:-1])
    assert read_replaces([uri.headers["replaces"]]) == named
    for values in ([], ["c;to-tag=1"], ["c;from-tag=1"], [";to-tag=1;from-tag=2"], ["a", "b"]):
        with pytest.raises(SipError):
            read_replaces(values)


def test_an_answer_may_say_that_no_reports_come() -> None:
    answer = Response(status=202)
    assert not wants_no_reports(answer)
    answer.headers.add("Refer-Sub", "false")
    assert wants_no_reports(answer)


@pytest.mark.parametrize("value", ["a%0D%0AX-Evil:%201", "a%00", "a%C3%A9", "a" * 2000])
def test_what_is_escaped_in_a_uri_does_not_break_out_of_its_header(value: str) -> None:
    with pytest.raises(SipError):
        read_refer(refer(("Refer-To", f"<sip:a@x?Replaces={value}>")))
