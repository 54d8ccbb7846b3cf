"""Patterns of document authors, matched without backtracking: no pattern can make a call wait.

What does it do? Says whether a regular expression occurs in a text.
How does it work? The pattern becomes a small program (Thompson construction) that runs all its
threads side by side over the text, so the cost is text × program and is capped on top.
How do I use it? `occurs("/^yes|sure/i", text)`; a pattern outside the limits raises `PatternError`.

Known: literals, escapes, classes, `.`, anchors, word boundaries, groups, alternation, greedy and
lazy repeats, flags i and s. Refused, because they cannot be run in bounded time or are not worth
it: backreferences, look-around, conditionals, inline flags, possessive repeats.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mediacore.assistant._values import Meter
from mediacore.errors import MediacoreError

MAX_PATTERN: Final = 512
MAX_TEXT: Final = 4096
"""Characters of the text that are looked at; the rest is ignored."""
MAX_PROGRAM: Final = 2000
MAX_GROUP_DEPTH: Final = 32
MAX_STEPS: Final = 200_000

_COUNT = re.compile(r"\{(\d{0,4})(,?)(\d{0,4})\}")
_GROUP = re.compile(r"\?(?::|P<[A-Za-z_]\w*>)")
_CODED = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[wWdDsSntrfva]|[^A-Za-z0-9])")
_ASSERTIONS: Final = {"\\b": "word", "\\B": "inside", "\\A": "first", "\\Z": "last"}

Test = Callable[[str], bool]


class PatternError(MediacoreError):
    """A pattern is not valid or not supported, or costs too much. `reason` is a short name."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the pattern cannot be used: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Char:
    test: Test


@dataclass(frozen=True, slots=True)
class _Assert:
    kind: str


@dataclass(frozen=True, slots=True)
class _Split:
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class _Jump:
    target: int


@dataclass(frozen=True, slots=True)
class _All:
    items: list[_Node]


@dataclass(frozen=True, slots=True)
class _Any:
    branches: list[_Node]


@dataclass(frozen=True, slots=True)
class _Repeat:
    item: _Node
    least: int
    most: int | None


_Op = _Char | _Assert | _Split | _Jump
_Node = _Char | _Assert | _All | _Any | _Repeat


def occurs(pattern: str, text: str, meter: Meter | None = None) -> bool:
    """Whether `pattern` occurs in the first MAX_TEXT characters of `text`.

    `/body/flags` has flags i (any case) and s (dot matches line ends); a pattern that does not
    begin with a slash is matched in any case. Raises `PatternError`; what matching cost is
    spent on `meter`, so that many costly patterns end the run that has them.
    """
    body, flags = _split_flags(pattern)
    if len(body) > MAX_PATTERN:
        raise PatternError("pattern_too_long")
    program: list[_Op | None] = []
    _emit(_Parser(body, flags).tree(), program)
    found, steps = _run(program, text[:MAX_TEXT])
    if meter is not None:
        meter.spend(steps + len(program))
    if found is None:
        raise PatternError("pattern_too_costly")
    return found


def _split_flags(pattern: str) -> tuple[str, re.RegexFlag]:
    flags = re.NOFLAG
    if not pattern.startswith("/"):
        return pattern, re.IGNORECASE
    body, slash, options = pattern[1:].rpartition("/")
    if not slash:
        raise PatternError("no_closing_slash")
    if "i" in options:
        flags |= re.IGNORECASE
    if "s" in options:
        flags |= re.DOTALL
    return body, flags


class _Parser:
    """Pattern text to a tree; recursion is capped by MAX_GROUP_DEPTH."""

    def __init__(self, text: str, flags: re.RegexFlag) -> None:
        self._text = text
        self._flags = flags
        self._at = 0
        self._depth = 0

    def tree(self) -> _Node:
        node = self._alternatives()
        if self._at < len(self._text):
            raise PatternError("unbalanced_parenthesis")
        return node

    def _alternatives(self) -> _Node:
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        return _Any(branches) if len(branches) > 1 else branches[0]

    def _sequence(self) -> _Node:
        items: list[_Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            items.append(self._repeated(self._item()))
        return _All(items)

    def _repeated(self, item: _Node) -> _Node:
        bounds = self._bounds()
        if bounds is None:
            return item
        if isinstance(item, _Assert):
            raise PatternError("nothing_to_repeat")
        self._take("?")
        if self._text[self._at : self._at + 1] in ("*", "+", "?") or self._bounds() is not None:
            raise PatternError("multiple_repeat")
        return _Repeat(item, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return bounds
        count = _COUNT.match(self._text, self._at)
        if count is None or count[0] == "{}":
            return None
        least, comma, most = count.groups()
        self._at = count.end()
        low = int(least or 0)
        high = (int(most) if most else None) if comma else low
        if high is not None and high < low:
            raise PatternError("bad_repeat")
        return low, high

    def _item(self) -> _Node:
        char = self._text[self._at]
        if char == "(":
            return self._group()
        if char == "[":
            return self._char(self._class())
        if char == "\\":
            return self._escape()
        if char in "*+?" or self._bounds() is not None:
            raise PatternError("nothing_to_repeat")
        self._at += 1
        if char in "^$":
            return _Assert("first" if char == "^" else "end")
        return self._char("." if char == "." else re.escape(char))

    def _group(self) -> _Node:
        self._at += 1
        head = _GROUP.match(self._text, self._at)
        if head is not None:
            self._at = head.end()
        elif self._text.startswith("?", self._at):
            raise PatternError("unsupported_group")
        self._depth += 1
        if self._depth > MAX_GROUP_DEPTH:
            raise PatternError("nested_too_deeply")
        node = self._alternatives()
        self._depth -= 1
        if not self._take(")"):
            raise PatternError("unbalanced_parenthesis")
        return node

    def _escape(self) -> _Node:
        pair = self._text[self._at : self._at + 2]
        if pair in _ASSERTIONS:
            self._at += 2
            return _Assert(_ASSERTIONS[pair])
        return self._char(self._coded())

    def _coded(self) -> str:
        coded = _CODED.match(self._text, self._at)
        if coded is None:
            raise PatternError("unsupported_escape")
        self._at = coded.end()
        return coded[0]

    def _class(self) -> str:
        """A class as source for the standard library, every member escaped."""
        self._at += 1
        members = ["[^" if self._take("^") else "["]
        first = True
        while first or not self._text.startswith("]", self._at):
            if self._at >= len(self._text):
                raise PatternError("unclosed_class")
            members.append(self._class_member())
            first = False
        self._at += 1
        return "".join(members) + "]"

    def _class_member(self) -> str:
        low = self._class_char()
        ahead = self._text[self._at : self._at + 2]
        if len(ahead) == 2 and ahead[0] == "-" and ahead[1] != "]":
            self._at += 1
            return f"{low}-{self._class_char()}"
        return low

    def _class_char(self) -> str:
        if self._at >= len(self._text):
            raise PatternError("unclosed_class")
        if self._text[self._at] == "\\":
            return "\\x08" if self._take("\\b") else self._coded()
        self._at += 1
        return re.escape(self._text[self._at - 1])

    def _char(self, source: str) -> _Node:
        try:
            compiled = re.compile(source, self._flags)
        except re.error:
            raise PatternError("bad_class") from None
        return _Char(lambda char: compiled.fullmatch(char) is not None)

    def _take(self, sign: str) -> bool:
        if not self._text.startswith(sign, self._at):
            return False
        self._at += len(sign)
        return True


def _emit(node: _Node, program: list[_Op | None]) -> None:
    """Append the program of a node. Falling off its end means that the node matched."""
    if len(program) > MAX_PROGRAM:
        raise PatternError("pattern_too_large")
    match node:
        case _Char() | _Assert():
            program.append(node)
        case _All(items):
            for item in items:
                _emit(item, program)
        case _Any(branches):
            _emit_branches(branches, program)
        case _Repeat(item, least, most):
            _emit_repeat(item, least, most, program)


def _emit_branches(branches: list[_Node], program: list[_Op | None]) -> None:
    exits: list[int] = []
    for branch in branches[:-1]:
        split = _hole(program)
        _emit(branch, program)
        exits.append(_hole(program))
        program[split] = _Split(split + 1, len(program))
    _emit(branches[-1], program)
    for place in exits:
        program[place] = _Jump(len(program))


def _emit_repeat(item: _Node, least: int, most: int | None, program: list[_Op | None]) -> None:
    if max(least, most or 0) > MAX_PROGRAM:
        raise PatternError("pattern_too_large")
    for _ in range(least):
        _emit(item, program)
    if most is None:
        split = _hole(program)
        _emit(item, program)
        program.append(_Jump(split))
        program[split] = _Split(split + 1, len(program))
        return
    splits: list[int] = []
    for _ in range(most - least):
        splits.append(_hole(program))
        _emit(item, program)
    for split in splits:
        program[split] = _Split(split + 1, len(program))


def _hole(program: list[_Op | None]) -> int:
    if len(program) > MAX_PROGRAM:
        raise PatternError("pattern_too_large")
    program.append(None)
    return len(program) - 1


def _run(program: list[_Op | None], text: str) -> tuple[bool | None, int]:
    """Search: a new thread starts at every position; found when any reaches the end.

    Gives (found, steps taken); found is None when MAX_STEPS were not enough.
    """
    steps = 0
    threads: list[int] = []
    for at in range(len(text) + 1):
        seen: set[int] = set()
        waiting: list[tuple[int, Test]] = []
        stack = [0, *reversed(threads)]
        while stack:
            steps += 1
            if steps > MAX_STEPS:
                return None, steps
            place = stack.pop()
            if place in seen:
                continue
            seen.add(place)
            if place == len(program):
                return True, steps
            match program[place]:
                case _Split(first, second):
                    stack += (second, first)
                case _Jump(target):
                    stack.append(target)
                case _Assert(kind):
                    if _holds(kind, text, at):
                        stack.append(place + 1)
                case _Char(test):
                    waiting.append((place, test))
                case None:
                    raise AssertionError("a hole was left in the program")
        if at < len(text):
            steps += len(waiting)
            threads = [place + 1 for place, test in waiting if test(text[at])]
    return False, steps


def _holds(kind: str, text: str, at: int) -> bool:
    if kind == "first":
        return at == 0
    if kind == "last":
        return at == len(text)
    if kind == "end":
        return at == len(text) or (at == len(text) - 1 and text[at] == "\n")
    before = at > 0 and _is_word(text[at - 1])
    after = at < len(text) and _is_word(text[at])
    return (before != after) == (kind == "word")


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"
