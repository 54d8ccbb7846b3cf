"""One step: what an event leads to is complete before the next one."""

from __future__ import annotations

import pytest

from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.state import Line
from mediacore.runtime.step import incoming, outgoing, step
from support.runtime_call import Phone, settings


def test_a_new_call_knows_its_line() -> None:
    line = Line("L1", "phone", "inbound", "+1", "+2")
    state = incoming(settings(), line, now=5, wall_us=1_000_005)
    assert state.main == "L1" and state.lines["L1"].created_us == 5
    assert state.wall_us == 1_000_000 and not state.over


def test_a_call_to_be_dialled_has_none() -> None:
    state = outgoing(settings(), "C1", now=5, wall_us=5)
    assert not state.lines and state.main == "" and not state.over


def test_the_state_before_is_not_touched() -> None:
    phone = Phone()
    before = phone.state
    lines, ops = dict(before.lines), dict(before.ops)
    phone.ok("answer")
    assert before.lines == lines and before.ops == ops


def test_one_event_runs_a_document_as_far_as_it_goes() -> None:
    main = [{"answer": {}}, {"set": {"x": 1}}, {"record_call": {}}, {"play": "say:%{x}"}]
    phone = Phone(main)
    acts = phone.answered()
    assert [x for x in acts if isinstance(x, a.StartRecording)]
    assert [x for x in acts if isinstance(x, a.StartPlay)]


def test_an_event_after_the_end_changes_nothing_but_a_counter() -> None:
    phone = Phone()
    phone.do(i.LineGone("L1", "hangup"))
    state, acts = step(phone.state, i.HangupAsked("error"), phone.now)
    assert state.over and not [x for x in acts if not isinstance(x, a.Log)]


@pytest.mark.parametrize("name", ["L1", "nobody", ""])
def test_every_event_of_a_line_can_come_for_any_name(name: str) -> None:
    phone = Phone([{"answer": {}}, {"play": "say:x"}])
    for event in (i.CallOffered(name), i.LineRinging(name), i.LineAnswered(name, 1, 8000)):
        phone.do(event)
    phone.do(i.LineGone(name, "hangup"))
    assert phone.state.over is (name == "L1")
