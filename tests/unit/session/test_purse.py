"""Money of the day: reserved before it is spent, settled when the call is over."""

from __future__ import annotations

from mediacore.errors import MediacoreError
from mediacore.policy.spend import DaySpend, Refused, Reservation
from mediacore.session.purse import Purse
from virtual import run_virtual


class Store:
    """Counts; refuses over the cap, fails on order."""

    def __init__(self) -> None:
        self.fails = False
        self.settled: list[tuple[str, int]] = []
        self.reserved = 0

    async def reserve(
        self, campaign: str, day: str, call_id: str, amount: int, cap: int
    ) -> Reservation | Refused:
        if self.fails:
            raise MediacoreError("down")
        if self.reserved + amount > cap:
            return Refused(campaign, day, self.reserved, cap)
        self.reserved += amount
        return Reservation(f"r{self.reserved}", campaign, day, call_id, amount)

    async def settle(self, reservation: Reservation, actual: int) -> bool:
        if self.fails:
            raise MediacoreError("down")
        self.settled.append((reservation.id, actual))
        return True

    async def release(self, reservation: Reservation) -> bool:
        return True

    async def used(self, campaign: str, day: str) -> DaySpend:
        return DaySpend()

    async def open_reservations(self, campaign: str, day: str) -> tuple[Reservation, ...]:
        return ()

    async def close(self) -> None:
        """Nothing."""


def test_reservations_are_settled_in_order_and_the_rest_is_given_back() -> None:
    store = Store()

    async def main() -> None:
        purse = Purse(store, "c", "2026-01-01", "call", 100)
        assert [await purse.reserve(40) for _ in range(3)] == ["", "", "day_cap"]
        await purse.settle(50)

    run_virtual(main())
    assert store.settled == [("r40", 40), ("r80", 10)]


def test_more_than_was_reserved_is_counted_on_the_last() -> None:
    store = Store()

    async def main() -> None:
        purse = Purse(store, "c", "2026-01-01", "call", 100)
        await purse.reserve(40)
        await purse.settle(55)

    run_virtual(main())
    assert store.settled == [("r40", 55)]


def test_a_store_that_fails_grants_nothing_and_keeps_everything_counted() -> None:
    store = Store()

    async def main() -> None:
        purse = Purse(store, "c", "2026-01-01", "call", 100)
        assert await purse.reserve(40) == ""
        store.fails = True
        assert await purse.reserve(40) == "store_failed"
        await purse.settle(0)

    run_virtual(main())
    assert store.settled == []
    assert store.reserved == 40
