"""The fuzz targets on mutated seeds, and every input that ever broke one, by name."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.seeds import dictionary, seeds
from fuzz.targets import TARGETS
from mediacore.assistant._values import MISSING, json_value
from mediacore.assistant.actions import read_actions
from mediacore.assistant.notes import MOST_NOTES
from mediacore.errors import ProviderError
from mediacore.slots.llm import LlmText, ToolCall
from mediacore.slots.policy import LlmPolicy
from mediacore.slots.screens import LlmScreen
from mediacore.web.url import UrlError, parse_url

HALF = "\ud800"


@st.composite
def mutated(draw: st.DrawFn, target: str) -> bytes:
    """A seed with pieces cut, doubled, overwritten, and words put in."""
    data = bytearray(draw(st.sampled_from(seeds(target))))
    words = st.sampled_from(dictionary(target)) | st.binary(max_size=4)
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 16)))
        match draw(st.integers(0, 3)):
            case 0:
                del data[at:end]
            case 1:
                data[at:at] = data[at:end] * draw(st.integers(1, 20))
            case 2:
                data[at:at] = draw(words)
            case _:
                data[at:end] = draw(words)
    return bytes(data)


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_are_taken(target: str) -> None:
    assert len(seeds(target)) > 1
    for data in seeds(target):
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_mutated_seeds_raise_nothing_that_is_not_documented(target: str) -> None:
    @given(mutated(target))
    @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    def run(data: bytes) -> None:
        TARGETS[target](data)

    run()


REGRESSIONS = {
    "half_a_pair_in_the_url_of_a_data_map": (
        "templates",
        b'{"a": 1}\n{"webhooks": [{"url": "https://a/\\ud800${args.a}", "output": {}}]}',
    ),
    "half_a_pair_in_the_credentials_of_a_data_map": (
        "templates",
        b'{"a": 1}\n{"webhooks": [{"url": "https://u:\\ud800@a/", "output": {"response": "x"}}]}',
    ),
    "blank_before_a_broken_status_line": ("sip", b"\0SIP/1.0AC\xcb0\r\0SIP/1.0\n"),
    "a_version_as_reason": ("sip", b"SIP/2.0 180\0\0 SIP/1.0\r\nVia: S\xc02.0\n"),
    "half_a_pair_in_a_reply": ("swaig", b'{"response": "\\ud800", "action": [{"say": "\\udc00"}]}'),
}


@pytest.mark.parametrize("name", REGRESSIONS)
def test_what_once_broke_a_target(name: str) -> None:
    target, data = REGRESSIONS[name]
    TARGETS[target](data)


def test_a_url_with_half_a_pair_is_refused() -> None:
    with pytest.raises(UrlError):
        parse_url(f"https://a/{HALF}")


def test_half_a_pair_in_the_reply_of_a_data_map_is_replaced() -> None:
    assert json_value('{"a": "x\\ud800y", "b": "\\ud83d\\ude00"}') == {"a": "x\ufffdy", "b": "😀"}
    assert json_value('"\\ud83d') is MISSING


@pytest.mark.parametrize(
    "arguments",
    [
        '{"a": "\\ud800"}',
        '{"a": ' * 100_000,
        '{"a": "' + "x" * 70_000 + '"}',
        "[1]",
        "null",
        f'{{"a": "{HALF}"}}',
    ],
)
def test_a_model_with_unusable_arguments_is_refused(arguments: str) -> None:
    with pytest.raises(ProviderError):
        LlmScreen(LlmPolicy()).admit(ToolCall("1", "f", arguments))


def test_a_model_with_half_a_pair_or_too_many_calls_is_refused() -> None:
    screen = LlmScreen(LlmPolicy())
    for event in (LlmText(f"a{HALF}"), ToolCall("1", HALF, "{}")):
        with pytest.raises(ProviderError):
            screen.admit(event)
    screen = LlmScreen(LlmPolicy())
    with pytest.raises(ProviderError):
        for n in range(100):
            screen.admit(ToolCall(str(n), "f", '{"a": "\\ud83d\\ude00"}'))


def test_notes_on_a_reply_are_bounded() -> None:
    reply = json.loads(json.dumps([{f"action_{n}" + "x" * 5_000: n} for n in range(5_000)]))
    actions, notes = read_actions(reply)
    assert actions == () and len(notes) == MOST_NOTES + 1
    assert notes[-1].text.startswith("4800 more") and all(len(n.path) <= 200 for n in notes)
