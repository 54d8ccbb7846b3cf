"""Functions: normalised schemas, tokens, switches, reserved names, includes."""

import pytest

from mediacore.assistant.functions import (
    Defaults,
    default_token,
    read_defaults,
    read_functions,
    read_includes,
    read_natives,
    read_schema,
)
from mediacore.assistant.notes import Notes


def read(items, defaults=None, taken=frozenset()):
    notes = Notes()
    chosen = Defaults("http://d/") if defaults is None else defaults
    return read_functions(items, "f", chosen, notes, taken), notes


def kinds(notes):
    return [note.kind for note in notes.freeze()]


def test_full_function():
    (item,), notes = read(
        [
            {
                "function": "look",
                "purpose": "Looks.",
                "argument": {"a": {"type": "string"}},
                "active": "3",
                "web_hook_url": "https://u:p@h/x?__token=1",
                "web_hook_auth_user": "me",
                "fillers": {"en": ["hm"]},
                "skip_fillers": True,
                "wait_for_fillers": "true",
                "wait_file": "http://m",
                "wait_file_loops": 2,
                "meta_data": {"a": 1},
            }
        ]
    )
    assert kinds(notes) == []
    assert (item.description, item.limit, item.auth) == ("Looks.", 3, ("me", ""))
    assert item.parameters == {"type": "object", "properties": {"a": {"type": "string"}}}
    assert (item.skip_fillers, item.wait_for_fillers, item.wait_file_loops) == (True, True, 2)


def test_token_joins_one_endpoint_and_separates_credentials():
    def token(url, user=None):
        return read([{"function": "f", "web_hook_url": url, "web_hook_auth_user": user}])[0][0]

    base = token("https://h/swaig?__token=1")
    assert token("https://h/swaig?__token=2").meta_data_token == base.meta_data_token
    assert token("https://h/other").meta_data_token != base.meta_data_token
    assert token("https://h/swaig", "me").meta_data_token != base.meta_data_token
    (given,), _ = read([{"function": "f", "meta_data_token": "t"}])
    assert given.meta_data_token == "t"
    (mapped,), _ = read([{"function": "f", "data_map": {}}], Defaults())
    assert mapped.meta_data_token == "function:f"
    assert default_token(token("http://[bad")) != base.meta_data_token


@pytest.mark.parametrize(
    ("active", "limit"), [(True, -1), (False, 0), (2, 2), (-1, -1), ("no", 0), ({}, -1)]
)
def test_active(active, limit):
    (item,), _ = read([{"function": "f", "active": active}])
    assert item.limit == limit


def test_defaults_and_hooks():
    notes = Notes()
    defaults = read_defaults(
        {"web_hook_url": "http://d/", "web_hook_auth_user": "u", "x": 1}, "d", notes
    )
    assert kinds(notes) == ["unknown"]
    (start, stop), _ = read([{"function": "start_hook"}, {"function": "stop_hook"}], defaults)
    assert (start.name, stop.name) == ("startup_hook", "hangup_hook")
    assert (start.web_hook_url, start.auth) == ("http://d/", ("u", ""))


def test_what_is_left_out_is_noted():
    found, notes = read(
        [
            {"function": "a"},
            {"function": "a"},
            {"function": "next_step"},
            {"function": "check_time"},
            {"description": "x"},
            "text",
            {"function": "b", "colour": 1, "parameters": {"properties": 3}},
        ],
        taken=frozenset({"check_time"}),
    )
    assert [item.name for item in found] == ["a", "b"]
    assert kinds(notes) == [
        "duplicate",
        "refused",
        "duplicate",
        "missing",
        "wrong_type",
        "missing",
        "unknown",
        "wrong_type",
    ]
    nowhere = Notes()
    read_functions([{"function": "a"}], "f", Defaults(), nowhere)
    assert kinds(nowhere) == ["missing"]


def test_schema_forms():
    notes = Notes()
    assert read_schema(None, "p", notes) == {"type": "object", "properties": {}}
    text = {"type": "string", "description": "d"}
    assert read_schema(text, "p", notes)["properties"] == {"argument": text}
    assert read_schema({"properties": {"a": {}}}, "p", notes)["type"] == "object"


def test_includes_and_natives():
    notes = Notes()
    raw = [{"url": "http://r", "functions": ["a"], "auth_user": "u", "auth_password": "p"}, {}, 3]
    (include,) = read_includes(raw, "i", notes)
    assert (include.functions, include.auth) == (("a",), ("u", "p"))
    assert read_natives(["check_time", "check_time", "fly"], "n", notes) == ("check_time",)
    assert kinds(notes) == ["missing", "wrong_type", "missing", "unknown"]
