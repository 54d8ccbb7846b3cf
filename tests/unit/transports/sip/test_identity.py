from __future__ import annotations

import pytest

from mediacore.slots.gateway import LineFailedError, Party
from mediacore.transports.sip.identity import caller_of, outgoing_headers
from mediacore.wire.sip.message import make_request


def invite(sender: str, uri: str, *headers: tuple[str, str]) -> Party:
    return caller_of(make_request("INVITE", uri, [("From", sender), *headers]))


def test_a_number_is_a_phone() -> None:
    party = invite('"A" <sip:+1-555-0100@x;user=phone>;tag=1', "sip:+15550199;npdi=yes@y")
    assert party == Party("phone", "inbound", "+15550100", "+15550199", {})


def test_others_are_uris() -> None:
    party = invite("<sip:alice@x>;tag=1", "sip:service@y")
    assert (party.kind, party.from_number, party.to_number) == (
        "sip",
        "sip:alice@x",
        "sip:service@y",
    )


def test_headers_about_the_parties_come_along_and_others_do_not() -> None:
    party = invite(
        "<sip:a@x>",
        "sip:b@y",
        ("P-Asserted-Identity", "<sip:+15550100@x>"),
        ("Diversion", "<sip:one@x>"),
        ("Diversion", "<sip:two@x>"),
        ("X-Campaign", "y" * 5000),
        ("Authorization", "Digest secret"),
        *((f"X-{n}", "1") for n in range(100)),
    )
    assert party.headers["P-Asserted-Identity"] == "<sip:+15550100@x>"
    assert party.headers["Diversion"] == "<sip:one@x>, <sip:two@x>"
    assert len(party.headers["X-Campaign"]) == 2048
    assert "Authorization" not in party.headers
    assert len(party.headers) == 64


def test_a_host_may_set_its_own_headers_only() -> None:
    assert outgoing_headers({"X-A": "1", "User-to-User": "2"}) == (
        ("X-A", "1"),
        ("User-to-User", "2"),
    )
    for headers in (
        {"Via": "x"},
        {"X-A": "1\r\nVia: evil"},
        {"X-A:B": "1"},
        {"X-A": "y" * 3000},
        {"Route": "<sip:x>"},
    ):
        with pytest.raises(LineFailedError):
            outgoing_headers(headers)
