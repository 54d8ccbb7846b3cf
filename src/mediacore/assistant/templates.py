"""Templates of the assistant: `${path}` and `%{path}` look-ups, `@{function argument}` calls.

What does it do? Fills values of a call into text: prompts, URLs, request bodies, tool results.
How does it work? One pass over the template. A value that was filled in is never read as a
template again, so nothing a caller, a model or a web service says can reach other values.
How do I use it? `expand(text, data, clock)`; with `in_json=True` the template is JSON text.

  ${a.b[0].c}   the value; empty when there is none; what is not a string goes in as JSON text
  ${lc:a}       ASCII lower case    ${enc:a}, ${enc:url:a}  percent-encoded   ${fmt_ph:a}  phone
  ${a.${b}}     one level of nesting: the inner value becomes part of the path
  @{echo x} @{separate ABC} @{expr (1+2)*3} @{fmt_ph national 5552345678}
  @{strftime_tz UTC %H:%M} @{sleep 2}       sleep gives a delay for the caller to wait, no text

Prefixes chain and work in a fixed order (fmt_ph, lc, enc) however they are written. Text that is
no template, and functions nobody knows, stay as written.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from mediacore.assistant._functions import (
    MAX_SLEEP_MS,
    TemplateClock,
    call_function,
    phone_text,
    url_text,
)
from mediacore.assistant._values import (
    MISSING,
    Meter,
    TemplateLimitError,
    ascii_lower,
    json_text,
    lookup,
)

__all__ = ["MAX_SLEEP_MS", "Expansion", "Meter", "TemplateClock", "TemplateLimitError", "expand"]

MAX_TEMPLATE: Final = 262_144
MAX_UNRESOLVED: Final = 32
MAX_FUNCTION_DEPTH: Final = 4

_MARK = re.compile(r"[$%@]\{")
_BRACE = re.compile(r"[{}]")
_CALL = re.compile(r"\s*([A-Za-z_]\w*)(?:\s+|$)")
_PREFIX = re.compile(r"(?i)lc:|fmt_ph:|enc:(?:url:)?")


@dataclass(frozen=True, slots=True)
class Expansion:
    """An expanded template.

    `delay_ms` is what its `sleep` calls ask for, `unresolved` the templates (as written, at most
    MAX_UNRESOLVED) that found no value.
    """

    text: str
    delay_ms: int = 0
    unresolved: tuple[str, ...] = ()


def expand(
    template: str,
    data: object,
    clock: TemplateClock,
    *,
    in_json: bool = False,
    meter: Meter | None = None,
) -> Expansion:
    """Expand a template over `data`.

    `in_json` says that the template is JSON text: strings are escaped as they go in. Raises
    `TemplateLimitError` when the template, the text it makes or the work passes a limit.
    """
    if len(template) > MAX_TEMPLATE:
        raise TemplateLimitError("too_large")
    expander = _Expander(data, clock, meter or Meter())
    text = expander.run(template, in_json=in_json)
    unresolved = tuple(dict.fromkeys(expander.unresolved))
    return Expansion(text, min(expander.delay_ms, MAX_SLEEP_MS), unresolved)


class _Expander:
    """One run over one template and the templates inside it."""

    def __init__(self, data: object, clock: TemplateClock, meter: Meter) -> None:
        self._data = data
        self._clock = clock
        self._meter = meter
        self.delay_ms = 0
        self.unresolved: list[str] = []

    def run(
        self,
        template: str,
        *,
        in_json: bool,
        nested: bool = True,
        functions: int = MAX_FUNCTION_DEPTH,
    ) -> str:
        if _MARK.search(template) is None:
            self._meter.write(len(template))
            return template
        ends = _closing_braces(template)
        parts: list[str] = []
        position = 0
        while (mark := _MARK.search(template, position)) is not None:
            parts.append(self._literal(template[position : mark.start()]))
            end = ends.get(mark.end() - 1)
            text = None
            if end is not None:
                body = template[mark.end() : end]
                if mark[0] != "@{":
                    text = self._variable(body, template[mark.start() : end + 1], in_json, nested)
                elif functions:
                    text = self._function(body, in_json, functions - 1)
            if end is None or text is None:
                parts.append(self._literal(template[mark.start()]))
                position = mark.start() + 1
                continue
            parts.append(text)
            position = end + 1
        parts.append(self._literal(template[position:]))
        return "".join(parts)

    def _literal(self, text: str) -> str:
        self._meter.write(len(text))
        return text

    def _variable(self, body: str, written: str, in_json: bool, nested: bool) -> str:
        if not body:
            return ""
        helpers, path = _split_prefixes(body)
        if nested and ("${" in path or "%{" in path):
            path = self.run(path, in_json=in_json, nested=False, functions=0)
        value = lookup(self._data, path, self._meter)
        if value is MISSING:
            if len(self.unresolved) < MAX_UNRESOLVED:
                self.unresolved.append(written)
            return ""
        return self._literal(self._apply(helpers, self._value_text(value, in_json)))

    def _value_text(self, value: object, in_json: bool) -> str:
        if not isinstance(value, str):
            return json_text(value, self._meter)
        self._meter.spend(len(value) // 16)
        return _escaped(value) if in_json else value

    def _apply(self, helpers: frozenset[str], text: str) -> str:
        if len(text) > self._meter.output:
            raise TemplateLimitError("too_large")
        if "fmt_ph:" in helpers and text:
            text = phone_text(text)
        if "lc:" in helpers:
            text = ascii_lower(text)
        if "enc:" in helpers or "enc:url:" in helpers:
            self._meter.spend(len(text))
            text = url_text(text)
        return text

    def _function(self, body: str, in_json: bool, functions: int) -> str | None:
        plain = _unescaped(body) if in_json else body
        call = _CALL.match(plain)
        if call is None:
            return None
        if call_function(call[1], "", self._clock) is None:
            return None
        argument = self.run(plain[call.end() :], in_json=False, functions=functions)
        done = call_function(call[1], argument, self._clock)
        if done is None:
            return None
        text, delay_ms = done
        self.delay_ms += delay_ms
        return self._literal(_escaped(text) if in_json else text)


def _closing_braces(text: str) -> dict[int, int]:
    """The index of the closing brace of every opening one that has one; linear in the text."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif opened:
            ends[opened.pop()] = brace.start()
    return ends


def _split_prefixes(body: str) -> tuple[frozenset[str], str]:
    helpers: set[str] = set()
    position = 0
    while (prefix := _PREFIX.match(body, position)) is not None:
        helpers.add(prefix[0].lower())
        position = prefix.end()
    return frozenset(helpers), body[position:]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text
