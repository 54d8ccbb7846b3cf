"""Dataclasses from TOML: types, secrets, and errors that name file, line and key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Literal

import pytest

from mediacore.errors import ConfigError
from mediacore.serving.tables import KeyInfo, keys_of, read_table, read_toml


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Mode(IntEnum):
    NONE = 0
    MUX = 1


@dataclass(frozen=True, slots=True)
class Trunk:
    """A way out.

    name: of the trunk. password: what it
    takes; may be empty.
    """

    name: str
    password: str = field(default="", repr=False)
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample.

    host, port: where (see RFC 3261). root: a folder. secret: not shown. wait_s: in seconds.
    trunk: the ways out. named: more of them. how: of two.
    """

    host: str = "127.0.0.1"
    port: int = 5060
    root: Path = Path("x")
    secret: str = field(default="", repr=False)
    wait_s: float = 1.0
    on: bool = False
    colour: Colour = Colour.RED
    mode: Mode = Mode.NONE
    how: Literal["a", "b"] = "a"
    pair: tuple[str, int] | None = None
    tags: frozenset[str] = frozenset()
    trunk: tuple[Trunk, ...] = ()
    named: Mapping[str, Trunk] = field(default_factory=dict)
    either: int | str = 0
    hook: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        if self.port > 65535:
            raise ConfigError("no such port")


def read(tmp_path: Path, text: str, **env: str) -> Sample:
    path = tmp_path / "m.toml"
    path.write_text(text)
    tables, source = read_toml(path, env)
    return read_table(Sample, tables["s"], source, ("s",))


def test_every_type(tmp_path: Path) -> None:
    got = read(
        tmp_path,
        """
        [s]
        host = "h"
        port = 1
        root = "sub/y"
        wait_s = 2
        on = true
        colour = "blue"
        mode = "mux"
        how = "b"
        pair = ["q", 3]
        tags = ["t", "t"]
        either = "1h"
        named.n = { name = "N" }
        [[s.trunk]]
        name = "a"
        ports = [1, 2]
        [[s.trunk]]
        name = "b"
        """,
    )
    assert got == Sample(
        "h", 1, tmp_path / "sub/y", "", 2.0, True, Colour.BLUE, Mode.MUX, "b",
        ("q", 3), frozenset("t"), (Trunk("a", "", (1, 2)), Trunk("b")), {"n": Trunk("N")}, "1h",
    )  # fmt: skip
    assert read(tmp_path, "[s]\nroot = '/abs'").root == Path("/abs")


def test_secrets_and_variables(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("from ${FILE}\n")
    text = """
        [s]
        secret_env = "PW"
        host = "${A}.$${B}"
        [[s.trunk]]
        name = "n"
        password_file = "pw"
        """
    got = read(tmp_path, text, PW="${not expanded}", A="x")
    assert got.secret == "${not expanded}"
    assert got.host == "x.${B}"
    assert got.trunk[0].password == "from ${FILE}"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("[s]\nhots = 1", 2, "s.hots: unknown key; did you mean host?"),
        ("[s]\n\nzzz = 1", 3, "s.zzz: unknown key; there are colour, "),
        ("[s]\nhook = 1", 2, "unknown key"),
        ("[s]\nhost_env = 'X'", 2, "unknown key"),  # no secret
        ("[s]\nport = 'x'", 2, "s.port: Expected `int`, got `str`"),
        ("[s]\nroot = 3", 2, "s.root: Expected `str`"),
        ("[s]\ncolour = 'pink'", 2, "s.colour"),
        ("[s]\nmode = 'pair'", 2, "s.mode: expected one of none, mux"),
        ("[s]\nmode = 7", 2, "s.mode"),
        ("[s]\npair = ['a', 'b']", 2, "s.pair[1]"),
        ("[s]\non = false\n[[s.trunk]]\nname = 'a'\n[[s.trunk]]\nname = 2", 6, "s.trunk[1].name"),
        ("[s]\n[[s.trunk]]\npasswort = 'a'", 3, "did you mean password?"),
        ("[s]\n[[s.trunk]]\nports = []", 2, "missing required field `name`"),
        ("[s.named.n]\nname = 1", 1, "s.named"),
        ("[s.named.n]\nnam = 'x'", 2, "s.named.n.nam"),
        ("[s]\nport = 70000", 1, "s: no such port"),
        ("[s]\ntrunk = 3", 2, "s.trunk"),
        ("s = 3", 1, "s: expected a table"),
        ("[s]\nsecret_env = 'NONE'", 2, "variable NONE is not set"),
        ("[s]\nsecret_file = 'none'", 2, "No such file"),
        ("[s]\nsecret_file = 3", 2, "expected a name"),
        ("[s]\nsecret = 'x'\nsecret_env = 'HOME'", 3, "secret is given twice"),
        ("[s]\nhost = '${NONE}'", 2, "variable NONE is not set"),
    ],
)
def test_errors_say_where(tmp_path: Path, text: str, line: int, told: str) -> None:
    with pytest.raises(ConfigError) as failed:
        read(tmp_path, text, HOME="/x")
    assert f"m.toml:{line}: " in str(failed.value)
    assert told in str(failed.value)


def test_a_wrong_type_does_not_show_a_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as failed:
        read(tmp_path, "[s]\nsecret = 12345678")
    assert "12345678" not in str(failed.value)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"[s]\nx = ", "m.toml:2: not TOML: Invalid value"),
        (b"[s]\nx = 1\nx 2\ny = 3", "m.toml:3: not TOML"),
        (b"a\n\xff", "m.toml:2: not UTF-8"),
        (b"#" * (1 << 20) + b"##", "larger than 1 MiB"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "m.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as failed:
        read_toml(path, {})
    assert told in str(failed.value)
    with pytest.raises(ConfigError, match="No such file"):
        read_toml(tmp_path / "none", {})


def test_an_empty_secret_file(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        read(tmp_path, "[s]\nsecret_file = 'pw'")


def test_what_a_dataclass_says_of_its_keys() -> None:
    keys = {key.name: key for key in keys_of(Sample)}
    assert "hook" not in keys
    assert keys["port"] == KeyInfo("port", "integer", "5060", "where (see RFC 3261).")
    assert keys["host"].default == '"127.0.0.1"'
    assert keys["secret"].secret
    assert keys["trunk"].table is Trunk
    assert keys["trunk"].listed
    assert keys["named"].table is Trunk
    assert keys["named"].form == "table of table"
    assert keys["colour"].form == '"red" \\| "blue"'
    assert keys["mode"].form == '"none" \\| "mux"'
    assert keys["mode"].default == '"none"'
    assert keys["pair"].form == "[text, integer]"
    assert keys["tags"].form == "list of text"
    assert keys["either"].form == "integer \\| text"
    assert keys["how"].text == "of two."
    trunk = {key.name: key for key in keys_of(Trunk)}
    assert trunk["name"].default == "(needed)"
    assert trunk["password"].text == "what it takes; may be empty."
