"""A call's share of its campaign's money of the day."""

from __future__ import annotations

import logging

from mediacore.errors import MediacoreError
from mediacore.policy.spend import Reservation, SpendStore

log = logging.getLogger("mediacore.session")


class Purse:
    """Reserves for one call and settles what it came to. cap: micros of the campaign's day."""

    def __init__(self, store: SpendStore, campaign: str, day: str, call_id: str, cap: int) -> None:
        self._store = store
        self._campaign = campaign
        self._day = day
        self._call_id = call_id
        self._cap = cap
        self._reserved: list[Reservation] = []

    async def reserve(self, amount: int) -> str:
        """Reserve more. "" when it was granted, else why not; a store that fails grants nothing."""
        try:
            found = await self._store.reserve(
                self._campaign, self._day, self._call_id, amount, self._cap
            )
        except MediacoreError as error:
            log.error("no money can be reserved", extra={"error": type(error).__name__})
            return "store_failed"
        if not isinstance(found, Reservation):
            return "day_cap"
        self._reserved.append(found)
        return ""

    async def settle(self, used: int) -> None:
        """The call came to `used` micros. What cannot be settled stays counted in full."""
        for at, reservation in enumerate(self._reserved):
            last = at == len(self._reserved) - 1
            actual = used if last else min(used, reservation.amount)
            used -= actual
            try:
                await self._store.settle(reservation, max(actual, 0))
            except MediacoreError as error:
                log.error("money not settled", extra={"error": type(error).__name__})
