import json
from types import MappingProxyType, SimpleNamespace

import pytest

from mediacore.flow.findings import Code, Finding, Severity, did_you_mean
from mediacore.flow.source import Place, from_value, read_source
from mediacore.flow.validate import MAX_NESTING, MAX_STATEMENTS, Examination, examine

TABLE = MappingProxyType(
    {
        "energy_level": SimpleNamespace(state="supported", note=""),
        "cache_mode": SimpleNamespace(state="ignored", note="there is no cache"),
        "plain": SimpleNamespace(state="ignored", note=""),
    }
)


def look(*main: object, **sections: object) -> Examination:
    value = {"sections": {"main": list(main), **sections}}
    return examine(from_value(value, "doc"), ai_params=TABLE)


def only(*main: object, **sections: object) -> Finding:
    """The one finding of a document."""
    findings = look(*main, **sections).findings
    assert len(findings) == 1, [str(f) for f in findings]
    return findings[0]


def deep(levels: int) -> object:
    statement: object = "hangup"
    for _ in range(levels):
        statement = {"cond": [{"when": "true", "then": [statement]}]}
    return statement


GOOD = [
    "hangup",
    {"hangup": None},
    {"hangup": {"reason": "busy"}},
    {"answer": {"max_duration": 60}},
    {"play": {"url": "say:Hello"}},
    {"play": {"urls": ["https://a/b.wav", "silence:2", "ring:us", "${file}"]}},
    {"play": "say:Hello"},
    {"play": {"url": "%{vars.greeting}", "volume": "${volume}", "auto_answer": "false"}},
    {"sleep": 500},
    {"sleep": {"duration": "500"}},
    {"set": {"a": {"b": [1, None]}}},
    {"unset": "a"},
    {"unset": ["a", "b"]},
    {"return": None},
    {"return": [{"a": 1}]},
    {"switch": {"variable": "call.type", "case": {"sip": ["hangup"]}, "default": []}},
    {"cond": [{"when": "x == 1", "then": ["hangup"]}, {"else": [{"label": "x"}]}]},
    {"cond": [{"when": "x == 1", "then": ["hangup"], "else": ["answer"]}]},
    {"execute": {"dest": "main", "params": {"a": 1}, "on_return": ["hangup"]}},
    {"execute": {"dest": "https://example.com/x", "result": {"case": {"1": ["hangup"]}}}},
    {"execute": {"dest": "main", "result": [{"when": "a", "then": []}]}},
    {"execute": {"dest": {"sections": {"main": ["hangup"]}}}},
    {"transfer": "${where}"},
    {"transfer": {"dest": '{"sections": {}}', "meta": {"a": 1}}},
    {"request": {"url": "https://a", "method": "GET", "headers": {"X-A": "b"}, "timeout": 2.5}},
    {"connect": {"to": "+15551234567", "timeout": 20}},
    {"connect": {"serial": [{"to": "sip:a@b"}, {"to": "sip:c@d", "from": "+1555"}]}},
    {"connect": {"serial_parallel": [[{"to": "a"}], [{"to": "b"}, {"to": "c"}]]}},
    {"connect": {"to": "a", "confirm": [{"play": "say:x"}, "hangup"], "ringback": ["ring:us"]}},
    {"connect": {"to": "a", "confirm": "https://a/b", "ringback": {"url": "say:x", "loop": True}}},
    {"send_digits": "12w3"},
    {"tap": {"uri": "rtp://127.0.0.1:5000", "codec": "PCMA"}},
    {"stop_tap": {}},
    "stop_tap",
    {"stream": {"url": "wss://a", "custom_parameters": {"a": 1}}},
    {"user_event": {"event": {"a": 1}}},
    {"detect_machine": {"detectors": "amd", "timeout": 5}},
    {"ai": {"prompt": {"text": "Hello", "temperature": 0.3}}},
    {"ai": {"prompt": "Hello", "hints": ["a", {"hint": "b", "pattern": "c"}]}},
    {"ai": {"prompt": {"pom": [{"title": "a", "body": "b"}]}, "params": {"energy_level": 40}}},
]


@pytest.mark.parametrize("statement", GOOD, ids=lambda s: json.dumps(s)[:60])
def test_nothing_to_say(statement):
    assert look(statement).findings == ()


W, E, I, U = Severity.WARNING, Severity.ERROR, Severity.IGNORED, Severity.UNSUPPORTED  # noqa: E741


@pytest.mark.parametrize(
    ("statement", "severity", "code", "path", "text"),
    [
        ({"plya": {}}, E, Code.METHOD_UNDEFINED, ("plya",), "did you mean 'play'?"),
        ("hangupp", E, Code.METHOD_UNDEFINED, (), "did you mean 'hangup'?"),
        ({"zzz": 1}, E, Code.METHOD_UNDEFINED, ("zzz",), "there is no method 'zzz'"),
        ({}, E, Code.METHOD_MISSING_NAME, (), "this one names none"),
        ({"a\x1b": 1, "b": 2}, E, Code.METHOD_MISSING_NAME, (), "'a\\x1b', 'b'"),
        (7, E, Code.METHOD_MISSING_NAME, (), "a statement is a map"),
        ({"pay": {"x": 1}}, U, Code.METHOD_UNSUPPORTED, ("pay",), "pay_result becomes 'failed'"),
        ("denoise", U, Code.METHOD_UNSUPPORTED, (), "not supported"),
        (
            {"play": {"url": "say:x", "volme": 3}},
            W,
            Code.PARAMETER_UNDEFINED,
            ("play", "volme"),
            "did you mean 'volume'?",
        ),
        (
            {"play": {"url": "say:x", "volume": 99}},
            W,
            Code.PARAMETER_INVALID_VALUE,
            ("play", "volume"),
            "outside -40 … 40",
        ),
        (
            {"play": {"url": "say:x", "volume": [1]}},
            W,
            Code.ELEMENT_WRONG_TYPE,
            ("play", "volume"),
            "a list cannot stand here; expected number",
        ),
        ({"play": {}}, W, Code.PARAMETER_MISSING, ("play",), "one of url, urls"),
        (
            {"play": {"url": "say:x", "urls": []}},
            W,
            Code.PARAMETER_CONFLICT,
            ("play",),
            "url and urls exclude",
        ),
        ({"play": {"urls": ["x"]}}, W, Code.PARAMETER_INVALID_VALUE, ("play", "urls", 0), "played"),
        ({"transfer": None}, W, Code.PARAMETER_MISSING, ("transfer",), "'dest' is missing"),
        ({"transfer": "mian"}, W, Code.SECTION_UNDEFINED, ("transfer", "dest"), "'main'?"),
        ({"goto": "x"}, W, Code.LABEL_UNDEFINED, ("goto", "label"), "no label 'x'"),
        (
            {"goto": {"label": "${x}", "max": 101}},
            W,
            Code.PARAMETER_INVALID_VALUE,
            ("goto", "max"),
            "outside",
        ),
        ({"answer": 5}, W, Code.ELEMENT_WRONG_TYPE, ("answer",), "are a map"),
        ({"set": [1]}, W, Code.ELEMENT_WRONG_TYPE, ("set",), "expected map"),
        ({"cond": {}}, W, Code.ELEMENT_WRONG_TYPE, ("cond",), "list of when, then, else"),
        ({"cond": [1]}, W, Code.ELEMENT_WRONG_TYPE, ("cond", 0), "an entry is a map"),
        ({"cond": [{"then": []}]}, W, Code.PARAMETER_MISSING, ("cond", 0), "'when' is missing"),
        ({"cond": [{"when": "a"}]}, W, Code.PARAMETER_MISSING, ("cond", 0), "'then' is missing"),
        (
            {"cond": [{"when": 3, "then": []}]},
            W,
            Code.ELEMENT_WRONG_TYPE,
            ("cond", 0, "when"),
            "JavaScript",
        ),
        (
            {"cond": [{"when": "a", "then": [], "elze": []}]},
            W,
            Code.PARAMETER_UNDEFINED,
            ("cond", 0, "elze"),
            "did you mean 'else'?",
        ),
        (
            {"cond": [{"when": "a", "then": "hangup"}]},
            W,
            Code.ELEMENT_WRONG_TYPE,
            ("cond", 0, "then"),
            "expected list of statements",
        ),
        (
            {"switch": {"variable": "a", "case": {"1": {}}}},
            W,
            Code.ELEMENT_WRONG_TYPE,
            ("switch", "case", "1"),
            "list of statements",
        ),
        (
            {"connect": {"to": "a", "codecs": "PCMU"}},
            I,
            Code.PARAMETER_IGNORED,
            ("connect", "codecs"),
            "the gateway in front decides",
        ),
        (
            {"connect": {"to": "a", "confirm": ["answer"]}},
            W,
            Code.ELEMENT_INVALID_VALUE,
            ("connect", "confirm", 0),
            "'answer' cannot stand in 'confirm'",
        ),
        (
            {"connect": {"serial": [{}]}},
            W,
            Code.PARAMETER_MISSING,
            ("connect", "serial", 0),
            "'to'",
        ),
        (
            {"request": {"url": "file:///etc/passwd", "method": "GET"}},
            W,
            Code.PARAMETER_INVALID_VALUE,
            ("request", "url"),
            "not an http",
        ),
        (
            {"ai": {"prompt": "a", "params": {"enregy_level": 3}}},
            W,
            Code.PARAMETER_UNDEFINED,
            ("ai", "params", "enregy_level"),
            "did you mean 'energy_level'?",
        ),
        (
            {"ai": {"prompt": "a", "params": {"cache_mode": True}}},
            I,
            Code.PARAMETER_IGNORED,
            ("ai", "params", "cache_mode"),
            "there is no cache",
        ),
        (
            {"ai": {"prompt": "a", "params": {"plain": True}}},
            I,
            Code.PARAMETER_IGNORED,
            ("ai", "params", "plain"),
            "not acted upon",
        ),
        (
            {"ai": {"prompt": "a", "params": {"top_p": 1}}},
            W,
            Code.PARAMETER_UNDEFINED,
            ("ai", "params", "top_p"),
            "it stands in 'prompt'",
        ),
        ({"ai": {}}, W, Code.PARAMETER_MISSING, ("ai",), "'prompt' is missing"),
        (
            {"ai": {"prompt": {"contexts": {"default": {"steps": [{"text": "a"}]}}}}},
            W,
            Code.PARAMETER_MISSING,
            ("ai", "prompt", "contexts", "default", "steps", 0),
            "'name' is missing",
        ),
    ],
)
def test_one_finding(statement, severity, code, path, text):
    found = only(statement)
    assert (found.severity, found.code) == (severity, code)
    assert found.path == ("sections", "main", 0, *path)
    assert text in found.text


def function(output: object, where: str = "output") -> object:
    data_map: object = {"output": output}
    if where == "webhooks":
        data_map = {"webhooks": [{"url": "https://a", "output": output}]}
    elif where == "expressions":
        data_map = {"expressions": [{"string": "a", "pattern": "b", "output": output}]}
    functions = [{"function": "f", "description": "d", "data_map": data_map}]
    return {"ai": {"prompt": "a", "SWAIG": {"functions": functions}}}


BAD = {"sections": {"main": [{"plya": {}}]}}


@pytest.mark.parametrize(
    "statement",
    [
        {"cond": [{"when": "a", "then": [{"plya": 1}]}]},
        {"cond": [{"when": "a", "then": [], "else": [{"plya": 1}]}]},
        {"cond": [{"else": [{"plya": 1}]}]},
        {"switch": {"variable": "a", "case": {"x": [{"plya": 1}]}}},
        {"switch": {"variable": "a", "case": {}, "default": [{"plya": 1}]}},
        {"execute": {"dest": BAD}},
        {"execute": {"dest": "main", "on_return": [{"plya": 1}]}},
        {"execute": {"dest": "main", "result": {"case": {"x": [{"plya": 1}]}}}},
        {"execute": {"dest": "main", "result": [{"when": "a", "then": [{"plya": 1}]}]}},
        {"transfer": {"dest": BAD}},
        {"connect": {"to": "a", "confirm": [{"plya": 1}]}},
        {"connect": {"to": "a", "result": {"case": {"x": [{"plya": 1}]}}}},
        {"connect": {"to": "a", "transfer_after_bridge": BAD}},
        {"connect": {"parallel": [{"to": "a", "confirm": [{"plya": 1}]}]}},
        function({"response": "x", "action": [{"SWML": BAD, "transfer": True}]}),
        function({"response": "x", "action": {"SWML": BAD}}),
        function({"response": "x", "action": [{"say": "a"}, {"SWML": BAD}]}, "webhooks"),
        function({"response": "x", "action": [{"SWML": BAD}]}, "expressions"),
    ],
    ids=lambda s: json.dumps(s)[:70],
)
def test_an_unknown_method_is_found_wherever_it_is_nested(statement):
    found = only(statement)
    assert found.severity is Severity.ERROR
    assert found.code == Code.METHOD_UNDEFINED
    assert found.path[-1] == "plya"


def test_statements_are_listed_in_document_order_with_nested_ones():
    found = look(
        {"cond": [{"when": "a", "then": ["answer"], "else": [{"play": "say:x"}]}]},
        function({"response": "x", "action": [{"SWML": {"sections": {"main": ["hangup"]}}}]}),
        other=["return"],
    )
    assert [s.method for s in found.statements] == [
        "cond",
        "answer",
        "play",
        "ai",
        "hangup",
        "return",
    ]
    assert [s.method for s in found.sections["main"]] == ["cond", "ai"]


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (None, Code.SECTIONS_MISSING, "a map with 'sections'"),
        ([], Code.ELEMENT_WRONG_TYPE, "a map with 'sections'"),
        ({}, Code.SECTIONS_MISSING, "no 'sections'"),
        ({"sections": []}, Code.ELEMENT_WRONG_TYPE, "map of name"),
        ({"sections": {"mian": ["hangup"]}}, Code.MAIN_SECTION_MISSING, "did you mean 'mian'?"),
        ({"sections": {"main": {}}}, Code.ELEMENT_WRONG_TYPE, "list of statements"),
        ({"version": "2.0.0", "sections": {"main": ["hangup"]}}, Code.VERSION_INVALID, "2.0.0"),
    ],
)
def test_what_cannot_run_at_all(value, code, text):
    found = examine(from_value(value, "doc")).findings[0]
    assert (found.severity, found.code) == (Severity.ERROR, code)
    assert text in found.text


@pytest.mark.parametrize("version", ["1.0.0", 1, 1.0, "1", "${v}"])
def test_versions_that_are_taken(version):
    value = {"version": version, "sections": {"main": ["hangup"]}}
    assert examine(from_value(value, "doc")).findings == ()


def test_a_document_within_a_document_may_be_malformed_until_it_is_reached():
    assert only({"execute": {"dest": {"sections": {}}}}).severity is Severity.WARNING
    assert only({"transfer": {"dest": {"a": 1, "sections": {"main": ["hangup"]}}}}).code == (
        Code.ELEMENT_UNDEFINED
    )


def test_sections_of_a_document_are_its_own():
    inner = {"sections": {"main": [{"execute": "there"}], "there": ["hangup"]}}
    assert look({"execute": {"dest": inner}}).findings == ()
    assert only({"execute": "there"}, {"execute": {"dest": inner}}).code == Code.SECTION_UNDEFINED


def test_labels_belong_to_their_section():
    jump = {"goto": {"label": "x"}}
    assert look({"label": "x"}, jump).findings == ()
    assert look({"cond": [{"when": "a", "then": [jump]}]}, {"label": "x"}).findings == ()
    assert only(jump, other=[{"label": "x"}]).code == Code.LABEL_UNDEFINED
    inner = {"execute": {"dest": {"sections": {"main": [jump]}}}}
    assert only({"label": "x"}, inner).code == Code.LABEL_UNDEFINED


def test_a_label_that_stands_twice_names_the_first_line():
    text = "sections:\n  main:\n    - label: a\n    - label: a\n"
    (found,) = examine(read_source(text, "d.yaml")).findings
    assert found.place == Place(4, 7)
    assert "first in line 3" in found.text
    assert found.code == Code.ELEMENT_DUPLICATED
    assert only({"label": "a"}, {"label": "a"}, other=[{"label": "a"}]).severity is W


def test_empty_sections_and_keys_at_the_top_are_warnings():
    found = examine(from_value({"sections": {"main": []}, "vresion": 1}, "doc")).findings
    assert [f.code for f in found] == [Code.ELEMENT_UNDEFINED, Code.SECTION_CODE_MISSING]
    assert "did you mean 'version'?" in found[0].text


def test_depth_has_a_limit():
    assert look(deep(MAX_NESTING - 1)).findings == ()
    found = only(deep(MAX_NESTING))
    assert (found.severity, found.code) == (Severity.ERROR, Code.NESTED_TOO_DEEP)


def test_documents_within_documents_count_as_depth():
    value: object = {"sections": {"main": ["hangup"]}}
    for _ in range(MAX_NESTING):
        value = {"sections": {"main": [{"execute": {"dest": value}}]}}
    (found,) = examine(from_value(value, "doc")).findings
    assert found.code == Code.NESTED_TOO_DEEP


def test_statements_have_a_limit():
    assert look(*["hangup"] * MAX_STATEMENTS).findings == ()
    found = look(*["hangup"] * (MAX_STATEMENTS + 5))
    assert [f.code for f in found.findings] == [Code.TOO_MANY_STATEMENTS]
    assert len(found.statements) == MAX_STATEMENTS
    half = ["hangup"] * MAX_STATEMENTS
    nested = look({"cond": [{"when": "a", "then": half}]})
    assert [f.code for f in nested.findings] == [Code.TOO_MANY_STATEMENTS]


def test_ai_params_are_not_looked_at_without_a_table():
    value = {"sections": {"main": [{"ai": {"prompt": "a", "params": {"whatever": 1}}}]}}
    assert examine(from_value(value, "doc")).findings == ()


def test_a_finding_reads_well():
    text = "sections:\n  main:\n    - play:\n        url: say:x\n        volme: 3\n"
    (found,) = examine(read_source(text, "d.yaml")).findings
    assert str(found) == (
        "5:9: $.sections.main[0].play.volme: 'volme' means nothing here (did you mean 'volume'?)"
    )
    assert str(only({"goto": "x"})).startswith("$.sections.main[0]")


def test_did_you_mean_says_nothing_far_fetched():
    assert did_you_mean("qqq", ["play"]) == ""
    assert did_you_mean("x" * 10_000, ["play"]) == ""
