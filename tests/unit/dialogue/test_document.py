import pytest

from mediacore.dialogue import Exchange, load_dialogue, parse_dialogue, replay
from mediacore.dialogue.document import render
from mediacore.errors import ConfigError

SMALL = """
name: small
variables: {who: Ann}
stages:
  hello:
    say: Hi {who}.
    expect:
      - {match: yes please, goto: bye}
  bye: {say: Bye., hangup: done}
"""


def test_small():
    dialogue = parse_dialogue(SMALL)
    assert dialogue.greeting == "Hi Ann."
    assert replay(dialogue, [])[1].text == "Hi Ann."
    assert replay(dialogue, [Exchange("Hi Ann.", "Yes, please")])[1].hangup == "done"


def test_without_reprompts_the_line_is_said_again():
    dialogue = parse_dialogue(SMALL)
    assert replay(dialogue, [Exchange("", "what"), Exchange("", "what")])[1].text == "Hi Ann."
    assert replay(dialogue, [Exchange("", "")])[1].text == "Hi Ann."


def test_resume_without_a_line():
    text = "stages: {a: {say: '', expect: [{match: go on, resume: true}]}}"
    assert replay(parse_dialogue(text), [Exchange("", "go on")])[1].text == ""


def test_routes_that_go_in_circles_end():
    text = """
stages:
  a: {say: A., expect: [{match: go, goto: b}]}
  b: {say: B., route: [{goto: c}]}
  c: {route: [{goto: b}]}
"""
    assert replay(parse_dialogue(text), [Exchange("A.", "go")])[1].text.startswith("B. B.")


@pytest.mark.parametrize("word", ["yes", "no", "'yes'", "'no'"])
def test_answers_may_be_bare(word):
    text = f"stages: {{a: {{say: A., expect: [{{answer: {word}, say: fine}}]}}}}"
    said = word.strip("'")
    assert replay(parse_dialogue(text), [Exchange("A.", said)])[1].text == "fine"


def test_render():
    assert render("{a} {a|digits} {b}.", {"a": "471"}) == "471 4, 7, 1 ."


def stage(body):
    return f"stages: {{a: {body}}}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "while parsing"),
        ("- 1", "names with values"),
        ("", "names with values"),
        ("stages: {}", "no stage named ''"),
        ("hello: 1\nstages: {a: {}}", "unknown key 'hello'"),
        ("start: b\nstages: {a: {}}", "no stage named 'b'"),
        ("give_up: b\nstages: {a: {}}", "no stage named 'b'"),
        (stage("{sya: x}"), "unknown key 'sya'"),
        (stage("{say: {b: c}}"), "a text or a list"),
        (stage("{say: '{x}'}"), "nothing sets the variable 'x'"),
        (stage("{else: '{x}'}"), "nothing sets the variable 'x'"),
        (stage("{say: '{found|loud}'}"), "unknown filter 'loud'"),
        (stage("{expect: x}"), "a list of rules"),
        (stage("{expect: [{match: '(a', goto: a}]}"), "cannot read the pattern"),
        (stage("{expect: [{match: <b>, goto: a}]}"), "no synonyms named 'b'"),
        (stage("{expect: [{match: a, goto: b}]}"), "no stage named 'b'"),
        (stage("{expect: [{answer: maybe}]}"), "yes or no"),
        (stage("{expect: [{answer: [1]}]}"), "yes or no"),
        (stage("{expect: [{fill: {day: days}}]}"), "no list named 'days'"),
        (stage("{expect: [{set: {a: [1]}}]}"), "must be a text"),
        (stage("{expect: [{if: x}]}"), "nothing sets the variable 'x'"),
        (stage("{expect: [{digits: {min: 1}}]}"), "digits need"),
        (stage("{expect: [{digits: {into: x, min: 4, max: 2}}]}"), "digits need"),
        (stage("{expect: [{digits: {into: x, min: a}}]}"), "whole numbers"),
        (stage("{expect: [{digits: {into: x, short: '{y}'}}]}"), "nothing sets"),
        (stage("{lookup: {table: t, key: found}}"), "no table named 't'"),
        (stage("{lookup: {table: t, key: k}}"), "nothing sets the variable 'k'"),
        (stage("{route: [{if: found}]}"), "needs a goto"),
        ("intents: [{match: x, goto: q}]\nstages: {a: {}}", "no stage named 'q'"),
        ("silence: '{x}'\nstages: {a: {}}", "nothing sets"),
    ],
)
def test_mistakes_are_named(text, message):
    with pytest.raises(ConfigError, match=r"dialogue shop\.yaml") as caught:
        parse_dialogue(text, "shop.yaml")
    assert message in str(caught.value)


def test_files(tmp_path):
    path = tmp_path / "mine.yaml"
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        load_dialogue(path)
    path.write_text(SMALL)
    assert load_dialogue(path).name == "small"
    assert load_dialogue().name == "order line"
