"""A call with whoever sits at this machine: microphone, loudspeaker, agent."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mediacore import _core
from mediacore.agent import Agent, Prewarmed
from mediacore.app_models import make_llm
from mediacore.app_options import CallResult, Watch, unwatched
from mediacore.app_signals import on_stop
from mediacore.call.record import AUDIO_FILE, CallRecord
from mediacore.errors import ConfigError
from mediacore.media import LegConfig, Tap
from mediacore.providers.hibari import HibariTts
from mediacore.providers.whisper import WhisperStt
from mediacore.recording import WavSink
from mediacore.service import LINE_LEG, Service, ServiceConfig
from mediacore.session.hub import MediaHub
from mediacore.session.owner import CallOptions, CallOwner
from mediacore.session.watching import CallWatch
from mediacore.slots.driver import Closable
from mediacore.slots.gateway import LineEnd
from mediacore.store.records import write_record
from mediacore.transports.microphone import MicrophoneConfig, MicrophoneLine

HALF_DUPLEX: Final = (
    "The microphone is off while the agent speaks, so that it does not hear itself. "
    "With a headset, use --headset: then you can interrupt."
)
_LEG: Final = LegConfig(taps=Tap.RX | Tap.RECORD | Tap.NOTES, tap_ms=1500)


@dataclass(frozen=True, slots=True)
class TalkOptions:
    """See `mediacore talk --help`.

    out: directory of the call's files. agent: its file, None = the built-in order line; or
    document: what the call gets, with `llm`. pyaudio, make_agent: for tests.
    """

    out: Path
    agent: Path | None = None
    document: str | None = None
    llm: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    microphone: MicrophoneConfig = field(default_factory=MicrophoneConfig)
    watch: Watch = unwatched
    pyaudio: Any | None = None
    make_agent: Callable[[Path | None], Agent] = Agent.default

    def __post_init__(self) -> None:
        if self.agent is not None and self.document is not None:
            raise ConfigError("--agent and --document exclude each other")


def run_talk(options: TalkOptions) -> CallResult:
    """Hold the call until either side hangs up; Ctrl+C hangs up. Blocks."""
    if options.document is not None:
        return asyncio.run(_by_document(options))
    return asyncio.run(_with_agent(options))


async def _with_agent(options: TalkOptions) -> CallResult:
    agent = options.make_agent(options.agent)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(agent.aclose)
        await agent.prewarm()
        hub = stack.enter_context(MediaHub(_core.Engine(max_legs=2)))
        hub.start()
        line = _line(options, hub, _LEG)
        with on_stop(line.end):
            return await _own(options, agent, hub, line)


async def _own(
    options: TalkOptions, agent: Agent, hub: MediaHub, line: MicrophoneLine
) -> CallResult:
    options.out.mkdir(parents=True, exist_ok=True)
    leg = await line.connect(lambda: None)
    try:
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
            await line.wait_gone()
            owner.hangup("hangup")

        async with asyncio.TaskGroup() as group:
            leaving = group.create_task(gone())
            record = await owner.run()
            leaving.cancel()
    finally:
        await line.hangup(LineEnd.HANGUP)
    record = _with_device(record, line)
    await asyncio.to_thread(write_record, record, options.out)
    return CallResult(record, options.out)


async def _by_document(options: TalkOptions) -> CallResult:
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
    done: asyncio.Future[CallRecord] = asyncio.get_running_loop().create_future()
    service.on_record(lambda record: None if done.done() else done.set_result(record))
    async with AsyncExitStack() as stack:
        for provider in providers:
            stack.push_async_callback(provider.aclose)
            if isinstance(provider, Prewarmed):
                await provider.prewarm()
        line = _line(options, service.open_hub(), LINE_LEG)
        stack.enter_context(on_stop(line.end))
        await stack.enter_async_context(service)
        watch = CallWatch(
            lambda: service.host.calls, lambda state: state.id, lambda key, m: options.watch(m)
        )
        watching = asyncio.create_task(watch.run())
        service.host.incoming(line)
        try:
            await line.wait_gone()
            await service.drain(10)
            record = await asyncio.wait_for(done, 10)
        except TimeoutError:
            raise ConfigError("the call never had media: see the messages above") from None
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            watch.look()  # the end
    return CallResult(_with_device(record, line), options.out / record.call_id)


def _line(options: TalkOptions, hub: MediaHub, leg: LegConfig) -> MicrophoneLine:
    return MicrophoneLine(
        options.microphone,
        hub.engine,
        leg,
        seed=secrets.randbits(62),
        pyaudio=options.pyaudio,
    )


def _with_device(record: CallRecord, line: MicrophoneLine) -> CallRecord:
    """The device's counters beside the leg's."""
    stats = line.snapshot()
    if stats is None:
        return record
    device = {f"device_{name}": value for name, value in asdict(stats).items()}
    return replace(record, media={**record.media, **device, "device_muted": line.muted})
