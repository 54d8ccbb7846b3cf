"""Whole calls of the runtime in virtual time: the real host, runner and core; the rest scripted.

One engine is ticked every 20 ms of the loop's clock. A line is two of its legs joined by links in
memory: the host's, whose packets are kept, and the phone's. Leaving checks that nothing is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from mediacore import _core
from mediacore._core import Codec, Engine, Leg
from mediacore.call.record import CallRecord, TransportFacts
from mediacore.errors import MediaError, StaleError
from mediacore.flow.document import Document, load_document
from mediacore.flow.script import QuickJs
from mediacore.flow.source import read_source
from mediacore.media import LegConfig, Tap
from mediacore.policy.spend import SpendStore
from mediacore.providers.scripted import ScriptedLlm, ScriptedStt, ScriptedTts, voiced_audio
from mediacore.runtime.ports import Answer, Command, Published
from mediacore.runtime.settings import RunSettings
from mediacore.session.aftercall import AfterCall
from mediacore.session.host import Host
from mediacore.session.hub import MediaHub
from mediacore.session.services import Services
from mediacore.session.sounds import Sounds
from mediacore.session.wsfork import WsFork
from mediacore.slots.driver import LlmDriver, SttDriver, TtsDriver
from mediacore.slots.gateway import DialOut, LineEnd, LineFailedError, Party
from mediacore.store.records import write_record
from mediacore.transports.loopback import Link
from mediacore.web.client import HttpReply, HttpRequest
from support.inline import InlineExecutor
from virtual import VirtualLoop, now_us

TICK_S = 0.02
FRAME = 160
NEAR = LegConfig(
    seed=1,
    taps=Tap.RX | Tap.RECORD | Tap.NOTES,
    tap_ms=1500,
    bed=True,
    detect_dtmf=True,
    detect_tones=0xE0,
    event_payload_type=101,
    media_lost_ms=5000,
)
FAR = LegConfig(seed=2, event_payload_type=101)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
TERMINAL = {"finished", "error", "no_input", "no_match"}
ALL = frozenset({"read", "control", "dial"})


class Phone:
    """The party of one line, and the line itself (a `FarLine`)."""

    def __init__(self, sim: HostSim, party: Party, act: Act, destination: DialOut | None) -> None:
        self._sim = sim
        self._party = party
        self._act = act
        self._destination = destination
        loop = asyncio.get_running_loop()
        self.over: asyncio.Future[LineEnd] = loop.create_future()
        self.picked_up: asyncio.Future[None] = loop.create_future()
        self.near: Leg | None = None
        self.far: Leg | None = None
        self.packets: list[tuple[int, bytes]] = []
        self.rng = Random(1)
        self._utterance = 0
        self.has_media = asyncio.Event()
        self.links: tuple[Link, ...] = ()

    # -- FarLine

    @property
    def party(self) -> Party:
        return self._party

    @property
    def transport(self) -> TransportFacts:
        return TransportFacts("memory", "PCMU")

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        if self._destination is None:
            await asyncio.sleep(self._sim.answer_s)
        else:
            self._sim.ring(self)
            await asyncio.sleep(0)
            if not self.over.done():
                on_ringing()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._destination.timeout_ms / 1000):
                    waiting: list[Any] = [self.over, self.picked_up]
                    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not self.picked_up.done() and not self.over.done():
                self.end(LineEnd.NO_ANSWER)
        if self.over.done():
            raise LineFailedError(self.over.result())
        self._sim.open(self)
        assert self.near is not None
        return self.near

    def far_delay_ms(self) -> int | None:
        return None

    async def hangup(self, reason: LineEnd) -> None:
        await asyncio.sleep(0)
        self.end(reason)

    async def wait_gone(self) -> LineEnd:
        await asyncio.wait([self.over])
        return self.over.result()

    # -- the party

    def end(self, reason: LineEnd = LineEnd.HANGUP) -> None:
        """The first reason stays."""
        if not self.over.done():
            self.over.set_result(reason)
            self._sim.closing(self)

    def answer(self) -> None:
        """Called: pick up."""
        if not self.picked_up.done():
            self.picked_up.set_result(None)

    async def up(self) -> Leg:
        """Wait until there is media."""
        await self.has_media.wait()
        assert self.far is not None
        return self.far

    async def say(self, text: str, ms_per_char: int = 60) -> None:
        """Speak, and wait until it is said."""
        leg = await self.up()
        self._utterance += 1
        pcm = voiced_audio(text, 8000, ms_per_char)
        with contextlib.suppress(MediaError):
            leg.begin(self._utterance, 1)
            leg.say(pcm)
            leg.end()
        await asyncio.sleep(len(pcm) / 16000)

    async def press(self, digits: str) -> None:
        """Send digits."""
        leg = await self.up()
        with contextlib.suppress(MediaError):
            leg.send_digits(digits)
        await asyncio.sleep(0.3 * len(digits))

    def sent(self) -> array[int]:
        """What the host sent to this phone, decoded, without gaps."""
        codec, pcm = Codec("PCMU"), array("h")
        for _, packet in self.packets:
            if packet[1] & 0x7F == 0:
                pcm.frombytes(codec.decode(packet[12:]))
        return pcm

    async def act(self) -> None:
        await self._act(self)


Act = Callable[[Phone], Awaitable[None]]


async def listen(phone: Phone) -> None:
    """A phone that answers and says nothing."""
    phone.answer()
    await phone.wait_gone()


class _Kept:
    """A leg whose sent packets are kept."""

    def __init__(self, phone: Phone, leg: Leg) -> None:
        self._phone = phone
        self._leg = leg

    def pull_packet(self) -> bytes | None:
        packet = self._leg.pull_packet()
        if packet is not None:
            self._phone.packets.append((self._leg.stats().ticks, packet))
        return packet


class FakeClient:
    """In place of SafeClient: answers by a script, 50 ms later; keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self.script: Callable[[HttpRequest], HttpReply] = lambda r: HttpReply(404)
        self.delay_s = 0.05

    async def send(self, request: HttpRequest) -> HttpReply:
        self.requests.append(request)
        await asyncio.sleep(self.delay_s)
        return self.script(request)


class FakeWs(WsFork):
    """A WebSocket that takes everything."""

    def __init__(self, *args: Any) -> None:
        self.pairs = 0

    def put(self, at: int, pcm: bytes) -> None:
        self.pairs += len(pcm) // 4

    async def run(self, running: Callable[[], None]) -> None:
        await asyncio.sleep(0.01)
        running()
        await asyncio.sleep(10**6)


class Book:
    """The log book of a call."""

    def __init__(self, sim: HostSim) -> None:
        self._sim = sim

    def decided(self, name: str, verdict: str, evidence: object) -> None:
        self._sim.decisions.append((name, verdict))

    def said(self, speaker: str, text: str) -> None:
        self._sim.said.append((speaker, text))


@dataclass
class HostSim:
    """Enter, `call` and `command`, leave."""

    records: Path
    document: object = None
    stt: ScriptedStt = field(default_factory=lambda: ScriptedStt([]))
    tts: ScriptedTts = field(default_factory=ScriptedTts)
    llm: ScriptedLlm | None = None
    phones: Mapping[str, Act] = field(default_factory=dict)
    near: LegConfig = NEAR
    event_slots: int = 4096
    answer_s: float = 0.01
    max_calls: int = 256
    settings: Callable[[RunSettings], RunSettings] = lambda s: s
    spend: SpendStore | None = None
    services: Callable[[Services], Services] = lambda s: s

    async def __aenter__(self) -> HostSim:
        self._live = _core.live_objects()
        loop = asyncio.get_running_loop()
        loop.set_default_executor(InlineExecutor(max_workers=1))
        self.engine = Engine(max_legs=512, max_bridges=64, event_slots=self.event_slots)
        self.hub = MediaHub(self.engine)
        self.client = FakeClient()
        self.events: list[Published] = []
        self.kept: list[CallRecord] = []
        self.journal: list[tuple[str, str]] = []
        self.decisions: list[tuple[str, str]] = []
        self.said: list[tuple[str, str]] = []
        self.answers: list[tuple[Command, list[Answer]]] = []
        self.lines: list[Phone] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._seeds = itertools.count(10)
        self._ids = itertools.count(1)
        self.tick = 0
        tts = TtsDriver([self.tts], now_us)
        made = RunSettings(QuickJs(), has_model=self.llm is not None, context="office")
        self.shared = self.services(
            Services(
                self.hub,
                self.settings(made),
                SttDriver([self.stt], now_us),
                tts,
                LlmDriver([self.llm], now_us) if self.llm else None,
                Sounds(tts),
                self.client,  # type: ignore[arg-type]
                now_us,
                lambda: EPOCH + timedelta(microseconds=now_us()),
                lambda: f"call-{next(self._ids)}",
                lambda: next(self._seeds),
                self.records,
                gateway=self,
                spend=self.spend,
                campaign="spring" if self.spend else "",
                connect=FakeWs,
            )
        )
        self.after = AfterCall(self.client)  # type: ignore[arg-type]
        await self.after.__aenter__()
        self.host = Host(
            self.shared,
            document=lambda far: self._document(),
            max_calls=self.max_calls,
            decisions=lambda call: Book(self),
            after=self.after,
            stored=lambda record, directory: write_record(record, directory) and None,
            on_record=self.kept.append,
            journal=lambda call, event, facts: self.journal.append((call, event)),
        )
        await self.host.__aenter__()
        self.host.subscribe(self.events.append)
        self._driver = asyncio.create_task(self._drive())
        return self

    def _document(self) -> Document | None:
        if self.document is None:
            return None
        return make_document(self.document)

    async def __aexit__(self, *exc_info: object) -> None:
        failed = exc_info[0] is not None
        try:
            async with asyncio.timeout(120):
                await self.host.__aexit__(None, None, None)
                await self.after.__aexit__(None, None, None)
        finally:
            for phone in self.lines:
                phone.end()
            for task in self._tasks:
                task.cancel()
            results = await asyncio.gather(*self._tasks, return_exceptions=True)
            self._driver.cancel()
            await asyncio.gather(self._driver, return_exceptions=True)
            for _ in range(3):
                self.step()
                self.hub.pump()
            for phone in self.lines:
                if phone.far is not None:
                    phone.far.free()
            stats = self.engine.stats()
            self.engine.close()
        if failed:
            return
        for result in results:
            if isinstance(result, Exception):
                raise result
        assert (stats.legs_open, stats.bridges_open) == (0, 0)
        self.lines.clear()
        self._tasks.clear()
        assert _core.live_objects() == self._live

    # -- the world

    def call(self, act: Act, from_number: str = "+1555001", to_number: str = "+1555002") -> Phone:
        """A phone calls the host."""
        phone = Phone(self, Party("phone", "inbound", from_number, to_number), act, None)
        self._add(phone)
        self.host.incoming(phone)
        return phone

    def dial(self, destination: DialOut) -> Phone:
        """See Gateway."""
        act = self.phones.get(destination.to_number, _nobody)
        party = Party(destination.kind, "outbound", destination.from_number, destination.to_number)
        return Phone(self, party, act, destination)

    def ring(self, phone: Phone) -> None:
        """A dialled phone rings."""
        self._add(phone)

    def _add(self, phone: Phone) -> None:
        self.lines.append(phone)
        self._tasks.append(asyncio.create_task(phone.act()))

    def open(self, phone: Phone) -> None:
        """Both legs of a line."""
        near = self.engine.open_leg(replace(self.near, seed=next(self._seeds)))
        phone.near = near
        phone.far = self.engine.open_leg(replace(FAR, seed=next(self._seeds)))
        phone.links = (
            Link(_Kept(phone, near), phone.far, phone.rng),  # type: ignore[arg-type]
            Link(phone.far, near, phone.rng),
        )
        phone.has_media.set()

    def closing(self, phone: Phone) -> None:
        """The phone's side of the media ends."""
        phone.links = ()
        if phone.far is not None and not phone.far.closed:
            phone.far.close()

    def step(self) -> None:
        """One tick of the media plane, without the event loop."""
        self.tick += 1
        at_us = self.tick * 20_000
        self.engine.tick(at_us)
        for phone in self.lines:
            for link in phone.links:
                with contextlib.suppress(StaleError):
                    link.move(at_us)

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        while True:
            due_s = begin_s + self.tick * TICK_S
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            self.step()
            self.hub.pump()

    def stall(self, s: float) -> None:
        """The event loop does nothing for so long while the media goes on."""
        for _ in range(round(s / TICK_S)):
            self.step()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop._jump.now_s += s

    # -- a controller

    def command(self, method: str, params: Mapping[str, object], call_id: str = "call-1") -> None:
        """Send a command; its answer comes into `answers`."""
        command = Command("ctl", "", ALL, method, call_id, params)
        replies: list[Answer] = []
        self.answers.append((command, replies))
        self.host.submit(command, replies.append)

    async def idle(self, limit_s: float = 600.0) -> None:
        """Wait until no call runs."""
        async with asyncio.timeout(limit_s):
            await self.host._idle.wait()

    # -- what tests look at

    def told(self, kind: str, key: str = "state") -> list[Any]:
        """One value of all events of a kind, in order."""
        name = f"calling.call.{kind}"
        return [e.params.get(key) for e in self.events if e.event_type == name]

    def assert_settled(self) -> None:
        """Commands were answered once, operations told to be over, records kept."""
        for command, replies in self.answers:
            assert len(replies) == 1, command
        states: dict[tuple[str, str, object], list[object]] = {}
        for event in self.events:
            control = event.params.get("control_id")
            if control and "state" in event.params:
                key = (event.event_type, event.call_id, control)
                states.setdefault(key, []).append(event.params["state"])
        for key, seen in states.items():
            if not key[0].endswith(("connect", "hold")):
                assert seen[-1] in TERMINAL, (key, seen)
                assert sum(s in TERMINAL for s in seen) == 1, (key, seen)
        ended = [e for e in self.journal if e[1] == "end"]
        begun = [e for e in self.journal if e[1] == "start"]
        assert len(ended) == len(begun) == len(set(begun))
        ids = [r.call_id for r in self.kept]
        assert len(ids) == len(set(ids))


async def _nobody(phone: Phone) -> None:
    phone.end(LineEnd.NOT_FOUND)


def make_document(main: object) -> Document:
    """A document from its sections, or from the statements of main."""
    sections = main if isinstance(main, Mapping) else {"main": main}
    text = json.dumps({"version": "1.0.0", "sections": sections})
    return load_document(read_source(text.encode(), "test"))


def run_on(loop_factory: Callable[[], VirtualLoop], main: Any) -> Any:
    """As virtual.run_virtual, on a loop of one's own."""

    async def watched() -> Any:
        result = await main
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"
        return result

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(watched())


def energy(pcm: Sequence[int]) -> list[int]:
    """Peak per 20 ms."""
    frames = [pcm[i : i + FRAME] for i in range(0, len(pcm), FRAME)]
    return [max(max(f), -min(f)) for f in frames if len(f)]


def loud_ms(pcm: Sequence[int], level: int = 200) -> int:
    """Milliseconds above a level."""
    return 20 * sum(peak > level for peak in energy(pcm))
