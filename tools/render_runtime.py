"""Write docs/call-runtime.md from the tables of the call's reducer. --check: fail when it is not
current."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import mediacore.runtime
from mediacore.runtime.commands import COMMANDS
from mediacore.runtime.methods import METHODS, NEEDS_MEDIA
from mediacore.runtime.table import TRANSITIONS

DOC = Path(__file__).resolve().parents[1] / "docs" / "call-runtime.md"

HEAD = """\
# The runtime of a call

Rendered from `mediacore.runtime` by `tools/render_runtime.py`; do not edit.

`runtime.step(state, event, now)` owns everything of one call: its lines, the operations under way
on them, the document, the agent's conversation, controllers and budgets. It is looked up here what
an event does; then the step settles: what is due by time, decisions of the conversation, operations
that are over and the documents that waited for them, lines that end, the end of the call. Whatever
is reported for something that is over is refused and counted.
"""

COMMANDS_HEAD = """\
## Commands of controllers

Over the control server each is `calling.<name>`. Every command is answered once, in the step that
carries it out; what takes time is told by events. A command that is refused changes nothing.

| code | meaning |
|---|---|
| 200 | done, or under way; `state_version` is the state's version after it |
| 400 | a parameter cannot be used; the message names it |
| 403 | the token does not allow it |
| 404 | no such call for this project, or no such `control_id` |
| 409 | the state does not allow it, has moved on, or somebody else has the call |
| 410 | the call is over |
| 429 | too many operations or destinations on this call |
| 501 | the command is not supported |
"""

METHODS_HEAD = """\
## Statements of documents

Statements that steer the document (`set`, `cond`, `goto` …) are carried out by its interpreter; the
others reach the call. "answers": it answers a line that rings in, unless `auto_answer` is false.
"""

EVENTS_HEAD = """\
## Events for controllers

What the reducer publishes. Every operation with a `control_id` gets its terminal event before the
line's `ending`.
"""

REFUSED_HEAD = """\
## What is refused and counted

Reasons in `RunState.refused` and in the log (`refused`); `command_*` stands for the codes above.
"""


def main() -> int:
    text = render()
    if "--check" in sys.argv[1:]:
        return 0 if DOC.exists() and DOC.read_text(encoding="utf-8") == text else 1
    DOC.write_text(text, encoding="utf-8")
    return 0


def render() -> str:
    """The page."""
    return "\n".join(
        [
            HEAD,
            "## Events\n",
            *_table("event | handler | what it does", _events()),
            COMMANDS_HEAD,
            *_table("command | what it does", _handlers({**COMMANDS})),
            METHODS_HEAD,
            *_table("method | answers | what it does", _methods()),
            EVENTS_HEAD,
            *_table("event | published by", _published()),
            REFUSED_HEAD,
            *_table("reason | module", _refused()),
        ]
    )


def _table(head: str, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {head} |"
    yield "|" + "---|" * (head.count("|") + 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def _first_line(handler: Callable[..., Any]) -> str:
    found = (inspect.getdoc(handler) or "").partition("\n\n")[0].replace("\n", " ")
    if not found:
        raise SystemExit(f"{handler.__module__}.{handler.__name__} has no docstring")
    return found


def _events() -> Iterator[tuple[str, str, str]]:
    for event, handler in TRANSITIONS.items():
        module = handler.__module__.rpartition(".")[2]
        yield f"`{event.__name__}`", f"`{module}.{handler.__name__}`", _first_line(handler)


def _handlers(table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, handler in table.items():
        yield f"`{name}`", _first_line(handler)


def _methods() -> Iterator[tuple[str, str, str]]:
    for name, handler in METHODS.items():
        if name != "fetch":  # what the interpreter makes of a URL, not a statement
            yield f"`{name}`", "yes" if name in NEEDS_MEDIA else "", _first_line(handler)


def _calls() -> Iterator[tuple[str, ast.Call]]:
    """All calls in the package, with their module."""
    folder = Path(next(iter(mediacore.runtime.__path__)))
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path.stem, node


def _words(call: ast.Call) -> Iterator[str]:
    """Texts that the first argument can be."""
    first = call.args[0] if call.args else None
    for node in ast.walk(first) if first is not None else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


PUBLISHED_BY_NAME = {"name": ("tap", "stream"), "published": ("play", "send_digits", "ai")}
"""Variables that `publish` is called with, and what they can be."""


def _published() -> Iterator[tuple[str, str]]:
    found: dict[str, set[str]] = {}
    for module, call in _calls():
        if _called(call) == "Publish":
            for word in _words(call):
                if word.startswith("calling.") and not word.endswith("."):
                    found.setdefault(word, set()).add(module)
        elif _called(call) == "publish":
            names = {n.id for n in ast.walk(call.args[0]) if isinstance(n, ast.Name)}
            words = [*_words(call), *(w for n in names for w in PUBLISHED_BY_NAME.get(n, ()))]
            for word in words:
                found.setdefault(f"calling.call.{word}", set()).add(module)
    for name in sorted(found):
        yield f"`{name}`", ", ".join(f"`{m}`" for m in sorted(found[name]))


def _refused() -> Iterator[tuple[str, str]]:
    found: dict[str, set[str]] = {}
    for module, call in _calls():
        if _called(call) == "refuse" and call.args and isinstance(call.args[0], ast.Constant):
            found.setdefault(str(call.args[0].value), set()).add(module)
    for name in sorted(found):
        yield f"`{name}`", ", ".join(f"`{m}`" for m in sorted(found[name]))


if __name__ == "__main__":
    sys.exit(main())
