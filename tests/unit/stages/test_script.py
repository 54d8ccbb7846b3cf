import pytest

from mediacore.errors import ConfigError
from mediacore.stages import load_dialogue, parse_dialogue

GOOD = """\
name: line
greeting: Hello.
start: first
stages:
  first:
    say: Yes?
    expect:
      - when: ["no", never]
        goto: first
"""


def test_scalars_stay_text():
    script = parse_dialogue(GOOD.replace("never", "0471"), "f")
    assert script.stages["first"].expect[0].when == ("no", "0471")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("goto: first", "goto: nowhere"), "f: line 9, stages.first.expect[0].goto: there is no"),
        (("start: first", "start: last"), "f: line 3, start: there is no stage `last`"),
        (("say: Yes?", "says: Yes?"), "unknown field `says`"),
        (("say: Yes?", "say: Yes, {name}?"), "nothing sets the variable `name`"),
        (("say: Yes?", "say: Yes, {"), "stages.first.say"),
        (("name: line", "name: [line"), "f: line"),
        (("greeting: Hello.\n", ""), "missing required field `greeting`"),
        (('when: ["no", never]', "hangup: true"), "a rule needs `when` or `digits`"),
        (("goto: first", "digits: six"), "f: line"),
    ],
)
def test_a_fault_names_its_line_and_key(change, message):
    with pytest.raises(ConfigError) as error:
        parse_dialogue(GOOD.replace(*change), "f")
    assert message in str(error.value)


def test_lookups_are_checked():
    text = GOOD + "    lookup: {table: t, key: k, missing: first}\n"
    with pytest.raises(ConfigError, match="there is no table `t`"):
        parse_dialogue(text, "f")
    text = text.replace("stages:", "tables:\n  t: {}\nstages:").replace(
        "missing: first", "missing: x"
    )
    with pytest.raises(ConfigError, match="there is no stage `x`"):
        parse_dialogue(text, "f")


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        load_dialogue(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="longer than"):
        parse_dialogue("#" * 300_000, "f")
