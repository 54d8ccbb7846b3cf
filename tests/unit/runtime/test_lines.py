"""Lines: what is told of them, and their absolute ends."""

from __future__ import annotations

from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime import lines
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import Line, LineState
from support.runtime_call import Phone, settings

SIP = Line("L2", "sip", "outbound", "sip:a@x", "sip:b@x", {"X-A": "1"}, tag="t", parent="L1")


def test_a_device_is_told_in_its_kind_s_words() -> None:
    assert lines.device_of(Line("L", "phone", "inbound", "+1", "+2")) == {
        "type": "phone",
        "params": {"from_number": "+1", "to_number": "+2"},
    }
    params = lines.device_of(SIP)["params"]
    assert isinstance(params, dict)
    assert params["from"] == "sip:a@x" and params["headers"] == [{"name": "X-A", "value": "1"}]


def test_a_state_names_everything_that_hangs_together() -> None:
    told = lines.state_params(SIP)
    assert told["call_state"] == "created" and told["direction"] == "outbound"
    assert told["tag"] == "t" and told["parent"] == {"call_id": "L1"}
    assert "end_reason" not in told and "peer" not in told


def test_what_a_document_sees_of_the_call() -> None:
    phone = Phone()
    facts = lines.call_facts(phone.state, phone.line())
    assert facts["call_id"] == facts["segment_id"] == "L1"
    assert facts["call_state"] == "ringing" and facts["type"] == "phone"
    assert facts["from"] == facts["from_number"] == "+1555" and facts["project_id"] == "p"


def test_an_answer_is_ordered_once_and_only_for_a_line_that_rings_in() -> None:
    phone = Phone()
    d = Draft(phone.state, phone.now)
    lines.answer(d, "L1")
    lines.answer(d, "L1")
    assert [x for x in d.actions if isinstance(x, a.AnswerLine)] == [a.AnswerLine("L1")]
    d.add_line(SIP)
    lines.answer(d, "L2")
    assert not d.line("L2").answering


def test_the_earlier_limit_holds() -> None:
    phone = Phone()
    d = Draft(phone.state, phone.now)
    lines.limit(d, "L1", 5000)
    lines.limit(d, "L1", 9000)
    assert d.line("L1").limit_us == phone.now + 5_000_000
    lines.limit(d, "L1", 3000)
    assert d.line("L1").limit_us == phone.now + 3_000_000


def test_a_limit_counts_from_the_answer_and_goes_to_the_core() -> None:
    phone = Phone(rules=settings(max_call_ms=10_000))
    phone.wait(3000)
    phone.ok("answer", {"max_duration": 7})
    phone.answered()
    assert phone.of(a.LimitLine)[-1] == a.LimitLine("L1", 8000)  # a second later than ours
    assert phone.line().limit_us == phone.now + 7_000_000


def test_states_go_forward_and_the_end_has_a_reason() -> None:
    phone = Phone()
    phone.do(i.LineGone("L1", "hangup"))
    told = phone.told("state")
    assert [p["call_state"] for p in told] == ["ringing", "ending", "ended"]
    assert told[-1]["end_reason"] == "abandoned"
    assert phone.line().state is LineState.ENDED


def test_parting_takes_both_out() -> None:
    phone = Phone([{"answer": {}}, {"connect": {"to": "+1"}}])
    phone.answered()
    phone.answered(phone.others[0])
    d = Draft(phone.state, phone.now)
    assert lines.part(d, phone.others[0]) == "L1"
    assert not d.line("L1").peer and lines.part(d, "L1") == ""
