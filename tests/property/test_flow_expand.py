"""Properties of expansion."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from mediacore.flow.expand import expand
from mediacore.flow.scope import Scope
from mediacore.flow.script import QuickJs, ScriptFault

JS = QuickJs(time_s=0.05)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(alphabet=st.characters(exclude_characters="%$")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_without_placeholders_nothing_changes(value: object) -> None:
    assert expand(value, Scope(), JS) == value


@given(PLAIN.filter(lambda v: v is not None))
def test_a_lone_placeholder_is_its_value(value: object) -> None:
    assert expand("${v}", Scope(vars={"v": value}), JS) == value


@given(st.text(alphabet="%${}ab'\" .[]()1+", max_size=40))
def test_any_text_expands_or_faults(text: str) -> None:
    with suppress(ScriptFault):
        assert expand(text, Scope(vars={"a": 1, "b": {"a": [1]}}), JS) is not None


@given(st.text(max_size=20), st.text(max_size=20))
def test_only_this_calls_data_is_reached(mine: str, theirs: str) -> None:
    JS.evaluate("(vars.secret, 1)", Scope(vars={"secret": theirs}).names())
    made = expand("${typeof secret}${(vars.secret)}", Scope(vars={"other": mine}), JS)
    assert made == "undefined"
