"""Tool actions read from JSON: every action, its clamps, and nonsense."""

import pytest

from mediacore.assistant.actions import ACTIONS, AiAction, Switch, Toggle, read_actions
from mediacore.assistant.orders import Hold, PlayBackground, TransferTo, WaitForUser
from mediacore.assistant.times import parse_time
from mediacore.assistant.words import Hint

NOTHING = object()


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("SWML", {"sections": {}}, {"sections": {}}),
        ("SWML", '{"sections": {}}', '{"sections": {}}'),
        ("SWML", 3, NOTHING),
        ("transfer", "http://x", TransferTo("http://x")),
        ("transfer", {"dest": "a", "summarize": "true"}, TransferTo("a", True)),
        ("transfer", {"summarize": True}, NOTHING),
        ("hangup", True, True),
        ("hangup", {}, True),
        ("hangup", "false", NOTHING),
        ("stop", False, NOTHING),
        ("hold", 60, Hold(60)),
        ("hold", 1, Hold(1)),
        ("hold", 0, Hold(0)),
        ("hold", 901, Hold(300)),
        ("hold", -1, Hold(300)),
        ("hold", "5m", Hold(300)),
        ("hold", "1:30", Hold(90)),
        ("hold", "soon", Hold(300)),
        ("hold", True, Hold(300)),
        ("hold", False, NOTHING),
        ("hold", {"timeout": 10, "step": "a", "timeout_step": "b"}, Hold(10, "a", "b")),
        ("hold", {}, Hold(300)),
        ("say", "hello", "hello"),
        ("say", " ", NOTHING),
        ("say", {}, NOTHING),
        ("playback_bg", "http://x", PlayBackground("http://x")),
        ("playback_bg", {"file": "http://x", "wait": True}, PlayBackground("http://x", True)),
        ("playback_bg", {"wait": True}, NOTHING),
        ("stop_playback_bg", {}, True),
        ("user_event", {"a": 1}, {"a": 1}),
        ("user_event", "a", NOTHING),
        ("change_step", "next", "next"),
        ("change_context", ["a"], NOTHING),
        ("context_switch", "be Bill", Switch("be Bill")),
        (
            "context_switch",
            {"system_pom": [{"title": "T", "body": "b"}], "consolidate": True},
            Switch("## T\n\nb", "", True),
        ),
        (
            "context_switch",
            {"user_prompt": "hi", "full_reset": "true"},
            Switch("", "hi", False, True),
        ),
        ("context_switch", {}, NOTHING),
        ("user_input", "hi", "hi"),
        ("replace_in_history", True, True),
        ("replace_in_history", "done", "done"),
        ("replace_in_history", False, NOTHING),
        ("wait_for_user", True, WaitForUser()),
        ("wait_for_user", False, WaitForUser(False)),
        ("wait_for_user", 3, WaitForUser(True, 3)),
        ("wait_for_user", 0, WaitForUser(False, 0)),
        ("wait_for_user", "answer_first", WaitForUser(answer_first=True)),
        ("wait_for_user", {}, NOTHING),
        ("back_to_back_functions", True, 1),
        ("back_to_back_functions", "forever", 2),
        ("back_to_back_functions", "x", NOTHING),
        ("change_voice", "a.b", "a.b"),
        ("set_global_data", {"a": 1}, {"a": 1}),
        ("unset_global_data", "a", ("a",)),
        ("unset_meta_data", ["a", 3], ("a",)),
        ("unset_meta_data", [], NOTHING),
        ("set_meta_data", [1], NOTHING),
        ("extensive_data", True, True),
        ("functions_on_speaker_timeout", "no", False),
        ("functions_on_speaker_timeout", "x", NOTHING),
        ("end_of_speech_timeout", 100, 250),
        ("end_of_speech_timeout", 0, NOTHING),
        ("speech_event_timeout", -3, NOTHING),
        ("speech_event_timeout", 99_999, 10_000),
        ("settings", {"top-p": 3, "max-tokens": 5, "x": 1}, {"top_p": 1.0, "max_tokens": 5}),
        ("settings", {"swaig_allow_swml": True, "enable_vision": True}, NOTHING),
        ("settings", 3, NOTHING),
        ("add_dynamic_hints", ["a"], (Hint("a"),)),
        ("add_dynamic_hints", [], NOTHING),
        ("clear_dynamic_hints", {}, True),
        (
            "toggle_functions",
            [{"function": ["a", "b"], "active": 2}, {"active": True}, {"function": "c"}],
            (Toggle(("a", "b"), 2), Toggle(("c",), True)),
        ),
        ("toggle_functions", {"function": "a", "active": False}, (Toggle(("a",), False),)),
        ("toggle_functions", 3, NOTHING),
    ],
)
def test_value(name, given, value):
    actions, notes = read_actions({name: given})
    expected = () if value is NOTHING else (AiAction(name, value),)
    assert actions == expected
    if value is NOTHING:
        assert notes or given == []


def test_table_lists_all_published_actions():
    assert len(ACTIONS) == 29
    assert [spec.name for spec in ACTIONS.values() if spec.state == "ignored"] == ["extensive_data"]


def test_transfer_beside_a_document_belongs_to_it():
    raw = [{"transfer": "true", "SWML": {"a": 1}}, {"SWML": {"b": 1}, "transfer": False}]
    actions, notes = read_actions(raw)
    assert actions == (AiAction("SWML", {"a": 1}, True), AiAction("SWML", {"b": 1}, False))
    assert notes == ()


def test_order_objects_arrays_and_bare_names():
    actions, notes = read_actions([{"say": "a", "stop": True}, "hangup", 3, {"fly": 1}, None])
    assert [action.name for action in actions] == ["say", "stop", "hangup"]
    assert [note.kind for note in notes] == ["wrong_type", "unknown"]
    assert read_actions(None) == ((), ())
    assert [action.name for action in read_actions("stop")[0]] == ["stop"]


def test_endless_lists_are_cut():
    actions, notes = read_actions([{"say": "a"}] * 500)
    assert len(actions) == 100
    assert [note.kind for note in notes] == ["refused"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1:00:00", 3600),
        ("1h2m3s", 3723),
        ("90", 90),
        ("", None),
        ("5x", None),
        ([], None),
        ("1" * 40, None),
        (float("inf"), None),
        (1e30, None),
    ],
)
def test_time(text, seconds):
    assert parse_time(text) == seconds
