"""Time, turn, token and money limits of a call and of its stages, and the meter beside them.

How does it work? A `Meter` holds one account for the call, one per stage entered so far and one
for what the day's spend store granted. Coming back to a stage goes on where its account stopped,
so a loop cannot refill a budget. Before anything that spends, `check_before` asks with the most
it can cost; `hold` keeps that amount apart, `settle` replaces it by what it really was. Limits are
inclusive: a budget of five turns allows five, and the sixth trips. Time trips when it is used up.

How do I use it? trip = check_before(meter, Amounts(tokens=900), now); if trip is None:
meter = hold(meter, planned) … meter, trip = settle(meter, planned, actual, now).

`now` is monotonic microseconds. Money is micros of the price book's currency.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from mediacore.errors import ConfigError
from mediacore.units import TICK_MS, TICKS_PER_S

BUDGET_KEY: Final = "mediacore_budget"
_US: Final = 1_000_000
_MAX_SECONDS: Final = 7 * 24 * 3600
_DURATION: Final = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?", re.IGNORECASE)


class Scope(StrEnum):
    """Whose limit it is."""

    CALL = "call"
    STAGE = "stage"
    DAY = "day"


class SpendKind(StrEnum):
    """What is limited."""

    SECONDS = "seconds"
    TURNS = "turns"
    TOKENS = "tokens"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits; None = none, 0 = nothing of it."""

    seconds: int | None = None
    turns: int | None = None
    tokens: int | None = None
    money_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Amounts:
    """What an action can cost at most, or did cost."""

    turns: int = 0
    tokens: int = 0
    money_micros: int = 0

    def plus(self, other: Amounts) -> Amounts:
        """The sum."""
        return Amounts(
            self.turns + other.turns,
            self.tokens + other.tokens,
            self.money_micros + other.money_micros,
        )

    def minus(self, other: Amounts) -> Amounts:
        """The difference, not below zero."""
        return Amounts(
            max(self.turns - other.turns, 0),
            max(self.tokens - other.tokens, 0),
            max(self.money_micros - other.money_micros, 0),
        )


@dataclass(frozen=True, slots=True)
class Trip:
    """A limit was reached: `used` against `limit`, in seconds, turns, tokens or micros.

    name: the stage or campaign; empty for the call. used: with what was planned, when a plan
    was refused.
    """

    scope: Scope
    name: str
    kind: SpendKind
    limit: int
    used: int

    @property
    def reason(self) -> str:
        """One word for records and logs, like `call_seconds`."""
        return f"{self.scope}_{self.kind}"


@dataclass(frozen=True, slots=True)
class Account:
    """One limit and what was used of it. before_us: time of earlier stays; since_us: start of
    the running one, None while the stage is not entered. held: planned and not settled.
    """

    scope: Scope
    name: str
    budget: Budget
    used: Amounts = Amounts()
    held: Amounts = Amounts()
    before_us: int = 0
    since_us: int | None = None

    def elapsed_us(self, now: int) -> int:
        """Time used so far."""
        return self.before_us + (max(now - self.since_us, 0) if self.since_us is not None else 0)

    def deadline_us(self) -> int | None:
        """When the time is used up, if it is running."""
        if self.since_us is None or self.budget.seconds is None:
            return None
        return self.since_us + max(self.budget.seconds * _US - self.before_us, 0)

    def trip(self, now: int, planned: Amounts = Amounts()) -> Trip | None:
        """The first limit that `planned` would break, or that is broken already."""
        budget = self.budget
        if budget.seconds is not None and self.since_us is not None:
            elapsed = self.elapsed_us(now)
            if elapsed >= budget.seconds * _US:
                used = elapsed // _US
                return Trip(self.scope, self.name, SpendKind.SECONDS, budget.seconds, used)
        total = self.used.plus(self.held).plus(planned)
        rows = (
            (SpendKind.TURNS, budget.turns, total.turns),
            (SpendKind.TOKENS, budget.tokens, total.tokens),
            (SpendKind.MONEY, budget.money_micros, total.money_micros),
        )
        for kind, limit, value in rows:
            if limit is not None and value > limit:
                return Trip(self.scope, self.name, kind, limit, value)
        return None


@dataclass(frozen=True, slots=True)
class Meter:
    """All accounts of one call. stage: name of the running stage, empty for none.

    day: what the spend store granted of a campaign's day, as its money budget.
    """

    call: Account
    stages: tuple[Account, ...] = ()
    stage: str = ""
    day: Account | None = None

    def running(self) -> tuple[Account, ...]:
        """The accounts that a charge goes to: call, stage, day."""
        stage = tuple(a for a in self.stages if a.name == self.stage)
        return (self.call, *stage, *((self.day,) if self.day else ()))

    def account(self, stage: str) -> Account | None:
        """The account of a stage that was entered."""
        return next((a for a in self.stages if a.name == stage), None)


def open_meter(
    budget: Budget, now: int, *, campaign: str = "", granted: int | None = None
) -> Meter:
    """The meter of a call that starts now. granted: micros reserved for it; None = no day's cap."""
    day = None
    if granted is not None:
        day = Account(Scope.DAY, campaign, Budget(money_micros=granted))
    return Meter(Account(Scope.CALL, "", budget, since_us=now), day=day)


def grant(meter: Meter, micros: int) -> Meter:
    """The spend store reserved `micros` more for this call."""
    if meter.day is None or meter.day.budget.money_micros is None:
        return meter
    budget = Budget(money_micros=meter.day.budget.money_micros + micros)
    return replace(meter, day=replace(meter.day, budget=budget))


def enter_stage(meter: Meter, name: str, budget: Budget, now: int) -> Meter:
    """Leave the running stage and enter `name`; an earlier stay there counts on.

    What is held by the stage that is left stays held there until it is settled.
    """
    meter = leave_stage(meter, now)
    known = meter.account(name)
    account = known or Account(Scope.STAGE, name, budget)
    account = replace(account, budget=budget, since_us=now)
    others = tuple(a for a in meter.stages if a.name != name)
    return replace(meter, stages=(*others, account), stage=name)


def leave_stage(meter: Meter, now: int) -> Meter:
    """Stop the running stage's time."""
    stages = tuple(
        replace(a, before_us=a.elapsed_us(now), since_us=None) if a.name == meter.stage else a
        for a in meter.stages
    )
    return replace(meter, stages=stages, stage="")


def charge(meter: Meter, kind: SpendKind, amount: int, now: int) -> tuple[Meter, Trip | None]:
    """Count what was used without a plan. Time needs no charge; `SECONDS` only checks it."""
    spent = {
        SpendKind.SECONDS: Amounts(),
        SpendKind.TURNS: Amounts(turns=amount),
        SpendKind.TOKENS: Amounts(tokens=amount),
        SpendKind.MONEY: Amounts(money_micros=amount),
    }[kind]
    meter = _change(meter, meter.stage, held=Amounts(), used=spent, release=Amounts())
    return meter, check_before(meter, Amounts(), now)


def check_before(meter: Meter, planned: Amounts, now: int) -> Trip | None:
    """Whether `planned` may be spent: None, or the first limit it would break."""
    trips = (account.trip(now, planned) for account in meter.running())
    return next((trip for trip in trips if trip is not None), None)


def hold(meter: Meter, planned: Amounts) -> Meter:
    """Keep `planned` apart; call it in the step in which `check_before` gave None."""
    return _change(meter, meter.stage, held=planned, used=Amounts(), release=Amounts())


def settle(
    meter: Meter, planned: Amounts, actual: Amounts, now: int, *, stage: str | None = None
) -> tuple[Meter, Trip | None]:
    """Replace a held plan by what it was. stage: in which it was held; None = the running one."""
    name = meter.stage if stage is None else stage
    meter = _change(meter, name, held=Amounts(), used=actual, release=planned)
    return meter, check_before(meter, Amounts(), now)


def _change(meter: Meter, stage: str, *, held: Amounts, used: Amounts, release: Amounts) -> Meter:
    def changed(account: Account) -> Account:
        return replace(
            account,
            used=account.used.plus(used),
            held=account.held.minus(release).plus(held),
        )

    return replace(
        meter,
        call=changed(meter.call),
        stages=tuple(changed(a) if a.name == stage else a for a in meter.stages),
        day=changed(meter.day) if meter.day else None,
    )


def next_deadline_us(meter: Meter) -> int | None:
    """When the next time limit trips, on the monotonic clock; None = never."""
    return min(_deadlines(meter), default=None)


def _deadlines(meter: Meter) -> Iterable[int]:
    return (d for d in (a.deadline_us() for a in meter.running()) if d is not None)


def frame_budget(seconds: int | None, grace_seconds: int = 0) -> int | None:
    """Ticks after which a leg ends itself. grace: for the goodbye after the limit tripped."""
    return None if seconds is None else (seconds + grace_seconds) * TICKS_PER_S


def frames_left(meter: Meter, now: int) -> int | None:
    """Whole ticks until the next time limit, rounded up; None = no limit."""
    deadline = next_deadline_us(meter)
    return None if deadline is None else max(-(-(deadline - now) // (TICK_MS * 1000)), 0)


def parse_budget(value: object, where: str = BUDGET_KEY) -> Budget:
    """Read `{seconds, turns, tokens, money}` of a document. `ConfigError` names `where` and key.

    seconds: whole seconds or text like "1h30m"; money: a number or decimal text in whole units
    of the currency ("0.25"), at most six decimals. null = no limit.
    """
    if value is None:
        return Budget()
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected keys {_keys()}, got {_kind_of(value)}")
    unknown = [str(key) for key in value if key not in {k.value for k in SpendKind}]
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}; the keys are {_keys()}")
    return Budget(
        _seconds(value.get("seconds"), f"{where}.seconds"),
        _count(value.get("turns"), f"{where}.turns"),
        _count(value.get("tokens"), f"{where}.tokens"),
        _money(value.get("money"), f"{where}.money"),
    )


def _keys() -> str:
    return ", ".join(SpendKind)


def _kind_of(value: object) -> str:
    names = {bool: "true or false", str: "text", list: "a list", dict: "a mapping"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else "this")


def _seconds(value: object, where: str) -> int | None:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None or not any(match.groups()):
            raise ConfigError(f'{where}: expected seconds or a time like "1h30m", got text')
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        value = hours * 3600 + minutes * 60 + seconds
    count = _count(value, where)
    if count is not None and not 1 <= count <= _MAX_SECONDS:
        raise ConfigError(f"{where}: expected 1 to {_MAX_SECONDS}, got {count}")
    return count


def _count(value: object, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{where}: expected a whole number, got {_kind_of(value)}")
    if value < 0:
        raise ConfigError(f"{where}: expected a number that is not negative, got {value}")
    return value


def _money(value: object, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ConfigError(f"{where}: expected an amount like 0.25, got {_kind_of(value)}")
    try:
        micros = Decimal(str(value).strip()).scaleb(6)
    except InvalidOperation:
        raise ConfigError(f"{where}: expected an amount like 0.25") from None
    if not micros.is_finite() or micros < 0 or micros != micros.to_integral_value():
        raise ConfigError(f"{where}: expected an amount of 0 or more, at most six decimals")
    if micros > Decimal(10) ** 15:
        raise ConfigError(f"{where}: the amount is too large")
    return int(micros)
