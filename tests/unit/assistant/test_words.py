"""Hints, pronunciation, telephone numbers, fillers."""

import pytest

from mediacore.assistant.notes import Notes
from mediacore.assistant.words import (
    Hint,
    Pronounce,
    apply_hints,
    apply_pronounce,
    format_numbers,
    hint_words,
    pick_filler,
    read_fillers,
    read_hints,
    read_pronounce,
    usable_pattern,
)


def kinds(notes):
    return [note.kind for note in notes.freeze()]


def test_hints_are_texts_and_objects():
    notes = Notes()
    raw = ["pizza", {"hint": "Cabby", "pattern": "cab bee", "replace": "Cabby"}, 4, " ", {}]
    hints = read_hints(raw, "hints", notes)
    assert hint_words(hints) == ("pizza", "Cabby")
    assert kinds(notes) == ["wrong_type", "missing"]
    assert apply_hints("call a cab bee now", hints) == "call a Cabby now"
    assert read_hints(None, "hints", notes) == ()
    assert read_hints("one", "hints", notes) == (Hint("one"),)
    assert read_hints(3, "hints", notes) == ()


def test_hint_case_and_replacement_is_no_template():
    hint = Hint("x", "CAB", r"\1", ignore_case=True)
    assert apply_hints("a cab", [hint]) == r"a \1"
    assert apply_hints("a cab", [Hint("x", "CAB", "y")]) == "a cab"
    assert apply_hints("cab" * 300, [hint]) == "cab" * 300


@pytest.mark.parametrize(
    ("pattern", "fine"),
    [
        ("cab bee", True),
        (r"customer\s+service", True),
        ("(?:abc)+", True),
        ("(a|b)c", True),
        ("(a+)+$", False),
        ("(a|aa)+$", False),
        ("((a+))+", False),
        ("(?:a*)*", False),
        ("a*a*a*b", False),
        ("(", False),
        ("x" * 600, False),
    ],
)
def test_patterns_that_could_run_for_minutes_are_refused(pattern, fine):
    assert usable_pattern(pattern) is fine


def test_refused_pattern_keeps_the_word():
    notes = Notes()
    (hint,) = read_hints([{"hint": "a", "pattern": "(a+)+", "replace": "b"}], "hints", notes)
    assert hint.pattern == ""
    assert kinds(notes) == ["refused"]


def test_pronounce_replaces_whole_words_once():
    rules = read_pronounce(
        [{"replace": "AI", "with": "A-Eye"}, {"replace": "Eye", "with": "no"}, {"replace": "x"}, 3],
        "pronounce",
        notes := Notes(),
    )
    assert kinds(notes) == ["missing", "wrong_type", "missing"]
    assert apply_pronounce("ai is in MAIN, AI.", rules) == "A-Eye is in MAIN, A-Eye."
    exact = [Pronounce("C++", "see plus plus", ignore_case=False)]
    assert apply_pronounce("C++ c++", exact) == "see plus plus c++"
    assert apply_pronounce("same", ()) == "same"
    assert read_pronounce("x", "pronounce", notes) == ()


def test_longer_rule_wins():
    rules = [Pronounce("New", "a"), Pronounce("New York", "b")]
    assert apply_pronounce("New York, New", rules) == "b, a"


@pytest.mark.parametrize(
    ("style", "text", "spoken"),
    [
        ("international", "call +15551234567.", "call +1 555 123 4567."),
        ("national", "call +15551234567.", "call 555 123 4567."),
        ("national", "+4989123456", "+498 912 3456"),
        ("national", "order 15551234567 x+15551234567", "order 15551234567 x+15551234567"),
    ],
)
def test_numbers(style, text, spoken):
    assert format_numbers(text, style) == spoken


def test_fillers_rotate_and_fall_back():
    notes = Notes()
    fillers = read_fillers({"en-US": ["one", "two"], "default": "any", "de": 3}, "f", notes)
    assert [pick_filler(fillers, "en-US", turn) for turn in range(3)] == ["one", "two", "one"]
    assert pick_filler(fillers, "fr", 0) == "any"
    assert pick_filler({"en-GB": ("hm",)}, "en-US", 5) == "hm"
    assert pick_filler({"de": ("hm",)}, "en-US", 5) == ""
    assert kinds(notes) == ["wrong_type"]
    assert read_fillers(["a", {"de": ["b"]}], "f", notes) == {"default": ("a",), "de": ("b",)}
    assert read_fillers(None, "f", notes) == {}
    assert read_fillers(3, "f", notes) == {}
