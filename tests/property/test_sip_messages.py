"""Whatever bytes come, reading them raises nothing but SipError; what is written is read again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.targets import sip
from mediacore.wire.sip.digest import parse_digest
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.fields import CSeq, NameAddr, Via, name_addr, quote, unquote
from mediacore.wire.sip.headers import Headers, split_list
from mediacore.wire.sip.machines import FIRST, TABLES, Event, Kind, State
from mediacore.wire.sip.message import make_request, parse
from mediacore.wire.sip.uri import SipUri, make_uri

PIECES = st.sampled_from(
    [
        *("sip:", "tel:", "a", "@", "h", ":", "5060", ";", "=", "?", "&", "<", ">", '"', "\\", ","),
        *(
            " ",
            "SIP/2.0/UDP",
            "[::1]",
            "%41",
            "\t",
            "\r\n",
            "Digest ",
            "ü",
            "\0",
            "1",
            "lr",
            "self",
        ),
    ]
)
TEXT = st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=60)
LINE = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40
)


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_bytes(data: bytes) -> None:
    sip(data)


@given(st.lists(TEXT, max_size=12))
@settings(deadline=None)
def test_lines(lines: list[str]) -> None:
    start = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n"
    sip((start + "\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace"))


@pytest.mark.parametrize(
    "read", [SipUri.parse, NameAddr.parse, Via.parse, CSeq.parse, parse_digest, split_list]
)
def test_values(read: Callable[[str], object]) -> None:
    @given(TEXT)
    @settings(max_examples=200, deadline=None)
    def run(text: str) -> None:
        with suppress(SipError):
            read(text)

    run()


@given(st.text(max_size=30), st.integers(0, 0xFFFF) | st.none())
def test_any_user_can_be_called(user: str, port: int | None) -> None:
    with suppress(UnicodeEncodeError):
        uri = SipUri.parse(make_uri(user, "127.0.0.1", port))
        assert (uri.user, uri.host, uri.port) == (user, "127.0.0.1", port)


@given(LINE, LINE)
def test_headers_come_back(name: str, value: str) -> None:
    assert unquote(quote(name)) == name
    assert NameAddr.parse(name_addr("sip:a@b", name, [("tag", "x")])).name == name
    request = make_request("INVITE", "sip:a@b", [("X-Name", value)], value.encode())
    again = parse(request.encode())
    assert again.headers.get("X-Name") == value.strip() and again.body == value.encode()


@given(TEXT)
def test_no_header_line_is_smuggled_in(value: str) -> None:
    headers = Headers()
    with suppress(SipError):
        headers.add("X", value)
    assert headers.text().count("\r\n") == len(headers)


@given(st.sampled_from(list(Kind)), st.lists(st.sampled_from(list(Event)), max_size=30))
def test_any_order_of_events_stays_within_the_tables(kind: Kind, events: list[Event]) -> None:
    state = FIRST[kind].to
    for event in events:
        if state is State.TERMINATED:
            break
        step = TABLES[kind][state].get(event)
        state = state if step is None else step.to
    assert state is State.TERMINATED or state in TABLES[kind]
