"""Placeholders `%{…}` and `${…}` in the values of a document.

A plain path is looked up, anything else is JavaScript; what is missing is the empty text. A
string that is one placeholder keeps the type of its value, so that sums stay numbers; inside
longer text a value becomes text as JavaScript would write it, objects and lists as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from mediacore.flow.findings import Code
from mediacore.flow.scope import MISSING, Scope, parse_path
from mediacore.flow.script import Evaluator, ScriptFault

MAX_STRING_CHARS: Final = 65_536
MAX_VALUE_CHARS: Final = 262_144
MAX_BODY_CHARS: Final = 2048
MAX_PLACEHOLDERS: Final = 512
MAX_DEPTH: Final = 64

_OPEN: Final = re.compile(r"[%$]\{")
_MARK: Final = re.compile(r"""[{}]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`""", re.S)


def has_placeholder(text: str) -> bool:
    """Whether there is anything to expand."""
    return ("%{" in text or "${" in text) and "}" in text


def expand(value: object, scope: Scope, evaluator: Evaluator) -> object:
    """The value with every placeholder replaced, recursively; keys stay as they are.

    Raises ScriptFault: an expression failed, or the result is over 64 KB of text in one string,
    256 KB in all, or too deep.
    """
    return expand_except(value, scope, evaluator)


def expand_except(
    value: object,
    scope: Scope,
    evaluator: Evaluator,
    *,
    keep: Callable[[str], bool] | None = None,
    lenient: bool = False,
) -> object:
    """As `expand`, but leaves placeholders alone whose body `keep` claims.

    lenient: a placeholder whose expression fails stays as it is written.
    """
    return _Expansion(scope, evaluator, keep, lenient).value(value, 0)


def find_placeholder(text: str, start: int = 0) -> tuple[int, int, str] | None:
    """The next placeholder as (start, end, body); None when no closed one follows."""
    while (opened := _OPEN.search(text, start)) is not None:
        end = _close(text, opened.end())
        if end is not None:
            return opened.start(), end + 1, text[opened.end() : end]
        if text.find("}", opened.end()) < 0:
            return None
        start = opened.end()
    return None


def as_text(value: object) -> str:
    """A value inside text: as JavaScript writes it, but nothing for null and JSON for lists."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e21:
            return str(int(value))
        case int() | float():
            return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _close(text: str, start: int) -> int | None:
    """The index of the brace that closes a body starting at `start`."""
    depth = 1
    for mark in _MARK.finditer(text, start, start + MAX_BODY_CHARS):
        if mark.group() == "{":
            depth += 1
        elif mark.group() == "}":
            depth -= 1
            if depth == 0:
                return mark.start()
    return None


def _too_much(text: str) -> ScriptFault:
    return ScriptFault(Code.PARAMETER_INVALID_VALUE, text)


class _Expansion:
    """One value being expanded, with what it has used of its limits."""

    def __init__(
        self,
        scope: Scope,
        evaluator: Evaluator,
        keep: Callable[[str], bool] | None,
        lenient: bool,
    ) -> None:
        self._scope = scope
        self._evaluator = evaluator
        self._keep = keep
        self._lenient = lenient
        self._chars = 0
        self._placeholders = 0

    def value(self, value: object, depth: int) -> object:
        if isinstance(value, str):
            return self._string(value)
        if depth > MAX_DEPTH:
            raise ScriptFault(Code.NESTED_TOO_DEEP, f"a value is nested over {MAX_DEPTH} deep")
        if isinstance(value, Mapping):
            return {key: self.value(each, depth + 1) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(each, depth + 1) for each in value]
        return value

    def _string(self, text: str) -> object:
        if not has_placeholder(text):
            return text
        found = find_placeholder(text)
        if found is not None and found[0] == 0 and found[1] == len(text):
            value = self._body(found[2], text)
            self._count(as_text(value))
            return "" if value is None else value
        return self._text(text)

    def _text(self, text: str) -> str:
        out: list[str] = []
        at = size = 0
        while (found := find_placeholder(text, at)) is not None:
            start, end, body = found
            out.append(text[at:start])
            out.append(as_text(self._body(body, text[start:end])))
            size += len(out[-1])
            if size > MAX_STRING_CHARS:
                raise _too_much(f"expanded text is over {MAX_STRING_CHARS} characters")
            at = end
        out.append(text[at:])
        joined = "".join(out)
        self._count(joined)
        return joined

    def _body(self, body: str, whole: str) -> object:
        if self._keep is not None and self._keep(body):
            return whole
        self._placeholders += 1
        if self._placeholders > MAX_PLACEHOLDERS:
            raise _too_much(f"a value has over {MAX_PLACEHOLDERS} placeholders")
        path = parse_path(body)
        if path is not None:
            value = self._scope.lookup(path, MISSING)
            if value is not MISSING:
                return value
            if "-" not in body:
                return ""
        if not body.strip():
            return ""
        try:
            return self._evaluator.evaluate(body, self._scope.names())
        except ScriptFault:
            if self._lenient:
                return whole
            raise

    def _count(self, text: str) -> None:
        if len(text) > MAX_STRING_CHARS:
            raise _too_much(f"expanded text is over {MAX_STRING_CHARS} characters")
        self._chars += len(text)
        if self._chars > MAX_VALUE_CHARS:
            raise _too_much(f"an expanded value is over {MAX_VALUE_CHARS} characters")
