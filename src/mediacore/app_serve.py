"""Calls by documents and controllers on this machine, with phones that play recordings."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mediacore.agent import Prewarmed
from mediacore.app_models import make_llm
from mediacore.call.record import CallRecord
from mediacore.control import ControlConfig, Project, TlsFiles, Token
from mediacore.control.selfsigned import make_self_signed
from mediacore.errors import ConfigError
from mediacore.evals.caller import Line, caller_leg
from mediacore.evals.phones import answering, speak
from mediacore.media import LegConfig
from mediacore.policy.budget import Budget
from mediacore.policy.prices import local_prices, parse_prices
from mediacore.providers.hibari import HibariTts
from mediacore.providers.scripted import ScriptedStt, ScriptedTts
from mediacore.providers.whisper import WhisperStt
from mediacore.runtime.ports import Published
from mediacore.service import LINE_LEG, Service, ServiceConfig
from mediacore.slots.driver import Closable
from mediacore.slots.stt import Stt
from mediacore.slots.tts import Tts
from mediacore.store.spend_pg import open_spend
from mediacore.transports.exchange import LoopbackExchange, Side
from mediacore.transports.files import read_audio
from mediacore.web.url import strip_credentials

TOKEN_ENV: Final = "MEDIACORE_TOKEN"
CALL_FROM: Final = "+15550100"
CALL_TO: Final = "+15550199"
_LONGEST_S: Final = 3600
_DRAIN_S: Final = 10.0

Watch = Callable[[str], None]
"""Takes one line about what happens, for the terminal."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """See `mediacore serve --help`.

    control: (host, port) or None. phones: number to recordings. call: recordings of a caller who
    calls once; empty = run until stopped. stt, tts: "local", or "none" / "tones" without models.
    """

    document: str | None = None
    llm: tuple[str, ...] = ()
    stt: str = "local"
    tts: str = "local"
    control: tuple[str, int] | None = None
    project: str = "local"
    context: str = "office"
    tls: Path | None = None
    allow: tuple[str, ...] = ()
    records: Path = Path("calls")
    sounds: Path | None = None
    call: tuple[Path, ...] = ()
    barge_in_after_s: float | None = None
    from_number: str = CALL_FROM
    to_number: str = CALL_TO
    phones: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    strict: bool = False
    budget: Budget = field(default_factory=Budget)
    prices: Path | None = None
    campaign: str = ""
    day_cap_micros: int = 0
    spend: str | None = None
    queue: Path | None = None
    document_secret: str = field(default="", repr=False)
    log_content: bool = False


def run_serve(options: ServeOptions, watch: Watch) -> CallRecord | None:
    """Serve until the one call is over, or until stopped. Blocks."""
    return asyncio.run(_serve(options, watch))


async def _serve(options: ServeOptions, watch: Watch) -> CallRecord | None:
    token = os.environ.get(TOKEN_ENV) or secrets.token_urlsafe(24)
    config = _config(options, token)
    service = Service(config)
    providers: tuple[Closable, ...] = (*config.stt, *config.tts, *config.llm)
    async with AsyncExitStack() as stack:
        for provider in providers:
            stack.push_async_callback(provider.aclose)
            if isinstance(provider, Prewarmed):
                await provider.prewarm()  # what is missing is told now, not to a caller
        return await _run(options, service, token, watch)


async def _run(
    options: ServeOptions, service: Service, token: str, watch: Watch
) -> CallRecord | None:
    hub = service.open_hub()
    side = Side(hub.engine, LINE_LEG)
    phones = Side(hub.engine, caller_leg(LegConfig(detect_dtmf=True)))
    exchange = LoopbackExchange(side, phones, seed=lambda: secrets.randbits(62))
    service.use_gateway(exchange)
    for number, wavs in options.phones.items():
        exchange.register(number, answering(hub, [Line(read_audio(w)) for w in wavs]))
    records: list[CallRecord] = []
    service.on_record(records.append)
    stopped = _stop_on_signal()
    async with service:
        service.host.subscribe(lambda event: _tell(event, watch))
        exchange.on_incoming(service.host.incoming)
        try:
            _announce(options, service, token, watch)
            if options.call:
                await _place(options, service, exchange, stopped)
            else:
                await stopped.wait()
        finally:
            await exchange.aclose()
            await service.drain(_DRAIN_S)
    return records[-1] if records else None


def _stop_on_signal() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    return stopped


async def _place(
    options: ServeOptions, service: Service, exchange: LoopbackExchange, stopped: asyncio.Event
) -> None:
    """One caller, from its first word to the hang-up, or until somebody stops us."""
    lines = [Line(read_audio(path), options.barge_in_after_s) for path in options.call]
    call = exchange.call(options.from_number, options.to_number)
    talking = asyncio.create_task(speak(service.hub, call, lines))
    over = asyncio.create_task(call.wait_gone())
    stop = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait((over, stop), timeout=_LONGEST_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (talking, over, stop):
            task.cancel()
        await asyncio.gather(talking, over, stop, return_exceptions=True)


def _config(options: ServeOptions, token: str) -> ServiceConfig:
    prices = None
    if options.prices is not None:
        book = parse_prices(options.prices.read_bytes(), str(options.prices))
        prices = book.with_defaults(local_prices(book.currency))
    if options.day_cap_micros and not (options.campaign and options.spend and prices):
        raise ConfigError("a day's cap needs --campaign, --spend and --prices")
    return ServiceConfig(
        _stt(options.stt),
        _tts(options.tts),
        tuple(make_llm(spec) for spec in options.llm),
        document=options.document,
        strict=options.strict,
        records=options.records,
        sounds=options.sounds,
        control=_control(options, token),
        project=options.project,
        context=options.context,
        allow=options.allow,
        document_secret=options.document_secret,
        budget=options.budget,
        prices=prices,
        campaign=options.campaign,
        day_cap_micros=options.day_cap_micros,
        spend=open_spend(options.spend) if options.spend else None,
        queue=options.queue,
        log_content=options.log_content,
    )


def _stt(name: str) -> tuple[Stt, ...]:
    return (WhisperStt(),) if name == "local" else (ScriptedStt(()),)


def _tts(name: str) -> tuple[Tts, ...]:
    return (HibariTts(),) if name == "local" else (ScriptedTts(),)


def _control(options: ServeOptions, token: str) -> ControlConfig | None:
    if options.control is None:
        return None
    host, port = options.control
    folder = options.tls or options.records / "tls"
    tls = TlsFiles(folder / "cert.pem", folder / "key.pem")
    if options.tls is None and not tls.cert.exists():
        tls = make_self_signed(folder)
    project = Project(options.project, (Token.plain(token),))
    return ControlConfig((project,), host=host, port=port, tls=tls)


def _announce(options: ServeOptions, service: Service, token: str, watch: Watch) -> None:
    if options.document is not None:
        watch(f"calls get {strip_credentials(options.document)}")
    if service.control is not None:
        host, port = service.control.address
        cert = (options.tls or options.records / "tls") / "cert.pem"
        watch(f"controllers: wss://{host}:{port}, context {options.context!r}")
        watch(f"  export SIGNALWIRE_SPACE={host}:{port} SIGNALWIRE_RELAY_CA_FILE={cert}")
        if not os.environ.get(TOKEN_ENV):
            watch(f"  export SIGNALWIRE_PROJECT_ID={options.project} SIGNALWIRE_API_TOKEN={token}")
    if not options.call:
        watch("running; Ctrl+C ends it")


_SHOWN: Final = ("call_state", "state", "connect_state", "dial_state", "code", "message", "reason")


def _tell(event: Published, watch: Watch) -> None:
    """One line per event: kinds and states, nothing that was said."""
    facts = [f"{k}={event.params[k]}" for k in _SHOWN if event.params.get(k)]
    name = event.event_type.removeprefix("calling.").removeprefix("call.")
    watch(f"{_short(event.call_id):12} {name:14} {' '.join(str(f) for f in facts)}")


def _short(call_id: str) -> str:
    """Enough of an id to tell calls apart; dialled lines keep their number."""
    return call_id[:8] + call_id[36:]
