"""The measured process of a link: N calls that come by one transport.

Reads one line of JSON from stdin, `LinkOrder`; writes the ports that can be called as one line,
waits until all calls are there, and writes `LinkReport` as another.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from itertools import count
from types import MappingProxyType
from typing import Final

from mediacore import _core
from mediacore._core import Engine
from mediacore.bench.links_agent import LINK_LEG, Agents, LinkOrder, LinkReport
from mediacore.bench.links_sip import link_config
from mediacore.session.hub import MediaHub
from mediacore.slots.gateway import FarLine
from mediacore.transports.asterisk.audiosocket import AudioSocketServer
from mediacore.transports.asterisk.config import AudioSocketConfig
from mediacore.transports.pump import StreamPump
from mediacore.transports.rtp import RtpTransport, open_rtp
from mediacore.transports.sip.agent import SipAgent
from mediacore.transports.streams.config import StreamConfig, StreamEndpoint
from mediacore.transports.streams.server import StreamServer
from mediacore.transports.webrtc import WebRtcConfig, WebRtcServer

_PLENTY: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Room:
    """What a door needs. ring: takes each call's line."""

    order: LinkOrder
    agents: Agents
    engine: Engine
    ring: Callable[[FarLine], None]
    seed: Callable[[], int]
    stack: AsyncExitStack

    def pump(self) -> StreamPump:
        pump = StreamPump(self.engine)
        pump.start()
        self.stack.callback(pump.stop)
        return pump


async def _rtp(room: _Room) -> list[int]:
    """Raw RTP: the ports themselves. RTCP as with SIP: signalling alone is the difference."""
    ports: list[int] = []
    transport = RtpTransport(rtcp=link_config("sip").rtcp, leg=LINK_LEG)
    for _ in range(room.order.calls):
        leg, (_, port) = open_rtp(room.engine, transport, seed=room.seed())
        ports.append(port)
        room.agents.add(leg)
    return ports


async def _sip(room: _Room) -> list[int]:
    config = link_config(room.order.kind)
    if room.order.kind == "srtp":
        _core.srtp_load()
    agent = SipAgent(config, room.engine, LINK_LEG, on_incoming=room.ring, seed=room.seed)
    await agent.start()
    room.stack.push_async_callback(agent.aclose)
    return [agent.addresses[0][2]]


async def _websocket(room: _Room) -> list[int]:
    server = StreamServer(
        StreamConfig((StreamEndpoint("twilio"),)),
        room.engine,
        LINK_LEG,
        room.pump(),
        on_incoming=room.ring,
        seed=room.seed,
        clock=_core.now_us,
    )
    await server.start()
    room.stack.push_async_callback(server.aclose)
    return [server.address[1]]


async def _audiosocket(room: _Room) -> list[int]:
    server = AudioSocketServer(
        AudioSocketConfig(port=0),
        room.engine,
        LINK_LEG,
        pump=room.pump(),
        on_incoming=room.ring,
        seed=room.seed,
        clock_us=_core.now_us,
    )
    await server.start()
    room.stack.push_async_callback(server.aclose)
    return [server.address[1]]


async def _webrtc(room: _Room) -> list[int]:
    server = WebRtcServer(
        WebRtcConfig(
            codecs=(room.order.codec,),
            max_calls=room.order.calls,
            calls_per_s=_PLENTY,
            call_burst=_PLENTY,
        ),
        room.engine,
        LINK_LEG,
        on_incoming=room.ring,
        seed=room.seed,
    )
    await server.start()
    room.stack.push_async_callback(server.aclose)
    return [server.address[1]]


_DOORS: Final = MappingProxyType[str, Callable[[_Room], Awaitable[list[int]]]](
    {
        "rtp": _rtp,
        "sip": _sip,
        "srtp": _sip,
        "websocket": _websocket,
        "audiosocket": _audiosocket,
        "webrtc": _webrtc,
    }
)


async def serve(order: LinkOrder, tell: Callable[[list[int]], None]) -> LinkReport:
    """Take the calls and measure. tell: gets the ports."""
    seeds = count(1, 7919)
    async with AsyncExitStack() as stack:
        hub = MediaHub(Engine(max_legs=order.calls + 1, event_slots=32768, command_slots=16384))
        stack.callback(hub.engine.close)
        hub.start(realtime=True)
        stack.callback(hub.stop)
        agents = Agents(hub, order.calls)
        group = await stack.enter_async_context(asyncio.TaskGroup())

        def ring(far: FarLine) -> None:
            group.create_task(agents.take(far))

        room = _Room(order, agents, hub.engine, ring, lambda: next(seeds), stack)
        tell(await _DOORS[order.kind](room))
        stack.callback(agents.close)
        await agents.wait_all()
        return await agents.measured(order)


def main() -> None:
    """Serve one order."""
    order = LinkOrder(**json.loads(sys.stdin.readline()))
    report = asyncio.run(serve(order, lambda ports: print(json.dumps(ports), flush=True)))
    print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    main()
