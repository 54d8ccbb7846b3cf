"""A whole service on 127.0.0.1 with an application that answers anything, and phones that call it.

The number that a phone calls is the name of a case: the application serves that case's document.
All cases run at once in one service, beside good calls that must not notice them.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from mediacore.call.record import CallRecord
from mediacore.call.settings import CallSettings
from mediacore.errors import ErrorClass, ProviderError
from mediacore.media import LegConfig, LegStats
from mediacore.providers.scripted import Call, ScriptedTts, Voice, voiced_audio
from mediacore.runtime.ports import Published
from mediacore.runtime.settings import RunSettings
from mediacore.service import LINE_LEG, Service, ServiceConfig
from mediacore.slots.audio import PcmBlock
from mediacore.slots.gateway import LineFailedError
from mediacore.slots.llm import LlmEvent, LlmHangup, LlmInfo, LlmRequest, LlmText, ToolCall
from mediacore.slots.stt import SttEvent, SttFinal, SttInfo
from mediacore.slots.tts import TtsAudio, TtsEvent, TtsInfo, TtsRequest
from mediacore.transports.exchange import ExchangeCall, LoopbackExchange, Side

Page = Callable[[web.Request], Any]
Answer = Callable[[LlmRequest], Sequence[LlmEvent] | AsyncIterator[LlmEvent]]
BROKEN = "broken"
MS_PER_CHAR = 12
CASE = "case:"


@dataclass
class Case:
    """A call. document: its text, or statements of its main section; page: answers instead.

    answer: its model. say: what the caller says, over and over. steps: done by the phone.
    """

    document: object = None
    page: Page | None = None
    answer: Answer | None = None
    say: str = ""
    secs: float = 25
    digits: str = ""


@dataclass
class Outcome:
    """What became of a call."""

    name: str
    call_id: str = ""
    record: CallRecord | None = None
    events: list[Published] = field(default_factory=list)
    seconds: float = 0
    ended: bool = False
    phone: LegStats | None = None

    def codes(self) -> set[str]:
        """Codes of the script warnings."""
        return {str(e.params["code"]) for e in self.warnings()}

    def warnings(self) -> list[Published]:
        return [e for e in self.events if e.event_type == "calling.script.warning"]

    def told(self) -> str:
        """All texts of the script warnings."""
        return " | ".join(str(e.params["message"]) for e in self.warnings())

    def noted(self) -> list[dict[str, Any]]:
        """Bodies of the document's user events."""
        return [e.params["event"] for e in self.events if e.event_type == "calling.user_event"]

    def states(self) -> list[str]:
        found = [e for e in self.events if e.event_type == "calling.call.state"]
        return [str(e.params["call_state"]) for e in found]

    def decisions(self) -> list[str]:
        assert self.record is not None, f"{self.name}: no record"
        return [f"{d.name} {d.verdict} {d.evidence}" for d in self.record.decisions]

    def spoken(self) -> str:
        assert self.record is not None
        turns = [t for t in self.record.turns if t.speaker.value == "agent"]
        return " / ".join(t.full_text for t in turns)


class Speech:
    """Speaks; the voice `broken` fails, as a request for it would at a real provider."""

    def __init__(self) -> None:
        self._good = ScriptedTts((Voice(ms_per_char=MS_PER_CHAR, first_delay_ms=20),))
        self.said: list[TtsRequest] = []

    @property
    def info(self) -> TtsInfo:
        return self._good.info

    async def run(self, request: TtsRequest) -> AsyncIterator[TtsEvent]:
        self.said.append(request)
        if request.voice.startswith(BROKEN):
            raise ProviderError(ErrorClass.UNAVAILABLE, "scripted failure", self.info.name)
        async for event in self._good.run(request):
            assert isinstance(event, TtsAudio)
            yield event

    async def aclose(self) -> None:
        await self._good.aclose()


class Ears:
    """Hears `words` in turn, over and over, whatever is said."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)
        self._info = SttInfo("ears", 16000)
        self.heard = 0

    @property
    def info(self) -> SttInfo:
        return self._info

    async def run(self, audio: AsyncIterator[PcmBlock]) -> AsyncIterator[SttEvent]:
        async for block in audio:
            if block.ends_speech:
                self.heard += 1
                yield SttFinal(self._words[self.heard % len(self._words)], block.at, confidence=0.1)

    async def aclose(self) -> None:
        """Nothing to release."""


class Minds:
    """A model for each case; the prompt names the case."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self._info = LlmInfo("minds")
        self.requests: dict[str, list[LlmRequest]] = {}

    @property
    def info(self) -> LlmInfo:
        return self._info

    async def run(self, request: LlmRequest) -> AsyncIterator[LlmEvent]:
        text = " ".join(m.text for m in request.messages)
        name = text.partition(CASE)[2].split()[0]
        self.requests.setdefault(name, []).append(request)
        made = self.answers[name](request)
        await asyncio.sleep(0.01)
        if isinstance(made, AsyncIterator):
            async for event in made:
                yield event
            return
        for event in made:
            yield event
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        """Nothing to release."""


def tool_call(name: str, arguments: object, number: int = 1) -> ToolCall:
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return ToolCall(f"call_{name}_{number}", name, raw)


def calls_once(name: str, then: str = "Understood.") -> Answer:
    """A model that calls a tool, says something to its result, and hangs up."""

    def answer(request: LlmRequest) -> Sequence[LlmEvent]:
        if any(m.role == "tool" for m in request.messages):
            return [LlmText(then), LlmHangup("completed")]
        return [tool_call(name, {})]

    return answer


def document(main: Sequence[object], **more: Sequence[object]) -> str:
    return json.dumps({"version": "1.0.0", "sections": {"main": list(main), **more}})


def note(**values: str) -> dict[str, object]:
    """A statement that tells the test what the document's variables are."""
    return {"user_event": {"event": values}}


class World:
    """One service, its application and its phones."""

    def __init__(
        self,
        cases: Mapping[str, Case],
        records: Path,
        *,
        words: Sequence[str] = ("hello there",),
        config: Callable[[ServiceConfig], ServiceConfig] = lambda config: config,
        pages: Mapping[str, Page] | None = None,
        allow: Sequence[str] = (),
        talk: Callable[[CallSettings], CallSettings] = lambda talk: talk,
    ) -> None:
        self.cases: dict[str, Case] = {}
        self.records = records
        self.speech = Speech()
        self.minds = Minds()
        self.outcomes: dict[str, Outcome] = {}
        self.hits: list[str] = []
        self.asked: dict[str, list[dict[str, Any]]] = {}
        self._words = words
        self._config = config
        self._pages = dict(pages or {})
        self._allow = tuple(allow)
        self._talk = talk
        self._by_call: dict[str, Outcome] = {}
        self._unclaimed: list[CallRecord] = []
        self.service: Service
        self.exchange: LoopbackExchange
        self.legs_left = -1
        self.tasks_left: set[str] = set()
        self.add(cases)

    def add(self, cases: Mapping[str, Case]) -> None:
        """More numbers that can be called."""
        self.cases |= cases
        self.outcomes |= {name: Outcome(name) for name in cases}
        self.minds.answers |= {n: c.answer for n, c in cases.items() if c.answer is not None}

    @asynccontextmanager
    async def running(self, base: str) -> AsyncIterator[World]:
        """The service runs; `base`: of the application."""
        port = base.rpartition(":")[2]
        before = asyncio.all_tasks()
        config = self._config(
            ServiceConfig(
                (Ears(self._words),),
                (self.speech,),
                (self.minds,),
                document=f"{base}/document",
                records=self.records,
                allow=(f"127.0.0.1:{port}", *self._allow),
                settings=self._settings,
            )
        )
        service = self.service = Service(config)
        hub = service.open_hub()
        rng = random.Random(7)
        phones = Side(hub.engine, LegConfig(detect_dtmf=True))
        host = Side(hub.engine, LINE_LEG)
        exchange = LoopbackExchange(host, phones, seed=lambda: rng.getrandbits(62))
        self.exchange = exchange
        service.use_gateway(exchange)
        service.on_record(self._recorded)
        async with service:
            exchange.on_incoming(service.host.incoming)
            service.host.subscribe(self._event)
            yield self
            await self._quiet(hub.engine)
            self.legs_left = hub.engine.stats().legs_open
            await exchange.aclose()
        await asyncio.sleep(0)
        left = {repr(task.get_coro()) for task in asyncio.all_tasks() - before}
        self.tasks_left = {name for name in left if "RequestHandler" not in name}

    async def _quiet(self, engine: Any) -> None:
        """Calls are over; what they left is torn down."""
        with suppress(TimeoutError):
            async with asyncio.timeout(8):
                while self.service.host.calls or engine.stats().legs_open:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    def _settings(self, settings: RunSettings) -> RunSettings:
        talk = replace(
            settings.talk,
            reply_deadline_ms=2500,
            tool_deadline_ms=1500,
            dead_air_ms=2000,
            filler_ms=0,
        )
        return replace(settings, work_ms=6000, talk=self._talk(talk), play_stall_ms=3000)

    async def call(self, name: str) -> Outcome:
        """Call a case's number and stay until the other side hangs up."""
        case, outcome = self.cases[name], self.outcomes[name]
        loop = asyncio.get_running_loop()
        started = loop.time()
        calling = self.exchange.call("+15550001", name)
        try:
            async with asyncio.timeout(case.secs):
                await self._phone(calling, case, outcome)
                await calling.wait_gone()
                outcome.ended = True
        except TimeoutError:
            calling.hangup()
        outcome.seconds = loop.time() - started
        return outcome

    async def call_all(self, names: Sequence[str]) -> None:
        """All at once."""
        calls = []
        for name in names:
            calls.append(asyncio.create_task(self.call(name)))
            await asyncio.sleep(0.02)
        await asyncio.gather(*calls)
        await asyncio.sleep(0.3)

    async def _phone(self, calling: ExchangeCall, case: Case, outcome: Outcome) -> None:
        try:
            leg = await calling.answered()
        except LineFailedError:
            return
        gone = asyncio.ensure_future(calling.wait_gone())
        utterance = 0
        while not gone.done():
            if case.digits:
                leg.send_digits(case.digits)
            if case.say:
                utterance += 1
                leg.begin(utterance, 1)
                leg.say(voiced_audio(case.say, leg.srate_hz, 40))
                leg.end()
            outcome.phone = leg.stats()
            await asyncio.wait([gone], timeout=1.5)

    def _event(self, event: Published) -> None:
        if event.event_type == "calling.call.receive":
            name = event.params["device"]["params"]["to_number"]
            outcome = self.outcomes[name]
            outcome.call_id = event.call_id
            self._by_call[event.call_id] = outcome
        found = self._by_call.get(event.call_id)
        if found is not None:
            found.events.append(event)

    def _recorded(self, record: CallRecord) -> None:
        found = self._by_call.get(record.call_id)
        if found is not None:
            found.record = record

    # -- the application

    @asynccontextmanager
    async def application(self) -> AsyncIterator[str]:
        """Serves documents of cases, and pages. Gives its base URL."""
        app = web.Application(client_max_size=50_000_000)
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.hits.append(path)
        raw = await request.read()
        with suppress(ValueError):
            self.asked.setdefault(path, []).append(json.loads(raw or b"{}"))
        page = self._pages.get(path)
        if path == "/document":
            case = self.cases[json.loads(raw)["call"]["to"]]
            page = case.page
            if page is None:
                return _served(case.document)
        if page is None:
            return web.Response(status=404, text="no such page")
        made = page(request)
        return await made if asyncio.iscoroutine(made) else _served(made)


def _served(body: object) -> web.StreamResponse:
    if isinstance(body, web.StreamResponse):
        return body
    if isinstance(body, list):
        body = document(body)
    if isinstance(body, str):
        return web.Response(text=body, content_type="application/json")
    if isinstance(body, bytes):
        return web.Response(body=body)
    return web.json_response(body)


__all__ = ["Call", "Case", "Outcome", "World", "calls_once", "document", "note", "tool_call"]
