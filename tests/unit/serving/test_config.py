"""The configuration file: every section, what is refused, and the page that documents it."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediacore.errors import ConfigError
from mediacore.serving.config import SECTIONS, read_config
from mediacore.serving.listeners import Listener, check_listeners, unusable
from mediacore.serving.manual import MANUAL
from mediacore.serving.options import options_of
from mediacore.serving.tables import keys_of
from mediacore.transports.streams.auth import Basic, Bearer, HeaderToken
from mediacore.web.hosts import is_loopback

ROOT = Path(__file__).resolve().parents[3]
ALL = """
[service]
document = "flow.yaml"
llm = ["tiny"]
records = "kept"
budget = { seconds = "1h", turns = 9 }
campaign = "c"
day_cap = "10.50"
spend = "s.db"
log = "d.log"
drain_s = 45
max_calls = 3
language = "de-DE"
phones = { "+1777" = ["a.wav"] }
document_secret_env = "DOC"

[control]
host = "127.0.0.2"
port = 7000
token_env = "TOKEN"
context = "shop"

[sip]
sources = ["10.0.0.0/8"]
rtcp = "mux"
[[sip.binds]]
transport = "TCP"
port = 5070
[sip.trunk]
host = "trunk.example.org"
user = "me"
password = "${TRUNK}"
[[sip.registrations]]
user = "me"
registrar = "sip:example.org"

[streams]
port = 0
[[streams.endpoint]]
dialect = "twilio"
bearer_env = "TOKEN"
[[streams.endpoint]]
dialect = "chan_websocket"
username = "a"
password = "b"
header = "x-token"
header_token = "t"

[audiosocket]
port = 9099

[rtp]
ports = [40000, 40002]

[webrtc]
port = 8080

[dialing]
countries = ["US"]
[dialing.campaigns.c]
per_hour = 7
"""
ENV = {"DOC": "s3cret", "TOKEN": "t0ken", "TRUNK": "pa55"}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "m.toml"
    path.write_text(text)
    return path


def test_every_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    options = options_of(write(tmp_path, ALL))
    assert options.document == str(tmp_path / "flow.yaml")
    assert options.records == tmp_path / "kept"
    assert options.log == tmp_path / "d.log"
    assert (options.budget.seconds, options.budget.turns) == (3600, 9)
    assert options.day_cap_micros == 10_500_000
    assert (options.drain_s, options.max_calls, options.language) == (45, 3, "de-DE")
    assert options.phones == {"+1777": (tmp_path / "a.wav",)}
    assert options.document_secret == "s3cret"
    assert options.control == ("127.0.0.2", 7000)
    assert (options.token, options.context) == ("t0ken", "shop")
    ways = options.gateways
    assert ways.sip is not None
    assert ways.sip.trunk is not None
    assert ways.sip.trunk.password == "pa55"
    assert ways.sip.registrations[0].user == "me"
    assert ways.streams is not None
    twilio, asterisk = ways.streams.config().endpoints
    assert twilio.auth == (Bearer("t0ken"),)
    assert asterisk.auth == (HeaderToken("x-token", "t"), Basic("a", "b"))
    assert ways.dialing.campaigns["c"].per_hour == 7
    assert [(one.section, one.protocol, one.port) for one in options.listeners()] == [
        ("control", "TCP", 7000),
        ("sip", "TCP", 5070),
        ("streams", "TCP", 0),
        ("audiosocket", "TCP", 9099),
        ("rtp", "UDP", 40000),
        ("rtp", "UDP", 40002),
        ("webrtc", "TCP", 8080),
    ]
    check_listeners(options.listeners())
    assert not [secret for secret in ENV.values() if secret in repr(options)]


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    options = options_of(write(tmp_path, ""))
    assert not options.gateways.any
    assert options.listeners() == []
    assert options.gateways.dialing.refusal("+15550100") is not None  # nobody may be called


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[servic]", "1: servic: unknown key; did you mean service?"),
        ("[service]\ndrain = 1", "2: service.drain: unknown key; did you mean drain_s?"),
        ("[service]\nmax_calls = 0", "max_calls must be at least 1"),
        ("[service]\ndrain_s = -1", "drain_s"),
        ("[service]\nday_cap = 'much'", "service.day_cap: expected an amount"),
        ("[service]\nbudget = { hours = 1 }", "service.budget: unknown key"),
        ("[audiosocket]\nopen = 'yes'", "2: audiosocket.open: Expected `bool`"),
        ("[audiosocket]\nexpected = ['x']", "audiosocket: expected:"),
        ("[control]\nopen = true", "unknown key"),
        ("[streams]\nport = 1", "no stream endpoint"),
        ("[[streams.endpoint]]\ndialect = 'morse'", "unknown stream dialect"),
        ("[[streams.endpoint]]\ndialect = 'twilio'\nheader = 'x'", "HeaderToken needs token"),
        ("[streams]\nhost = '0.0.0.0'\n[[streams.endpoint]]\ndialect = 'twilio'", "anybody"),
        ("[sip]\nmedia_host = 'x'", "sip: "),
        ("[dialing]\ncountries = ['Germany']", "dialing: countries"),
        ("[webrtc]\nhost = '0.0.0.0'", "webrtc: "),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as failed:
        options_of(write(tmp_path, text))
    assert "m.toml" in str(failed.value)
    assert told in str(failed.value)


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("audiosocket", "host = '0.0.0.0'\nexpected = ['0.0.0.0/0']"),
        ("rtp", "host = '0.0.0.0'\nports = [40000]\nexpected = ['0.0.0.0/0']"),
    ],
)
def test_a_public_listener_for_anybody_needs_open(tmp_path: Path, section: str, text: str) -> None:
    closed = read_config(write(tmp_path, f"[{section}]\n{text}")).gateways
    with pytest.raises(ConfigError, match=rf"\[{section}\] on 0.0.0.0:\d+ would take calls"):
        check_listeners(closed.listeners())
    meant = read_config(write(tmp_path, f"[{section}]\nopen = true\n{text}")).gateways
    check_listeners(meant.listeners())
    known = text.replace("0.0.0.0/0", "10.0.0.0/8")
    check_listeners(read_config(write(tmp_path, f"[{section}]\n{known}")).gateways.listeners())


def test_the_rule_for_listeners() -> None:
    public = Listener("x", "TCP", "192.0.2.1", 1, False, "set y")
    with pytest.raises(ConfigError, match="set y; or set open = true"):
        check_listeners([public])
    check_listeners(
        [
            Listener("x", "TCP", "192.0.2.1", 1, True, ""),
            Listener("x", "TCP", "192.0.2.1", 1, False, "", open=True),
            Listener("x", "TCP", "::1", 1, False, ""),
            Listener("x", "TCP", "localhost", 1, False, ""),
        ]
    )
    assert not is_loopback("example.org")
    assert Listener("x", "UDP", "::", 5, True, "").where == "[::]:5"
    assert "any free port" in Listener("x", "UDP", "::", 0, True, "").where


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_ports_that_are_taken_are_known(protocol: str) -> None:

    kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if protocol == "TCP":
            taken.listen()
        port = taken.getsockname()[1]
        listener = Listener("x", protocol, "127.0.0.1", port, True, "")  # type: ignore[arg-type]
        assert "in use" in unusable(listener)
    assert unusable(Listener("x", protocol, "127.0.0.1", 0, True, "")) == ""  # type: ignore[arg-type]


def test_the_sample_can_be_used() -> None:
    options = options_of(ROOT / "examples" / "mediacore.toml")
    check_listeners(options.listeners())
    assert options.document is not None
    assert Path(options.document).is_file()


def keys(path: str, kind: type) -> Iterator[tuple[str, str]]:
    for key in keys_of(kind):
        yield f"{path}.{key.name}", key.text
        if key.table is not None:
            yield from keys(f"{path}.{key.name}", key.table)


def test_every_key_is_documented_and_the_page_is_current() -> None:
    found = {key: text for s in SECTIONS for key, text in keys(s.name, s.kind)}
    assert not [key for key, text in found.items() if not text and key not in MANUAL]
    assert set(MANUAL) <= set(found)
    where = ROOT / "tools" / "render_configuration.py"
    spec = importlib.util.spec_from_file_location("render_configuration", where)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == tool.render(), "run tools/render_configuration.py"
