from __future__ import annotations

import pytest

from mediacore.wire.sip.message import make_request
from mediacore.wire.sip.session_timer import TimerConfig
from mediacore.wire.sip.stack import Answer, UaConfig, sdp_of
from support.sip_world import OFFER, World, overs

PARTS = (
    b"--b1\r\nContent-Type: application/isup\r\n\r\n\x01\x02\r\n"
    b"--b1\r\nContent-Type: application/sdp\r\n\r\n" + OFFER + b"\r\n--b1--\r\n"
)


@pytest.mark.parametrize(
    ("kind", "body", "sdp"),
    [
        ("application/sdp", OFFER, OFFER),
        ("application/sdp", b"", None),
        ("text/plain", OFFER, None),
        ('multipart/mixed;boundary="b1"', PARTS, OFFER),
        ("multipart/mixed;boundary=b1;x=y", PARTS, OFFER),
        ("multipart/mixed;boundary=other", b"--b1\r\n\r\n", None),
        ("multipart/mixed", PARTS, None),
    ],
)
def test_the_description_is_found(kind: str, body: bytes, sdp: bytes | None) -> None:
    assert sdp_of(make_request("INVITE", "sip:x", (), body, kind)) == sdp


def test_supported_follows_the_settings() -> None:
    assert set(UaConfig().supported) == {"replaces", "norefersub", "100rel", "timer"}
    plain = UaConfig(rel100=False, timer=TimerConfig(expires_s=0))
    assert set(plain.supported) == {"replaces", "norefersub"}


def test_answers() -> None:
    assert Answer(408).final and not Answer(408).good
    assert not Answer(180).final
    assert not Answer(200).good  # nothing came


def test_a_request_without_a_way_fails_at_once() -> None:
    world = World()
    a, b = world.add("a"), world.add("b")
    first, _ = world.connect(a, b)
    a.agent._stack.route = lambda uri, near: None
    world.call(a, "hangup", first)
    assert first in overs(a)
    assert a.agent.unsettled == 0
