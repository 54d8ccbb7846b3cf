"""The measured process of the density measurement: N calls, one engine, one event loop.

Reads one line of JSON from stdin, `ServerOrder`; writes the ports as one line, runs, and writes
`ServerReport` as another.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from mediacore._core import Engine, Leg
from mediacore.bench.figures import heap_bytes, percentile, process_cpu, rss_bytes
from mediacore.bench.sound import SRATE_HZ, shipped_callers, without_gaps
from mediacore.call.settings import INTERRUPTIBLE
from mediacore.events import (
    MediaEvent,
    PlayoutCut,
    PlayoutLow,
    PlayoutPaused,
    SpeechEnded,
    TapReady,
    UtteranceFinished,
)
from mediacore.media import LegConfig, LegStats, Tap
from mediacore.session.hub import MediaHub
from mediacore.transports.rtp import RtpTransport, open_rtp

_PIECE = SRATE_HZ // 5  # 200 ms, as a synthesiser gives them
_ANSWER_S = 8  # longer than the caller is silent: each answer is interrupted
_PROBE_S = 0.02


@dataclass(frozen=True, slots=True)
class ServerOrder:
    """calls: how many. warm_s: before the measured time begins. seconds: measured."""

    calls: int
    warm_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class ServerReport:
    """Over the measured time, except the memory: that is over the run.

    late_ticks: began 20 ms late or were given up. underruns: gaps in the agent's speech that
    nobody asked for. agent_samples: agent speech on the wire. loop_lag_p99_ms: of the event loop.
    """

    cpu_s: float
    cpu_user_s: float
    media_cpu_s: float
    wall_s: float
    late_ticks: int
    late_max_ms: float
    ticks: int
    underruns: int
    agent_samples: int
    packets_in: int
    packets_out: int
    packets_lost: int
    pauses: int
    cuts: int
    events_lost: int
    rss_bytes: int
    core_bytes: int | None
    loop_lag_p99_ms: float


class _Call:
    """One call without providers: answers whenever the caller has finished."""

    def __init__(self, leg: Leg, speech: bytes) -> None:
        self.leg = leg
        self._speech = speech
        self._at = 0
        self._left = 0
        self._utterance = 0
        self._generation = 1
        self._talking = False
        self.heard_samples = 0
        self.pauses = 0

    def on_event(self, event: MediaEvent) -> None:
        match event:
            case TapReady():
                self.heard_samples += len(self.leg.read_tap(SRATE_HZ)[1]) // 2
            case PlayoutLow():
                self._feed()
            case SpeechEnded():
                if not self._talking:
                    self.answer()
            case PlayoutPaused():
                self.pauses += 1
            case PlayoutCut():
                self._generation = event.next_generation
                if self._talking and self._left:
                    self.leg.end()
                self._left = 0
                self._talking = False
            case UtteranceFinished():
                self._talking = False
            case _:
                pass

    def answer(self) -> None:
        """Begin to speak."""
        self._utterance += 1
        self._talking = True
        self._left = _ANSWER_S * SRATE_HZ
        self.leg.begin(self._utterance, self._generation)
        self._feed()

    def _feed(self) -> None:
        while self._left:
            piece = self._speech[self._at : self._at + 2 * _PIECE]
            taken = self.leg.say(piece)
            self._left = max(self._left - taken, 0)
            self._at = (self._at + 2 * taken) % len(self._speech)
            if not self._left:
                self.leg.end()
            elif 2 * taken < len(piece):
                return


async def serve(order: ServerOrder, tell: Callable[[list[int]], None]) -> ServerReport:
    """Run the calls. tell: gets the ports when all are open."""
    speech = without_gaps(shipped_callers())
    hub = MediaHub(Engine(max_legs=order.calls + 1, event_slots=32768, command_slots=16384))
    gc.collect()
    rss, heap = rss_bytes(), heap_bytes()
    ports: list[int] = []
    calls: list[_Call] = []
    with hub:
        for i in range(order.calls):
            transport = RtpTransport(leg=LegConfig(taps=Tap.RX))
            leg, (_, port) = open_rtp(hub.engine, transport, seed=i + 1)
            leg.arm(INTERRUPTIBLE)
            ports.append(port)
            calls.append(_Call(leg, speech))
            hub.attach(leg, calls[-1].on_event)
        heap_after = heap_bytes()
        hub.start(realtime=True)
        tell(ports)
        for call in calls:
            call.answer()
        await asyncio.sleep(order.warm_s)

        before, cpu, start = _stats(calls), process_cpu(), time.monotonic()
        paced = hub.engine.pacer_stats()
        pauses = sum(c.pauses for c in calls)
        lags = await _probe(order.seconds)
        used, wall_s = process_cpu().since(cpu), time.monotonic() - start
        pacer, after = hub.engine.pacer_stats(), _stats(calls)
        rss = rss_bytes() - rss
        dropped = hub.engine.stats().events_dropped

    def grew(name: str) -> int:
        return int(sum(getattr(s, name) for s in after) - sum(getattr(s, name) for s in before))

    return ServerReport(
        cpu_s=used.total,
        cpu_user_s=used.user,
        media_cpu_s=(pacer.cpu_us - paced.cpu_us) / 1e6,
        wall_s=wall_s,
        late_ticks=pacer.late_20ms + pacer.skipped - paced.late_20ms - paced.skipped,
        late_max_ms=pacer.late_max_us / 1000,
        ticks=pacer.ticks - paced.ticks,
        underruns=grew("underruns"),
        agent_samples=grew("wire_samples"),
        packets_in=grew("rx_packets"),
        packets_out=grew("tx_packets"),
        packets_lost=grew("rx_lost"),
        pauses=sum(c.pauses for c in calls) - pauses,
        cuts=grew("cuts"),
        events_lost=dropped,
        rss_bytes=rss,
        core_bytes=None if heap is None or heap_after is None else heap_after - heap,
        loop_lag_p99_ms=percentile(lags, 99),
    )


async def _probe(seconds: float) -> list[float]:
    """Wait, and see how late the event loop comes."""
    lags: list[float] = []
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        await asyncio.sleep(_PROBE_S)
        lags.append((time.monotonic() - now - _PROBE_S) * 1000)
    return lags


def _stats(calls: list[_Call]) -> list[LegStats]:
    return [call.leg.stats() for call in calls]


def main() -> None:
    """Serve one order."""
    order = ServerOrder(**json.loads(sys.stdin.readline()))
    report = asyncio.run(serve(order, lambda ports: print(json.dumps(ports), flush=True)))
    print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    main()
