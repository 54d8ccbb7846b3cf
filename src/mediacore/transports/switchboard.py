"""Which gateway dials a destination, and whether it may be dialled at all.

Gateways that lead out of the process stand behind a `DialGate`; what it refuses fails as declined
before anything is sent. Numbers never appear in the log as such, only their `tag`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from mediacore._core import Leg
from mediacore.call.record import TransportFacts
from mediacore.policy.dialing import DialGate
from mediacore.slots.gateway import (
    DialOut,
    FarLine,
    Gateway,
    LineEnd,
    LineFailedError,
    Party,
    Referable,
    Referral,
)

log = logging.getLogger("mediacore.transports.switchboard")


@dataclass(frozen=True, slots=True)
class Route:
    """A gateway and the destinations it is for. guarded: the gate has to agree."""

    name: str
    takes: Callable[[DialOut], bool]
    gateway: Gateway
    guarded: bool = True


@dataclass(frozen=True, slots=True)
class SwitchboardStats:
    """dialled, declined (by the gate), unroutable: since the start."""

    dialled: int
    declined: int
    unroutable: int


class Switchboard:
    """A Gateway of gateways: the first route that takes a destination gets it.

    campaign: whose limits a call counts against. tag: what stands for a number in the log.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        gate: DialGate,
        *,
        clock_us: Callable[[], int],
        campaign: Callable[[DialOut], str],
        tag: Callable[[str], str],
    ) -> None:
        self._routes = tuple(routes)
        self._gate = gate
        self._clock_us = clock_us
        self._campaign = campaign
        self._tag = tag
        self._dialled = self._declined = self._unroutable = 0

    def dial(self, destination: DialOut) -> FarLine:
        """See Gateway."""
        route = next((r for r in self._routes if r.takes(destination)), None)
        if route is None:
            self._unroutable += 1
            self._tell("no_route", destination)
            return _NoLine(destination, LineEnd.NOT_FOUND, "no gateway takes this destination")
        if not route.guarded:
            self._dialled += 1
            return route.gateway.dial(destination)
        campaign = self._campaign(destination)
        line = route.gateway.dial(destination)

        def admit() -> None:
            self._admit(destination, campaign, route.name)

        def ended() -> None:
            self._gate.ended(campaign)

        if isinstance(line, Referable):
            return _ReferableLine(line, admit, ended, line.refer)
        return _GuardedLine(line, admit, ended)

    def snapshot(self) -> SwitchboardStats:
        """Counters."""
        return SwitchboardStats(self._dialled, self._declined, self._unroutable)

    def _admit(self, destination: DialOut, campaign: str, route: str) -> None:
        """Raises LineFailedError."""
        refusal = self._gate.admit(destination.to_number, campaign, self._clock_us())
        if refusal is None:
            self._dialled += 1
            self._tell("dialled", destination, route)
            return
        self._declined += 1
        self._tell(refusal.value, destination, route)
        raise LineFailedError(LineEnd.DECLINE, f"the dial policy refuses this call: {refusal}")

    def _tell(self, verdict: str, destination: DialOut, route: str = "") -> None:
        facts = {
            "decision": "dial",
            "verdict": verdict,
            "route": route,
            "to_tag": self._tag(destination.to_number),
        }
        log.info("call out", extra=facts)


class _NoLine:
    """A line that never comes to be."""

    def __init__(self, destination: DialOut, reason: LineEnd, detail: str) -> None:
        self._reason = reason
        self._detail = detail
        self._party = Party(
            destination.kind,
            "outbound",
            destination.from_number,
            destination.to_number,
            destination.headers,
        )

    @property
    def party(self) -> Party:
        """See FarLine."""
        return self._party

    @property
    def transport(self) -> TransportFacts:
        """See FarLine."""
        raise LineFailedError(LineEnd.ERROR, "the line is not connected")

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        """Fails."""
        raise LineFailedError(self._reason, self._detail)

    async def hangup(self, reason: LineEnd) -> None:
        """See FarLine."""

    async def wait_gone(self) -> LineEnd:
        """See FarLine."""
        return self._reason

    def far_delay_ms(self) -> int | None:
        """See FarLine."""
        return None


class _GuardedLine:
    """Another gateway's line behind the gate. It counts from `connect` until it is over."""

    def __init__(self, line: FarLine, admit: Callable[[], None], ended: Callable[[], None]) -> None:
        self._line = line
        self._admit = admit
        self._ended = ended
        self._counted = False
        self._over: LineEnd | None = None

    @property
    def party(self) -> Party:
        """See FarLine."""
        return self._line.party

    @property
    def transport(self) -> TransportFacts:
        """See FarLine."""
        return self._line.transport

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        """Dial, if the gate agrees."""
        if self._over is not None:
            raise LineFailedError(self._over)
        try:
            self._admit()
        except LineFailedError as error:
            self._over = error.reason
            raise
        self._counted = True
        try:
            return await self._line.connect(on_ringing)
        except BaseException:  # cancelled, or failed
            self._release()
            raise

    async def hangup(self, reason: LineEnd) -> None:
        """See FarLine."""
        self._over = self._over or reason
        try:
            await self._line.hangup(reason)
        finally:
            self._release()

    async def wait_gone(self) -> LineEnd:
        """See FarLine."""
        if self._over is not None and not self._counted:
            return self._over
        reason = await self._line.wait_gone()
        self._release()
        return reason

    def far_delay_ms(self) -> int | None:
        """See FarLine."""
        return self._line.far_delay_ms()

    def _release(self) -> None:
        if self._counted:
            self._counted = False
            self._ended()


class _ReferableLine(_GuardedLine):
    """One whose party can be sent elsewhere."""

    def __init__(
        self,
        line: FarLine,
        admit: Callable[[], None],
        ended: Callable[[], None],
        refer: Callable[[str], Awaitable[Referral]],
    ) -> None:
        super().__init__(line, admit, ended)
        self._refer = refer

    async def refer(self, to_uri: str) -> Referral:
        """See Referable."""
        return await self._refer(to_uri)
