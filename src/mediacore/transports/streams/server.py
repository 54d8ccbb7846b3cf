"""The stream server: one aiohttp application, a path per endpoint.

handshake: limits, Origin, proof of the provider ─► upgrade ─► connection ─► line ─► on_incoming
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from aiohttp import hdrs, web

from mediacore._core import Engine
from mediacore.errors import ConfigError
from mediacore.media import LegConfig
from mediacore.slots.gateway import FarLine
from mediacore.transports.pump import StreamPump
from mediacore.transports.streams.auth import Handshake, admitted
from mediacore.transports.streams.config import StreamConfig, StreamEndpoint
from mediacore.transports.streams.connection import StreamConnection, Surroundings
from mediacore.transports.streams.handshake import Wire, serve
from mediacore.transports.streams.line import Media, StreamLine
from mediacore.transports.streams.stats import Counters, StreamStats
from mediacore.wire.streams.catalog import DIALECTS
from mediacore.wire.streams.fields import parameters_of, party_numbers
from mediacore.wire.streams.model import Opened

log = logging.getLogger("mediacore.streams")
_GOING_AWAY = 1001
_TOKEN = "token"
_RETRY_AFTER_S = "5"


class _Owner:
    """Makes the line of a connection. query: parameters of its URL, what the provider says besides
    comes first."""

    def __init__(
        self, server: StreamServer, endpoint: StreamEndpoint, peer: str, query: Mapping[str, str]
    ) -> None:
        self._server = server
        self._endpoint = endpoint
        self._peer = peer
        self._query = query
        self._line: StreamLine | None = None

    def opened(self, connection: StreamConnection, opened: Opened) -> None:
        """Hand the call to the host."""
        ahead_ms = self._endpoint.ahead_ms
        caller, called = party_numbers(self._query)
        opened = replace(
            opened,
            from_number=opened.from_number or caller,
            to_number=opened.to_number or called,
            headers={**self._query, **opened.headers},
        )
        self._line = line = StreamLine(
            connection, opened, self._server.media, ahead_ms=ahead_ms, peer=self._peer
        )
        self._server.ring(line)

    def over(self, connection: StreamConnection) -> None:
        """The connection is gone."""
        self._server.forget(connection)
        if self._line is not None:
            self._line.release()
            self._server.calls -= 1


class StreamServer:
    """Serves providers until `aclose`. leg: template of the calls' legs. on_incoming: gets each
    call's line. seed: unpredictable numbers. clock: monotonic microseconds. wallclock: UTC
    seconds, for tokens that expire. One event loop."""

    def __init__(
        self,
        config: StreamConfig,
        engine: Engine,
        leg: LegConfig,
        pump: StreamPump,
        *,
        on_incoming: Callable[[FarLine], None],
        seed: Callable[[], int],
        clock: Callable[[], int],
        wallclock: Callable[[], float] = time.time,
    ) -> None:
        self.media = Media(engine, pump, leg, seed)
        self.calls = 0
        self._config = config
        self._on_incoming = on_incoming
        self._wallclock = wallclock
        self._counters = Counters()
        self._around = Surroundings(config.limits, self._counters, clock)
        self._connections: set[StreamConnection] = set()
        self._runner: web.AppRunner | None = None
        self._address: tuple[str, int] | None = None
        self._draining = False

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the server listens on. Raises RuntimeError before `start`."""
        if self._address is None:
            raise RuntimeError("the stream server is not started")
        return self._address

    def snapshot(self) -> StreamStats:
        """Counters and what there is now."""
        return self._counters.snapshot(len(self._connections), self.calls)

    async def start(self) -> None:
        """Listen. Raises ConfigError when the address or the certificate is not usable."""
        config = self._config
        context = _tls(config)
        app = web.Application()
        for endpoint in config.endpoints:
            handler = self._handler(endpoint)
            app.router.add_get(endpoint.route, handler)
            app.router.add_get(f"{endpoint.route}/", handler)
            app.router.add_get(f"{endpoint.route}/{{{_TOKEN}}}", handler)
        # A connection that sends no request is dropped after the keep-alive time.
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=1.0,
            keepalive_timeout=config.limits.start_ms / 1000,
        )
        await runner.setup()
        site = web.TCPSite(runner, config.host, config.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            where = f"{config.host}:{config.port}"
            raise ConfigError(f"cannot listen on {where}: {error.strerror}") from None
        self._runner = runner
        self._address = (runner.addresses[0][0], runner.addresses[0][1])

    def drain(self) -> None:
        """Refuse new streams from now on; running ones go on."""
        self._draining = True

    async def aclose(self) -> None:
        """Close all streams and stop. Idempotent."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        self._draining = True
        for connection in tuple(self._connections):
            connection.go_away(_GOING_AWAY)
        waits = [asyncio.ensure_future(each.wait_over()) for each in self._connections]
        if waits:
            await asyncio.wait(waits, timeout=2 * self._config.limits.linger_ms / 1000)
            for wait in waits:
                wait.cancel()
        await runner.cleanup()

    def ring(self, line: StreamLine) -> None:
        """A call is there."""
        self.calls += 1
        self._on_incoming(line)

    def forget(self, connection: StreamConnection) -> None:
        """It is gone."""
        self._connections.discard(connection)

    def _handler(
        self, endpoint: StreamEndpoint
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        make = DIALECTS[endpoint.dialect]

        async def handle(request: web.Request) -> web.StreamResponse:
            self._admit(endpoint, request)
            dialect = make(endpoint.options)
            asked = {name: each for name, each in request.query.items() if name != _TOKEN}
            owner = _Owner(self, endpoint, request.remote or "", parameters_of(asked))

            def session(wire: Wire) -> StreamConnection:
                connection = StreamConnection(wire, dialect, self._around, owner)
                self._connections.add(connection)
                return connection

            try:
                return await serve(request, dialect.traits.subprotocols, session)
            except web.HTTPError:
                self._counters.count("refused_handshake")
                raise

        return handle

    def _admit(self, endpoint: StreamEndpoint, request: web.Request) -> None:
        """Raises an HTTP error for whom is not let in."""
        origin = request.headers.get(hdrs.ORIGIN)
        if self._draining:
            self._refuse("refused_draining", web.HTTPServiceUnavailable)
        if origin is not None and origin not in endpoint.origins:
            self._refuse("refused_origin", web.HTTPForbidden)
        token = request.match_info.get(_TOKEN, "")
        if endpoint.auth:
            shake = Handshake(
                request.raw_path,
                token,
                request.query,
                {name.lower(): value for name, value in request.headers.items()},
                endpoint.public_url,
                self._wallclock(),
            )
            if not admitted(endpoint.auth, shake):
                self._refuse("refused_auth", web.HTTPUnauthorized)
        if len(self._connections) >= self._config.limits.connections:
            self._refuse("refused_full", web.HTTPServiceUnavailable)

    def _refuse(self, counter: str, error: type[web.HTTPError]) -> None:
        self._counters.count(counter)
        busy = error is web.HTTPServiceUnavailable
        raise error(headers={hdrs.RETRY_AFTER: _RETRY_AFTER_S} if busy else None)


def _tls(config: StreamConfig) -> ssl.SSLContext | None:
    if config.tls_cert is None or config.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key)
    except (OSError, ssl.SSLError):
        raise ConfigError(f"{config.tls_cert} and {config.tls_key} are no usable pair") from None
    return context
