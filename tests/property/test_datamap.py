"""Templates, patterns and DataMaps over any input: total, bounded, and closed to injection."""

import json
import re
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore.assistant._pattern import PatternError, occurs
from mediacore.assistant._values import MAX_OUTPUT, Meter, json_text, json_value
from mediacore.assistant.datamap import Fetch, Reply, Result, resume, start
from mediacore.assistant.templates import TemplateClock, TemplateLimitError, expand

CLOCK = TemplateClock(datetime(2026, 1, 2, tzinfo=UTC))

SIGNS = '${ %{ @{ } { lc: enc: url: fmt_ph: args . a [0] [-1] [ ] 1+ (2 ) 9 %Y " \\ é'
PIECES = st.sampled_from(
    [
        *SIGNS.split(),
        *("this", "secret", "\n", " ", "expr ", "echo ", "sleep ", "separate ", "fmt_ph "),
        *("strftime_tz ", "UTC "),
    ]
)
TEMPLATES = st.lists(PIECES, max_size=24).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8) | TEMPLATES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["a", "A", "args", "this", "", "${a}"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
HOOK_KEYS = ["url", "output", "expressions", "require_args", "error_keys", "foreach", "params"]
HOOK_KEYS += ["form_param", "headers", "method", "input_args_as_params"]
PART_KEYS = ["string", "pattern", "output", "nomatch-output", "input_key", "output_key", "append"]
PART_KEYS += ["max", "expr"]
PARTS = st.dictionaries(st.sampled_from(PART_KEYS), TEMPLATES | JSON, max_size=6)
HOOKS = st.dictionaries(st.sampled_from(HOOK_KEYS), JSON | PARTS | st.lists(PARTS), max_size=8)
DATA_MAPS = st.fixed_dictionaries(
    {},
    optional={
        "expressions": PARTS | st.lists(PARTS, max_size=3) | JSON,
        "webhooks": HOOKS | st.lists(HOOKS, max_size=3) | JSON,
        "output": JSON,
    },
)


@given(TEMPLATES, JSON, st.booleans())
def test_expanding_is_total_and_bounded(template, data, in_json):
    try:
        done = expand(template, {"args": data, "a": data}, CLOCK, in_json=in_json)
    except TemplateLimitError:
        return
    assert len(done.text) <= MAX_OUTPUT
    assert 0 <= done.delay_ms <= 30_000


@given(TEMPLATES)
def test_a_value_reaches_no_other_value(said):
    done = expand("<${a}>@{echo ${a}}", {"a": said, "secret": "planted"}, CLOCK)
    assert done.text == f"<{said}>{said}"


@given(TEMPLATES | st.text(), st.text(max_size=20))
def test_a_string_in_json_text_stays_one_string(said, other):
    text = expand('{"r": "${a}", "s": "@{echo ${a}}"}', {"a": said}, CLOCK, in_json=True).text
    assert json_value(text) == {"r": said, "s": said}


@given(JSON)
def test_json_text_is_json(value):
    assert json.loads(json_text(value, Meter()), strict=False) == value


@given(DATA_MAPS, JSON, JSON, st.sampled_from(["", "timeout", "refused"]))
@settings(max_examples=150)
def test_any_data_map_comes_to_a_result(data_map, context, came, error):
    state, step = start(data_map, {"args": context, "global_data": context}, CLOCK)
    if isinstance(step, Fetch):
        assert step.method in ("GET", "POST")
        reply = Reply(200, {}, json.dumps(came).encode(), error)
        _, step = resume(state, reply, CLOCK)
    assert isinstance(step, Result)
    json.dumps(step.value)


ATOMS = "a b . * + ? | ( ) (?: [ab] [^a] ^ $ \\b \\w {2} {1,2} \\d x"
PATTERNS = st.lists(st.sampled_from(ATOMS.split()), max_size=8).map("".join)


@given(PATTERNS, st.text("abx1 \n", max_size=8))
@settings(max_examples=300)
def test_a_pattern_that_is_taken_means_what_the_standard_library_says(pattern, text):
    try:
        found = occurs(f"/{pattern}/", text)
    except PatternError:
        return
    assert found == (re.search(pattern, text) is not None)
