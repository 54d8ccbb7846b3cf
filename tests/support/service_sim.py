"""A whole service in real time: scripted providers, phones on real RTP, controllers over TLS.

    async with Stage(tmp_path, document=..., rules=[...]) as stage:
        caller = await stage.call()
        await caller.heard_speech()
        caller.press("1")
        await caller.gone()

Leaving checks that every call, task, leg and live object is gone.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Self

from aiohttp import web

from mediacore import _core
from mediacore._core import Leg
from mediacore.call.record import CallRecord
from mediacore.control import ControlConfig, Project, TlsFiles, Token
from mediacore.media import LegConfig, Tap
from mediacore.providers.scripted import (
    Call,
    End,
    Heard,
    Say,
    ScriptedLlm,
    ScriptedStt,
    ScriptedTts,
    Voice,
)
from mediacore.runtime.ports import Published
from mediacore.service import LINE_LEG, Service, ServiceConfig
from mediacore.slots.gateway import Gateway, LineEnd
from mediacore.slots.llm import Llm, LlmEvent, LlmInfo, LlmRequest, ToolCall
from mediacore.slots.stt import Stt
from mediacore.transports.exchange import ExchangeCall, LoopbackExchange, Side
from mediacore.wire.limits import RelayLimits
from support.handset import Handset
from support.http_server import LOOPBACK, serving

CALLER, CALLED = "+15550001", "+15550002"
PROJECT, TOKEN = "p1", "t1"
PHONE_LEG = LegConfig(
    taps=Tap.RX, tap_ms=2000, speech_ms=60_000, vad_hangover_ms=500, detect_tones=0
)
FAST_VOICE = Voice(ms_per_char=25, first_delay_ms=30)
"""Short enough for tests, long enough to be heard as speech."""

Answerer = Callable[["Handset"], Awaitable[None]]


Rule = tuple[str, str | Sequence[Say | Call | End]]
"""A pattern, and the answer to a newest message that has it."""


class RuleLlm:
    """A model without memory: the first rule whose pattern the newest message has, answers.

    Keeps every request. Nothing fits: it says so.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = [(re.compile(p, re.IGNORECASE), ScriptedLlm([r] * 64)) for p, r in rules]
        self._else = ScriptedLlm(["I have no rule for that."] * 64)
        self.requests: list[LlmRequest] = []

    @property
    def info(self) -> LlmInfo:
        return LlmInfo("rules")

    async def run(self, request: LlmRequest) -> AsyncIterator[LlmEvent]:
        self.requests.append(request)
        newest = next((m.text for m in reversed(request.messages) if m.role != "assistant"), "")
        fits = (model for pattern, model in self._rules if pattern.search(newest))
        async for event in next(fits, self._else).run(request):
            if isinstance(event, ToolCall):
                event = replace(event, id=f"call-{len(self.requests)}")
            yield event

    async def aclose(self) -> None:
        """Nothing is held."""

    def saw(self, text: str) -> bool:
        """Whether any request contains the text, in whatever part."""
        return any(text in repr(request) for request in self.requests)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to the recorder server. body: of JSON, else the text."""

    method: str
    host: str
    path: str
    body: Any


Reply = Callable[[Asked], object]


@dataclass
class Stage:
    """A service and its world. Enter inside a running loop; real time.

    document: a document, or where it is ("http://…"); None = controllers get the calls. rules: of
    the model; empty = there is none, or `model`. stt: what the caller's stretches of speech are
    heard as. control: serve controllers, with TLS files when given. hosts: names whose requests
    land on the recorder server; reply: what it answers, as JSON (bytes as they are).
    """

    path: Path
    document: Mapping[str, object] | str | None = None
    rules: Sequence[Rule] = ()
    model: Llm | None = None
    stt: Sequence[Heard | str] = ()
    voice: Voice = FAST_VOICE
    control: bool = False
    tls: TlsFiles | None = None
    relay: RelayLimits = field(default_factory=RelayLimits)
    hosts: Sequence[str] = ()
    reply: Reply = lambda asked: {}
    options: Mapping[str, Any] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        self._live = _core.live_objects()
        self._tasks = asyncio.all_tasks()
        self.records: list[CallRecord] = []
        self.events: list[Published] = []
        self.asked: list[Asked] = []
        self._handsets: list[Handset] = []
        self.tts = ScriptedTts((self.voice,))
        self.llm = RuleLlm(self.rules) if self.rules else None
        async with AsyncExitStack() as stack:
            recorder = await stack.enter_async_context(serving(self._recorded))
            self.recorder = recorder.removeprefix("http://")
            self.service = Service(self._config())
            self.hub = self.service.open_hub()
            self.exchange = self._exchange()
            self.service.use_gateway(self.gateway())
            self.service.on_record(self.records.append)
            await stack.enter_async_context(self.service)
            stack.push_async_callback(self.exchange.aclose)
            self.service.host.subscribe(self.events.append)
            self.exchange.on_incoming(self.service.host.incoming)
            await self.open(stack)
            self._stack = stack.pop_all()
        return self

    def gateway(self) -> Gateway:
        """Where the service dials."""
        return self.exchange

    async def open(self, stack: AsyncExitStack) -> None:
        """Whatever else lives as long as the service."""

    def _config(self) -> ServiceConfig:
        control = None
        if self.control:
            control = ControlConfig(
                (Project(PROJECT, (Token.plain(TOKEN),)),), tls=self.tls, limits=self.relay
            )
        stt: Stt = ScriptedStt(self.stt)
        return ServiceConfig(
            (stt,),
            (self.tts,),
            tuple(each for each in (self.llm, self.model) if each is not None),
            document=self._document(),
            records=self.path / "calls",
            control=control,
            allow=(*LOOPBACK, "localhost"),
            hosts=dict.fromkeys(self.hosts, self.recorder),
            **self.options,
        )

    def _document(self) -> str | None:
        if self.document is None or isinstance(self.document, str):
            return self.document
        file = self.path / "document.json"
        file.write_text(json.dumps(self.document), encoding="utf-8")
        return str(file)

    def _exchange(self) -> LoopbackExchange:
        engine, rng = self.hub.engine, Random(1)
        host, phones = Side(engine, LINE_LEG), Side(engine, PHONE_LEG)
        return LoopbackExchange(host, phones, seed=lambda: rng.getrandbits(62))

    async def __aexit__(self, *exc_info: object) -> None:
        failed = exc_info[0] is not None
        if not failed:
            await self.until(lambda: not self.service.host.calls)
            for handset in self._handsets:
                await handset.put_away()
            assert self.hub.engine.stats().legs_open == 0
            assert self.hub.engine.stats().bridges_open == 0
        await self._stack.aclose()
        if not failed:
            await self.until(lambda: asyncio.all_tasks() <= self._tasks)
            assert _core.live_objects() == self._live

    async def _recorded(self, request: web.Request) -> web.Response:
        text = await request.text()
        try:
            body = json.loads(text)
        except ValueError:
            body = text
        asked = Asked(request.method, request.host, request.path_qs, body)
        self.asked.append(asked)
        answer = self.reply(asked)
        if isinstance(answer, bytes):
            return web.Response(body=answer)
        return web.json_response(answer)

    # -- what tests use

    @property
    def address(self) -> str:
        """Where controllers connect: host:port."""
        assert self.service.control is not None
        host, port = self.service.control.address
        return f"{host}:{port}"

    async def call(self, from_number: str = CALLER, to_number: str = CALLED) -> Handset:
        """Call the service, and wait until it picks up. Raises LineFailedError."""
        call = self.ring(from_number, to_number)
        return self.pick_up(call, await call.answered())

    def pick_up(self, call: ExchangeCall, leg: Leg) -> Handset:
        """The handset of a call whose leg is there."""
        handset = Handset(self.hub, call, leg)
        self._handsets.append(handset)
        return handset

    def ring(self, from_number: str = CALLER, to_number: str = CALLED) -> ExchangeCall:
        """Call the service without waiting for anything."""
        return self.exchange.call(from_number, to_number)

    def phone(
        self, number: str, answerer: Answerer, into: list[Handset] | None = None, **options: Any
    ) -> list[Handset]:
        """A phone with this number, which picks up and is then `answerer`'s. Gives the handsets
        of its calls, as they are answered."""
        handsets = [] if into is None else into

        async def phone(call: ExchangeCall) -> None:
            handset = self.pick_up(call, await call.answer())
            handsets.append(handset)
            await answerer(handset)

        self.exchange.register(number, phone, **options)
        return handsets

    def busy(self, number: str, reason: LineEnd = LineEnd.BUSY) -> None:
        """A phone that refuses every call."""

        async def phone(call: ExchangeCall) -> None:
            call.reject(reason)

        self.exchange.register(number, phone)

    def silent(self, number: str, into: list[LineEnd] | None = None) -> list[LineEnd]:
        """A phone that rings and is never answered. Gives how its calls ended."""
        ends = [] if into is None else into

        async def phone(call: ExchangeCall) -> None:
            ends.append(await call.wait_gone())

        self.exchange.register(number, phone)
        return ends

    def of(self, kind: str, call_id: str = "") -> list[Mapping[str, Any]]:
        """Params of the events of a type, "calling." left out."""
        return [
            event.params
            for event in self.events
            if event.event_type == f"calling.{kind}" and call_id in ("", event.call_id)
        ]

    async def record(self, number: int = 0) -> CallRecord:
        """The n-th record, once it is there."""
        await self.until(lambda: len(self.records) > number)
        return self.records[number]

    async def until(self, what: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait for something that nothing tells of."""
        async with asyncio.timeout(seconds):
            while not what():  # noqa: ASYNC110
                await asyncio.sleep(0.02)


def decisions(record: CallRecord, name: str) -> list[Any]:
    """The record's decisions of a name."""
    return [note for note in record.decisions if note.name == name]


def spoken(record: CallRecord) -> list[tuple[str, str]]:
    """Who said what, as heard."""
    return [(turn.speaker.value, turn.heard_text) for turn in record.turns]
