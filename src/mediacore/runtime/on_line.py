"""Lines come, ring, answer and go; controllers come with commands and go."""

from __future__ import annotations

from mediacore.runtime import commands, dialing, lines, methods, spending
from mediacore.runtime.actions import AnswerCommand, EndLine, Publish
from mediacore.runtime.draft import Draft
from mediacore.runtime.hangup import end_line, hang_up_all
from mediacore.runtime.inputs import (
    CallOffered,
    CommandReceived,
    ControllerGone,
    Event,
    HangupAsked,
    LineAnswered,
    LineGone,
    LineRinging,
    Tick,
)
from mediacore.runtime.ports import Answer
from mediacore.runtime.state import DialData, DialStage, LineState, Operation


def call_offered(d: Draft, event: CallOffered) -> None:
    """An incoming call is told to controllers of its context."""
    line = d.state.lines.get(event.line)
    if line is None or line.state is not LineState.CREATED:
        d.refuse("stale_line", event="offered")
        return
    settings = d.state.settings
    d.set_line(line.id, state=LineState.RINGING)
    d.moved()
    params = lines.state_params(d.line(line.id))
    params |= {"call_id": line.id, "context": settings.context, "call_state": "created"}
    d.emit(
        Publish(
            "calling.call.receive",
            line.id,
            params,
            context=settings.context,
            project=settings.project,
        )
    )
    lines.tell_state(d, line.id)


def line_ringing(d: Draft, event: LineRinging) -> None:
    """A dialled line rings."""
    line = d.state.lines.get(event.line)
    if line is None or line.over:
        d.refuse("stale_line", event="ringing")
        return
    dialing.ringing(d, event.line)


def line_answered(d: Draft, event: LineAnswered) -> None:
    """A line has media: the caller's was answered, or a dialled one did."""
    line = d.state.lines.get(event.line)
    if line is None or line.over:
        d.refuse("stale_line", event="answered")
        d.emit(EndLine(event.line, "cancel"))
        return
    if line.state is LineState.ANSWERED:  # told twice: the line is in use
        d.refuse("stale_line", event="answered_again")
        return
    dial = _dial_of(d, event.line)
    if dial is not None and isinstance(dial.data, DialData) and dial.data.winner:
        dialing.answered(d, dial, event.line)
        return
    d.set_line(event.line, handle=event.handle, srate_hz=event.srate_hz, answered_us=d.now)
    if line.limit_us is not None:  # it counts from the answer
        d.set_line(event.line, limit_us=line.limit_us - line.created_us + d.now)
    if d.state.settings.max_call_ms:
        lines.limit(d, event.line, d.state.settings.max_call_ms)
    spending.limit_line(d, event.line)
    lines.move(d, event.line, LineState.ANSWERED)
    lines.tell_limit(d, event.line)
    if dial is not None:
        dialing.answered(d, dial, event.line)
        return
    dialing.caller_answered(d, event.line)
    methods.line_answered(d, event.line)


def _dial_of(d: Draft, line: str) -> Operation | None:
    for op in d.state.ops.values():
        data = op.data
        if not isinstance(data, DialData) or data.stage is DialStage.COMMITTED:
            continue
        if line in data.open or line == data.winner:
            return op
    return None


def line_gone(d: Draft, event: LineGone) -> None:
    """A line is over: everything that depends on it ends in this step."""
    line = d.state.lines.get(event.line)
    if line is None or line.over:
        d.refuse("stale_line", event="gone")
        return
    reason = event.reason
    if line.direction == "inbound" and line.state is not LineState.ANSWERED:
        reason = "abandoned" if reason in ("hangup", "cancel") else reason
    end_line(d, event.line, reason)


def command_received(d: Draft, event: CommandReceived) -> None:
    """A controller's command is carried out or refused, and answered."""
    commands.receive(d, event.request, event.command)


def controller_gone(d: Draft, event: ControllerGone) -> None:
    """A controller does not come back."""
    commands.controller_gone(d, event.issuer)


def hangup_asked(d: Draft, event: HangupAsked) -> None:
    """Our own side ends the call."""
    hang_up_all(d, event.reason)


def time_passes(d: Draft, event: Tick) -> None:
    """Nothing by itself: what is due is done in every step."""


def too_late(d: Draft, event: Event) -> None:
    """The call is over: only commands get an answer, and a late leg is given back."""
    match event:
        case CommandReceived():
            d.emit(AnswerCommand(event.request, Answer("410", "the call is over")))
        case LineAnswered():
            d.emit(EndLine(event.line, "cancel"))
    d.refuse("after_the_end", event=type(event).__name__)
