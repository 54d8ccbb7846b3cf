"""Messages in the style of RFC 4475, and what each of them owes."""

from __future__ import annotations

import pytest

from mediacore.wire.sip.message import Request, Response, parse
from mediacore.wire.sip.validate import Policy, check_response, validate
from support.sip_torture import INVALID, STRANGE_BUT_VALID, build

POLICY = Policy(
    methods=("INVITE", "BYE", "OPTIONS", "REFER", "INFO", "UPDATE", "PRACK", "NOTIFY"),
    extensions=("100rel", "timer", "replaces"),
)


def owed(data: bytes) -> int:
    message = parse(data)
    assert isinstance(message, Request)
    refusal = validate(message, POLICY)
    return 200 if refusal is None else refusal.status


@pytest.mark.parametrize("name", STRANGE_BUT_VALID)
def test_strange_but_valid(name: str) -> None:
    assert owed(STRANGE_BUT_VALID[name]) == 200


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
