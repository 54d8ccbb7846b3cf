"""The parameters of `ai` read into values: lenient, with a note for everything odd."""

from decimal import Decimal

import pytest

from mediacore.assistant import AiError, read_config
from mediacore.assistant.limits import RequiredField, StageBudget
from support.ai_cases import document, plain


def paths(config, kind):
    return [note.path for note in config.notes if note.kind == kind]


def test_whole_document():
    config = read_config(document())
    assert [item.name for item in config.functions] == ["look", "order", "foreign", "hangup_hook"]
    assert config.native_functions == ("check_time", "wait_seconds")
    assert config.contexts is not None
    assert config.contexts.start == "default"
    assert config.post_prompt is not None
    assert config.param("local_tz") == "Europe/Berlin"
    assert config.param("end_of_speech_timeout") == 700
    assert config.function("look") is config.functions[0]
    assert config.function("gone") is None
    refused = paths(config, "refused")
    assert "prompt" in refused
    assert "SWAIG.functions.look.description" in refused
    assert "prompt.contexts.default.hello" in refused
    assert "prompt.contexts.default.ask.valid_steps" in paths(config, "missing")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ([], "ai_not_an_object"),
        ({}, "ai_prompt_missing"),
        ({"prompt": {"text": "  "}}, "ai_prompt_missing"),
        ({"prompt": {"contexts": {"default": {"steps": []}}}}, "ai_prompt_missing"),
        ({"prompt": 3, "params": []}, "ai_prompt_missing"),
    ],
)
def test_what_cannot_run_is_refused_with_a_code(raw, code):
    with pytest.raises(AiError) as caught:
        read_config(raw)
    assert caught.value.code == code
    assert caught.value.path in str(caught.value)


def test_languages_fillers_and_ignored_keys():
    config = read_config(
        plain(
            languages=[
                {"name": "English", "code": "en-US", "voice": "a.b", "fillers": ["hm", 3]},
                {"code": "de", "speech_fillers": ["äh"], "emotion": "auto", "colour": 1},
                {},
            ],
            multilingual={"languages": []},
            colour=1,
            hints=["a"],
            pronounce=[{"replace": "a", "with": "b"}],
            SWAIG={
                "internal_fillers": {"next_step": {"en": ["go"]}, "fly": {}},
                "mcp_servers": [{}],
                "includes": [{"url": "http://r"}],
            },
        )
    )
    english, german = config.languages
    assert (english.speech_fillers, english.function_fillers) == (("hm",), ("hm",))
    assert (german.name, german.speech_fillers, german.function_fillers) == ("de", ("äh",), ())
    assert config.internal_fillers == {"next_step": {"en": ("go",)}}
    assert sorted(paths(config, "unknown")) == [
        "SWAIG.internal_fillers.fly",
        "colour",
        "languages[1].colour",
    ]
    assert set(paths(config, "ignored")) == {"multilingual", "mcp_servers", "languages[1].emotion"}


def test_knobs_below_params_are_moved():
    config = read_config(plain(params={"temperature": 0.2, "top_p": 5}))
    assert config.prompt.knobs == {"temperature": 0.2, "top_p": 1.0}
    assert paths(config, "moved") == ["params.temperature", "params.top_p"]


def test_own_keys():
    config = read_config(
        plain(
            params={
                "mediacore_budget": {"seconds": "60", "turns": 4, "tokens": -1, "money": 0.25},
                "mediacore_required": ["name", {"key": "iban", "label": "IBAN", "digits": True}, 3],
                "mediacore_closing": "Goodbye.",
            }
        )
    )
    assert config.budget == StageBudget(60.0, 4, None, Decimal("0.25"))
    assert config.required == (
        RequiredField("name", "name"),
        RequiredField("iban", "IBAN", True),
    )
    assert config.closing == "Goodbye."
    assert paths(config, "wrong_type") == [
        "params.mediacore_budget.tokens",
        "params.mediacore_required[2]",
    ]


def test_nothing_is_silently_dropped():
    config = read_config(
        {
            "prompt": "x",
            "post_prompt": {"text": ""},
            "post_prompt_url": ["u"],
            "global_data": "g",
            "languages": {},
            "hints": 3,
            "SWAIG": [],
            "params": {"end_of_speech_timeout": "x"},
        }
    )
    assert config.post_prompt is None
    assert set(paths(config, "wrong_type")) == {
        "post_prompt_url",
        "global_data",
        "languages",
        "hints",
        "SWAIG",
        "params.end_of_speech_timeout",
    }


def test_undeclared_function_of_a_step_is_noted_unless_it_may_be_included():
    step = {"name": "a", "text": "t", "functions": ["gone", "check_time"]}
    prompt = {"text": "x", "contexts": {"default": {"steps": [step]}}}
    assert paths(read_config({"prompt": prompt}), "missing") == [
        "prompt.contexts.default.a.functions"
    ]
    included = {"includes": [{"url": "http://r", "functions": ["gone"]}]}
    assert paths(read_config({"prompt": prompt, "SWAIG": included}), "missing") == []
