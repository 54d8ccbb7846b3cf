"""Settings of the AudioSocket server."""

from __future__ import annotations

from dataclasses import dataclass

from mediacore.errors import ConfigError
from mediacore.transports.asterisk.uuids import parse_uuids
from mediacore.transports.networks import LOOPBACK, everybody, parse_networks


@dataclass(frozen=True, slots=True)
class AudioSocketConfig:
    """Where Asterisk connects with AudioSocket. Raises ConfigError when it cannot work.

    host, port: where to listen; port 0 = any. expected: addresses and networks that may connect,
    the protocol has no authentication. uuids: ids of calls that are taken; empty = every id.
    srate_hz: rate of calls whose first audio does not come in time. max_connections: at once.
    identify_ms: in which the id has to come. first_audio_ms: in which the first audio has to come.
    idle_ms: silence on the connection after which the far side is taken to be gone; 0 = never.
    backlog_ms: audio that waits for a far side that does not read, the rest is dropped.
    """

    host: str = "127.0.0.1"
    port: int = 9092
    expected: tuple[str, ...] = LOOPBACK
    uuids: tuple[str, ...] = ()
    srate_hz: int = 8000
    max_connections: int = 256
    identify_ms: int = 2_000
    first_audio_ms: int = 500
    idle_ms: int = 30_000
    backlog_ms: int = 500

    def __post_init__(self) -> None:
        parse_networks(self.expected)
        parse_uuids(self.uuids)
        if not 0 <= self.port <= 65535:
            raise ConfigError("port must be 0 to 65535")
        if self.srate_hz not in (8000, 16000, 24000, 48000):
            raise ConfigError("srate_hz must be 8000, 16000, 24000 or 48000")
        for name in ("max_connections", "identify_ms", "first_audio_ms", "backlog_ms"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0")
        if self.idle_ms < 0:
            raise ConfigError("idle_ms must not be below 0")

    @property
    def authenticated(self) -> bool:
        """Whether not just anybody who reaches the port gets through."""
        return bool(self.uuids) or not everybody(parse_networks(self.expected))
