"""Settings and figures of the transaction layer."""

from __future__ import annotations

from dataclasses import dataclass, field

from mediacore.errors import ConfigError
from mediacore.wire.sip.admission import AdmissionLimits
from mediacore.wire.sip.machines import Times


@dataclass(frozen=True, slots=True)
class TransactionConfig:
    """times: T1, T2, T4. max_transactions: of both sides together. trying: an INVITE gets its 100
    at once. retry_after_s: what a 503 says. server: text of the header Server, "" = none."""

    times: Times = field(default_factory=Times)
    max_transactions: int = 16_384
    trying: bool = True
    retry_after_s: int = 5
    server: str = ""
    admission: AdmissionLimits = field(default_factory=AdmissionLimits)

    def __post_init__(self) -> None:
        if self.max_transactions <= 0 or min(self.times.t1, self.times.t2, self.times.t4) <= 0:
            raise ConfigError("max_transactions and the times of SIP must be above 0")


@dataclass(slots=True)
class Counters:
    """What has happened so far."""

    requests: int = 0
    responses: int = 0
    absorbed: int = 0
    repeated: int = 0
    refused: int = 0
    dropped: int = 0
    malformed: int = 0
    merged: int = 0
    full: int = 0
    stray_responses: int = 0
    stray_cancels: int = 0
    abandoned: int = 0
    timed_out: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class TransactionStats:
    """requests, responses: taken in. absorbed: came again. repeated: sent again. refused: answered
    here with 4xx-5xx. dropped: flood, not answered. malformed: unanswerable. merged: 482. full:
    the table was. stray: matched nothing. abandoned: never answered by our own side. timed_out,
    failed: of either side. clients, servers: transactions now. sources: addresses watched."""

    counters: Counters
    clients: int
    servers: int
    sources: int
    timers: int
