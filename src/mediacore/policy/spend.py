"""Money reserved before it is spent: what a store of a campaign's spend per day offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money kept for one call until it is settled or released."""

    id: str
    campaign: str
    day: str
    call_id: str
    amount: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The cap does not allow it. used: settled and reserved so far."""

    campaign: str
    day: str
    used: int
    cap: int


@dataclass(frozen=True, slots=True)
class DaySpend:
    """settled: spent for certain. reserved: open, counted in full."""

    settled: int = 0
    reserved: int = 0

    @property
    def total(self) -> int:
        """What counts against the cap."""
        return self.settled + self.reserved


class SpendStore(Protocol):
    """Counters of spend; all methods may be called by many calls at once.

    A cancelled `reserve` keeps nothing reserved, unless the process or the database dies with it.
    """

    async def reserve(
        self, campaign: str, day: str, call_id: str, amount: int, cap: int
    ) -> Reservation | Refused:
        """Reserve `amount` if the day's total stays within `cap`."""
        ...

    async def settle(self, reservation: Reservation, actual: int) -> bool:
        """Count `actual` instead. False: it was settled or released before; nothing changed."""
        ...

    async def release(self, reservation: Reservation) -> bool:
        """Count nothing for it. False as for `settle`."""
        ...

    async def used(self, campaign: str, day: str) -> DaySpend:
        """What counts on that day."""
        ...

    async def open_reservations(self, campaign: str, day: str) -> tuple[Reservation, ...]:
        """What was never settled: running calls, and calls of processes that died."""
        ...

    async def close(self) -> None:
        """Let go of the file or the connections."""
        ...
