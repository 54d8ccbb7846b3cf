"""Published parameters, whatever their senders make of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacore.runtime import reading
from mediacore.runtime.reading import BadParams

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        *("url", "urls", "play", "volume", "loop", "digits", "speech", "max", "terminators"),
        *("digit_timeout", "initial_timeout", "direction", "format", "stereo", "type", "params"),
        *("to", "from", "timeout", "headers", "codecs", "serial", "parallel", "serial_parallel"),
        *("max_digits", "speech_timeout", "detectors", "tone", "text", "name", "duration"),
    ]
)
WORDS = st.sampled_from(
    ["say:x", "ring:us", "ring:9e9:us", "ring:..:us", "silence:1e99", "tts", "audio", "machine", ""]
)
PARAMS = st.dictionaries(KEYS, JSON | WORDS, max_size=6)

READERS: list[Callable[[Any], object]] = [
    reading.url_items,
    lambda p: reading.media_items([p]),
    lambda p: reading.play_data(p, ()),
    reading.collect_data,
    lambda p: reading.prompt_data(p, reading.PlayData(())),
    lambda p: reading.record_data(p, background=True),
    lambda p: reading.record_data(p, background=False),
    lambda p: reading.detect_data(p, 1.0),
    reading.machine_data,
    reading.digits,
    reading.connect_groups,
    lambda p: reading.device_groups([[p]]),
    lambda p: reading.device_groups(p.get("to")),
    lambda p: reading.flag(p, "stereo"),
]


@given(PARAMS, st.sampled_from(range(len(READERS))))
def test_a_reader_reads_or_says_what_is_wrong(params: dict[str, Any], which: int) -> None:
    with contextlib.suppress(BadParams):
        READERS[which](params)


@pytest.mark.parametrize(
    ("value", "number"), [("2.5", 2.5), (3, 3.0), ("", 7.0), (None, 7.0), ("1e2", 100.0)]
)
def test_numbers_as_text(value: object, number: float) -> None:
    assert reading.number({"n": value}, "n", 7) == number


@pytest.mark.parametrize("value", [True, "x", [], {}, "nan", "inf", -1, 10**400, float("inf")])
def test_what_is_no_number(value: object) -> None:
    with pytest.raises(BadParams, match="n: expected"):
        reading.number({"n": value}, "n", 7)


@pytest.mark.parametrize(
    ("value", "on"), [("true", True), ("0", False), (1, True), (None, False), ("off", False)]
)
def test_flags(value: object, on: bool) -> None:
    assert reading.flag({"f": value}, "f") is on


def test_destinations() -> None:
    groups = reading.connect_groups({"serial_parallel": [[{"to": "+1"}], [{"to": "sip:x"}] * 2]})
    assert [[t.kind for t in g] for g in groups] == [["phone"], ["sip", "sip"]]
    with pytest.raises(BadParams):
        reading.connect_groups({})
    with pytest.raises(BadParams):
        reading.connect_groups({"serial": ["x"]})


def test_devices_in_both_spellings() -> None:
    nested = {"type": "sip", "params": {"to": "sip:x", "from": "sip:y", "timeout": 5}}
    flat = {"type": "phone", "to_number": "+1", "from_number": "+2"}
    (one,), (two,) = reading.device_groups([[nested], [flat]])
    assert (one.kind, one.to_number, one.from_number, one.timeout_ms) == (
        "sip",
        "sip:x",
        "sip:y",
        5000,
    )
    assert (two.to_number, two.from_number, two.timeout_ms) == ("+1", "+2", 60_000)


@pytest.mark.parametrize("sent", ["", "12x", "1" * 257, 5.5, None])
def test_digits_that_cannot_be_sent(sent: object) -> None:
    with pytest.raises(BadParams):
        reading.digits({"digits": sent})


def test_texts_have_a_limit() -> None:
    with pytest.raises(BadParams):
        reading.url_item("say:" + "x" * 10_001, {})
    with pytest.raises(BadParams):
        reading.media_items([{"type": "audio", "params": {}}])
