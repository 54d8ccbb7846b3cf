"""The dialogue file: its types, and how it is read and checked.

Every scalar is read as text, so that "0471" stays a number with four digits and "no" a word.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec
import yaml

from mediacore.errors import ConfigError

BUILT_IN: Final = "order_line.yaml"
_MAX_BYTES: Final = 262_144


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer that is understood, and what follows.

    when: phrases, any of which must occur. digits: so many digits must have been said.
    set: variable that takes the digits, or the phrase that matched. say: spoken before the next
    stage's own words. goto: next stage, the present one when absent. hangup: end the call.
    repeat: say the last reply again.
    """

    when: tuple[str, ...] = ()
    digits: int = 0
    set: str = ""
    say: str = ""
    goto: str = ""
    hangup: bool = False
    repeat: bool = False


class Lookup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """On entering a stage: the row of `table` under the value of variable `key` gives variables.

    missing: stage to go to when there is no such row.
    """

    table: str
    key: str
    missing: str


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One place in the conversation.

    say: on entering; {name} is a variable, {name:digits} reads it digit by digit. expect: tried in
    order. otherwise: said in turn when nothing fits.
    """

    say: str = ""
    expect: tuple[Rule, ...] = ()
    otherwise: tuple[str, ...] = ()
    lookup: Lookup | None = None
    hangup: bool = False


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole dialogue. anywhere: rules that hold in every stage, after the stage's own."""

    name: str
    greeting: str
    start: str
    stages: dict[str, Stage]
    anywhere: tuple[Rule, ...] = ()
    otherwise: tuple[str, ...] = ("Sorry, I did not understand that.",)
    tables: dict[str, dict[str, dict[str, str]]] = {}


def load_dialogue(path: Path | None = None) -> Script:
    """Read a dialogue file, None = the one that comes with the package. Raises ConfigError."""
    if path is None:
        source = files("mediacore.stages") / BUILT_IN
        return parse_dialogue(source.read_text(encoding="utf-8"), BUILT_IN)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    return parse_dialogue(text, str(path))


def parse_dialogue(text: str, name: str) -> Script:
    """Parse and check. name: of the file, for messages, which name line and key."""
    if len(text) > _MAX_BYTES:
        raise ConfigError(f"{name}: longer than {_MAX_BYTES} characters")
    try:
        tree = yaml.compose(text, yaml.SafeLoader)
        data = yaml.load(text, yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError(f"{name}: {line}{getattr(error, 'problem', None) or error}") from None
    try:
        script = msgspec.convert(data, Script, strict=False)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at ")
        raise ConfigError(f"{name}: {_place(tree, where.strip('`'))}{message}") from None
    for where, message in _faults(script):
        raise ConfigError(f"{name}: {_place(tree, where)}{message}")
    return script


def _faults(script: Script) -> Iterator[tuple[str, str]]:
    """What the types cannot say: path in the document, and the fault."""
    if script.start not in script.stages:
        yield "$.start", f"there is no stage `{script.start}`"
    known = set(_variables(script))
    for i, rule in enumerate(script.anywhere):
        yield from _rule_faults(script, rule, f"$.anywhere[{i}]", known)
    for name, stage in script.stages.items():
        at = f"$.stages.{name}"
        yield from _template_faults(stage.say, f"{at}.say", known)
        if stage.lookup is not None:
            if stage.lookup.table not in script.tables:
                yield f"{at}.lookup.table", f"there is no table `{stage.lookup.table}`"
            if stage.lookup.missing not in script.stages:
                yield f"{at}.lookup.missing", f"there is no stage `{stage.lookup.missing}`"
        for i, rule in enumerate(stage.expect):
            yield from _rule_faults(script, rule, f"{at}.expect[{i}]", known)


def _rule_faults(script: Script, rule: Rule, at: str, known: set[str]) -> Iterator[tuple[str, str]]:
    if rule.goto and rule.goto not in script.stages:
        yield f"{at}.goto", f"there is no stage `{rule.goto}`"
    if not rule.when and not rule.digits:
        yield at, "a rule needs `when` or `digits`"
    yield from _template_faults(rule.say, f"{at}.say", known)


def _template_faults(template: str, at: str, known: set[str]) -> Iterator[tuple[str, str]]:
    try:
        fields = [(name, spec) for _, name, spec, _ in string.Formatter().parse(template)]
    except ValueError as error:
        yield at, str(error)
        return
    for name, spec in fields:
        if name is not None and name not in known:
            yield at, f"nothing sets the variable `{name}`"
        if spec and spec != "digits":
            yield at, f"unknown format `{spec}`; `digits` is the only one"


def _variables(script: Script) -> Iterator[str]:
    for rule in (*script.anywhere, *(r for s in script.stages.values() for r in s.expect)):
        if rule.set:
            yield rule.set
    for table in script.tables.values():
        for row in table.values():
            yield from row


def _place(tree: yaml.Node | None, where: str) -> str:
    """`line N, key: ` of a path like `$.stages.topic.expect[0].goto`; the nearest that exists."""
    node = tree
    for key, index in re.findall(r"\.([\w-]+)|\[(\d+|\.\.\.)\]", where):
        child: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode) and key:
            child = next((v for k, v in node.value if k.value == key), None)
        elif isinstance(node, yaml.SequenceNode) and index.isdigit():
            child = node.value[int(index)] if int(index) < len(node.value) else None
        if child is None:
            break
        node = child
    if node is None:
        return ""
    return f"line {node.start_mark.line + 1}, {where.removeprefix('$.') or 'document'}: "
