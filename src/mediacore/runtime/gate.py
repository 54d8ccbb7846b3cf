"""The end of a call that a model asks for: one gate, data instead of claims.

    asked to end ─► missing? ─► the model is told what        ┐ as often as _TRIES
                 └► unread?  ─► read back digit by digit ─► no ┘
                                └► yes, all confirmed ─► the one closing ─► the end

Required fields must be in the call's data and valid; numbers are read back and affirmed by the
caller. From the first read-back on the gate itself answers the caller: what the model would say
between a yes and the end could only be a second goodbye.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mediacore.assistant.hidden import expand_visible
from mediacore.assistant.limits import RequiredField as Declared
from mediacore.call.inputs import (
    HoldEnded,
    HoldStarted,
    LineSaid,
    ReplyEnded,
    ReplyHangup,
    ReplyText,
    SettingsChanged,
)
from mediacore.policy.ending import FieldType, RequiredField, Verdict, can_end_call
from mediacore.policy.readback import AnswerKind, ReadBack, matches, read_back
from mediacore.runtime import talking
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import AiRun

_TRIES: Final = 6
_SAY_GOODBYE: Final = "Everything is confirmed. Say goodbye in one short sentence now."


@dataclass(frozen=True, slots=True)
class GoOn:
    """Once the agent was silenced: what it says instead, and what its model is told."""

    said: str
    note: str


def required(run: AiRun) -> tuple[Declared, ...]:
    """Fields that must be there before the end: of the step, its context, and the run."""
    session = run.session
    step, context = session.current_step(), session.current_context()
    found = {f.key: f for f in session.config.required}
    for stage in (context, step):
        if stage is not None:
            found |= {f.key: f for f in stage.required}
    return tuple(found.values())


def closing_of(run: AiRun) -> str:
    """The document's one closing: of the step, else of the run; "" = the model's own words."""
    step = run.session.current_step()
    text = (step.closing if step is not None else "") or run.session.config.closing
    return expand_visible(text, run.session.visible).text.strip()


def may_end(d: Draft, reason: str = "hangup", *, silence: bool = False) -> bool:
    """Whether the call may end now. If not, the caller or the model is told what is missing.

    silence: what the agent is saying was meant as its goodbye, and is stopped.
    """
    run = d.run
    fields = required(run)
    if not fields:
        return True
    verdict = _verdict(run)
    if verdict.allowed:
        d.log("end_gate", "open", fields=len(fields))
        return True
    if run.gate_tries >= _TRIES:
        missing = len(verdict.missing) + len(verdict.invalid) + len(verdict.needs_read_back)
        d.log("end_gate", "given_up", missing=missing)
        return True
    d.set_run(gate_tries=run.gate_tries + 1, ending=reason)
    lacking = _lacking(run, verdict)
    d.log("end_gate", "closed", missing=len(lacking), unread=len(verdict.needs_read_back))
    said = note = ""
    if lacking:
        what = ", ".join(lacking)
        note = f"The call cannot end yet. Still needed from the caller: {what}."
    else:
        said = _read_back(d, verdict.needs_read_back[0])
    _tell(d, GoOn(said, note), silence=silence)
    return False


def _tell(d: Draft, what: GoOn, *, silence: bool) -> None:
    agent = d.run.talk.agent
    if silence and agent is not None and (agent.outstanding or agent.replying):
        talking.feed(d, HoldStarted())
        if d.state.run is not None and d.run.talk.hold is not None:
            d.set_run(later=(*d.run.later, what))
            return
    go_on(d, what)


def go_on(d: Draft, what: GoOn) -> None:
    """The agent is silent: now it says what is needed."""
    if d.run.talk.hold is not None and not d.run.held:
        talking.feed(d, HoldEnded(what.said))
    elif what.said:
        talking.feed(d, LineSaid(what.said))
    if what.note and d.state.run is not None:
        talking.instruct(d, what.note)


def caller_said(d: Draft, text: str) -> None:
    """The caller's answer to a read-back, if one is open."""
    run = d.run
    key = run.asked
    if not key:
        return
    value = str(run.session.global_data.get(key, ""))
    answer = matches(value, text)
    d.log("read_back", answer.kind.value, field=key)
    d.set_run(answered=True)
    if answer.kind is AnswerKind.UNCLEAR:
        d.set_run(gate_tries=run.gate_tries + 1)
        return
    d.set_run(asked="")
    _speculate(d, on=True)
    if answer.kind is AnswerKind.YES:
        d.set_run(confirmed={**run.confirmed, key: value})
        return
    data = dict(run.session.global_data)
    if answer.kind is AnswerKind.CORRECTION and answer.value:
        data[key] = answer.value
    else:
        data.pop(key, None)
    d.set_data(data)


def answers(d: Draft, generation: int) -> bool:
    """After a read-back: the gate answers the caller itself. False when the model has to."""
    run = d.run
    if run.last and run.talk.ending is None:  # the caller has cut the closing
        d.set_run(last=False)
    if not run.answered:
        return False
    d.set_run(answered=False)
    verdict = _verdict(run)
    lacking = _lacking(run, verdict)
    if verdict.allowed:
        return _close(d, generation)
    if run.gate_tries > _TRIES:
        d.set_run(asked="")
        _speculate(d, on=True)
        d.log("end_gate", "not_confirmed", unread=len(verdict.needs_read_back))
        return False
    if lacking:
        what = ", ".join(lacking)
        d.set_run(hint=f"That was not right. Ask the caller again for: {what}.")
        return False
    key = run.asked or verdict.needs_read_back[0]
    _say(d, generation, _read_back(d, key))
    return True


def _close(d: Draft, generation: int) -> bool:
    """All is confirmed: the end that was asked for, with one closing."""
    run = d.run
    closing = closing_of(run)
    d.log("end_gate", "open", fields=len(required(run)), closing=bool(closing))
    d.set_run(last=True, ending="")
    reason = run.ending or "completed"
    if closing:
        talking.feed(d, ReplyText(generation, closing))
        talking.feed(d, ReplyHangup(generation, reason))
        talking.feed(d, ReplyEnded(generation))
        return True
    d.set_run(hint=_SAY_GOODBYE)
    talking.feed(d, ReplyHangup(generation, reason))
    return False


def _say(d: Draft, generation: int, text: str) -> None:
    talking.feed(d, ReplyText(generation, text))
    talking.feed(d, ReplyEnded(generation))


def _read_back(d: Draft, key: str) -> str:
    run = d.run
    value = str(run.session.global_data.get(key, ""))
    name = next((f.label or f.key for f in required(run) if f.key == key), key)
    d.set_run(asked=key)
    _speculate(d, on=False)
    d.log("read_back", "asked", field=key)
    words = read_back(value, ReadBack.ACCOUNT)
    return f"Let me read that back. {name}: {words}. Is that right?"


def _speculate(d: Draft, *, on: bool) -> None:
    """While a number is being confirmed no reply is asked for beforehand."""
    settings = d.run.talk.settings
    wanted = on and d.state.settings.talk.turn.speculative
    if settings.turn.speculative != wanted:
        turn = replace(settings.turn, speculative=wanted)
        talking.feed(d, SettingsChanged(replace(settings, turn=turn)))


def _verdict(run: AiRun) -> Verdict:
    rules = tuple(_rule(f) for f in required(run))
    return can_end_call(rules, run.session.global_data, run.confirmed)


def _rule(field: Declared) -> RequiredField:
    if field.digits:
        return RequiredField(field.key, FieldType.DIGITS, ReadBack.ACCOUNT)
    return RequiredField(field.key)


def _lacking(run: AiRun, verdict: Verdict) -> list[str]:
    names = {f.key: f.label or f.key for f in required(run)}
    return [names[key] for key in (*verdict.missing, *verdict.invalid)]
