"""Who answered: a person, a machine, a fax. Decided from the core's speech edges and tones.

A greeting that goes on longer than `voice_ms`, or that has too many pieces, is a machine's; a
short one with silence after it is a person's. The end of a machine's message is a beep or a
silence.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from mediacore.events import DigitReceived, MediaEvent, SpeechEnded, SpeechStarted, ToneDetected
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import DetectData, Line, Operation

_MS_US: Final = 1000


class Tone(IntEnum):
    """Kinds of ToneDetected that matter here; the audio core's numbers (mc_tone.h)."""

    FAX_CNG = 5
    FAX_CED = 6
    BEEP = 7


_FAX: Final = {Tone.FAX_CED: "CED", Tone.FAX_CNG: "CNG"}


def on_media(d: Draft, op: Operation, event: MediaEvent) -> None:
    """Take one event of the line."""
    data = _data(op)
    match event:
        case SpeechStarted() if "machine" in data.kinds:
            d.set_op(op.id, words=data.words + 1)
            if data.words + 1 >= data.words_limit and not data.verdict:
                find(d, op, "MACHINE")
        case SpeechEnded():
            pass  # the silence after it decides: see `due`
        case ToneDetected() if "fax" in data.kinds and _fax(event, data):
            find(d, op, _FAX[Tone(event.kind)])
        case ToneDetected() if event.kind == Tone.BEEP and "machine" in data.kinds:
            _beep(d, op)
        case DigitReceived() if "digit" in data.kinds:
            if not data.digits or event.digit in data.digits:
                find(d, op, event.digit)


def _beep(d: Draft, op: Operation) -> None:
    """Only machines beep, at the end of their message."""
    if not _data(op).verdict:
        find(d, op, "MACHINE")
    if _data(op).message_end and _data(d.state.ops[op.id]).verdict == "MACHINE":
        find(d, op, "READY")


def find(d: Draft, op: Operation, what: str) -> None:
    """A finding; the first one is the verdict."""
    data = _data(op)
    d.set_op(op.id, verdict=what, verdict_us=d.now)
    d.log("detect", what.lower(), line=op.line, words=data.words)
    tell(d, op, what)


def tell(d: Draft, op: Operation, what: str) -> None:
    """Publish a finding."""
    data = _data(op)
    kind = "machine"
    if what in ("CED", "CNG"):
        kind = "fax"
    elif len(what) == 1:
        kind = "digit"
    elif what in ("finished", "error"):
        kind = data.kinds[0]
    body = {"type": kind, "params": {"event": what}}
    d.publish("detect", op.line, {"control_id": op.id, "detect": body})


def over(op: Operation) -> bool:
    """Nothing more is to be found out."""
    data = _data(op)
    if data.verdict == "MACHINE":
        return not data.message_end
    return bool(data.verdict)


def due(op: Operation, line: Line) -> tuple[int, str] | None:
    """When, if nothing happens, which finding is made. "" = the time is over."""
    data = _data(op)
    limit = (op.since_us + data.timeout_ms * _MS_US, "")
    found: list[tuple[int, str]] = [limit]
    if "machine" in data.kinds:
        spoke, quiet = line.spoke_us, line.quiet_us
        heard = max(spoke or 0, quiet or 0) >= op.since_us
        if line.speaking and spoke is not None and not data.verdict:
            found.append((max(spoke, op.since_us) + data.voice_ms * _MS_US, "MACHINE"))
        elif heard and quiet is not None and not line.speaking:
            if not data.verdict:
                found.append((quiet + data.end_silence_ms * _MS_US, "HUMAN"))
            elif data.verdict == "MACHINE":
                wait_ms = data.ready_ms or data.end_silence_ms
                found.append((max(quiet + wait_ms * _MS_US, data.verdict_us), "READY"))
        elif not heard and not data.verdict:
            found.append((op.since_us + data.initial_ms * _MS_US, "UNKNOWN"))
    return min(found)


def document_result(op: Operation) -> str:
    """The verdict in a document's words."""
    verdict = _data(op).verdict
    if verdict in ("CED", "CNG"):
        return "fax"
    if verdict == "READY":
        return "machine"
    return verdict.lower() or "unknown"


def _fax(event: ToneDetected, data: DetectData) -> bool:
    return event.kind in _FAX and _FAX[Tone(event.kind)] == (data.tone or "CED")


def _data(op: Operation) -> DetectData:
    assert isinstance(op.data, DetectData)
    return op.data
