"""Prompts: structured sections as markdown and XML, knobs, hidden placeholders."""

import pytest

from mediacore.assistant.hidden import clean_visible, expand_visible, is_hidden, placeholders
from mediacore.assistant.notes import Notes
from mediacore.assistant.prompt import read_prompt, render_pom

POM = [
    {
        "title": "Role",
        "body": "Be kind.",
        "numbered": True,
        "subsections": [{"title": "Deep", "bullets": ["a", "b"], "numberedBullets": True}],
    },
    {"title": "Rules & more", "bullets": ["x", "y"]},
]


def test_markdown():
    assert render_pom(POM, "markdown", "pom", Notes()) == (
        "## 1. Role\n\nBe kind.\n\n### 1. Deep\n\n1. a\n2. b\n\n## 2. Rules & more\n\n- x\n- y"
    )


def test_xml_is_escaped():
    text = render_pom(POM, "xml", "pom", Notes())
    assert text.startswith("<prompt>\n  <section>\n    <title>1. Role</title>")
    assert "<title>2. Rules &amp; more</title>" in text
    assert '<bullet id="2">b</bullet>' in text


def test_numbering_says_false():
    sections = [{"title": "a", "numbered": True}, {"title": "b", "numbered": False}]
    assert render_pom(sections, "markdown", "pom", Notes()) == "## 1. a\n\n## b"


def test_odd_sections_are_noted_not_raised():
    notes = Notes()
    text = render_pom(["plain", 3, {"title": ["x"], "bullets": "y"}, {}], "markdown", "pom", notes)
    assert text == "plain"
    assert {note.kind for note in notes.freeze()} == {"wrong_type"}


def test_endless_nesting_is_cut():
    section = {"title": "t", "body": "b"}
    for _ in range(200):
        section = {"title": "t", "subsections": [section]}
    notes = Notes()
    assert render_pom([section], "markdown", "pom", notes).count("#") < 200
    assert "refused" in [note.kind for note in notes.freeze()]


def test_prompt_text_pom_and_knobs():
    notes = Notes()
    raw = {
        "text": "hello",
        "pom": [{"body": "there"}],
        "temperature": 9,
        "max_tokens": "12",
        "top_p": "much",
        "colour": 1,
    }
    prompt = read_prompt(raw, "prompt", "markdown", notes, frozenset())
    assert prompt.text == "hello\n\nthere"
    assert prompt.knobs == {"temperature": 1.5, "max_tokens": 12}
    assert prompt.knob("top_p") == 1.0
    assert sorted(note.kind for note in notes.freeze()) == ["clamped", "unknown", "wrong_type"]
    assert read_prompt("just text", "prompt", "markdown", notes, frozenset()).text == "just text"


@pytest.mark.parametrize(
    ("text", "expanded", "refused"),
    [
        ("call ${caller_id_number}", "call 123", ()),
        ("${lc:caller_id_name}", "ann", ()),
        ("%{ caller_id_name }", "Ann", ()),
        ("a ${global_data.pin} b", "a  b", ("global_data.pin",)),
        ("${enc:url:global_data.pin}", "", ("enc:url:global_data.pin",)),
        ("${meta_data.t.${lc:args.x}}", "", ("lc:args.x", "meta_data.t.")),
        ("${pin}", "", ("pin",)),
        ("${1+1} {x} } ${", " {x} } ${", ("1+1",)),
        ("${a{b}c}d", "d", ("a{b}c",)),
        ("none", "none", ()),
    ],
)
def test_placeholders(text, expanded, refused):
    visible = {"caller_id_number": "123", "caller_id_name": "Ann"}
    result = expand_visible(text, visible)
    assert (result.text, result.refused) == (expanded, refused)


def test_values_are_not_expanded_again_and_nesting_is_bounded():
    assert expand_visible("${a}", {"a": "${b}", "b": "x"}).text == "${b}"
    assert expand_visible("${" * 40 + "a" + "}" * 40, {"a": "x"}).text == ""


def test_visible_values_are_one_short_line():
    assert clean_visible({"a": "x\n y" * 100, "b": 3, "c": {}}) == {
        "a": " ".join(("x\n y" * 100).split())[:200],
        "b": "3",
    }


def test_what_counts_as_hidden():
    assert is_hidden("global_data.x", ())
    assert is_hidden("lc:meta_data.x", ())
    assert is_hidden("lc:profile.name", ("profile",))
    assert not is_hidden("step_history.prev", ("profile",))
    assert placeholders("${caller_id_name} ${x} ${x}") == ("x",)
