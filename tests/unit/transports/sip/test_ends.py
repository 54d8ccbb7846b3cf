from __future__ import annotations

import pytest

from mediacore.slots.gateway import LineEnd
from mediacore.transports.sip.ends import end_of, end_of_status, reason_header, status_of
from mediacore.wire.sip.signals import Cause, Over


@pytest.mark.parametrize(
    ("statuses", "end"),
    [
        ((486, 600), LineEnd.BUSY),
        ((480, 408, 487), LineEnd.NO_ANSWER),
        ((403, 603), LineEnd.DECLINE),
        ((404, 410, 484, 604), LineEnd.NOT_FOUND),
        ((302, 400, 401, 407, 488, 500, 503, 699), LineEnd.ERROR),
    ],
)
def test_statuses(statuses: tuple[int, ...], end: LineEnd) -> None:
    assert {end_of_status(status) for status in statuses} == {end}


def test_causes() -> None:
    assert end_of(Over(1, Cause.REFUSED, 486)) is LineEnd.BUSY
    assert end_of(Over(1, Cause.BYE)) is LineEnd.HANGUP
    assert end_of(Over(1, Cause.CANCEL)) is LineEnd.CANCEL
    for cause in (Cause.SILENT, Cause.LOST, Cause.EXPIRED, Cause.NO_ANSWER_SDP):
        assert end_of(Over(1, cause)) is LineEnd.ERROR


def test_what_a_refusal_means_survives_the_wire() -> None:
    for end in (LineEnd.BUSY, LineEnd.DECLINE, LineEnd.NOT_FOUND, LineEnd.NO_ANSWER, LineEnd.ERROR):
        assert end_of_status(status_of(end)) is end
    assert reason_header(LineEnd.HANGUP) == ""
    assert "cause=" in reason_header(LineEnd.MAX_DURATION)
    assert "cause=" in reason_header(LineEnd.ERROR)
