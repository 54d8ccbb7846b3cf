"""Input of the caller: digits, speech, or whichever comes first."""

from __future__ import annotations

from mediacore.call.inputs import SttFailed, TranscriptFinal, TranscriptPartial
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import CollectData, Operation

Result = dict[str, object]

_FINAL_MS = 2500  # a recogniser that owes a final is given up after so long
_MS_US = 1000


def digits_result(data: CollectData, terminator: str) -> Result:
    """Digits as published."""
    return {"type": "digit", "params": {"digits": data.got, "terminator": terminator}}


def speech_result(data: CollectData) -> Result:
    """Speech as published. Confidence in percent."""
    confidence = 100.0 if data.confidence is None else round(data.confidence * 100, 2)
    return {"type": "speech", "params": {"text": data.text.strip(), "confidence": confidence}}


def begins(d: Draft, op: Operation, kind: str) -> None:
    """The caller begins to give input; tells it where that is wanted. kind: "digit" or "speech"."""
    data = _data(op)
    if data.got or data.text or data.speech_us is not None:
        return
    if data.start_of_input:
        result = {"type": "start_of_input", "params": {"type": kind}}
        d.publish("collect", op.line, {"control_id": op.id, "result": result, "final": False})


def digit(d: Draft, op: Operation, key: str) -> Result | None:
    """A key was pressed. The result when that makes the input complete."""
    data = _data(op)
    rules = data.digits
    if rules is None:
        return None
    if key in rules.terminators:
        return digits_result(data, key) if data.got or data.speech is None else None
    begins(d, op, "digit")
    d.set_op(op.id, got=data.got + key, digit_us=d.now, since_us=None)
    data = _data(d.state.ops[op.id])
    if len(data.got) >= rules.max:
        return digits_result(data, "")
    if data.partial:
        _partial(d, op, digits_result(data, ""))
    return None


def speech(d: Draft, op: Operation, *, started: bool) -> None:
    """The caller's voice began or ended."""
    data = _data(op)
    if data.speech is None or data.got:
        return
    if started:
        begins(d, op, "speech")
        d.set_op(op.id, speech_us=d.now, since_us=None)
    elif data.speech_us is not None:
        d.set_op(op.id, speech_us=None, final_us=d.now)


def heard(
    d: Draft, op: Operation, result: TranscriptPartial | TranscriptFinal | SttFailed
) -> Result | None:
    """The recogniser's words. The result when there is nothing more to wait for."""
    data = _data(op)
    if data.speech is None or data.got:
        return None
    match result:
        case TranscriptPartial():
            if result.text and data.partial:
                now: Result = {"type": "speech", "params": {"text": result.text, "confidence": 0.0}}
                _partial(d, op, now)
        case TranscriptFinal() if result.text:
            text = f"{data.text} {result.text}".strip()
            d.set_op(op.id, text=text, confidence=result.confidence, since_us=None)
            if data.final_us is None and data.speech_us is None:
                d.set_op(op.id, final_us=d.now)
        case SttFailed():
            return _deaf(d, op)
    return None


def _deaf(d: Draft, op: Operation) -> Result | None:
    """Nothing more will be recognised: what there is counts, else keys must do."""
    data = _data(op)
    if data.text.strip():
        return speech_result(data)
    if data.digits is None:
        return {"type": "error"}
    waits = data.since_us is not None or data.play is not None
    d.set_op(op.id, speech=None, since_us=data.since_us if waits else d.now)
    return None


def due_us(op: Operation) -> int | None:
    """When silence decides, if nothing more comes."""
    data = _data(op)
    if data.play is not None:
        return None
    if data.got and data.digits is not None:
        return data.digit_us + data.digits.gap_ms * _MS_US
    rules = data.speech
    if rules is not None and data.speech_us is not None:
        return data.speech_us + rules.limit_ms * _MS_US
    if rules is not None and data.final_us is not None:
        wait_ms = rules.end_ms if data.text else max(rules.end_ms, _FINAL_MS)
        return data.final_us + wait_ms * _MS_US
    if data.since_us is not None:
        return data.since_us + data.initial_ms * _MS_US
    return None


def times_out(op: Operation) -> Result:
    """The silence has lasted: what the input is."""
    data = _data(op)
    if data.got:
        return digits_result(data, "")
    if data.text.strip():
        return speech_result(data)
    if data.speech_us is not None or data.final_us is not None:
        return {"type": "no_match"}
    return {"type": "no_input"}


def again(d: Draft, op: Operation) -> None:
    """A continuous collect goes on with nothing."""
    d.set_op(op.id, got="", text="", confidence=None, final_us=None, speech_us=None)


def _partial(d: Draft, op: Operation, result: Result) -> None:
    body = {"control_id": op.id, "result": result, "final": False}
    d.publish("collect", op.line, body)


def _data(op: Operation) -> CollectData:
    assert isinstance(op.data, CollectData)
    return op.data
