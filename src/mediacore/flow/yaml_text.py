"""YAML with places, from the parser's events: no constructor runs, nothing is resolved for us.

A plain scalar is null, true, false or a decimal number where YAML 1.2's core schema and JSON
agree; everything else is the text that was written, and so is every key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final, NoReturn

import yaml

from mediacore.flow.findings import Code
from mediacore.flow.parsed import MAX_DEPTH, MAX_NODES, DocumentError, Source, check_limits
from mediacore.flow.place import NOWHERE, Path, Place, shown

_NUMBER: Final = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(\.[0-9]*)?|(\.[0-9]+))([eE][-+]?[0-9]+)?")
_WORDS: Final = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
LONGEST_INTEGER: Final = 18
"""Digits; a longer run of digits is a name of something, not a quantity, and stays text."""
_TEXT_TAGS: Final = (None, "!", "tag:yaml.org,2002:str")


def scalar(text: str) -> object:
    """The value of a plain scalar."""
    if text in _WORDS:
        return _WORDS[text]
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    if any(found.groups()):
        return float(text)
    return int(text) if len(text) <= LONGEST_INTEGER else text


def yaml_source(text: str, name: str) -> Source:
    """Read one YAML document. Raises DocumentError with line and column."""
    reader = _Reader(name)
    try:
        value = reader.read(text)
    except yaml.MarkedYAMLError as error:
        why = " ".join(part for part in (error.problem, error.context) if part)
        where = _place(error.problem_mark or error.context_mark)
        raise DocumentError(name, where, (), Code.PARSE_ERROR, f"not YAML: {why}") from None
    except yaml.YAMLError as error:
        why = shown(str(error).partition("\n")[0])
        raise DocumentError(name, NOWHERE, (), Code.PARSE_ERROR, f"not YAML: {why}") from None
    source = Source(name, value, reader.places)
    check_limits(source)
    return source


def _place(mark: Any) -> Place:
    return NOWHERE if mark is None else Place(mark.line + 1, mark.column + 1)


def _events(text: str) -> Iterator[Any]:
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    yield from yaml.parse(text, Loader=loader)


class _Reader:
    """Builds values out of the events of one document."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[Path, Place] = {}
        self._nodes = 0

    def read(self, text: str) -> object:
        value: object = None
        documents = 0
        with closing(_events(text)) as events:  # type: ignore[type-var]
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._refuse(event, (), Code.PARSE_ERROR, "a second document begins")
                elif isinstance(event, yaml.NodeEvent):
                    value = self._value(event, events, ())
        return value

    def _value(self, event: Any, events: Iterator[Any], path: Path) -> object:
        """The value that begins with `event`. Recursion is bounded by MAX_DEPTH."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._refuse(event, (), Code.DOCUMENT_TOO_LARGE, f"more than {MAX_NODES} values")
        if path not in self.places:
            self.places[path] = _place(event.start_mark)
        self._plain(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return scalar(event.value) if event.implicit[0] else event.value
        if len(path) >= MAX_DEPTH:
            why = f"nested more than {MAX_DEPTH} deep"
            self._refuse(event, path[:8], Code.NESTED_TOO_DEEP, why)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(events, path)
        return self._map(events, path)

    def _plain(self, event: Any, path: Path) -> None:
        if event.anchor is not None:
            what = "alias '*" if isinstance(event, yaml.AliasEvent) else "anchor '&"
            why = f"{what}{shown(event.anchor)}': anchors and aliases are not taken"
            self._refuse(event, path, Code.ALIAS_REFUSED, why)
        if event.tag not in _TEXT_TAGS:
            why = f"tag '{shown(str(event.tag))}': tags are not taken"
            self._refuse(event, path, Code.ALIAS_REFUSED, why)

    def _list(self, events: Iterator[Any], path: Path) -> list[object]:
        made: list[object] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            made.append(self._value(event, events, (*path, len(made))))
        return made

    def _map(self, events: Iterator[Any], path: Path) -> dict[str, object]:
        made: dict[str, object] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if isinstance(event, yaml.CollectionStartEvent):
                self._refuse(event, path, Code.PARSE_ERROR, "a key must be text")
            self._plain(event, path)
            key: str = event.value
            below = (*path, key)
            if key in made:
                why = (
                    f"key '{shown(key)}' stands twice in one map; "
                    f"first in line {self.places[below].line}"
                )
                self._refuse(event, below, Code.ELEMENT_DUPLICATED, why)
            self.places[below] = _place(event.start_mark)
            made[key] = self._value(next(events), events, below)
        return made

    def _refuse(self, event: Any, path: Path, code: Code, why: str) -> NoReturn:
        raise DocumentError(self.name, _place(event.start_mark), path, code, why)
