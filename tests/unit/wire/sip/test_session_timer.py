from __future__ import annotations

from collections.abc import Mapping

import pytest

from mediacore.wire.sip.message import Request, Response, make_request
from mediacore.wire.sip.session_timer import SessionTimer, TimerConfig


def request(**headers: str) -> Request:
    lines = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return make_request("INVITE", "sip:x", lines)


def response(status: int = 200, **headers: str) -> Response:
    made = Response(status=status)
    for name, value in headers.items():
        made.headers.add(name.replace("_", "-"), value)
    return made


@pytest.mark.parametrize(
    ("headers", "expires", "we"),
    [
        (
            {"Supported": "timer", "Session_Expires": "600;refresher=uac"},
            "600;refresher=uac",
            False,
        ),
        ({"Supported": "timer", "Session_Expires": "600;refresher=uas"}, "600;refresher=uas", True),
        ({"Supported": "timer", "Session_Expires": "600"}, "600;refresher=uac", False),
        ({"Supported": "timer"}, "1800;refresher=uac", False),
        ({"Session_Expires": "600"}, "600;refresher=uas", True),
        ({"Supported": "timer", "Session_Expires": "9000"}, "1800;refresher=uac", False),
        ({"Supported": "timer", "Session_Expires": "9000", "Min_SE": "2000"}, "2000", False),
    ],
)
def test_the_called_side_takes_an_interval(
    headers: Mapping[str, str], expires: str, we: bool
) -> None:
    timer = SessionTimer(TimerConfig())
    told = dict(timer.taken(request(**headers)))
    assert told["Session-Expires"].startswith(expires)
    assert timer.we_refresh is we
    assert (told.get("Require") == "timer") is (not we)
    assert (timer.refresh_ms is not None) is we
    assert timer.expire_ms is not None


@pytest.mark.parametrize("headers", [{}, {"Session_Expires": "rubbish"}, {"Supported": "100rel"}])
def test_no_timer_without_a_wish(headers: Mapping[str, str]) -> None:
    timer = SessionTimer(TimerConfig())
    assert timer.taken(request(**headers)) == []
    assert timer.expire_ms is None


def test_too_small_is_refused_with_the_smallest_allowed() -> None:
    timer = SessionTimer(TimerConfig(min_se_s=120))
    assert timer.too_small(request(Session_Expires="119"))
    assert not timer.too_small(request(Session_Expires="120"))
    assert timer.min_se == ("Min-SE", "120")


def test_the_calling_side_follows_the_answer() -> None:
    timer = SessionTimer(TimerConfig(expires_s=600))
    assert dict(timer.ask()) == {"Session-Expires": "600", "Min-SE": "90"}
    timer.answered(response(Session_Expires="300;refresher=uac"))
    assert (timer.interval_s, timer.we_refresh) == (300, True)
    assert timer.refresh_ms == 150_000
    assert timer.expire_ms == 268_000
    assert dict(timer.ask())["Session-Expires"] == "300;refresher=uac"
    timer.answered(response(Session_Expires="90;refresher=uas"))
    assert timer.refresh_ms is None
    assert timer.expire_ms == 60_000
    timer.answered(response())
    assert timer.expire_ms is None


def test_422_raises_the_wish_once_each() -> None:
    timer = SessionTimer(TimerConfig(expires_s=100))
    assert timer.refused(response(422, Min_SE="300"))
    assert dict(timer.ask()) == {"Session-Expires": "300", "Min-SE": "300"}
    assert not timer.refused(response(422, Min_SE="300"))
    assert not timer.refused(response(422))
    assert not timer.refused(response(422, Min_SE="99999999"))


def test_off_is_off() -> None:
    timer = SessionTimer(TimerConfig(expires_s=0))
    assert timer.ask() == []
    assert not timer.too_small(request(Session_Expires="1"))
    assert timer.taken(request(Supported="timer", Session_Expires="600")) == []
    timer.answered(response(Session_Expires="600"))
    assert timer.interval_s == 0
