from datetime import UTC, datetime

import pytest

from mediacore.assistant._functions import calculate, phone_text, url_text
from mediacore.assistant._values import Meter, json_text, json_value, leading_integer
from mediacore.assistant.templates import TemplateClock, TemplateLimitError, expand

CLOCK = TemplateClock(datetime(2026, 7, 2, 3, 4, 5, tzinfo=UTC))
DATA = {
    "args": {"City": "New York", "n": 72.5, "list": ["a", {"b": "c"}], "quote": 'say "hi" \\'},
    "meta_data": {"t": {"sales": "desk one"}},
    "yes": True,
    "none": None,
    "obj": {"k": [1, "v"]},
}


def fill(template, data=DATA, **options):
    return expand(template, data, CLOCK, **options).text


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("${args.city}!", "New York!"),
        ("%{ARGS.CITY}", "New York"),
        ("${args.list[0]}${args.list[-1].b}", "ac"),
        ("${args.list[2]}", ""),
        ("${args.list[x]}${args.list[0}${args.list[0]x}${args.city[0]}", ""),
        ("${args.list[99999999999]}", ""),
        ("${args.}", ""),
        ("${..args..city}", "New York"),
        ("${missing.path}", ""),
        ("${}", ""),
        ("${yes} ${none} ${args.n}", "true null 72.500000"),
        ("${obj}", '{\n\t"k":\t[1, "v"]\n}'),
        ("$", "$"),
        ("${", "${"),
        ("${args.city", "${args.city"),
        ("} {x} $ {y} 100%", "} {x} $ {y} 100%"),
        ("${ ${args.city}", "${ New York"),
        ("${lc:args.city}", "new york"),
        ("${LC:enc:args.city}", "new%20york"),
        ("${enc:url:args.city}", "New%20York"),
        ("${enc:lc:args.city}", "new%20york"),
        ("${meta_data.t.${lc:args.dept}}", "desk one"),
        ("${meta_data.t.%{args.dept}}", "desk one"),
        ("${meta_data.t.${lc:args.${none}}}", ""),
    ],
)
def test_a_value_is_filled_in(template, expected):
    data = DATA | {"args": DATA["args"] | {"dept": "Sales"}}
    assert fill(template, data) == expected


def test_the_whole_data_has_the_empty_path():
    assert fill("${lc:}", {"A": 1}) == '{\n\t"a":\t1\n}'


def test_nesting_is_one_level_deep():
    data = {"a": {"y": "z"}, "b": {"x": "y"}, "c": "x"}
    assert fill("${a.${b.x}}", data) == "z"
    assert fill("${a.${b.${c}}}", data) == ""


def test_strings_are_escaped_inside_json_text():
    text = fill('{"x": "${args.quote}"}', in_json=True)
    assert json_value(text) == {"x": 'say "hi" \\'}


def test_a_value_is_never_a_template():
    data = {"said": "${secret} @{echo x} %{secret}", "secret": "planted"}
    assert fill("${said}", data) == data["said"]
    assert fill("@{echo ${said}}", data) == data["said"]
    assert fill("${${said}}", data) == ""


def test_what_found_nothing_is_told():
    done = expand("${a} ${args.city} ${b.${a}} ${a}", DATA, CLOCK)
    assert done.unresolved == ("${a}", "${b.${a}}")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("@{echo hello there}", "hello there"),
        ("@{echo ${args.city}}", "New York"),
        ("@{ECHO x}@{echo}", "x"),
        ("@{separate AB 12}", "A B 1 2"),
        ("@{separate @{expr 40 + 2}}", "4 2"),
        ("@{expr (100 - 25) / 5}", "15"),
        ("@{expr ${args.n} * 2}", "145"),
        ("@{strftime_tz UTC %Y-%m-%d %H:%M:%S}", "2026-07-02 03:04:05"),
        ("@{strftime_tz America/Chicago %H:%M %Z}", "22:04 CDT"),
        ("@{strftime_tz Nowhere/City %H}", ""),
        ("@{strftime_tz ../../etc/passwd %H}", ""),
        ("@{strftime_tz UTC}", ""),
        ("@{strftime_tz UTC %999999999d}", "%999999999d"),
        ("@{fmt_ph national +15552345678}", "(555) 234-5678"),
        ("@{fmt_ph 5552345678}", "(555) 234-5678"),
        ("@{fmt_ph international 5552345678}", "+1 555-234-5678"),
        ("@{fmt_ph e164 (555) 234-5678}", "+15552345678"),
        ("@{fmt_ph RFC3966 5552345678}", "tel:+1-555-234-5678"),
        ("@{fmt_ph national:sep:- 5552345678}", "555-234-5678"),
        ("@{fmt_ph e164:sep:. 5552345678}", "+1.555.234.5678"),
        ("@{fmt_ph national +49 30 1234567}", "+49 30 1234567"),
        ("${fmt_ph:phone}", "(555) 234-5678"),
        ("@{unknown ${args.city}}", "@{unknown New York}"),
        ("@{}@{ }@{1}@", "@{}@{ }@{1}@"),
        ("@{echo open", "@{echo open"),
        ("@{echo @{echo @{echo @{echo @{echo deep}}}}}", "@{echo deep}"),
    ],
)
def test_a_function_is_run(template, expected):
    assert fill(template, DATA | {"phone": "1-555-234-5678"}) == expected


def test_functions_work_inside_json_text():
    template = json_text({"a": '@{echo "x" ${args.quote}}', "b": '@{separate A"B}'}, Meter())
    assert json_value(fill(template, in_json=True)) == {"a": '"x" say "hi" \\', "b": 'A " B'}
    assert fill("@{echo \\q}", in_json=True) == "\\\\q"


@pytest.mark.parametrize(
    ("template", "delay_ms"),
    [
        ("@{sleep 2}", 2000),
        ("a@{sleep 0.25}b@{sleep 1}", 1250),
        ("@{sleep 999999}", 30_000),
        ("@{sleep 20}@{sleep 20}", 30_000),
        ("@{sleep -1}@{sleep x}@{sleep}", 0),
    ],
)
def test_a_sleep_is_a_delay_and_no_text(template, delay_ms):
    done = expand(template, {}, CLOCK)
    assert done.delay_ms == delay_ms
    assert done.text == template.replace(template, "ab" if "a@" in template else "")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("-2 - -3", "1"),
        ("+4/8", "0.5"),
        ("1/3", "0.333333"),
        (".5 + 1.", "1.5"),
        ("1 - 2 - 3", "-4"),
        ("8 / 2 / 2", "2"),
        ("1/0", ""),
        ("", ""),
        ("1 +", ""),
        ("1 2", ""),
        ("(1", ""),
        ("1)", ""),
        ("2 ** 3", ""),
        ("__import__('os')", ""),
        ("x", ""),
        ("9" * 257, ""),
        ("(" * 100 + "1" + ")" * 100, ""),
        ("-" * 100 + "1", ""),
        ("9" * 200 + "*" + "9" * 55, str(int(float("9" * 200) * float("9" * 55)))),
        ("1" + "*" + "9" * 120 + "*" + "9" * 120 + "*1", None),
    ],
)
def test_arithmetic_is_closed_and_total(expression, expected):
    result = calculate(expression)
    if expected is not None:
        assert result == expected


def test_an_expression_beyond_a_double_gives_nothing():
    assert calculate("9" * 250 + "*9999") == str(int(float("9" * 250) * 9999))
    assert calculate("*".join(["9" * 80] * 3)) == str(int(float("9" * 80) ** 3))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", "a%20b"),
        ("a/b,c$!'()*-._~", "a/b,c$!'()*-._~"),
        ('#%&+:;<=>?@[\\]^`{|}"', "%23%25%26%2B%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E%60%7B%7C%7D%22"),
        ("%2F%2f%zz%", "%2F%252f%25zz%25"),
        ("ü\n\x7f", "%C3%BC%0A%7F"),
    ],
)
def test_url_encoding(text, expected):
    assert url_text(text) == expected


@pytest.mark.parametrize("number", ["", "12", "055 234 5678", "5551345678", "abc", "25552345678"])
def test_a_number_of_another_plan_stays(number):
    assert phone_text(number) == number


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12abc", 12), (" -3", -3), ("+4", 4), ("x1", 0), ("", 0), ("9" * 40, int("9" * 18))],
)
def test_the_integer_a_text_begins_with(text, expected):
    assert leading_integer(text) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, "null"),
        (3, "3"),
        (-0.5, "-0.500000"),
        (float("inf"), "null"),
        (10**400, "null"),
        ('\x01\n\t"\\é', '"\\u0001\\n\\t\\"\\\\é"'),
        ([], "[]"),
        ({}, "{\n}"),
        ({"a": {"b": []}}, '{\n\t"a":\t{\n\t\t"b":\t[]\n\t}\n}'),
    ],
)
def test_values_as_json_text(value, text):
    assert json_text(value, Meter()) == text


def limit_reason(call):
    with pytest.raises(TemplateLimitError) as caught:
        call()
    return caught.value.reason


def test_output_is_capped():
    data = {"big": "x" * 10_000}
    assert limit_reason(lambda: fill("${big}" * 30, data)) == "too_large"
    assert limit_reason(lambda: fill("x" * 300_000)) == "too_large"
    meter = Meter()
    assert len(fill("x" * 200_000, meter=meter)) == 200_000
    assert limit_reason(lambda: fill("x" * 200_000, meter=meter)) == "too_large"


def test_work_is_capped():
    wide = {str(number): number for number in range(10_000)}
    assert limit_reason(lambda: fill("${9999}" * 100, wide)) == "too_costly"


def test_depth_is_capped():
    deep = value = []
    for _ in range(200):
        value.append([])
        value = value[0]
    assert limit_reason(lambda: fill("${deep}", {"deep": deep})) == "too_deep"
    assert json_value("[" * 100_000).name == "MISSING"


@pytest.mark.parametrize("template", ["${" * 100_000, "@{echo " * 30_000, "{" * 200_000 + "${x}"])
def test_a_hostile_template_ends_soon(template):
    assert isinstance(fill(template), str)
