"""Whatever text arrives, reading it gives a value or a DocumentError, and places that are true."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore.flow.document import load_document
from mediacore.flow.findings import Code, Severity
from mediacore.flow.place import NOWHERE
from mediacore.flow.source import DocumentError, from_value, read_source
from mediacore.flow.validate import examine

words = st.text(max_size=12)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=25,
)
SYNTAX = (
    *"{}[],:\"'\\&*!|>#%@`-?~=.+ \n\t\x00é\ufeff\u2028",
    *("a", "0", "1e9", "null", "- ", "? ", ": ", "<<", "---\n", "&a ", "*a", "!!str ", "  "),
    *("sections", "main"),
)
syntax = st.lists(st.sampled_from(SYNTAX), max_size=40).map("".join)
methods = st.sampled_from(
    ("answer", "hangup", "play", "cond", "switch", "execute", "connect", "ai", "goto", "label")
)
KEYS = (
    *("url", "dest", "case", "default", "when", "then", "else", "confirm", "result", "label"),
    *("SWAIG", "functions", "data_map", "output", "action", "SWML", "prompt", "to", "serial"),
    *("sections", "main"),
)
keys = st.sampled_from(KEYS)
shaped = st.recursive(
    scalars | words | methods,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(keys | methods, inner, max_size=3)
        | st.builds(lambda method, value: [{method: value}], methods, inner)
    ),
    max_leaves=20,
)


def at(value: object, path: tuple[str | int, ...]) -> object:
    for step in path:
        value = value[step]  # type: ignore[index]
    return value


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path]
    items = value.items() if isinstance(value, dict) else ()
    for key, item in [*items, *(enumerate(value) if isinstance(value, list) else ())]:
        found += paths(item, (*path, key))
    return found


def refusal(data, name):
    """The source, or the error with which it is refused."""
    try:
        return read_source(data, name), None
    except DocumentError as error:
        return None, error


@given(st.binary(max_size=60) | syntax)
@settings(max_examples=400)
def test_any_text_is_read_or_refused(data):
    for name in ("d", "d.json", "d.yaml"):
        source, error = refusal(data, name)
        if error is not None:
            assert error.code in set(Code)
            assert error.name == name and error.text
            continue
        for path in paths(source.value):
            place = source.place(path)
            assert place.line >= 1 or path == ()
        for finding in examine(source).findings:
            assert str(finding).isprintable()


@given(values)
def test_json_is_read_as_the_standard_library_reads_it(value):
    for layout in (None, 1):
        text = json.dumps(value, indent=layout, ensure_ascii=layout is None)
        source, error = refusal(text, "d.json")
        if error is not None:
            assert any(ord(c) in range(0xD800, 0xE000) for c in str(value))
            continue
        assert source.value == json.loads(text)
        lines = text.split("\n")
        for path in paths(value)[1:]:
            place = source.place(path)
            rest = lines[place.line - 1][place.column - 1 :]
            if isinstance(path[-1], str):
                quoted = json.dumps(path[-1], ensure_ascii=layout is None)
                assert rest.startswith(quoted + ":")
            elif not isinstance(at(value, path), (dict, list)):
                quoted = json.dumps(at(value, path), ensure_ascii=layout is None)
                assert rest.startswith(quoted)


@given(shaped)
@settings(max_examples=300)
def test_any_value_can_be_looked_through(value):
    for whole in (value, {"sections": {"main": value}}, {"sections": {"main": [value]}}):
        source = from_value(whole, "d")
        found = examine(source)
        assert all(finding.place == NOWHERE for finding in found.findings)
        assert all(at(whole, f.path[:-1]) is not None for f in found.findings if f.path)
        fatal = [f for f in found.findings if f.severity is Severity.ERROR]
        if not fatal:
            assert "main" in load_document(source).sections
            continue
        with pytest.raises(DocumentError) as caught:
            load_document(source)
        assert (caught.value.path, caught.value.code) == (fatal[0].path, fatal[0].code)
