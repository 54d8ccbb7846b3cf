import json
import time

import pytest

from mediacore.flow import (
    Code,
    Document,
    DocumentError,
    Place,
    Severity,
    Statement,
    from_value,
    load_document,
    read_source,
    requires_model,
)
from mediacore.flow.document import read_block

TEXT = """\
version: 1.0.0
sections:
  main:
    - answer
    - hangup:
    - sleep: 500
    - cond:
        - when: a
          then:
            - ai: {prompt: Hello}
  other:
    - return: {}
"""


def test_sections_become_statements_with_places():
    document = load_document(read_source(TEXT, "d.yaml"))
    assert list(document.sections) == ["main", "other"]
    main = ("sections", "main")
    assert document.sections["main"][:3] == (
        Statement("answer", {}, (*main, 0), Place(4, 7)),
        Statement("hangup", {}, (*main, 1, "hangup"), Place(5, 7)),
        Statement("sleep", {"duration": 500}, (*main, 2, "sleep"), Place(6, 7)),
    )
    assert document.name == "d.yaml"


@pytest.mark.parametrize(
    ("written", "params"),
    [
        ({"play": "say:x"}, {"url": "say:x"}),
        ({"goto": "a"}, {"label": "a"}),
        ({"transfer": "https://a"}, {"dest": "https://a"}),
        ({"send_digits": 12}, {"digits": 12}),
        ({"label": "a"}, "a"),
        ({"return": None}, None),
        ({"return": 3}, 3),
        ({"unset": ["a"]}, ["a"]),
        ({"set": None}, {}),
        ({"stop_tap": None}, {}),
        ({"denoise": None}, None),
        ({"answer": 5}, 5),
    ],
)
def test_parameters_as_the_interpreter_gets_them(written, params):
    value = {"sections": {"main": [written, {"label": "b"}]}}
    assert load_document(from_value(value, "d")).sections["main"][0].params == params


def test_the_first_error_refuses_with_line_key_and_suggestion():
    text = TEXT + "    - plya: {url: say:x}\n    - zzz\n"
    with pytest.raises(DocumentError) as caught:
        load_document(read_source(text, "d.yaml"))
    assert str(caught.value) == (
        "d.yaml:13:7: $.sections.other[1].plya: there is no method 'plya' (did you mean 'play'?)"
    )
    assert caught.value.code == Code.METHOD_UNDEFINED


def test_warnings_do_not_refuse_and_are_kept():
    text = "sections:\n  main:\n    - play: {url: say:x, volme: 3}\n    - pay: {}\n"
    document = load_document(read_source(text, "d.yaml"))
    assert [f.severity for f in document.findings] == [Severity.WARNING, Severity.UNSUPPORTED]


def test_strict_refuses_what_is_not_supported():
    text = "sections:\n  main:\n    - play: {url: say:x, volme: 3}\n    - pay: {}\n"
    with pytest.raises(DocumentError) as caught:
        load_document(read_source(text, "d.yaml"), strict=True)
    assert (caught.value.code, caught.value.place) == (Code.METHOD_UNSUPPORTED, Place(4, 7))
    assert load_document(read_source(TEXT, "d.yaml"), strict=True).findings == ()


def test_the_first_ai_statement_is_found_where_it_is_nested():
    found = requires_model(load_document(read_source(TEXT, "d.yaml")))
    assert found is not None
    assert (found.method, found.place) == ("ai", Place(10, 15))
    plain = load_document(from_value({"sections": {"main": ["hangup"]}}, "d"))
    assert requires_model(plain) is None
    assert requires_model(Document("empty", {})) is None


def test_a_nested_block_becomes_statements():
    source = read_source(TEXT, "d.yaml")
    path = ("sections", "main", 3, "cond", 0, "then")
    (statement,) = read_block([{"ai": {"prompt": "Hello"}}], path, source)
    assert (statement.path, statement.place) == ((*path, 0, "ai"), Place(10, 15))
    for wrong in ({}, [3], [{"a": 1, "b": 2}]):
        with pytest.raises(DocumentError):
            read_block(wrong, path, source)


def test_the_largest_document_is_looked_through_quickly():
    steps = [
        {"play": {"url": f"say:{i}", "volume": 3, "say_language": "en-US"}} for i in range(2000)
    ]
    text = json.dumps({"sections": {"main": steps}})
    begin = time.process_time()
    assert load_document(read_source(text, "d.json")).findings == ()
    assert time.process_time() - begin < 0.5
