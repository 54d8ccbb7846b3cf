"""The end of a call that a model asks for: one gate, data instead of claims.

Required fields must be in the call's data and valid; numbers are read back digit by digit and
affirmed by the caller before the call may end. A model that insists is told why, `_TRIES` times;
after that the call may end with what is missing recorded.
"""

from __future__ import annotations

from typing import Final

from mediacore.assistant.limits import RequiredField as Declared
from mediacore.call.inputs import LineSaid
from mediacore.policy.ending import FieldType, RequiredField, can_end_call
from mediacore.policy.readback import AnswerKind, ReadBack, matches, read_back
from mediacore.runtime import talking
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import AiRun

_TRIES: Final = 6


def required(run: AiRun) -> tuple[Declared, ...]:
    """Fields that must be there before the end: of the step, its context, and the run."""
    session = run.session
    step, context = session.current_step(), session.current_context()
    found = {f.key: f for f in session.config.required}
    for stage in (context, step):
        if stage is not None:
            found |= {f.key: f for f in stage.required}
    return tuple(found.values())


def _rule(field: Declared) -> RequiredField:
    if field.digits:
        return RequiredField(field.key, FieldType.DIGITS, ReadBack.ACCOUNT)
    return RequiredField(field.key)


def may_end(d: Draft) -> bool:
    """Whether the call may end now. If not, the caller or the model is told what is missing."""
    run = d.run
    fields = required(run)
    if not fields:
        return True
    data = run.session.global_data
    verdict = can_end_call(tuple(_rule(f) for f in fields), data, run.confirmed)
    if verdict.allowed:
        d.log("end_gate", "open", fields=len(fields))
        return True
    if run.gate_tries >= _TRIES:
        missing = len(verdict.missing) + len(verdict.invalid) + len(verdict.needs_read_back)
        d.log("end_gate", "given_up", missing=missing)
        return True
    d.set_run(gate_tries=run.gate_tries + 1)
    names = {f.key: f.label or f.key for f in fields}
    lacking = [names[k] for k in (*verdict.missing, *verdict.invalid)]
    d.log("end_gate", "closed", missing=len(lacking), unread=len(verdict.needs_read_back))
    if lacking:
        what = ", ".join(lacking)
        talking.instruct(d, f"The call cannot end yet. Still needed from the caller: {what}.")
        return False
    _read_back(d, verdict.needs_read_back[0], names)
    return False


def _read_back(d: Draft, key: str, names: dict[str, str]) -> None:
    value = str(d.run.session.global_data.get(key, ""))
    d.set_run(asked=key)
    d.log("read_back", "asked", field=key)
    words = read_back(value, ReadBack.ACCOUNT)
    talking.feed(d, LineSaid(f"Let me read that back. {names[key]}: {words}. Is that right?"))


def caller_said(d: Draft, text: str) -> None:
    """The caller's answer to a read-back, if one is open."""
    run = d.run
    key = run.asked
    if not key:
        return
    value = str(run.session.global_data.get(key, ""))
    answer = matches(value, text)
    d.log("read_back", answer.kind.value, field=key)
    if answer.kind is AnswerKind.UNCLEAR:
        return
    d.set_run(asked="")
    if answer.kind is AnswerKind.YES:
        d.set_run(confirmed={**run.confirmed, key: value})
        return
    data = dict(run.session.global_data)
    if answer.kind is AnswerKind.CORRECTION and answer.value:
        data[key] = answer.value
    else:
        data.pop(key, None)
    d.set_data(data)
