"""What the decisions of calls cost: whole calls in real time, and the reducer by itself.

100 calls in one process over real RTP on loopback: a document runs `ai`, the agent speaks and
listens to callers who talk every 8 s. CPU is that of the event loop's thread; the media thread has
its own. Providers give what was made before the measurement, piece by piece, so that what is left
of them is their share of the loop. The phones' legs are on an engine of their own.
"""

from __future__ import annotations

import asyncio
import json
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mediacore import _core
from mediacore._core import Engine
from mediacore.app_options import BenchOptions
from mediacore.bench.figures import percentile
from mediacore.errors import MediaError
from mediacore.flow.document import Document, load_document
from mediacore.flow.script import QuickJs
from mediacore.flow.source import read_source
from mediacore.media import LegConfig
from mediacore.providers.scripted import ScriptedStt, voiced_audio
from mediacore.recording import WavSink
from mediacore.runtime.inputs import Event
from mediacore.runtime.ports import Answer, Command
from mediacore.runtime.settings import RunSettings
from mediacore.runtime.state import Line
from mediacore.runtime.step import begin_document, incoming
from mediacore.service import LINE_LEG
from mediacore.session.host import Host
from mediacore.session.hub import MediaHub
from mediacore.session.runner import CallRunner
from mediacore.session.services import Services
from mediacore.session.sounds import Sounds
from mediacore.slots.driver import LlmDriver, SttDriver, TtsDriver
from mediacore.slots.llm import LlmEvent, LlmInfo, LlmRequest, LlmText
from mediacore.slots.tts import TtsAudio, TtsEvent, TtsInfo, TtsRequest
from mediacore.transports.exchange import ExchangeCall, LoopbackExchange, Side
from mediacore.units import TICKS_PER_S
from mediacore.web.client import SafeClient

_SRATE_HZ: Final = 8000
_CYCLE_S: Final = 8.0
_WARM_S: Final = 8.0
_SAID: Final = "I would like to know when my order comes, please."
_ANSWER: Final = (
    "It left our warehouse on Monday and comes to you on Friday at nine in the morning."
)
_MS_PER_CHAR: Final = 50
_PIECE_BYTES: Final = 2 * _SRATE_HZ // 10
_STATEMENTS: Final = 100
_ROUNDS: Final = 30
_BATCH: Final = 100


class _Answers:
    """A model that always says the same, a word at a time."""

    info = LlmInfo("fixed-llm")

    async def run(self, request: LlmRequest) -> AsyncIterator[LlmEvent]:
        await asyncio.sleep(0.05)
        for word in _ANSWER.split(" "):
            yield LlmText(word + " ")

    async def aclose(self) -> None:
        """Nothing to release."""


class _Voice:
    """A voice that makes each text once."""

    info = TtsInfo("fixed-tts", _SRATE_HZ, False)

    def __init__(self) -> None:
        self._made: dict[str, bytes] = {}

    async def run(self, request: TtsRequest) -> AsyncIterator[TtsEvent]:
        pcm = self._made.get(request.text)
        if pcm is None:
            pcm = self._made[request.text] = voiced_audio(request.text, _SRATE_HZ, _MS_PER_CHAR)
        await asyncio.sleep(0.05)
        for start in range(0, len(pcm), _PIECE_BYTES):
            yield TtsAudio(pcm[start : start + _PIECE_BYTES], _SRATE_HZ)
            await asyncio.sleep(0.005)

    async def aclose(self) -> None:
        """Nothing to release."""


class _TimedRunner(CallRunner):
    """Counts the CPU of each event, from when it was read until its actions were executed."""

    spent_ns = array("q")

    def _take(self, event: Event) -> None:
        before = time.thread_time_ns()
        super()._take(event)
        self.spent_ns.append(time.thread_time_ns() - before)


@dataclass(frozen=True, slots=True)
class _Load:
    calls: int
    seconds: float
    commands: int


def run(options: BenchOptions) -> dict[str, float]:
    """Measure. See benchmarks/README.md for the figures."""
    load = _Load(20, 4.0, 1_000) if options.quick else _Load(100, 16.0, 10_000)
    figures = _document_steps(1 if options.quick else _ROUNDS)
    options.progress(f"{load.calls} calls for {_WARM_S + load.seconds:.0f} s")
    figures |= asyncio.run(_calls(load))
    return figures


def _document(main: list[object]) -> Document:
    text = json.dumps({"version": "1.0.0", "sections": {"main": main}})
    return load_document(read_source(text.encode(), "bench"))


def _document_steps(rounds: int) -> dict[str, float]:
    """CPU of one statement of a document, by the reducer alone; the best of the rounds."""
    plain: list[object] = [{"set": {"a": "%{call.from}"}}] * _STATEMENTS
    asked = {"cond": [{"when": "vars.a == '1'", "then": []}, {"else": []}]}
    return {
        "document_step_us": min(_steps(_document(plain)) for _ in range(rounds)),
        "document_condition_us": min(_steps(_document([asked] * 20), 20) for _ in range(rounds)),
    }


def _steps(document: Document, statements: int = _STATEMENTS) -> float:
    line = Line("call", "phone", "inbound", "+1", "+2")
    state = incoming(RunSettings(QuickJs()), line, now=1, wall_us=0)
    before = time.thread_time_ns()
    begin_document(state, document, 2)
    return (time.thread_time_ns() - before) / 1000 / statements


async def _calls(load: _Load) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        records = Path(stack.enter_context(TemporaryDirectory()))
        hub = MediaHub(Engine(max_legs=2 * load.calls, max_bridges=1, event_slots=65536))
        stack.callback(hub.engine.close)
        phones = Engine(max_legs=2 * load.calls, max_bridges=1)
        stack.callback(phones.close)
        seeds = count(1)
        quiet = Side(phones, LegConfig(vad_threshold_q15=None))
        exchange = LoopbackExchange(Side(hub.engine, LINE_LEG), quiet, seed=lambda: 2 * next(seeds))
        hub.start(realtime=True)
        stack.callback(hub.stop)
        phones.start(realtime=True)
        stack.callback(phones.stop)
        stack.push_async_callback(exchange.aclose)
        host = await stack.enter_async_context(_host(hub, records, load))
        exchange.on_incoming(host.incoming)
        talking = [
            asyncio.create_task(_phone(exchange.call("+1", "+2"), n / load.calls * _CYCLE_S))
            for n in range(load.calls)
        ]
        figures = await _measured(load, hub, host)
        figures |= await _commands(load, host)
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
        return figures


def _host(hub: MediaHub, records: Path, load: _Load) -> Host:
    voice, ids, seeds = TtsDriver([_Voice()], _core.now_us), count(1), count(1)
    document = _document(
        [
            {"answer": {}},
            {"ai": {"prompt": {"text": "Be brief."}, "params": {"static_greeting": _ANSWER}}},
        ]
    )
    services = Services(
        hub,
        RunSettings(QuickJs()),
        SttDriver([ScriptedStt([_SAID] * 100_000)], _core.now_us),
        voice,
        LlmDriver([_Answers()], _core.now_us),
        Sounds(voice),
        SafeClient(),
        _core.now_us,
        lambda: datetime.now(UTC),
        lambda: f"call-{next(ids)}",
        lambda: next(seeds),
        records,
    )
    _TimedRunner.spent_ns = array("q")
    return Host(
        services,
        document=lambda far: document,
        max_calls=load.calls,
        open_audio=WavSink,
        runner=_TimedRunner,
    )


async def _phone(call: ExchangeCall, wait_s: float) -> None:
    """A caller who talks once in each cycle; the cycles are spread evenly."""
    leg = await call.answered()
    pcm = voiced_audio(_SAID, _SRATE_HZ, _MS_PER_CHAR)
    await asyncio.sleep(wait_s)
    for utterance in count(1):
        try:
            leg.begin(utterance, 1)
            leg.say(pcm)
            leg.end()
        except MediaError:
            return
        await asyncio.sleep(_CYCLE_S)


async def _measured(load: _Load, hub: MediaHub, host: Host) -> dict[str, float]:
    await asyncio.sleep(_WARM_S)
    spent = _TimedRunner.spent_ns
    first, paced = len(spent), hub.engine.pacer_stats()
    wall, cpu = time.monotonic(), time.thread_time()
    await asyncio.sleep(load.seconds)
    wall_s, cpu_s = time.monotonic() - wall, time.thread_time() - cpu
    after = hub.engine.pacer_stats()
    taken = [ns / 1000 for ns in spent[first:]]
    late = after.late_20ms + after.skipped - paced.late_20ms - paced.skipped
    per_call = 100 / wall_s / load.calls
    return {
        "decision_p50_us": percentile(taken, 50),
        "decision_p99_us": percentile(taken, 99),
        "decision_max_us": max(taken, default=0.0),
        "decisions_per_call_second": len(taken) / wall_s / load.calls,
        "control_cpu_percent_per_call": sum(taken) / 1e6 * per_call,
        "loop_cpu_percent_per_call": cpu_s * per_call,
        "media_cpu_percent_per_call": (after.cpu_us - paced.cpu_us) / 1e6 * per_call,
        "late_frames": late * load.calls,
        "calls_run": len(host.calls),
        "events_lost": hub.engine.stats().events_dropped,
        "ticks_share": (after.ticks - paced.ticks) / (wall_s * TICKS_PER_S),
    }


async def _commands(load: _Load, host: Host) -> dict[str, float]:
    """Commands of a controller to running calls, answered, per CPU second of the loop's thread."""
    targets = [runner.call_id for runner in host.calls]
    permissions = frozenset({"read", "control"})
    replies: list[Answer] = []
    answered = asyncio.Event()

    def reply(answer: Answer) -> None:
        replies.append(answer)
        answered.set()

    before, done = time.thread_time(), 0
    while done < load.commands:
        for n in range(_BATCH):
            call = targets[(done + n) % len(targets)]
            params = {"event": "ping", "n": n}
            command = Command("bench", "", permissions, "user_event", call, params)
            host.submit(command, reply)
        done += _BATCH
        while len(replies) < done:
            answered.clear()
            await answered.wait()
    used_s = time.thread_time() - before
    good = sum(answer.code == "200" for answer in replies)
    return {"commands_per_cpu_second": good / used_s, "commands_refused": done - good}
