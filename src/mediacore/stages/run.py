"""Running a dialogue: the reply follows from the script and what was said, and nothing else.

The conversation so far is replayed turn by turn. So an interrupted, joined or repeated turn needs
no bookkeeping: whatever the call's owner says the caller has said is the truth.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mediacore.stages.script import Rule, Script, Stage
from mediacore.stages.words import contains, digits, spoken_digits, words

_MAX_LOOKUPS = 8  # stages entered in a row through missing rows


@dataclass(frozen=True, slots=True)
class Reply:
    """What to say next. hangup: the conversation is over after it. stage: where it is now."""

    text: str
    hangup: bool
    stage: str


@dataclass(frozen=True, slots=True)
class _State:
    stage: str
    variables: Mapping[str, str] = field(default_factory=dict)
    misses: int = 0
    last: Reply = Reply("", hangup=False, stage="")


class _Templates(string.Formatter):
    def format_field(self, value: object, format_spec: str) -> str:
        text = str(value)
        return spoken_digits(text) if format_spec == "digits" else text


def reply_to(script: Script, caller_turns: Sequence[str]) -> Reply:
    """The reply to the last of the caller's turns; with none yet, what the first stage says."""
    state = _enter(script, _State(script.start), script.start, "")
    for turn in caller_turns:
        state = _answer(script, state, turn)
    return state.last


def _answer(script: Script, state: _State, said: str) -> _State:
    stage = script.stages[state.stage]
    for rule in (*stage.expect, *script.anywhere):
        value = _match(rule, said)
        if value is None:
            continue
        if rule.repeat:
            return state
        if rule.set:
            state = replace(state, variables={**state.variables, rule.set: value})
        spoken = _fill(rule.say, state.variables)
        if rule.hangup or not rule.goto:
            last = Reply(spoken, rule.hangup, state.stage)
            return replace(state, misses=0, last=last)
        return _enter(script, state, rule.goto, spoken)
    lines = stage.otherwise or script.otherwise
    line = _fill(lines[state.misses % len(lines)], state.variables)
    last = Reply(line, hangup=False, stage=state.stage)
    return replace(state, misses=state.misses + 1, last=last)


def _match(rule: Rule, said: str) -> str | None:
    """What matched, None when the rule does not fit."""
    if rule.digits:
        number = digits(said)
        if len(number) != rule.digits:
            return None
        if not rule.when:
            return number
    heard = words(said)
    phrase = next((p for p in rule.when if contains(heard, words(p))), None)
    if phrase is None:
        return None
    return digits(said) if rule.digits else phrase


def _enter(script: Script, state: _State, name: str, spoken: str) -> _State:
    """Go to a stage, through lookups, and say its words after `spoken`."""
    variables = dict(state.variables)
    stage = script.stages[name]
    for _ in range(_MAX_LOOKUPS):
        if stage.lookup is None:
            break
        row = script.tables[stage.lookup.table].get(variables.get(stage.lookup.key, ""))
        if row is not None:
            variables.update(row)
            break
        name = stage.lookup.missing
        stage = script.stages[name]
    text = f"{spoken} {_fill(_say(stage), variables)}".strip()
    last = Reply(text, stage.hangup, name)
    return _State(name, variables, misses=0, last=last)


def _say(stage: Stage) -> str:
    return " ".join(stage.say.split())


def _fill(template: str, variables: Mapping[str, str]) -> str:
    known = {
        name: variables.get(name, "")
        for _, name, _, _ in string.Formatter().parse(template)
        if name is not None
    }
    return _Templates().vformat(" ".join(template.split()), (), known)
