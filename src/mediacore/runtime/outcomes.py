"""What a document finds in its variables after an operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mediacore.runtime import detect, referring
from mediacore.runtime.state import Operation, OpKind, WaitData

Outcome = Mapping[str, object]
_BODY_CHARS: Final = 64_000

_HEADERS: Final = 64


def variables(op: Operation, state: str, outcome: Outcome) -> dict[str, object]:
    """What a document finds in its variables after an operation."""
    match op.kind:
        case OpKind.ANSWER:
            return {"answer_result": "success" if state == "finished" else "failed"}
        case OpKind.PLAY:
            return {"play_result": "finished" if state == "finished" else "failed"}
        case OpKind.PROMPT:
            return _prompt_variables(outcome)
        case OpKind.RECORD:
            return _record_variables(op, state, outcome)
        case OpKind.DIGITS:
            return {"send_digits_result": "success" if state == "finished" else "failed"}
        case OpKind.REFER:
            return referring.variables(op, state, outcome)
        case OpKind.CONNECT:
            return _connect_variables(outcome)
        case OpKind.REQUEST:
            return _request_variables(op, outcome)
        case OpKind.DETECT:
            found = detect.document_result(op)
            return {"detect_result": found, "return_value": found}
        case OpKind.AI:
            result = outcome.get("result", "success")
            return {"ai_result": result, "return_value": result}
        case OpKind.TAP:
            return {"tap_result": "failed"} if "error" in outcome else {}
        case OpKind.STREAM:
            return {"stream_result": "failed"} if "error" in outcome else {}
    return {}


def _prompt_variables(outcome: Outcome) -> dict[str, object]:
    result = outcome.get("result")
    result = result if isinstance(result, Mapping) else {}
    params = result.get("params")
    params = params if isinstance(params, Mapping) else {}
    match result.get("type"):
        case "digit":
            return {
                "prompt_result": "match_digits",
                "prompt_value": params.get("digits", ""),
                "prompt_digit_terminator": params.get("terminator", ""),
                "return_value": params.get("digits", ""),
            }
        case "speech":
            return {
                "prompt_result": "match_speech",
                "prompt_value": params.get("text", ""),
                "prompt_speech_confidence": params.get("confidence", 0),
                "return_value": params.get("text", ""),
            }
        case "no_input" | "no_match" as kind:
            return {"prompt_result": kind, "prompt_value": "", "return_value": kind}
    return {"prompt_result": "failed", "prompt_value": "", "return_value": "failed"}


def _record_variables(op: Operation, state: str, outcome: Outcome) -> dict[str, object]:
    name = "record" if op.awaited else "record_call"
    result = {"finished": "success", "no_input": "no_input"}.get(state, "failed")
    return {
        f"{name}_url": outcome.get("url", ""),
        f"{name}_result": result,
        "record_control_id": op.id,
    }


def _connect_variables(outcome: Outcome) -> dict[str, object]:
    result = str(outcome.get("result", "failed"))
    found: dict[str, object] = {"connect_result": result, "return_value": result}
    if result == "failed":
        found["connect_failed_reason"] = outcome.get("reason", "error")
    return found


def _headers(found: object) -> dict[str, str]:
    """As documents read them: named in lower case, a limited number."""
    pairs = list(found.items())[:_HEADERS] if isinstance(found, Mapping) else []
    return {str(name).strip().lower(): str(value) for name, value in pairs}


def _request_variables(op: Operation, outcome: Outcome) -> dict[str, object]:
    assert isinstance(op.data, WaitData)
    error = outcome.get("error")
    status = outcome.get("status", 0)
    ok = not error and isinstance(status, int) and 200 <= status < 300
    body = str(outcome.get("body", ""))[:_BODY_CHARS]
    found: dict[str, object] = {
        "request_url": op.data.note,
        "request_result": "success" if ok else "failed",
        "return_value": "success" if ok else "failed",
        "request_response_code": status,
        "request_response_headers": _headers(outcome.get("headers")),
        "request_response_body": body,
    }
    if op.data.save and outcome.get("decoded") is not None:
        found["request_response"] = outcome["decoded"]
    return found
