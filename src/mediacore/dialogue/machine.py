"""The dialogue as a function: (state, what the caller heard, what the caller said) → reply.

Nothing is kept between turns. `replay` runs the conversation from its start, so that an answer
that was never heard leaves no trace, and the same conversation always gives the same reply.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import Final

from mediacore.dialogue.document import (
    DIGITS,
    FOUND,
    Condition,
    Dialogue,
    DigitSlot,
    Rule,
    Stage,
    render,
)
from mediacore.dialogue.match import find_value
from mediacore.dialogue.text import find_digits, plain_words, yes_or_no

_SENTENCE: Final = re.compile(r"\S.*?(?:[.!?…]+(?=\s|$)|$)", re.DOTALL)
_SHORT_MIN: Final = 2  # a single digit word is too often no digit ("one moment")
_HOPS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Exchange:
    """A turn of the caller, and what was heard of the agent before it."""

    heard: str
    said: str


@dataclass(frozen=True, slots=True)
class State:
    """Where the conversation stands.

    line: the last thing with content that was said. rest: what of it may be unheard. aside: the
    last reply was about the conversation itself and left `line` as it was. unfinished: digits of
    a number that is not complete, by variable. misses, silences: turns in a row.
    """

    stage: str
    variables: Mapping[str, str]
    line: str
    rest: str
    aside: bool = False
    visits: Mapping[str, int] = field(default_factory=dict)
    unfinished: Mapping[str, str] = field(default_factory=dict)
    misses: int = 0
    silences: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What to say. hangup: the reason, when the call ends after it; else empty."""

    text: str
    hangup: str = ""


def begin(dialogue: Dialogue) -> State:
    """The state after the greeting."""
    greeting = dialogue.greeting
    return State(
        dialogue.start,
        dict(dialogue.variables),
        greeting,
        greeting,
        visits={dialogue.start: 1},
    )


def replay(dialogue: Dialogue, exchanges: Iterable[Exchange]) -> tuple[State, Reply]:
    """The reply to the last exchange; the greeting when there is none."""
    state, reply = begin(dialogue), Reply(dialogue.greeting)
    for exchange in exchanges:
        state, reply = step(dialogue, state, exchange)
    return state, reply


def step(dialogue: Dialogue, state: State, exchange: Exchange) -> tuple[State, Reply]:
    """Answer one turn."""
    if not state.aside:
        state = replace(state, rest=unheard(state.rest, exchange.heard))
    words = plain_words(exchange.said)
    if not words:
        return _silent(dialogue, state)
    state = replace(state, silences=0)
    stage = dialogue.stages[state.stage]
    for fuzzy in (False, True):
        for rule in _rules_in_order(dialogue, stage):
            found = _understand(rule, state, exchange.said, words, fuzzy)
            if found is not None:
                return _follow(dialogue, replace(found, misses=0), rule)
    return _missed(dialogue, state, stage)


def unheard(line: str, heard: str) -> str:
    """The sentences of `line` that were not heard to their end."""
    line_words = line.lower().split()
    matcher = SequenceMatcher(None, heard.lower().split(), line_words, autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]
    done = blocks[-1].b + blocks[-1].size if blocks else 0
    count = 0
    for sentence in _SENTENCE.finditer(line):
        count += len(sentence.group().split())
        if count > done:
            return line[sentence.start() :]
    return ""


def _rules_in_order(dialogue: Dialogue, stage: Stage) -> Iterable[Rule]:
    yield from (rule for rule in dialogue.intents if rule.first)
    yield from stage.expect
    yield from (rule for rule in dialogue.intents if not rule.first)


def _holds(conditions: Sequence[Condition], variables: Mapping[str, str]) -> bool:
    for condition in conditions:
        value = variables.get(condition.name, "")
        true = value in condition.values if condition.values else bool(value)
        if true is condition.negate:
            return False
    return True


def _understand(
    rule: Rule, state: State, said: str, words: Sequence[str], fuzzy: bool
) -> State | None:
    """The state with what the rule found in the words; None when it does not match."""
    if not _holds(rule.conditions, state.variables):
        return None
    if rule.patterns and not any(p.matches(words, fuzzy) for p in rule.patterns):
        return None
    if rule.answer and yes_or_no(said) != rule.answer:
        return None
    if rule.digits is not None:
        found = _take_digits(rule.digits, state, said)
        if found is None:
            return None
        state = found
    if rule.fill:
        values = {into: find_value(words, v) for into, v in rule.fill.items()}
        filled = {into: value for into, value in values.items() if value}
        if not filled:
            return None
        state = replace(state, variables={**state.variables, **filled})
    return state


def _take_digits(slot: DigitSlot, state: State, said: str) -> State | None:
    figures = find_digits(said, slot.shortest, slot.longest)
    kept = state.unfinished.get(slot.into, "")
    both = kept + figures
    if slot.shortest <= len(both) <= slot.longest and kept:
        figures = both
    if slot.shortest <= len(figures) <= slot.longest:
        if slot.only_new and figures == state.variables.get(slot.into):
            return None
        return replace(
            state,
            variables={**state.variables, slot.into: figures},
            unfinished={**state.unfinished, slot.into: ""},
        )
    if not slot.short or len(figures) > slot.longest or len(both) < _SHORT_MIN or not figures:
        return None
    kept = both if len(both) < slot.shortest else figures
    return replace(
        state,
        variables={**state.variables, DIGITS: kept},
        unfinished={**state.unfinished, slot.into: kept},
    )


def _follow(dialogue: Dialogue, state: State, rule: Rule) -> tuple[State, Reply]:
    """Do what a rule that matched says."""
    slot = rule.digits
    if slot is not None and state.unfinished.get(slot.into):
        return _aside(dialogue, state, render(slot.short, state.variables))
    assigned = {name: render(text, state.variables) for name, text in rule.assign.items()}
    state = replace(state, variables={**state.variables, **assigned})
    before = render(rule.say, state.variables)
    if rule.repeat or rule.resume:
        rest = state.line if rule.repeat else state.rest or _last_sentence(state.line)
        state = replace(state, rest=rest, aside=False)
        return state, _reply(dialogue, state, _join(before, rest))
    if not rule.goto:
        return _aside(dialogue, state, before)
    return _enter(dialogue, state, rule.goto, before)


def _enter(dialogue: Dialogue, state: State, name: str, before: str) -> tuple[State, Reply]:
    """Go to a stage and on along its routes until one waits for the caller."""
    text = before
    for _ in range(_HOPS_MAX):
        stage = dialogue.stages[name]
        visit = state.visits.get(name, 0)
        variables = {**state.variables, **_look_up(dialogue, stage, state.variables)}
        state = replace(
            state,
            stage=name,
            variables=variables,
            visits={**state.visits, name: visit + 1},
            misses=0,
        )
        if stage.say:
            text = _join(text, render(stage.say[min(visit, len(stage.say) - 1)], variables))
        route = next((r for r in stage.route if _holds(r.conditions, variables)), None)
        if route is None:
            break
        assigned = {key: render(value, variables) for key, value in route.assign.items()}
        text = _join(text, render(route.say, variables))
        state = replace(state, variables={**variables, **assigned})
        name = route.goto
    state = replace(state, line=text, rest=text, aside=False)
    return state, _reply(dialogue, state, text)


def _look_up(dialogue: Dialogue, stage: Stage, variables: Mapping[str, str]) -> dict[str, str]:
    if stage.lookup is None:
        return {}
    table = dialogue.tables[stage.lookup.table]
    row = table.get(variables.get(stage.lookup.key, ""))
    empty = {column: "" for other in table.values() for column in other}
    return {**empty, FOUND: ""} if row is None else {**empty, **row, FOUND: "yes"}


def _silent(dialogue: Dialogue, state: State) -> tuple[State, Reply]:
    count = state.silences
    if count >= len(dialogue.silence) and dialogue.give_up:
        return _enter(dialogue, replace(state, silences=0), dialogue.give_up, "")
    state = replace(state, silences=count + 1)
    line = dialogue.silence[min(count, len(dialogue.silence) - 1)] if dialogue.silence else ""
    return _aside(dialogue, state, render(line, state.variables) or state.line)


def _missed(dialogue: Dialogue, state: State, stage: Stage) -> tuple[State, Reply]:
    count = state.misses
    if count >= len(stage.reprompts) and dialogue.give_up and not stage.hangup:
        return _enter(dialogue, state, dialogue.give_up, "")
    state = replace(state, misses=count + 1)
    line = stage.reprompts[min(count, len(stage.reprompts) - 1)] if stage.reprompts else ""
    return _aside(dialogue, state, render(line, state.variables) or state.line)


def _aside(dialogue: Dialogue, state: State, text: str) -> tuple[State, Reply]:
    state = replace(state, aside=True)
    return state, _reply(dialogue, state, text)


def _reply(dialogue: Dialogue, state: State, text: str) -> Reply:
    return Reply(text, dialogue.stages[state.stage].hangup)


def _join(*texts: str) -> str:
    return " ".join(text for text in texts if text)


def _last_sentence(line: str) -> str:
    sentences = _SENTENCE.findall(line)
    return sentences[-1] if sentences else ""
