"""The checker of what controllers are told, and of resources, alone."""

from __future__ import annotations

import pytest

from mediacore.runtime import actions as a
from mediacore.runtime.ports import Answer
from mediacore.simulate.published import Told
from mediacore.simulate.resources import Resources
from mediacore.simulate.shrink import ddmin
from mediacore.simulate.violation import Rule, Violation


def event(kind: str, line: str = "a", **params: object) -> a.Publish:
    return a.Publish(f"calling.call.{kind}", line, params)


def state(name: str, direction: str = "outbound") -> a.Publish:
    return event("state", call_state=name, direction=direction)


BROKEN = [
    (Rule.STATE_ORDER, [state("answered"), state("ringing")]),
    (Rule.STATE_ORDER, [state("ringing", "inbound")]),
    (Rule.STATE_ORDER, [state("ended"), event("play", control_id="p", state="playing")]),
    (Rule.TERMINAL, [event("play", control_id="p", state="playing"), state("ending")]),
    (Rule.TERMINAL, [event("play", control_id="p", state="finished")] * 2),
    (
        Rule.TERMINAL,
        [event("tap", control_id="t", state=s) for s in ("finished", "tapping")],
    ),
    (Rule.TERMINAL, [event("connect", connect_state="failed")]),
    (Rule.TERMINAL, [event("connect", connect_state="connecting")] * 2),
    (Rule.TERMINAL, [event("dial", "", tag="t")] * 2),
]


@pytest.mark.parametrize(("rule", "events"), BROKEN)
def test_broken_orders_are_found(rule: Rule, events: list[a.Publish]) -> None:
    told = Told()
    with pytest.raises(Violation) as caught:
        for action in events:
            told.publish(action)
    assert caught.value.rule is rule


def test_an_accepted_operation_that_never_ends_is_found() -> None:
    told = Told()
    told.answered(Answer("200", "OK", {"control_id": "p", "call_id": "a"}))
    with pytest.raises(Violation):
        told.at_the_end()
    told.publish(event("collect", control_id="p", state="error", final=True))
    told.at_the_end()


def test_an_ordinary_call_is_not_complained_about() -> None:
    told = Told()
    for action in (
        event("receive"),
        state("ringing", "inbound"),
        state("answered", "inbound"),
        state("answered", "inbound"),
        event("play", control_id="p", state="playing"),
        event("collect", control_id="c", state="collecting", final=True),
        event("collect", control_id="c", result={}, final=False),
        event("detect", control_id="d", detect={"params": {"event": "HUMAN"}}),
        event("detect", control_id="d", detect={"params": {"event": "finished"}}),
        event("collect", control_id="c", state="finished", final=True),
        event("play", control_id="p", state="finished"),
        state("ending", "inbound"),
        state("ended", "inbound"),
    ):
        told.publish(action)
    told.at_the_end()


def test_what_is_left_open_is_named() -> None:
    resources = Resources()
    resources.action(a.AnswerLine("a"))
    resources.action(a.StartRecording("r", "a", "wav", False, "both", False))
    resources.action(a.EndLine("a", "hangup"))
    with pytest.raises(Violation, match="recording r"):
        resources.at_the_end()
    resources.action(a.StopRecording("r"))
    resources.at_the_end()


def test_the_shortest_part_that_still_breaks() -> None:
    names = [str(n) for n in range(40)]
    assert ddmin(names, lambda left: {"3", "17", "31"} <= set(left)) == ("3", "17", "31")
    assert ddmin(names, lambda left: True) == ()
    assert ddmin(names, lambda left: len(left) >= 40) == tuple(names)
