"""One outgoing call: an agent or a document talks to whoever answers, or recordings do."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mediacore import _core
from mediacore._core import Leg
from mediacore.agent import Agent, Prewarmed
from mediacore.app_dial import Destination, Tell, ToldLine, open_line
from mediacore.app_models import make_llm
from mediacore.app_options import CallResult, Watch, unwatched
from mediacore.app_signals import on_stop
from mediacore.call.record import AUDIO_FILE, CallRecord
from mediacore.errors import ConfigError
from mediacore.evals.caller import Line, ScriptedCaller, caller_leg
from mediacore.media import LegConfig, Tap
from mediacore.providers.hibari import HibariTts
from mediacore.providers.whisper import WhisperStt
from mediacore.recording import WavSink
from mediacore.service import LINE_LEG, Service, ServiceConfig
from mediacore.session.hub import MediaHub
from mediacore.session.owner import CallOptions, CallOwner
from mediacore.slots.driver import Closable
from mediacore.slots.gateway import LineEnd, LineFailedError
from mediacore.store.records import write_record
from mediacore.transports.files import WavWriter, read_audio

HEARD_FILE: Final = "heard.wav"
_TAP_MS: Final = 1500
_READ_S: Final = 0.1
_CLOSE_S: Final = 10.0
_AGENT_LEG: Final = LegConfig(taps=Tap.RX | Tap.RECORD | Tap.NOTES, tap_ms=_TAP_MS)
_PHONE_LEG: Final = caller_leg(LegConfig(taps=Tap.RX, tap_ms=_TAP_MS, detect_dtmf=True))


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """What to do with a call that is placed.

    wavs: be a test phone that speaks these, one turn each; else `document` with `llm`, else
    `agent` (None = the built-in order line) talks. out: directory of the call's files.
    barge_in_after_s: of the recordings. stay_s: how long the test phone listens after its last
    recording. limit_s: longest call.
    """

    to: Destination
    out: Path
    wavs: tuple[Path, ...] = ()
    agent: Path | None = None
    document: str | None = None
    llm: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    barge_in_after_s: float | None = None
    stay_s: float = 10.0
    limit_s: float = 600.0
    watch: Watch = unwatched

    def __post_init__(self) -> None:
        chosen = [bool(self.wavs), self.agent is not None, self.document is not None]
        if sum(chosen) > 1:
            raise ConfigError("--wav, --agent and --document exclude each other")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it. end: why the line is over. result: of a conversation with an agent.
    heard: the recording of what the test phone heard."""

    answered: bool
    end: LineEnd
    result: CallResult | None = None
    heard: Path | None = None


def run_call(options: PlacedCall, tell: Tell) -> Outcome:
    """Place the call and wait for its end; Ctrl+C hangs up. Blocks."""
    if options.wavs:
        return asyncio.run(_phone(options, tell))
    if options.document is not None:
        return asyncio.run(_by_document(options, tell))
    return asyncio.run(_with_agent(options, tell))


# -- a test phone


async def _phone(options: PlacedCall, tell: Tell) -> Outcome:
    lines = [Line(read_audio(wav), options.barge_in_after_s) for wav in options.wavs]
    options.out.mkdir(parents=True, exist_ok=True)
    heard = options.out / HEARD_FILE
    with MediaHub(_core.Engine(max_legs=4)) as hub:
        hub.start()
        async with open_line(options.to, hub.engine, _PHONE_LEG, tell) as line:
            with _hangs_up(line):
                try:
                    leg = await line.connect(lambda: None)
                except LineFailedError as error:
                    return Outcome(False, error.reason)
                await _speak(options, hub, line, leg, lines, heard)
        return Outcome(True, line.end or LineEnd.HANGUP, heard=heard)


async def _speak(
    options: PlacedCall,
    hub: MediaHub,
    line: ToldLine,
    leg: Leg,
    lines: Sequence[Line],
    heard: Path,
) -> None:
    """Speak the recordings and listen, until somebody hangs up."""
    caller = ScriptedCaller(hub, leg, lines)
    writer = WavWriter(heard, leg.srate_hz, channels=1)
    tasks = [
        asyncio.create_task(caller.run()),
        asyncio.create_task(line.wait_gone()),
        asyncio.create_task(_said_all(caller, leg, lines, options.stay_s)),
        asyncio.create_task(_record(leg, writer)),
    ]
    try:
        await asyncio.wait(tasks, timeout=options.limit_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await line.hangup(LineEnd.HANGUP)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        _keep(leg, writer)
        writer.close()
        if not leg.closed:
            leg.close()
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _said_all(caller: ScriptedCaller, leg: Leg, lines: Sequence[Line], stay_s: float) -> None:
    """Wait until everything was said and listened to for a while."""
    while True:
        stats = leg.stats()
        said = stats.played_samples + stats.flushed_samples >= stats.queued_samples
        if len(caller.spoken) == len(lines) and said:
            break
        await asyncio.sleep(_READ_S)
    await asyncio.sleep(stay_s)


async def _record(leg: Leg, writer: WavWriter) -> None:
    while True:
        await asyncio.sleep(_READ_S)
        _keep(leg, writer)


def _keep(leg: Leg, writer: WavWriter) -> None:
    """Write what was heard since; what was not read in time becomes silence."""
    at, pcm = leg.read_tap(leg.srate_hz * _TAP_MS // 1000)
    missing = at - writer.snapshot().frames
    if pcm and missing > 0:
        writer.write(bytes(2 * missing))
    writer.write(pcm)


# -- an agent


async def _with_agent(options: PlacedCall, tell: Tell) -> Outcome:
    agent = Agent.default(options.agent)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(agent.aclose)
        await agent.prewarm()
        hub = stack.enter_context(MediaHub(_core.Engine(max_legs=4)))
        hub.start()
        line = await stack.enter_async_context(open_line(options.to, hub.engine, _AGENT_LEG, tell))
        with _hangs_up(line):
            try:
                leg = await line.connect(lambda: None)
            except LineFailedError as error:
                return Outcome(False, error.reason)
            record = await _own(options, agent, hub, line, leg)
    return Outcome(True, line.end or LineEnd.HANGUP, CallResult(record, options.out))


async def _own(
    options: PlacedCall, agent: Agent, hub: MediaHub, line: ToldLine, leg: Leg
) -> CallRecord:
    options.out.mkdir(parents=True, exist_ok=True)
    owner = CallOwner(
        hub,
        leg,
        agent.parts(_core.now_us),
        CallOptions(
            secrets.token_hex(8),
            datetime.now(UTC),
            line.transport,
            WavSink(options.out / AUDIO_FILE, leg.srate_hz),
            agent.name,
        ),
        _core.now_us,
        options.watch,
    )

    async def gone() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(options.limit_s):
                await line.wait_gone()
        owner.hangup("hangup")

    leaving = asyncio.create_task(gone())
    try:
        record = await owner.run()
    finally:
        leaving.cancel()
        await asyncio.wait([leaving])
        await line.hangup(LineEnd.HANGUP)
    await asyncio.to_thread(write_record, record, options.out)
    return record


# -- a document


async def _by_document(options: PlacedCall, tell: Tell) -> Outcome:
    config = ServiceConfig(
        (WhisperStt(),),
        (HibariTts(),),
        tuple(make_llm(spec) for spec in options.llm),
        document=options.document,
        allow=options.allow,
        records=options.out,
        max_calls=1,
    )
    service = Service(config)
    providers: tuple[Closable, ...] = (*config.stt, *config.tts, *config.llm)
    records: list[CallRecord] = []
    service.on_record(records.append)
    async with AsyncExitStack() as stack:
        for provider in providers:
            stack.push_async_callback(provider.aclose)
            if isinstance(provider, Prewarmed):
                await provider.prewarm()
        hub = service.open_hub()
        await stack.enter_async_context(service)
        line = await stack.enter_async_context(open_line(options.to, hub.engine, LINE_LEG, tell))
        with _hangs_up(line):
            service.host.incoming(line)  # its `answer` dials
            with suppress(TimeoutError):
                async with asyncio.timeout(options.limit_s):
                    await line.over.wait()
            await service.drain(_CLOSE_S)
    end = line.end or LineEnd.HANGUP
    if not line.answered or not records:
        return Outcome(line.answered, end)
    record = records[-1]
    return Outcome(True, end, CallResult(record, options.out / record.call_id))


@contextmanager
def _hangs_up(line: ToldLine) -> Iterator[None]:
    """Ctrl+C and SIGTERM end the line."""
    loop = asyncio.get_running_loop()
    ending: list[asyncio.Task[None]] = []

    def hang_up() -> None:
        ending.append(loop.create_task(line.hangup(LineEnd.HANGUP)))

    with on_stop(hang_up):
        yield
