"""Memory legs are drained while there are any, and dropped when they are closed."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from mediacore import _core
from mediacore.media import LegConfig
from mediacore.transports.webrtc.pump import LinkPump, take
from virtual import run_virtual


def test_everything_is_sent_soon_and_in_order() -> None:
    engine = _core.Engine(max_legs=4)

    async def main() -> None:
        pump, sent = LinkPump(), {0: [], 1: []}
        legs = [engine.open_leg(LegConfig(seed=n + 1)) for n in range(2)]
        for n, leg in enumerate(legs):
            pump.attach(leg, sent[n].extend)
        for tick in range(1, 51):
            engine.tick(tick * 20_000)
            await asyncio.sleep(0.02)
        for packets in sent.values():
            assert len(packets) >= 48
            numbers = [int.from_bytes(p[2:4]) for p in packets if not 192 <= p[1] <= 223]
            assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))
        assert all(leg.stats().tx_link_dropped == 0 for leg in legs)
        pump.detach(legs[0])
        pump.detach(legs[0])
        before = len(sent[0])
        legs[1].close()
        for tick in range(51, 56):
            engine.tick(tick * 20_000)
            await asyncio.sleep(0.02)
        assert len(sent[0]) == before
        legs[0].close()
        pump.detach(legs[1])
        assert pump._timer is None  # nothing wakes the loop any more

    run_virtual(main())
    engine.close()


def test_a_closed_leg_gives_none() -> None:
    engine = _core.Engine(max_legs=4)
    leg = engine.open_leg(LegConfig(seed=1))
    engine.tick(20_000)
    assert take(leg)
    assert take(leg) == []
    leg.close()
    engine.tick(40_000)
    engine.poll()
    leg.free()
    assert take(leg) is None
    engine.close()
