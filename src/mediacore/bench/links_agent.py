"""The measured side of a link: agents that talk all the time and hear all the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mediacore._core import Leg, Resampler
from mediacore.bench.figures import process_cpu
from mediacore.bench.sound import SRATE_HZ, shipped_callers, without_gaps
from mediacore.errors import MediacoreError
from mediacore.events import MediaEvent, PlayoutLow, TapReady
from mediacore.media import LegConfig, LegStats, Tap
from mediacore.session.hub import MediaHub
from mediacore.slots.gateway import FarLine
from mediacore.units import TICKS_PER_S

LINK_LEG: Final = LegConfig(taps=Tap.RX)
"""Every measured leg: speech detection, and what the caller says drained by Python."""
_PIECES_PER_S: Final = 5  # as a synthesiser gives them


@dataclass(frozen=True, slots=True)
class LinkOrder:
    """kind: of link. calls: how many. warm_s: before the measured time. seconds: measured.
    codec: of WebRTC."""

    kind: str
    calls: int
    warm_s: float
    seconds: float
    codec: str = "PCMU"


@dataclass(frozen=True, slots=True)
class LinkReport:
    """Over the measured time. sent_share, heard_share: of the 20 ms frames that a call must put
    out and get. underruns: gaps in the agents' speech."""

    cpu_s: float
    media_cpu_s: float
    wall_s: float
    sent_share: float
    heard_share: float
    underruns: int
    late_ticks: int


class Agent:
    """One call: an endless utterance, given when the core asks for it."""

    def __init__(self, leg: Leg, speech: bytes) -> None:
        self.leg = leg
        self._speech = speech
        self._piece = 2 * leg.srate_hz // _PIECES_PER_S
        self._at = 0
        leg.begin(1, 1)
        self._feed()

    def on_event(self, event: MediaEvent) -> None:
        """Of its leg."""
        if self.leg.closed:
            return
        if isinstance(event, TapReady):
            self.leg.read_tap(self.leg.srate_hz)
        elif isinstance(event, PlayoutLow):
            self._feed()

    def _feed(self) -> None:
        while True:
            piece = self._speech[self._at : self._at + self._piece]
            taken = 2 * self.leg.say(piece)
            self._at = (self._at + taken) % len(self._speech)
            if taken < len(piece):
                return


class Agents:
    """All calls of a process; `wait_all` until as many are connected as are expected."""

    def __init__(self, hub: MediaHub, calls: int) -> None:
        self.hub = hub
        self._calls = calls
        self._agents: list[Agent] = []
        self._all = asyncio.Event()
        self._speech = without_gaps(shipped_callers())
        self._resampled: dict[int, bytes] = {SRATE_HZ: self._speech}

    async def take(self, far: FarLine) -> None:
        """Answer a call."""
        self.add(await far.connect(lambda: None))

    def add(self, leg: Leg) -> None:
        """Talk on a leg."""
        agent = Agent(leg, self._at_rate(leg.srate_hz))
        self.hub.attach(leg, agent.on_event)
        self._agents.append(agent)
        if len(self._agents) == self._calls:
            self._all.set()

    def _at_rate(self, srate_hz: int) -> bytes:
        speech = self._resampled.get(srate_hz)
        if speech is None:
            speech = self._resampled[srate_hz] = Resampler(SRATE_HZ, srate_hz).run(self._speech)
        return speech

    async def wait_all(self) -> None:
        """Wait until every call is there."""
        await self._all.wait()

    def close(self) -> None:
        """Close the legs."""
        for agent in self._agents:
            try:
                agent.leg.close()
            except MediacoreError:
                continue

    def stats(self) -> list[LegStats]:
        """Of every leg."""
        return [agent.leg.stats() for agent in self._agents]

    async def measured(self, order: LinkOrder) -> LinkReport:
        """What the order's time costs, once it is warm."""
        await asyncio.sleep(order.warm_s)
        engine = self.hub.engine
        before, paced, spent = self.stats(), engine.pacer_stats(), Stopwatch()
        await asyncio.sleep(order.seconds)
        cpu_s, wall_s = spent.read()
        after, pacer = self.stats(), engine.pacer_stats()

        def grew(value: Callable[[LegStats], float]) -> float:
            return sum(map(value, after)) - sum(map(value, before))

        frames = order.calls * wall_s * TICKS_PER_S
        frame = self._agents[0].leg.srate_hz // TICKS_PER_S
        return LinkReport(
            cpu_s=cpu_s,
            media_cpu_s=(pacer.cpu_us - paced.cpu_us) / 1e6,
            wall_s=wall_s,
            sent_share=grew(lambda leg: leg.wire_samples / frame) / frames,
            heard_share=grew(lambda leg: leg.rx_packets) / frames,
            underruns=round(grew(lambda leg: leg.underruns)),
            late_ticks=pacer.late_20ms + pacer.skipped - paced.late_20ms - paced.skipped,
        )


class Stopwatch:
    """CPU of this process and time, from when it was made."""

    def __init__(self) -> None:
        self._cpu, self._start = process_cpu(), time.monotonic()

    def read(self) -> tuple[float, float]:
        """CPU seconds, seconds."""
        return process_cpu().since(self._cpu).total, time.monotonic() - self._start
