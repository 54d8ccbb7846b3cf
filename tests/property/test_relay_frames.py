"""Whatever a client sends: only documented errors, one answer per request, caps hold."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from mediacore.wire.frames import FrameError, Request, Response, encode, parse
from mediacore.wire.limits import RelayLimits, S
from mediacore.wire.methods import COMMANDS, PERMISSIONS
from mediacore.wire.outbox import Entry, Outbox
from mediacore.wire.relay_actions import Authenticate, Close, Send, Submit
from mediacore.wire.relay_connection import RelayConnection
from mediacore.wire.relay_session import Grant, RelaySession

CAP = 4096

SEEDS = (
    b'{"jsonrpc":"2.0","id":"1","method":"signalwire.connect","params":{"version":{"major":2},'
    b'"authentication":{"project":"p","token":"t"},"contexts":["a"],"event_acks":true}}',
    b'{"jsonrpc":"2.0","id":"2","method":"calling.play","params":{"node_id":"n","call_id":"c",'
    b'"control_id":"k","play":[{"type":"tts","params":{"text":"hi \\u00e9 \\ud83d\\ude00"}}]}}',
    b'{"jsonrpc":"2.0","id":"e1","result":{}}',
    b'{"jsonrpc":"2.0","id":-5,"error":{"code":-1,"message":"x"}}',
    b'{"id":"3","method":"signalwire.receive","params":{"contexts":["a","b"]}}',
)
TOKENS = (
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\u",
    b"\\ud800",
    b"1e999",
    b"-",
    b"null",
    b"\x00",
    b"\xff",
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good frame with pieces cut, doubled, overwritten and rubbish put in."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 12)))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            del data[at:end]
        elif kind == 1:
            data[at:at] = data[at:end] * draw(st.integers(1, 40))
        elif kind == 2:
            data[at:at] = draw(st.sampled_from(TOKENS)) * draw(st.integers(1, 60))
        else:
            data[at:end] = draw(st.binary(max_size=6))
    return bytes(data)


@settings(max_examples=300)
@given(st.binary(max_size=200) | mutated() | st.text(max_size=100))
def test_only_the_documented_error(data: bytes | str) -> None:
    try:
        frame = parse(data, CAP)
    except FrameError as refused:
        error = refused
    else:
        assert isinstance(frame, Request | Response)
        encode(frame.id)
        return
    assert error.message
    assert error.code < 0


methods = st.sampled_from(
    [
        *("signalwire.connect", "signalwire.ping", "signalwire.receive", "signalwire.unreceive"),
        *("signalwire.disconnect", "blade.connect", "messaging.send", "nothing", "calling."),
        *("calling.dial", "calling.play", "calling.end", "calling.pay", "calling.fly"),
    ]
)
param_keys = st.sampled_from(
    [
        *("call_id", "node_id", "state_version", "contexts", "authentication", "version"),
        *("protocol", "authorization_state", "event_acks", "control_id"),
    ]
)


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(methods, st.dictionaries(param_keys, values | st.just("c1"), max_size=4)),
        max_size=12,
    ),
    st.booleans(),
)
def test_every_request_has_exactly_one_answer(
    asked: list[tuple[str, dict[str, object]]], connected: bool
) -> None:
    limits = RelayLimits(open_requests=3)
    connection = RelayConnection(limits, 0)
    session = RelaySession("s", "proto", "x", Grant("p", PERMISSIONS, ("*",), "c"), limits)
    if connected:
        connection.receive(SEEDS[0], 0)
        connection.accept("1", session, (), 0, restored=False, timestamp=0.0)
    for number, (method, params) in enumerate(asked):
        text = json.dumps({"id": f"r{number}", "method": method, "params": params})
        try:
            parse(text, limits.message_bytes)
        except FrameError:
            continue
        actions = connection.receive(text, number)
        for action in list(actions):
            if isinstance(action, Submit):
                assert action.method in COMMANDS
                assert (action.call_id == "") == (action.method == "dial")
                actions += connection.answer(action.request_id, "200", "ok", {})
            elif isinstance(action, Authenticate):
                actions += connection.reject(action.request_id, "no")
        answers = [
            frame
            for action in actions
            if isinstance(action, Send)
            and ("result" in (frame := json.loads(action.frame)) or "error" in frame)
        ]
        assert [each["id"] for each in answers] == [f"r{number}"]
        if any(isinstance(action, Close) for action in actions):
            assert connection.receive(text, number) == []
            assert connection.tick(100 * S) == []
            return


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=60),
    st.integers(1, 8),
    st.integers(1, 200),
)
def test_the_outbox_keeps_its_caps_and_its_order(
    script: list[tuple[bool, int]], events: int, size: int
) -> None:
    outbox = Outbox(events, size)
    waiting: dict[str, bytes] = {}
    for add, number in script:
        if add:
            entry = Entry(outbox.next_id(), b"x" * number)
            fits = len(waiting) < events and sum(map(len, waiting.values())) + number <= size
            assert outbox.add(entry) is fits
            if fits:
                waiting[entry.id] = entry.frame
        else:
            acked = outbox.ack(f"e{number}")
            assert (acked.frame if acked else None) == waiting.pop(f"e{number}", None)
        assert [entry.id for entry in outbox] == list(waiting)
        assert outbox.waiting_bytes == sum(map(len, waiting.values())) <= size
