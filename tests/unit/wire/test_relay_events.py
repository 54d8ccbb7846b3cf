from __future__ import annotations

import json

import pytest

from mediacore.wire.frames import UnencodableError
from mediacore.wire.limits import RelayLimits
from mediacore.wire.methods import PERMISSIONS
from mediacore.wire.relay_events import event_entry, event_params
from mediacore.wire.relay_session import Grant, RelaySession


def test_params_get_node_and_call() -> None:
    given = {"state": "playing", "call": {"call_id": "x"}, "peer": {"call_id": "y", "node_id": "n"}}
    full = json.loads(bytes(event_params(given, "c1", "node")))
    assert full == {
        "state": "playing",
        "node_id": "node",
        "call_id": "c1",
        "call": {"call_id": "x", "node_id": "node"},
        "peer": {"call_id": "y", "node_id": "n"},
    }
    assert given["call"] == {"call_id": "x"}


def test_without_a_call_there_is_no_call_id() -> None:
    assert "call_id" not in json.loads(bytes(event_params({}, "", "node")))


def test_params_that_cannot_be_written() -> None:
    with pytest.raises(UnencodableError):
        event_params({"a": object()}, "", "node")


def test_envelope() -> None:
    grant = Grant("p", PERMISSIONS, ("*",), "c")
    session = RelaySession("s", "proto", "secret", grant, RelayLimits())
    params = event_params({"state": "x"}, "c1", "node")
    first = event_entry(session, "calling.call.play", params, timestamp=1.5)
    last = event_entry(session, "calling.call.state", params, timestamp=2.5, ends="c1")
    assert (first.id, first.ends, last.id, last.ends) == ("e1", "", "e2", "c1")
    assert json.loads(first.frame) == {
        "jsonrpc": "2.0",
        "id": "e1",
        "method": "signalwire.event",
        "params": {
            "event_type": "calling.call.play",
            "event_channel": "proto",
            "timestamp": 1.5,
            "project_id": "p",
            "space_id": "",
            "params": {"state": "x", "node_id": "node", "call_id": "c1"},
        },
    }
