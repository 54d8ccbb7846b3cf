"""Which tools are open, and what the model is refused."""

import pytest

from mediacore.assistant import (
    AiAction,
    apply,
    go_context,
    go_step,
    may_call,
    record_call,
    tools,
    user_spoke,
)
from mediacore.assistant.actions import Toggle
from mediacore.assistant.legality import CONSECUTIVE
from support.ai_cases import SECRET, document, plain, start


def names(session):
    return [tool.name for tool in tools(session)]


def code(session, name, arguments=None):
    refusal = may_call(session, name, {} if arguments is None else arguments)
    return None if refusal is None else refusal.code


def test_step_list_is_the_law():
    session = start()
    assert names(session) == ["look", "check_time", "next_step", "change_context"]
    assert code(session, "look", {"id": "1"}) is None
    assert code(session, "order") == "not_in_step"
    assert code(session, "wait_seconds", {"seconds": 1}) == "not_in_step"
    assert code(session, "gather_submit") == "not_in_step"
    assert code(session, "fly") == "unknown_tool"
    assert code(session, "hangup_hook") == "unknown_tool"
    assert code(session, "wait_for_user") == "unknown_tool"


def test_absent_list_inherits_and_end_closes():
    session, _ = go_step(start(), "ask", "webhook_action")
    assert names(session) == ["look", "check_time", "next_step", "change_context"]
    session, _ = go_step(session, "done", "webhook_action")
    assert names(session) == []
    assert code(session, "next_step", {"step": "hello"}) == "not_in_step"
    assert code(session, "change_context", {"context": "billing"}) == "not_in_step"


def test_question_locks_all_but_what_it_names():
    session, _ = go_context(start(), "billing", "webhook_action")
    assert names(session) == ["gather_submit"]
    for name in ("look", "order", "next_step", "change_context", "check_time"):
        assert code(session, name, {"id": "1"}) == "locked_by_gather"
    assert code(session, "gather_submit", {"answer": "x"}) is None


def test_without_contexts_everything_declared_is_open():
    session = start(plain())
    assert names(session) == ["look", "order", "foreign", "check_time", "wait_seconds"]
    assert code(session, "wait_seconds", {"seconds": 1}) is None
    assert code(session, "wait_seconds", {"seconds": 0}) == "bad_arguments"
    assert code(session, "next_step") == "not_in_step"


def test_use_counts_and_switches():
    session = start(plain())
    assert code(session, "order") is None
    session = record_call(session, "order", {})
    assert code(session, "order") == "inactive"
    assert "order" not in names(session)
    toggled, _ = apply(session, AiAction("toggle_functions", (Toggle(("order",), 2),)), "look")
    assert code(toggled, "order") is None


@pytest.mark.parametrize("arguments", [{}, {"id": 3}, [], "text", None])
def test_arguments_must_fit(arguments):
    refusal = may_call(start(), "look", arguments)
    assert (refusal.code, refusal.error_reason) == ("bad_arguments", "invalid_params")


def test_refusal_names_what_is_open():
    refusal = may_call(start(), "order", {})
    assert refusal.error_reason == "invalid_function"
    assert "look" in refusal.text
    assert SECRET not in refusal.text


def test_the_same_call_over_and_over_is_refused_until_the_caller_speaks():
    session = start()
    for _ in range(3):
        assert code(session, "look", {"id": "1"}) is None
        session = record_call(session, "look", {"id": "1"})
    assert code(session, "look", {"id": "1"}) == "loop"
    assert code(session, "look", {"id": "2"}) is None
    assert code(user_spoke(session), "look", {"id": "1"}) is None


@pytest.mark.parametrize("freedom", [0, 1, 2, 9])
def test_calls_in_a_row_are_bounded(freedom):
    session, _ = apply(start(plain()), AiAction("back_to_back_functions", freedom))
    limit = CONSECUTIVE[min(freedom, 2)]
    for at in range(limit):
        assert code(session, "look", {"id": str(at)}) is None
        session = record_call(session, "look", {"id": str(at)})
    assert code(session, "look", {"id": "x"}) == "loop"


def test_choice_of_steps_and_no_hidden_data():
    raw = document()
    views = {tool.name: tool for tool in tools(start(raw))}
    assert views["look"].description == "Looks up ."
    assert views["next_step"].parameters["required"] == []
    assert views["change_context"].parameters["properties"]["context"]["enum"] == ["billing"]
    session, _ = go_step(start(raw), "ask", "webhook_action")
    schema = {tool.name: tool for tool in tools(session)}["next_step"].parameters
    assert schema["properties"]["step"]["enum"] == ["done", "hello"]
    assert schema["required"] == ["step"]
