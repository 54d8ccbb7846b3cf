"""A process that runs calls by documents and controllers: everything put together.

service = Service(config)
hub = service.open_hub()  # gateways open their legs on its engine
service.use_gateway(gateway)
async with service:
    gateway.on_incoming(service.host.incoming)
    await stop.wait()
    await service.drain(30)
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from mediacore import _core
from mediacore.app_worker import DELIVERY_RULES, handlers
from mediacore.assistant.params import known_params
from mediacore.call.record import CallRecord
from mediacore.control import ControlConfig, ControlServer
from mediacore.errors import ConfigError, ProviderError
from mediacore.flow.document import Document, load_document, requires_model
from mediacore.flow.script import QuickJs
from mediacore.flow.source import MAX_BYTES, read_source
from mediacore.media import LegConfig, Tap
from mediacore.observe.decisions import DecisionLog, DecisionRules
from mediacore.policy.budget import Budget
from mediacore.policy.prices import PriceBook
from mediacore.policy.spend import SpendStore
from mediacore.recording import WavSink
from mediacore.runtime.actions import PlayItem
from mediacore.runtime.commands import COMMANDS
from mediacore.runtime.documents import go_on_with
from mediacore.runtime.settings import Money, RunSettings
from mediacore.session.aftercall import AfterCall
from mediacore.session.host import Host
from mediacore.session.hub import MediaHub
from mediacore.session.services import Services
from mediacore.session.sounds import Sounds
from mediacore.session.wsfork import Format, WsFork
from mediacore.slots.driver import LlmDriver, SttDriver, TtsDriver
from mediacore.slots.gateway import Gateway
from mediacore.slots.llm import Llm
from mediacore.slots.stt import Stt
from mediacore.slots.tts import Tts
from mediacore.store.journal import Journal, recover
from mediacore.store.queue import SqliteQueue
from mediacore.store.records import StoreError, write_atomic, write_record
from mediacore.store.worker import work
from mediacore.web.client import HttpRequest, SafeClient
from mediacore.web.guard import TargetGuard
from mediacore.web.tools import classify
from mediacore.web.url import loggable

log = logging.getLogger("mediacore.service")
_TAP_MS: Final = 1500
_SOUND_BYTES: Final = 16 << 20
_SOUND_MS: Final = 20_000
LINE_LEG: Final = LegConfig(
    taps=Tap.RX | Tap.RECORD | Tap.NOTES,
    tap_ms=_TAP_MS,
    bed=True,
    detect_dtmf=True,
    detect_tones=0xE0,  # fax CNG and CED, voicemail beep
    media_first_ms=30_000,
    media_lost_ms=5_000,
    media_hold_ms=3_600_000,
)
"""What a gateway's legs need for a call to be run on them."""


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """How a process runs calls.

    document: file or URL that incoming calls get; None = they wait for controllers of `context`.
    llm: models in order of preference; empty = documents with `ai` are refused. allow, hosts: see
    SafeClient. budget: of every call. prices, day_cap_micros, campaign, spend: money. queue: file
    of work after calls. records_url: where the files below `records` can be had, "" = file: URLs;
    nothing here serves them. documents are refused for what is not supported when `strict`.
    """

    stt: tuple[Stt, ...]
    tts: tuple[Tts, ...]
    llm: tuple[Llm, ...] = ()
    document: str | None = None
    strict: bool = False
    records: Path = Path("calls")
    sounds: Path | None = None
    control: ControlConfig | None = None
    project: str = ""
    context: str = "office"
    envs: Mapping[str, object] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)
    document_secret: str = field(default="", repr=False)
    records_url: str = ""
    budget: Budget = field(default_factory=Budget)
    prices: PriceBook | None = None
    campaign: str = ""
    day_cap_micros: int = 0
    spend: SpendStore | None = None
    queue: Path | None = None
    language: str = "en-US"
    voice: str = ""
    hold_music: str = ""
    log_content: bool = False
    max_calls: int = 256
    settings: Callable[[RunSettings], RunSettings] = lambda settings: settings


class Service:
    """Runs until its context is left; then every call is hung up and its record written."""

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._document = self._load(config)
        self._stack = AsyncExitStack()
        self.hub: MediaHub
        self.host: Host
        self.control: ControlServer | None = None
        self._gateway: Gateway | None = None
        self._on_record: list[Callable[[CallRecord], None]] = []

    def _load(self, config: ServiceConfig) -> Document | None:
        """The document, refused now rather than in a call when it cannot run here."""
        where = config.document
        if where is None:
            return None
        if where.startswith(("http://", "https://")):
            return self._served(where)
        with Path(where).open("rb") as file:
            source = read_source(file.read(MAX_BYTES + 1), where)
        document = load_document(source, strict=config.strict, ai_params=known_params())
        wants = requires_model(document)
        if wants is not None and not config.llm:
            raise ConfigError(
                f"{where}:{wants.place.line}: `ai` needs a language model; add "
                "--llm openai:MODEL@URL, --llm tiny, or --llm scripted:FILE"
            )
        return document

    def _served(self, url: str) -> Document:
        """Goes on with the document at a URL; without one the caller is told, not left ringing."""
        sorry = self._settings().talk.lines.failure_goodbye
        return go_on_with(url, sorry, "served")

    def open_hub(self) -> MediaHub:
        """The media thread; gateways open their legs on its engine. Before entering."""
        calls = self._config.max_calls
        self.hub = MediaHub(_core.Engine(max_legs=4 * calls, max_bridges=calls))
        return self.hub

    def use_gateway(self, gateway: Gateway) -> None:
        """Where calls are dialled. Before entering."""
        self._gateway = gateway

    def on_record(self, handler: Callable[[CallRecord], None]) -> None:
        """Call `handler` with every record."""
        self._on_record.append(handler)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def _open(self, stack: AsyncExitStack) -> None:
        config = self._config
        if not hasattr(self, "hub"):
            self.open_hub()
        self.hub.start()
        stack.callback(self.hub.engine.close)
        stack.callback(self.hub.stop)
        client = SafeClient(allow=config.allow, hosts=config.hosts)
        stack.push_async_callback(client.aclose)
        guard = TargetGuard(config.allow, config.hosts)
        tts = TtsDriver(config.tts, _core.now_us)
        llm = LlmDriver(config.llm, _core.now_us) if config.llm else None

        async def fetch(url: str) -> bytes:
            return await _fetch_sound(client, url)

        def connect(uri: str, form: Format, bearer_token: str) -> WsFork:
            return WsFork(uri, form, bearer_token, lambda timeout: guard.session(uri, timeout))

        services = Services(
            self.hub,
            self._settings(),
            SttDriver(config.stt, _core.now_us),
            tts,
            llm,
            Sounds(tts, fetch, sounds_dir=config.sounds, language=config.language),
            client,
            _core.now_us,
            lambda: datetime.now(UTC),
            lambda: str(uuid.uuid4()),
            lambda: secrets.randbits(63),
            config.records,
            gateway=self._gateway,
            spend=config.spend,
            campaign=config.campaign,
            document_secret=config.document_secret,
            link=self._link,
            resolve=guard.address,
            connect=connect,
        )
        await self._recover()
        journal = await asyncio.to_thread(Journal, config.records)
        stack.push_async_callback(asyncio.to_thread, journal.close)
        after = await self._after(stack, client, llm)
        self.host = await stack.enter_async_context(
            Host(
                services,
                document=lambda far: self._document,
                max_calls=config.max_calls,
                decisions=self._decisions,
                after=after,
                stored=_store,
                open_audio=WavSink,
                on_record=self._recorded,
                journal=journal.note,
            )
        )
        if config.control is not None:
            control = replace(config.control, commands=frozenset(COMMANDS) | {"dial"})
            server = ControlServer(
                control, self.host, _core.now_us, lambda: secrets.token_hex(16), time.time
            )
            await server.start()
            stack.push_async_callback(server.aclose)
            self.control = server

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def drain(self, limit_s: float) -> int:
        """Before a planned end: no new calls, and time for those that run. What is left after
        `limit_s` is hung up with the reason "shutdown"; returns how many calls that were."""
        return await self.host.drain(limit_s)

    async def _recover(self) -> None:
        """Records for calls that a killed process left open."""
        found = await asyncio.to_thread(recover, self._config.records)
        if found:
            log.warning("calls of a dead process", extra={"calls": len(found)})

    def _link(self, path: Path) -> str:
        """Where a recording can be had."""
        base = self._config.records_url
        if not base:
            return path.resolve().as_uri()
        return f"{base.rstrip('/')}/{quote(path.relative_to(self._config.records).as_posix())}"

    def _settings(self) -> RunSettings:
        config = self._config
        names = {
            "stt": config.stt[0].info.name,
            "tts": config.tts[0].info.name,
            "llm": config.llm[0].info.name if config.llm else "",
        }
        money = Money(config.prices, names, config.day_cap_micros)
        settings = RunSettings(
            QuickJs(),
            has_model=bool(config.llm),
            project=config.project,
            context=config.context,
            envs=config.envs,
            language=config.language,
            voice=config.voice,
            budget=config.budget,
            money=money,
            hold_music=(PlayItem("audio", config.hold_music),) if config.hold_music else (),
        )
        return config.settings(settings)

    def _decisions(self, call_id: str) -> DecisionLog:
        return DecisionLog(call_id, DecisionRules(content=self._config.log_content))

    async def _after(
        self, stack: AsyncExitStack, client: SafeClient, llm: LlmDriver | None
    ) -> AfterCall:
        """What happens after calls; with a queue it survives this process."""
        config = self._config
        queue: SqliteQueue | None = None
        if config.queue is not None:
            queue = SqliteQueue(config.queue, lambda: time.time_ns() // 1_000_000, DELIVERY_RULES)
            stack.push_async_callback(queue.close)
            stop = asyncio.Event()
            task = asyncio.create_task(work(queue, handlers(client, queue, llm), stop))

            async def finish() -> None:
                stop.set()
                await task

            stack.push_async_callback(finish)

        def keep(call_id: str, name: str, data: bytes) -> None:
            write_atomic(config.records / call_id / name, data)

        after = AfterCall(client, queue, extract=queue is not None and llm is not None, keep=keep)
        return await stack.enter_async_context(after)

    def _recorded(self, record: CallRecord) -> None:
        for handler in self._on_record:
            handler(record)


async def _fetch_sound(client: SafeClient, url: str) -> bytes:
    """The body of a URL. Raises ProviderError with the class of what went wrong."""
    reply = await client.send(
        HttpRequest("GET", url, total_ms=_SOUND_MS, max_bytes=_SOUND_BYTES, redirects=2)
    )
    error = reply.error or ("" if reply.status == HTTPStatus.OK else f"http_{reply.status}")
    if error:
        raise ProviderError(classify(error, reply.status), f"{loggable(url)}: {error}", "http")
    return reply.body


def _store(record: CallRecord, directory: Path) -> None:
    try:
        write_record(record, directory)
    except StoreError:
        log.error("record not stored", extra={"call": record.call_id})
