"""Commands for the line's voice: plays, announcements, digits, hold."""

from __future__ import annotations

from mediacore.runtime import agent, ending, reading, starting, voice
from mediacore.runtime.actions import HoldLine, SendDigits, StartBed, StopBed
from mediacore.runtime.asking import FINISHED, Data, Refusal, named, new_id, started, up
from mediacore.runtime.draft import Draft
from mediacore.runtime.keys import sending_ms
from mediacore.runtime.ports import Command
from mediacore.runtime.state import Line, OpKind, WaitData


def play(d: Draft, line: Line, command: Command) -> Data | None:
    """Play items, after what was asked for before."""
    up(line)
    op = new_id(d, command.params)
    items = reading.media_items(command.params.get("play"))
    data = reading.play_data(command.params, items)
    return started(d.open(OpKind.PLAY, line.id, command.issuer, data, op=op))


def play_and_collect(d: Draft, line: Line, command: Command) -> Data | None:
    """Play items, then wait for input; input stops them."""
    up(line)
    op = new_id(d, command.params)
    items = reading.media_items(command.params.get("play"))
    rules = reading.mapping(command.params, "collect")
    data = reading.collect_data(rules, reading.play_data(command.params, items))
    new = d.open(OpKind.PROMPT, line.id, command.issuer, data, op=op)
    starting.listen(d, new)
    return started(new)


def play_stop(d: Draft, line: Line, command: Command) -> Data | None:
    """Stop a play."""
    ending.finish(d, named(d, line, command, OpKind.PLAY), FINISHED)
    return None


def prompt_stop(d: Draft, line: Line, command: Command) -> Data | None:
    """Stop an announcement and its input."""
    op = named(d, line, command, OpKind.PROMPT)
    ending.finish(d, op, FINISHED, {"result": {"type": "no_input"}})
    return None


def play_pause(d: Draft, line: Line, command: Command) -> Data | None:
    """Pause a play that runs."""
    return _paused(d, line, command, on=True)


def play_resume(d: Draft, line: Line, command: Command) -> Data | None:
    """Go on with a play that is paused."""
    return _paused(d, line, command, on=False)


def _paused(d: Draft, line: Line, command: Command, *, on: bool) -> Data | None:
    op = named(d, line, command, *voice.VOICE)
    if not voice.pause(d, op, on=on):
        raise Refusal("409", "it is not playing" if on else "it is not paused")
    return None


def volume(d: Draft, line: Line, command: Command) -> Data | None:
    """Louder or softer from what is not queued yet."""
    op = named(d, line, command, *voice.VOICE)
    voice.volume(d, op, reading.number(command.params, "volume", 0, -40, 40))
    return None


def send_digits(d: Draft, line: Line, command: Command) -> Data | None:
    """Send digits into the call."""
    up(line)
    op = new_id(d, command.params)
    digits = reading.digits(command.params)
    until = d.now + sending_ms(digits) * 1000
    new = d.open(OpKind.DIGITS, line.id, command.issuer, WaitData(until), op=op)
    d.emit(SendDigits(line.id, digits))
    return started(new)


def hold(d: Draft, line: Line, command: Command) -> Data | None:
    """Put the call on hold, with music where there is some."""
    up(line)
    if line.held:
        raise Refusal("409", "the call is on hold already")
    d.set_line(line.id, held=True)
    agent.hold(d, line.id, 0)
    voice.hold(d, line.id, on=True)
    d.emit(HoldLine(line.id, on=True))
    if d.state.settings.hold_music:
        d.emit(StartBed(line.id, d.state.settings.hold_music))
    d.publish("hold", line.id, {"state": "hold"})
    return None


def unhold(d: Draft, line: Line, command: Command) -> Data | None:
    """Take the call off hold."""
    if not line.held:
        raise Refusal("409", "the call is not on hold")
    d.set_line(line.id, held=False)
    d.emit(StopBed(line.id), HoldLine(line.id, on=False))
    voice.hold(d, line.id, on=False)
    agent.unhold(d, line.id, "")
    d.publish("hold", line.id, {"state": "unhold"})
    return None
