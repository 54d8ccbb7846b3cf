"""What is fuzzed: each target takes bytes and raises for anything that is not documented."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from fuzz.media_targets import audio_socket, calls, streams
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
from mediacore.wire.sdp import Direction, Negotiation, SdpError, SrtpPolicy, Terms, make_keys
from mediacore.wire.sdp import parse as parse_sdp
from mediacore.wire.sdp.crypto import SUITES
from mediacore.wire.sip.digest import Credentials, DigestClient, DigestServer, parse_digest
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.fields import NameAddr
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.framing import StreamFramer
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.message import Request as SipRequest
from mediacore.wire.sip.message import Response as SipResponse
from mediacore.wire.sip.message import make_response
from mediacore.wire.sip.message import parse as parse_sip
from mediacore.wire.sip.outputs import RequestReceived
from mediacore.wire.sip.outputs import Send as SipSend
from mediacore.wire.sip.transaction_config import TransactionConfig
from mediacore.wire.sip.transactions import Transactions
from mediacore.wire.sip.validate import Policy

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


_KEYS = make_keys(SUITES, bytes)
_SDP_TERMS = (
    Terms("192.0.2.1", 4000),
    Terms("2001:db8::1", 4000, srtp=SrtpPolicy.REQUIRED, keys=_KEYS),
    Terms("192.0.2.1", 4000, srtp=SrtpPolicy.OPTIONAL, keys=_KEYS),
)


def sdp(data: bytes) -> None:
    """A description as an offer, as an answer, and as a later offer."""
    try:
        session = parse_sdp(data)
    except SdpError as error:
        _must(str(error).isprintable(), str(error))
        return
    _must(parse_sdp(session.encode()) == session, "not read again as written")
    for terms in _SDP_TERMS:
        asked, asking = Negotiation(terms, 1), Negotiation(terms, 2)
        asking.offer()
        with suppress(SdpError):
            asking.accept(session)
        try:
            answer, agreed = asked.answer(session)
        except SdpError as error:
            _must(str(error).isprintable(), str(error))
            continue
        _must(len(answer.media) == len(session.media), "m= lines lost")
        _must(parse_sdp(answer.encode()) == answer, "our answer is not read as written")
        _must(asked.answer(session) == (answer, agreed), "not the same again")
        _must(parse_sdp(asked.offer(Direction.SENDONLY).encode()) == asked.local, "our offer")


_SIP_POLICY = Policy(("INVITE", "BYE", "OPTIONS", "REFER", "INFO", "UPDATE"), ("timer",))
_SIP_FLOW = Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.2", 5070), "127.0.0.1:5060")


def sip(data: bytes) -> None:
    """A message: as a datagram to the transaction layer, then the same bytes as a stream."""
    _sip_stream(data)
    try:
        message = parse_sip(data)
    except SipError as error:
        _must(str(error).isprintable(), str(error))
        return
    again = parse_sip(message.encode())
    _must(again.encode() == message.encode(), "not read again as written")
    _sip_values(message)
    ids = SipIds(lambda size: "5" * 2 * size)
    layer = Transactions(TransactionConfig(), _SIP_POLICY, ids)
    for now_ms in (0, 10):
        for output in layer.receive(now_ms, message, _SIP_FLOW):
            if isinstance(output, SipSend):
                _must(not parse_sip(output.data).faults, "our answer is malformed")
            if isinstance(output, RequestReceived):
                answer = make_response(output.request, 500)
                layer.respond(now_ms, output.tx, answer)
    while (due_ms := layer.next_ms) is not None:
        layer.tick(due_ms)
    stats = layer.snapshot()
    _must(stats.servers == stats.clients == 0, "a transaction does not end")


def _sip_stream(data: bytes) -> None:
    whole, cut = StreamFramer(1000, 1000), StreamFramer(1000, 1000)
    found: list[bytes] = []
    with suppress(SipError):
        for at in range(0, len(data), 7):
            found += cut.feed(data[at : at + 7])
    with suppress(SipError):
        _must(whole.feed(data) == found, "the cut of a stream depends on its pieces")


def _sip_values(message: SipRequest | SipResponse) -> None:
    for name in ("From", "To", "Contact", "Route", "Refer-To"):
        for value in message.headers.items_of(name):
            with suppress(SipError):
                NameAddr.parse(value).sip()
    for name in ("Authorization", "WWW-Authenticate"):
        for value in message.headers.all(name):
            with suppress(SipError):
                parse_digest(value)
    if isinstance(message, SipRequest):
        server = DigestServer("r", {"u": "p"}, b"s" * 16)
        server.check(0, message)
        client = DigestClient(Credentials("u", "p"), SipIds(lambda size: "5" * 2 * size))
        challenge = make_response(message, 401)
        for value in message.headers.all("WWW-Authenticate"):
            challenge.headers.add("WWW-Authenticate", value)
        client.answer(challenge, message)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "document": document,
    "frames": frames,
    "swaig": swaig,
    "templates": templates,
    "ai": ai,
    "sdp": sdp,
    "sip": sip,
    "calls": calls,
    "streams": streams,
    "audiosocket": audio_socket,
}
