"""One line of a call: signalling that fails, legs that come too late, events that are lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediacore._core import Leg
from mediacore.call.record import TransportFacts
from mediacore.errors import MediacoreError
from mediacore.events import EventsLost
from mediacore.runtime.actions import ReferLine
from mediacore.runtime.inputs import (
    FarDelaySeen,
    LineAnswered,
    LineGone,
    LineReferred,
    Resynced,
)
from mediacore.session.lineside import LineSide
from mediacore.slots.gateway import LineEnd, LineFailedError, Party, Referral
from support.host_sim import NEAR, HostSim
from virtual import run_virtual


class Far:
    """A far line of which every step is scripted."""

    party = Party("phone", "inbound", "+1", "+2")
    transport = TransportFacts("memory", "PCMU")

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self.hangs = False
        self.hangup_error: Exception | None = None
        self.gone_error: Exception | None = None
        self.ends: list[LineEnd] = []
        self.delay_ms: int | None = None

    def far_delay_ms(self) -> int | None:
        return self.delay_ms

    async def connect(self, on_ringing: Callable[[], None]) -> Leg:
        made = self._connect()
        if isinstance(made, Exception):
            raise made
        return made  # type: ignore[no-any-return]

    async def hangup(self, reason: LineEnd) -> None:
        self.ends.append(reason)
        if self.hangup_error is not None:
            raise self.hangup_error
        if self.hangs:
            await asyncio.sleep(1000)

    async def wait_gone(self) -> LineEnd:
        if self.gone_error is not None:
            raise self.gone_error
        await asyncio.sleep(1000)
        return LineEnd.HANGUP


def run(
    tmp_path: Path, scene: Callable[[HostSim, LineSide, Far, list[Any]], Any], made: Any = None
) -> None:
    async def main() -> None:
        sim = HostSim(tmp_path)
        async with sim:
            events: list[Any] = []
            far = Far(lambda: made or sim.engine.open_leg(NEAR))
            group = asyncio.TaskGroup()
            try:
                async with group:
                    side = LineSide(
                        "l", far, sim.shared, group, events.append, lambda r: None, lambda s: None
                    )
                    await scene(sim, side, far, events)
                    await side.hang_up(LineEnd.HANGUP)
                    await side.close_media()
                    raise asyncio.CancelledError  # the owner leaves
            except asyncio.CancelledError:
                pass
            side.free()

    run_virtual(main())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LineFailedError(LineEnd.BUSY), "busy"),
        (MediacoreError("no codec"), "error"),
        (OSError("no route"), "error"),
    ],
)
def test_a_line_that_does_not_come_up_is_told(
    tmp_path: Path, error: Exception, reason: str
) -> None:
    async def scene(sim: HostSim, side: LineSide, far: Far, events: list[Any]) -> None:
        side.connect()
        await asyncio.sleep(0.1)
        assert events == [LineGone("l", reason)]

    run(tmp_path, scene, error)


def test_a_leg_that_comes_after_the_end_is_closed_and_freed(tmp_path: Path) -> None:
    """`connect` returns in the very turn in which the line ends. The sim checks what is left."""

    async def scene(sim: HostSim, side: LineSide, far: Far, events: list[Any]) -> None:
        side.connect()
        side.end("cancel")
        await side.wait_ended()
        assert side.leg is None
        assert not any(isinstance(e, LineAnswered) for e in events)
        assert far.ends == [LineEnd.CANCEL]

    run(tmp_path, scene)


def test_a_hang_up_that_hangs_or_fails_does_not_keep_the_leg(tmp_path: Path) -> None:
    async def scene(sim: HostSim, side: LineSide, far: Far, events: list[Any]) -> None:
        side.connect()
        await asyncio.sleep(0.1)
        far.hangs = True
        before = asyncio.get_running_loop().time()
        side.end("hangup")
        await side.wait_ended()
        assert asyncio.get_running_loop().time() - before < 5
        far.hangup_error = OSError("gone")

    run(tmp_path, scene)


def test_signalling_that_breaks_ends_the_line(tmp_path: Path) -> None:
    async def scene(sim: HostSim, side: LineSide, far: Far, events: list[Any]) -> None:
        far.gone_error = OSError("reset")
        side.connect()
        await asyncio.sleep(0.1)
        assert events[-1] == LineGone("l", "error")

    run(tmp_path, scene)


def test_lost_events_become_the_counters(tmp_path: Path) -> None:
    async def scene(sim: HostSim, side: LineSide, far: Far, events: list[Any]) -> None:
        side.connect()
        await asyncio.sleep(0.5)
        assert side.leg is not None
        side._on_media(EventsLost(side.leg.handle, sim.tick, 0, 7))
        found = [e for e in events if isinstance(e, Resynced)]
        assert len(found) == 1
        assert found[0].drained
        assert found[0].at > 160 * 20
        side.resync()
        assert len([e for e in events if isinstance(e, Resynced)]) == 2

    run(tmp_path, scene)


def test_the_far_delay_comes_from_rtcp(tmp_path: Path) -> None:
    class Stats:
        """A leg whose far end reports."""

        def __init__(self, leg: Leg, packets: int) -> None:
            self._leg, self._packets = leg, packets

        def stats(self) -> Any:
            return replace(
                self._leg.stats(), rtcp_packets=self._packets, rtt_us=80_000, far_jitter_us=15_000
            )

    async def scene(sim: HostSim, side: LineSide, far: Far, events: list[Any]) -> None:
        side.connect()
        await asyncio.sleep(0.1)
        leg = side.leg
        assert leg is not None
        for packets in (0, 3):
            side.leg = Stats(leg, packets)  # type: ignore[assignment]
            side._taps = 50
            side._follow_far_delay()
        side.leg = leg
        assert [e for e in events if isinstance(e, FarDelaySeen)] == [FarDelaySeen("l", 70)]
        assert side.far_delay_ms == 70

    run(tmp_path, scene)


def test_the_far_delay_of_a_transport_that_measures_it(tmp_path: Path) -> None:
    async def scene(sim: HostSim, side: LineSide, far: Far, events: list[Any]) -> None:
        side.connect()
        await asyncio.sleep(0.1)
        for measured in (90, 95, None, 60, 60):
            far.delay_ms = measured
            side._follow_far_delay()
        told = [e.delay_ms for e in events if isinstance(e, FarDelaySeen)]
        assert told == [90, 60]  # small changes are not told

    run(tmp_path, scene)


def test_a_party_is_referred(tmp_path: Path) -> None:
    class Sip(Far):
        """A line whose signalling can refer."""

        async def refer(self, to_uri: str) -> Referral:
            if to_uri == "sip:broken@x":
                raise OSError
            return Referral(202, 200)

    async def scene(sim: HostSim, side: LineSide, far: Far, events: list[Any]) -> None:
        side.connect()
        await asyncio.sleep(0.1)
        side.refer(ReferLine("l", "no", "sip:x@y"))  # nothing but SIP can do it
        await asyncio.sleep(0)
        side.far = Sip(lambda: None)
        side.refer(ReferLine("l", "yes", "sip:x@y"))
        await asyncio.sleep(0)
        side.refer(ReferLine("l", "bad", "sip:broken@x"))
        await asyncio.sleep(0)
        found = [e for e in events if isinstance(e, LineReferred)]
        assert found == [
            LineReferred("no", 501, 0),
            LineReferred("yes", 202, 200),
            LineReferred("bad", 500, 0),
        ]

    run(tmp_path, scene)
