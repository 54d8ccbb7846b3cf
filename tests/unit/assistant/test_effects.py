"""Tool actions applied: data, permissions, scopes, orders."""

import pytest

from mediacore.assistant import (
    ACTIONS,
    AiAction,
    apply,
    apply_all,
    go_context,
    read_actions,
    system_prompt,
)
from mediacore.assistant.orders import (
    ChangeVoice,
    ClearConversation,
    HangUp,
    Hints,
    Hold,
    PlayBackground,
    ReplaceHistory,
    RunDocument,
    Say,
    Stop,
    StopBackground,
    TransferTo,
    Tune,
    UserEvent,
    UserInput,
    WaitForUser,
)
from mediacore.assistant.words import Hint
from support.ai_cases import SECRET, document, plain, start, trail


def do(session, raw, caller="look"):
    actions, _ = read_actions(raw)
    assert actions
    return apply_all(session, actions, caller)


@pytest.mark.parametrize(
    ("raw", "order"),
    [
        ({"say": "hello"}, Say("hello")),
        ({"user_input": "hi"}, UserInput("hi")),
        ({"hangup": True}, HangUp()),
        ({"stop": {}}, Stop()),
        ({"hold": "1m"}, Hold(60)),
        ({"transfer": "http://x"}, TransferTo("http://x")),
        ({"SWML": {"a": 1}, "transfer": True}, RunDocument({"a": 1}, True)),
        ({"playback_bg": "http://x"}, PlayBackground("http://x")),
        ({"stop_playback_bg": True}, StopBackground()),
        ({"user_event": {"a": 1}}, UserEvent({"a": 1})),
        ({"replace_in_history": True}, ReplaceHistory(None)),
        ({"replace_in_history": "x"}, ReplaceHistory("x")),
        ({"wait_for_user": 2}, WaitForUser(True, 2)),
        ({"change_voice": "a.b"}, ChangeVoice("a.b")),
        ({"end_of_speech_timeout": 900}, Tune({"end_of_speech_timeout": 900})),
        ({"functions_on_speaker_timeout": True}, Tune({"functions_on_no_response": True})),
        ({"settings": {"temperature": 0.1}}, Tune({"temperature": 0.1})),
        ({"add_dynamic_hints": ["a"]}, Hints((Hint("a"),))),
        ({"clear_dynamic_hints": {}}, Hints(())),
    ],
)
def test_orders(raw, order):
    assert do(start(), raw)[1] == (order,)


def test_every_action_of_the_table_is_handled_or_said_to_be_ignored():
    for name, spec in ACTIONS.items():
        session, _ = apply(start(), AiAction(name, {}), "look")
        assert ("action_ignored" in trail(session)) is (spec.state == "ignored"), name
    assert trail(apply(start(), AiAction("fly"))[0]) == ["action_ignored"]


def test_data():
    session, _ = do(start(), [{"set_global_data": {"a": 1}}, {"unset_global_data": ["pin", "b"]}])
    assert session.global_data == {"a": 1}
    session, _ = do(session, [{"set_meta_data": {"b": 2}}, {"unset_meta_data": "key"}])
    token = session.function("look").meta_data_token
    assert session.meta_data == {token: {"b": 2}}


@pytest.mark.parametrize(
    ("raw", "permission"),
    [
        ({"SWML": {}}, "swaig_allow_swml"),
        ({"settings": {"temperature": 0.1}}, "swaig_allow_settings"),
        ({"set_global_data": {"a": 1}}, "swaig_set_global_data"),
        ({"unset_global_data": "pin"}, "swaig_set_global_data"),
    ],
)
def test_without_permission_nothing_happens(raw, permission):
    before = start(document(params={permission: False}))
    after, orders = do(before, raw)
    assert (after.global_data, after.settings, orders) == (before.global_data, {}, ())
    assert trail(after) == ["action_refused"]


def test_meta_data_needs_a_caller():
    for raw in ({"set_meta_data": {"a": 1}}, {"unset_meta_data": "a"}):
        session, _ = do(start(), raw, caller="")
        assert session.meta_data == start().meta_data
        assert trail(session) == ["action_refused"]


def test_toggles_are_scoped_to_the_token_of_the_caller():
    def toggle(name, caller="look", active=False):
        raw = {"toggle_functions": [{"function": name, "active": active}]}
        return do(start(plain()), raw, caller)[0]

    assert toggle("order").toggles == {"order": 0}
    assert toggle("order", active=True).toggles == {"order": -1}
    assert toggle("order", active=3).toggles == {"order": 3}
    for session in (
        toggle("foreign"),
        toggle("order", caller="foreign"),
        toggle("order", caller=""),
        toggle("hangup_hook"),
        toggle("gone"),
    ):
        assert session.toggles == {}
        assert trail(session) == ["action_refused"]


def test_hidden_data_is_not_spoken_or_shown():
    for name in ("say", "user_input", "replace_in_history"):
        session, (order,) = do(start(), {name: "Pin ${global_data.pin}!"})
        assert order.text == "Pin !"
        assert "hidden_data_refused" in trail(session)
    assert do(start(), {"say": "${meta_data.key}"})[1] == ()
    assert do(start(), {"say": "Call ${caller_id_number}"})[1] == (Say("Call 123"),)


def test_context_switch():
    raw = {"context_switch": {"system_prompt": "Be ${pin}Bill.", "user_prompt": "hi"}}
    session, orders = do(start(), raw)
    assert orders == (ClearConversation(False, False, "hi"),)
    assert system_prompt(session).startswith("Be Bill.\n\nContext text.")
    assert SECRET not in system_prompt(session)
    session, orders = do(start(), {"context_switch": {"user_prompt": "hi", "consolidate": True}})
    assert orders == (ClearConversation(True, False, "hi"),)
    assert "Ada" in system_prompt(session)


def test_transitions_of_the_application_leave_questions():
    session, _ = go_context(start(), "billing", "webhook_action")
    session, _ = do(session, {"change_step": "next"})
    assert (session.step, session.gather) == ("pay", None)
    session, _ = do(session, {"change_context": "default"})
    assert (session.context, session.step) == ("default", "hello")


def test_settings_are_remembered():
    session, _ = do(start(), {"settings": {"end-of-speech-timeout": 900, "top_p": 0.5}})
    assert session.param("end_of_speech_timeout") == 900


def test_dynamic_hints_add_up_and_go():
    session, _ = do(start(document(hints=["z"])), {"add_dynamic_hints": ["a"]})
    session, orders = do(session, {"add_dynamic_hints": ["b", "a"]})
    assert orders == (Hints((Hint("z"), Hint("a"), Hint("b"))),)
    assert do(session, {"clear_dynamic_hints": True})[1] == (Hints((Hint("z"),)),)


def test_values_that_were_not_read_are_refused_not_raised():
    for name in ("hold", "transfer", "playback_bg", "wait_for_user", "context_switch"):
        session, orders = apply(start(), AiAction(name, 3))
        assert (orders, trail(session)) == ((), ["action_refused"])
