"""What providers and carriers cost, and what a piece of usage costs, exactly.

A price book is data that the user gives (`--prices FILE`). Money is counted in micros, millionths
of the book's currency, always in integers and always rounded up. A price that nobody stated is
never taken as zero: either the book states a worst case for it, or the usage is `Unpriced` and
whoever asked must refuse to spend.

    {"version": 1, "currency": "USD", "as_of": "2026-01-31", "source": "price pages of ...",
     "prices": [{"provider": "acme", "model": "large", "unit": "input_tokens_1m", "micros": 150000},
                {"provider": "trunk", "unit": "carrier_minute", "micros": 8500, "step": 60000}],
     "worst_case": {"output_tokens_1m": 75000000}}
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from mediacore.errors import ConfigError

PRICES_VERSION: Final = 1
ANY_MODEL: Final = "*"


class UsageKind(StrEnum):
    """What is counted. Audio and carrier time are counted in milliseconds."""

    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    CHARACTERS = "characters"
    AUDIO_MS = "audio_ms"
    CARRIER_MS = "carrier_ms"


class PriceUnit(StrEnum):
    """What a price is stated for."""

    INPUT_TOKENS_1M = "input_tokens_1m"
    OUTPUT_TOKENS_1M = "output_tokens_1m"
    CHARACTERS_1M = "characters_1m"
    AUDIO_SECOND = "audio_second"
    AUDIO_MINUTE = "audio_minute"
    CARRIER_MINUTE = "carrier_minute"


UNITS: Final = MappingProxyType(
    {
        PriceUnit.INPUT_TOKENS_1M: (UsageKind.INPUT_TOKENS, 1_000_000),
        PriceUnit.OUTPUT_TOKENS_1M: (UsageKind.OUTPUT_TOKENS, 1_000_000),
        PriceUnit.CHARACTERS_1M: (UsageKind.CHARACTERS, 1_000_000),
        PriceUnit.AUDIO_SECOND: (UsageKind.AUDIO_MS, 1_000),
        PriceUnit.AUDIO_MINUTE: (UsageKind.AUDIO_MS, 60_000),
        PriceUnit.CARRIER_MINUTE: (UsageKind.CARRIER_MS, 60_000),
    }
)
"""Unit -> what it counts, and how many of it one price is for."""


@dataclass(frozen=True, slots=True)
class Price:
    """`micros` for one `unit`. step: amounts are billed in whole multiples of it (tokens,
    characters or ms; 60000 = every begun minute). model: `*` = every model of the provider.
    """

    provider: str
    unit: PriceUnit
    micros: int
    model: str = ANY_MODEL
    step: int = 1

    @property
    def kind(self) -> UsageKind:
        """What this price counts."""
        return UNITS[self.unit][0]

    def cost(self, amount: int) -> int:
        """Micros for `amount`, rounded up."""
        billed = -(-amount // self.step) * self.step
        return -(-billed * self.micros // UNITS[self.unit][1])


@dataclass(frozen=True, slots=True)
class UsageDelta:
    """What one provider used. Costs of parts never sum up to less than that of the whole."""

    provider: str
    model: str = ANY_MODEL
    input_tokens: int = 0
    output_tokens: int = 0
    characters: int = 0
    audio_ms: int = 0
    carrier_ms: int = 0

    def amount(self, kind: UsageKind) -> int:
        """The amount of one kind."""
        return int(getattr(self, kind.value))


@dataclass(frozen=True, slots=True)
class Priced:
    """A cost. assumed: kinds for which the worst case was taken."""

    micros: int
    assumed: tuple[UsageKind, ...] = ()


@dataclass(frozen=True, slots=True)
class Unpriced:
    """No price is known for `kinds` of this provider: do not spend."""

    provider: str
    model: str
    kinds: tuple[UsageKind, ...]


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Prices of one currency on one day. worst_case: used where a provider has no own price."""

    currency: str
    as_of: str
    source: str
    prices: tuple[Price, ...] = ()
    worst_case: tuple[Price, ...] = ()
    _by_key: dict[tuple[str, str, UsageKind], Price] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for price in self.prices:
            self._by_key[(price.provider, price.model, price.kind)] = price

    def find(self, provider: str, model: str, kind: UsageKind) -> Price | None:
        """The price of the model, else of the provider, else None."""
        exact = self._by_key.get((provider, model, kind))
        return exact or self._by_key.get((provider, ANY_MODEL, kind))

    def cost(self, usage: UsageDelta) -> Priced | Unpriced:
        """What `usage` costs. Only kinds with an amount need a price."""
        total = 0
        assumed: list[UsageKind] = []
        unknown: list[UsageKind] = []
        for kind in UsageKind:
            amount = usage.amount(kind)
            if amount <= 0:
                continue
            price = self.find(usage.provider, usage.model, kind)
            if price is None:
                worst = [p.cost(amount) for p in self.worst_case if p.kind is kind]
                (assumed if worst else unknown).append(kind)
                total += max(worst, default=0)
            else:
                total += price.cost(amount)
        if unknown:
            return Unpriced(usage.provider, usage.model, tuple(unknown))
        return Priced(total, tuple(assumed))

    def with_defaults(self, other: PriceBook) -> PriceBook:
        """A book like this one, with the prices of `other` for what it does not name."""
        extra = tuple(p for p in other.prices if (p.provider, p.model, p.kind) not in self._by_key)
        return PriceBook(
            self.currency, self.as_of, self.source, self.prices + extra, self.worst_case
        )


LOCAL_PROVIDERS: Final = ("whisper", "hibari", "llamacpp", "scripted", "dialogue", "loopback")


def local_prices(currency: str = "USD") -> PriceBook:
    """The providers that run on the user's own machine: nobody bills for them."""
    per_kind = {UNITS[unit][0]: unit for unit in PriceUnit}
    prices = tuple(
        Price(provider, unit, 0) for provider in LOCAL_PROVIDERS for unit in per_kind.values()
    )
    return PriceBook(currency, "", "runs locally", prices)


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    provider: str
    unit: PriceUnit
    micros: int
    model: str = ANY_MODEL
    step: int = 1


class _Book(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    currency: str
    as_of: str
    source: str
    prices: list[_Row]
    worst_case: dict[PriceUnit, int] = msgspec.field(default_factory=dict)


def parse_prices(data: bytes, name: str = "price file") -> PriceBook:
    """Read a price book from JSON. `ConfigError` names the place in the file `name`."""
    try:
        book = msgspec.json.decode(data, type=_Book)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{name} is not a price book: {error}") from None
    except RecursionError:
        raise ConfigError(f"{name} is not a price book: it is nested too deeply") from None
    fault = _fault(book)
    if fault:
        raise ConfigError(f"{name} is not a price book: {fault}")
    return PriceBook(
        book.currency,
        book.as_of,
        book.source,
        tuple(Price(r.provider, r.unit, r.micros, r.model, r.step) for r in book.prices),
        tuple(Price("", unit, micros) for unit, micros in book.worst_case.items()),
    )


def _fault(book: _Book) -> str:
    if book.version != PRICES_VERSION:
        return f"version {book.version}; this program reads version {PRICES_VERSION}"
    if not (len(book.currency) == 3 and book.currency.isascii() and book.currency.isupper()):
        return "Expected three capital letters - at `$.currency`"
    try:
        datetime.date.fromisoformat(book.as_of)
    except ValueError:
        return "Expected a date like 2026-01-31 - at `$.as_of`"
    if not book.source.strip():
        return "Expected where the prices come from - at `$.source`"
    seen: set[tuple[str, str, UsageKind]] = set()
    for at, row in enumerate(book.prices):
        if row.micros < 0:
            return f"Expected an amount that is not negative - at `$.prices[{at}].micros`"
        if row.step < 1:
            return f"Expected at least 1 - at `$.prices[{at}].step`"
        if not row.provider or not row.model:
            return f"Expected a name - at `$.prices[{at}]`"
        key = (row.provider, row.model, UNITS[row.unit][0])
        if key in seen:
            return f"A second price for the same provider, model and kind - at `$.prices[{at}]`"
        seen.add(key)
    if any(micros < 0 for micros in book.worst_case.values()):
        return "Expected amounts that are not negative - at `$.worst_case`"
    return ""
