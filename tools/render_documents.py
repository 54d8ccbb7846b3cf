"""Write docs/documents.md from the tables of methods. --check: fail when it is not current."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mediacore.flow.findings import CODES, PUBLIC_CODES
from mediacore.flow.methods import METHODS
from mediacore.flow.parsed import MAX_BYTES, MAX_DEPTH, MAX_NODES
from mediacore.flow.spec import Method, Param, Shape, State
from mediacore.flow.validate import MAX_NESTING, MAX_STATEMENTS

DOC = Path(__file__).resolve().parents[1] / "docs" / "documents.md"

HEAD = f"""\
# Documents

mediacore executes documents in the published SWML format and works with the SignalWire SDKs. It is
not affiliated with SignalWire. This page is rendered from the tables that the engine itself uses:
`python tools/render_documents.py`. What of a document of yours runs here, `mediacore check FILE…`
says, with line numbers.

A document is JSON or YAML: `sections` holds lists of statements, `main` is where a call begins. A
statement is a map with one method (`{{"play": {{"url": "say:Hello"}}}}`) or just a method's name
(`"hangup"`). `version`, when given, is 1.x.

## How documents are read

Validation is lenient. An unknown key or a value that cannot work is a warning with line and key,
and the document runs. A method that does not exist is an error, and the document is refused. A
method that is known but not supported sets `<method>_result` to `failed`, emits a warning event
and lets the document go on; with `--strict` it is refused at load.

| limit | value |
|---|---|
| size of the text | {MAX_BYTES:,} bytes |
| lists and maps within each other | {MAX_DEPTH} |
| values in all | {MAX_NODES:,} |
| blocks of statements within each other | {MAX_NESTING} |
| statements in all, nested ones counted | {MAX_STATEMENTS:,} |

YAML keeps text as it was written: only `null`, `true`, `false` and plain decimal numbers are more
than text. `+15551234567`, `010`, `no`, `12:30:45` and dates stay text, and so do all keys and whole
numbers of more than 18 digits. Duplicate keys, anchors, aliases and tags are refused, in JSON the
numbers NaN and Infinity too.

Wherever a value may stand, so may text with a variable: `${{…}}` or `%{{…}}`. Numbers in quotes are
taken as numbers.
"""

PARAMS_MODULE = "mediacore.assistant.params"
ACTIONS_MODULE = "mediacore.assistant.actions"


def render() -> str:
    """The whole page."""
    parts = [HEAD, _overview(), *(_method(method) for method in METHODS.values())]
    parts += [_ai_params(), _actions(), _codes()]
    return "\n".join(part for part in parts if part)


def _overview() -> str:
    rows = [
        (f"[`{name}`](#{name})" if _runs(method) else f"`{name}`", method.state, method.note)
        for name, method in METHODS.items()
    ]
    count = sum(_runs(method) for method in METHODS.values())
    title = f"## Methods\n\n{count} of {len(METHODS)} are supported.\n"
    return f"{title}\n{_table(('method', 'state', ''), rows)}"


def _runs(method: Method) -> bool:
    return method.state is State.SUPPORTED


def _method(method: Method) -> str:
    if not _runs(method):
        return ""
    lines = [f"### {method.name}\n"]
    if method.note:
        lines.append(f"{method.note}\n")
    if method.bare:
        lines.append(f"A bare value stands for `{method.bare}`.\n")
    for group in method.one_of:
        lines.append(f"Exactly one of {', '.join(f'`{name}`' for name in group)}.\n")
    if method.whole is not None:
        note = f" ({method.whole.note})" if method.whole.note else ""
        lines.append(f"Takes {_kinds(method.whole)}{note}.\n")
    if method.params:
        rows = list(_params(method.params, "", method.params))
        lines.append(_table(("parameter", "value", "default", "state", "note"), rows))
    return "\n".join(lines)


def _params(shape: Shape, prefix: str, top: Shape) -> Iterator[tuple[str, ...]]:
    for name, param in shape.items():
        if prefix and top.get(name) is param:
            continue
        note = "; ".join(filter(None, ("required" if param.required else "", param.note)))
        below = f"{prefix}{name}"
        inner = _inner(param, top)
        if inner is not None and any(top.get(key) is each for key, each in inner[1].items()):
            note = f"{note}; " * bool(note) + "the other parameters of this method may stand here"
        yield f"`{below}`", _value(param), _default(param.default), param.state, note
        if inner is not None:
            yield from _params(inner[1], f"{below}{inner[0]}.", top)


def _inner(param: Param, top: Shape) -> tuple[str, Shape] | None:
    """How to write the way to the keys within a parameter, and these keys."""
    if param.keys is not None:
        return "", param.keys
    if param.each is None:
        return None
    inner = _inner(param.each, top)
    sign = "[]" if "list" in param.kinds[0] else ".*"
    return None if inner is None else (sign + inner[0], inner[1])


def _kinds(param: Param) -> str:
    return " or ".join(param.kinds)


def _value(param: Param) -> str:
    words = _kinds(param)
    if param.each is not None and param.each.values:
        words += f" of {', '.join(param.each.values)}"
    elif param.values:
        words += f": {', '.join(param.values)}"
    if param.low is not None:
        words += f", {param.low:g} …" + (f" {param.high:g}" if param.high is not None else "")
    return f"{words} {param.unit}".rstrip()


def _default(value: object) -> str:
    return "" if value is None else f"`{json.dumps(value)}`"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(
        f"| {' | '.join(str(cell).replace('|', '¦') for cell in row)} |\n" for row in lines
    )


def _load(module: str) -> Any:
    """The module, or None in a build without it."""
    return importlib.import_module(module) if find_spec(module) else None


def _ai_params() -> str:
    module = _load(PARAMS_MODULE)
    if module is None:
        return ""
    supported = sum(spec.state == "supported" for spec in module.PARAMS.values())
    lines = [
        "## `ai.params`\n",
        f"{len(module.PARAMS)} are known, {supported} of them supported. The others are accepted, "
        "reported, and change nothing.\n",
        _table(("parameter", "value", "default", "state", "note"), _specs(module.PARAMS)),
        "Own keys, of `ai.params`, a context or a step:\n",
        _table(("key", ""), ((f"`{key}`", note) for key, note in module.OWN_KEYS.items())),
    ]
    return "\n".join(lines)


def _specs(table: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, spec in table.items():
        value = spec.kind
        if spec.choices:
            value += f": {', '.join(spec.choices)}"
        if spec.minimum is not None:
            value += f", {spec.minimum:g} … {spec.maximum:g}"
        yield (
            f"`{name}`",
            f"{value} {spec.unit}".rstrip(),
            _default(spec.default),
            spec.state,
            spec.note,
        )


def _actions() -> str:
    module = _load(ACTIONS_MODULE)
    if module is None:
        return ""
    rows = [
        (f"`{name}`", spec.group, spec.form, spec.state, spec.note)
        for name, spec in module.ACTIONS.items()
    ]
    text = "What a tool may ask for in `action`, executed in order.\n"
    table = _table(("action", "group", "value", "state", "note"), rows)
    return f"## Tool actions\n\n{text}\n{table}"


def _codes() -> str:
    public = [(f"`{code}`", text) for code, text in CODES.items() if code in PUBLIC_CODES]
    own = [(f"`{code}`", text) for code, text in CODES.items() if code not in PUBLIC_CODES]
    return (
        "## Codes\n\nFindings at load and failures at run time carry a code; the first one of a "
        f"call stands in the variable `script_error`.\n\n{_table(('code', 'meaning'), public)}\n"
        f"These are ours:\n\n{_table(('code', 'meaning'), own)}"
    )


def main() -> int:
    text = render()
    if "--check" in sys.argv[1:]:
        return 0 if DOC.exists() and DOC.read_text(encoding="utf-8") == text else 1
    DOC.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
