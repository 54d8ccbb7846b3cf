"""Frozen dataclasses from TOML tables: the dataclass is the schema, its docstring the manual.

A field is a key. Types that TOML can write are read: text, numbers, bool, Path, enumerations,
lists (tuple, frozenset), tables (Mapping, dataclasses); a field of any other type is no key. A
text field with repr=False is a secret: instead of `key` there may be `key_env`, the name of an
environment variable, or `key_file`, a file that holds it. In every text ${NAME} is replaced by
that environment variable; $${ stands for ${. Relative paths count from the file's folder.

Errors name file, line and key; they never show a value.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from mediacore.errors import ConfigError

T = TypeVar("T")
Key = str | int
MAX_BYTES: Final = 1 << 20
_PLAIN: Final = (str, int, float, bool, Path)
_VARIABLE: Final = re.compile(r"(\$?)\$\{(\w+)\}")
_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_ASSIGNED: Final = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[\w"'-]+)*)\s*=""")
_PART: Final = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_PLACE: Final = re.compile(r" - at `\$(?P<path>.*)`$")
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]")
_ENV: Final = "_env"
_FILE: Final = "_file"


@dataclass(frozen=True, slots=True)
class Source:
    """A TOML file that was read. env: the environment for secrets."""

    path: Path
    text: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    def line(self, keys: tuple[Key, ...]) -> int | None:
        """Where a key, or the nearest table around it, is written."""
        best: tuple[int, int] | None = None
        for number, where in _lines(self.text):
            shared = where[: len(keys)]  # or the first line of what is written deeper
            if keys[: len(shared)] == shared and (best is None or len(shared) > best[0]):
                best = (len(shared), number)
        return best[1] if best is not None else None

    def error(self, keys: tuple[Key, ...], message: str) -> ConfigError:
        """An error that says where."""
        line = self.line(keys)
        place = str(self.path) if line is None else f"{self.path}:{line}"
        name = _dotted(keys)
        return ConfigError(f"{place}: {name}: {message}" if name else f"{place}: {message}")


def read_toml(path: Path, env: Mapping[str, str]) -> tuple[dict[str, Any], Source]:
    """The tables of a file. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES >> 20} MiB")
    try:
        return tomllib.loads(text), Source(path, text, env)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column \d+\)$", str(error))
        reason = str(error).rpartition(" (at ")[0] or str(error)
        number = found[1] if found else len(text.splitlines())
        raise ConfigError(f"{path}:{number}: not TOML: {reason}") from None


def read_table(kind: type[T], table: object, source: Source, keys: tuple[Key, ...] = ()) -> T:
    """The dataclass `kind` from a table at `keys` of the file. Raises ConfigError."""
    prepared = _prepare(kind, table, source, keys)

    def convert(expected: type, value: Any) -> Any:
        if expected is Path and isinstance(value, str):
            return source.path.parent / Path(value).expanduser()
        raise ValueError(f"Expected `{'str' if expected is Path else expected.__name__}`")

    try:
        return msgspec.convert(prepared, kind, dec_hook=convert)
    except msgspec.ValidationError as error:
        found = _PLACE.search(str(error))
        known = found["path"].partition("[...]")[0] if found else ""  # a mapping hides its key
        deeper = tuple(step[1] or int(step[2]) for step in _STEP.finditer(known))
        raise source.error((*keys, *deeper), _PLACE.sub("", str(error))) from None
    except ConfigError as error:  # a check of the dataclass itself
        raise source.error(keys, str(error)) from None


# -- what a dataclass says about its keys


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """One key. form: its type in words. default: as TOML, "" = none. text: the manual."""

    name: str
    form: str
    default: str
    text: str
    secret: bool = False
    table: type | None = None
    """The dataclass of a table or of each table of a list."""
    listed: bool = False


def keys_of(kind: type) -> tuple[KeyInfo, ...]:
    """The keys of a dataclass in their order."""
    texts = _field_texts(kind)
    return tuple(
        KeyInfo(
            entry.name,
            _form(hint),
            _default(entry),
            texts.get(entry.name, ""),
            secret=_is_secret(entry, hint),
            table=_table_in(hint),
            listed=_is_list(hint),
        )
        for entry, hint in _fields(kind)
    )


def _fields(kind: type) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    hints = typing.get_type_hints(kind)
    for entry in dataclasses.fields(kind):
        hint = hints[entry.name]
        if entry.init and _readable(hint):
            yield entry, hint


def _readable(hint: Any) -> bool:
    if hint in _PLAIN or (isinstance(hint, type) and issubclass(hint, Enum)):
        return True
    if dataclasses.is_dataclass(hint):
        return True
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return True
    if _is_union(origin):
        return all(_readable(arg) for arg in args if arg is not type(None))
    if origin in (tuple, frozenset, Mapping):
        return all(_readable(arg) for arg in args if arg is not Ellipsis)
    return False


def _is_union(origin: Any) -> bool:
    return origin in (typing.Union, types.UnionType)


def _bare(hint: Any) -> Any:
    """Without None."""
    if not _is_union(typing.get_origin(hint)):
        return hint
    kept = [arg for arg in typing.get_args(hint) if arg is not type(None)]
    return kept[0] if len(kept) == 1 else hint


def _is_list(hint: Any) -> bool:
    return typing.get_origin(_bare(hint)) in (tuple, frozenset)


def _table_in(hint: Any) -> type | None:
    """The dataclass that a field holds: itself, in a list, or as the values of a mapping."""
    bare = _bare(hint)
    if dataclasses.is_dataclass(bare):
        return typing.cast(type, bare)
    args = typing.get_args(bare)
    if typing.get_origin(bare) in (tuple, frozenset, Mapping) and args:
        inner = args[-2] if args[-1] is Ellipsis else args[-1]
        if dataclasses.is_dataclass(inner):
            return typing.cast(type, inner)
    return None


def _is_secret(entry: dataclasses.Field[Any], hint: Any) -> bool:
    return not entry.repr and _bare(hint) is str


_WORDS: Final = {str: "text", int: "integer", float: "number", bool: "bool", Path: "path"}


def _form(hint: Any) -> str:
    hint = _bare(hint)
    if hint in _WORDS:
        return _WORDS[hint]
    if dataclasses.is_dataclass(hint):
        return "table"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " \\| ".join(_toml(member) for member in hint)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " \\| ".join(_toml(arg) for arg in args)
    if origin is Mapping:
        return f"table of {_form(args[1])}"
    if origin is tuple and Ellipsis not in args:
        return "[" + ", ".join(_form(arg) for arg in args) + "]"
    if origin in (tuple, frozenset):
        return "list of tables" if _table_in(hint) else f"list of {_form(args[0])}"
    return " \\| ".join(_form(arg) for arg in args if arg is not type(None))


def _default(entry: dataclasses.Field[Any]) -> str:
    if entry.default is not dataclasses.MISSING:
        return _toml(entry.default)
    if entry.default_factory is not dataclasses.MISSING:
        made = entry.default_factory()
        return "" if dataclasses.is_dataclass(made) else _toml(made)
    return "(needed)"


def _toml(value: object) -> str:
    if isinstance(value, Enum):
        value = value.name.lower() if isinstance(value, IntEnum) else value.value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | frozenset):
        items = sorted(value) if isinstance(value, frozenset) else value
        return "" if any(map(dataclasses.is_dataclass, items)) else _list(items)
    if isinstance(value, Mapping):
        return "" if value else "{}"
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) else f'"{value}"'


def _list(items: Iterable[object]) -> str:
    return "[" + ", ".join(_toml(item) for item in items) + "]"


def _field_texts(kind: type) -> dict[str, str]:
    """What a docstring says of its fields: "name, other: text", from one to the next."""
    names = "|".join(re.escape(entry.name) for entry in dataclasses.fields(kind))
    text = " ".join((kind.__doc__ or "").split())
    pieces = re.split(rf"(?:^|(?<=[.;)\]] ))((?:{names})(?:, (?:{names}))*): ", text)
    found: dict[str, str] = {}
    for named, told in zip(pieces[1::2], pieces[2::2], strict=True):
        for name in named.split(", "):
            found[name] = told.strip().removesuffix(";")
    return found


# -- checks, secrets and variables before the conversion


def _prepare(kind: type, table: object, source: Source, keys: tuple[Key, ...]) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise source.error(keys, "expected a table")
    known = {entry.name: (entry, hint) for entry, hint in _fields(kind)}
    allowed = set(known)
    for name, (entry, hint) in known.items():
        if _is_secret(entry, hint):
            allowed |= {name + _ENV, name + _FILE}
    prepared: dict[str, Any] = {}
    for key, value in table.items():
        if key not in allowed:
            raise unknown_key(key, allowed, source, (*keys, key))
        name, found = _secret(key, value, known, source, (*keys, key))
        if name in prepared:
            raise source.error((*keys, key), f"{name} is given twice")
        hint = known[name][1]
        prepared[name] = _walk(hint, found, source, (*keys, key)) if name == key else found
    return prepared


def unknown_key(
    key: str, allowed: Iterable[str], source: Source, keys: tuple[Key, ...]
) -> ConfigError:
    """The error for a key that does not exist, with the one that was probably meant."""
    near = difflib.get_close_matches(key, sorted(allowed), 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(allowed))}"
    return source.error(keys, f"unknown key; {hint}")


def _secret(
    key: str,
    value: object,
    known: Mapping[str, object],
    source: Source,
    keys: tuple[Key, ...],
) -> tuple[str, object]:
    """The field's name and value, where a key stands for an environment variable or a file."""
    if key in known:
        return key, value
    if not isinstance(value, str) or not value:
        raise source.error(keys, "expected a name")
    if key.endswith(_ENV):
        found = source.env.get(value, "")
        if not found:
            raise source.error(keys, f"the environment variable {value} is not set")
        return key.removesuffix(_ENV), found
    path = source.path.parent / Path(value).expanduser()
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise source.error(keys, f"cannot read {path}: {reason}") from None
    if not text:
        raise source.error(keys, f"{path} is empty")
    return key.removesuffix(_FILE), text


def _walk(hint: Any, value: Any, source: Source, keys: tuple[Key, ...]) -> Any:
    if isinstance(value, str):
        return _named(_bare(hint), _expanded(value, source, keys), source, keys)
    table = _table_in(hint)
    if isinstance(value, list):
        return [_walk_item(table, item, source, (*keys, at)) for at, item in enumerate(value)]
    if isinstance(value, dict):
        if table is not None and dataclasses.is_dataclass(_bare(hint)):
            return _prepare(table, value, source, keys)
        return {k: _walk_item(table, item, source, (*keys, k)) for k, item in value.items()}
    return value


def _named(hint: Any, text: str, source: Source, keys: tuple[Key, ...]) -> Any:
    """Members of a numeric enumeration are written by their names in lower case."""
    if not isinstance(hint, type) or not issubclass(hint, IntEnum):
        return text
    names = {member.name.lower(): member.value for member in hint}
    if text not in names:
        raise source.error(keys, f"expected one of {', '.join(names)}")
    return names[text]


def _walk_item(table: type | None, item: Any, source: Source, keys: tuple[Key, ...]) -> Any:
    if table is not None and isinstance(item, dict):
        return _prepare(table, item, source, keys)
    return _walk(None, item, source, keys)


def _expanded(text: str, source: Source, keys: tuple[Key, ...]) -> str:
    def replace(found: re.Match[str]) -> str:
        escaped, name = found.groups()
        if escaped:
            return "${" + name + "}"
        if name not in source.env:
            raise source.error(keys, f"the environment variable {name} is not set")
        return source.env[name]

    return _VARIABLE.sub(replace, text)


# -- where things are written


def _lines(text: str) -> Iterator[tuple[int, tuple[Key, ...]]]:
    """Line numbers of headers and keys, with the path each one has."""
    counts: dict[tuple[Key, ...], int] = {}
    prefix: tuple[Key, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header is not None:
            prefix = _place(_names(header[2]), header[1] == "[[", counts)
            yield number, prefix
            continue
        assigned = _ASSIGNED.match(line)
        if assigned is not None:
            yield number, (*prefix, *_names(assigned[1]))


def _place(
    names: tuple[str, ...], listed: bool, counts: dict[tuple[Key, ...], int]
) -> tuple[Key, ...]:
    """The path of a header: the last of each list of tables is the one that is meant."""
    path: tuple[Key, ...] = ()
    for at, name in enumerate(names):
        path = (*path, name)
        if listed and at == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(text))


def _dotted(keys: tuple[Key, ...]) -> str:
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text
