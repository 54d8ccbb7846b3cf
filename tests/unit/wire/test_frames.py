from __future__ import annotations

import json

import pytest

from mediacore.wire import frames
from mediacore.wire.frames import FrameError, Request, Response, parse

CAP = 10_000


def refused(data: str | bytes, cap: int = CAP) -> FrameError:
    with pytest.raises(FrameError) as caught:
        parse(data, cap)
    return caught.value


def text(**fields: object) -> str:
    return json.dumps({"jsonrpc": "2.0", **fields})


def test_request_and_response() -> None:
    asked = parse(text(id="1", method="signalwire.ping", params={"a": [1]}), CAP)
    assert asked == Request("1", "signalwire.ping", {"a": [1]})
    assert parse(text(id=7, method="m"), CAP) == Request(7, "m", {})
    assert parse(text(id="e1", result={}), CAP) == Response("e1")
    assert parse(text(id="e1", error={"code": 1}), CAP) == Response("e1")
    assert parse(text(id=7, method="m", params=None).encode(), CAP) == Request(7, "m", {})


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", frames.PARSE_ERROR),
        ("{", frames.PARSE_ERROR),
        (b"\xff\xfe", frames.PARSE_ERROR),
        (b'{"a":"\xff"}', frames.PARSE_ERROR),
        ('{"a":"\ud800"}', frames.PARSE_ERROR),
        ('{"id":"1","method":"m","params":{"a":1e999}}', frames.PARSE_ERROR),
        ("[" * 5000, frames.PARSE_ERROR),
        ("[]", frames.INVALID_REQUEST),
        ("7", frames.INVALID_REQUEST),
        (text(), frames.INVALID_REQUEST),
        (text(id="1"), frames.INVALID_REQUEST),
        (text(result={}), frames.INVALID_REQUEST),
        (text(method="m"), frames.INVALID_REQUEST),
        (text(id=None, method="m"), frames.INVALID_REQUEST),
        (text(id=True, method="m"), frames.INVALID_REQUEST),
        (text(id=1.5, method="m"), frames.INVALID_REQUEST),
        (text(id="", method="m"), frames.INVALID_REQUEST),
        (text(id="x" * 129, method="m"), frames.INVALID_REQUEST),
        (text(id=2**63, method="m"), frames.INVALID_REQUEST),
        (text(id="1", method=""), frames.INVALID_REQUEST),
        (text(id="1", method=5), frames.INVALID_REQUEST),
        (text(id="1", method="m" * 129), frames.INVALID_REQUEST),
        (text(id="1", method="m", params=[1]), frames.INVALID_PARAMS),
        (text(id="1", method="m", params="x"), frames.INVALID_PARAMS),
    ],
)
def test_unusable_frames(data: str | bytes, code: int) -> None:
    assert refused(data).code == code


def test_the_error_carries_the_id_when_it_could_be_read() -> None:
    assert refused(text(id="a", method="m", params=[])).request_id == "a"
    assert refused(text(id=[1], method="m")).request_id is None


def test_length_is_counted_in_bytes() -> None:
    frame = text(id="1", method="m", params={"t": "é" * 10})
    raw = frame.encode()
    parse(raw, len(raw))
    assert "longer" in refused(raw, len(raw) - 1).message


def nested(depth: int, opening: str, closing: str) -> str:
    inner = opening * depth + "1" + closing * depth
    return '{"id":"1","method":"m","params":{"a":' + inner + "}}"


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"b":', "}")])
def test_depth(opening: str, closing: str) -> None:
    # Two levels are the envelope and params.
    parse(nested(frames.MAX_DEPTH - 2, opening, closing), CAP)
    error = refused(nested(frames.MAX_DEPTH - 1, opening, closing))
    assert error.code == frames.INVALID_REQUEST and error.request_id == "1"


def test_many_brackets_that_are_not_deep_are_fine() -> None:
    params = {"a": [[] for _ in range(200)], "text": "[" * 100}
    assert parse(text(id="1", method="m", params=params), CAP) == Request("1", "m", params)


def test_frames_of_ours() -> None:
    assert json.loads(frames.request_frame("p1", "signalwire.ping", {})) == {
        "jsonrpc": "2.0",
        "id": "p1",
        "method": "signalwire.ping",
        "params": {},
    }
    assert json.loads(frames.result_frame(3, {"code": "200"}))["result"] == {"code": "200"}
    error = json.loads(frames.error_frame(None, -1, "no", "AUTH_REQUIRED"))
    assert error["id"] is None
    assert error["error"] == {
        "code": -1,
        "message": "no",
        "data": {"signalwire_error_code": "AUTH_REQUIRED"},
    }
    assert "data" not in json.loads(frames.error_frame("1", -1, "no"))["error"]


@pytest.mark.parametrize("value", [object(), "\ud800", {1 + 2j: 1}])
def test_what_cannot_be_written(value: object) -> None:
    with pytest.raises(frames.UnencodableError):
        frames.encode({"a": value})


def test_what_contains_itself_cannot_be_written() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(frames.UnencodableError):
        frames.encode(loop)
