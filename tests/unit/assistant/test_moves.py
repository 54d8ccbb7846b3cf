"""Transitions, questions, automatic advance: what changes and what is refused."""

from mediacore.assistant import after_turn, go_context, go_step, hold_ended, system_prompt
from mediacore.assistant.moves import ask_context, ask_step, submit_answer
from mediacore.assistant.orders import (
    ClearConversation,
    ExtraTurn,
    HideHistory,
    Hold,
    SayFiller,
    UserInput,
)
from support.ai_cases import document, start, trail


def steps(*items, **context):
    raw = document()
    raw["prompt"]["contexts"] = {
        "default": {"steps": list(items), **context},
        "other": {"steps": [{"name": "x", "text": "X"}], "user_prompt": "hi"},
    }
    return start(raw)


def last(session):
    return dict(session.trail[-1].facts)


def test_the_model_goes_along_the_list_only():
    session, orders, made = ask_step(start(), "ask")
    assert (session.step, orders, made) == ("ask", (), True)
    assert last(session)["trigger"] == "ai_function"
    for target in ("ask", "gone", "next ", ""):
        after, orders, made = ask_step(session, target)
        assert (after.step, orders, made) == ("ask", (), False)
        assert trail(after)[-1] == "transition_refused"
    assert ask_step(start(), "")[0].step == "ask"
    assert ask_step(start(), "next")[0].step == "ask"
    assert ask_step(start(), "done")[2] is False


def test_the_application_goes_anywhere_there_is():
    session, _ = go_step(start(), "done", "webhook_action")
    assert session.step == "done"
    assert last(session) == {
        "context": "default",
        "from": "hello",
        "to": "done",
        "trigger": "webhook_action",
    }
    for target in ("gone", "next", "pay"):
        after, orders = go_step(session, target, "webhook_action")
        assert (after.step, orders, trail(after)[-1]) == ("done", (), "transition_refused")


def test_contexts():
    session, orders, made = ask_context(start(), "billing")
    assert made
    assert (session.context, session.step, session.allowed) == ("billing", "collect", frozenset())
    assert orders == (
        SayFiller("exit", {"en": ("Bye .",)}),
        SayFiller("enter", {"en": ("Hi.",)}),
        ClearConversation(user_prompt="I have a bill."),
    )
    assert "You are Bill." in system_prompt(session)
    assert ask_context(session, "default")[2] is False
    assert ask_context(start(), "nowhere")[2] is False
    after, orders = go_context(start(), "nowhere", "webhook_action")
    assert (after.context, orders, trail(after)) == ("default", (), ["transition_refused"])


def test_user_prompt_without_a_reset_is_input():
    session, orders = go_context(steps({"name": "a"}), "other", "webhook_action")
    assert (session.step, orders) == ("x", (UserInput("hi"),))


def test_reset_of_the_step_that_is_left_takes_the_place_of_the_wipe():
    reset = {"system_prompt": "Anew.", "user_prompt": "go", "consolidate": True}
    raw = document()
    raw["prompt"]["contexts"]["default"]["steps"][0]["reset"] = reset
    raw["prompt"]["contexts"]["billing"].pop("system_prompt")
    session, orders = go_context(start(raw), "billing", "webhook_action")
    cleared = [order for order in orders if isinstance(order, ClearConversation)]
    assert cleared == [ClearConversation(True, False, "go")]
    assert "Anew." in system_prompt(session)
    assert "reset" in trail(session)


def test_questions_from_first_to_last():
    session, _ = go_context(start(), "billing", "webhook_action")
    text = system_prompt(session)
    assert "Your name?" in text
    assert "Collect the data." in text
    assert "Collected." not in text
    session, orders, told = submit_answer(session, {"answer": "Ann"})
    assert trail(session)[-1] == "gather_reject"
    assert "agrees" in told
    session, orders, _ = submit_answer(session, {"answer": "Ann", "confirmed_by_user": "true"})
    assert orders == (HideHistory("gather"),)
    assert session.question().key == "age"
    session, _, _ = submit_answer(session, {"answer": "old"})
    assert last(session) == {"key": "age", "reason": "type"}
    session, orders, _ = submit_answer(session, {"answer": "41"})
    assert session.global_data["profile"] == {"name": "Ann", "age": 41}
    assert (session.step, session.gather, orders) == ("pay", None, (HideHistory("all"),))
    assert "gather_complete" in trail(session)
    assert last(session)["trigger"] == "gather_complete"
    session, orders, told = submit_answer(session, {"answer": "1"})
    assert (last(session), orders, told) == ({"reason": "no_question"}, (), "No question is open.")


def test_questions_without_completion_return_to_the_step():
    gather = {"questions": [{"key": "k", "question": "q?"}]}
    session = steps({"name": "a", "text": "Work.", "gather_info": gather})
    session, orders, _ = submit_answer(session, {"answer": "v"})
    assert (session.step, session.gather, orders) == ("a", None, ())
    assert session.global_data["k"] == "v"
    assert "Work." in system_prompt(session)


def test_an_answer_never_shows_in_the_trail():
    gather = {"questions": [{"key": "k", "question": "q?"}]}
    session = steps({"name": "a", "gather_info": gather})
    session, _, told = submit_answer(session, {"answer": "private-words"})
    assert "private-words" not in repr(session.trail) + told + system_prompt(session)


def test_skip_user_turn_happens_once_for_each_entry():
    session = steps({"name": "a", "skip_user_turn": True, "valid_steps": ["a"]})
    session, orders = after_turn(session)
    assert orders == (ExtraTurn("skip_user_turn"),)
    session, orders = after_turn(session)
    assert orders == ()
    session, _ = go_step(session, "a", "webhook_action")
    assert after_turn(session)[1] == (ExtraTurn("skip_user_turn"),)


def test_automatic_advance_and_its_end():
    skip = {"skip_to_next_step": True}
    session = steps({"name": "a", **skip}, {"name": "b", **skip})
    session, orders = after_turn(session)
    assert (session.step, orders) == ("b", (ExtraTurn("auto_advance"),))
    assert last(session)["trigger"] == "auto_advance"
    assert after_turn(session)[1] == ()


def test_end_leaves_step_mode_and_nothing_else():
    session = steps({"name": "a", "text": "Last.", "end": True}, text="Context.")
    session, orders = after_turn(session)
    assert (session.step, session.context, orders) == ("", "default", ())
    assert "Last." not in system_prompt(session)
    assert "Context." in system_prompt(session)
    assert after_turn(session) == (session, ())
    assert ask_step(session, "a")[2] is False


def test_a_question_waits_for_its_answer():
    gather = {"questions": [{"key": "k", "question": "q?"}]}
    session = steps({"name": "a", "gather_info": gather, "end": True})
    session, orders = after_turn(session)
    assert (session.step, session.turns, orders) == ("a", 1, ())


def test_kept_instructions():
    session = steps({"name": "a", "text": "First."}, {"name": "b", "text": "B.", "history": "keep"})
    session, _ = go_step(session, "b", "webhook_action")
    assert "First." in system_prompt(session)
    session, _ = go_step(session, "a", "webhook_action")
    assert session.kept == ()


def test_hold_routes_when_it_ends():
    hold = Hold(10, "ask", "done")
    session, orders = hold_ended(start(), hold, timed_out=False)
    assert (session.step, orders) == ("ask", (ExtraTurn("hold_ended"),))
    assert hold_ended(start(), hold, timed_out=True)[0].step == "done"
    assert hold_ended(start(), Hold(10), timed_out=True)[1] == ()
