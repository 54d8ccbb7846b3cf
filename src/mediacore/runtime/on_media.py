"""What the audio core and the recogniser report: to the conversation, and to operations."""

from __future__ import annotations

from mediacore.call.inputs import TranscriptFinal
from mediacore.events import (
    DigitReceived,
    LegClosed,
    LegOpened,
    MediaEvent,
    MediaLost,
    MediaResumed,
    PlayoutEvent,
    SpeechEnded,
    SpeechStarted,
)
from mediacore.runtime import afterward, collect, detect, ending, talking, timers, voice
from mediacore.runtime.draft import Draft
from mediacore.runtime.hangup import end_line
from mediacore.runtime.inputs import Heard, Media, PlayFailed
from mediacore.runtime.state import (
    CollectData,
    DetectData,
    Operation,
    OpKind,
    RecordData,
    Stage,
)


def media(d: Draft, event: Media) -> None:
    """One event of a line's leg."""
    afterward.media(d, event.line, event.event)
    line = d.state.lines.get(event.line)
    if line is None or line.over:
        d.refuse("stale_media")
        return
    given = event.event
    if isinstance(given, LegOpened):
        clock = line.clock.opened(given.tick, given.at, d.now)
        d.set_line(event.line, clock=clock)
    else:
        d.set_line(event.line, clock=line.clock.seen(given.tick, d.now))
    _line_facts(d, event.line, given)
    if d.line(event.line).over:
        return
    run = d.state.run
    if run is not None and run.line == event.line:
        talking.feed(d, given)  # type: ignore[arg-type]
    if isinstance(given, PlayoutEvent):
        found = voice.on_playout(d, event.line, given)
        if found is not None:
            timers.play_over(d, *found)
        return
    for op in d.ops_of(event.line):
        if op.id in d.state.ops:
            _operation(d, d.state.ops[op.id], given)


def _line_facts(d: Draft, line: str, event: MediaEvent) -> None:
    clock = d.line(line).clock
    match event:
        case SpeechStarted():
            d.set_line(line, speaking=True, spoke_us=clock.us(event.at, d.now))
        case SpeechEnded():
            d.set_line(line, speaking=False, quiet_us=clock.us(event.at, d.now))
        case MediaLost():
            d.set_line(line, media_lost_us=d.now)
            d.log("media", "lost", line=line)
        case MediaResumed():
            d.set_line(line, media_lost_us=None)
        case LegClosed():
            end_line(d, line, "max_duration" if event.reason.name == "BUDGET" else "error")


def _operation(d: Draft, op: Operation, event: MediaEvent) -> None:
    match op.data:
        case CollectData():
            _input(d, op, event)
        case DetectData():
            before = op.data.verdict
            detect.on_media(d, op, event)
            after = d.state.ops[op.id]
            assert isinstance(after.data, DetectData)
            if after.data.verdict != before:
                timers.detected(d, after)
        case RecordData():
            _recording(d, op, event)


def _input(d: Draft, op: Operation, event: MediaEvent) -> None:
    match event:
        case DigitReceived():
            result = collect.digit(d, op, event.digit)
            after = d.state.ops[op.id].data
            assert isinstance(after, CollectData)
            if after.got or result is not None:
                voice.announced(d, op.id)
            if result is not None:
                timers.input_over(d, d.state.ops[op.id], result)
        case SpeechStarted():
            collect.speech(d, op, started=True)
            assert isinstance(op.data, CollectData)
            if op.data.speech is not None:
                voice.announced(d, op.id)
        case SpeechEnded():
            collect.speech(d, op, started=False)


def _recording(d: Draft, op: Operation, event: MediaEvent) -> None:
    data = op.data
    assert isinstance(data, RecordData)
    match event:
        case SpeechStarted():
            d.set_op(op.id, heard=True)
        case DigitReceived() if event.digit in data.terminators:
            ending.stop_recording(d, op)


def heard(d: Draft, event: Heard) -> None:
    """Words of a line."""
    line = d.state.lines.get(event.line)
    if line is None or line.over:
        d.refuse("stale_words")
        return
    run = d.state.run
    if run is not None and run.line == event.line and run.stage is Stage.TALKING:
        talking.feed(d, talking.corrected(run, event.result))
    for op in d.ops_of(event.line, OpKind.PROMPT, OpKind.COLLECT):
        if op.id not in d.state.ops:
            continue
        found = d.state.ops[op.id]
        if voice.stops(found) and isinstance(event.result, TranscriptFinal) and event.result.text:
            voice.announced(d, op.id)
            found = d.state.ops[op.id]
        result = collect.heard(d, found, event.result)
        if result is not None:
            timers.input_over(d, d.state.ops[op.id], result)


def play_failed(d: Draft, event: PlayFailed) -> None:
    """What was to be played could not be made."""
    found = voice.on_failed(d, event)
    if found is None:
        d.refuse("stale_play_report")
        return
    timers.play_over(d, *found)
