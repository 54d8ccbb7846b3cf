"""Callers by RTP, with or without SIP in front: an engine of their own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import count

from mediacore import _core
from mediacore._core import Engine, Leg
from mediacore.bench.links_agent import Agent
from mediacore.bench.links_far import SPARE_S, FarOrder, FarReport, Tell
from mediacore.bench.links_sip import HOST, link_config
from mediacore.bench.sound import shipped_callers, without_gaps
from mediacore.media import LegConfig
from mediacore.session.hub import MediaHub
from mediacore.slots.gateway import DialOut
from mediacore.transports.rtp import RtpTransport, open_rtp
from mediacore.transports.sip.agent import SipAgent
from mediacore.units import TICKS_PER_S

_LEG = LegConfig(vad_threshold_q15=None)


async def run(order: FarOrder, tell: Tell) -> None:
    """Call, talk, and count what comes."""
    speech = without_gaps(shipped_callers())
    async with AsyncExitStack() as stack:
        hub = MediaHub(Engine(max_legs=order.calls + 1, event_slots=32768, command_slots=16384))
        stack.callback(hub.engine.close)
        hub.start(realtime=True)
        stack.callback(hub.stop)
        legs = _opened(order, hub.engine)
        if order.kind != "rtp":
            legs = await _dialled(order, hub.engine, stack)
        for leg in legs:
            hub.attach(leg, Agent(leg, speech).on_event)
        before = sum(leg.stats().rx_packets for leg in legs)
        await asyncio.sleep(order.seconds)
        got = sum(leg.stats().rx_packets for leg in legs) - before
        tell(FarReport(got / (order.calls * order.seconds * TICKS_PER_S)))
        await asyncio.sleep(SPARE_S)


def _opened(order: FarOrder, engine: Engine) -> list[Leg]:
    """Raw RTP to each port."""
    if order.kind != "rtp":
        return []
    rtcp = link_config("sip").rtcp
    return [
        open_rtp(
            engine, RtpTransport(remote=(HOST, port), rtcp=rtcp, leg=_LEG), seed=10_000 + 7919 * n
        )[0]
        for n, port in enumerate(order.ports)
    ]


async def _dialled(order: FarOrder, engine: Engine, stack: AsyncExitStack) -> list[Leg]:
    """By SIP, all calls to one port."""
    seeds = count(10_000, 7919)
    if order.kind == "srtp":
        _core.srtp_load()
    agent = SipAgent(
        link_config(order.kind),
        engine,
        _LEG,
        on_incoming=lambda far: None,
        seed=lambda: next(seeds),
    )
    await agent.start()
    stack.push_async_callback(agent.aclose)
    target = DialOut("sip", f"sip:agent@{HOST}:{order.ports[0]}")
    lines = [agent.dial(target) for _ in range(order.calls)]
    return list(await asyncio.gather(*(line.connect(lambda: None) for line in lines)))
