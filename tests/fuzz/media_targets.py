"""Targets of what carries calls: AudioSocket, media streams, SIP calls."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from mediacore.wire import audiosocket
from mediacore.wire.audiosocket import AudioSocketError, AudioSocketReader, Message
from mediacore.wire.sip.controls import Out
from mediacore.wire.sip.errors import SipError
from mediacore.wire.sip.flow import Flow
from mediacore.wire.sip.ids import SipIds
from mediacore.wire.sip.message import parse as parse_sip
from mediacore.wire.sip.outputs import Send
from mediacore.wire.sip.signals import (
    Accepted,
    Incoming,
    OfferWanted,
    Offered,
    Over,
    ReferAsked,
)
from mediacore.wire.sip.stack import UaConfig
from mediacore.wire.sip.user_agent import OutgoingCall, UserAgent
from mediacore.wire.streams.catalog import DIALECTS
from mediacore.wire.streams.model import Ended, Opened, Reply, StreamOptions

_NAMES: Final = tuple(DIALECTS)
_OPTIONS: Final = (
    StreamOptions(),
    StreamOptions("L16LE", 16_000),
    StreamOptions("PCMA", two_way=False),
)
_SDP: Final = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0\r\n"
)
_FLOW: Final = Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.2", 5070), "127.0.0.1:5060")
CUT: Final = b"\n----\n"
"""Between the messages of one call."""
_MOST: Final = 12
_FOREVER_MS: Final = 4_000_000


def audio_socket(data: bytes) -> None:
    """A stream: the same messages whatever its pieces, and what is held stays bounded."""
    whole, pieces = AudioSocketReader(), AudioSocketReader()
    found: list[Message] = []
    cut: list[Message] = []
    with suppress(AudioSocketError):
        found += whole.feed(data)
    with suppress(AudioSocketError):
        for at in range(0, len(data), 5):
            cut += pieces.feed(data[at : at + 5])
    assert found == cut[: len(found)], "the messages depend on the pieces of the stream"
    stats = whole.snapshot()
    assert stats.messages == len(found)
    again = AudioSocketReader()
    back: list[Message] = []
    for message in found:
        if isinstance(message, audiosocket.Identified):
            back += again.feed(audiosocket.identify(message.uuid))
        elif isinstance(message, audiosocket.Audio):
            back += again.feed(audiosocket.audio(message.srate_hz, message.payload))
    kept = (audiosocket.Identified, audiosocket.Audio)
    sounds = [m for m in found if isinstance(m, audiosocket.Audio)]
    if all(len(m.payload) < audiosocket.MAX_PAYLOAD for m in sounds):
        assert back == [m for m in found if isinstance(m, kept)], "not read again as written"


def streams(data: bytes) -> None:
    """A connection in one of the dialects, a message a line, and everything we may say to it."""
    kind, options = (data + b"\0\0")[:2]
    make = DIALECTS[_NAMES[kind % len(_NAMES)]]
    dialect = make(_OPTIONS[options % len(_OPTIONS)])
    opened = ended = 0
    for line in data[2:].split(b"\n")[:_MOST]:
        for event in dialect.receive(line.decode("utf-8", "replace")):
            opened += isinstance(event, Opened)
            ended += isinstance(event, Ended)
            if isinstance(event, Reply):
                event.text.encode()
            if isinstance(event, Opened):
                assert event.format.srate_hz > 0
    assert opened <= 1, "the stream began twice"
    said = (
        *dialect.answer(),
        *dialect.mark("m1"),
        *dialect.clear(),
        *dialect.poll(),
        *dialect.bye(failed=bool(ended)),
        *dialect.wrap(),
    )
    for text in said:
        assert len(text.encode()) <= 16_384


class Host:
    """Takes every call, and does what each signal asks for. The peer's messages move its clock."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.calls: dict[int, int] = {}
        self.sent: list[bytes] = []
        number = iter(range(1, 100_000))
        self.agent = UserAgent(
            UaConfig(),
            SipIds(lambda size: f"{next(number):0{2 * size}x}"),
            route=lambda uri, near: near or _FLOW,
            random_ms=lambda low, high: low,
        )

    def dial(self) -> None:
        """Call somebody."""
        dialled = OutgoingCall(
            "sip:b@127.0.0.2", "<sip:a@127.0.0.1>", "<sip:b@127.0.0.2>", _SDP, _FLOW
        )
        call, out = self.agent.dial(self.now_ms, dialled)
        self.calls[call] = 0
        self.do(out)

    def hear(self, data: bytes) -> None:
        """A datagram came; a moment later than the one before."""
        self.now_ms += 100
        with suppress(SipError):
            self.do(self.agent.receive(self.now_ms, parse_sip(data), _FLOW))

    def do(self, out: Out) -> None:
        """Carry out what the agent returned."""
        waiting = list(out)
        while waiting:
            output = waiting.pop(0)
            if isinstance(output, Send):
                self.sent.append(output.data)
                if output.data.strip():
                    assert not parse_sip(output.data).faults, "what we send is malformed"
            else:
                waiting += self._signal(output)

    def _signal(self, signal: object) -> Out:
        agent, now = self.agent, self.now_ms
        match signal:
            case Incoming(call=call, sdp=sdp):
                self.calls[call] = 0
                first = agent.ring(now, call, _SDP if sdp is not None else None)
                return first + agent.answer(now, call, _SDP)
            case Accepted(call=call, offer=True):
                return agent.confirm(now, call, _SDP)
            case Offered(call=call):
                return agent.accept(now, call, _SDP)
            case OfferWanted(call=call):
                return agent.reoffer(now, call, _SDP)
            case ReferAsked(call=call):
                first = agent.accept_refer(now, call)
                return first + agent.report_refer(now, call, 200, then_bye=True)
            case Over(call=call):
                self.calls[call] = self.calls.get(call, 0) + 1
                assert self.calls[call] == 1, "a call ended twice"
        return []


def calls(data: bytes) -> None:
    """Messages to a user agent that takes every call and makes one: each ends once, all end."""
    host = Host()
    agent = host.agent
    host.dial()
    for piece in data.split(CUT)[:_MOST]:
        host.hear(piece)
    for number in tuple(host.calls):
        host.do(agent.hangup(host.now_ms, number))
    while (due_ms := agent.next_ms) is not None and due_ms < _FOREVER_MS:
        host.now_ms = max(host.now_ms, due_ms)
        host.do(agent.tick(host.now_ms))
    assert all(ends == 1 for ends in host.calls.values()), "a call is not over"
    assert agent.sessions == 0, "a session is left"
    stats = agent.transactions.snapshot()
    assert stats.servers == stats.clients == 0, "a transaction is left"
