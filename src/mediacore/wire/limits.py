"""Caps of one connection and one session. Times in µs."""

from __future__ import annotations

from dataclasses import dataclass

from mediacore.errors import ConfigError

S = 1_000_000
MAX_MESSAGE_BYTES = 10 << 20


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """What one client may use. Exceeding a cap ends that client's session, never a call.

    message_bytes: longest message taken from a client. auth_within_us: a socket that has not
    authenticated by then is closed. ping_every_us / pong_within_us: our pings, and how long an
    unanswered one is tolerated. answer_within_us: when the host has not answered by then, "504"
    (clients give up, and drop the socket, at 10 s). keep_us: how long a session outlives its
    connection. unacked_events, unacked_bytes: events that wait for their acknowledgement.
    backlog_bytes: unsent bytes of one socket. requests_per_s, request_burst: token bucket.
    open_requests: commands without an answer yet.
    """

    message_bytes: int = 64 << 10
    auth_within_us: int = 10 * S
    ping_every_us: int = 10 * S
    pong_within_us: int = 20 * S
    answer_within_us: int = 8 * S
    keep_us: int = 60 * S
    unacked_events: int = 1000
    unacked_bytes: int = 4 << 20
    backlog_bytes: int = 8 << 20
    requests_per_s: int = 200
    request_burst: int = 400
    open_requests: int = 256
    contexts: int = 64
    context_chars: int = 128

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0")
        if self.message_bytes > MAX_MESSAGE_BYTES:
            raise ConfigError(f"message_bytes must be at most {MAX_MESSAGE_BYTES}")
        if self.backlog_bytes < self.unacked_bytes:
            raise ConfigError("backlog_bytes must be at least unacked_bytes: a resume sends all")
