"""A dialogue file: what its parts mean, and reading it. docs/dialogue.md is the reference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from mediacore.dialogue.match import Pattern, PatternError, compile_pattern
from mediacore.errors import ConfigError

BUILT_IN: Final = "order_line.yaml"
_FIELD: Final = re.compile(r"\{(\w+)(?:\|(\w+))?\}")
_FILTERS: Final = frozenset({"", "digits"})
FOUND: Final = "found"
DIGITS: Final = "digits"

Values = Mapping[str, tuple[Pattern, ...]]


@dataclass(frozen=True, slots=True)
class Condition:
    """`name` is one of `values`, or not empty when there are none. negate: the opposite."""

    name: str
    values: tuple[str, ...] = ()
    negate: bool = False


@dataclass(frozen=True, slots=True)
class DigitSlot:
    """A number of `shortest` … `longest` digits goes into variable `into`.

    only_new: it must differ from what is there. short: reply to a number that is not complete,
    which is then kept and added to; empty: such a number does not match.
    """

    into: str
    shortest: int
    longest: int
    only_new: bool = False
    short: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is understood, and what follows. All of the things that it asks for must be there.

    fill: variable → list of values; one value found is enough. A rule without `patterns`,
    `answer`, `digits` and `fill` is a route: it depends on its conditions alone.
    """

    conditions: tuple[Condition, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    answer: str = ""
    digits: DigitSlot | None = None
    fill: Mapping[str, Values] = field(default_factory=dict)
    assign: Mapping[str, str] = field(default_factory=dict)
    say: str = ""
    goto: str = ""
    first: bool = False
    repeat: bool = False
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """Copy the row `key` of a table into variables named like its columns."""

    table: str
    key: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A place in the conversation.

    say: a line per visit, the last for all later ones. reprompts: what to say when nothing was
    understood, each once. hangup: the reason to hang up with after this stage's line.
    """

    name: str
    say: tuple[str, ...] = ()
    expect: tuple[Rule, ...] = ()
    reprompts: tuple[str, ...] = ()
    lookup: Lookup | None = None
    route: tuple[Rule, ...] = ()
    hangup: str = ""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A whole file. give_up: stage to go to when a stage's reprompts, or `silence`, are used up."""

    name: str
    start: str
    stages: Mapping[str, Stage]
    intents: tuple[Rule, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    silence: tuple[str, ...] = ()
    give_up: str = ""

    @property
    def greeting(self) -> str:
        """The first words, spoken before the caller has said anything."""
        return render(" ".join(self.stages[self.start].say[:1]), self.variables)


def render(template: str, variables: Mapping[str, str]) -> str:
    """Put variables in. `{name|digits}` reads digit by digit: "4, 7, 1"."""

    def value(match: re.Match[str]) -> str:
        text = variables.get(match[1], "")
        return ", ".join(text) if match[2] == "digits" else text

    return _FIELD.sub(value, template)


def load_dialogue(path: Path | None = None) -> Dialogue:
    """Read a dialogue file; None = the package's order line. ConfigError says what is wrong."""
    if path is None:
        return parse_dialogue((files("mediacore.dialogue") / BUILT_IN).read_text("utf-8"), BUILT_IN)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"dialogue {path}: {error}") from None
    return parse_dialogue(text, str(path))


def parse_dialogue(text: str, where: str = "dialogue") -> Dialogue:
    """Read a dialogue from YAML text."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"dialogue {where}: {error}") from None
    reader = _Reader(where)
    dialogue = reader.dialogue(document)
    _Checker(dialogue, reader).check()
    return dialogue


class _Reader:
    """From YAML's dicts and lists to a Dialogue. Unknown keys are errors: they are typing slips."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._synonyms: dict[str, tuple[str, ...]] = {}
        self._lists: dict[str, Values] = {}

    def fail(self, place: str, what: str) -> ConfigError:
        """The error for a place in the file."""
        return ConfigError(f"dialogue {self._where}: {place}: {what}")

    def dialogue(self, document: object) -> Dialogue:
        keys = "name start variables synonyms lists tables intents stages silence give_up language"
        top = self._map(document, "file", keys)
        synonyms = self._map(top.get("synonyms", {}), "synonyms")
        self._synonyms = {k: self._lines(v, f"synonyms {k}") for k, v in synonyms.items()}
        for name, values in self._map(top.get("lists", {}), "lists").items():
            self._lists[name] = self._values(values, f"list {name!r}")
        tables = self._map(top.get("tables", {}), "tables")
        stages = self._map(top.get("stages", {}), "stages")
        return Dialogue(
            name=str(top.get("name", "dialogue")),
            start=str(top.get("start", next(iter(stages), ""))),
            stages={name: self._stage(name, body) for name, body in stages.items()},
            intents=self._rules(top.get("intents", []), "intents"),
            variables=self._strings(top.get("variables", {}), "variables"),
            tables={name: self._table(rows, f"table {name!r}") for name, rows in tables.items()},
            silence=self._lines(top.get("silence", ()), "silence"),
            give_up=str(top.get("give_up", "")),
        )

    def _stage(self, name: str, body: object) -> Stage:
        place = f"stage {name!r}"
        data = self._map(body, place, "say expect else lookup route hangup")
        lookup = None
        if "lookup" in data:
            fields = self._map(data["lookup"], f"{place}: lookup", "table key")
            lookup = Lookup(str(fields.get("table", "")), str(fields.get("key", "")))
        return Stage(
            name=name,
            say=self._lines(data.get("say", ()), place),
            expect=self._rules(data.get("expect", []), place),
            reprompts=self._lines(data.get("else", ()), place),
            lookup=lookup,
            route=self._rules(data.get("route", []), f"{place}: route"),
            hangup=str(data.get("hangup", "")),
        )

    def _rules(self, entries: object, place: str) -> tuple[Rule, ...]:
        if not isinstance(entries, list):
            raise self.fail(place, "expected a list of rules")
        return tuple(self._rule(e, f"{place}: rule {n}") for n, e in enumerate(entries, start=1))

    def _rule(self, entry: object, place: str) -> Rule:
        keys = "if unless match answer digits fill set say goto first repeat resume"
        data = self._map(entry, place, keys)
        fill = self._strings(data.get("fill", {}), place)
        for name in fill.values():
            if name not in self._lists:
                raise self.fail(place, f"no list named {name!r}")
        return Rule(
            conditions=(
                *self._conditions(data.get("if", {}), place, negate=False),
                *self._conditions(data.get("unless", {}), place, negate=True),
            ),
            patterns=self._patterns(data.get("match", ()), place),
            answer=self._answer(data.get("answer"), place),
            digits=self._digit_slot(data["digits"], place) if "digits" in data else None,
            fill={into: self._lists[name] for into, name in fill.items()},
            assign=self._strings(data.get("set", {}), place),
            say=str(data.get("say", "")),
            goto=str(data.get("goto", "")),
            first=bool(data.get("first", False)),
            repeat=bool(data.get("repeat", False)),
            resume=bool(data.get("resume", False)),
        )

    def _conditions(self, data: object, place: str, negate: bool) -> Iterator[Condition]:
        if isinstance(data, str):
            yield Condition(data, negate=negate)
            return
        for name, values in self._map(data, place).items():
            yield Condition(name, self._lines(values, place), negate)

    def _answer(self, value: object, place: str) -> str:
        # YAML 1.1 reads a bare yes and no as booleans.
        named = {None: "", True: "yes", False: "no", "yes": "yes", "no": "no"}
        if isinstance(value, bool | str | None) and value in named:
            return named[value]
        raise self.fail(place, f"answer must be yes or no, not {value!r}")

    def _digit_slot(self, data: object, place: str) -> DigitSlot:
        fields = self._map(data, place, "into min max only_new short")
        shortest, longest = fields.get("min", 1), fields.get("max", 20)
        if not (isinstance(shortest, int) and isinstance(longest, int)):
            raise self.fail(place, "min and max must be whole numbers")
        if not 1 <= shortest <= longest or "into" not in fields:
            raise self.fail(place, "digits need `into` and 1 <= min <= max")
        return DigitSlot(
            into=str(fields["into"]),
            shortest=shortest,
            longest=longest,
            only_new=bool(fields.get("only_new", False)),
            short=str(fields.get("short", "")),
        )

    def _values(self, data: object, place: str) -> Values:
        return {
            value: self._patterns(patterns, place)
            for value, patterns in self._map(data, place).items()
        }

    def _patterns(self, data: object, place: str) -> tuple[Pattern, ...]:
        try:
            return tuple(compile_pattern(p, self._synonyms) for p in self._lines(data, place))
        except PatternError as error:
            raise self.fail(place, str(error)) from None

    def _table(self, data: object, place: str) -> Mapping[str, Mapping[str, str]]:
        return {key: self._strings(row, place) for key, row in self._map(data, place).items()}

    def _map(self, data: object, place: str, keys: str = "") -> dict[str, Any]:
        if not isinstance(data, dict):
            raise self.fail(place, f"expected names with values, not {type(data).__name__}")
        for key in data:
            if keys and key not in keys.split():
                raise self.fail(place, f"unknown key {key!r}; known: {keys.replace(' ', ', ')}")
        return {str(key): value for key, value in data.items()}

    def _strings(self, data: object, place: str) -> dict[str, str]:
        found = self._map(data, place)
        for key, value in found.items():
            if not isinstance(value, str | int | float):
                raise self.fail(place, f"{key!r} must be a text")
        return {key: str(value) for key, value in found.items()}

    def _lines(self, data: object, place: str) -> tuple[str, ...]:
        if isinstance(data, str | int):
            return (str(data),)
        if isinstance(data, list | tuple) and all(isinstance(d, str | int) for d in data):
            return tuple(str(line) for line in data)
        raise self.fail(place, "expected a text or a list of texts")


class _Checker:
    """Everything that a dialogue refers to exists."""

    def __init__(self, dialogue: Dialogue, reader: _Reader) -> None:
        self._dialogue = dialogue
        self._reader = reader
        self._names = {*dialogue.variables, FOUND, DIGITS}
        for table in dialogue.tables.values():
            for row in table.values():
                self._names.update(row)
        for _, rule in self._all_rules():
            self._names.update(rule.assign, rule.fill)
            if rule.digits is not None:
                self._names.add(rule.digits.into)

    def check(self) -> None:
        dialogue = self._dialogue
        self._stage(dialogue.start, "start")
        if dialogue.give_up:
            self._stage(dialogue.give_up, "give_up")
        for place, rule in self._all_rules():
            if rule.goto:
                self._stage(rule.goto, place)
            for condition in rule.conditions:
                self._name(condition.name, place)
            short = rule.digits.short if rule.digits is not None else ""
            self._templates((rule.say, short, *rule.assign.values()), place)
        for stage in dialogue.stages.values():
            place = f"stage {stage.name!r}"
            self._templates((*stage.say, *stage.reprompts), place)
            if stage.lookup is not None:
                self._name(stage.lookup.key, place)
                if stage.lookup.table not in dialogue.tables:
                    raise self._reader.fail(place, f"no table named {stage.lookup.table!r}")
            for rule in stage.route:
                if not rule.goto:
                    raise self._reader.fail(place, "a route needs a goto")
        self._templates(dialogue.silence, "silence")

    def _all_rules(self) -> Iterator[tuple[str, Rule]]:
        for rule in self._dialogue.intents:
            yield "intents", rule
        for stage in self._dialogue.stages.values():
            for rule in (*stage.expect, *stage.route):
                yield f"stage {stage.name!r}", rule

    def _stage(self, name: str, place: str) -> None:
        if name not in self._dialogue.stages:
            raise self._reader.fail(place, f"no stage named {name!r}")

    def _name(self, name: str, place: str) -> None:
        if name not in self._names:
            raise self._reader.fail(place, f"nothing sets the variable {name!r}")

    def _templates(self, templates: Iterable[str], place: str) -> None:
        for template in templates:
            for match in _FIELD.finditer(template):
                self._name(match[1], place)
                if (match[2] or "") not in _FILTERS:
                    raise self._reader.fail(place, f"unknown filter {match[2]!r}")
