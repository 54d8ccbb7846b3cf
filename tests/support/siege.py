"""A service with every door open, phones in calls that nobody may disturb, and what is left after.

async with besieged(tmp_path) as siege:
    async with siege.good_calls():
        await attack
"""

from __future__ import annotations

import asyncio
import gc
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mediacore._core import now_us
from mediacore.call.record import CallRecord
from mediacore.control.selfsigned import make_self_signed
from mediacore.media import PacerStats
from mediacore.service import LINE_LEG
from mediacore.transports.asterisk.audiosocket import AudioSocketServer
from mediacore.transports.asterisk.config import AudioSocketConfig
from mediacore.transports.pump import StreamPump
from mediacore.transports.sip.agent import SipStats
from mediacore.transports.sip.config import SipBind, StreamLimits
from mediacore.transports.sip.line import SipLine
from mediacore.transports.sip.settings import SipConfig
from mediacore.transports.streams.config import StreamConfig, StreamEndpoint
from mediacore.transports.streams.server import StreamServer
from support.attackers import Footprint
from support.peers.speech import Samples, padded, prompt, write_wav
from support.phone_calls import (
    ANSWER,
    FOREVER,
    WELCOME,
    baresip,
    document,
    heard_by_service,
    hears,
    missing,
    running,
)
from support.sip_stage import HOST, SipStage, blocking

LIMITS = StreamLimits(first_message_ms=1500, message_ms=800, handshake_ms=1000, per_source=32)
LATE_US = 20_000
GROWTH_MB = 64
SHORTEST_S = 4.0  # of good calls, so that there is something to compare


def long_speech() -> Samples:
    """Half a minute in which nothing is said twice."""
    return np.concatenate([prompt("vm-msginstruct"), prompt("vm-opts-full")])


@dataclass
class Besieged(SipStage):
    """A SipStage that also takes AudioSocket and media streams."""

    async def open(self, stack: AsyncExitStack) -> None:
        await super().open(stack)
        pump = StreamPump(self.hub.engine)
        pump.start()
        stack.callback(pump.stop)
        common: dict[str, Any] = {
            "on_incoming": self.service.host.incoming,
            "seed": lambda: secrets.randbits(62),
        }
        self.asterisk = AudioSocketServer(
            AudioSocketConfig(port=0),
            self.hub.engine,
            LINE_LEG,
            pump=pump,
            clock_us=now_us,
            **common,
        )
        self.streams = StreamServer(
            StreamConfig(port=0, endpoints=(StreamEndpoint("twilio"),)),
            self.hub.engine,
            LINE_LEG,
            pump,
            clock=now_us,
            **common,
        )
        await self.asterisk.start()
        stack.push_async_callback(self.asterisk.aclose)
        await self.streams.start()
        stack.push_async_callback(self.streams.aclose)

    def rtp_ports(self) -> list[int]:
        """Where the legs of all SIP calls listen."""
        lines = [line for line in self.agent._lines.values() if isinstance(line, SipLine)]
        facts = [line.media.facts for line in lines]
        return [int(each.local.rpartition(":")[2]) for each in facts if each is not None]


class Siege:
    """The service under attack, and how it was before."""

    def __init__(self, stage: Besieged, path: Path) -> None:
        self.stage, self.path = stage, path
        self.before = Footprint.now()
        self.good: frozenset[str] = frozenset()

    @property
    def stats(self) -> SipStats:
        return self.stage.agent.snapshot()

    def address(self, transport: str = "UDP") -> tuple[str, int]:
        return HOST, self.stage.port(transport)

    @asynccontextmanager
    async def good_calls(self, number: int = 2) -> AsyncIterator[None]:
        """Phones that talk all the while. Afterwards: everything they said was heard, and all that
        the service said, but for a fifth of a second in four; the media thread was on time."""
        said = long_speech()
        folder = self.path / "good"
        folder.mkdir()
        good = [baresip(folder, f"good{n}", padded(0.5, said, 60.0)) for n in range(number)]
        async with running(*good):
            transports = ("UDP", "TCP")
            for n, phone in enumerate(good):
                transport = transports[n % len(transports)]
                suffix = f";transport={transport.lower()}" if transport != "UDP" else ""
                uri = f"sip:agent@{HOST}:{self.stage.port(transport)}{suffix}"
                await blocking(lambda p=phone, u=uri: (p.dial(u), p.expect("CALL_ESTABLISHED")))
            mine = {call.call_id for call in self.stage.service.host.calls}
            self.good = frozenset(mine)
            assert len(mine) == number
            began_s = asyncio.get_running_loop().time()
            pacer = self.stage.hub.engine.pacer_stats()
            yield
            await asyncio.sleep(max(began_s + SHORTEST_S - asyncio.get_running_loop().time(), 0))
            passed_s = asyncio.get_running_loop().time() - began_s
            check_punctual(pacer, self.stage.hub.engine.pacer_stats())
            for phone in good:
                await blocking(phone.hangup)
            await self.stage.until(lambda: mine <= {r.call_id for r in self.stage.records})
        whole = int((passed_s - 1.0) * 8000)
        assert whole > 8000
        allowed = 1 + whole // 32_000  # a phone on a busy machine stutters by itself
        for record in (r for r in self.stage.records if r.call_id in mine):
            assert record.end_reason == "hangup", record.end_reason
            heard = heard_by_service(self.path, record)
            gaps = missing(said[: whole - 4000], heard)
            assert gaps <= allowed, f"the service missed a phone {gaps} times"
        for phone in good:
            gaps = missing(said[:whole], hears(phone))
            assert gaps <= allowed, f"a phone missed the service {gaps} times"

    @property
    def others(self) -> list[CallRecord]:
        """Records of calls that were not good ones."""
        return [record for record in self.stage.records if record.call_id not in self.good]

    async def until_quiet(self, calls: int = 0, seconds: float = 20.0) -> None:
        """Until no more than so many calls are left."""
        await self.stage.until(lambda: len(self.stage.service.host.calls) <= calls, seconds)


def check_punctual(before: PacerStats, after: PacerStats) -> None:
    """99 of 100 ticks began within a tick's time, and none was given up."""
    ticks = after.ticks - before.ticks
    assert ticks > 0
    assert after.skipped == before.skipped, (before, after)
    assert after.late_20ms - before.late_20ms <= ticks // 100, (before, after)


@asynccontextmanager
async def besieged(path: Path, **sip: Any) -> AsyncIterator[Siege]:
    """The service. In the end nothing is left of any call, and memory has not run away."""
    make_self_signed(path)
    write_wav(path / WELCOME, long_speech())
    config = SipConfig(
        binds=tuple(SipBind(transport, port=0) for transport in ("UDP", "TCP", "TLS")),
        certificate=path / "cert.pem",
        key=path / "key.pem",
        streams=LIMITS,
        t1_ms=100,
    )
    steps = (ANSWER, {"record_call": {"control_id": "all", "stereo": True}})
    play = {"play": {"url": WELCOME}}
    stage = Besieged(
        path,
        document=document(*steps, play, FOREVER),
        options={"sounds": path, "settings": lambda s: replace(s, media_lost_ms=500)},
        sip=replace(config, **sip),
    )
    outside = Footprint.now()
    async with stage:
        siege = Siege(stage, path)
        yield siege
        await siege.until_quiet()
        await stage.until(lambda: not siege.stats.agent.sessions, 30)
        await stage.until(lambda: siege.stats.sockets.connections == 0, 10)
        stats = siege.stats
        assert (stats.calls, stats.agent.sessions, stats.transactions.clients) == (0, 0, 0), stats
        assert stage.hub.engine.stats().legs_open == 0
        gc.collect()
        await stage.until(lambda: not Footprint.now().exceeds(siege.before), 5)
        now = Footprint.now()
        assert now.resident_mb - siege.before.resident_mb < GROWTH_MB, (siege.before, now)
    assert not Footprint.now().exceeds(outside), (outside, Footprint.now())
