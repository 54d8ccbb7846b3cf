"""The control server: WebSockets of controllers, with TLS, over the calls of this process.

`GET /` upgrades to the control protocol, `GET /healthz` says how the server is. One event loop.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable

from aiohttp import web

from mediacore.control.config import ControlConfig, TlsFiles
from mediacore.control.dispatch import Dispatcher, Sources
from mediacore.control.port import WebSocketPort
from mediacore.control.stats import ControlSnapshot
from mediacore.errors import ConfigError
from mediacore.runtime.ports import CallHost
from mediacore.wire.bucket import TokenBucket

_MAX_ADDRESSES = 1024
_DRAIN_POLL_S = 0.02


class ControlServer:
    """Serves controllers until `aclose`. ids: unique names; clock_us: monotonic.

    A client that is slow, silent or floods loses its session; the calls are never touched by it.
    """

    def __init__(
        self,
        config: ControlConfig,
        host: CallHost,
        clock_us: Callable[[], int],
        ids: Callable[[], str],
        wallclock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._host = host
        self._clock_us = clock_us
        self._ids = ids
        self._wallclock = wallclock
        self._gate = _AddressGate(config.server.accepts_per_s, config.server.accept_burst)
        self._dispatcher: Dispatcher | None = None
        self._runner: web.AppRunner | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._ports: set[asyncio.Event] = set()
        self._address: tuple[str, int] | None = None
        self._draining = False

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the server listens on. Raises RuntimeError before `start`."""
        if self._address is None:
            raise RuntimeError("the control server is not started")
        return self._address

    @property
    def node_id(self) -> str:
        """The name of this process in events."""
        return self._running().node_id

    def snapshot(self) -> ControlSnapshot:
        """Counters and what there is now."""
        return self._running().snapshot()

    async def start(self) -> None:
        """Listen. Raises ConfigError when the address or the certificate is not usable."""
        loop = asyncio.get_running_loop()
        context = None if self._config.tls is None else _tls(self._config.tls)
        sources = Sources(
            clock_us=self._clock_us,
            wallclock=self._wallclock,
            ids=self._ids,
            secret=lambda: secrets.token_urlsafe(32),
            defer=loop.call_soon,
        )
        dispatcher = Dispatcher(self._config, self._host, sources)
        app = web.Application()
        app.router.add_get("/", self._serve)
        app.router.add_get("/healthz", self._health)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, self._config.host, self._config.port, ssl_context=context)
        self._dispatcher = dispatcher
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            where = f"{self._config.host}:{self._config.port}"
            raise ConfigError(f"cannot listen on {where}: {error.strerror}") from None
        self._runner = runner
        self._address = (runner.addresses[0][0], runner.addresses[0][1])
        self._unsubscribe = self._host.subscribe(dispatcher.deliver)
        self._sweeper = loop.create_task(self._sweep())

    async def aclose(self) -> None:
        """Tell the clients to come back later, wait a little for them, and stop. Idempotent."""
        runner, self._runner = self._runner, None
        if runner is None or self._dispatcher is None:
            return
        self._draining = True
        self._dispatcher.drain()
        deadline_us = self._clock_us() + self._config.server.drain_us
        # The dispatcher knows no loop, hence no event to wait for.
        while not self._dispatcher.drained and self._clock_us() < deadline_us:  # noqa: ASYNC110
            await asyncio.sleep(_DRAIN_POLL_S)
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait({self._sweeper})
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._dispatcher.shut()
        for over in tuple(self._ports):
            await over.wait()
        await runner.cleanup()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._config.server.sweep_us / 1e6)
            self._running().sweep()

    async def _health(self, _request: web.Request) -> web.Response:
        counts = self.snapshot()
        body = {
            "status": "draining" if self._draining else "ok",
            "connections": counts.connections,
            "sessions": counts.sessions,
        }
        return web.json_response(body, status=503 if self._draining else 200)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        dispatcher = self._running()
        refusal = self._refusal(request, dispatcher)
        if refusal is not None:
            dispatcher.refused()
            return refusal
        limits = self._config.limits
        socket = web.WebSocketResponse(
            max_msg_size=limits.message_bytes, compress=False, timeout=_linger_s(self._config)
        )
        if not socket.can_prepare(request).ok:
            return web.Response(status=426, text="a WebSocket is expected\n")
        await socket.prepare(request)
        port = WebSocketPort(request, socket, limits.backlog_bytes, _linger_s(self._config))
        peer = dispatcher.open(port)
        over = asyncio.Event()
        self._ports.add(over)
        try:
            await port.run(lambda data: dispatcher.received(peer, data))
        finally:
            dispatcher.lost(peer)
            self._ports.discard(over)
            over.set()
        return socket

    def _refusal(self, request: web.Request, dispatcher: Dispatcher) -> web.Response | None:
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self._config.origins:
            return web.Response(status=403, text="this origin may not connect\n")
        if not self._gate.admits(request.remote or "", self._clock_us()):
            return web.Response(status=429, text="too many connections from this address\n")
        full = dispatcher.connections >= self._config.server.connections
        if self._draining or full:
            return web.Response(status=503, text="no room for another connection\n")
        return None

    def _running(self) -> Dispatcher:
        if self._dispatcher is None:
            raise RuntimeError("the control server is not started")
        return self._dispatcher


class _AddressGate:
    """How often one address may connect; remembers the last thousand addresses."""

    def __init__(self, per_s: int, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def admits(self, address: str, now_us: int) -> bool:
        """Whether another connection of this address is taken now."""
        bucket = self._buckets.pop(address, None)
        if bucket is None:
            bucket = TokenBucket(self._per_s, self._burst, now_us)
        self._buckets[address] = bucket
        if len(self._buckets) > _MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        return bucket.take(now_us)


def _linger_s(config: ControlConfig) -> float:
    return config.server.linger_us / 1e6


def _tls(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.cert, files.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"certificate {files.cert} with key {files.key}: {error}") from None
    return context
