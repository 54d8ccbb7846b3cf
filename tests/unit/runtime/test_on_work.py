"""Reports of work that nobody waits for are refused and counted."""

from __future__ import annotations

import pytest

from mediacore.call.inputs import ReplyEnded
from mediacore.errors import ErrorClass
from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from support.runtime_call import Phone


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (i.RecordingStored("x", ok=True), "stale_recording"),
        (i.ForkChanged("x", running=True), "stale_fork"),
        (i.HttpReplied("x", 200, {}, ""), "stale_reply"),
        (i.LineReferred("x", 202, 200), "stale_refer"),
        (i.DocumentFetched("x", None), "stale_document"),
        (i.PlayFailed("x", ErrorClass.TIMEOUT, ""), "stale_play_report"),
        (i.AgentResult(3, ReplyEnded(1)), "stale_run"),
        (i.SummaryReady(3, "x"), "stale_summary"),
        (i.TokensUsed(3, 1, 1), "stale_usage"),
        (i.SpendChecked("x", granted=True), "stale_spend"),
    ],
)
def test_nobody_waits(event: i.Event, reason: str) -> None:
    phone = Phone([{"answer": {}}, {"play": "say:x"}])
    phone.answered()
    phone.do(event)
    assert phone.state.refused == {reason: 1}


def test_a_report_of_the_wrong_kind_is_refused() -> None:
    phone = Phone([{"answer": {}}, {"play": "say:x"}])
    phone.answered()
    op = next(iter(phone.state.ops))
    phone.do(i.RecordingStored(op, ok=True))
    phone.do(i.HttpReplied(op, 200, {}, ""))
    assert len(phone.state.refused) == 2 and op in phone.state.ops


@pytest.mark.parametrize("body", ["[" * 3000, "{", "x" * 70_000, ""])
def test_a_body_that_is_no_json(body: str) -> None:
    request = {"url": "https://x", "method": "GET", "save_variables": True}
    phone = Phone([{"answer": {}}, {"request": request}, {"sleep": -1}])
    phone.answered()
    phone.do(i.HttpReplied(phone.of(a.SendRequest)[-1].op, 200, {}, body))
    assert phone.vars["request_result"] == "success" and "request_response" not in phone.vars
