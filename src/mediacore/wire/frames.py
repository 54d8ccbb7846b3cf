"""JSON-RPC 2.0 frames of the control protocol: bytes to requests and responses, and back.

Everything that arrives is untrusted: size, depth and the shapes of the envelope are checked here,
and the only error that leaves `parse` is `FrameError`. https://www.jsonrpc.org/specification
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mediacore.errors import MediacoreError

MAX_DEPTH = 32
MAX_ID_CHARS = 128
MAX_METHOD_CHARS = 128

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
AUTH_REQUIRED = -32002
TOO_MANY_REQUESTS = -32005

RequestId = str | int


class FrameError(MediacoreError):
    """A frame is unusable. `code` as in JSON-RPC; `request_id` None when it could not be read."""

    def __init__(self, code: int, message: str, request_id: RequestId | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id


class UnencodableError(MediacoreError):
    """Something of ours cannot be written as JSON."""


@dataclass(frozen=True, slots=True)
class Request:
    """The peer asks for something and waits for the answer with the same id."""

    id: RequestId
    method: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """The peer's answer to a request of ours; what it says does not matter to us."""

    id: RequestId


def parse(data: str | bytes, max_bytes: int) -> Request | Response:
    """Read one frame of at most `max_bytes` bytes. Raises FrameError and nothing else."""
    raw = _utf8(data)
    if len(raw) > max_bytes:
        raise FrameError(INVALID_REQUEST, f"the message is longer than {max_bytes} bytes")
    try:
        message = msgspec.json.decode(raw)
    except RecursionError:
        raise FrameError(PARSE_ERROR, "the message is nested too deeply") from None
    except (msgspec.MsgspecError, ValueError):
        raise FrameError(PARSE_ERROR, "the message is not JSON") from None
    if not isinstance(message, dict):
        raise FrameError(INVALID_REQUEST, "the message is not one object")
    # Counting brackets is far cheaper than a walk and bounds the depth from above.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and not _shallow(message):
        raise FrameError(INVALID_REQUEST, f"nested deeper than {MAX_DEPTH}", _id_of(message))
    return _envelope(message)


def request_frame(request_id: str, method: str, params: Mapping[str, object]) -> bytes:
    """A request of ours."""
    return encode({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


def result_frame(request_id: RequestId, result: Mapping[str, object]) -> bytes:
    """The answer to a request of the peer."""
    return encode({"jsonrpc": "2.0", "id": request_id, "result": result})


def error_frame(request_id: RequestId | None, code: int, message: str, reason: str = "") -> bytes:
    """A JSON-RPC error. reason: the word that clients find in data.signalwire_error_code."""
    error: dict[str, object] = {"code": code, "message": message}
    if reason:
        error["data"] = {"signalwire_error_code": reason}
    return encode({"jsonrpc": "2.0", "id": request_id, "error": error})


def encode(value: object) -> bytes:
    """JSON of a value. Raises UnencodableError."""
    try:
        return msgspec.json.encode(value)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UnencodableError(f"cannot be written as JSON: {type(error).__name__}") from None


def _utf8(data: str | bytes) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        return data.encode()
    except UnicodeEncodeError:
        raise FrameError(PARSE_ERROR, "the message is not UTF-8") from None


def _envelope(message: dict[str, Any]) -> Request | Response:
    request_id = _id_of(message)
    if "method" not in message:
        if request_id is not None and ("result" in message or "error" in message):
            return Response(request_id)
        raise FrameError(INVALID_REQUEST, "neither a request nor a response", request_id)
    method = message["method"]
    if request_id is None:
        raise FrameError(INVALID_REQUEST, "a request needs an id of text or a whole number")
    if not isinstance(method, str) or not 0 < len(method) <= MAX_METHOD_CHARS:
        raise FrameError(INVALID_REQUEST, "the method is not a name", request_id)
    params = message.get("params")
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise FrameError(INVALID_PARAMS, "params is not an object", request_id)
    return Request(request_id, method, params)


def _id_of(message: dict[str, Any]) -> RequestId | None:
    request_id = message.get("id")
    if isinstance(request_id, bool):
        return None
    if isinstance(request_id, int):
        return request_id if -(2**63) <= request_id < 2**63 else None
    if isinstance(request_id, str) and 0 < len(request_id) <= MAX_ID_CHARS:
        return request_id
    return None


def _shallow(message: dict[str, Any]) -> bool:
    """Whether no value lies deeper than MAX_DEPTH; without recursion."""
    level: list[Any] = [message]
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                deeper.extend(value.values())
            elif isinstance(value, list):
                deeper.extend(value)
        if not deeper:
            return True
        level = deeper
    return not any(isinstance(value, dict | list) for value in level)
