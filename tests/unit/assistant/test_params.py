"""Parameters: all names known, values typed and clamped, everything odd noted."""

import math

import pytest

from mediacore.assistant.params import OWN_KEYS, PARAMS, read_params


def test_all_published_names_are_known():
    assert len(PARAMS) == 99
    assert {spec.state for spec in PARAMS.values()} == {"supported", "ignored"}
    assert all(spec.note and spec.group for spec in PARAMS.values())
    assert not set(OWN_KEYS) & set(PARAMS)


@pytest.mark.parametrize("name", sorted(PARAMS))
def test_defaults_are_within_their_own_range(name):
    spec = PARAMS[name]
    if spec.default in (None, "", ()) or name == "attention_timeout":
        return
    values, notes = read_params({name: spec.default})
    assert values == {name: spec.default}
    assert [note.kind for note in notes] == (["ignored"] if spec.state == "ignored" else [])


@pytest.mark.parametrize(
    ("name", "given", "value", "kind"),
    [
        ("end_of_speech_timeout", 100, 250, "clamped"),
        ("end_of_speech_timeout", 99_999, 10_000, "clamped"),
        ("end_of_speech_timeout", "800", 800, None),
        ("end_of_speech_timeout", 800.4, 800, None),
        ("end_of_speech_timeout", "soon", None, "wrong_type"),
        ("end_of_speech_timeout", True, None, "wrong_type"),
        ("end_of_speech_timeout", math.nan, None, "wrong_type"),
        ("end_of_speech_timeout", 10**400, 10_000, "clamped"),
        ("end_of_speech_timeout", {}, None, "wrong_type"),
        ("attention_timeout", 0, 0, None),
        ("attention_timeout", 5000, 10_000, "clamped"),
        ("energy_level", "60.5", 60.5, "ignored"),
        ("background_file_volume", math.inf, None, "wrong_type"),
        ("wait_for_user", "true", True, None),
        ("wait_for_user", "perhaps", None, "wrong_type"),
        ("wait_for_user", 1, True, None),
        ("enable_barge", False, False, None),
        ("enable_barge", "partial", "partial", None),
        ("enable_barge", {"a": 1}, None, "wrong_type"),
        ("swaig_post_swml_vars", ["a"], ["a"], None),
        ("hard_stop_time", "1h45m30s", "1h45m30s", None),
        ("hard_stop_time", "tomorrow", None, "wrong_type"),
        ("hard_stop_time", "", None, "wrong_type"),
        ("tts_number_format", "national", "national", None),
        ("tts_number_format", "roman", None, "wrong_type"),
        ("convo", [{"role": "user", "content": "hi"}], ({"role": "user", "content": "hi"},), None),
        ("convo", "hi", None, "wrong_type"),
        ("app_name", 7, "7", None),
        ("app_name", ["x"], None, "wrong_type"),
        ("enable_vision", True, True, "ignored"),
    ],
)
def test_values(name, given, value, kind):
    values, notes = read_params({name: given})
    assert values.get(name) == value
    assert [note.kind for note in notes] == ([] if kind is None else [kind])
    assert all(note.path == f"params.{name}" for note in notes)


def test_unknown_is_noted_and_own_keys_are_left_alone():
    values, notes = read_params({"colour": 1, "mediacore_budget": {"seconds": 5}, "app_name": None})
    assert values == {}
    assert [(note.path, note.kind) for note in notes] == [("params.colour", "unknown")]
