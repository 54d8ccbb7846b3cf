import importlib.util
from pathlib import Path

import pytest

from mediacore.assistant.params import OWN_KEYS, PARAMS
from mediacore.assistant.prompt import KNOBS
from mediacore.flow.findings import CODES, PUBLIC_CODES, Code
from mediacore.flow.methods import METHODS, Kind, State
from mediacore.flow.spec import Param
from mediacore.flow.values import fault, kind_of

ROOT = Path(__file__).resolve().parents[3]

V1 = {
    *("answer", "hangup", "play", "prompt", "record", "record_call", "stop_record_call", "sleep"),
    *("set", "unset", "cond", "switch", "goto", "label", "execute", "transfer", "return"),
    *("request", "connect", "send_digits", "tap", "stop_tap", "stream", "stop_stream"),
    *("user_event", "detect_machine", "sip_refer", "ai"),
}
LATER = {
    *("ai_sidecar", "amazon_bedrock", "denoise", "enter_queue", "execute_rpc", "join_conference"),
    *("join_room", "live_transcribe", "live_translate", "pay", "receive_fax", "send_fax"),
    *("send_sms", "stop_denoise", "transcribe", "transcribe_stop"),
}


def all_params() -> list[tuple[str, Param]]:
    found: list[tuple[str, Param]] = []

    def walk(path: str, param: Param) -> None:
        found.append((path, param))
        for name, inner in (param.keys or {}).items():
            walk(f"{path}.{name}", inner)
        if param.each is not None:
            walk(f"{path}[]", param.each)

    for name, method in METHODS.items():
        if method.whole is not None:
            walk(name, method.whole)
        for key, param in method.params.items():
            walk(f"{name}.{key}", param)
    return found


def test_the_reference_page_is_current():
    spec = importlib.util.spec_from_file_location("render", ROOT / "tools/render_documents.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    page = (ROOT / "docs/documents.md").read_text(encoding="utf-8")
    assert page == tool.render(), "run tools/render_documents.py"


def test_every_method_of_the_format_is_known():
    assert {n for n, m in METHODS.items() if m.state is State.SUPPORTED} == V1
    assert {n for n, m in METHODS.items() if m.state is State.UNSUPPORTED} == LATER
    assert all(name == method.name for name, method in METHODS.items())


def test_every_code_has_a_meaning_and_the_public_ones_come_first():
    assert set(CODES) == set(Code)
    assert len(PUBLIC_CODES) == 24
    assert Code.INTERNAL_ERROR in PUBLIC_CODES and Code.DOCUMENT_TOO_LARGE not in PUBLIC_CODES
    assert all(code.startswith("relay_script_") for code in Code)


def test_what_is_ignored_says_why():
    assert all(param.note for _, param in all_params() if param.state is State.IGNORED)


def test_defaults_are_values_that_may_stand():
    for path, param in all_params():
        if param.default is None or isinstance(param.default, tuple):
            continue
        kind = kind_of(param, param.default)
        assert kind is not None, path
        assert not fault(kind, param, param.default), path


def test_bare_values_and_groups_name_parameters():
    for method in METHODS.values():
        assert not method.bare or method.bare in method.params
        assert all(name in method.params for group in method.one_of for name in group)


def test_defaults_of_the_published_format():
    play, prompt, connect = (METHODS[n].params for n in ("play", "prompt", "connect"))
    assert (play["volume"].default, play["volume"].low, play["volume"].high) == (0, -40, 40)
    assert [prompt[k].default for k in ("max_digits", "digit_timeout", "initial_timeout")] == [
        1,
        5,
        5,
    ]
    assert [connect[k].default for k in ("timeout", "max_duration")] == [60, 14400]
    assert METHODS["record"].params["direction"].default == "speak"
    assert METHODS["record_call"].params["direction"].default == "both"
    assert METHODS["goto"].params["max"].default == 100
    assert Kind.STATEMENTS in METHODS["execute"].params["on_return"].kinds


def test_the_prompt_takes_the_knobs_that_the_assistant_reads():
    keys = METHODS["ai"].params["prompt"].keys
    assert keys is not None
    for name, spec in KNOBS.items():
        assert (keys[name].default, keys[name].low, keys[name].high) == (
            spec.default,
            spec.minimum,
            spec.maximum,
        )


def test_own_keys_do_not_hide_published_ones():
    assert not set(OWN_KEYS) & set(PARAMS)


@pytest.mark.parametrize(
    ("kind", "value", "wrong"),
    [
        (Kind.INTEGER, 3, ""),
        (Kind.INTEGER, "3", ""),
        (Kind.INTEGER, 3.0, ""),
        (Kind.INTEGER, 3.5, "whole number"),
        (Kind.INTEGER, 11, "outside 0 … 10"),
        (Kind.NUMBER, "x", "not a number"),
        (Kind.NUMBER, 10**400, "not a number"),
        (Kind.NUMBER, -1, "outside 0 … 10"),
        (Kind.FLAG, "TRUE", ""),
        (Kind.FLAG, "yes", "neither true nor false"),
        (Kind.URL, "HTTPS://a", ""),
        (Kind.URL, "ftp://a", "not an http"),
        (Kind.PLAYABLE, "say:x", ""),
        (Kind.PLAYABLE, "x.wav", "cannot be played"),
        (Kind.TEXT, "wav", ""),
        (Kind.TEXT, "waw", "did you mean 'wav'?"),
        (Kind.TEXT, 3, ""),
    ],
)
def test_faults_of_single_values(kind, value, wrong):
    param = Param((kind,), low=0, high=10, values=("wav", "mp3"))
    assert kind_of(param, value) is kind
    found = fault(kind, param, value)
    assert wrong in found if wrong else not found


def test_true_is_no_number():
    assert kind_of(Param((Kind.INTEGER,)), True) is None
    assert kind_of(Param((Kind.INTEGER, Kind.FLAG)), True) is Kind.FLAG
    assert "0 …" not in fault(Kind.INTEGER, Param((Kind.INTEGER,), low=5), 3)
    assert "begins at 5" in fault(Kind.INTEGER, Param((Kind.INTEGER,), low=5), 3)
