"""How many new requests one source may begin, and how many refusals it gets (RFC 5390's lesson:
answering everybody is what makes an overload worse)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from mediacore.errors import ConfigError
from mediacore.wire.bucket import TokenBucket


class Verdict(Enum):
    """What becomes of a request."""

    ADMIT = auto()
    REFUSE = auto()
    """503, once."""
    DROP = auto()
    """Nothing goes out."""


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """per_s, burst: new transactions of one source address. refusals_per_s: 503s that one source
    gets beyond that; the rest is dropped. sources: addresses remembered at once; when all of them
    are busy, a new one is refused. unlimited: addresses of trusted peers (a proxy in front)."""

    per_s: int = 100
    burst: int = 200
    refusals_per_s: int = 5
    sources: int = 10_000
    unlimited: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in ("per_s", "burst", "refusals_per_s", "sources"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0")


class Admission:
    """Token buckets by source address. O(1) but for a sweep when the table is full."""

    __slots__ = ("_limits", "_sources", "_swept_ms")

    def __init__(self, limits: AdmissionLimits) -> None:
        self._limits = limits
        self._sources: dict[str, tuple[TokenBucket, TokenBucket]] = {}
        self._swept_ms = -1_000_000

    def __len__(self) -> int:
        return len(self._sources)

    def admit(self, now_ms: int, source: str) -> Verdict:
        """Judge one new request of a source."""
        if source in self._limits.unlimited:
            return Verdict.ADMIT
        buckets = self._sources.get(source) or self._remember(now_ms, source)
        if buckets is None:
            return Verdict.DROP
        now_us = now_ms * 1000
        if buckets[0].take(now_us):
            return Verdict.ADMIT
        return Verdict.REFUSE if buckets[1].take(now_us) else Verdict.DROP

    def _remember(self, now_ms: int, source: str) -> tuple[TokenBucket, TokenBucket] | None:
        limits = self._limits
        now_us = now_ms * 1000
        if len(self._sources) >= limits.sources:
            if now_ms - self._swept_ms < 1000:
                return None
            self._swept_ms = now_ms
            self._sources = {
                name: both for name, both in self._sources.items() if not both[0].full(now_us)
            }
            if len(self._sources) >= limits.sources:
                return None
        made = (
            TokenBucket(limits.per_s, limits.burst, now_us),
            TokenBucket(limits.refusals_per_s, limits.refusals_per_s, now_us),
        )
        self._sources[source] = made
        return made
