"""No message of a stranger makes a dialect raise."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediacore.wire.streams.catalog import DIALECTS
from mediacore.wire.streams.model import Opened, StreamOptions

KEYS = st.sampled_from(
    [
        *("event", "type", "start", "media", "mark", "dtmf", "payload", "name", "digit", "data"),
        *("streamSid", "stream_id", "stream_sid", "streamId", "mediaFormat", "media_format"),
        *("encoding", "channels", "sampleRate", "sample_rate", "id", "parameters", "chunk"),
        *("track", "content-type", "customParameters", "custom_parameters", "extra_headers"),
        *("participant", "seq", "position"),
    ]
)
WORDS = st.sampled_from(
    [
        *("start", "media", "mark", "dtmf", "stop", "clear", "error", "open", "close", "ping"),
        *("paused", "websocket:connected", "websocket:notify", "websocket:dtmf", "playedStream"),
        *("inbound", "audio/x-mulaw", "audio/l16;rate=16000", "AAAA", "5", "MZ1"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
MESSAGES = st.dictionaries(KEYS, VALUES, max_size=6).map(json.dumps) | st.text(max_size=40)


@pytest.mark.parametrize("name", DIALECTS)
@given(texts=st.lists(MESSAGES, max_size=6))
def test_anything_may_come(name: str, texts: list[str]) -> None:
    dialect = DIALECTS[name](StreamOptions())
    opened = 0
    for text in texts:
        for event in dialect.receive(text):
            opened += isinstance(event, Opened)
    assert opened <= 1
    for out in (*dialect.clear(), *dialect.mark("m"), *dialect.bye(failed=True)):
        assert isinstance(out, str)
    prefix, suffix = dialect.wrap()
    if prefix:
        json.loads(f"{prefix}{suffix}")
