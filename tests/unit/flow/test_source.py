import json
import time

import pytest

from mediacore.flow.findings import Code
from mediacore.flow.parsed import MAX_DEPTH, MAX_NODES
from mediacore.flow.place import NOWHERE, format_path
from mediacore.flow.source import MAX_BYTES, DocumentError, Place, from_value, read_source
from mediacore.flow.yaml_text import scalar


def refused(data: bytes | str, name: str = "doc", **limits: int) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        read_source(data, name, **limits)
    return caught.value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("+15551234567", "+15551234567"),
        ("010", "010"),
        ("-07", "-07"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("12:30:45", "12:30:45"),
        ("2026-11-21", "2026-11-21"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1.0.0", "1.0.0"),
        ("=", "="),
        (".", "."),
        ("1234567890123456789", "1234567890123456789"),
        ("123456789012345678", 123456789012345678),
        ("15551234567", 15551234567),
        ("0", 0),
        ("-3", -3),
        ("1.5", 1.5),
        ("0.25", 0.25),
        (".5", 0.5),
        ("2e3", 2000.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_a_plain_scalar_of_yaml_is_what_one_expects(written, value):
    made = scalar(written)
    assert made == value and type(made) is type(value)
    assert read_source(f"a: {written}", "d.yaml").value == {"a": value}


def test_quoted_and_block_scalars_are_text():
    text = "a: '1'\nb: \"true\"\nc: |\n  2\nd: >\n  null\n"
    assert read_source(text, "d.yaml").value == {"a": "1", "b": "true", "c": "2\n", "d": "null\n"}


def test_keys_of_yaml_are_text():
    text = "1: a\nyes: b\n~: c\n1.50: d\n"
    assert read_source(text, "d").value == {"1": "a", "yes": "b", "~": "c", "1.50": "d"}


YAML = """\
sections:
  main:
    - answer
    - play:
        urls: ["say:a", 'say:b']
"""


def test_places_in_yaml():
    source = read_source(YAML, "d.yaml")
    assert source.place(("sections",)) == Place(1, 1)
    assert source.place(("sections", "main")) == Place(2, 3)
    assert source.place(("sections", "main", 0)) == Place(3, 7)
    assert source.place(("sections", "main", 1, "play", "urls")) == Place(5, 9)
    assert source.place(("sections", "main", 1, "play", "urls", 1)) == Place(5, 25)


def test_the_nearest_ancestor_stands_for_what_is_missing():
    for source in (
        read_source(YAML, "d.yaml"),
        read_source('{"sections": {\n "main": [1]}}', "d.json"),
    ):
        assert source.place(("sections", "other", 3)) == Place(
            1, source.place(("sections",)).column
        )
        assert source.place(("nothing",)) == Place(1, 1)


def test_places_in_json():
    text = '{\n  "a": [1, {"b": "x\\"}"}],\n  "c\\u0064": {"e": []},\n  "f": true\n}'
    source = read_source(text, "d.json")
    assert source.value == {"a": [1, {"b": 'x"}'}], "cd": {"e": []}, "f": True}
    expected = {
        (): Place(1, 1),
        ("a",): Place(2, 3),
        ("a", 0): Place(2, 9),
        ("a", 1): Place(2, 12),
        ("a", 1, "b"): Place(2, 13),
        ("cd",): Place(3, 3),
        ("cd", "e"): Place(3, 15),
        ("f",): Place(4, 3),
    }
    for path, place in expected.items():
        assert source.place(path) == place


def test_a_list_in_a_list_is_placed_after_its_neighbours():
    source = read_source("[[1, [2], 3],\n [4]]", "d.json")
    assert source.place((0, 2)) == Place(1, 11)
    assert source.place((1, 0)) == Place(2, 3)


def test_json_and_yaml_agree():
    value = {"a": [1, 2.5, None, True, "x: y"], "b": {"c": "é\n"}, "d": []}
    text = json.dumps(value)
    assert read_source(text, "d.json").value == read_source(text, "d.yaml").value == value


def test_a_yaml_flow_map_is_yaml_by_its_name():
    assert read_source("{a: b}", "d.yml").value == {"a": "b"}
    assert refused("{a: b}", "d").code == Code.PARSE_ERROR


def test_bytes_with_a_mark_and_text_are_the_same():
    assert read_source(b'\xef\xbb\xbf{"a": 1}', "d").value == {"a": 1}


@pytest.mark.parametrize(
    ("data", "code", "where"),
    [
        (b"\xff\xfe", Code.PARSE_ERROR, NOWHERE),
        ("\ud800", Code.PARSE_ERROR, NOWHERE),
        ('{"a": 1,,}', Code.PARSE_ERROR, Place(1, 9)),
        ('{"a": 1}\n x', Code.PARSE_ERROR, Place(2, 2)),
        ("[NaN]", Code.PARSE_ERROR, NOWHERE),
        ("[-Infinity]", Code.PARSE_ERROR, NOWHERE),
        ("[1e999]", Code.PARSE_ERROR, Place(1, 2)),
        ("a: 1e999", Code.PARSE_ERROR, Place(1, 1)),
        ('["\\ud800"]', Code.PARSE_ERROR, Place(1, 2)),
        ('{"\\udfff": 1}', Code.PARSE_ERROR, Place(1, 1)),
        ("[" + "9" * 5000 + "]", Code.PARSE_ERROR, NOWHERE),
        ("a: [1", Code.PARSE_ERROR, None),
        ("a: b: c", Code.PARSE_ERROR, Place(1, 5)),
        ("\t- a", Code.PARSE_ERROR, Place(1, 1)),
        ("a: \x07", Code.PARSE_ERROR, NOWHERE),
        ("? [a]\n: b", Code.PARSE_ERROR, Place(1, 3)),
        ("a: 1\n---\nb: 2", Code.PARSE_ERROR, Place(2, 1)),
        ("a: &x 1\nb: *x", Code.ALIAS_REFUSED, Place(1, 4)),
        ("b: *x", Code.ALIAS_REFUSED, Place(1, 4)),
        ("&k a: 1", Code.ALIAS_REFUSED, Place(1, 1)),
        ("*k : 1", Code.ALIAS_REFUSED, Place(1, 1)),
        ("a: !!python/object/apply:os.system [x]", Code.ALIAS_REFUSED, Place(1, 4)),
        ("a: !!int '3'", Code.ALIAS_REFUSED, Place(1, 4)),
        ("[" * 200 + "]" * 200, Code.NESTED_TOO_DEEP, None),
        ("- " * 200 + "a", Code.NESTED_TOO_DEEP, None),
        ("[" * 100_000, Code.NESTED_TOO_DEEP, NOWHERE),
        ("[" + "1," * MAX_NODES + "1]", Code.DOCUMENT_TOO_LARGE, NOWHERE),
        ("- 1\n" * (MAX_NODES + 1), Code.DOCUMENT_TOO_LARGE, Place(MAX_NODES, 3)),
    ],
)
def test_refused(data, code, where):
    error = refused(data)
    assert error.code == code
    assert where is None or error.place == where
    assert len(str(error)) < 300


def test_a_duplicate_key_is_refused_with_both_lines():
    error = refused("a: 1\nb:\n  c: 2\n  d: 3\n  c: 4\n", "d.yaml")
    assert (error.code, error.place) == (Code.ELEMENT_DUPLICATED, Place(5, 3))
    assert str(error) == ("d.yaml:5:3: $.b.c: key 'c' stands twice in one map; first in line 3")
    error = refused('{"a": {"x": 1},\n "b": {"x": 1,\n "y": 2,\n "\\u0078": 3}}', "d.json")
    assert (error.code, error.place, error.path) == (
        Code.ELEMENT_DUPLICATED,
        Place(4, 2),
        ("b", "x"),
    )
    assert "first in line 2" in error.text


def test_the_same_key_in_two_maps_is_fine():
    assert read_source('[{"a": 1}, {"a": 2}]', "d").value == [{"a": 1}, {"a": 2}]


def test_ten_megabytes_are_refused_at_once():
    for text in ("x" * (10 << 20), b"x" * (10 << 20), "é" * (MAX_BYTES // 2 + 1)):
        begin = time.process_time()
        assert refused(text).code == Code.DOCUMENT_TOO_LARGE
        assert time.process_time() - begin < 0.1
    assert read_source("é" * 5, "d", max_bytes=10).value == "é" * 5
    assert refused("é" * 5, max_bytes=9).code == Code.DOCUMENT_TOO_LARGE


def test_a_bomb_is_refused_before_it_grows():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{k}: &{k} [{','.join(['*' + p] * 9)}]\n"
        for p, k in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert refused(bomb).code == Code.ALIAS_REFUSED


@pytest.mark.parametrize(
    "text",
    ["[" * 900_000, "{a: " * 200_000, "? " * 300_000, "- - " * 200_000, "'" + "a\n" * 400_000],
    ids=["lists", "maps", "keys", "items", "quote"],
)
def test_hostile_yaml_costs_little(text):
    begin = time.process_time()
    refused(text, "d.yaml")
    assert time.process_time() - begin < 1.0


def test_a_document_of_ten_kilobytes_is_read_in_a_millisecond():
    steps = [{"play": {"url": f"say:Sentence number {i}", "volume": 3}} for i in range(175)]
    text = json.dumps({"version": "1.0.0", "sections": {"main": steps}})
    assert 9_000 < len(text) < 11_000
    costs = []
    for _ in range(20):
        begin = time.process_time()
        read_source(text, "d.json")
        costs.append(time.process_time() - begin)
    assert min(costs) < 0.001


def test_decoded_values_have_no_place():
    source = from_value({"a": [1]}, "reply")
    assert source.place(("a", 0)) == NOWHERE
    assert source.name == "reply"


def test_decoded_values_that_json_cannot_hold_are_refused():
    cyclic: list[object] = []
    cyclic.append(cyclic)
    nested: object = 1
    for _ in range(MAX_DEPTH + 1):
        nested = [nested]
    for value, code in (
        (cyclic, Code.NESTED_TOO_DEEP),
        (nested, Code.NESTED_TOO_DEEP),
        ({1: 2}, Code.PARSE_ERROR),
        ({"a": {3}}, Code.PARSE_ERROR),
        (float("nan"), Code.PARSE_ERROR),
        ("\ud800", Code.PARSE_ERROR),
        ([[0] * 1000] * 101, Code.DOCUMENT_TOO_LARGE),
    ):
        with pytest.raises(DocumentError) as caught:
            from_value(value, "reply")
        assert caught.value.code == code
    assert from_value([None, True, "é", 2**70], "reply").value == [None, True, "é", 2**70]


def test_paths_and_pieces_of_a_document_are_safe_to_print():
    assert format_path(("sections", "main", 2, "play")) == "$.sections.main[2].play"
    assert format_path(("a b", "x\x1b[31m")) == '$["a b"]["x\\x1b[31m"]'
    assert "\x1b" not in str(refused('{"\\u001b": 1, "\\u001b": 2}'))
    assert len(format_path(("k" * 500,))) < 80
