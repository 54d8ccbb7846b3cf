"""What is fuzzed: each target takes bytes and raises for anything that is not documented."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from fuzz.outside import LINE, Outside
from mediacore.assistant import session as assistant
from mediacore.assistant._values import MAX_OUTPUT
from mediacore.assistant.config import read_config
from mediacore.assistant.datamap import Fetch, Reply, Result, resume, start
from mediacore.assistant.effects import apply_all
from mediacore.assistant.notes import AiError
from mediacore.assistant.params import known_params
from mediacore.assistant.swaig import read_reply, result_text
from mediacore.assistant.templates import TemplateClock, TemplateLimitError, expand
from mediacore.flow.document import load_document
from mediacore.flow.findings import Code, Severity
from mediacore.flow.source import DocumentError, read_source
from mediacore.flow.validate import examine
from mediacore.runtime.commands import COMMANDS
from mediacore.runtime.inputs import CommandReceived
from mediacore.runtime.ports import Command
from mediacore.web.url import UrlError, loggable, parse_url
from mediacore.wire.frames import FrameError, parse
from mediacore.wire.limits import RelayLimits
from mediacore.wire.methods import PERMISSIONS
from mediacore.wire.relay_actions import Authenticate, Submit
from mediacore.wire.relay_connection import RelayConnection
from mediacore.wire.relay_session import Grant, RelaySession

MAX_BYTES = 16_384
CLOCK = TemplateClock(datetime(2026, 1, 2, tzinfo=UTC))
NAMES = ("d.json", "d.yaml", "http://127.0.0.1/d")
KEYS = known_params()
CONNECT = (
    b'{"jsonrpc":"2.0","id":"c","method":"signalwire.connect","params":{"version":{"major":2},'
    b'"authentication":{"project":"p","token":"t"},"contexts":["office"]}}'
)
CODES = frozenset(Code)


def _must(good: bool, what: str) -> None:
    if not good:
        raise AssertionError(what)


def document(data: bytes) -> None:
    """A document's text: read, look through, load, run in a call to its end."""
    name = NAMES[data[0] % len(NAMES)] if data else NAMES[0]
    try:
        source = read_source(data[1:], name, max_bytes=MAX_BYTES)
    except DocumentError as error:
        _must(error.code in CODES and str(error).isprintable(), str(error))
        return
    found = examine(source, ai_params=KEYS)
    assert all(str(finding).isprintable() for finding in found.findings)
    fatal = [f for f in found.findings if f.severity is Severity.ERROR]
    try:
        loaded = load_document(source, ai_params=KEYS)
    except DocumentError as error:
        _must(bool(fatal) and error.code == fatal[0].code, str(error))
        return
    assert not fatal
    outside = Outside({"response": "yes"}, "{}")
    outside.begin(loaded)
    outside.end()


def frames(data: bytes) -> None:
    """Messages of a controller, one a line: every request gets an answer, no command fails."""
    limits = RelayLimits(message_bytes=MAX_BYTES)
    connection = RelayConnection(limits, 0, frozenset(COMMANDS) | {"dial"})
    connection.receive(CONNECT, 0)
    session = RelaySession("s", "proto", "x", Grant("p", PERMISSIONS, ("*",), "c"), limits)
    connection.accept("c", session, ("office",), 0, restored=False, timestamp=0.0)
    outside = Outside()
    for event in outside._up(LINE):
        outside.take(event)
    for number, line in enumerate(data.split(b"\n")[:8], start=1):
        try:
            parse(line, MAX_BYTES)
        except FrameError as error:
            _must(error.code < 0 and bool(error.message), str(error))
        for action in connection.receive(line, number):
            if isinstance(action, Submit):
                _submit(outside, action, number)
            else:
                assert not isinstance(action, Authenticate)
    outside.live()
    outside.end()


def _submit(outside: Outside, asked: Submit, number: int) -> None:
    if asked.method == "dial":
        return
    command = Command("s", "p", PERMISSIONS, asked.method, LINE, asked.params, asked.version)
    outside.take(CommandReceived(number, command))


_AI = {
    "prompt": {
        "text": "Hello ${global_data.name}",
        "contexts": {
            "default": {
                "steps": [
                    {"name": "a", "text": "A", "functions": ["lookup"], "valid_steps": ["b"]},
                    {"name": "b", "text": "B"},
                ]
            }
        },
    },
    "SWAIG": {"functions": [{"function": "lookup", "parameters": {}, "web_hook_url": "http://a/"}]},
}
_AGENT = {"sections": {"main": [{"answer": {}}, {"ai": _AI}]}}


def swaig(data: bytes) -> None:
    """A tool's reply: read, applied to a session, and given to a call whose model asked for it."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = data.decode("utf-8", "replace")
    reply = read_reply(body)
    session = assistant.begin(read_config(_AI))
    session, _ = apply_all(session, reply.actions, "lookup")
    json.loads(result_text(session, reply))
    outside = Outside(body, data.decode("utf-8", "replace"))
    loaded = load_document(read_source(json.dumps(_AGENT), "a.json"))
    outside.begin(loaded)
    outside.end()


def templates(data: bytes) -> None:
    """A template over data, and a data map with its reply."""
    text = data.decode("utf-8", "replace")
    first, _, rest = text.partition("\n")
    try:
        value = json.loads(rest)
    except (ValueError, RecursionError):
        value = rest
    for in_json in (False, True):
        try:
            done = expand(first, {"args": value, "a": value}, CLOCK, in_json=in_json)
        except TemplateLimitError:
            continue
        assert len(done.text) <= MAX_OUTPUT
    if isinstance(value, dict):
        _data_map(value, first)


def _data_map(data_map: dict[str, object], body: str) -> None:
    context = {"args": {"a": "b"}, "global_data": {"c": 1}, "prompt_vars": {"d": "e"}}
    state, made = start(data_map, context, CLOCK)
    if isinstance(made, Fetch):
        with suppress(UrlError):
            parse_url(made.url)
        loggable(made.url)
        made = resume(state, Reply(200, {}, body.encode("utf-8", "replace")), CLOCK)[1]
    assert isinstance(made, Result)


def ai(data: bytes) -> None:
    """The parameters of `ai`."""
    try:
        source = read_source(data, "d.json", max_bytes=MAX_BYTES)
    except DocumentError:
        return
    if not isinstance(source.value, dict):
        return
    try:
        config = read_config(source.value)
    except AiError:
        return
    assistant.system_prompt(assistant.begin(config))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "document": document,
    "frames": frames,
    "swaig": swaig,
    "templates": templates,
    "ai": ai,
}
