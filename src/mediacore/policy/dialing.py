"""Who may be called, and how often: the gate before every call that leaves the machine.

What does it do? `DialGate.admit` says yes or why not. Nothing is allowed until a policy allows it;
premium numbers are refused even then, unless they are wanted expressly.

How does it work? A number is refused when it begins like one of `deny`, or costs extra; it is
allowed when it begins like one of `allow`, or belongs to one of `countries`. A SIP address needs
its host in `hosts`; when its user is a number, it has to pass as a number too, so that a trunk is
no way around. Then come the limits: calls at a time, calls in any hour, of all and of a campaign.

How do I use it? refusal = gate.admit(to, campaign, now) … gate.ended(campaign) once it is over.

`now` is monotonic microseconds.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from mediacore.errors import ConfigError
from mediacore.policy.numbering import COUNTRIES, countries_of, is_number, is_premium, plain_number

HOUR_US: Final = 3_600_000_000
ANY: Final = "*"
_SIP_URI: Final = re.compile(
    r"sips?:(?:(?P<user>[^@]*)@)?(?P<host>[^;?@]*)(?P<rest>(?:[;?][^@]*)?)", re.IGNORECASE
)
_PORT: Final = re.compile(r":\d{1,5}$")


class Refusal(StrEnum):
    """Why a call may not be placed."""

    MALFORMED = "malformed"
    NOT_ALLOWED = "not_allowed"
    DENIED = "denied"
    PREMIUM = "premium"
    HOST = "host"
    CONCURRENT = "concurrent"
    PER_HOUR = "per_hour"
    CAMPAIGN_CONCURRENT = "campaign_concurrent"
    CAMPAIGN_PER_HOUR = "campaign_per_hour"


@dataclass(frozen=True, slots=True)
class CampaignLimits:
    """Limits of one campaign, beside those of all calls.

    max_concurrent: calls at a time. per_hour: calls begun in any hour.
    """

    max_concurrent: int = 10
    per_hour: int = 100

    def __post_init__(self) -> None:
        _check_limits(self.max_concurrent, self.per_hour)


@dataclass(frozen=True, slots=True)
class DialPolicy:
    """What may be called through the network; phones of the process itself are always reached.

    allow: beginnings of numbers, with "+" or as dialled inside; "*" = every number. countries:
    ISO codes whose numbers may be called; US and CA share a code, as do RU and KZ. deny:
    beginnings that are refused whatever else allows them. premium: numbers that cost extra may be
    called as well. hosts: names or addresses of SIP addresses that may be called, shell patterns;
    "*" = every one. max_concurrent: calls at a time. per_hour: calls begun in any hour.
    campaigns: narrower limits by the name of a campaign.
    """

    allow: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    premium: bool = False
    hosts: tuple[str, ...] = ()
    max_concurrent: int = 10
    per_hour: int = 100
    campaigns: Mapping[str, CampaignLimits] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("allow", "deny"):
            for prefix in getattr(self, name):
                if prefix != ANY and not is_number(plain_number(prefix)):
                    raise ConfigError(f"{name}: {prefix!r} is not the beginning of a number")
        for country in self.countries:
            if country not in COUNTRIES:
                raise ConfigError(f"countries: {country!r} is not a known ISO 3166-1 code")
        if any(not host for host in self.hosts):
            raise ConfigError("hosts: an empty name matches nothing")
        _check_limits(self.max_concurrent, self.per_hour)

    def refusal(self, destination: str) -> Refusal | None:
        """Why this number or SIP address may not be called; None when it may."""
        text = destination.strip()
        if not text[:5].lower().startswith(("sip:", "sips:")):
            return self._number(plain_number(text))
        uri = _SIP_URI.fullmatch(text)
        host = "" if uri is None else _bare(_PORT.sub("", uri["host"].strip()))
        if uri is None or not host:
            return Refusal.MALFORMED
        if not any(fnmatchcase(host, _bare(pattern)) for pattern in self.hosts):
            return Refusal.HOST
        name = uri["user"] or ""
        user = plain_number(name.partition(";")[0].partition(":")[0])
        if is_number(user):
            return self._number(user)
        # an escape, a parameter or an appended letter could hide a number from us only
        plain = "%" not in user and not user[:1].isdigit() and user[:1] not in ("+", "*", "#")
        return None if plain and (user or not name) else Refusal.MALFORMED

    def _number(self, number: str) -> Refusal | None:
        if not is_number(number):
            return Refusal.MALFORMED
        if _begins(number, self.deny):
            return Refusal.DENIED
        if not self.premium and is_premium(number):
            return Refusal.PREMIUM
        if _begins(number, self.allow) or not countries_of(number).isdisjoint(self.countries):
            return None
        return Refusal.NOT_ALLOWED


def _bare(host: str) -> str:
    """In lower case; the brackets of an IPv6 address are gone."""
    host = host.lower()
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _begins(number: str, prefixes: tuple[str, ...]) -> bool:
    return any(prefix == ANY or number.startswith(plain_number(prefix)) for prefix in prefixes)


def _check_limits(max_concurrent: int, per_hour: int) -> None:
    if max_concurrent < 1 or per_hour < 1:
        raise ConfigError("max_concurrent and per_hour must be at least 1")


@dataclass(frozen=True, slots=True)
class DialStats:
    """admitted, refused: calls since the start; refused by reason. running: now."""

    admitted: int
    running: int
    refused: Mapping[Refusal, int]


class _Count:
    """Calls that run, and when those of the last hour began; never more than `per_hour` of them."""

    def __init__(self, max_concurrent: int, per_hour: int) -> None:
        self._max_concurrent = max_concurrent
        self._per_hour = per_hour
        self._begun: deque[int] = deque()
        self.running = 0

    def full(self) -> bool:
        return self.running >= self._max_concurrent

    def spent(self, now: int) -> bool:
        while self._begun and self._begun[0] <= now - HOUR_US:
            self._begun.popleft()
        return len(self._begun) >= self._per_hour

    def begin(self, now: int) -> None:
        self.running += 1
        self._begun.append(now)


class DialGate:
    """A policy and the calls that were placed under it. One per process."""

    def __init__(self, policy: DialPolicy) -> None:
        self._policy = policy
        self._all = _Count(policy.max_concurrent, policy.per_hour)
        self._campaigns = {
            name: _Count(limits.max_concurrent, limits.per_hour)
            for name, limits in policy.campaigns.items()
        }
        self._admitted = 0
        self._refused: dict[Refusal, int] = {}

    def admit(self, destination: str, campaign: str, now: int) -> Refusal | None:
        """Count a call and let it go on (None), or say why not. Each one let go on is given back
        with `ended`."""
        refusal = self._policy.refusal(destination) or self._limit(campaign, now)
        if refusal is not None:
            self._refused[refusal] = self._refused.get(refusal, 0) + 1
            return refusal
        self._admitted += 1
        for count in self._counts(campaign):
            count.begin(now)
        return None

    def ended(self, campaign: str) -> None:
        """A call that was admitted is over."""
        for count in self._counts(campaign):
            count.running -= 1

    def snapshot(self) -> DialStats:
        """Counters."""
        return DialStats(self._admitted, self._all.running, dict(self._refused))

    def _counts(self, campaign: str) -> list[_Count]:
        own = self._campaigns.get(campaign)
        return [self._all] if own is None else [self._all, own]

    def _limit(self, campaign: str, now: int) -> Refusal | None:
        if self._all.full():
            return Refusal.CONCURRENT
        if self._all.spent(now):
            return Refusal.PER_HOUR
        own = self._campaigns.get(campaign)
        if own is not None and own.full():
            return Refusal.CAMPAIGN_CONCURRENT
        if own is not None and own.spent(now):
            return Refusal.CAMPAIGN_PER_HOUR
        return None
