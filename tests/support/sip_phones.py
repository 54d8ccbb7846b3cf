"""SIP agents on loopback with real sockets and a real audio core: phones that say a tone."""

from __future__ import annotations

import asyncio
import itertools
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from math import cos, pi, sin
from pathlib import Path

from mediacore import _core
from mediacore._core import Leg
from mediacore.control.selfsigned import make_self_signed
from mediacore.events import DigitReceived, LegClosed, MediaEvent, TapReady
from mediacore.media import LegConfig, RtcpMode, Tap
from mediacore.session.hub import MediaHub
from mediacore.slots.gateway import DialOut, FarLine, LineEnd
from mediacore.transports.sip.agent import SipAgent
from mediacore.transports.sip.config import SipBind
from mediacore.transports.sip.line import SipLine
from mediacore.transports.sip.settings import SipConfig

LEG = LegConfig(taps=Tap.RX, vad_threshold_q15=None)
TRANSPORTS = ("UDP", "TCP", "TLS")


class Ear:
    """Everything a leg hears, and a voice for it."""

    def __init__(self, hub: MediaHub, leg: Leg) -> None:
        self.leg = leg
        self.pcm = bytearray()
        self.digits = ""
        self.closed = asyncio.Event()
        self.heard = asyncio.Event()
        self.pressed = asyncio.Event()
        self._ids = itertools.count(1)
        hub.attach(leg, self._on_event)

    def _on_event(self, event: MediaEvent) -> None:
        if isinstance(event, TapReady):
            self.pcm += self.leg.read_tap(1 << 16)[1]
            self.heard.set()
        elif isinstance(event, DigitReceived):
            self.digits += event.digit
            self.pressed.set()
        elif isinstance(event, LegClosed):
            self.closed.set()

    def say_tone(self, hz: int, ms: int) -> None:
        rate = self.leg.srate_hz
        wave = array(
            "h", (int(8000 * sin(2 * pi * hz * n / rate)) for n in range(rate * ms // 1000))
        )
        self.leg.begin(next(self._ids), 0)
        self.leg.say(wave.tobytes())
        self.leg.end()

    async def wait_tone(self, hz: int, within_s: float = 5.0) -> None:
        """Until 200 ms of this tone were heard; everything before is forgotten."""
        async with asyncio.timeout(within_s):
            while not self.hears(hz):
                self.heard.clear()
                await self.heard.wait()

    def hears(self, hz: int) -> bool:
        """Whether the tone is most of the last 200 ms with sound in them."""
        rate = self.leg.srate_hz
        pcm = array("h", bytes(self.pcm))
        size = rate // 5
        for at in range(max(0, len(pcm) - 8 * size), len(pcm) - size + 1, size // 2):
            if _share(pcm[at : at + size], hz, rate) > 0.8:
                return True
        return False


def _share(pcm: array[int], hz: int, rate: int) -> float:
    """How much of the energy is at this frequency (Goertzel)."""
    energy = sum(x * x for x in pcm)
    if energy < len(pcm) * 10_000:
        return 0.0
    w = 2 * pi * hz / rate
    real = sum(x * cos(w * n) for n, x in enumerate(pcm))
    imag = sum(x * sin(w * n) for n, x in enumerate(pcm))
    return 2 * (real * real + imag * imag) / (len(pcm) * energy)


class Phones:
    """Agents by name, each on its own port, all on one engine."""

    def __init__(self, hub: MediaHub, directory: Path) -> None:
        self.hub = hub
        self.agents: dict[str, SipAgent] = {}
        self.incoming: dict[str, asyncio.Queue[SipLine]] = {}
        self._directory = directory
        self._seeds = itertools.count(100, 7)

    async def add(self, name: str, **changes: object) -> SipAgent:
        """Listens on every transport."""
        if not self.agents:
            make_self_signed(self._directory)
        files = self._directory
        config = SipConfig(
            binds=tuple(SipBind(transport, port=0) for transport in TRANSPORTS),
            certificate=files / "cert.pem",
            key=files / "key.pem",
            ca_file=files / "cert.pem",
            rtcp=RtcpMode.PAIR,
            t1_ms=100,
        )
        queue: asyncio.Queue[SipLine] = asyncio.Queue()
        agent = SipAgent(
            replace(config, **changes),
            self.hub.engine,
            LEG,
            on_incoming=queue.put_nowait,  # type: ignore[arg-type]
            seed=lambda: next(self._seeds),
        )
        await agent.start()
        self.agents[name] = agent
        self.incoming[name] = queue
        return agent

    def uri(self, name: str, transport: str = "UDP", user: str = "service") -> str:
        port = next(a[2] for a in self.agents[name].addresses if a[0] == transport)
        if transport == "TLS":
            return f"sip:{user}@localhost:{port};transport=tls"
        suffix = "" if transport == "UDP" else f";transport={transport.lower()}"
        return f"sip:{user}@127.0.0.1:{port}{suffix}"

    def dial(self, name: str, uri: str, **changes: object) -> SipLine:
        line: FarLine = self.agents[name].dial(DialOut("sip", uri, **changes))  # type: ignore[arg-type]
        assert isinstance(line, SipLine)
        return line

    async def connect(
        self, a: str, b: str, transport: str = "UDP"
    ) -> tuple[SipLine, Ear, SipLine, Ear]:
        """A call from a to b, answered: both lines and both ears."""
        line = self.dial(a, self.uri(b, transport))
        dialling = asyncio.ensure_future(line.connect(lambda: None))
        other = await asyncio.wait_for(self.incoming[b].get(), 5)
        there = await other.connect(lambda: None)
        here = await asyncio.wait_for(dialling, 5)
        return line, Ear(self.hub, here), other, Ear(self.hub, there)

    async def hear_each_other(self, a: Ear, b: Ear) -> None:
        a.pcm.clear()
        b.pcm.clear()
        a.say_tone(440, 600)
        b.say_tone(700, 600)
        await b.wait_tone(440)
        await a.wait_tone(700)


async def end(*calls: tuple[SipLine, Ear]) -> None:
    """Hang up and give the legs back."""
    for line, ear in calls:
        await line.hangup(LineEnd.HANGUP)
        await line.wait_gone()
        ear.leg.close()
        await asyncio.wait_for(ear.closed.wait(), 2)
        ear.leg.free()


@asynccontextmanager
async def phones(directory: Path, *names: str, **changes: object) -> AsyncIterator[Phones]:
    """Leaving checks that no leg, call or socket of theirs is left."""
    hub = MediaHub(_core.Engine(max_legs=32))
    hub.start()
    world = Phones(hub, directory)
    try:
        for name in names:
            await world.add(name, **changes)
        yield world
    finally:
        for agent in world.agents.values():
            await agent.aclose()
        await asyncio.sleep(0.06)
        left = hub.engine.stats().legs_open
        hub.stop()
        hub.engine.close()
    assert left == 0, "legs are left open"
    for agent in world.agents.values():
        assert not agent.ua.unsettled, "sessions are left"
