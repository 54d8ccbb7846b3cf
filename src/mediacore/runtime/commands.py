"""Commands of controllers: who may, what is done, and one answer each, in the same step.

Refusals, in the order they are looked for: 404 no such call for this project, 410 the call is over,
501 not supported, 403 the token does not allow it, 409 the state has moved on, or somebody else has
the call (a lease, a transaction, a document, the agent), 400 the parameters, 429 too many
operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mediacore.runtime import commands_ai, commands_call, commands_media, commands_voice, flows
from mediacore.runtime.actions import AnswerCommand
from mediacore.runtime.asking import Data, Handler, Refusal, leased
from mediacore.runtime.draft import Draft
from mediacore.runtime.hangup import hang_up_all
from mediacore.runtime.ports import Answer, Command
from mediacore.runtime.reading import BadParams
from mediacore.runtime.state import Line

_FREE: Final = frozenset(
    {"answer", "disconnect", "end", "lease", "pass", "release", "user_event"}
)  # whoever has the voice
_VOICE: Final = frozenset({"play", "play_and_collect", "collect"})
_EXCLUSIVE: Final = frozenset({"connect", "transfer", "ai", "play", "play_and_collect", "hold"})


def receive(d: Draft, request: int, command: Command) -> None:
    """Carry out or refuse one command, and answer it."""
    before = d.mark()
    try:
        data = _carry_out(d, command)
        d.moved()
        d.set(controller=command.issuer, alone_us=None)
        answer = Answer("200", "OK", {**(data or {}), "state_version": d.state.version})
        d.log("command", "done", method=command.method)
    except Refusal as refusal:
        d.undo(before)
        answer = Answer(refusal.code, refusal.message)
        d.refuse(f"command_{refusal.code}", method=command.method)
    except BadParams as error:
        d.undo(before)
        answer = Answer("400", str(error))
        d.refuse("command_400", method=command.method)
    d.emit(AnswerCommand(request, answer))
    if command.method == "dial" and not d.state.lines:  # nothing else will ever happen here
        d.set(told=True, end_reason=d.state.end_reason or "error")


def _carry_out(d: Draft, command: Command) -> Data | None:
    if command.method == "dial":
        return commands_call.dial(d, command)
    line = d.state.lines.get(command.call_id)
    project = d.state.settings.project
    if line is None or (project and command.project != project):
        raise Refusal("404", "no such call")
    if line.over or d.state.ending:
        raise Refusal("410", "the call is over")
    handler = COMMANDS.get(command.method)
    if handler is None:
        raise Refusal("501", f"calling.{command.method} is not supported")
    _permit(d, line, command)
    return handler(d, line, command)


def _permit(d: Draft, line: Line, command: Command) -> None:
    if "control" not in command.permissions:
        raise Refusal("403", "the token does not allow to control calls")
    if command.version is not None and command.version != d.state.version:
        raise Refusal("409", f"the call has moved on: state_version is {d.state.version}")
    lease = d.state.lease
    if lease is not None and lease.holder != command.issuer and d.now < lease.until_us:
        raise Refusal("409", "another controller holds the lease")
    if command.method in _FREE:
        return
    dial = d.state.dial
    if dial is not None and command.method in _EXCLUSIVE:
        raise Refusal("409", f"a {dial.kind.value} is in progress")
    if command.method in _VOICE:
        _voice_is_free(d, line, command)


def _voice_is_free(d: Draft, line: Line, command: Command) -> None:
    run = d.state.run
    if run is not None and run.line == line.id and not run.held:
        raise Refusal("409", "the agent has the call: hold it with ai_hold or end it with ai.stop")
    if flows.main_flow(d, line.id) is not None and not leased(d, command):
        raise Refusal("409", "a document runs the call: take a lease with take_over to end it")


COMMANDS: Final[Mapping[str, Handler]] = {
    "answer": commands_call.answer,
    "end": commands_call.end,
    "pass": commands_call.pass_,
    "connect": commands_call.connect,
    "disconnect": commands_call.disconnect,
    "transfer": commands_call.transfer,
    "refer": commands_call.refer,
    "lease": commands_call.lease,
    "release": commands_call.release,
    "play": commands_voice.play,
    "play.stop": commands_voice.play_stop,
    "play.pause": commands_voice.play_pause,
    "play.resume": commands_voice.play_resume,
    "play.volume": commands_voice.volume,
    "play_and_collect": commands_voice.play_and_collect,
    "play_and_collect.stop": commands_voice.prompt_stop,
    "play_and_collect.volume": commands_voice.volume,
    "collect": commands_media.collect_input,
    "collect.stop": commands_media.collect_stop,
    "collect.start_input_timers": commands_media.start_timers,
    "record": commands_media.record,
    "record.stop": commands_media.record_stop,
    "record.pause": commands_media.record_pause,
    "record.resume": commands_media.record_resume,
    "detect": commands_media.find_out,
    "detect.stop": commands_media.detect_stop,
    "tap": commands_media.tap,
    "tap.stop": commands_media.fork_stop,
    "stream": commands_media.stream,
    "stream.stop": commands_media.fork_stop,
    "send_digits": commands_voice.send_digits,
    "hold": commands_voice.hold,
    "unhold": commands_voice.unhold,
    "ai": commands_ai.ai,
    "ai.stop": commands_ai.ai_stop,
    "ai_message": commands_ai.ai_message,
    "ai_hold": commands_ai.ai_hold,
    "ai_unhold": commands_ai.ai_unhold,
    "user_event": commands_call.user_event,
}


def controller_gone(d: Draft, issuer: str) -> None:
    """A controller is gone for good: its lease ends; its outbound dial is aborted; the call that
    it ran is alone."""
    if d.state.controller == issuer:
        d.set(alone_us=d.now)
    if d.state.lease is not None and d.state.lease.holder == issuer:
        d.set(lease=None)
        d.log("lease", "ended", reason="controller_gone")
    dial = d.state.dial
    if dial is not None and not dial.line and dial.owner == issuer:
        hang_up_all(d, "cancel")
