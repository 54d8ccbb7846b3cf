"""The stage graph: what leads where, and what a document may get wrong."""

import pytest

from mediacore.assistant.notes import Notes
from mediacore.assistant.stages import read_contexts


def contexts(raw):
    notes = Notes()
    return read_contexts(raw, "c", "markdown", notes), [note.kind for note in notes.freeze()]


def steps(*items, **context):
    found, _ = contexts({"default": {"steps": list(items), **context}, "other": {"steps": [B]}})
    return found


A = {"name": "a", "text": "A"}
B = {"name": "b", "text": "B"}
C = {"name": "c", "text": "C"}


@pytest.mark.parametrize(
    ("change", "context", "legal"),
    [
        ({}, {}, ("b",)),
        ({"valid_steps": []}, {}, ("b",)),
        ({"valid_steps": ["next", "c"]}, {}, ("b", "c")),
        ({"valid_steps": ["c", "gone", "c"]}, {}, ("c",)),
        ({"valid_steps": "c"}, {}, ("c",)),
        ({}, {"valid_steps": ["c"]}, ("c",)),
        ({"valid_steps": ["b"]}, {"valid_steps": ["c"]}, ("b",)),
        ({"end": True, "valid_steps": ["b"]}, {}, ()),
    ],
)
def test_legal_steps(change, context, legal):
    assert steps({**A, **change}, B, C, **context).steps_from("default", "a") == legal


@pytest.mark.parametrize(
    ("change", "context", "legal"),
    [
        ({}, {}, ()),
        ({}, {"valid_contexts": ["other", "gone"]}, ("other",)),
        ({"valid_contexts": []}, {"valid_contexts": ["other"]}, ()),
        ({"valid_contexts": ["default"]}, {"valid_contexts": ["other"]}, ("default",)),
        ({"end": True}, {"valid_contexts": ["other"]}, ()),
    ],
)
def test_legal_contexts(change, context, legal):
    assert steps({**A, **change}, B, **context).contexts_from("default", "a") == legal


def test_last_step_and_unknown_places_lead_nowhere():
    graph = steps(A, B)
    assert graph.steps_from("default", "b") == ()
    assert graph.steps_from("default", "gone") == ()
    assert graph.steps_from("gone", "a") == ()
    assert graph.contexts_from("gone", "a") == ()
    assert graph.step("gone", "a") is None


def test_functions_absent_none_and_unreadable():
    def functions(value):
        return steps({**A, "functions": value}).step("default", "a").functions

    assert steps(A).step("default", "a").functions is None
    assert functions([]) == functions("none") == functions(["none"]) == ()
    assert functions(["x"]) == functions("x") == ("x",)
    assert functions({"a": 1}) == ()


def test_start_and_initial_step():
    found, kinds = contexts({"z": {"steps": [A]}, "y": {"steps": [A, B], "initial_step": "b"}})
    assert found.start == "z"
    assert found.items["y"].first() == "b"
    assert kinds == []
    assert steps(A).start == "default"


def test_odd_contexts_are_noted():
    found, kinds = contexts(
        {
            "a": {"steps": [A, A, {"text": "x"}, {"name": "next"}], "initial_step": "q", "x": 1},
            "b": {"steps": []},
            "c": 3,
            "d": {"steps": [{**B, "history": "some", "reset": {"y": 1}, "colour": 1}]},
        }
    )
    assert list(found.items) == ["a", "d"]
    assert sorted(kinds) == sorted(
        [
            "duplicate",
            "missing",
            "missing",
            "unknown",
            "missing",
            "missing",
            "wrong_type",
            "missing",
            "wrong_type",
            "unknown",
            "unknown",
        ]
    )
    assert contexts({}) == (None, ["missing"])
    assert contexts(None) == (None, [])


def test_limits_of_size():
    many = {f"c{at}": {"steps": [A]} for at in range(60)}
    found, kinds = contexts(many)
    assert (len(found.items), kinds.count("refused")) == (50, 10)
    found, _ = contexts({"default": {"steps": [{"name": f"s{at}"} for at in range(120)]}})
    assert len(found.items["default"].steps) == 100


def test_dangling_links_are_noted():
    gather = {"questions": [{"key": "k", "question": "q"}], "completion_action": "next_step"}
    _, kinds = contexts(
        {
            "default": {
                "valid_contexts": ["gone"],
                "steps": [
                    {**A, "valid_steps": ["gone", "next"], "valid_contexts": ["gone"]},
                    {**B, "gather_info": gather},
                ],
            }
        }
    )
    assert kinds == ["missing"] * 4
