"""Lines come, ring, answer and go; what comes too late is refused and given back."""

from __future__ import annotations

from mediacore.runtime import actions as a
from mediacore.runtime import inputs as i
from mediacore.runtime.ports import Answer, Command
from mediacore.runtime.state import LineState
from support.runtime_call import Phone


def test_an_offer_comes_before_every_other_event_of_the_call() -> None:
    phone = Phone()
    first, second = phone.of(a.Publish)
    assert first.event_type == "calling.call.receive" and first.context == "office"
    assert first.project == "p" and first.params["call_id"] == "L1"
    assert first.params["call_state"] == "created" and first.params["context"] == "office"
    assert second.event_type == "calling.call.state" and second.params["call_state"] == "ringing"


def test_an_offer_is_taken_once() -> None:
    phone = Phone()
    phone.ok("answer")
    phone.answered()
    phone.do(i.CallOffered("L1"))
    phone.do(i.CallOffered("L9"))
    assert phone.line().state is LineState.ANSWERED
    assert len(phone.told("receive")) == 1 and phone.state.refused["stale_line"] == 2


def test_an_answer_of_nobody_is_given_back() -> None:
    phone = Phone()
    phone.do(i.LineAnswered("L9", 3, 8000))
    assert a.EndLine("L9", "cancel") in phone.last


def test_an_answer_that_is_told_twice_changes_nothing() -> None:
    phone = Phone()
    phone.ok("answer")
    phone.answered()
    before = phone.line()
    phone.do(i.LineAnswered("L1", 99, 16000))
    assert phone.line() == before and phone.state.refused["stale_line"] == 1


def test_a_caller_who_gives_up_has_abandoned_the_call() -> None:
    phone = Phone()
    phone.do(i.LineGone("L1", "cancel"))
    assert phone.state.end_reason == "abandoned"
    phone = Phone()
    phone.do(i.LineGone("L1", "error"))
    assert phone.state.end_reason == "error"


def test_a_call_that_nobody_answers_is_refused_in_time() -> None:
    phone = Phone()
    phone.wait(phone.state.settings.answer_ms)
    assert phone.state.over and phone.state.end_reason == "noAnswer"


def test_after_the_end_commands_are_answered_and_legs_given_back() -> None:
    phone = Phone()
    phone.do(i.LineGone("L1", "hangup"))
    command = Command("s1", "p", frozenset({"control"}), "play", "L1")
    acts = phone.do(i.CommandReceived(77, command))
    assert a.AnswerCommand(77, Answer("410", "the call is over")) in acts
    assert a.EndLine("L1", "cancel") in phone.do(i.LineAnswered("L1", 1, 8000))
    phone.do(i.LineRinging("L1"))
    assert phone.state.refused["after_the_end"] == 3


def test_ringing_of_nobody() -> None:
    phone = Phone()
    phone.do(i.LineRinging("L9"))
    assert phone.state.refused["stale_line"] == 1
