"""Calls by documents and controllers: from the gateways of a configuration, and on this machine
with phones that play recordings."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
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
from mediacore.serving.gateways import GatewayHouse, Media, open_house, switchboard
from mediacore.serving.listeners import Listener, check_listeners
from mediacore.serving.notify import notify
from mediacore.serving.ways import Gateways
from mediacore.session.watching import CallWatch
from mediacore.slots.driver import Closable
from mediacore.slots.gateway import FarLine
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

    control: (host, port) or None. token: of controllers, "" = from the environment, or random.
    phones: number to recordings. call: recordings of a caller who calls once; empty = run until
    stopped. stt, tts: "local", or "none" / "tones" without models. gateways: how calls come in and
    go out. drain_s: for running calls, once it is to stop.
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
    log: Path | None = None
    log_content: bool = False
    token: str = field(default="", repr=False)
    jwt_secret: str = field(default="", repr=False)
    plain_network: bool = False
    origins: frozenset[str] = frozenset()
    language: str = "en-US"
    voice: str = ""
    hold_music: str = ""
    records_url: str = ""
    max_calls: int = 256
    drain_s: float = _DRAIN_S
    gateways: Gateways = field(default_factory=Gateways)

    def listeners(self) -> list[Listener]:
        """What would be opened."""
        found = self.gateways.listeners()
        if self.control is not None:
            host, port = self.control
            found.insert(0, Listener("control", "TCP", host, port, True, ""))
        return found


def micros(text: str, where: str) -> int:
    """An amount of money such as "10.00" in micros. Raises ConfigError."""
    try:
        found = Decimal(text) * 1_000_000
    except InvalidOperation:
        raise ConfigError(f"{where}: expected an amount such as 10.00") from None
    if not found.is_finite() or found <= 0 or found != int(found):
        raise ConfigError(f"{where}: expected an amount above 0, at most six decimals")
    return int(found)


def run_serve(options: ServeOptions, watch: Watch) -> CallRecord | None:
    """Serve until the one call is over, or until stopped. Blocks."""
    return asyncio.run(_serve(options, watch))


async def _serve(options: ServeOptions, watch: Watch) -> CallRecord | None:
    check_listeners(options.listeners())
    token = options.token or os.environ.get(TOKEN_ENV) or secrets.token_urlsafe(24)
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

    def incoming(far: FarLine) -> None:
        service.host.incoming(far)  # there is a host once the service runs

    house = open_house(options.gateways, Media(hub.engine, LINE_LEG, incoming))
    service.use_gateway(
        switchboard(
            exchange,
            lambda to: house.dialer is None or to.to_number in options.phones,
            house.dialer,
            options.gateways,
            options.campaign,
        )
    )
    for number, wavs in options.phones.items():
        exchange.register(number, answering(hub, [Line(read_audio(w)) for w in wavs]))
    records: list[CallRecord] = []
    service.on_record(records.append)
    stop = _Stop()
    async with service:
        service.host.subscribe(lambda event: _tell(event, watch))
        exchange.on_incoming(service.host.incoming)
        async with house, _shown(service, house):
            try:
                _announce(options, service, house, token, watch)
                notify("READY=1")
                if options.call:
                    await _place(options, service, exchange, stop.asked)
                else:
                    await stop.asked.wait()
            finally:
                if options.call:
                    await exchange.aclose()
                await _drain(options, service, house, stop, watch)
                await exchange.aclose()
    return records[-1] if records else None


@asynccontextmanager
async def _shown(service: Service, house: GatewayHouse) -> AsyncIterator[None]:
    """Browsers see their calls as they go."""
    if house.pages is None:
        yield
        return
    watch = CallWatch(lambda: service.host.calls, house.pages.key, house.pages.show)
    task = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _drain(
    options: ServeOptions, service: Service, house: GatewayHouse, stop: _Stop, watch: Watch
) -> None:
    """New calls are refused; running ones get their time, unless there is a second signal."""
    notify("STOPPING=1")
    house.drain()
    running = len(service.host.calls)
    if running and stop.asked.is_set():
        watch(f"draining: {running} calls, at most {options.drain_s:g} s; again: at once")
    drained = asyncio.ensure_future(service.drain(options.drain_s))
    forced = asyncio.ensure_future(stop.forced.wait())
    await asyncio.wait({drained, forced}, return_when=asyncio.FIRST_COMPLETED)
    for task in (drained, forced):
        task.cancel()
    await asyncio.gather(drained, forced, return_exceptions=True)
    if drained.cancelled():
        await service.drain(0)  # the calls end before their listeners do, so they know why
    elif drained.exception() is None and drained.result():
        watch(f"{drained.result()} calls did not end in time and were hung up")


class _Stop:
    """SIGINT and SIGTERM. asked: the first came; forced: another one."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.forced = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signal)

    def _signal(self) -> None:
        if self.asked.is_set():
            self.forced.set()
        self.asked.set()


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
        language=options.language,
        voice=options.voice,
        hold_music=options.hold_music,
        records_url=options.records_url,
        max_calls=options.max_calls,
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
    tls: TlsFiles | None = TlsFiles(folder / "cert.pem", folder / "key.pem")
    if options.plain_network and options.tls is None:
        tls = None
    elif options.tls is None and not (folder / "cert.pem").exists():
        tls = make_self_signed(folder)
    project = Project(options.project, (Token.plain(token),))
    return ControlConfig(
        (project,),
        host=host,
        port=port,
        tls=tls,
        plain_network=options.plain_network,
        jwt_secret=options.jwt_secret,
        origins=options.origins,
    )


def _announce(
    options: ServeOptions, service: Service, house: GatewayHouse, token: str, watch: Watch
) -> None:
    if options.document is not None:
        watch(f"calls get {strip_credentials(options.document)}")
    if service.control is not None:
        host, port = service.control.address
        scheme = "ws" if options.plain_network and options.tls is None else "wss"
        cert = (options.tls or options.records / "tls") / "cert.pem"
        watch(f"controllers: {scheme}://{host}:{port}, context {options.context!r}")
        watch(f"  export SIGNALWIRE_SPACE={host}:{port} SIGNALWIRE_RELAY_CA_FILE={cert}")
        if not options.token and not os.environ.get(TOKEN_ENV):
            watch(f"  export SIGNALWIRE_PROJECT_ID={options.project} SIGNALWIRE_API_TOKEN={token}")
    for line in house.announcement():
        watch(line)
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
