"""Questions: reading, the schema of the answer, checking and storing answers."""

import pytest

from mediacore.assistant.gather import (
    Question,
    check_answer,
    instruction,
    read_gather,
    stored,
    submit_schema,
)
from mediacore.assistant.notes import Notes


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("string", " Ann ", "Ann"),
        ("string", 7, "7"),
        ("string", "", None),
        ("string", True, None),
        ("string", "x" * 2001, None),
        ("integer", 4, 4),
        ("integer", "4", 4),
        ("integer", 4.5, None),
        ("integer", "four", None),
        ("number", "4.5", 4.5),
        ("number", 4.0, 4),
        ("number", "nan", None),
        ("boolean", "no", False),
        ("boolean", True, True),
        ("boolean", "maybe", None),
        ("integer", None, None),
    ],
)
def test_answers_by_type(kind, given, value):
    answer = check_answer(Question("k", "q", kind), {"answer": given})
    assert answer.value == value
    assert bool(answer.problem) is (value is None)


def test_missing_and_unconfirmed():
    question = Question("k", "q", confirm=True)
    assert check_answer(question, {}).reason == "missing"
    assert check_answer(question, {"answer": "x"}).reason == "not_confirmed"
    no = {"answer": "x", "confirmed_by_user": "false"}
    assert check_answer(question, no).reason == "not_confirmed"
    assert check_answer(question, {**no, "confirmed_by_user": "true"}).value == "x"


def test_what_the_model_gets():
    question = Question("k", "How old?", "integer", True, "Be kind.")
    schema = submit_schema(question)
    assert schema["properties"]["answer"]["type"] == "integer"
    assert schema["required"] == ["answer", "confirmed_by_user"]
    assert "required" in submit_schema(Question("k", "q"))
    text = instruction(question)
    assert "How old?" in text
    assert "Be kind." in text
    assert "integer" in text


def test_stored():
    assert stored({"a": 1}, "", "k", 2) == {"a": 1, "k": 2}
    assert stored({"p": {"x": 1}}, "p", "k", 2) == {"p": {"x": 1, "k": 2}}
    assert stored({"p": "text"}, "p", "k", 2) == {"p": {"k": 2}}


def test_reading():
    notes = Notes()
    raw = {
        "isolated": True,
        "questions": [
            {"key": "a", "question": "A?"},
            {"key": "a", "question": "again?"},
            {"key": "b", "question": "B?", "type": "date", "isolated": False},
            {"key": "c"},
        ],
    }
    info = read_gather(raw, "g", notes)
    assert [(q.key, q.type, q.isolated) for q in info.questions] == [
        ("a", "string", True),
        ("b", "string", False),
    ]
    assert [note.kind for note in notes.freeze()] == ["duplicate", "unknown", "missing"]
    assert read_gather(None, "g", notes) is None
    assert read_gather({"questions": []}, "g", notes) is None
