"""AudioSocket of Asterisk: it connects by TCP, says which call it is, and sends audio.

Asterisk ── connect, id ──► expected address? expected id? ──► FarLine ──► on_incoming
         ── audio ────────► Leg.push_media        Leg.pull_media ── one frame per 20 ms ──► audio

Asterisk plays what it gets as it gets it, so the core's clock paces and nothing is sent ahead: a
cut takes effect with the next frame, and what was heard is known exactly. The rate of a call is
the one of its first audio; rates without a leg of their own are resampled. Silence is sent while
nobody speaks, so that the RTP of the far side does not stop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mediacore._core import Engine
from mediacore.errors import ConfigError
from mediacore.media import LegConfig
from mediacore.slots.gateway import FarLine
from mediacore.transports.asterisk.config import AudioSocketConfig
from mediacore.transports.asterisk.connection import Connection, ConnectionLimits, Counters, Pump
from mediacore.transports.asterisk.uuids import UuidBook, parse_uuids
from mediacore.transports.networks import is_expected, parse_networks

log = logging.getLogger("mediacore.transports.audiosocket")
_BACKLOG: Final = 64


@dataclass(frozen=True, slots=True)
class AudioSocketStats:
    """connections, calls: open now, and taken since the start. refused_*: connections turned away
    for their address, want of room, an unknown or missing id, a drain. broken: streams that were
    no AudioSocket. malformed, unknown: messages skipped. wrong_rate: messages at another rate than
    the call's. peer_errors: told by the far side. unheard_ms: audio that came without a leg or too
    fast. dropped_ms: audio that the far side did not read. idle: calls that fell silent."""

    connections: int
    calls: int
    refused_address: int
    refused_full: int
    refused_id: int
    refused_draining: int
    broken: int
    malformed: int
    unknown: int
    wrong_rate: int
    peer_errors: int
    unheard_ms: int
    dropped_ms: int
    idle: int


class AudioSocketServer:
    """Listens for Asterisk. on_incoming: called on the loop with each line. seed: a new number for
    each leg. book: ids that are expected, when not the configured ones."""

    def __init__(
        self,
        config: AudioSocketConfig,
        engine: Engine,
        leg: LegConfig,
        *,
        pump: Pump,
        on_incoming: Callable[[FarLine], None],
        seed: Callable[[], int],
        clock_us: Callable[[], int],
        book: UuidBook | None = None,
    ) -> None:
        self._config = config
        self._engine = engine
        self._leg = leg
        self._pump = pump
        self._on_incoming = on_incoming
        self._seed = seed
        self._expected = parse_networks(config.expected)
        self._book = book or UuidBook(
            parse_uuids(config.uuids), open_to_all=not config.uuids, clock_us=clock_us
        )
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._counters = Counters()
        self._draining = False

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are listened on. Raises RuntimeError before `start`."""
        if self._server is None or not self._server.sockets:
            raise RuntimeError("the AudioSocket server is not started")
        name = self._server.sockets[0].getsockname()
        return name[0], name[1]

    @property
    def book(self) -> UuidBook:
        """Ids that are expected."""
        return self._book

    async def start(self) -> None:
        """Listen. Raises ConfigError."""
        config = self._config
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._accept, config.host, config.port, backlog=_BACKLOG
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(
                f"cannot listen on {config.host}:{config.port} for AudioSocket: {reason}"
            ) from None

    def drain(self) -> None:
        """No new calls from now on."""
        self._draining = True

    async def aclose(self) -> None:
        """Stop listening and end every call. Idempotent."""
        self._draining = True
        server, self._server = self._server, None
        if server is not None:
            server.close()
        closing = [connection.shut() for connection in tuple(self._connections)]
        if closing:
            await asyncio.wait([asyncio.ensure_future(each) for each in closing], timeout=2)
        for connection in tuple(self._connections):
            connection.abort()
        if server is not None:
            await server.wait_closed()

    def snapshot(self) -> AudioSocketStats:
        """Counters."""
        counters = self._counters
        return AudioSocketStats(
            connections=len(self._connections),
            calls=counters.calls,
            refused_address=counters.refused_address,
            refused_full=counters.refused_full,
            refused_id=counters.refused_id,
            refused_draining=counters.refused_draining,
            broken=counters.broken,
            malformed=counters.malformed,
            unknown=counters.unknown,
            wrong_rate=counters.wrong_rate,
            peer_errors=counters.peer_errors,
            unheard_ms=counters.unheard_us // 1000,
            dropped_ms=counters.dropped_us // 1000,
            idle=counters.idle,
        )

    def _accept(self) -> Connection:
        config = self._config
        limits = ConnectionLimits(
            config.srate_hz,
            config.identify_ms,
            config.first_audio_ms,
            config.idle_ms,
            config.backlog_ms,
        )
        return Connection(
            limits,
            self._counters,
            admit=self._admit,
            identified=self._on_incoming,
            over=self._connections.discard,
            allow=self._allow,
            open_leg=self._engine.open_leg,
            leg=self._leg,
            pump=self._pump,
            seed=self._seed,
        )

    def _allow(self, connection: Connection, host: str) -> bool:
        """Whether a new connection may stay; counted when not."""
        if not is_expected(host, self._expected):
            self._counters.refused_address += 1
            log.warning("AudioSocket refused", extra={"verdict": "address"})
            return False
        if len(self._connections) >= self._config.max_connections:
            self._counters.refused_full += 1
            return False
        self._connections.add(connection)
        return True

    def _admit(self, connection: Connection) -> bool:
        """Whether the call with this id is taken; counted when not."""
        if self._draining:
            self._counters.refused_draining += 1
            return False
        headers = self._book.admit(connection.uuid)
        if headers is None:
            self._counters.refused_id += 1
            log.warning("AudioSocket refused", extra={"verdict": "id"})
            return False
        connection.headers = headers
        return True
