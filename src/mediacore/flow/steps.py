"""The statements that the interpreter carries out itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from mediacore.flow.condition import holds
from mediacore.flow.document import Statement, load_document
from mediacore.flow.expand import as_text, expand, has_placeholder
from mediacore.flow.findings import Code
from mediacore.flow.frames import Loaded, Perform, Waiting, loaded
from mediacore.flow.jump import MAX_TRANSFERS, Run
from mediacore.flow.parsed import DocumentError
from mediacore.flow.scope import MISSING, parse_path
from mediacore.flow.script import ScriptFault
from mediacore.flow.source import from_value, read_source

MAX_VARS: Final = 1000
MAX_JUMPS: Final = 100
_TRANSFORMS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "lowercase": str.lower,
        "uppercase": str.upper,
        "trim": str.strip,
        "lowercase_trim": lambda text: text.strip().lower(),
        "uppercase_trim": lambda text: text.strip().upper(),
    }
)


def _map(statement: Statement) -> Mapping[str, object]:
    if isinstance(statement.params, Mapping):
        return statement.params
    raise ScriptFault(Code.ELEMENT_WRONG_TYPE, f"'{statement.method}' takes a map")


def _set(run: Run, statement: Statement) -> None:
    for key, value in _map(statement).items():
        made = expand(value, run.scope, run)
        name = str(key).removeprefix("vars.")
        if name not in run.scope.vars and len(run.scope.vars) >= MAX_VARS:
            raise ScriptFault(Code.PARAMETER_INVALID_VALUE, f"there are over {MAX_VARS} variables")
        run.scope = run.scope.with_vars({name: made})


def _unset(run: Run, statement: Statement) -> None:
    names = expand(statement.params, run.scope, run)
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, list | dict):
        raise ScriptFault(Code.ELEMENT_WRONG_TYPE, "'unset' takes a name or a list of names")
    run.scope = run.scope.without(str(name).removeprefix("vars.") for name in names)


def _cond(run: Run, statement: Statement) -> None:
    if not isinstance(statement.params, list):
        raise ScriptFault(Code.ELEMENT_WRONG_TYPE, "'cond' takes a list of conditions")
    for index, entry in enumerate(statement.params):
        if not isinstance(entry, Mapping):
            run.warn(Code.ELEMENT_WRONG_TYPE, "a condition is a map", statement.place)
            continue
        branch = "else"
        if "when" in entry:
            try:
                branch = "then" if holds(entry["when"], run.scope, run) else "else"
            except ScriptFault as fault:
                run.warn(fault.code, fault.text, statement.place)
        if branch in entry:
            run.block(entry[branch], (*statement.path, index, branch), statement.place)
            return
        if branch == "then":
            return


def _switch(run: Run, statement: Statement) -> None:
    params = _map(statement)
    name = params.get("variable")
    cases = params.get("case")
    if not isinstance(name, str) or not isinstance(cases, Mapping):
        raise ScriptFault(Code.PARAMETER_MISSING, "'switch' needs 'variable' and 'case'")
    value = as_text(_variable(run, name))
    transform = _TRANSFORMS.get(str(params.get("transform")))
    if transform is not None:
        value = transform(value)
    for case, written in cases.items():
        if as_text(case) == value:
            run.block(written, (*statement.path, "case", case), statement.place)
            return
    if "default" not in params:
        text = f"no case of the switch on '{name[:60]}' matched"
        raise ScriptFault(Code.NO_MATCHING_CONDITION, text)
    run.block(params["default"], (*statement.path, "default"), statement.place)


def _variable(run: Run, name: str) -> object:
    if has_placeholder(name):
        return expand(name, run.scope, run)
    path = parse_path(name)
    if path is None:
        text = f"'{name[:60]}' is not the name of a variable"
        raise ScriptFault(Code.PARAMETER_INVALID_VALUE, text)
    value = run.scope.lookup(path, MISSING)
    return "" if value is MISSING else value


def _goto(run: Run, statement: Statement) -> None:
    params = _map(statement)
    if "label" not in params:
        raise ScriptFault(Code.PARAMETER_MISSING, "'goto' needs 'label'")
    if "when" in params and not holds(params["when"], run.scope, run):
        return
    most = expand(params.get("max", MAX_JUMPS), run.scope, run)
    try:
        most = min(MAX_JUMPS, max(1, int(as_text(most))))
    except ValueError:
        raise ScriptFault(Code.PARAMETER_INVALID_VALUE, "'max' must be a whole number") from None
    label = as_text(expand(params["label"], run.scope, run))
    run.goto(label, most, statement.place)


def _label(run: Run, statement: Statement) -> None:
    """Does nothing: it is a place."""


def _return(run: Run, statement: Statement) -> None:
    value = expand(statement.params, run.scope, run)
    run.come_back(None if value == {} else value)


def _execute(run: Run, statement: Statement) -> None:
    params = _map(statement)
    sent = _sent(run, params)
    where = _destination(run, statement, params)
    if isinstance(where, str):
        _fetch(run, statement, params, where, sent)
    else:
        run.enter(where[0], where[1], sent, statement)


def _transfer(run: Run, statement: Statement) -> None:
    params = _map(statement)
    sent = _sent(run, params)
    where = _destination(run, statement, params)
    if run.transfers >= MAX_TRANSFERS:
        text = f"one call may transfer {MAX_TRANSFERS} times"
        run.fail(Code.TOO_MANY_TRANSFERS, text, statement.place)
        return
    run.transfers += 1
    if isinstance(where, str):
        _fetch(run, statement, params, where, sent)
    else:
        run.replace_all(where[0], where[1], sent)


def _sent(run: Run, params: Mapping[str, object]) -> Mapping[str, object]:
    sent = expand(params.get("params", {}), run.scope, run)
    return sent if isinstance(sent, dict) else {}


def _destination(
    run: Run, statement: Statement, params: Mapping[str, object]
) -> str | tuple[Loaded, str]:
    """A URL to fetch, or a document and one of its sections."""
    here = run.frames[-1].loaded
    dest = params.get("dest")
    if isinstance(dest, Mapping | list):
        return _inline(dest, here), "main"
    if not isinstance(dest, str) or not dest.strip():
        raise ScriptFault(Code.PARAMETER_MISSING, f"'{statement.method}' needs 'dest'")
    if dest in here.document.sections:
        return here, dest
    if _is_inline(dest):
        return _inline(dest, here), "main"
    dest = as_text(expand(dest, run.scope, run)).strip()
    if dest in here.document.sections:
        return here, dest
    if dest.lower().startswith(("http://", "https://")):
        return dest
    if _is_inline(dest):
        return _inline(dest, here), "main"
    if dest.startswith("relay:"):
        raise ScriptFault(Code.EXECUTE_FAILED, "destinations 'relay:' are not supported")
    raise ScriptFault(Code.SECTION_UNDEFINED, f"there is no section '{dest[:60]}'")


def _is_inline(dest: str) -> bool:
    return dest.lstrip()[:1] in ("{", "[") or ("\n" in dest and "sections:" in dest)


def _inline(dest: object, here: Loaded) -> Loaded:
    name = f"{here.document.name} (inline)"
    try:
        source = read_source(dest, name) if isinstance(dest, str) else from_value(dest, name)
        if isinstance(source.value, list):
            source = from_value({"version": "1.0.0", "sections": {"main": source.value}}, name)
        return loaded(load_document(source))
    except DocumentError as error:
        raise ScriptFault(error.code, f"inline document: {error.text}") from None


def _fetch(
    run: Run,
    statement: Statement,
    params: Mapping[str, object],
    url: str,
    sent: Mapping[str, object],
) -> None:
    meta = expand(params.get("meta", {}), run.scope, run)
    purpose: Final = "execute" if statement.method == "execute" else "transfer"
    asked = {"url": url, "purpose": purpose, "meta": meta, "params": sent}
    run.waiting = Waiting(statement, purpose, sent)
    run.effects.append(Perform("fetch", asked, statement.place))


STEPS: Final[Mapping[str, Callable[[Run, Statement], None]]] = MappingProxyType(
    {
        "set": _set,
        "unset": _unset,
        "cond": _cond,
        "switch": _switch,
        "goto": _goto,
        "label": _label,
        "execute": _execute,
        "transfer": _transfer,
        "return": _return,
    }
)
"""By method. A ScriptFault from one is a warning, and the document goes on after the statement."""
